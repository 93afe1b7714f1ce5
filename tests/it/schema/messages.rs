//! Messages: what the worker takes is valid, and what is valid it takes, but for named differences.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use jsonschema::Validator;
use longshore::cli::schema::messages::{of_all, of_route};
use longshore::config::Config;
use longshore::config::load::{Sources, load};
use longshore::message::{QueueMessage, Rejection};
use longshore::pipeline::trial::{Outcome, Trial};
use longshore::store::mongo::check_write;
use serde_json::Value;

use super::{PAGE, samples, validator};

/// 2026-11-22T10:00:00Z.
const SENT_MS: i64 = 1_795_341_600_000;

/// What is refused and valid all the same: the reason, words of the refusal, and the row of the page
/// that says why.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("bad_key", "with a fraction", "a key such as `123.0`"),
    ("bad_key", "is too long", "a text by its bytes"),
    ("bad_value", "is too long", "a text by its bytes"),
    ("bad_value", "beyond 64 bits", "an integer beyond 64 bits"),
    ("bad_name", "twice", "a name that is there twice"),
    ("bad_name", "stands beside other names", "a name that is there twice"),
    ("bad_value", "is not what $binary", "base64 by its bytes"),
    ("bad_value", "is not what $number", "a number in Extended JSON beyond its type"),
    ("bad_value", "the timestamp 0", "the timestamp 0"),
    ("bad_time", "is not a time", "a time by its value"),
    ("bad_time", "8 or 14 digits", "a time by its value"),
    ("bad_time", "ahead of the time of sending", "a time by its value"),
    ("bad_time", "outside the years", "a time by its value"),
    ("bad_time", "looks like", "a time by its value"),
    ("too_large", "", "sizes and levels"),
];

fn config() -> Config {
    let order = r#"{"collection":"orders","write":"set","key":"order_id","version_field":"changed_at","partial":true,
        "required":["status"],"fields":["customer"],"times":["shipped_at",{"founded":"s"},{"born":"ms"}],
        "indexes":[{"keys":["customer.id","status"]}]}"#;
    let flags = [("routes.order", order), ("message.types", r#"{"com.example.login":"event"}"#)];
    let flags = flags.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    load(Sources { flags, ..Sources::default() }).expect("valid").config
}

/// The worker's verdict and the schema's, side by side.
struct Both<'a> {
    trial: Trial<'a>,
    schema: Validator,
    /// How often each difference was met.
    met: BTreeMap<&'static str, usize>,
    taken: usize,
    refused: usize,
}

impl<'a> Both<'a> {
    fn new(config: &'a Config) -> Self {
        let trial = Trial::new(config, 64 << 20, check_write);
        let (schema, met) = (validator(&of_all(config).expect("routes")), BTreeMap::new());
        Self { trial, schema, met, taken: 0, refused: 0 }
    }

    fn rejection(&self, body: &str) -> Option<Rejection> {
        let message =
            QueueMessage { body: body.to_owned(), sent_ms: SENT_MS, ..QueueMessage::default() };
        match self.trial.of(&message).outcome {
            Outcome::Rejected(rejection) => Some(rejection),
            Outcome::Write { .. } | Outcome::Expired { .. } => None,
        }
    }

    fn is_valid(&self, body: &str) -> bool {
        let json = body.strip_prefix('\u{feff}').unwrap_or(body);
        serde_json::from_str::<Value>(json).is_ok_and(|value| self.schema.is_valid(&value))
    }

    fn is_taken_once_parsed(&self, body: &str) -> bool {
        let parsed = serde_json::from_str::<Value>(body);
        parsed.is_ok_and(|value| self.rejection(&value.to_string()).is_none())
    }

    /// What is wrong, if the two differ otherwise than the table says.
    fn complaint(&mut self, body: &str) -> Option<String> {
        match (self.rejection(body), self.is_valid(body)) {
            (None, true) => self.taken += 1,
            (Some(_), false) => self.refused += 1,
            (None, false) => return Some(format!("taken, and not valid: {body}")),
            (Some(rejection), true) => {
                let row = DIFFERENCES.iter().find(|(reason, words, _)| {
                    rejection.reason.code() == *reason && rejection.text.contains(words)
                });
                let name = match row {
                    Some((_, _, name)) => name,
                    // What is wrong stands in the one of two that a parser drops.
                    None if self.is_taken_once_parsed(body) => "a name that is there twice",
                    None => {
                        let Rejection { reason, text, .. } = rejection;
                        return Some(format!("{reason} ({text}), and valid: {body}"));
                    }
                };
                *self.met.entry(name).or_default() += 1;
            }
        }
        None
    }

