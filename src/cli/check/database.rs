//! The database: that it answers, what it is, and that writes are acknowledged as the configuration
//! asks.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use crate::config::{Config, DbConfig};
use crate::dead_letter::{self, DeadLettersConfig};
use crate::mongo_manager::{MongoManager, MongoManagerError, ServerFacts, Topology};
use crate::queue::sqs::Credentials;
use crate::store::mongo::MongoStore;
use crate::store::mongo::indexes::IndexReport;
use crate::store::{Acknowledgement, CURE, Collection, WriteConcern, WriteKind};
use crate::store::{StoreFault, StoreFaultKind};

use super::bound::SERVER_MAX;
use super::finding::Findings;
use super::indexes;
use super::rights;

const CHECK: &str = "database";

/// The oldest release that takes update pipelines and errors as the store writes and reads them.
const RELEASE_MIN: (u32, u32) = (4, 4);

/// The longest search for a server, so that its failure is told before all time is up.
const SELECTION_MAX: Duration = Duration::from_secs(10);

pub(super) async fn check(
    config: &Config,
    credentials: &Credentials,
    create_indexes: bool,
) -> Findings {
    let mut findings = Findings::default();
    let dead_letters = config.dead_letter_collection();
    let collections: Vec<&Collection> =
        config.collections.values().chain([&dead_letters]).collect();
    let asked = ask(config, credentials, &collections, &mut findings);
    let Ok(asked) = timeout(SERVER_MAX, asked).await else {
        findings.fail(
            CHECK,
            format!(
                "not all was answered within {} s: check the network and the load of the server",
                SERVER_MAX.as_secs()
            ),
        );
        return findings;
    };
    if let Some((store, reports)) = asked {
        for (collection, mut report) in collections.into_iter().zip(reports) {
            if create_indexes
                && let Some(after) =
                    indexes::create(&store, collection, &report, &mut findings).await
            {
                report = after;
            }
            indexes::check(&report, config.db.create_indexes, &mut findings);
        }
    }
    findings
}

/// Everything that takes a bounded time. Returns the state of the indexes, or nothing where that
/// could not be asked.
async fn ask(
    config: &Config,
    credentials: &Credentials,
    collections: &[&Collection],
    findings: &mut Findings,
) -> Option<(MongoStore, Vec<IndexReport>)> {
    let db = DbConfig {
        server_selection_timeout: config.db.server_selection_timeout.min(SELECTION_MAX),
        ..config.db.clone()
    };
    let manager = match MongoManager::connect_with(&db, credentials.provider()).await {
        Ok(manager) => manager,
        Err(error) => {
            findings.fail(CHECK, error.to_string());
            return None;
        }
    };
    connection(&manager, findings);
    pool(manager.pool_size_max(), config.db.connections, findings);
    match manager.facts().await {
        Ok(facts) => server(&facts, manager.database().name(), findings),
        Err(error) => findings.fail(CHECK, error.to_string()),
    }
    if let Err(error @ MongoManagerError::NoLogin { .. }) =
        manager.has_collection(&config.dead_letters.collection).await
    {
        findings.fail(CHECK, error.to_string());
        return None;
    }
    match manager.privileges().await {
        Ok(granted) => rights::check(&granted, collections, config.db.create_indexes, findings),
        Err(error) => findings.fail(CHECK, error.to_string()),
    }
    let store =
        MongoStore::new(manager.database().clone(), db.server_selection_timeout, Box::new(|| None));
    let mut looked = Vec::with_capacity(collections.len());
    for collection in collections {
        looked.push((*collection, store.indexes(collection).await));
    }
    // A view refuses every write: that says nothing of the write concern.
    let fit: Vec<&Collection> = looked
        .iter()
        .filter(|(_, looked)| looked.as_ref().map_or(true, |report| report.contents.is_ordinary()))
        .map(|(collection, _)| *collection)
        .collect();
    // All at once: each may take seconds where members are down.
    let tried = one_for_each_write_concern(&fit)
        .into_iter()
        .map(async |collection| (collection, store.probe(collection).await));
    for (collection, answer) in join_all(tried).await {
        write_concern(collection, answer, findings);
    }
    dead_letters(&store, &config.dead_letters, findings).await;
    let mut reports = Vec::with_capacity(collections.len());
    for (collection, looked) in looked {
        match looked {
            Ok(report) => reports.push(report),
            Err(fault) => {
                findings.fail(
                    indexes::CHECK,
                    format!("those of {} cannot be read: {fault}", collection.name),
                );
                return None;
            }
        }
    }
    Some((store, reports))
}

/// What cannot be kept stays in the queue, and is received again and again.
async fn dead_letters(store: &MongoStore, letters: &DeadLettersConfig, findings: &mut Findings) {
    const CHECK: &str = "dead letters";
    let name = &letters.collection;
    if letters.ttl.is_none() {
        findings.warn(
            CHECK,
            format!(
                "{name} keeps people's data until somebody deletes it: set dead_letters.ttl, for example to \"90d\""
            ),
        );
    }
    for letter in dead_letter::samples() {
        match store.refuses(name, &letter.document).await {
            Ok(false) => {}
            Ok(true) => {
                return findings.fail(
                    CHECK,
                    format!(
                        "{name} has a validator that refuses a dead letter as the worker writes it, so that rejected messages could not be kept \
                         and would stay in the queue: let it take what has a reason and a body, with null in route and server_code, or remove it: \
                         db.runCommand({{collMod: {name:?}, validator: {{}}}})"
                    ),
                );
            }
            Err(fault) => {
                return findings.note(
                    CHECK,
                    format!("whether {name} would take one could not be tried: {fault}"),
                );
            }
        }
    }
}

