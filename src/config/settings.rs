//! What is set, section by section: [`Config`] and all in it but routes and collections, with the
//! bounds that a loaded value keeps.
//!
//! It knows nothing of how values are found and checked, so that whoever does that can name it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::secret::Secret;
use crate::budget::InFlightConfig;
use crate::dead_letter::{self, DeadLettersConfig};
use crate::decode::MessageConfig;
use crate::lane::BatchConfig;
use crate::queue::QueueConfig;
use crate::retry::RetryConfig;
use crate::route::Route;
use crate::store::{Collection, WriteConcern};
use crate::telemetry::logging::LogConfig;

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

/// Questions beside the writes that may be asked at once: whether the server answers, how it stands with
/// the indexes, and what a command or the page asks.
const WATCHING: usize = 4;

impl Config {
    /// The collection of dead letters, at the default write concern.
    #[must_use]
    pub fn dead_letter_collection(&self) -> Collection {
        dead_letter::collection(&self.dead_letters, self.db.write_concern.clone())
    }

    /// Whether this route lists who may use it: nobody else then, and not a command that sends.
    #[must_use]
    pub fn has_senders(&self, route: &str) -> bool {
        self.routes.get(route).is_some_and(|route| !route.senders.is_empty())
    }

    /// How many connections to one server may be in use at once: those of all lanes, the one of the dead
    /// letters too, and of what watches them.
    pub(super) fn connections(&self) -> usize {
        (self.collections.len() + 1) * self.batch.writes_max() + WATCHING
    }
}

#[derive(Clone)]
pub struct DbConfig {
    /// From `MONGO_CACHE_URI`, `db.mongo_uri` or the file that `db.mongo_uri_file` names. Required
    /// by commands that touch the database.
    pub mongo_uri: Option<Secret>,
    /// The file that it is from, if it is: read again when a login fails.
    pub mongo_uri_file: Option<PathBuf>,
    /// Options of the connection string by their names there (`maxPoolSize`, `retryWrites`), under
    /// those in the URI.
    pub connection_options: BTreeMap<String, String>,
    /// Connections to one server that the writes of all lanes and what watches them take at most: how
    /// many there may be, unless one of those options says it (`maxPoolSize`). The loader fills it in.
    pub connections: usize,
    pub create_indexes: bool,
    /// Whether a login may go to another machine without TLS, and the server's certificate unchecked.
    pub allow_insecure: bool,
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
            .field("mongo_uri_file", &self.mongo_uri_file)
            .field("connection_options", &self.connection_options.keys())
            .field("connections", &self.connections)
            .field("create_indexes", &self.create_indexes)
            .field("allow_insecure", &self.allow_insecure)
            .field("write_concern", &self.write_concern)
            .field("server_selection_timeout", &self.server_selection_timeout)
            .finish()
    }
}

#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// From SIGTERM to the exit: 6 s to 15 min.
    pub drain_timeout: Duration,
    /// Runtime threads: 1 to 64.
    pub threads: usize,
}

#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// Where health, metrics and the status page are served; `None` where they are not.
    pub listen: Option<SocketAddr>,
    /// Whether the address is another than the default, and so the user's own choice: what cannot
    /// be had then is an error, and else a warning.
    pub is_chosen: bool,
    /// Where `/livez` and `/readyz` are served besides, and nothing else; `None` where they are not.
    pub probes: Option<SocketAddr>,
    /// The names that a request may call the admin server by, besides addresses and `localhost`.
    pub hosts: Vec<String>,
    /// Whether the status page shows the bodies of dead letters, and whose they are.
    pub show_bodies: bool,
}
