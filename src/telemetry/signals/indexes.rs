//! What became of declared indexes while the worker runs.

use std::time::Duration;

use super::signal::Signal;
use crate::telemetry::recent::Recent;

/// How a declared index is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexState {
    Missing,
    /// It is there once its build has ended.
    Building,
    /// Another one is in its place.
    Conflicting,
}

/// Who makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The worker, now.
    Made,
    /// A person: it was not there when the worker started, and a build over the documents may take
    /// long.
    Asked,
    /// A person, because `db.create_indexes` is false.
    Switched,
}

/// What a declared index is to the key of its collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role<'a> {
    /// The unique index on this key, and no other guards it.
    Guard(&'a str),
    /// The same, but there is one that guards and is hidden: no update finds its document by it.
    Hidden(&'a str),
    /// The unique index on the key, which the one of this name guards as well.
    Spare(&'a str),
    /// It is on something else.
    Other,
}

impl Role<'_> {
    /// Whether updates of the key are slow without it.
    #[must_use]
    pub const fn is_on_key(self) -> bool {
        matches!(self, Self::Guard(_) | Self::Hidden(_))
    }
}

/// Why an index could not be made.
#[derive(Debug, Clone, Copy)]
pub struct Failure<'a> {
    pub cause: &'a str,
    /// Documents or another index are in the way.
    pub is_obstructed: bool,
}

impl Failure<'_> {
    /// What to do, if there is anything.
    const fn advice(self) -> &'static str {
        if self.is_obstructed {
            "`longshore check --create-indexes` names what is in the way"
        } else {
            "the worker tries again"
        }
    }
}

/// A declared index is not there, or no longer.
pub struct IndexLost<'a> {
    pub collection: &'a str,
    /// As mongosh would be told.
    pub index: &'a str,
    pub role: Role<'a>,
    pub state: IndexState,
    /// What is there in its place, and what to do.
    pub conflict: Option<&'a str>,
    pub failure: Option<Failure<'a>>,
    pub remedy: Remedy,
}

impl IndexLost<'_> {
    /// What is missing, what follows, and what is done or to do about it.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { collection, index, .. } = self;
        let what = match self.role {
            Role::Guard(key) => format!(
                "{collection} has no unique index on {key}: each update of it may read the whole collection, and other programs can store one key twice"
            ),
            Role::Hidden(key) => format!(
                "{collection} has only a hidden unique index on {key}: each update of it may read the whole collection"
            ),
            Role::Spare(guard) => {
                format!("{collection} lacks the index {index}, though index {guard} guards the key")
            }
            Role::Other => format!("{collection} lacks the index {index}"),
        };
        let then = match (self.conflict, self.failure, self.state, self.remedy) {
            (Some(conflict), ..) => conflict.to_owned(),
            (_, _, IndexState::Building, _) => "it is being built".to_owned(),
            (_, Some(failure), ..) => {
                format!("it could not be made ({}): {}", failure.cause, failure.advice())
            }
            (.., Remedy::Made) => "the worker makes it".to_owned(),
            (.., Remedy::Asked) => {
                "run `longshore check --create-indexes`: it was not there at the start".to_owned()
            }
            (.., Remedy::Switched) => {
                "run `longshore check --create-indexes`: db.create_indexes is false".to_owned()
            }
        };
        format!("{what}; {then}")
    }
}

impl Signal for IndexLost<'_> {
    fn log(&self) {
        if self.role.is_on_key() {
            tracing::error!(collection = self.collection, index = self.index, "{}", self.text());
        } else {
            tracing::warn!(collection = self.collection, index = self.index, "{}", self.text());
        }
    }
}

/// A collection has become something that no write may go to.
pub struct CollectionUnfit<'a> {
    pub collection: &'a str,
    /// What it is, and what to do.
    pub why: &'a str,
}

impl CollectionUnfit<'_> {
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{}; until it is an ordinary collection again nothing is written to it, and its messages wait in the queue",
            self.why
        )
    }
}

impl Signal for CollectionUnfit<'_> {
    fn remember(&self, recent: &Recent) {
        recent.error("collection unfit", self.why);
        recent.collection_unfit(self.collection, self.why);
    }

    fn log(&self) {
        tracing::error!(collection = self.collection, "{}", self.text());
    }
}

/// It is an ordinary collection again.
pub struct CollectionFit<'a> {
    pub collection: &'a str,
}

impl Signal for CollectionFit<'_> {
    fn remember(&self, recent: &Recent) {
        recent.collection_fit(self.collection);
    }

    fn log(&self) {
        tracing::info!(collection = self.collection, "the collection takes writes again");
    }
}

/// A declared index that was not there is there.
pub struct IndexFound<'a> {
    pub collection: &'a str,
    pub index: &'a str,
}

impl Signal for IndexFound<'_> {
    fn log(&self) {
        tracing::info!(collection = self.collection, index = self.index, "index is there now");
    }
}

/// The worker has made an index.
pub struct IndexMade<'a> {
    pub collection: &'a str,
    pub index: &'a str,
    pub took: Duration,
}

impl Signal for IndexMade<'_> {
    fn log(&self) {
        tracing::info!(collection = self.collection, index = self.index, took = ?self.took, "index made");
    }
}

/// An index could not be made.
pub struct IndexNotMade<'a> {
    pub collection: &'a str,
    pub index: &'a str,
    pub failure: Failure<'a>,
    pub again_in: Duration,
}

impl Signal for IndexNotMade<'_> {
    fn remember(&self, recent: &Recent) {
        recent.error("index not made", self.failure.cause);
    }

    fn log(&self) {
        tracing::warn!(
            collection = self.collection,
            index = self.index,
            cause = self.failure.cause,
            again_in = ?self.again_in,
            "index not made: {}",
            self.failure.advice(),
        );
    }
}

/// The indexes of a collection cannot be asked for.
pub struct IndexesNotRead<'a> {
    pub collection: &'a str,
    pub cause: &'a str,
}

impl Signal for IndexesNotRead<'_> {
    fn remember(&self, recent: &Recent) {
        recent.error("indexes not read", self.cause);
    }

    fn log(&self) {
        tracing::warn!(
            collection = self.collection,
            cause = self.cause,
            "the indexes cannot be read, trying again"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_of_what_is_in_the_way_it_is_said_that_something_is() {
        let text = |cause, is_obstructed| {
            let lost = IndexLost {
                collection: "sessions",
                index: "{session_id: 1} unique",
                role: Role::Guard("session_id"),
                state: IndexState::Missing,
                conflict: None,
                failure: Some(Failure { cause, is_obstructed }),
                remedy: Remedy::Made,
            };
            lost.text()
        };
        assert!(text("11000 (DuplicateKey)", true).contains("in the way"));
        assert!(text("11601 (Interrupted)", false).ends_with("the worker tries again"));
    }
}
