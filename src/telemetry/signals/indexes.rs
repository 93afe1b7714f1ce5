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

/// A declared index is not there, or no longer.
pub struct IndexLost<'a> {
    pub collection: &'a str,
    /// As mongosh would be told.
    pub index: &'a str,
    /// The key, where it is the unique index on the key.
    pub key: Option<&'a str>,
    pub state: IndexState,
    /// What is there in its place, and what to do.
    pub conflict: Option<&'a str>,
    /// Why it could not be made.
    pub failure: Option<&'a str>,
    pub remedy: Remedy,
}

impl IndexLost<'_> {
    /// What is missing, what follows, and what is done or to do about it.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { collection, index, .. } = self;
        let what = match self.key {
            Some(key) => format!(
                "{collection} has no unique index on {key}: each update of it may read the whole collection, and other programs can store one key twice"
            ),
            None => format!("{collection} lacks the index {index}"),
        };
        let then = match (self.conflict, self.failure, self.state, self.remedy) {
            (Some(conflict), ..) => conflict.to_owned(),
            (_, _, IndexState::Building, _) => "it is being built".to_owned(),
            (_, Some(cause), ..) => format!(
                "it could not be made ({cause}): `longshore check --create-indexes` names what is in the way"
            ),
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
        if self.key.is_some() {
            tracing::error!(collection = self.collection, index = self.index, "{}", self.text());
        } else {
            tracing::warn!(collection = self.collection, index = self.index, "{}", self.text());
        }
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
    pub cause: &'a str,
    pub again_in: Duration,
}

impl Signal for IndexNotMade<'_> {
    fn remember(&self, recent: &Recent) {
        recent.error("index not made", self.cause);
    }

    fn log(&self) {
        tracing::warn!(
            collection = self.collection,
            index = self.index,
            cause = self.cause,
            again_in = ?self.again_in,
            "index not made, trying again: longshore check --create-indexes names what is in the way"
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
