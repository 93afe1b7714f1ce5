//! Order-freedom: any history of updates, in any order and cut into any batches, ends in the
//! document that the rules say, on a real server. `PROPTEST_CASES` sets how many histories each
//! rule is tried on, for each kind of write.

mod history;
mod model;

use std::collections::BTreeMap;

use fastrand::Rng;
use history::{History, NAMES, Others, Step};
use longshore::version::join;
use model::{Kind, Message, Model, TheirVersion, Theirs, VERSION_FIELD};

use super::*;

/// Histories for each kind of write, unless `PROPTEST_CASES` says otherwise.
const HISTORIES: usize = 60;

/// Fields that all carry `version`, the version field among them.
pub fn partial(key: &str, version: &Version, document: Document) -> Write {
    Write::Update(Update {
        key: Key::Text(key.to_owned()),
        change: partial_change(version, document),
    })
}

fn partial_change(version: &Version, mut document: Document) -> Change {
    document.insert("last_accessed", bson::DateTime::from_millis(version.time.millis()));
    let fields: BTreeMap<_, _> = document
        .into_iter()
        .map(|(name, value)| (name.clone(), fields(&doc! { name: value })))
        .collect();
    Change::Partial {
        fields: fields.into_iter().map(|(name, value)| (name, version.clone(), value)).collect(),
    }
}

fn nanos(millis: i64, nanos: i32) -> Time {
    Time::from_nanos(i128::from(millis) * 1_000_000 + i128::from(nanos)).expect("a time")
}

fn change(kind: Kind, message: &Message) -> Change {
    let stamp = &message.stamp;
    let version = Version {
        time: nanos(stamp.time_ms, stamp.nanos),
        origin_time: nanos(stamp.origin_ms, stamp.origin_nanos),
        sequence: stamp.sequence.into(),
        place: stamp.place.into(),
        origin_id: stamp.id.as_slice().into(),
        content_hash: [stamp.content; 8],
    };
    let mut document: Document = message.fields.clone().into_iter().collect();
    if kind == Kind::Partial {
        return partial_change(&version, document);
    }
    document.insert(VERSION_FIELD, bson::DateTime::from_millis(stamp.time_ms));
    Change::Whole { version, fields: fields(&document) }
}

fn declared() -> Vec<&'static str> {
    NAMES.iter().chain(&[VERSION_FIELD]).copied().collect()
}

/// The collection of a kind, with `key` as its key.
fn keyed(kind: Kind, key: &str) -> Collection {
    let (key, version_field) = (key.to_owned(), VERSION_FIELD.to_owned());
    match kind {
        Kind::Set => {
            let declared = declared().into_iter().map(str::to_owned).collect();
            Collection {
                declared,
                ..collection(WriteKind::Keyed(Keyed { key, version_field, extent: Extent::Set }))
            }
        }
        Kind::Replace => {
            collection(WriteKind::Keyed(Keyed { key, version_field, extent: Extent::Replace }))
        }
        Kind::Partial => {
            collection(WriteKind::Keyed(Keyed { key, version_field, extent: Extent::Partial }))
        }
    }
}

/// One history, its model, and how far it was played.
struct Case {
    key: Key,
    history: History,
    model: Model,
}

impl Case {
    fn new(seed: u64, kind: Kind, others: Others) -> Self {
        let mut rng = Rng::with_seed(seed);
        let history = History::random(&mut rng, kind, others);
        let mut model = Model::default();
        if let Some(first) = &history.first {
            model.others_create(&first.theirs, first.whole.clone(), first.each.clone());
        }
        let number = i64::try_from(seed).expect("small");
        Self {
            key: if seed.is_multiple_of(2) {
                Key::Integer(number)
            } else {
                Key::Text(format!("k{seed}"))
            },
            history,
            model,
        }
    }

    fn key(&self) -> Bson {
        match &self.key {
            Key::Integer(number) => (*number).into(),
            Key::Text(text) => text.into(),
            other => panic!("not a key of this test: {other:?}"),
        }
    }

    /// The document that is there before the first message.
    fn first(&self, key: &str) -> Option<Document> {
        let first = self.history.first.as_ref()?;
        let mut document = doc! { key: self.key() };
        document.extend(first.theirs.set.clone());
        if let TheirVersion::Set(value, _) = &first.theirs.version {
            document.insert(VERSION_FIELD, value.clone());
        }
        document.extend(first.ingest.clone().map(|ingest| ("_ingest".to_owned(), ingest)));
        Some(document)
    }
}

