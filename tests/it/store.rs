//! The store against a real server: what becomes of each write.

mod indexes;
mod letters;
mod older;
mod one_document;
mod order;
mod rights;

use std::sync::Arc;
use std::time::Duration;

use longshore::bson::Fields;
use longshore::message::{Insert, Key, KnownBy, Reason, Update, Write};
use longshore::store::mongo::MongoStore;
use longshore::store::{
    Acknowledgement, Collection, Extent, ItemOutcome, Keyed, Store, StoreFault, StoreFaultKind,
    WriteConcern, WriteKind, WriteOutcome, Writes,
};
use longshore::time::{Time, VERSION_MILLIS_MAX, VERSION_MILLIS_MIN};
use longshore::version::Change;
use longshore::version::Version;
use mongodb::bson::{self, Bson, Document, doc};
use mongodb::{Client, Database, IndexModel};

use crate::support::mongod;

/// 2026-11-22T10:00:00Z.
const NOON: i64 = 1_795_341_600_000;

/// An empty database of the test's own.
async fn database(name: &str) -> Database {
    let client =
        Client::with_uri_str(mongod::plain().await.uri("store").expose()).await.expect("a client");
    let database = client.database(&format!("store_{name}"));
    database.drop().await.expect("dropped");
    database
}

fn store(database: &Database) -> MongoStore {
    MongoStore::new(database.clone(), Duration::from_secs(10), Box::new(|| None))
}

fn collection(kind: WriteKind) -> Collection {
    Collection {
        name: "things".to_owned(),
        kind,
        declared: Vec::new(),
        write_concern: WriteConcern {
            w: Acknowledgement::Majority,
            journal: true,
            timeout: Duration::from_secs(10),
        },
        indexes: Vec::new(),
        ttl: None,
        default_times: Vec::new(),
    }
}

fn keyed(key: &str, extent: Extent) -> WriteKind {
    WriteKind::Keyed(Keyed {
        key: key.to_owned(),
        version_field: "last_accessed".to_owned(),
        extent,
    })
}

fn sessions() -> Collection {
    let kind = keyed("session_id", Extent::Set);
    Collection {
        declared: vec!["data".to_owned(), "dev".to_owned(), "last_accessed".to_owned()],
        ..collection(kind)
    }
}

fn partial_sessions() -> Collection {
    collection(keyed("session_id", Extent::Partial))
}

fn cache() -> Collection {
    collection(keyed("session_id", Extent::Replace))
}

fn fields(document: &Document) -> Fields {
    let mut fields = Fields::default();
    let raw = bson::RawDocumentBuf::try_from(document).expect("BSON");
    for element in raw.iter_elements() {
        let element = element.expect("valid");
        let name = element.key().as_str();
        let mut one = doc! {};
        one.insert(name, document.get(name).cloned().expect("there"));
        let bytes = bson::serialize_to_vec(&one).expect("BSON");
        fields.push(name, bytes[4], &bytes[4 + 2 + name.len()..bytes.len() - 1]);
    }
    fields
}

fn version(time_ms: i64, id: &str) -> Version {
    let (time, origin_id) = (Time::from_millis(time_ms), Arc::from(id.as_bytes()));
    Version {
        time,
        origin_time: Time::from_millis(NOON),
        sequence: 0,
        place: 0,
        origin_id,
        content_hash: [0; 8],
    }
}

/// The whole state at `time_ms`, which the version field holds too.
fn whole(key: impl Into<AsKey>, time_ms: i64, document: Document) -> Write {
    let mut document = document;
    document.insert("last_accessed", bson::DateTime::from_millis(time_ms));
    Write::Update(Update {
        key: key.into().0,
        change: Change::Whole { version: version(time_ms, "m"), fields: fields(&document) },
    })
}

/// Text or a number, as a key.
struct AsKey(Key);

impl From<&str> for AsKey {
    fn from(text: &str) -> Self {
        Self(Key::Text(text.to_owned()))
    }
}

impl From<i64> for AsKey {
    fn from(number: i64) -> Self {
        Self(Key::Integer(number))
    }
}

