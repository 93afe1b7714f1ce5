//! The store, by what its answers mean. [`mongo`] is the one real implementation; the simulation
//! has another.

mod collection;
pub mod mongo;

use std::future::Future;

use crate::message::{Insert, Rejection, Update, Write};

pub use collection::{Acknowledgement, Collection, Extent, Index, Keyed, WriteConcern, WriteKind};

/// What helps a user who lacks a right, to stand behind the word "user". It is told from several places, which
/// know nothing of each other.
pub const CURE: &str = "grant it the role readWrite on the database, or the one that `longshore check --print-role` prints";

/// A store that applies writes one by one and says of each what became of it.
pub trait Store: Send + Sync + 'static {
    /// Applies all `writes` to `collection`, in any order, each on its own. No two have one key.
    ///
    /// Safe to repeat: an insert whose id is there already, an update that is not newer and a letter
    /// that has joined change nothing.
    fn write(
        &self,
        collection: &Collection,
        writes: Writes<'_>,
    ) -> impl Future<Output = WriteOutcome> + Send;

    /// Upper bound of the bytes that a write takes in a command, with its share of what is around
    /// it.
    fn command_bytes(write: &Write) -> usize;

    /// Whether `collection` acknowledges a write just now, tried by one that changes nothing. It
    /// tells a store that is away from one that is brought down by the items themselves.
    fn is_well(&self, collection: &Collection) -> impl Future<Output = bool> + Send;
}

/// What one command writes.
#[derive(Debug, Clone)]
pub enum Writes<'a> {
    Inserts(Vec<&'a Insert>),
    Letters(Vec<&'a Insert>),
    Updates(&'a Keyed, Vec<&'a Update>),
}

impl<'a> Writes<'a> {
    /// `None` where one of them is not of this kind: routes and their collection agree in it.
    pub fn of(kind: &'a WriteKind, writes: impl IntoIterator<Item = &'a Write>) -> Option<Self> {
        let writes = writes.into_iter();
        Some(match kind {
            WriteKind::Insert => Self::Inserts(writes.map(Write::insert).collect::<Option<_>>()?),
            WriteKind::Letter => Self::Letters(writes.map(Write::letter).collect::<Option<_>>()?),
            WriteKind::Keyed(keyed) => {
                Self::Updates(keyed, writes.map(Write::update).collect::<Option<_>>()?)
            }
        })
    }

    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Inserts(inserts) | Self::Letters(inserts) => inserts.len(),
            Self::Updates(_, updates) => updates.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The command's name.
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        match self {
            Self::Inserts(_) => "insert",
            Self::Letters(_) | Self::Updates(..) => "update",
        }
    }
}

/// What is known after a write.
#[derive(Debug)]
pub enum WriteOutcome {
    /// The server answered for each write, in their order, at the configured write concern.
    Answered {
        items: Vec<ItemOutcome>,
        /// How many updates changed nothing because the stored version was not older.
        stale: usize,
    },
    /// Nothing is known about any of them: some, all or none may be there.
    Unconfirmed(StoreFault),
}

/// What became of one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemOutcome {
    /// Durable at the configured write concern: written, or not newer than what is there.
    Written,
    /// An insert whose document is there already, durable.
    AlreadyThere,
    /// The item's own fault: it will never be taken as it is.
    Rejected(Rejection),
    /// Refused with a code that may be the item's fault or the server's; retried alone.
    Doubtful(Rejection),
    /// Not known; retried.
    Unconfirmed(String),
}

impl ItemOutcome {
    /// Where an adapter answers for too few.
    #[must_use]
    pub fn no_answer() -> Self {
        Self::Unconfirmed("no answer for this item".to_owned())
    }
}

/// Why nothing is known. The kind decides what to do, the text is for people and holds no
/// credentials.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text}")]
pub struct StoreFault {
    pub kind: StoreFaultKind,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFaultKind {
    /// The connection broke in the middle: it may be this batch that breaks it.
    ConnectionLost,
    /// No server, no primary, a stepdown, an overload, a write concern that was not met.
    Unavailable,
    /// No answer came in time: the server may be at it still.
    NoAnswer,
    /// The server gave the command up because it took too long.
    TimedOut,
    /// The login or TLS failed: nothing will change until someone acts.
    Denied,
    /// This collection alone takes no writes until someone acts: a right on it is missing, or it has
    /// become one that no write may go to.
    Collection,
    /// The command as a whole was refused in a way that one of its writes can cause: halve it. A
    /// single write so refused is [`ItemOutcome::Doubtful`], never this.
    Refused,
}

/// What was in the way of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteTrouble {
    /// See [`StoreFaultKind`], also for the next six.
    ConnectionLost,
    Unavailable,
    NoAnswer,
    TimedOut,
    Denied,
    Collection,
    Refused,
    /// Single items were not confirmed: others were, or the store answered for each.
    Item,
}

impl From<StoreFaultKind> for WriteTrouble {
    fn from(kind: StoreFaultKind) -> Self {
        match kind {
            StoreFaultKind::ConnectionLost => Self::ConnectionLost,
            StoreFaultKind::Unavailable => Self::Unavailable,
            StoreFaultKind::NoAnswer => Self::NoAnswer,
            StoreFaultKind::TimedOut => Self::TimedOut,
            StoreFaultKind::Denied => Self::Denied,
            StoreFaultKind::Collection => Self::Collection,
            StoreFaultKind::Refused => Self::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Key, KnownBy};
    use crate::version::Change;

    #[test]
    fn a_command_has_writes_of_one_kind() {
        let id = Key::Integer(1);
        let change = Change::Partial { fields: Vec::new() };
        let update = Write::Update(Update { key: id.clone(), change });
        let insert = Write::Insert(Insert { id, document: Vec::new(), known_by: KnownBy::Id });
        let two = Writes::of(&WriteKind::Insert, [&insert, &insert]);
        assert_eq!(two.map(|writes| writes.len()), Some(2));
        let mixed = Writes::of(&WriteKind::Insert, [&insert, &update]);
        assert!(mixed.is_none(), "its answers would be taken for those of others");
    }
}
