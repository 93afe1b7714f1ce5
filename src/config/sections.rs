//! The sections of fixed keys, with default and bounds of each. `config/longshore.toml` says why
//! they are what they are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tracing_subscriber::EnvFilter;

use super::addresses::{ENDPOINT, QUEUE_URL, REGION};
use super::key_path::KeyPath;
use super::kinds::{Choice, Count, Factor, Kind, Size, Switch, Text, Time, Trimmed};
use super::members::Members;
use super::provenance::{Setting, Source};
use super::reader::Reader;
use super::schema_values::{any_text, option, table_of};
use super::secret::Secret;
use super::settings::{Config, DbConfig, WorkerConfig};
use super::{connection_options, envelopes, listeners, literal, names, text_file};
use crate::budget::InFlightConfig;
use crate::dead_letter::DeadLettersConfig;
use crate::decode::MessageConfig;
use crate::lane::BatchConfig;
use crate::queue::{QueueConfig, Transport};
use crate::redact;
use crate::retry::RetryConfig;
use crate::store::{Acknowledgement, WriteConcern};
use crate::telemetry::logging::{LogConfig, LogFormat};

/// Beats every layer: the variable that a portal's own code reads.
pub(crate) const URI_VARIABLE: &str = "MONGO_CACHE_URI";

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;
const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// What a TTL index counts in: 32 bits of seconds (MongoDB manual, "TTL Indexes").
pub(crate) const TTL: Time = Time::seconds(1, 2_147_483_647);

const FILTER: Text = Text {
    expected: "off, error, warn, info, debug or trace, or a filter such as longshore=debug,warn",
    accepts: |text| {
        !text.is_empty()
            && EnvFilter::builder().parse(text).is_ok()
            && text.split(',').all(is_directive)
    },
};

/// A level, or a module with one. A word alone would be the name of a module, and silence all
/// others: a slip of the pen.
fn is_directive(text: &str) -> bool {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    text.contains('=') || LEVELS.iter().any(|level| text.trim().eq_ignore_ascii_case(level))
}

/// All sections but the routes, which are read by their own names.
pub(crate) fn read(reader: &mut Reader) -> Config {
    Config {
        queue: queue(reader),
        db: db(reader),
        batch: batch(reader),
        in_flight: in_flight(reader),
        retry: retry(reader),
        message: message(reader),
        dead_letters: dead_letters(reader),
        worker: worker(reader),
        log: log(reader),
        admin: listeners::read(reader),
        routes: BTreeMap::new(),
        collections: BTreeMap::new(),
    }
}

fn queue(reader: &mut Reader) -> QueueConfig {
    QueueConfig {
        url: reader.optional("queue.url", &Trimmed(QUEUE_URL)),
        endpoint_url: reader.optional("queue.endpoint_url", &Trimmed(ENDPOINT)),
        region: reader.optional("queue.region", &Trimmed(REGION)),
        allow_insecure: reader.or("queue.allow_insecure", &Switch, false),
        transport: transport(reader),
        wait: reader.or("queue.wait", &Time::seconds(0, 20), Duration::from_secs(20)),
        pollers_max: reader.or("queue.pollers_max", &Count { min: 1, max: 64 }, 64),
        visibility_timeout: reader
            .optional("queue.visibility_timeout", &Time::seconds(5, 11 * HOUR)),
    }
}

fn transport(reader: &mut Reader) -> Transport {
    const NAMES: Choice = Choice(&[Transport::Lean.name(), Transport::Sdk.name()]);
    match reader.or("queue.transport", &NAMES, Transport::Lean.name()) {
        name if name == Transport::Sdk.name() => Transport::Sdk,
        _ => Transport::Lean,
    }
}

fn db(reader: &mut Reader) -> DbConfig {
    let (mongo_uri, mongo_uri_file) = mongo_uri(reader).unzip();
    DbConfig {
        mongo_uri,
        mongo_uri_file: mongo_uri_file.flatten(),
        connection_options: connection_options(reader),
        // Filled in when the collections are known.
        connections: 0,
        create_indexes: reader.or("db.create_indexes", &Switch, true),
        allow_insecure: reader.or("db.allow_insecure", &Switch, false),
        server_selection_timeout: reader.or(
            "db.server_selection_timeout",
            &Time::millis(1_000, 60_000),
            Duration::from_secs(5),
        ),
        write_concern: WriteConcern {
            w: reader.or("db.write_concern.w", &Members, Acknowledgement::Majority),
            journal: reader.or("db.write_concern.journal", &Switch, true),
            timeout: reader.or("db.write_concern.timeout", &WRITE_TIMEOUT, Duration::from_secs(10)),
        },
    }
}

