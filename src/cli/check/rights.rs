//! What the user of the database may do: held against what Longshore needs, and the role that has
//! just that.

use bson::{Bson, Document};
use clap::ValueEnum;
use serde_json::Value;

use crate::cli::output;
use crate::config::Config;
use crate::mongo_manager::rights::{CURE, Duty, TO_MAKE_INDEXES, TO_MEASURE, create_role};
use crate::mongo_manager::{MongoManagerError, Privileges, database_name};
use crate::store::Collection;

use super::finding::Findings;

const CHECK: &str = "privileges";

/// Who a role is printed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Role {
    /// run, check, load and stats
    Worker,
    /// Those, check --create-indexes and all of dead-letters
    Operator,
}

pub(super) fn check(
    granted: &Privileges,
    collections: &[&Collection],
    run_makes_indexes: bool,
    findings: &mut Findings,
) {
    let mut lacks: Vec<String> = granted.lack_of_database().into_iter().collect();
    lacks.extend(collections.iter().filter_map(|collection| granted.lack(collection)));
    let may =
        |collection: &Collection, action| granted.missing(&collection.name, &[action]).is_empty();
    let (mut warnings, mut notes) = (Vec::new(), Vec::new());
    for collection in collections {
        let name = &collection.name;
        // Nothing that is written needs it.
        let makes_indexes = run_makes_indexes && !collection.indexes.is_empty();
        if makes_indexes && !may(collection, TO_MAKE_INDEXES) {
            warnings.push(format!(
                "{name}: the user may not {TO_MAKE_INDEXES}, so that run cannot make an index that is missing or is dropped; {CURE}, or set \
                 db.create_indexes to false"
            ));
        }
        if !may(collection, TO_MEASURE) {
            notes.push(format!(
                "{name}: the user may not {TO_MEASURE}, which `longshore stats` needs, and this check where the collection has a validator; where the \
                 server refuses includeBuildUUIDs of listIndexes, run and load need it too"
            ));
        }
    }
    if granted.are_listed() && lacks.is_empty() && warnings.is_empty() {
        findings.ok(CHECK, "the user may do all that a worker does");
    }
    for lack in lacks {
        findings.fail(CHECK, lack);
    }
    for warning in warnings {
        findings.warn(CHECK, warning);
    }
    for note in notes {
        findings.note(CHECK, note);
    }
}

/// Prints the role, as a script for mongosh or as the command in one line of JSON.
///
/// # Errors
/// Where the connection string names no database.
pub(super) fn print(config: &Config, role: Role, is_json: bool) -> Result<(), MongoManagerError> {
    let database = database_name(&config.db)?;
    let dead_letters = config.dead_letter_collection();
    let collections: Vec<&Collection> =
        config.collections.values().chain([&dead_letters]).collect();
    let duty = match role {
        Role::Worker => Duty::Worker,
        Role::Operator => Duty::Operator,
    };
    let command = create_role(duty, &database, &collections, config.db.create_indexes);
    if is_json {
        output::print(&json(&command).to_string());
    } else {
        output::print(&script(duty, &database, &command));
    }
    Ok(())
}

/// Names come from the configuration: as JSON they are no code.
fn script(duty: Duty, database: &str, command: &Document) -> String {
    let (database, role) = (Value::from(database), Value::from(duty.role()));
    let commands = match duty {
        Duty::Worker => "run, check, load and stats",
        Duty::Operator => "run, check, load, stats, check --create-indexes and dead-letters",
    };
    let privileges = command.get_array("privileges").map(Vec::as_slice).unwrap_or_default();
    let lines: Vec<String> = privileges
        .iter()
        .map(|privilege| format!("    {}", privilege.clone().into_relaxed_extjson()))
        .collect();
    let lines = lines.join(",\n");
    format!(
        "// What longshore {commands} need on this database, with the routes of this configuration. An administrator runs it in mongosh;\n\
         // where the role is there already, updateRole({role}, {{ ... }}) takes the same privileges.\n\
         db.getSiblingDB({database}).createRole({{\n  \"role\": {role},\n  \"privileges\": [\n{lines}\n  ],\n  \"roles\": []\n}})\n\
         // Then it is granted to the user of the connection string, here to one of the database admin:\n\
         // db.getSiblingDB(\"admin\").grantRolesToUser(\"USER\", [{{ \"role\": {role}, \"db\": {database} }}])"
    )
}

fn json(command: &Document) -> Value {
    Bson::Document(command.clone()).into_relaxed_extjson()
}
