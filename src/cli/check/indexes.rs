//! The declared indexes of one collection: those that are there, those that are missing, and making these.

use crate::config::{Collection, Index};
use crate::store::mongo::MongoStore;
use crate::store::mongo::indexes::{Contents, IndexReport};

use super::finding::Findings;

pub(super) const CHECK: &str = "indexes";

/// Judges a report. `run_creates`: `run` makes what is missing on a collection without documents.
pub(super) fn check(report: &IndexReport, run_creates: bool, findings: &mut Findings) {
    let name = &report.collection;
    let is_odd = matches!(report.contents, Contents::TimeSeries | Contents::View);
    let comes_with_run = run_creates && matches!(report.contents, Contents::Missing | Contents::Empty);
    for conflict in &report.conflicting {
        findings.warn(CHECK, format!("{name}: {}", conflict.text));
    }
    // The missing index on the key is no trouble where `run` makes it before the first write.
    let key_is_missing = report.key_unguarded.as_ref().is_some_and(|key| report.missing.iter().any(|index| guards(index, key)));
    if is_odd || !(comes_with_run && key_is_missing) {
        // Of what cannot hold documents only that it cannot.
        let count = if is_odd { 1 } else { usize::MAX };
        report.refusals().into_iter().take(count).for_each(|refusal| findings.fail(CHECK, refusal));
    }
    if is_odd {
        return;
    }
    let reported = report.key_unguarded.as_deref().filter(|_| !comes_with_run);
    let missing: Vec<&Index> = report.missing.iter().filter(|index| !reported.is_some_and(|key| guards(index, key))).collect();
    if !missing.is_empty() {
        let shown = missing.iter().map(|index| shown(index)).collect::<Vec<_>>().join(", ");
        if comes_with_run {
            findings.ok(CHECK, format!("{name} has no documents: run makes {shown}"));
        } else {
            findings.warn(CHECK, format!("{name} lacks {shown}: run `longshore check --create-indexes`"));
        }
    }
    if missing.is_empty() && report.conflicting.is_empty() && report.key_unguarded.is_none() {
        findings.ok(CHECK, present(report));
    }
}

fn present(report: &IndexReport) -> String {
    let name = &report.collection;
    let there = match report.present.as_slice() {
        [] => "none declared".to_owned(),
        present => present.iter().map(shown).collect::<Vec<_>>().join(", "),
    };
    let made = if report.contents == Contents::Missing { "; the first write makes the collection" } else { "" };
    format!("{name}: {there}{made}")
}

/// Makes the missing indexes, unless documents stand in the way: those are named. Returns the report of what is there then.
///
/// Takes as long as the collections are large.
pub(super) async fn create(
    store: &MongoStore,
    collection: &Collection,
    report: &IndexReport,
    findings: &mut Findings,
) -> Option<IndexReport> {
    let name = &collection.name;
    let can_have_any = !matches!(report.contents, Contents::TimeSeries | Contents::View);
    if report.missing.is_empty() || !can_have_any {
        return None;
    }
    let mut failed = |fault: &dyn std::fmt::Display| findings.fail(CHECK, format!("not all of {name} could be made: {fault}"));
    let obstacles = match store.obstacles(report).await {
        Ok(obstacles) => obstacles,
        Err(fault) => {
            failed(&fault);
            return None;
        }
    };
    if !obstacles.is_empty() {
        findings.fail(CHECK, format!("none of {name} made: mend the documents named next, and run this again"));
        for obstacle in obstacles {
            findings.fail(CHECK, obstacle);
        }
        return None;
    }
    tracing::info!(collection = name, indexes = report.missing.len(), "making indexes: on a large collection this takes a while");
    if let Err(fault) = store.create_indexes(report).await {
        failed(&fault);
    }
    store.indexes(collection).await.ok()
}

fn guards(index: &Index, key: &str) -> bool {
    index.unique && matches!(index.keys.as_slice(), [(field, _)] if field == key)
}

/// As mongosh would be told.
fn shown(index: &Index) -> String {
    let keys = index.keys.iter().map(|(field, direction)| format!("{field}: {direction}")).collect::<Vec<_>>().join(", ");
    let unique = if index.unique { " unique" } else { "" };
    let expires = index.expire_after.map_or_else(String::new, |after| format!(" expiring after {} s", after.as_secs()));
    format!("{{{keys}}}{unique}{expires}")
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;
    use crate::store::mongo::indexes::Conflict;

    fn key() -> Index {
        Index { keys: vec![("session_id".to_owned(), 1)], unique: true, expire_after: None }
    }

    fn other() -> Index {
        Index { keys: vec![("user_id".to_owned(), 1), ("timestamp".to_owned(), -1)], unique: false, expire_after: None }
    }

    fn report(contents: Contents, present: &[Index], missing: &[Index]) -> IndexReport {
        let key_unguarded = (!present.contains(&key())).then(|| "session_id".to_owned());
        let (present, missing) = (present.to_vec(), missing.to_vec());
        IndexReport { collection: "sessions".to_owned(), contents, present, missing, conflicting: Vec::new(), key_unguarded }
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
            let told: Vec<Status> = found(&report, false).into_iter().map(|(status, _)| status).collect();
            assert_eq!(told, [Status::Fail, Status::Warn]);
        }
    }

    #[test]
    fn a_filled_collection_without_its_unique_key_fails_once() {
        let found = found(&report(Contents::Filled, &[], &[key()]), true);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == Status::Fail && found[0].1.contains("longshore check --create-indexes"), "{found:?}");
    }

    #[test]
    fn a_missing_query_index_is_a_warning() {
        let found = found(&report(Contents::Filled, &[key()], &[other()]), true);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == Status::Warn && found[0].1.contains("lacks {user_id: 1, timestamp: -1}"), "{found:?}");
    }

    #[test]
    fn all_there_is_one_line() {
        let found = found(&report(Contents::Filled, &[key(), other()], &[]), true);
        assert_eq!(found, [(Status::Ok, "sessions: {session_id: 1} unique, {user_id: 1, timestamp: -1}".to_owned())]);
    }

    #[test]
    fn an_index_that_does_something_else_is_told_also_where_run_makes_indexes() {
        let mut report = report(Contents::Empty, &[], &[]);
        report.conflicting = vec![Conflict { declared: key(), text: "index session_id_1 is not unique: drop it".to_owned() }];
        let told: Vec<Status> = found(&report, true).into_iter().map(|(status, _)| status).collect();
        assert_eq!(told, [Status::Warn, Status::Fail]);
    }

    #[test]
    fn what_cannot_hold_documents_fails_with_that_alone() {
        let found = found(&report(Contents::View, &[], &[key(), other()]), true);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == Status::Fail && found[0].1.contains("is a view"), "{found:?}");
    }
}
