//! A message for each reason, and what the worker says of it.

use std::time::Duration;

use longshore::config::Config;
use longshore::config::load::{Sources, load};
use longshore::config::shares;
use longshore::message::{Attribute, QueueMessage, Reason, Rejection, Write};
use longshore::pipeline::trial::{Outcome, Trial};
use longshore::queue::MESSAGE_BYTES_MAX;
use longshore::store::mongo::MongoStore;
use longshore::store::mongo::check_write;
use longshore::store::{ItemOutcome, Store, WriteOutcome, Writes};
use mongodb::bson::{Document, doc};
use mongodb::options::IndexOptions;
use mongodb::{Database, IndexModel};

use crate::support::mongod;

/// 2026-11-22T10:00:00Z.
const SENT_MS: i64 = 1_795_341_600_000;

/// A message, and what it is rejected under.
#[derive(Default)]
pub struct Example {
    pub body: String,
    pub attribute: Option<(&'static str, &'static str)>,
    /// Key and value, as `--set` takes them.
    pub setting: Option<(&'static str, &'static str)>,
    /// The body of a message that is written before.
    pub earlier: Option<&'static str>,
    /// The field of a unique index that the collection has beside those that are declared.
    pub unique: Option<&'static str>,
}

impl From<&str> for Example {
    fn from(body: &str) -> Self {
        Self { body: body.to_owned(), ..Self::default() }
    }
}

/// The example of a reason.
pub fn of(reason: Reason) -> Example {
    let deep = "[".repeat(100) + &"]".repeat(100);
    match reason {
        Reason::BadJson => "{'type': 'event', 'user_id': 5}".into(),
        Reason::BadEnvelope => r#"{"Type":"Notification","MessageId":"5fea7756","TopicArn":"arn:aws:sns:eu-west-1:123456789012:portal"}"#.into(),
        Reason::BadEncoding => Example {
            attribute: Some(("content-encoding", "gzip")),
            ..r#"{"type":"event","user_id":5,"event_type":"login"}"#.into()
        },
        Reason::TooLarge => format!(r#"{{"type":"event","user_id":5,"event_type":"login","data":{deep}}}"#).as_str().into(),
        Reason::MissingType => r#"{"user_id":5,"event_type":"login"}"#.into(),
        Reason::UnknownType => r#"{"type":"evnet","user_id":5,"event_type":"login"}"#.into(),
        Reason::SenderDenied => Example {
            setting: Some(("routes.cache.senders", r#"["AROAEXAMPLEPORTALWORKER"]"#)),
            ..r#"{"type":"cache","user_id":5,"data":{}}"#.into()
        },
        Reason::MissingField => r#"{"type":"event","user_id":5}"#.into(),
        Reason::UnknownField => r#"{"type":"session","session_id":"s-1","data":{},"device":"tv"}"#.into(),
        Reason::BadKey => r#"{"type":"cache","user_id":5.0,"data":{}}"#.into(),
        Reason::BadTime => r#"{"type":"session","session_id":"s-1","last_accessed":"yesterday","data":{}}"#.into(),
        Reason::BadName => r#"{"type":"cache","user_id":5,"data":{"$where":"1"}}"#.into(),
        Reason::BadValue => r#"{"type":"event","user_id":12345678901234567890,"event_type":"login"}"#.into(),
        Reason::IdConflict => Example {
            earlier: Some(r#"{"type":"event","id":"e-1","user_id":5,"event_type":"login"}"#),
            ..r#"{"type":"event","id":"e-1","user_id":5,"event_type":"logout"}"#.into()
        },
        Reason::StoreRejected => Example {
            earlier: Some(r#"{"type":"event","user_id":5,"event_type":"order","order":7}"#),
            unique: Some("order"),
            ..r#"{"type":"event","user_id":6,"event_type":"order","order":7}"#.into()
        },
    }
}

impl Example {
    fn config(&self) -> Config {
        let flags =
            self.setting.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        load(Sources { flags: flags.collect(), ..Sources::default() }).expect("valid").config
    }

    /// What the worker says: its stages before the database, or the database itself.
    pub async fn rejection(&self) -> Rejection {
        let config = self.config();
        match tried(&config, &self.message("m-2", &self.body)) {
            Outcome::Rejected(rejection) => rejection,
            Outcome::Write { collection, write } => {
                self.refused(&config, &collection, &write).await
            }
            outcome @ Outcome::Expired { .. } => panic!("{outcome:?}"),
        }
    }

    fn message(&self, id: &str, body: &str) -> QueueMessage {
        let attribute =
            |(name, value): (&str, &str)| (name.to_owned(), Attribute::Text(value.to_owned()));
        QueueMessage {
            message_id: id.to_owned(),
            body: body.to_owned(),
            attributes: self.attribute.map(attribute).into_iter().collect(),
            sent_ms: SENT_MS,
            receive_count: 1,
            ..QueueMessage::default()
        }
    }

    async fn refused(&self, config: &Config, collection: &str, write: &Write) -> Rejection {
        let database = mongod::manager().await.database().clone();
        self.make_index(&database, collection).await;
        let store = MongoStore::new(database, Duration::from_secs(10), Box::new(|| None));
        if let Some(earlier) = self.earlier {
            let Outcome::Write { write, .. } = tried(config, &self.message("m-1", earlier)) else {
                panic!("the earlier message is rejected: {earlier}");
            };
            assert_eq!(written(&store, config, collection, &write).await, ItemOutcome::Written);
        }
        match written(&store, config, collection, write).await {
            ItemOutcome::Rejected(rejection) => rejection,
            outcome => panic!("{}: {outcome:?}", self.body),
        }
    }

    async fn make_index(&self, database: &Database, collection: &str) {
        let Some(field) = self.unique else { return };
        let options = IndexOptions::builder().unique(true).build();
        let index = IndexModel::builder().keys(doc! { field: 1 }).options(options).build();
        database.collection::<Document>(collection).create_index(index).await.expect("an index");
    }
}

fn tried(config: &Config, message: &QueueMessage) -> Outcome {
    Trial::new(config, shares::growth(config, MESSAGE_BYTES_MAX), check_write).of(message).outcome
}

async fn written(store: &MongoStore, config: &Config, name: &str, write: &Write) -> ItemOutcome {
    let collection = &config.collections[name];
    let writes = Writes::of(&collection.kind, [write]).expect("of its kind");
    match store.write(collection, writes).await {
        WriteOutcome::Answered { mut items, .. } => items.pop().expect("one"),
        WriteOutcome::Unconfirmed(fault) => panic!("{fault}"),
    }
}