fn insert(id: i64, rest: &Document, hash: Option<[u8; 16]>) -> Write {
    let mut document = doc! { "_id": id };
    document.extend(rest.clone());
    if let Some(hash) = hash {
        let hash =
            bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: hash.to_vec() };
        document.insert("_ingest", doc! { "h": hash });
    }
    let document = bson::serialize_to_vec(&document).expect("BSON");
    let known_by = hash.map_or(KnownBy::Id, KnownBy::Hash);
    Write::Insert(Insert { id: Key::Integer(id), document, known_by })
}

/// What the store answers to writes, which are of the collection's kind.
async fn ask<'a>(
    store: &MongoStore,
    collection: &'a Collection,
    writes: impl IntoIterator<Item = &'a Write>,
) -> WriteOutcome {
    let writes = Writes::of(&collection.kind, writes).expect("writes of the collection's kind");
    store.write(collection, writes).await
}

async fn write(
    store: &MongoStore,
    collection: &Collection,
    writes: &[Write],
) -> (Vec<ItemOutcome>, usize) {
    match ask(store, collection, writes).await {
        WriteOutcome::Answered { items, stale } => (items, stale),
        WriteOutcome::Unconfirmed(fault) => panic!("unconfirmed: {fault}"),
    }
}

async fn only(database: &Database) -> Document {
    let all = all(database).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.into_iter().next().expect("one")
}

async fn all(database: &Database) -> Vec<Document> {
    use futures_util::TryStreamExt;
    let found = database
        .collection::<Document>("things")
        .find(doc! {})
        .sort(doc! { "_id": 1 })
        .await
        .expect("found");
    found.try_collect().await.expect("read")
}

async fn unique(database: &Database, field: &str) {
    let options = mongodb::options::IndexOptions::builder().unique(true).build();
    let model = IndexModel::builder().keys(doc! { field: 1 }).options(options).build();
    database.collection::<Document>("things").create_index(model).await.expect("an index");
}

fn rejected(outcome: &ItemOutcome) -> (Reason, Option<i32>, &str) {
    match outcome {
        ItemOutcome::Rejected(rejection) => (rejection.reason, rejection.code, &rejection.text),
        other => panic!("not rejected: {other:?}"),
    }
}

#[tokio::test]
async fn a_redelivered_insert_is_there_already() {
    let database = database("redelivered").await;
    let (store, events) = (store(&database), collection(WriteKind::Insert));
    let writes = [insert(1, &doc! { "a": 1 }, None), insert(2, &doc! { "a": 2 }, Some([2; 16]))];
    assert_eq!(write(&store, &events, &writes).await, (vec![ItemOutcome::Written; 2], 0));
    assert_eq!(write(&store, &events, &writes).await, (vec![ItemOutcome::AlreadyThere; 2], 0));
    assert_eq!(all(&database).await.len(), 2);
}

#[tokio::test]
async fn another_message_under_the_same_id_is_a_conflict_and_its_neighbours_are_written() {
    let database = database("conflict").await;
    let (store, events) = (store(&database), collection(WriteKind::Insert));
    database
        .collection::<Document>("things")
        .insert_one(doc! { "_id": 7, "by": "another program" })
        .await
        .expect("inserted");
    write(&store, &events, &[insert(1, &doc! { "a": 1 }, Some([1; 16]))]).await;
    let writes = [
        insert(1, &doc! { "a": 9 }, Some([9; 16])),
        insert(7, &doc! {}, Some([7; 16])),
        insert(2, &doc! {}, Some([2; 16])),
        insert(1, &doc! { "a": 1 }, Some([1; 16])),
    ];
    let (items, _) = write(&store, &events, &writes).await;
    assert_eq!(rejected(&items[0]).0, Reason::IdConflict);
    assert_eq!(rejected(&items[1]).0, Reason::IdConflict);
    assert_eq!(items[2..], [ItemOutcome::Written, ItemOutcome::AlreadyThere]);
}

