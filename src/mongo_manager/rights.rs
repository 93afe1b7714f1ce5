//! The rights that Longshore needs on a database, and no more: the one list of them. What a user
//! lacks is told by it, and the role that grants them is made of it.
//!
//! <https://www.mongodb.com/docs/manual/reference/privilege-actions/>

use bson::{Document, doc};

use crate::store::{Collection, WriteKind};

/// Where a user gets them.
pub use crate::store::CURE;

/// On the database itself: which of its collections is a view, or capped.
pub const ON_DATABASE: [&str; 1] = ["listCollections"];

/// Not needed to write: `run` makes indexes by it.
pub const TO_MAKE_INDEXES: &str = "createIndex";

/// Not needed to write: `stats` reads sizes by it, and `check` tries a validator. Where the server refuses
/// `includeBuildUUIDs` of `listIndexes`, each look at indexes asks by it which are being built.
pub const TO_MEASURE: &str = "collStats";

/// Only `dead-letters purge` deletes documents.
const TO_PURGE: &str = "remove";

/// Who the role is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// `run`, `check`, `load` and `stats`.
    Worker,
    /// Those, `check --create-indexes` and all of `dead-letters`.
    Operator,
}

impl Duty {
    /// The name of the role.
    #[must_use]
    pub const fn role(self) -> &'static str {
        match self {
            Self::Worker => "longshore",
            Self::Operator => "longshore_operator",
        }
    }
}

/// What no message can do without.
#[must_use]
pub const fn to_write(kind: &WriteKind) -> &'static [&'static str] {
    match kind {
        WriteKind::Insert => &["insert"],
        WriteKind::Keyed(_) | WriteKind::Letter => &["insert", "update"],
    }
}

/// What a worker does to a collection: finding is for what a conflict met, and of dead letters for
/// the status page; its indexes are looked at once a minute.
#[must_use]
pub const fn to_run(kind: &WriteKind) -> &'static [&'static str] {
    match kind {
        WriteKind::Insert => &["insert", "find", "listIndexes"],
        WriteKind::Keyed(_) | WriteKind::Letter => &["insert", "update", "find", "listIndexes"],
    }
}

/// The command that makes the role. `run_makes_indexes` is `db.create_indexes`.
#[must_use]
pub fn create_role(
    duty: Duty,
    database: &str,
    collections: &[&Collection],
    run_makes_indexes: bool,
) -> Document {
    let on = |collection: &str, actions: Vec<&str>| doc! { "resource": { "db": database, "collection": collection }, "actions": actions };
    let mut privileges = vec![on("", ON_DATABASE.to_vec())];
    for collection in collections {
        let mut actions = to_run(&collection.kind).to_vec();
        let makes_indexes = run_makes_indexes || duty == Duty::Operator;
        if makes_indexes && !collection.indexes.is_empty() {
            actions.push(TO_MAKE_INDEXES);
        }
        actions.push(TO_MEASURE);
        if duty == Duty::Operator && collection.kind == WriteKind::Letter {
            actions.push(TO_PURGE);
        }
        privileges.push(on(&collection.name, actions));
    }
    doc! { "createRole": duty.role(), "privileges": privileges, "roles": [] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn granted(duty: Duty, run_makes_indexes: bool) -> Vec<String> {
        let config = config::defaults();
        let letters = config.dead_letter_collection();
        let collections: Vec<&Collection> = config.collections.values().chain([&letters]).collect();
        let role = create_role(duty, "portal", &collections, run_makes_indexes);
        let privileges = role.get_array("privileges").expect("privileges");
        let shown = |privilege: &bson::Bson| {
            let privilege = privilege.as_document().expect("a privilege");
            let resource = privilege.get_document("resource").expect("a resource");
            assert_eq!(resource.get_str("db").ok(), Some("portal"));
            let actions = privilege.get_array("actions").expect("actions").iter();
            let actions: Vec<_> = actions.filter_map(bson::Bson::as_str).collect();
            format!("{}: {}", resource.get_str("collection").expect("a name"), actions.join(" "))
        };
        privileges.iter().map(shown).collect()
    }

    #[test]
    fn the_worker_may_write_what_its_routes_write_and_delete_nothing() {
        assert_eq!(
            granted(Duty::Worker, true),
            [
                ": listCollections",
                "events: insert find listIndexes createIndex collStats",
                "sessions: insert update find listIndexes createIndex collStats",
                "user_cache: insert update find listIndexes createIndex collStats",
                "dead_letters: insert update find listIndexes createIndex collStats",
            ]
        );
        let without = granted(Duty::Worker, false);
        assert!(without.iter().all(|line| !line.contains("createIndex")), "{without:?}");
    }

    #[test]
    fn an_operator_may_also_make_indexes_and_delete_dead_letters() {
        for run_makes_indexes in [true, false] {
            let operator = granted(Duty::Operator, run_makes_indexes);
            let worker = granted(Duty::Worker, true);
            assert_eq!(operator[..4], worker[..4]);
            assert_eq!(operator[4], format!("{} remove", worker[4]));
        }
    }
}
