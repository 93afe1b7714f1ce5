//! What is set, section by section: [`Config`] and all in it but routes and collections, with the
//! bounds that a loaded value keeps.
//!
//! It knows nothing of how values are found and checked, so that whoever does that can name it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::secret::Secret;
use super::writes::{Collection, Route, WriteConcern};

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
    /// 10 MiB to 4 GiB, and enough for one message: see [`super::shares`].
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
