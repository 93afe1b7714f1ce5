//! Typed settings, with bounds and reasons. [`load::load`] fills them from the layers and reports
//! every error at once.
//!
//! What a key means, its default, unit and bounds stand in `config/longshore.toml`, which a test
//! holds against this.

mod collections;
mod connection_options;
mod indexes;
mod ini_file;
mod key_path;
mod kinds;
mod layers;
mod literal;
pub mod load;
mod names;
pub mod print;
mod provenance;
mod reader;
pub(crate) mod redact;
mod routes;
mod rules;
mod secret;
mod sections;
pub mod shares;
mod suggest;
mod text_file;
mod toml_file;
mod units;

pub use load::defaults;
pub use secret::Secret;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// All settings of a process, valid as a whole.
#[derive(Debug, Clone)]
pub struct Config {
    pub queue: QueueConfig,
    pub db: DbConfig,
    pub batch: BatchConfig,
    pub in_flight: InFlightConfig,
    pub retry: RetryConfig,
    pub message: MessageConfig,
    pub dead_letters: DeadLettersConfig,
    pub worker: WorkerConfig,
    pub log: LogConfig,
    pub admin: AdminConfig,
    /// By route name, which is the message type.
    pub routes: BTreeMap<String, Route>,
    /// By collection name: what all routes of it agree in, and their indexes.
    pub collections: BTreeMap<String, Collection>,
}

#[derive(Debug, Clone)]
pub struct QueueConfig {
    /// Required by commands that touch the queue.
    pub url: Option<String>,
    /// Another SQS endpoint than AWS's, for local use.
    pub endpoint_url: Option<String>,
    /// Else by the AWS chain (environment, profile, IMDS).
    pub region: Option<String>,
    /// Of a long poll: whole seconds, 0 to 20, and at most `worker.drain_timeout` - 5 s.
    pub wait: Duration,
    /// 1 to 64.
    pub pollers_max: usize,
    /// Else the queue's own attribute. Whole seconds, 5 s to 11 h.
    pub visibility_timeout: Option<Duration>,
}

#[derive(Clone)]
pub struct DbConfig {
    /// From `MONGO_CACHE_URI`, `db.mongo_uri` or the file that `db.mongo_uri_file` names. Required
    /// by commands that touch the database.
    pub mongo_uri: Option<Secret>,
    /// Options of the connection string by their names there (`maxPoolSize`, `retryWrites`), under
    /// those in the URI.
    pub connection_options: BTreeMap<String, String>,
    pub create_indexes: bool,
    pub write_concern: WriteConcern,
    /// How long to look for a server before a call fails: 1 s to 60 s.
    pub server_selection_timeout: Duration,
}

/// Without the values of the connection options: `authMechanismProperties` may hold a session
/// token.
impl fmt::Debug for DbConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbConfig")
            .field("mongo_uri", &self.mongo_uri)
            .field("connection_options", &self.connection_options.keys())
            .field("create_indexes", &self.create_indexes)
            .field("write_concern", &self.write_concern)
            .field("server_selection_timeout", &self.server_selection_timeout)
            .finish()
    }
}

