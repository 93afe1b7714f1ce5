//! That the simulated store does what MongoDB does: what the worlds show is worth no more than
//! this.

use longshore::bson::element;
use longshore::message::{Insert, KnownBy, Reason};
use longshore::time::Time;

use super::*;
use crate::simulation::dice::Dice;
use crate::simulation::history::History;
use crate::simulation::plan::Plan;

fn store(only: Option<Fault>) -> Store {
    let mut plan = Plan::draw(&Dice::new(1));
    plan.set_rates(only);
    Store::new(Arc::new(Conditions::new(Dice::new(2), History::new(true), plan)))
}

fn insert(id: &str, content: &[u8]) -> Write {
    Write::Insert(Insert {
        id: Key::Text(id.to_owned()),
        document: content.to_vec(),
        known_by: content.first().map_or(KnownBy::Id, |byte| KnownBy::Hash([*byte; 16])),
    })
}

fn fields(name: &str, value: i32) -> Fields {
    let mut fields = Fields::default();
    fields.push(name, element::INT32, &value.to_le_bytes());
    fields
}

fn version(time_ms: i64, origin_id: &str) -> Version {
    let (time, origin_id) = (Time::from_millis(time_ms), origin_id.as_bytes().into());
    Version {
        time,
        origin_time: Time::from_millis(0),
        sequence: 0,
        place: 0,
        origin_id,
        content_hash: [0; 8],
    }
}

fn whole(time_ms: i64, origin_id: &str, value: i32) -> Write {
    let change = Change::Whole { version: version(time_ms, origin_id), fields: fields("n", value) };
    Write::Update(Update { key: Key::Text("k".to_owned()), change })
}

fn partial(time_ms: i64, names: &[&str], value: i32) -> Write {
    let fields = names
        .iter()
        .map(|name| ((*name).to_owned(), version(time_ms, "o"), fields(name, value)))
        .collect();
    Write::Update(Update { key: Key::Text("k".to_owned()), change: Change::Partial { fields } })
}

/// Applies and acknowledges.
fn write(store: &Store, writes: &[Write]) -> WriteOutcome {
    store.acknowledge(store.apply("c", writes, || true))
}

fn items(outcome: WriteOutcome) -> (Vec<ItemOutcome>, usize) {
    match outcome {
        WriteOutcome::Answered { items, stale } => (items, stale),
        WriteOutcome::Unconfirmed(fault) => panic!("unconfirmed: {fault}"),
    }
}

fn stored(store: &Store) -> Option<Document> {
    store.durable(&("c".to_owned(), Key::Text("k".to_owned())))
}

#[test]
fn an_insert_is_there_once_and_another_document_under_its_id_is_rejected() {
    let store = store(None);
    assert_eq!(items(write(&store, &[insert("a", b"1")])).0, [ItemOutcome::Written]);
    let (again, _) =
        items(write(&store, &[insert("a", b"1"), insert("a", b"2"), insert("b", b"2")]));
    assert_eq!((&again[0], &again[2]), (&ItemOutcome::AlreadyThere, &ItemOutcome::Written));
    assert!(
        matches!(&again[1], ItemOutcome::Rejected(rejection) if rejection.reason == Reason::IdConflict),
        "{again:?}"
    );
    assert_eq!(store.durable_of("c").len(), 2);
}

#[test]
fn an_update_that_is_not_newer_changes_nothing_and_counts_as_stale() {
    let store = store(None);
    write(&store, &[whole(5, "m9", 1)]);
    for older in [whole(4, "m9", 2), whole(5, "m9", 3), whole(5, "m8", 4), whole(5, "z", 5)] {
        assert_eq!(items(write(&store, &[older])), (vec![ItemOutcome::Written], 1));
    }
    assert_eq!(
        stored(&store),
        Some(Document::Whole { version: version(5, "m9"), fields: fields("n", 1) })
    );
    // A longer id is the greater one, whatever its bytes.
    assert_eq!(items(write(&store, &[whole(5, "m10", 6)])).1, 0);
}