/// As the statement of another program's driver.
fn their_update(theirs: &Theirs) -> Document {
    let mut set: Document = theirs.set.clone().into_iter().collect();
    let mut update = doc! {};
    match &theirs.version {
        TheirVersion::Untouched => {}
        TheirVersion::Unset => drop(update.insert("$unset", doc! { VERSION_FIELD: 1 })),
        TheirVersion::Set(value, _) => drop(set.insert(VERSION_FIELD, value.clone())),
    }
    update.insert("$set", set);
    update
}

/// Plays random histories on the server and in the model, and holds one against the other after
/// every step.
async fn holds(name: &str, others: Others, key: &str) {
    let histories = std::env::var("PROPTEST_CASES")
        .map_or(HISTORIES, |number| number.parse().expect("PROPTEST_CASES is a number"));
    for kind in [Kind::Set, Kind::Replace, Kind::Partial] {
        let database = database(&format!("{name}_{kind:?}")).await;
        if key != "_id" {
            unique(&database, key).await;
        }
        let mut cases: Vec<Case> =
            (0..histories).map(|number| Case::new(number as u64, kind, others)).collect();
        let first: Vec<_> = cases.iter().filter_map(|case| case.first(key)).collect();
        if !first.is_empty() {
            database.collection::<Document>("things").insert_many(first).await.expect("inserted");
        }
        let steps = cases.iter().map(|case| case.history.steps.len()).max().unwrap_or(0);
        for step in 0..steps {
            play(&database, key, kind, &mut cases, step).await;
            compare(&database, key, &cases, &format!("{kind:?}, after step {step}")).await;
        }
    }
}

/// Plays one step of each history: first what is ours, in one batch, then what is theirs.
async fn play(database: &Database, key: &str, kind: Kind, cases: &mut [Case], step: usize) {
    let mut writes = Vec::new();
    let mut stale_wanted = 0;
    for case in cases.iter_mut() {
        let Some(Step::Ours(messages)) = case.history.steps.get(step) else { continue };
        let joined = messages
            .iter()
            .map(|message| change(kind, message))
            .reduce(join)
            .expect("one at least");
        writes.push(Write::Update(Update { key: case.key.clone(), change: joined }));
        let changes =
            messages.iter().filter(|message| case.model.take(kind, &declared(), message)).count();
        stale_wanted += usize::from(changes == 0);
    }
    let (items, stale) = write(&store(database), &keyed(kind, key), &writes).await;
    assert!(items.iter().all(|item| *item == ItemOutcome::Written), "{items:?}");
    assert_eq!(stale, stale_wanted, "stale writes of {kind:?} in step {step}");

    for case in cases.iter_mut() {
        let Some(Step::Theirs(theirs)) = case.history.steps.get(step) else { continue };
        let things = database.collection::<Document>("things");
        things.update_one(doc! { key: case.key() }, their_update(theirs)).await.expect("updated");
        case.model.others_change(theirs);
    }
}

async fn compare(database: &Database, key: &str, cases: &[Case], when: &str) {
    let mut found: BTreeMap<String, BTreeMap<String, Bson>> = BTreeMap::new();
    for mut document in all(database).await {
        let id = document.get(key).expect("a key").to_string();
        for own in [key, "_id", "_ingest"] {
            document.remove(own);
        }
        assert_eq!(
            found.insert(id.clone(), document.into_iter().collect()),
            None,
            "{id} is there twice"
        );
    }
    for case in cases {
        let there = found.remove(&case.key().to_string());
        // By their text: NaN is never equal to NaN.
        assert_eq!(
            format!("{there:?}"),
            format!("{:?}", case.model.document),
            "{when}, {:?}, first {:?}, steps {:#?}",
            case.key,
            case.first(key),
            case.history.steps
        );
    }
    assert!(found.is_empty(), "nobody wrote {found:?}");
}

#[tokio::test]
async fn messages_in_any_order_end_as_the_newest_of_them() {
    holds("alone", Others::Absent, "session_id").await;
}

#[tokio::test]
async fn a_document_that_others_wrote_counts_at_the_time_of_its_version_field_in_any_form() {
    holds("readable", Others::WroteReadably, "session_id").await;
}

