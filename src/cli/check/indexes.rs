//! The declared indexes of one collection: those that are there, those that are missing, and making
//! these.

use crate::store::mongo::MongoStore;
use crate::store::mongo::indexes::{Contents, IndexReport};
use crate::store::{Collection, Index};

use super::finding::Findings;

pub(super) const CHECK: &str = "indexes";

/// Judges a report. `run_creates`: `run` makes what is missing on a collection without documents.
pub(super) fn check(report: &IndexReport, run_creates: bool, findings: &mut Findings) {
    if !report.contents.is_ordinary() {
        // Of what cannot hold documents only that it cannot.
        report.refusals().into_iter().for_each(|refusal| findings.fail(CHECK, refusal));
        return;
    }
    let name = &report.collection;
    let comes_with_run =
        run_creates && matches!(report.contents, Contents::Missing | Contents::Empty);
    // What a failure says of the index on the key needs no line of its own.
    let on_key = |index: &Index| {
        report.unguarded.as_ref().is_some_and(|unguarded| index.guards(&unguarded.key))
    };
    for conflict in report.conflicting.iter().filter(|conflict| !on_key(&conflict.declared)) {
        let guards = spared(report, &conflict.declared)
            .map_or(String::new(), |guard| format!("; index {guard} guards the key"));
        findings.warn(CHECK, format!("{name}: {}{guards}", conflict.text));
    }
    // The missing index on the key is no trouble where `run` makes it before the first write.
    let is_made = comes_with_run && report.missing.iter().any(&on_key);
    if is_made {
        report.forbids_ingest.iter().for_each(|refusal| findings.fail(CHECK, refusal));
    } else {
        report.refusals().into_iter().for_each(|refusal| findings.fail(CHECK, refusal));
    }
    let shown = |indexes: &[Index]| {
        let shown = indexes
            .iter()
            .filter(|index| is_made || !on_key(index))
            .map(Index::to_string)
            .collect::<Vec<_>>();
        (!shown.is_empty()).then(|| shown.join(", "))
    };
    if let Some(building) = shown(&report.building) {
        findings.warn(
            CHECK,
            format!("{name}: {building} is being built, and of no use before it is ready: wait"),
        );
    }
    let (spare, needed): (Vec<Index>, Vec<Index>) = report
        .missing
        .iter()
        .cloned()
        .partition(|index| !comes_with_run && spared(report, index).is_some());
    for index in &spare {
        let guard = spared(report, index).unwrap_or_default();
        findings.note(
            CHECK,
            format!(
                "{name} lacks {index}, though index {guard} guards the key: nothing needs to be done; `longshore check --create-indexes` makes it"
            ),
        );
    }
    if let Some(missing) = shown(&needed) {
        if comes_with_run {
            findings.ok(CHECK, format!("{name} has no documents: run makes {missing}"));
        } else {
            findings.warn(
                CHECK,
                format!("{name} lacks {missing}: run `longshore check --create-indexes`"),
            );
        }
    } else if spare.is_empty()
        && report.building.is_empty()
        && report.conflicting.is_empty()
        && report.unguarded.is_none()
    {
        findings.ok(CHECK, present(report));
    }
    report.notes.iter().for_each(|note| findings.note(CHECK, note));
}

/// Of the declared index on the key: another one that does the same.
fn spared<'a>(report: &'a IndexReport, index: &Index) -> Option<&'a str> {
    let guard = report.guard.as_ref().filter(|guard| guard.is_used && index.guards(&guard.key));
    guard.map(|guard| guard.index.as_str())
}

fn present(report: &IndexReport) -> String {
    let name = &report.collection;
    let there = match report.present.as_slice() {
        [] => "none declared".to_owned(),
        present => present.iter().map(Index::to_string).collect::<Vec<_>>().join(", "),
    };
    let made = if report.contents == Contents::Missing {
        "; the first write makes the collection"
    } else {
        ""
    };
    format!("{name}: {there}{made}")
}

