//! What a worker stands between: a queue and a database of the test's own.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use longshore::config::{Config, DbConfig, defaults};
use longshore::dev::mongod::Mongod;
use longshore::dev::portal::{Expected, PortalMessage};
use longshore::dev::verify::verify;
use longshore::message::Attribute;
use longshore::mongo_manager::MongoManager;
use longshore::queue::BATCH_MAX;
use longshore::queue::sqs::{Credentials, QueueFacts, SqsQueue};
use longshore::queue::{Outgoing, SendOutcome};
use longshore::stop::Stop;
use longshore::telemetry::counters::Counts;
use longshore::worker::{Ended, Observability, Worker};
use mongodb::bson::{Document, doc};
use serde_json::Value;
use tokio::process::Command;

use super::sqs::{Kind, SqsServer};
use super::{child, mongod, until};

/// The long poll of the workers: short, because a stop waits for it.
const WAIT: Duration = Duration::from_secs(1);

/// Send calls in flight.
const SENDS_MAX: usize = 8;

pub struct Surroundings {
    pub server: SqsServer,
    pub queue_url: String,
    pub queue: SqsQueue,
    pub manager: MongoManager,
    db: DbConfig,
}

impl Surroundings {
    /// A queue with these attributes on the embedded server, and a database of the plain replica
    /// set.
    pub async fn new(attributes: &Value) -> Self {
        Self::on(Kind::Embedded, attributes, mongod::plain().await).await
    }

    pub async fn on(kind: Kind, attributes: &Value, mongod: &Mongod) -> Self {
        let server = SqsServer::start(kind).await;
        let queue_url = server.create_queue(attributes).await;
        let queue = server.connect(&queue_url).await.0;
        let db = mongod::settings(mongod);
        let manager = MongoManager::connect(&db).await.expect("a database");
        Self { server, queue_url, queue, manager, db }
    }

    /// The defaults, pointed here.
    pub fn config(&self) -> Config {
        let mut config = defaults();
        config.queue.url = Some(self.queue_url.clone());
        config.queue.endpoint_url = Some(self.server.endpoint().to_owned());
        config.queue.wait = WAIT;
        config.db = self.db.clone();
        config.admin.listen = None;
        config
    }

    /// The built binary with the defaults, pointed here.
    pub fn longshore(&self, arguments: &[&str]) -> Command {
        let mut command = child::longshore();
        command.args(arguments).envs([
            ("LONGSHORE__QUEUE__URL", self.queue_url.as_str()),
            ("LONGSHORE__QUEUE__ENDPOINT_URL", self.server.endpoint()),
            ("LONGSHORE__QUEUE__WAIT", "1s"),
            ("LONGSHORE__ADMIN__LISTEN", "off"),
            ("MONGO_CACHE_URI", self.uri()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ]);
        command
    }

    pub fn uri(&self) -> &str {
        self.db.mongo_uri.as_ref().expect("a connection string").expose()
    }

    /// Sends all, in no certain order.
    pub async fn send(&self, messages: &[Outgoing]) {
        let sends: Vec<_> =
            messages.chunks(BATCH_MAX).map(|chunk| self.queue.send_batch(chunk)).collect();
        let outcomes: Vec<_> = stream::iter(sends).buffer_unordered(SENDS_MAX).collect().await;
        for outcome in outcomes.into_iter().flat_map(|outcomes| outcomes.expect("an answer")) {
            assert!(matches!(outcome, SendOutcome::Sent { .. }), "{outcome:?}");
        }
    }

    pub async fn facts(&self) -> QueueFacts {
        self.queue.facts().await.expect("facts of the queue")
    }

    /// Messages in the queue, whatever their state.
    pub async fn left(&self) -> usize {
        let facts = self.facts().await;
        usize::try_from(facts.messages_in_all()).expect("a few")
    }

    /// Runs a worker in this process until the queue is empty.
    pub async fn unload(&self, config: Config) -> Counts {
        let worker = Worker::start(config, Credentials::Local, Observability::default())
            .await
            .expect("a worker");
        let (signals, stop) = (worker.signals.clone(), Stop::default());
        let running = tokio::spawn(worker.run(stop.clone()));
        until("the queue is empty", async || self.left().await == 0).await;
        stop.drain();
        assert_eq!(running.await.expect("no panic"), Ended::Drained);
        signals.counters().counts()
    }

    /// Holds the database against what a portal's load must have made of it, and the queue to be
    /// empty.
    pub async fn assert_holds(&self, expected: &Expected) {
        let verification = verify(&self.manager, expected).await.expect("the database is read");
        assert!(verification.problems.is_empty(), "{:#?}", verification.problems);
        assert_eq!(self.left().await, 0);
    }

    /// All documents of a collection, by `_id`.
    pub async fn documents(&self, collection: &str) -> Vec<Document> {
        let collection = self.manager.database().collection::<Document>(collection);
        let found = collection.find(doc! {}).sort(doc! { "_id": 1 }).await.expect("an answer");
        found.try_collect().await.expect("documents")
    }
}

/// A message without attributes.
pub fn plain(body: &Value) -> Outgoing {
    Outgoing { body: body.to_string(), ..Outgoing::default() }
}

pub fn of_portal(messages: &[PortalMessage]) -> Vec<Outgoing> {
    let attributes = |message: &PortalMessage| {
        message
            .attributes
            .iter()
            .map(|(name, value)| (name.clone(), Attribute::Text(value.clone())))
            .collect()
    };
    messages
        .iter()
        .map(|message| Outgoing {
            body: message.body.clone(),
            attributes: attributes(message),
            ..Outgoing::default()
        })
        .collect()
}
