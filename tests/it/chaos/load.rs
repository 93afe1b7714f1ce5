//! What is sent while the fault happens, and what must come of it.

use std::collections::{BTreeMap, BTreeSet};

use longshore::dev::portal;
use longshore::message::Reason;
use longshore::queue::Outgoing;
use serde_json::{Value, json};

use crate::support::surroundings::plain;

/// One visit for so many messages of the portal.
const PORTAL_PER_VISIT: usize = 5;

/// The type of events without an id of their own, which nothing but their origin keeps from being
/// stored twice. It is also the name of the collection: see [`super::world`].
pub const VISITS: &str = "visits";

/// Messages in the order of sending.
pub struct Load {
    pub messages: Vec<Outgoing>,
    pub expected: Expected,
}

/// The database at the end.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    pub portal: portal::Expected,
    /// Numbers of visits; each is there once.
    pub visits: BTreeSet<i64>,
    /// Bodies and reasons of dead letters; each is there once.
    pub dead_letters: BTreeMap<String, Reason>,
}

impl Load {
    /// A portal's load of `count` messages (events with ids, session updates in shuffled order with
    /// duplicates, cache entries, seven broken ones) and visits among them. The same seed makes the
    /// same load.
    pub fn new(seed: u64, count: usize) -> Self {
        let portal = portal::load(seed, count);
        let broken = portal::broken().into_iter().map(|(reason, message)| (message.body, reason));
        let mut expected = Expected {
            portal: portal.expected,
            visits: BTreeSet::new(),
            dead_letters: broken.collect(),
        };
        let mut messages = Vec::new();
        for (position, message) in portal.messages.iter().enumerate() {
            messages.push(message.outgoing());
            if position % PORTAL_PER_VISIT == 0 {
                let number = i64::try_from(position).expect("a few");
                messages.push(visit(number));
                expected.visits.insert(number);
            }
        }
        Self { messages, expected }
    }

    /// Spreads messages over the load that must be rejected for this reason. Their bodies must
    /// differ.
    pub fn rejected(&mut self, bodies: impl IntoIterator<Item = Value>, reason: Reason) {
        let bodies: Vec<_> = bodies.into_iter().collect();
        let distance = self.messages.len() / (bodies.len() + 1);
        for (number, body) in bodies.iter().enumerate().rev() {
            self.messages.insert((number + 1) * distance, plain(body));
            assert!(
                self.expected.dead_letters.insert(body.to_string(), reason).is_none(),
                "{body} is there twice"
            );
        }
    }
}

pub fn visit(number: i64) -> Outgoing {
    plain(&json!({ "type": "visit", "number": number }))
}
