//! A queue and a database on this machine, and the configuration that points at them.
//!
//! Nothing real is touched: `MONGO_CACHE_URI`, AWS profiles and credentials of the environment are
//! not read.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::config::load::Setting;
use crate::config::{Config, Secret};
use crate::stop::Stop;

use super::mongod::{self, Mongod};
use super::ports::Ports;
use super::sqs::EmbeddedSqs;

/// The queue's name, where nobody gives another.
pub const QUEUE: &str = "portal";

/// The database's name.
pub const DATABASE: &str = "portal";

/// Of the local queue: short, so that what a killed worker held comes back while one watches.
const VISIBILITY_TIMEOUT: &str = "30";

/// The long poll: short, because a stop waits for it.
const WAIT: Duration = Duration::from_secs(1);

/// A running queue and database.
#[derive(Debug)]
pub struct Local {
    pub sqs: EmbeddedSqs,
    pub mongod: Mongod,
    pub queue_url: String,
}

impl Local {
    /// Starts both. `None` where `stop` came first; then nothing is left of what was started.
    ///
    /// # Errors
    /// Where there is no mongod to run, or one of them does not start.
    pub async fn start(stop: &Stop) -> Result<Option<Self>> {
        Self::start_at(Ports::default(), QUEUE, stop).await
    }

    /// The same at these ports, with a queue of this name: a FIFO queue where that ends in `.fifo`.
    ///
    /// # Errors
    /// As [`Local::start`], and where a port is taken.
    pub async fn start_at(ports: Ports, queue: &str, stop: &Stop) -> Result<Option<Self>> {
        let options = tokio::select! {
            program = mongod::find() => {
                mongod::Options { port: ports.mongod, ..mongod::Options::new(program?) }
            }
            () = stop.draining() => return Ok(None),
        };
        // Dropped half-way, a mongod ends a moment later than we do. So it is waited for, unless
        // somebody asks twice.
        let mongod = tokio::select! {
            mongod = Mongod::start(&options) => mongod?,
            () = stop.letting_go() => return Ok(None),
        };
        if stop.is_draining() {
            mongod.stop().await;
            return Ok(None);
        }
        let sqs = EmbeddedSqs::start_at(ports.sqs).await?;
        let queue_url = sqs
            .create_queue(queue, &[("VisibilityTimeout", VISIBILITY_TIMEOUT)])
            .await
            .context("cannot make the queue")?;
        Ok(Some(Self { sqs, mongod, queue_url }))
    }

    /// `config` with queue and database replaced by these.
    #[must_use]
    pub fn point(&self, mut config: Config) -> Config {
        config.queue.url = Some(self.queue_url.clone());
        config.queue.endpoint_url = Some(self.sqs.endpoint_url());
        config.queue.region = Some(super::sqs::REGION.to_owned());
        config.queue.wait = WAIT;
        config.db.mongo_uri = Some(self.mongo_uri());
        config.db.mongo_uri_file = None;
        config.db.connection_options.clear();
        // Whatever is tried out must reach nothing of anybody's.
        config.dead_letters.queue = None;
        config
    }

    /// The connection string of the database.
    #[must_use]
    pub fn mongo_uri(&self) -> Secret {
        self.mongod.uri(DATABASE)
    }

    /// What [`Self::point`] replaces, as it is shown: key, value and where it is from.
    #[must_use]
    pub fn settings(&self) -> Vec<[String; 3]> {
        let uri = self.mongo_uri();
        let all = [
            ("queue.url", self.queue_url.clone()),
            ("queue.endpoint_url", self.sqs.endpoint_url()),
            ("queue.region", super::sqs::REGION.to_owned()),
            ("queue.wait", format!("{}s", WAIT.as_secs())),
            // Its server is on loopback and has no login.
            ("db.mongo_uri", uri.expose().to_owned()),
        ];
        let texts = all.map(|(key, value)| (key, format!("\"{value}\"")));
        let unset = [("dead_letters.queue", Setting::UNSET.to_owned())];
        let from = "longshore dev".to_owned();
        texts
            .into_iter()
            .chain(unset)
            .map(|(key, value)| [key.to_owned(), value, from.clone()])
            .collect()
    }

    /// Ends both and returns when nothing of them is left.
    pub async fn stop(self) {
        self.mongod.stop().await;
    }
}