    fn check(&mut self, bodies: impl IntoIterator<Item = String>) {
        let complaints: Vec<String> =
            bodies.into_iter().filter_map(|body| self.complaint(&body)).collect();
        // One of each kind.
        let kind = |complaint: &String| complaint.chars().take(60).collect::<String>();
        let shown: BTreeMap<String, &String> =
            complaints.iter().map(|complaint| (kind(complaint), complaint)).collect();
        assert!(shown.is_empty(), "{} differences:\n{:#?}", complaints.len(), shown.values());
    }
}

#[test]
fn what_the_worker_takes_is_valid_and_what_it_refuses_is_not_or_is_a_named_difference() {
    let config = config();
    let mut both = Both::new(&config);
    let texts = samples::texts();
    let mut bodies = samples::corpus();
    bodies.extend(texts.iter().filter(|text| text.trim_start().starts_with('{')).cloned());
    for text in &texts {
        let quoted = serde_json::to_string(text).expect("a text");
        // Of plain words a part is enough: each is one text more.
        let is_odd = text.starts_with(|first: char| !first.is_ascii_alphabetic());
        if text.len() <= 30 && (is_odd || text.len().is_multiple_of(10)) {
            bodies.extend(samples::named(&quoted));
            bodies.extend(samples::around(&quoted));
        }
        if serde_json::from_str::<Value>(text).is_ok() || text.starts_with(['{', '[']) {
            bodies.extend(samples::around(text));
        }
    }
    for value in [
        "1.0",
        "1e30",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "18446744073709551616",
        "4102444800",
        "4102444800.5",
        "4102444801",
        "946684799",
        "946684800",
        "946684800000",
        "4102444800000",
        "1e9",
        "-1",
        "0",
        r#"{"$date":5.0}"#,
        r#"{"$date":"2026-02-30T10:00:00Z"}"#,
        r#"{"$timestamp":{"t":0,"i":0}}"#,
        r#"{"$numberDouble":"1e999"}"#,
        r#"{"$numberDouble":"1."}"#,
        r#"{"$numberDouble":".5e3"}"#,
        r#"{"$binary":{"base64":"__--","subType":"00"}}"#,
        "[1]",
        "{}",
        "null",
        "true",
    ] {
        bodies.extend(samples::around(value));
    }
    bodies.extend(samples::around(&format!("{}{}", "[".repeat(100), "]".repeat(100))));
    for length in [1_023, 1_024, 1_025] {
        bodies.extend(samples::around(&format!("{:?}", "x".repeat(length))));
        bodies.extend(samples::around(&format!("{:?}", "é".repeat(length / 2 + 1))));
    }
    both.check(bodies);
    assert!(both.taken > 1_000 && both.refused > 1_000, "{} {}", both.taken, both.refused);
    let met: BTreeSet<_> = both.met.keys().copied().collect();
    let all: BTreeSet<_> = DIFFERENCES.iter().map(|(_, _, name)| *name).collect();
    assert_eq!(met, all, "a difference that no sample shows");
}

