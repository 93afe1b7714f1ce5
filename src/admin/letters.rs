//! The dead letters that stand in the database, as the page shows them: whoever wrote them, and since
//! whenever. What is shown elsewhere on the page are those of this worker since its start.
//!
//! [`Letters`] is what answers: the database, of which nothing is known here.

use std::time::Duration;

use bson::Document;
use futures_util::future::BoxFuture;

use crate::dead_letter::group::{Alike, Group};
use crate::dead_letter::search::Search;

/// How long an answer may take, all of its calls together. Who answers has its server give up before.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Groups that are looked through for an id that no list has shown lately.
pub const GROUPS_KNOWN_MAX: u32 = 1_000;

/// An answer, or why there is none.
pub type Answer<T> = BoxFuture<'static, Result<T, Trouble>>;

/// Why there is no answer. Texts are for people, and without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The database cannot be asked.
    Unasked(String),
    /// It was at work for as long as it may be: the same question would cost as much again.
    TooLong(String),
    /// Two groups have the id.
    Ambiguous,
}

/// Groups, the one that was added to last first.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    pub groups: Vec<Group>,
    /// Letters of all groups, also of those that are left out here.
    pub letters: u64,
    /// Whether none is left out.
    pub is_all: bool,
}

/// The collection of dead letters, for reading. Each call ends by itself, and may be dropped before that:
/// then nothing goes on for it.
pub trait Letters: Send + Sync {
    /// The groups of what `search` finds, `most` at most.
    fn groups(&self, search: Search, most: u32) -> Answer<Groups>;

    /// What letters of the group with this id have in common, whether they stand or not: `None` where there is no such
    /// group among the [`GROUPS_KNOWN_MAX`] that were added to last.
    fn alike(&self, group: String) -> Answer<Option<Alike>>;

    /// The newest of what `search` finds, `most` at most, without the fields of `without`.
    fn newest(
        &self,
        search: Search,
        most: u32,
        without: &'static [&'static str],
    ) -> Answer<Vec<Document>>;

    /// Those with this id, of the record or of the message, two at most, without the fields of `without`.
    fn with_id(&self, id: String, without: &'static [&'static str]) -> Answer<Vec<Document>>;
}
