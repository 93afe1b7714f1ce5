//! What holds at this moment: set by whoever knows it, read by metrics and the status page.

mod receives;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

pub use self::receives::{Asked, Oldest, OldestAge, Receives};

macro_rules! gauges {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// Values that go up and down.
        #[derive(Debug, Default)]
        pub struct Gauges {
            $($(#[doc = $doc])* pub $name: Gauge,)*
            /// Receives as they are asked and answered.
            pub receives: Receives,
            queue_messages: Mutex<Option<QueueMessages>>,
            indexes_missing: Mutex<BTreeMap<String, IndexesMissing>>,
            flood: Mutex<Option<FloodNow>>,
            new_groups: Mutex<VecDeque<NewGroup>>,
        }

        impl Gauges {
            /// All gauges: name, description, and where the value stands.
            pub(crate) const NAMED: &[(&str, &str, fn(&Self) -> &Gauge)] =
                &[$((stringify!($name), concat!($($doc),*), |gauges| &gauges.$name),)*];
        }
    };
}

gauges! {
    /// 1 while messages are received, 0 while the gate is closed because the database takes no
    /// writes.
    gate_open,
    /// Messages reserved and held, against the most that may be.
    in_flight_messages,
    /// The most messages that may be reserved and held (`in_flight.messages_max`).
    in_flight_messages_max,
    /// Bytes reserved and held, against the most that may be.
    in_flight_bytes,
    /// The most bytes that may be reserved and held (`in_flight.bytes_max`).
    in_flight_bytes_max,
    /// Of the messages reserved and held, those that receives reserve for what they may bring.
    in_flight_messages_reserved,
    /// Of the bytes reserved and held, those that receives reserve for what they may bring.
    in_flight_bytes_reserved,
    /// Receives that are in progress or about to start.
    pollers,
}

/// How many messages the queue has, by its own account, which is approximate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueMessages {
    /// `ApproximateNumberOfMessages`.
    pub visible: u64,
    /// `ApproximateNumberOfMessagesNotVisible`.
    pub in_flight: u64,
    /// `ApproximateNumberOfMessagesDelayed`.
    pub delayed: u64,
    pub asked_at: Timestamp,
}

/// Declared indexes of a collection that are not there, are being built, or are not what was
/// declared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IndexesMissing {
    /// The unique index on the key: 1 or 0.
    pub key: u64,
    pub other: u64,
}

/// A flood: most of the last messages were rejected for one reason, and many are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FloodNow {
    /// The code of the reason.
    pub reason: &'static str,
    /// The route that most of them were for, where they came so far.
    pub route: Option<Arc<str>>,
    pub since: Timestamp,
}

impl FloodNow {
    /// One that begins now.
    #[must_use]
    pub fn new(reason: &'static str, route: Option<Arc<str>>) -> Self {
        Self { reason, route, since: Timestamp::now() }
    }

    /// For which reason, and of which route most of them are.
    #[must_use]
    pub fn text(&self) -> String {
        let of_route = self.route.as_ref().map(|route| format!(", most of them of route {route}"));
        format!("{}{}", self.reason, of_route.unwrap_or_default())
    }
}

/// New groups that are shown: the last ones. A sender can make groups without end.
const NEW_GROUPS_MAX: usize = 100;

/// A group of dead letters that was new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGroup {
    /// Its id, in hex digits.
    pub group: String,
    /// The code of the reason.
    pub reason: &'static str,
    /// When it was found to be new, seconds since the epoch.
    pub at_s: u64,
}

impl Gauges {
    /// A group was new. Of one that was so before, the last time counts.
    pub fn add_new_group(&self, new: NewGroup) {
        let mut groups = self.new_groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.retain(|other| other.group != new.group);
        groups.push_back(new);
        if groups.len() > NEW_GROUPS_MAX {
            groups.pop_front();
        }
    }

    /// The last groups that were new, in that order.
    #[must_use]
    pub fn new_groups(&self) -> Vec<NewGroup> {
        let groups = self.new_groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.iter().cloned().collect()
    }

    pub fn set_flood(&self, flood: Option<FloodNow>) {
        *self.flood.lock().unwrap_or_else(PoisonError::into_inner) = flood;
    }

    /// The flood of rejected messages that goes on.
    #[must_use]
    pub fn flood(&self) -> Option<FloodNow> {
        self.flood.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_indexes_missing(&self, collection: &str, missing: IndexesMissing) {
        self.indexes_missing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(collection.to_owned(), missing);
    }

    /// By collection, as the worker last found it.
    #[must_use]
    pub fn indexes_missing(&self) -> BTreeMap<String, IndexesMissing> {
        self.indexes_missing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_queue_messages(&self, messages: Option<QueueMessages>) {
        *self.queue_messages.lock().unwrap_or_else(PoisonError::into_inner) = messages;
    }

    /// As the queue last said; `None` where it did not answer.
    #[must_use]
    pub fn queue_messages(&self) -> Option<QueueMessages> {
        *self.queue_messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A value that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    pub fn set(&self, value: usize) {
        self.0.store(value as u64, Ordering::Relaxed);
    }

    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