const WRITE_TIMEOUT: Time = Time::millis(100, 300_000);

/// The write concern of a route: what it does not say, `db.write_concern` says.
pub(crate) fn write_concern(
    reader: &mut Reader,
    section: &KeyPath,
    default: &WriteConcern,
) -> WriteConcern {
    WriteConcern {
        w: reader.given(&section.child("w"), &Members).unwrap_or_else(|| default.w.clone()),
        journal: reader.given(&section.child("journal"), &Switch).unwrap_or(default.journal),
        timeout: reader.given(&section.child("timeout"), &WRITE_TIMEOUT).unwrap_or(default.timeout),
    }
}

/// Any text: the driver says what is wrong with it, in one place for everything that connects. With
/// the file that it is from, if it is.
fn mongo_uri(reader: &mut Reader) -> Option<(Secret, Option<PathBuf>)> {
    let key = KeyPath::from("db.mongo_uri");
    reader.describe(&key, any_text);
    let in_file = uri_file(reader);
    let Some(entry) = reader.take(&key) else {
        let (shown, source) = match &in_file {
            Some((uri, path)) => {
                (literal::text(&redact::uri(uri)), Source::File { path: path.clone(), line: 0 })
            }
            None => (Setting::UNSET.to_owned(), Source::Default),
        };
        reader.record(&key, shown, source);
        return in_file.map(|(uri, path)| (Secret::new(uri), Some(path)));
    };
    // Which of the two was meant cannot be known, and the other may be another database. The
    // portal's variable beats everything.
    if in_file.is_some() && entry.source != Source::Environment(URI_VARIABLE.to_owned()) {
        reader.error(&key, None, "is set, and db.mongo_uri_file too: keep one", entry.source);
        return None;
    }
    let Some(uri) = entry.value.as_str().map(str::trim).filter(|text| !text.is_empty()) else {
        reader.error(
            &key,
            None,
            "must be a connection string such as mongodb://host/database, or be left out",
            entry.source,
        );
        return None;
    };
    reader.record(&key, literal::text(&redact::uri(uri)), entry.source);
    Some((Secret::new(uri), None))
}

/// The connection string in the file that `db.mongo_uri_file` names, and its path.
fn uri_file(reader: &mut Reader) -> Option<(String, PathBuf)> {
    let key = KeyPath::from("db.mongo_uri_file");
    reader.describe(&key, any_text);
    let entry = reader.take(&key)?;
    let path = entry.value.as_str().map(str::trim).filter(|path| !path.is_empty());
    let read = path
        .ok_or_else(|| "must be the path of a file that holds the connection string".to_owned())
        .and_then(|path| Ok((text_file::read_uri(Path::new(path))?, PathBuf::from(path))));
    match read {
        Ok(read) => Some(read),
        Err(problem) => {
            let shown = path.map(|path| literal::text(&redact::text(path)));
            reader.error(&key, shown, problem, entry.source);
            None
        }
    }
}

fn connection_options(reader: &mut Reader) -> BTreeMap<String, String> {
    let mut options = BTreeMap::new();
    for key in reader.keys_in("db.connection_options") {
        // A name that is no option is left, to be reported as unknown. Its relatives are all known.
        let Some(name) = connection_options::canonical(key.last()) else { continue };
        let Some(entry) = reader.take(&key) else { continue };
        match option_text(&entry.value) {
            Some(text) if name == "w" && text == "0" => {
                let problem = "must be \"majority\" or 1 and above: a message is deleted only after its write is acknowledged";
                reader.error(&key, Some(text), problem, entry.source);
            }
            Some(text) => {
                let shown = if redact::option_is_shown(name) {
                    redact::text(&text)
                } else {
                    "***".to_owned()
                };
                reader.record(&key, literal::text(&shown), entry.source);
                options.insert(name.to_owned(), text);
            }
            None => reader.error(&key, None, "must be text, a number, true or false", entry.source),
        }
    }
    let known =
        connection_options::NAMES.map(|name| KeyPath::from("db.connection_options").child(name));
    for key in &known {
        reader.describe(key, option);
    }
    reader.know(known);
    options
}