#[test]
fn every_written_time_that_is_read_is_valid() {
    const TIMES: [&str; 12] = [
        "2026-11-22T10:00:00Z",
        "2026-11-22 10:00:05.123456",
        "20261122T100005Z",
        "2026-11-22t10:00:00.5z",
        "2026-11-22T10:00:00+02:00",
        "2026-11-22T10:00-0130",
        "2016-12-31T23:59:60Z",
        "+002026-11-22T10:00:00Z",
        "2026-11-22T10:00:00,5[u-ca=iso8601]",
        "1795341605.123",
        "1795341605123",
        "1.795341605e9",
    ];
    let config = config();
    let mut both = Both::new(&config);
    let mut rng = Rng::with_seed(7);
    let mut bodies = Vec::new();
    for _ in 0..400 {
        let mut time: Vec<u8> = rng.choice(TIMES).expect("some").bytes().collect();
        for _ in 0..rng.usize(0..3) {
            let at = rng.usize(..time.len());
            match rng.u8(..3) {
                0 => time[at] = *rng.choice(b"0123456789-+:.,TtZz eE[]=!u").expect("some"),
                1 => drop(time.remove(at)),
                _ => time.insert(at, *rng.choice(b"0123456789-+:.,TtZz eE[] ").expect("some")),
            }
        }
        let quoted = serde_json::to_string(&String::from_utf8_lossy(&time)).expect("a text");
        bodies.extend(samples::around(&quoted));
        bodies.extend(samples::around(&format!(r#"{{"$date":{quoted}}}"#)));
    }
    let taken = bodies.iter().filter(|body| both.rejection(body).is_none());
    let invalid: Vec<_> = taken.filter(|body| !both.is_valid(body)).take(20).collect();
    assert!(invalid.is_empty(), "{invalid:#?}");
    both.taken = 0;
}

#[test]
fn the_schema_of_one_route_is_that_of_all_for_its_messages() {
    let config = config();
    let all = validator(&of_all(&config).expect("routes"));
    for (name, route) in &config.routes {
        let one = validator(&of_route(&config, name).expect("a route"));
        for body in samples::corpus() {
            let Ok(value) = serde_json::from_str::<Value>(&body) else { continue };
            let is_its = ["com.example.login", name].iter().any(|kind| value["type"] == *kind)
                && (value["type"] == **name || name == "event");
            assert_eq!(one.is_valid(&value), is_its && all.is_valid(&value), "{name}: {body}");
        }
        assert!(!route.collection.is_empty());
    }
    assert!(of_route(&config, "orders").is_none());
}

#[test]
fn a_route_may_have_any_name_and_a_mapped_name_is_of_the_route_that_it_is_mapped_to() {
    let route = r#"{"collection":"odd","write":"insert"}"#;
    let flags = [
        (r#"routes."a/b~ %\"#, route),
        ("routes.value", route),
        ("message.types", r#"{"cache":"event"}"#),
    ];
    let flags = flags.map(|(key, value)| (key.replace('\\', "\""), value.to_owned())).to_vec();
    let config = load(Sources { flags, ..Sources::default() }).expect("valid").config;
    let mut both = Both::new(&config);
    for kind in ["a/b~ %", "value", "cache", "event"] {
        let body =
            format!(r#"{{"type":"{kind}","user_id":1,"event_type":"a","data":{{"a":[1]}}}}"#);
        assert!(both.rejection(&body).is_none() && both.is_valid(&body), "{body}");
    }
    both.check([r#"{"type":"cache","user_id":1,"data":1}"#.to_owned()]);
}

#[test]
fn a_route_that_no_type_names_is_in_no_schema() {
    let load = |flags: &[(&str, &str)]| {
        let flags = flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        load(Sources { flags: flags.collect(), ..Sources::default() }).expect("valid").config
    };
    let config = load(&[("message.types", r#"{"cache":"event"}"#)]);
    assert!(of_route(&config, "cache").is_none() && of_route(&config, "event").is_some());
    let all = of_all(&config).expect("routes");
    assert!(all["$defs"]["cache"].is_null() && all["$defs"]["event"].is_object());
    let off = ["event", "session", "cache"].map(|route| format!("routes.{route}.enabled"));
    let off: Vec<_> = off.iter().map(|key| (key.as_str(), "false")).collect();
    assert!(of_all(&load(&off)).is_none());
}

/// A validator names what is wrong with the route that is meant, and not with all of them.
#[test]
fn errors_are_of_the_route_that_type_names() {
    let schema = validator(&of_all(&config()).expect("routes"));
    let errors = |body: &str| {
        let value: Value = serde_json::from_str(body).expect("JSON");
        let texts = schema.iter_errors(&value).map(|error| error.to_string());
        texts.collect::<Vec<_>>()
    };
    let told = errors(r#"{"type":"evnt","user_id":1,"event_type":"a"}"#);
    assert!(told.len() == 1 && told[0].contains("evnt"), "{told:?}");
    let told = errors(r#"{"type":"event","user_id":1}"#);
    assert!(told.len() == 1 && told[0].contains("event_type"), "{told:?}");
}

/// Most validators go back over every way in which a text can be divided.
#[test]
fn no_pattern_divides_a_run_of_digits_in_two_ways() {
    let both = [of_all(&config()).expect("routes"), longshore::config::schema::document()];
    for document in both.map(|document| document.to_string()) {
        assert!(document.contains("[0-9]+"));
        for twice in [r"[0-9]+\\.?[0-9]*", "[0-9]+[0-9]*", "[0-9]*[0-9]*", "[0-9]+?[0-9]"] {
            assert!(!document.contains(twice), "{twice}");
        }
    }
}

#[test]
fn the_page_lists_every_difference() {
    for (_, _, name) in DIFFERENCES {
        assert!(PAGE.contains(&format!("| {name} |")), "docs/SCHEMA.md has no row: {name}");
    }
}