impl Default for DbConfig {
    /// As the loader fills it without any source.
    fn default() -> Self {
        load::defaults().db
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteConcern {
    pub w: Acknowledgement,
    pub journal: bool,
    /// 100 ms to 5 min.
    pub timeout: Duration,
}

/// How many members must have a write before it counts. Zero is refused: a delete needs an
/// acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acknowledgement {
    Majority,
    Members(u8),
    /// A named tag set of the replica set's configuration.
    Tag(String),
}

#[derive(Debug, Clone)]
pub struct BatchConfig {
    /// 1 to 10,000.
    pub docs_max: usize,
    /// Of one encoded command: 64 KiB to 15 MiB.
    pub bytes_max: usize,
    /// How long a free writer waits for more: 0 to 10 s.
    pub linger: Duration,
    /// Writes in flight for one collection at most; a second starts only when a full batch is
    /// waiting. 1 to 16.
    pub writers_max: usize,
}

#[derive(Debug, Clone)]
pub struct InFlightConfig {
    /// 10 to 100,000 (SQS allows 120,000 a queue, over all workers).
    pub messages_max: usize,
    /// 10 MiB to 4 GiB, and enough for one message: see [`shares`].
    pub bytes_max: usize,
}

#[derive(Debug, Clone)]
pub struct RetryConfig {
    /// 10 ms to 10 s.
    pub initial: Duration,
    /// `initial` to 5 min.
    pub max: Duration,
    /// 1.1 to 10.
    pub multiplier: f64,
    /// How long a write is tried before the gate closes: 0 to 10 min.
    pub budget: Duration,
}

#[derive(Debug, Clone)]
pub struct MessageConfig {
    /// How far a version may be ahead of `SentTimestamp`: 0 to 10 years.
    pub version_skew_max: Duration,
    /// Bytes of one body after decompression: 1 KiB to 16 MiB.
    pub decompressed_bytes_max: usize,
    /// Envelope types (CloudEvents `type`, EventBridge `detail-type`) to route names.
    pub types: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
pub struct DeadLettersConfig {
    pub collection: String,
    /// Records are kept for ever unless set. Whole seconds, 1 h and above.
    pub ttl: Option<Duration>,
}

#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// From SIGTERM to the exit: 6 s to 15 min.
    pub drain_timeout: Duration,
    /// Runtime threads: 1 to 64.
    pub threads: usize,
}

#[derive(Debug, Clone)]
pub struct LogConfig {
    /// A `tracing` filter such as `info` or `longshore=debug,warn`.
    pub level: String,
    pub format: LogFormat,
}

#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// Where health, metrics and the status page are served; `None` where they are not.
    pub listen: Option<SocketAddr>,
    /// Whether the address is another than the default, and so the user's own choice: what cannot
    /// be had then is an error, and else a warning.
    pub is_chosen: bool,
    /// Whether the status page shows the bodies of the last dead letters.
    pub show_bodies: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, `Journal` where systemd's reads, JSON lines otherwise.
    Auto,
    Text,
    Json,
    /// Text without a time, which the journal has, and with the level as it reads it.
    Journal,
}

/// How messages of one type become writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The message type.
    pub name: String,
    pub collection: String,
    pub kind: WriteKind,
    /// Fields that must be there, the key included.
    pub required: Vec<String>,
    /// `set` only: every field that a message may have, the key and the version field included.
    pub fields: Vec<String>,
    /// Fields that hold times and are stored as dates; the version field is always one.
    pub times: Vec<String>,
    /// `insert` only: a time field that is filled with the origin's time where it is absent.
    pub default_time: Option<String>,
    /// `insert` only: fields that a producer's own retry changes, and that do not make it another
    /// message.
    pub volatile: Vec<String>,
}

/// What a write does with the document that is there. All routes of one collection agree in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteKind {
    /// A new document under the producer's id, or one made from the origin.
    Insert,
    /// The declared fields, at one version, or each at its own where `partial`.
    Set { key: String, version_field: String, partial: bool },
    /// The whole document, at one version.
    Replace { key: String, version_field: String },
}

impl WriteKind {
    /// The key field of a keyed write.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Insert => None,
            Self::Set { key, .. } | Self::Replace { key, .. } => Some(key),
        }
    }

    /// The version field of a keyed write.
    #[must_use]
    pub fn version_field(&self) -> Option<&str> {
        match self {
            Self::Insert => None,
            Self::Set { version_field, .. } | Self::Replace { version_field, .. } => {
                Some(version_field)
            }
        }
    }
}

/// One collection: a lane of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    pub name: String,
    pub kind: WriteKind,
    /// `set` only: the declared fields, sorted, without the key. Where it is not partial, absent
    /// ones are removed.
    pub declared: Vec<String>,
    pub write_concern: WriteConcern,
    pub indexes: Vec<Index>,
    /// Keyed writes whose version is older than this are not written: the TTL index would remove
    /// them at once.
    pub ttl: Option<Duration>,
}

/// A declared index. The unique index on the key of a keyed collection is declared by the loader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Field and direction: 1 or -1.
    pub keys: Vec<(String, i32)>,
    pub unique: bool,
    /// A TTL index on one date field. Whole seconds, 1 s to 2,147,483,647 s.
    pub expire_after: Option<Duration>,
}