#[test]
fn a_partial_update_is_decided_field_by_field() {
    let store = store(None);
    write(&store, &[partial(5, &["a", "b"], 1)]);
    assert_eq!(items(write(&store, &[partial(4, &["b", "c"], 2)])).1, 0);
    let Some(Document::Partial(document)) = stored(&store) else { panic!("a partial document") };
    let times: Vec<_> = document
        .iter()
        .map(|(name, (version, _))| (name.as_str(), version.time.millis()))
        .collect();
    assert_eq!(times, [("a", 5), ("b", 5), ("c", 4)]);
}

#[test]
fn a_stepdown_takes_back_what_was_not_acknowledged_and_nothing_else() {
    let store = store(None);
    write(&store, &[whole(1, "o", 1)]);
    let applied = store.apply("c", &[whole(2, "o", 2), insert("a", b"1")], || true);
    assert_eq!(
        stored(&store),
        Some(Document::Whole { version: version(1, "o"), fields: fields("n", 1) }),
        "not durable yet"
    );
    assert_eq!(store.documents().len(), 2);
    store.step_down();
    assert!(
        matches!(store.acknowledge(applied), WriteOutcome::Unconfirmed(_)),
        "its primary is gone"
    );
    assert_eq!(store.documents().len(), 1);
    // A later acknowledgement makes all durable that was applied before it.
    let unheard = store.apply("c", &[whole(3, "o", 3)], || true);
    drop(unheard);
    write(&store, &[insert("b", b"1")]);
    store.step_down();
    assert_eq!(
        stored(&store),
        Some(Document::Whole { version: version(3, "o"), fields: fields("n", 3) })
    );
}

#[test]
fn half_a_command_may_be_applied() {
    let (store, mut turn) = (store(None), 0);
    let writes: Vec<_> = ["a", "b", "c", "d"].into_iter().map(|id| insert(id, b"1")).collect();
    store.apply("c", &writes, || {
        turn += 1;
        turn % 2 == 0
    });
    assert_eq!(store.documents().len(), 2);
}

#[test]
fn marked_items_are_refused_in_their_ways_and_their_neighbours_are_not() {
    let marked = |mark: Mark| insert("bad", mark.text().as_bytes());
    let good = || insert("good", b"1");
    for mark in [Mark::Refused, Mark::ReplyTooLarge] {
        let (outcomes, _) = items(write(&store(None), &[marked(mark)]));
        assert!(matches!(&outcomes[0], ItemOutcome::Rejected(_)), "{outcomes:?}");
    }
    for mark in [Mark::UnknownCode, Mark::CommandRefused] {
        let (outcomes, _) = items(write(&store(None), &[marked(mark)]));
        assert!(matches!(&outcomes[0], ItemOutcome::Doubtful(_)), "{outcomes:?}");
    }
    let kind = |store: &Store, mark| match write(store, &[good(), marked(mark)]) {
        WriteOutcome::Unconfirmed(fault) => Some(fault.kind),
        WriteOutcome::Answered { .. } => None,
    };
    let refused = store(None);
    assert_eq!(kind(&refused, Mark::CommandRefused), Some(StoreFaultKind::Refused));
    assert!(refused.documents().is_empty(), "a command that is refused whole does nothing");
    let broken = store(None);
    assert_eq!(kind(&broken, Mark::ReplyTooLarge), Some(StoreFaultKind::ConnectionLost));
    assert_eq!(
        broken.documents().len(),
        1,
        "a connection that breaks under the reply does not undo the neighbour"
    );
    let mixed = store(None);
    assert_eq!(kind(&mixed, Mark::Refused), None);
    assert_eq!(mixed.documents().len(), 1);
}

#[test]
fn a_good_item_is_doubted_once_at_most() {
    let store = store(Some(Fault::ItemDoubted));
    let (first, _) = items(write(&store, &[insert("a", b"1")]));
    assert!(matches!(&first[0], ItemOutcome::Doubtful(_)));
    assert_eq!(items(write(&store, &[insert("a", b"1")])).0, [ItemOutcome::Written]);
}

fn at(collection: &str) -> Name {
    (collection.to_owned(), Key::Text("k".to_owned()))
}