fn connection(manager: &MongoManager, findings: &mut Findings) {
    const CHECK: &str = "database connection";
    let transport = manager.transport();
    let said = match manager.aws_login() {
        Some(login) => format!("{transport}; {login}"),
        None => transport.to_string(),
    };
    if transport.is_weak() {
        findings.warn(CHECK, said);
    } else {
        findings.ok(CHECK, said);
    }
}

/// Without an option there is room for all.
fn pool(size_max: Option<u32>, used_max: usize, findings: &mut Findings) {
    if let Some(size_max) = size_max
        && (size_max as usize) < used_max
    {
        findings.note(
            "database connection",
            format!(
                "maxPoolSize is {size_max}, and a worker may use {used_max} connections at once: some writes, and the probes that tell how the \
                 database is, wait for one. Leave it out, or raise it"
            ),
        );
    }
}

fn server(facts: &ServerFacts, database: &str, findings: &mut Findings) {
    let is = match &facts.topology {
        Topology::Standalone => "one server without a replica set".to_owned(),
        Topology::ReplicaSet { name, members } => {
            format!("replica set {name}, {members} data-bearing")
        }
        Topology::Sharded => "a sharded cluster".to_owned(),
    };
    let text = format!("{database} on MongoDB {}, {is}", facts.version);
    if facts.release < RELEASE_MIN {
        findings.fail(
            CHECK,
            format!("{text}: Longshore needs {}.{} or later", RELEASE_MIN.0, RELEASE_MIN.1),
        );
    } else if facts.topology == Topology::Standalone {
        findings.warn(
            CHECK,
            format!(
                "{text}: what its disk loses is lost, acknowledged or not; make it a replica set"
            ),
        );
    } else {
        findings.ok(CHECK, text);
    }
}

/// The first collection with each write concern; keyed ones first, because the probe is an update
/// and a user may be allowed to insert only where the worker inserts only.
fn one_for_each_write_concern<'a>(collections: &[&'a Collection]) -> Vec<&'a Collection> {
    let mut chosen: Vec<&Collection> = Vec::new();
    let (inserts, keyed): (Vec<&Collection>, Vec<&Collection>) =
        collections.iter().partition(|collection| collection.kind == WriteKind::Insert);
    for collection in keyed.into_iter().chain(inserts) {
        if !chosen.iter().any(|other| other.write_concern == collection.write_concern) {
            chosen.push(collection);
        }
    }
    chosen
}

fn write_concern(collection: &Collection, answer: Result<(), StoreFault>, findings: &mut Findings) {
    const CHECK: &str = "write concern";
    let (asked, name) = (shown(&collection.write_concern), &collection.name);
    match answer {
        Ok(()) => findings.ok(CHECK, format!("{asked}: acknowledged by a write to {name} that changed nothing")),
        Err(fault) if matches!(fault.kind, StoreFaultKind::Denied | StoreFaultKind::Collection) => {
            findings.fail(CHECK, format!("{asked}: {fault}; where the user may not, {CURE}"));
        }
        Err(fault) => findings.fail(
            CHECK,
            format!("{asked}: {fault}; check that enough members are up, or ask for fewer with db.write_concern.w, or for the route"),
        ),
    }
}

fn shown(concern: &WriteConcern) -> String {
    let w = match &concern.w {
        Acknowledgement::Majority => "majority".to_owned(),
        Acknowledgement::Members(members) => members.to_string(),
        Acknowledgement::Tag(tag) => format!("{tag:?}"),
    };
    format!("w {w}{}", if concern.journal { ", journalled" } else { ", not journalled" })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;
    use crate::config;

    fn found(version: &str, release: (u32, u32), topology: Topology) -> Status {
        let mut findings = Findings::default();
        server(
            &ServerFacts { version: version.to_owned(), release, topology },
            "portal",
            &mut findings,
        );
        findings.of(CHECK)[0].0
    }

    #[test]
    fn a_lone_server_is_a_warning_and_an_old_one_a_failure() {
        let set = Topology::ReplicaSet { name: "rs0".to_owned(), members: 3 };
        assert_eq!(found("6.0.5", (6, 0), set.clone()), Status::Ok);
        assert_eq!(found("4.4.0", (4, 4), Topology::Sharded), Status::Ok);
        assert_eq!(found("6.0.5", (6, 0), Topology::Standalone), Status::Warn);
        assert_eq!(found("4.2.24", (4, 2), set), Status::Fail);
    }

    #[test]
    fn each_write_concern_is_tried_once_and_on_a_keyed_collection_where_there_is_one() {
        let config = config::defaults();
        let mut odd = config.collections["events"].clone();
        odd.write_concern.w = Acknowledgement::Members(1);
        let dead_letters = config.dead_letter_collection();
        let all: Vec<&Collection> =
            [&dead_letters].into_iter().chain(config.collections.values()).chain([&odd]).collect();
        let chosen = one_for_each_write_concern(&all);
        assert_eq!(chosen.len(), 2);
        assert!(chosen[0].kind != WriteKind::Insert);
        assert_eq!(chosen[1].write_concern.w, Acknowledgement::Members(1));
    }
}