/// To the server the decimal 7 is the integer 7, to whoever reads the reply it is not.
#[tokio::test]
async fn an_id_that_only_the_server_finds_is_asked_for_once_by_itself() {
    let database = database("decimal").await;
    let (store, events) = (store(&database), collection(WriteKind::Insert));
    let things = database.collection::<Document>("things");
    let id: bson::Decimal128 = "7".parse().expect("a decimal");
    things.insert_one(doc! { "_id": id, "by": "another program" }).await.expect("inserted");
    database.run_command(doc! { "profile": 2 }).await.expect("a profile of all commands");
    let (items, _) = write(&store, &events, &[insert(7, &doc! {}, Some([7; 16]))]).await;
    assert_eq!(rejected(&items[0]).0, Reason::IdConflict);
    let finds = doc! { "op": "query", "ns": things.namespace().to_string() };
    let profile = database.collection::<Document>("system.profile");
    let finds = profile.count_documents(finds).await.expect("counted");
    assert_eq!(finds, 2, "one for the hashes of all, one for this document");
}

/// A message that the queue named is written without a hash, and its replay under the same identity
/// with one: what they say decides, in both orders.
#[tokio::test]
async fn where_the_queue_gave_one_of_two_identities_the_contents_decide() {
    let database = database("unlike").await;
    let (store, events) = (store(&database), collection(WriteKind::Insert));
    let hash = Some([3; 16]);
    let a = || doc! { "a": f64::NAN, "b": { "c": [1, "x"] } };
    let other = || doc! { "a": f64::NAN, "b": { "c": [1, "y"] } };
    write(&store, &events, &[insert(1, &a(), None), insert(2, &a(), hash)]).await;
    let (items, _) = write(&store, &events, &[insert(1, &a(), hash), insert(2, &a(), None)]).await;
    assert_eq!(items, vec![ItemOutcome::AlreadyThere; 2]);
    let more = [insert(1, &other(), hash), insert(2, &other(), None), insert(1, &a(), None)];
    let (items, _) = write(&store, &events, &more).await;
    for item in &items[..2] {
        let (reason, _, text) = rejected(item);
        assert_eq!(reason, Reason::IdConflict);
        assert!(text.contains("in things already, with other values in `b`: give each"), "{text}");
    }
    assert_eq!(items[2], ItemOutcome::AlreadyThere);
}

