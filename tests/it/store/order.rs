//! Order-freedom: any history of updates, in any order and cut into any batches, ends in the document that the join says.

use std::collections::BTreeMap;

use fastrand::Rng;
use longshore::version::join;

use super::*;

/// Fields that all carry `version`, the version field among them.
pub fn partial(key: &str, version: &Version, document: Document) -> Write {
    Write::Update(Update { key: Key::Text(key.to_owned()), change: partial_change(version, document) })
}

fn partial_change(version: &Version, mut document: Document) -> Change {
    document.insert("last_accessed", bson::DateTime::from_millis(version.time_ms));
    let fields: BTreeMap<_, _> = document.into_iter().map(|(name, value)| (name.clone(), fields(&doc! { name: value }))).collect();
    Change::Partial { fields: fields.into_iter().map(|(name, value)| (name, version.clone(), value)).collect() }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Set,
    Replace,
    Partial,
}

/// One key's history: a document that may be there, and the updates to it.
struct History {
    foreign: Option<Document>,
    changes: Vec<Change>,
}

const NAMES: [&str; 4] = ["data", "dev", "x y", "0"];

fn history(rng: &mut Rng, kind: Kind, key: &str) -> History {
    // Few times and ids, so that versions tie in each of their parts.
    let time = |rng: &mut Rng| NOON + rng.i64(0..4) * 1_000;
    let foreign = rng.bool().then(|| {
        let time = time(rng);
        let written: Option<Bson> = match rng.u8(0..5) {
            0 => Some(bson::DateTime::from_millis(time).into()),
            1 => Some((time / 1_000).into()),
            2 => Some(time.into()),
            3 => Some(bson::DateTime::from_millis(time).try_to_rfc3339_string().expect("in range").replace('T', " ").into()),
            _ => None,
        };
        let mut document = doc! { "session_id": key, "theirs": 1 };
        for name in NAMES {
            if rng.bool() {
                document.insert(name, "theirs");
            }
        }
        document.extend(written.map(|written| ("last_accessed".to_owned(), written)));
        document
    });
    let changes = (0..rng.usize(1..6))
        .map(|number| {
            let mut document = doc! {};
            for name in NAMES {
                if rng.bool() {
                    document.insert(name, format!("{name} of {number}"));
                }
            }
            let id = ["", "a", "b", "ab"][rng.usize(0..4)];
            // The number makes each message its own; versions may tie up to it.
            let mut version = version(time(rng), &format!("{id}{number}"));
            version.origin_time_ms += rng.i64(0..2);
            match kind {
                Kind::Partial => partial_change(&version, document),
                Kind::Set | Kind::Replace => {
                    document.insert("last_accessed", bson::DateTime::from_millis(version.time_ms));
                    Change::Whole { version, fields: fields(&document) }
                }
            }
        })
        .collect();
    History { foreign, changes }
}

/// The version at which a foreign document counts as written.
fn foreign_version(document: &Document) -> Option<Version> {
    let raw = fields(&doc! { "t": document.get("last_accessed")?.clone() });
    let time_ms = longshore::time::from_field(raw.get("t")?).ok()?;
    Some(Version { time_ms, origin_time_ms: i64::MIN, origin_id: Arc::from([]) })
}

/// What the document must be in the end, without `_id` and `_ingest`, by the join alone.
fn expected(history: &History, kind: Kind, key: &str) -> Document {
    let joined = history.changes.iter().cloned().reduce(join).expect("at least one");
    let mut document = history.foreign.clone().unwrap_or_else(|| doc! { "session_id": key });
    let stored = history.foreign.as_ref().and_then(foreign_version);
    match joined {
        Change::Whole { version, .. } if stored.as_ref() >= Some(&version) => {}
        Change::Whole { fields, .. } => {
            match kind {
                Kind::Replace => document = doc! { "session_id": key },
                _ => NAMES.iter().chain(&["last_accessed"]).for_each(|name| {
                    document.remove(name);
                }),
            }
            document.extend(values(&fields));
        }
        Change::Partial { fields } => {
            for (_, version, value) in fields {
                if stored.as_ref() < Some(&version) {
                    document.extend(values(&value));
                }
            }
        }
    }
    document
}

fn values(fields: &Fields) -> Document {
    let mut bytes = i32::try_from(fields.bytes() + 5).expect("small").to_le_bytes().to_vec();
    fields.iter().for_each(|field| bytes.extend_from_slice(field.element));
    bytes.push(0);
    bson::deserialize_from_slice(&bytes).expect("BSON")
}