#[tokio::test]
async fn a_document_without_a_readable_version_field_counts_as_oldest() {
    holds("unreadable", Others::WroteUnreadably, "session_id").await;
}

#[tokio::test]
async fn a_document_with_some_of_our_versions_counts_at_those_it_has() {
    holds("ours", Others::WroteOurs, "session_id").await;
}

#[tokio::test]
async fn what_others_change_after_us_counts_at_the_version_field_that_they_set() {
    holds("changed", Others::Change, "session_id").await;
}

#[tokio::test]
async fn the_document_id_as_the_key_makes_no_difference() {
    for (name, others) in [
        ("id_alone", Others::Absent),
        ("id_readable", Others::WroteReadably),
        ("id_changed", Others::Change),
    ] {
        holds(name, others, "_id").await;
    }
}

#[test]
fn the_model_itself_ends_the_same_in_any_order() {
    let alone = [Others::Absent, Others::WroteReadably, Others::WroteUnreadably, Others::WroteOurs];
    for (seed, kind) in (0..3_000)
        .flat_map(|seed| [Kind::Set, Kind::Replace, Kind::Partial].map(|kind| (seed, kind)))
    {
        let case =
            Case::new(seed, kind, alone[usize::try_from(seed).expect("small") % alone.len()]);
        let mut messages: Vec<_> = case.history.steps.iter().flat_map(Step::messages).collect();
        let ends = |messages: &[&Message]| {
            let mut model = case.model.clone();
            for message in messages {
                model.take(kind, &declared(), message);
            }
            model
        };
        let one = ends(&messages);
        Rng::with_seed(seed).shuffle(&mut messages);
        assert_eq!(format!("{one:?}"), format!("{:?}", ends(&messages)), "seed {seed}, {kind:?}");
    }
}

#[tokio::test]
async fn a_later_change_by_another_program_is_kept_from_older_messages() {
    let database = database("later").await;
    let store = store(&database);
    for (collection, partial_kind) in
        [(sessions(), false), (cache(), false), (partial_sessions(), true)]
    {
        database.drop().await.expect("dropped");
        let update = |time_ms: i64, value: &str| {
            if partial_kind {
                partial("s", &version(time_ms, "m"), doc! { "data": value })
            } else {
                whole("s", time_ms, doc! { "data": value })
            }
        };
        write(&store, &collection, &[update(NOON, "first")]).await;
        let theirs = doc! { "$set": { "data": "theirs", "last_accessed": bson::DateTime::from_millis(NOON + 10) } };
        database
            .collection::<Document>("things")
            .update_one(doc! { "session_id": "s" }, theirs)
            .await
            .expect("updated");
        assert_eq!(write(&store, &collection, &[update(NOON + 5, "late")]).await.1, 1);
        assert_eq!(only(&database).await.get_str("data").ok(), Some("theirs"));
        assert_eq!(write(&store, &collection, &[update(NOON + 15, "newer")]).await.1, 0);
        assert_eq!(only(&database).await.get_str("data").ok(), Some("newer"));
        assert_eq!(
            write(&store, &collection, &[update(NOON + 8, "late")]).await.1,
            1,
            "what they wrote is remembered"
        );
    }
}

#[tokio::test]
async fn a_partial_set_keeps_the_time_of_what_others_wrote_for_fields_it_did_not_touch() {
    let database = database("touch").await;
    let store = store(&database);
    let theirs = doc! { "session_id": "s", "data": "theirs", "dev": "theirs", "last_accessed": (NOON + 10) / 1_000 };
    database.collection::<Document>("things").insert_one(theirs).await.expect("inserted");
    write(
        &store,
        &partial_sessions(),
        &[partial("s", &version(NOON + 60_000, "m"), doc! { "data": "ours" })],
    )
    .await;
    let (_, stale) = write(
        &store,
        &partial_sessions(),
        &[partial("s", &version(NOON - 60_000, "n"), doc! { "dev": "older" })],
    )
    .await;
    assert_eq!(stale, 1);
    write(
        &store,
        &partial_sessions(),
        &[partial("s", &version(NOON + 30_000, "o"), doc! { "dev": "newer" })],
    )
    .await;
    let document = only(&database).await;
    assert_eq!(
        (document.get_str("data").ok(), document.get_str("dev").ok()),
        (Some("ours"), Some("newer"))
    );
}