/// Makes the missing indexes, unless documents stand in the way: those are named. Returns the
/// report of what is there then.
///
/// Takes as long as the collections are large.
pub(super) async fn create(
    store: &MongoStore,
    collection: &Collection,
    report: &IndexReport,
    findings: &mut Findings,
) -> Option<IndexReport> {
    let name = &collection.name;
    if report.missing.is_empty() || !report.contents.is_ordinary() {
        return None;
    }
    let mut failed = |fault: &dyn std::fmt::Display| {
        findings.fail(CHECK, format!("not all of {name} could be made: {fault}"));
    };
    let obstacles = match store.obstacles(collection, report).await {
        Ok(obstacles) => obstacles,
        Err(fault) => {
            failed(&fault);
            return None;
        }
    };
    if !obstacles.is_empty() {
        findings.fail(
            CHECK,
            format!("none of {name} made: fix the documents named next, and run this again"),
        );
        for obstacle in obstacles {
            findings.fail(CHECK, obstacle);
        }
        return None;
    }
    tracing::info!(
        collection = name,
        indexes = report.missing.len(),
        "making indexes: on a large collection this takes a while"
    );
    if let Err(fault) = store.create_indexes(report).await {
        failed(&fault);
    }
    store.indexes(collection).await.ok()
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;
    use crate::store::mongo::indexes::{Conflict, Unguarded, Why};

    fn key() -> Index {
        Index { keys: vec![("session_id".to_owned(), 1)], unique: true, expire_after: None }
    }

    fn other() -> Index {
        Index {
            keys: vec![("user_id".to_owned(), 1), ("timestamp".to_owned(), -1)],
            unique: false,
            expire_after: None,
        }
    }

    fn report(contents: Contents, present: &[Index], missing: &[Index]) -> IndexReport {
        let unguarded = (!present.contains(&key()))
            .then(|| Unguarded { key: "session_id".to_owned(), why: Why::Missing });
        IndexReport {
            collection: "sessions".to_owned(),
            contents,
            uuid: None,
            present: present.to_vec(),
            missing: missing.to_vec(),
            building: Vec::new(),
            conflicting: Vec::new(),
            unguarded,
            forbids_ingest: None,
            notes: Vec::new(),
            guard: None,
            collation: None,
            names: Vec::new(),
        }
    }

    fn found(report: &IndexReport, run_creates: bool) -> Vec<(Status, String)> {
        let mut findings = Findings::default();
        check(report, run_creates, &mut findings);
        findings.of(CHECK).into_iter().map(|(status, text)| (status, text.to_owned())).collect()
    }

    #[test]
    fn what_run_makes_itself_is_fine() {
        for contents in [Contents::Missing, Contents::Empty] {
            let report = report(contents, &[], &[key(), other()]);
            let expected = "sessions has no documents: run makes {session_id: 1} unique, {user_id: 1, timestamp: -1}";
            assert_eq!(found(&report, true), [(Status::Ok, expected.to_owned())]);
            let told: Vec<Status> =
                found(&report, false).into_iter().map(|(status, _)| status).collect();
            assert_eq!(told, [Status::Fail, Status::Warn]);
        }
    }

    #[test]
    fn a_filled_collection_without_its_unique_key_fails_once() {
        let found = found(&report(Contents::Filled, &[], &[key()]), true);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].0 == Status::Fail && found[0].1.contains("longshore check --create-indexes"),
            "{found:?}"
        );
    }

    #[test]
    fn a_missing_query_index_is_a_warning() {
        let found = found(&report(Contents::Filled, &[key()], &[other()]), true);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].0 == Status::Warn && found[0].1.contains("lacks {user_id: 1, timestamp: -1}"),
            "{found:?}"
        );
    }

    #[test]
    fn all_there_is_one_line() {
        let found = found(&report(Contents::Filled, &[key(), other()], &[]), true);
        assert_eq!(
            found,
            [(
                Status::Ok,
                "sessions: {session_id: 1} unique, {user_id: 1, timestamp: -1}".to_owned()
            )]
        );
    }

    #[test]
    fn an_index_that_does_something_else_is_told_also_where_run_makes_indexes() {
        let mut report = report(Contents::Empty, &[], &[]);
        report.conflicting = vec![Conflict {
            declared: key(),
            text: "index session_id_1 is not unique: drop it".to_owned(),
        }];
        let found = found(&report, true);
        assert!(
            found.len() == 1
                && found[0].0 == Status::Fail
                && found[0].1.ends_with("is not unique: drop it"),
            "{found:?}"
        );
        report.unguarded = None;
        assert_eq!(
            self::found(&report, true),
            [(Status::Warn, "sessions: index session_id_1 is not unique: drop it".to_owned())]
        );
    }

    #[test]
    fn an_index_that_is_being_built_is_waited_for_and_not_made() {
        let mut report = report(Contents::Filled, &[key()], &[]);
        report.building = vec![other()];
        let expected = "sessions: {user_id: 1, timestamp: -1} is being built, and of no use before it is ready: wait";
        assert_eq!(found(&report, true), [(Status::Warn, expected.to_owned())]);
        report.present.clear();
        report.building = vec![key()];
        report.unguarded = Some(Unguarded { key: "session_id".to_owned(), why: Why::Building });
        let found = found(&report, true);
        assert!(
            found.len() == 1 && found[0].0 == Status::Fail && found[0].1.contains("is being built"),
            "{found:?}"
        );
    }

    #[test]
    fn what_cannot_hold_documents_fails_with_that_alone() {
        let found = found(&report(Contents::View, &[], &[key(), other()]), true);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == Status::Fail && found[0].1.contains("is a view"), "{found:?}");
    }
}