/// A field that is a document with the number `n`.
fn numbered(name: &str, n: i32) -> Fields {
    let inner = bson::serialize_to_vec(&bson::doc! { "n": n }).expect("BSON");
    let mut fields = Fields::default();
    fields.push(name, element::DOCUMENT, &inner);
    fields
}

#[test]
fn what_another_program_wrote_counts_as_its_date_and_keeps_the_version_below() {
    let store = store(None);
    let year = |year: i64| 1_600_000_000_000 + (year - 2020) * 31_557_600_000;
    write(&store, &[whole(year(2025), "m", 1)]);
    store.they_write(&at("c"), Theirs { at_ms: year(2027), number: 7 });
    assert_eq!(items(write(&store, &[whole(year(2026), "m", 2)])).1, 1, "older than theirs");
    store.they_write(&at("c"), Theirs { at_ms: year(2612), number: 8 });
    assert_eq!(items(write(&store, &[whole(year(2024), "m", 3)])).1, 1, "older than ours below");
    assert_eq!(
        items(write(&store, &[whole(year(2026), "m", 4)])).1,
        0,
        "a date beyond all versions counts as oldest"
    );
    store.they_make_anew(&at("c"), Theirs { at_ms: year(2021), number: 9 });
    assert_eq!(
        items(write(&store, &[whole(year(2022), "m", 5)])).1,
        0,
        "nothing of ours is left in a document made anew"
    );
}

#[test]
fn what_another_program_did_is_not_taken_back_by_a_stepdown() {
    let store = store(None);
    store.apply("c", &[whole(1, "o", 1)], || true);
    assert!(store.they_delete(&at("c")) && !store.they_delete(&at("c")));
    store.step_down();
    assert_eq!(stored(&store), None);
    write(&store, &[whole(2, "o", 2)]);
    assert!(store.they_rename(&at("c"), "gone"));
    assert_eq!((stored(&store), store.documents().len()), (None, 1));
}

#[test]
fn a_ttl_index_removes_what_is_old_enough_whoever_wrote_it() {
    let store = store(None);
    write(&store, &[whole(10, "o", 1)]);
    assert!(!store.they_expire(&at("c"), 10) && store.they_expire(&at("c"), 11));
    store.they_write(&at("c"), Theirs { at_ms: 10, number: 1 });
    assert!(
        !store.they_expire(&at("c"), 10)
            && store.they_expire(&at("c"), 11)
            && !store.they_expire(&at("c"), 11)
    );
}

#[test]
fn a_second_unique_index_refuses_what_another_document_has_until_that_gives_it_up() {
    let store = store(None);
    let badge = |key: &str, time_ms, badge: i32| {
        let change =
            Change::Whole { version: version(time_ms, "o"), fields: fields("badge", badge) };
        [Write::Update(Update { key: Key::Text(key.to_owned()), change })]
    };
    let written = |writes: &[Write]| {
        items(store.acknowledge(store.apply("badges", writes, || true))).0 == [ItemOutcome::Written]
    };
    assert!(written(&badge("k", 5, 1)) && written(&badge("k", 6, 1)));
    assert!(!written(&badge("other", 5, 1)));
    assert!(written(&badge("k", 7, 2)) && written(&badge("other", 5, 1)));
    assert!(written(&badge("k", 5, 1)), "a stale one changes nothing, and so is not refused");
}

#[test]
fn a_validator_over_two_fields_refuses_the_one_that_comes_second() {
    for (first, second) in [("a", "b"), ("b", "a")] {
        let store = store(None);
        let shift = |name: &str, n| {
            let fields = vec![(name.to_owned(), version(5, "o"), numbered(name, n))];
            [Write::Update(Update {
                key: Key::Text("k".to_owned()),
                change: Change::Partial { fields },
            })]
        };
        let written = |writes: &[Write]| {
            items(store.acknowledge(store.apply("shifts", writes, || true))).0
                == [ItemOutcome::Written]
        };
        assert!(
            written(&shift(first, 1)) && !written(&shift(second, 2)) && written(&shift("c", 2))
        );
        assert!(written(&shift(second, 3)));
    }
}
