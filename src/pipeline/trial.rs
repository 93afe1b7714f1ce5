//! What would become of one message, without a queue and a database: what a dry run and `longshore try`
//! say. It takes the very steps of a worker's intake, so that all say the same.

use std::sync::Arc;

use crate::config::Config;
use crate::decode::{Undecoded, decode_within};
use crate::lane::is_past_ttl;
use crate::message::{Key, Origin, QueueMessage, Record, Rejection, Write};
use crate::route::{Routed, Router};
use crate::store::Collection;

use super::intake::beyond;

/// Whether the database's side would send a write to this collection: it rejects what no server takes.
pub type Check = fn(&Collection, &Write) -> Result<(), Rejection>;

/// The stages before the database, under one configuration.
#[derive(Debug)]
pub struct Trial<'a> {
    config: &'a Config,
    /// To the collections.
    router: Router<String>,
    /// What a message may need beyond its share: see [`Shares`](crate::budget::Shares). A worker has
    /// no more for it.
    growth: usize,
    check: Check,
}

/// What would become of a message.
#[derive(Debug)]
pub struct Tried {
    /// The route that it takes, as far as that was found out.
    pub route: Option<Arc<str>>,
    /// Another route, which another name of its type names.
    pub other_route: Option<Arc<str>>,
    /// Who sent it when, where it could be decoded.
    pub origin: Option<Origin>,
    pub outcome: Outcome,
}

#[derive(Debug)]
pub enum Outcome {
    /// The database would be asked for this. It may refuse.
    Write { collection: String, write: Write },
    /// It would be deleted unwritten: it was sent later than the TTL of its collection after its
    /// version.
    Expired { collection: String, key: Key },
    /// It would become a dead letter.
    Rejected(Rejection),
}

impl<'a> Trial<'a> {
    #[must_use]
    pub fn new(config: &'a Config, growth: usize, check: Check) -> Self {
        let router = Router::new(&config.routes, config.message.version_skew_max, str::to_owned);
        Self { config, router, growth, check }
    }

    /// Tries one message. Nothing of its body is copied but what the write is made of.
    #[must_use]
    pub fn of(&self, message: &QueueMessage) -> Tried {
        let own = message.bytes();
        match decode_within(message, &self.config.message, own + self.growth) {
            Ok(record) => self.routed(message, own, &record),
            Err(undecoded) => {
                let outcome = Outcome::Rejected(undecoded.into());
                Tried { route: None, other_route: None, origin: None, outcome }
            }
        }
    }

    fn routed(&self, message: &QueueMessage, own: usize, record: &Record) -> Tried {
        let destination = self.router.destination(record);
        let route = destination.as_ref().ok().map(|destination| Arc::clone(&destination.name));
        let other_route = record.kind.named().and_then(|named| named.other.clone());
        let routed = destination.and_then(|destination| destination.route(record));
        let outcome = routed.map_err(Undecoded::from).and_then(|Routed { lane, write, .. }| {
            beyond(&write, own, self.growth)?;
            let (name, collection) = (lane.clone(), self.config.collections.get(lane));
            let ttl = collection.and_then(|collection| collection.ttl);
            if is_past_ttl(ttl, &write, message.sent_ms) {
                return Ok(Outcome::Expired { collection: name, key: write.into_key() });
            }
            if let Some(collection) = collection {
                (self.check)(collection, &write)?;
            }
            Ok(Outcome::Write { collection: name, write })
        });
        let outcome = outcome.unwrap_or_else(|undecoded| Outcome::Rejected(undecoded.into()));
        Tried { route, other_route, origin: Some(record.origin.clone()), outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::{Sources, load};
    use crate::message::Reason;

    #[test]
    fn what_no_server_takes_would_become_a_dead_letter() {
        let config = load(Sources::default()).expect("the defaults").config;
        let body = r#"{"type":"event","user_id":5,"event_type":"login"}"#.to_owned();
        let message = QueueMessage { body, ..QueueMessage::default() };
        let outcome = |check| Trial::new(&config, 1 << 20, check).of(&message).outcome;
        assert!(matches!(outcome(|_, _| Ok(())), Outcome::Write { .. }));
        let refused = outcome(|_, _| Err(Rejection::new(Reason::TooLarge, "takes too much")));
        let Outcome::Rejected(rejection) = refused else { panic!("{refused:?}") };
        assert_eq!(rejection.reason, Reason::TooLarge);
    }
}
