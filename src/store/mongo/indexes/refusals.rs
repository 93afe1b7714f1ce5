//! What keeps a worker from writing to a collection, and what to do about it.

use super::contents::Contents;
use super::declared::{default_name, is_on};
use super::report::{IndexReport, Unguarded, Why};
use super::shell::shell;
use crate::store::Index;

impl IndexReport {
    /// Why nothing may be written to this collection as it is. Each says what to do.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        let of_key = || self.unguarded.as_ref().map(|unguarded| self.refusal(unguarded));
        let first = self.unfit().or_else(of_key);
        first.into_iter().chain(self.forbids_ingest.clone()).collect()
    }

    /// Why writes would be lost, doubled or refused for what the collection itself is, whatever its
    /// indexes are. Unlike a missing index, this also holds up a worker that runs already.
    #[must_use]
    pub fn unfit(&self) -> Option<String> {
        let name = &self.collection;
        match self.contents {
            Contents::TimeSeries => Some(format!(
                "{name} is a time-series collection, which can hold one _id twice: write to an ordinary collection"
            )),
            Contents::View => Some(format!("{name} is a view: write to the collection under it")),
            Contents::Capped => Some(format!(
                "{name} is a capped collection, which removes its oldest documents when it is full, so what was written would be lost: write to \
                 an ordinary collection, or make it one while nothing else writes to it: {}, then {}, then `longshore check --create-indexes`",
                shell(name, &format!("aggregate([{{$out: {:?}}}])", format!("{name}_whole"))),
                shell(&format!("{name}_whole"), &format!("renameCollection({name:?}, true)"))
            )),
            Contents::Missing | Contents::Empty | Contents::Filled => self
                .unguarded
                .as_ref()
                .filter(|unguarded| unguarded.why == Why::Folding)
                .map(|unguarded| self.refusal(unguarded)),
        }
    }

    fn refusal(&self, Unguarded { key, why }: &Unguarded) -> String {
        let name = &self.collection;
        match why {
            Why::Building => format!(
                "the unique index on {key} of {name} is being built, and until it is ready one key could be stored twice: wait until `longshore \
                 check` finds it, then start (db.currentOp() shows how far it is)"
            ),
            Why::Folding => format!(
                "{name} has a default collation ({}), by which two values of _id that differ count as one, and _id is the key of its route: \
                 write to a collection without a collation, or give the route another key",
                self.collation.as_deref().unwrap_or_default()
            ),
            Why::Missing => {
                let no_index = format!(
                    "{name} has no unique index on {key}, so one key could be stored twice"
                );
                match self.conflicting.iter().find(|conflict| is_on(&conflict.declared, key)) {
                    Some(conflict) => format!("{no_index}: {}", conflict.text),
                    None => format!(
                        "{no_index}: run `longshore check --create-indexes`, or in mongosh {}",
                        self.create_index(key)
                    ),
                }
            }
        }
    }

    /// What mongosh would be told to make the unique index on the key.
    fn create_index(&self, key: &str) -> String {
        let index = Index { keys: vec![(key.to_owned(), 1)], unique: true, expire_after: None };
        let (name, usual) = (self.free_name(&index), default_name(&index));
        let collation = self.collation.as_ref().map_or("", |_| ", collation: {locale: \"simple\"}");
        let name = if name == usual { String::new() } else { format!(", name: {name:?}") };
        shell(
            &self.collection,
            &format!("createIndex({{{key:?}: 1}}, {{unique: true{collation}{name}}})"),
        )
    }
}