#[tokio::test]
async fn a_time_that_the_sending_filled_in_is_not_what_two_events_are_told_apart_by() {
    let database = database("filled").await;
    let at = |millis| bson::DateTime::from_millis(millis);
    let events =
        Collection { default_times: vec!["at".to_owned()], ..collection(WriteKind::Insert) };
    let store = store(&database);
    write(&store, &events, &[insert(1, &doc! { "a": 1, "at": at(1) }, Some([1; 16]))]).await;
    for (other, expected) in [
        (doc! { "a": 2, "at": at(2) }, "with other values in `a`: give"),
        (doc! { "a": 1, "at": at(2) }, "was not the same, or at another time (`at`, where"),
        (doc! { "a": 1, "at": at(1) }, "made from a message that was not the same: give"),
    ] {
        let (items, _) = write(&store, &events, &[insert(1, &other, Some([2; 16]))]).await;
        let (reason, _, text) = rejected(&items[0]);
        assert_eq!(reason, Reason::IdConflict);
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn what_the_server_refuses_is_rejected_with_its_code_and_without_values() {
    let database = database("refused").await;
    let rule =
        doc! { "$jsonSchema": { "required": ["name"], "properties": { "qty": { "minimum": 0 } } } };
    database.create_collection("things").validator(rule).await.expect("created");
    unique(&database, "email").await;
    let things = database.collection::<Document>("things");
    things
        .create_index(IndexModel::builder().keys(doc! { "place": "2dsphere" }).build())
        .await
        .expect("an index");
    things
        .create_index(IndexModel::builder().keys(doc! { "spot": "2d" }).build())
        .await
        .expect("an index");
    things
        .create_index(IndexModel::builder().keys(doc! { "a": 1, "b": 1 }).build())
        .await
        .expect("an index");
    things
        .create_index(IndexModel::builder().keys(doc! { "text": "text" }).build())
        .await
        .expect("an index");
    things
        .create_index(IndexModel::builder().keys(doc! { "hash": "hashed" }).build())
        .await
        .expect("an index");
    let with = |id: i32, rest: Document| {
        let mut document = doc! { "name": "n", "email": id };
        document.extend(rest);
        insert(i64::from(id), &document, None)
    };
    let secret = "swordfish";
    let writes = [
        with(1, doc! {}),
        insert(2, &doc! { "email": 2, "qty": 1 }, None),
        with(3, doc! { "email": 1, "qty": 1 }),
        with(4, doc! { "place": { "type": "Point", "coordinates": [secret] } }),
        with(5, doc! { "place": { "type": "Point", "coordinates": [500, 500] } }),
        with(6, doc! { "spot": [1000, 1000] }),
        with(7, doc! { "spot": [[1, 1], secret] }),
        with(8, doc! { "a": [1], "b": [secret] }),
        with(9, doc! { "text": secret, "language": 5 }),
        with(10, doc! { "text": secret, "language": "klingon" }),
        with(11, doc! { "hash": [secret] }),
        with(12, doc! { "qty": -5 }),
        with(13, doc! { "spot": { "x": secret, "y": 1 } }),
        with(14, doc! { "qty": 5 }),
    ];
    let (items, _) = write(&store(&database), &collection(WriteKind::Insert), &writes).await;
    assert_eq!(items[0], ItemOutcome::Written);
    assert_eq!(items[13], ItemOutcome::Written);
    for item in &items[1..13] {
        let (reason, code, text) = rejected(item);
        assert_eq!(reason, Reason::StoreRejected);
        assert!(code.is_some() && !text.is_empty() && !text.contains(secret), "{item:?}");
    }
    assert!(rejected(&items[1]).2.contains("name"), "the failed rule is named: {:?}", items[1]);
    assert_eq!(rejected(&items[2]).2, "another document has the same email");
}

#[tokio::test]
async fn a_document_of_the_full_size_is_written_and_a_larger_one_is_rejected() {
    let database = database("large").await;
    let store = store(&database);
    let blob = |bytes: usize| bson::Binary {
        subtype: bson::spec::BinarySubtype::Generic,
        bytes: vec![7; bytes],
    };
    let full = 16 * 1024 * 1024;
    let frame = bson::serialize_to_vec(&doc! { "_id": 1_i64, "b": blob(0) }).expect("BSON").len();
    let events = collection(WriteKind::Insert);
    let writes = [
        insert(1, &doc! { "b": blob(full - frame) }, None),
        insert(2, &doc! { "b": blob(full - frame + 1) }, None),
        insert(3, &doc! { "b": blob(full + 20_000) }, None),
        insert(4, &doc! { "b": 1 }, None),
    ];
    let (items, _) = write(&store, &events, &writes).await;
    assert_eq!(items[0], ItemOutcome::Written);
    assert_eq!(rejected(&items[1]).1, Some(2));
    assert_eq!(rejected(&items[2]).0, Reason::TooLarge);
    assert_eq!(items[3], ItemOutcome::Written);

    database.drop().await.expect("dropped");
    unique(&database, "session_id").await;
    let writes = [
        whole("large", NOON, doc! { "data": blob(full - 300) }),
        whole("larger", NOON, doc! { "data": blob(full) }),
    ];
    let (items, _) = write(&store, &sessions(), &writes).await;
    assert_eq!(items[0], ItemOutcome::Written);
    assert!(
        matches!(rejected(&items[1]).1, Some(16_493 | 17_419 | 17_420 | 10_334)),
        "{:?}",
        items[1]
    );
}

#[tokio::test]
async fn nothing_counts_when_the_write_concern_is_not_met() {
    let database = database("concern").await;
    let mut events = collection(WriteKind::Insert);
    events.write_concern = WriteConcern {
        w: Acknowledgement::Members(2),
        journal: true,
        timeout: Duration::from_millis(100),
    };
    for _ in 0..2 {
        match ask(&store(&database), &events, [&insert(1, &doc! {}, None)]).await {
            WriteOutcome::Unconfirmed(fault) => {
                assert_eq!(fault.kind, StoreFaultKind::Unavailable, "{fault}");
            }
            other @ WriteOutcome::Answered { .. } => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_single_write_that_the_server_cannot_read_is_doubtful_and_a_batch_is_to_be_halved() {
    let database = database("unreadable").await;
    let (store, events) = (store(&database), collection(WriteKind::Insert));
    // A document whose length says more than there is: the server cannot read the command.
    let mut broken = bson::serialize_to_vec(&doc! { "_id": 1, "a": "text" }).expect("BSON");
    broken[4] = 0x63;
    let broken =
        Write::Insert(Insert { id: Key::Integer(1), document: broken, known_by: KnownBy::Id });
    let sound = insert(2, &doc! {}, None);
    match ask(&store, &events, [&broken, &sound]).await {
        WriteOutcome::Unconfirmed(fault) => {
            assert_eq!(fault.kind, StoreFaultKind::Refused, "{fault}");
        }
        other @ WriteOutcome::Answered { .. } => panic!("{other:?}"),
    }
    match ask(&store, &events, [&broken]).await {
        WriteOutcome::Answered { items, .. } => {
            assert!(matches!(items[..], [ItemOutcome::Doubtful(_)]), "{items:?}");
        }
        other @ WriteOutcome::Unconfirmed(_) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_within_bounds() {
    let options = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200";
    let client = Client::with_uri_str(options).await.expect("a client");
    match store(&client.database("none"))
        .write(
            &collection(WriteKind::Insert),
            Writes::Inserts(vec![insert(1, &doc! {}, None).insert().expect("an insert")]),
        )
        .await
    {
        WriteOutcome::Unconfirmed(fault) => {
            assert_eq!(fault.kind, StoreFaultKind::Unavailable, "{fault}");
        }
        other @ WriteOutcome::Answered { .. } => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_document_that_holds_the_key_in_an_array_is_left_alone() {
    let database = database("array_key").await;
    unique(&database, "session_id").await;
    let foreign = doc! { "_id": 1, "session_id": ["s"], "data": "theirs" };
    database.collection::<Document>("things").insert_one(&foreign).await.expect("inserted");
    let (items, _) = write(
        &store(&database),
        &sessions(),
        &[whole("s", NOON, doc! { "data": 1 }), whole("t", NOON, doc! {})],
    )
    .await;
    assert_eq!(rejected(&items[0]).1, Some(11_000));
    assert!(rejected(&items[0]).2.contains("inside an array"));
    assert_eq!(items[1], ItemOutcome::Written);
    assert_eq!(all(&database).await[0], foreign);
}

#[tokio::test]
async fn a_set_removes_declared_fields_that_are_absent_and_keeps_what_others_wrote() {
    let database = database("set").await;
    let store = store(&database);
    let foreign =
        doc! { "_id": 1, "session_id": "s", "dev": "old", "data": 1, "theirs": { "a.b": 1 } };
    database.collection::<Document>("things").insert_one(foreign).await.expect("inserted");
    let update = whole("s", NOON, doc! { "data": { "$set": "literal", "a.b": "$data" } });
    assert_eq!(write(&store, &sessions(), &[update]).await, (vec![ItemOutcome::Written], 0));
    let mut document = only(&database).await;
    document.remove("_ingest");
    let literal = doc! { "$set": "literal", "a.b": "$data" };
    let now = bson::DateTime::from_millis(NOON);
    assert_eq!(
        document,
        doc! { "_id": 1, "session_id": "s", "theirs": { "a.b": 1 }, "data": literal, "last_accessed": now }
    );
}

#[tokio::test]
async fn a_replace_leaves_identity_and_fields_only() {
    let database = database("replace").await;
    let store = store(&database);
    database
        .collection::<Document>("things")
        .insert_one(doc! { "_id": 1, "session_id": 5_i64, "theirs": 1 })
        .await
        .expect("inserted");
    assert_eq!(
        write(&store, &cache(), &[whole(5, NOON, doc! { "data": 2 })]).await,
        (vec![ItemOutcome::Written], 0)
    );
    let mut document = only(&database).await;
    assert_eq!(document.remove("_ingest").map(|own| own.to_string().contains('v')), Some(true));
    assert_eq!(
        document,
        doc! { "_id": 1, "session_id": 5_i64, "data": 2, "last_accessed": bson::DateTime::from_millis(NOON) }
    );
}

#[tokio::test]
async fn a_stale_update_changes_nothing_and_is_counted() {
    let database = database("stale").await;
    let store = store(&database);
    for collection in [sessions(), cache()] {
        database.drop().await.expect("dropped");
        write(&store, &collection, &[whole("s", NOON, doc! { "data": 1 })]).await;
        let before = only(&database).await;
        let (items, stale) =
            write(&store, &collection, &[whole("s", NOON - 1, doc! { "data": 2, "dev": "x" })])
                .await;
        assert_eq!((items, stale), (vec![ItemOutcome::Written], 1));
        let (_, stale) = write(&store, &collection, &[whole("s", NOON, doc! { "data": 1 })]).await;
        assert_eq!(stale, 1, "a redelivery is not newer");
        assert_eq!(only(&database).await, before);
    }
}

#[tokio::test]
async fn what_other_programs_wrote_counts_as_written_at_its_version_field() {
    let database = database("foreign").await;
    let store = store(&database);
    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    let seconds = NOON as f64 / 1_000.0 + 0.5;
    let decimal: bson::Decimal128 = "1795341600.5".parse().expect("a number");
    let half_past: [Bson; 9] = [
        bson::DateTime::from_millis(NOON + 500).into(),
        seconds.into(),
        (NOON + 500).into(),
        decimal.into(),
        "2026-11-22 10:00:00.500".into(),
        "2026-11-22T10:00:00.500Z".into(),
        "2026-11-22T12:00:00.500+02:00".into(),
        "1795341600.5".into(),
        "1795341600500".into(),
    ];
    let oldest: [Bson; 14] = [
        // Outside the years of versions, by a date, a number and text: such a one would freeze its
        // key.
        bson::DateTime::from_millis(20_261_122_100_005_000).into(),
        bson::DateTime::from_millis(VERSION_MILLIS_MAX + 1).into(),
        bson::DateTime::from_millis(VERSION_MILLIS_MIN - 1).into(),
        20_261_122_100_005_i64.into(),
        "2612-01-27T00:00:00Z".into(),
        "20261122100005".into(),
        Bson::Null,
        "yesterday".into(),
        true.into(),
        doc! {}.into(),
        f64::NAN.into(),
        (NOON * 1_000).into(),
        Bson::Array(vec![bson::DateTime::now().into()]),
        bson::oid::ObjectId::new().into(),
    ];
    let beats = async |collection: &Collection, stored: &Bson, time_ms: i64| {
        database.drop().await.expect("dropped");
        let document = doc! { "session_id": "s", "last_accessed": stored, "data": "theirs" };
        database.collection::<Document>("things").insert_one(&document).await.expect("inserted");
        let update = match collection.kind {
            WriteKind::Keyed(Keyed { extent: Extent::Partial, .. }) => {
                order::partial("s", &version(time_ms, "m"), doc! { "data": "ours" })
            }
            _ => whole("s", time_ms, doc! { "data": "ours" }),
        };
        let (items, stale) = write(&store, collection, &[update]).await;
        assert_eq!(items, [ItemOutcome::Written], "{stored}");
        let won = only(&database).await.get_str("data").ok() == Some("ours");
        assert_eq!(stale, usize::from(!won));
        won
    };
    for collection in [sessions(), cache(), partial_sessions()] {
        for stored in &half_past {
            assert!(!beats(&collection, stored, NOON + 499).await, "{stored} is newer");
            assert!(
                beats(&collection, stored, NOON + 500).await,
                "{stored} of the same time is older than any message"
            );
        }
        for stored in &oldest {
            assert!(
                beats(&collection, stored, VERSION_MILLIS_MIN).await,
                "{stored} counts as oldest"
            );
        }
    }
}

#[tokio::test]
async fn clients_that_race_to_make_one_key_all_succeed() {
    let database = database("race").await;
    unique(&database, "session_id").await;
    for round in 0..20_i64 {
        let tasks: Vec<_> = (0..8_i64)
            .map(|racer| {
                let store = store(&database);
                let writes: Vec<Write> = (0..20)
                    .map(|key| whole(round * 100 + key, NOON + racer, doc! { "data": racer }))
                    .collect();
                tokio::spawn(async move { write(&store, &sessions(), &writes).await.0 })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.expect("no panic"), vec![ItemOutcome::Written; 20]);
        }
    }
    let documents = all(&database).await;
    assert_eq!(documents.len(), 400);
    assert!(
        documents.iter().all(|document| document.get_i64("data").ok() == Some(7)),
        "the newest won everywhere"
    );
}