async fn holds(kind: Kind, seed: u64) {
    let database = database(&format!("order_{kind:?}")).await;
    unique(&database, "session_id").await;
    let store = store(&database);
    let declared = NAMES.iter().chain(&["last_accessed"]).map(|name| (*name).to_owned()).collect();
    let collection = match kind {
        Kind::Set => Collection { declared, ..sessions() },
        Kind::Replace => cache(),
        Kind::Partial => partial_sessions(),
    };
    let mut rng = Rng::with_seed(seed);
    let keys: Vec<String> = (0..300).map(|number| format!("k{number}")).collect();
    let histories: Vec<History> = keys.iter().map(|key| history(&mut rng, kind, key)).collect();
    let foreign: Vec<_> = histories.iter().filter_map(|history| history.foreign.as_ref()).collect();
    database.collection::<Document>("things").insert_many(foreign).await.expect("inserted");

    // Each key's updates in an order of their own, some twice, some joined with their neighbour before they are written.
    let mut queues: Vec<Vec<Change>> = histories
        .iter()
        .map(|history| {
            let mut queue = history.changes.clone();
            queue.extend(history.changes.iter().filter(|_| rng.u8(0..4) == 0).cloned().collect::<Vec<_>>());
            rng.shuffle(&mut queue);
            while queue.len() > 1 && rng.bool() {
                let (one, other) = (queue.pop().expect("two"), queue.pop().expect("two"));
                queue.push(join(one, other));
            }
            queue
        })
        .collect();
    while queues.iter().any(|queue| !queue.is_empty()) {
        let writes: Vec<Write> = queues
            .iter_mut()
            .zip(&keys)
            .filter_map(|(queue, key)| Some(Write::Update(Update { key: Key::Text(key.clone()), change: queue.pop()? })))
            .collect();
        let (items, _) = write(&store, &collection, &writes).await;
        assert!(items.iter().all(|item| *item == ItemOutcome::Written), "{items:?}");
    }

    let things = database.collection::<Document>("things");
    for (history, key) in histories.iter().zip(&keys) {
        let mut document = things.find_one(doc! { "session_id": key }).await.expect("read").expect("there");
        document.remove("_id");
        document.remove("_ingest");
        let expected: BTreeMap<_, _> = expected(history, kind, key).into_iter().collect();
        let document: BTreeMap<_, _> = document.into_iter().collect();
        assert_eq!(document, expected, "{kind:?}, seed {seed}, {key}: {:?}\n{:?}", history.foreign, history.changes);
    }
}

#[tokio::test]
async fn any_order_of_sets_ends_as_their_join() {
    for seed in 0..3 {
        holds(Kind::Set, seed).await;
    }
}

#[tokio::test]
async fn any_order_of_replaces_ends_as_their_join() {
    for seed in 0..3 {
        holds(Kind::Replace, seed).await;
    }
}

#[tokio::test]
async fn any_order_of_partial_sets_ends_as_their_join() {
    for seed in 0..3 {
        holds(Kind::Partial, seed).await;
    }
}

#[tokio::test]
async fn a_later_change_by_another_program_is_kept_from_older_messages() {
    let database = database("later").await;
    let store = store(&database);
    for (collection, partial_kind) in [(sessions(), false), (cache(), false), (partial_sessions(), true)] {
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
        database.collection::<Document>("things").update_one(doc! { "session_id": "s" }, theirs).await.expect("updated");
        assert_eq!(write(&store, &collection, &[update(NOON + 5, "late")]).await.1, 1);
        assert_eq!(only(&database).await.get_str("data").ok(), Some("theirs"));
        assert_eq!(write(&store, &collection, &[update(NOON + 15, "newer")]).await.1, 0);
        assert_eq!(only(&database).await.get_str("data").ok(), Some("newer"));
        assert_eq!(write(&store, &collection, &[update(NOON + 8, "late")]).await.1, 1, "what they wrote is remembered");
    }
}

#[tokio::test]
async fn a_partial_set_keeps_the_time_of_what_others_wrote_for_fields_it_did_not_touch() {
    let database = database("touch").await;
    let store = store(&database);
    let theirs = doc! { "session_id": "s", "data": "theirs", "dev": "theirs", "last_accessed": (NOON + 10) / 1_000 };
    database.collection::<Document>("things").insert_one(theirs).await.expect("inserted");
    write(&store, &partial_sessions(), &[partial("s", &version(NOON + 60_000, "m"), doc! { "data": "ours" })]).await;
    let (_, stale) = write(&store, &partial_sessions(), &[partial("s", &version(NOON - 60_000, "n"), doc! { "dev": "older" })]).await;
    assert_eq!(stale, 1);
    write(&store, &partial_sessions(), &[partial("s", &version(NOON + 30_000, "o"), doc! { "dev": "newer" })]).await;
    let document = only(&database).await;
    assert_eq!((document.get_str("data").ok(), document.get_str("dev").ok()), (Some("ours"), Some("newer")));
}