/// As a connection string writes it.
fn option_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn batch(reader: &mut Reader) -> BatchConfig {
    BatchConfig {
        docs_max: reader.or("batch.docs_max", &Count { min: 1, max: 10_000 }, 1_000),
        bytes_max: reader.or("batch.bytes_max", &Size { min: 64 * KIB, max: 15 * MIB }, 15 * MIB),
        linger: reader.or("batch.linger", &Time::millis(0, 10_000), Duration::ZERO),
        writers_max: reader.or("batch.writers_max", &Count { min: 1, max: 16 }, 2),
    }
}

fn in_flight(reader: &mut Reader) -> InFlightConfig {
    InFlightConfig {
        messages_max: reader.or("in_flight.messages_max", &Count { min: 10, max: 100_000 }, 10_000),
        bytes_max: reader.or(
            "in_flight.bytes_max",
            &Size { min: 10 * MIB, max: 4 * GIB },
            256 * MIB,
        ),
    }
}

fn retry(reader: &mut Reader) -> RetryConfig {
    RetryConfig {
        initial: reader.or("retry.initial", &Time::millis(10, 10_000), Duration::from_millis(100)),
        max: reader.or("retry.max", &Time::millis(10, 300_000), Duration::from_secs(10)),
        multiplier: reader.or("retry.multiplier", &Factor { min: 1.1, max: 10.0 }, 2.0),
        budget: reader.or("retry.budget", &Time::millis(0, 600_000), Duration::from_secs(30)),
    }
}

fn message(reader: &mut Reader) -> MessageConfig {
    MessageConfig {
        version_skew_max: reader.or(
            "message.version_skew_max",
            &Time::millis(0, 3_650 * DAY * 1_000),
            Duration::from_secs(HOUR),
        ),
        decompressed_bytes_max: reader.or(
            "message.decompressed_bytes_max",
            &Size { min: KIB, max: 16 * MIB },
            2 * MIB,
        ),
        unpack_ratio_max: reader.or(
            "message.unpack_ratio_max",
            &Count { min: 10, max: 100_000 },
            200,
        ),
        document_bytes_max: reader.or(
            "message.document_bytes_max",
            &Size { min: KIB, max: 16 * MIB },
            4 * MIB,
        ),
        types: types(reader),
        envelopes: envelopes::read(reader),
        // Filled in when the routes are known.
        routes: BTreeSet::new(),
    }
}

fn types(reader: &mut Reader) -> BTreeMap<String, String> {
    const ROUTE: Text = Text { expected: "the name of a route", accepts: names::is_message_type };
    let mut types = BTreeMap::new();
    reader.describe(&"message.types".into(), || table_of(&ROUTE.schema()));
    for key in reader.keys_in("message.types") {
        if let Some(route) = reader.given(&key, &ROUTE) {
            types.insert(key.last().to_owned(), route);
        }
    }
    types
}

fn dead_letters(reader: &mut Reader) -> DeadLettersConfig {
    DeadLettersConfig {
        collection: reader.or(
            "dead_letters.collection",
            &names::COLLECTION,
            "dead_letters".to_owned(),
        ),
        queue: reader.optional("dead_letters.queue", &Trimmed(QUEUE_URL)),
        ttl: reader.optional("dead_letters.ttl", &Time { min: Duration::from_secs(HOUR), ..TTL }),
        user_fields: reader.or(
            "dead_letters.user_fields",
            &names::USER_FIELDS,
            vec!["user_id".to_owned()],
        ),
    }
}

fn worker(reader: &mut Reader) -> WorkerConfig {
    WorkerConfig {
        drain_timeout: reader.or(
            "worker.drain_timeout",
            &Time::millis(6_000, 900_000),
            Duration::from_secs(25),
        ),
        threads: reader.or("worker.threads", &Count { min: 1, max: 64 }, 1),
    }
}

fn log(reader: &mut Reader) -> LogConfig {
    let level = reader.or("log.level", &FILTER, "info".to_owned());
    let format =
        match reader.or("log.format", &Choice(&["auto", "text", "json", "journal"]), "auto") {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            "journal" => LogFormat::Journal,
            _ => LogFormat::Auto,
        };
    LogConfig { level, format }
}
