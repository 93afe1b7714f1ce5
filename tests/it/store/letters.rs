//! Dead letters: what is refused again joins its first record.

mod simulated;

use longshore::dead_letter::{Glimpse, Record};
use longshore::message::{Fifo, Origin, Place, QueueMessage, Rejection};
use longshore::store::mongo::letter as statement;

use super::*;

fn letters_collection() -> Collection {
    collection(WriteKind::Letter)
}

fn message(id: &str) -> QueueMessage {
    QueueMessage {
        message_id: id.to_owned(),
        body: "{\"$where\": \"$$ROOT\"".to_owned(),
        sent_ms: NOON,
        receive_count: 1,
        fifo: Some(Fifo { group: "$g".to_owned(), sequence: 7 }),
        sender: Some(Arc::from("$sender")),
        ..QueueMessage::default()
    }
}

/// Refused so many seconds after noon.
fn refused(reason: Reason, after_s: i64) -> Record {
    let rejection = Rejection::new(reason, format!("$text after {after_s} s"));
    Record {
        queue_arn: Arc::from("arn:aws:sqs:eu-west-1:1:portal"),
        reason: rejection.reason,
        text: rejection.text,
        place: Some(Box::new(Place::value("user_id"))),
        server_code: None,
        route: Some(Arc::from("event")),
        glimpse: Glimpse::default(),
        origin: Origin::of_queue(&message("m-1")),
        dead_lettered_ms: NOON + 1_000 * after_s,
    }
}

fn letter(reason: Reason, after_s: i64, message_id: &str) -> Write {
    Write::Letter(refused(reason, after_s).insert(&message(message_id)))
}

async fn kept(name: &str, letters: &[Write]) -> Document {
    let database = database(name);
    let database = database.await;
    let (store, collection) = (store(&database), letters_collection());
    for letter in letters {
        let (items, stale) = write(&store, &collection, std::slice::from_ref(letter)).await;
        assert_eq!((items, stale), (vec![ItemOutcome::Written], 0));
    }
    one(&database).await
}

async fn one(database: &Database) -> Document {
    let things = database.collection::<Document>("things");
    assert_eq!(things.count_documents(doc! {}).await.expect("counted"), 1);
    things.find_one(doc! {}).await.expect("read").expect("there")
}

fn shown(record: &Document) -> (&str, &str, i64, i64, i32, Vec<&str>) {
    let seconds =
        |name: &str| (record.get_datetime(name).expect("a date").timestamp_millis() - NOON) / 1_000;
    let ids = record.get_array("message_ids").expect("a list");
    (
        record.get_str("reason").expect("a reason"),
        record.get_str("text").expect("a text"),
        seconds("first_dead_lettered"),
        seconds("dead_lettered"),
        record.get_i32("times").expect("a number"),
        ids.iter().map(|id| id.as_str().expect("text")).collect(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_the_record_as_it_was_made() {
    let letter = letter(Reason::BadTime, 1, "m-1");
    let made: Document =
        bson::deserialize_from_slice(&letter.letter().expect("a letter").document).expect("BSON");
    assert_eq!(kept("letters_made", &[letter.clone(), letter]).await, made);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_again_joins_its_first_record_in_whatever_order() {
    let first = letter(Reason::BadTime, 1, "m-1");
    let redelivered = letter(Reason::BadTime, 2, "m-1");
    let again = letter(Reason::StoreRejected, 3, "m-2");
    let record = kept(
        "letters_joined",
        &[first.clone(), redelivered.clone(), again.clone(), redelivered.clone(), first.clone()],
    )
    .await;
    let expected = ("store_rejected", "$text after 3 s", 1, 3, 2, vec!["m-1", "m-2"]);
    assert_eq!(shown(&record), expected);
    assert_eq!(record.get_str("message_id").ok(), Some("m-1"), "the message as it came first");
    let record = kept("letters_joined", &[again, first, redelivered]).await;
    let expected = ("store_rejected", "$text after 3 s", 1, 3, 2, vec!["m-2", "m-1"]);
    assert_eq!(shown(&record), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_keeps_the_newest_hundred_message_ids_and_counts_on() {
    let letters: Vec<_> =
        (0..130).map(|number| letter(Reason::BadTime, number, &format!("m-{number}"))).collect();
    let record = kept("letters_many", &letters).await;
    let (_, _, first, last, times, ids) = shown(&record);
    assert_eq!((first, last, times, ids.len()), (0, 129, 130, 100));
    assert_eq!((ids[0], ids[99]), ("m-30", "m-129"));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_are_one_make_one_record_from_many_sides_at_once() {
    let database = database("letters_race").await;
    let (store, collection) = (store(&database), letters_collection());
    let sides = (0..16).map(|side| {
        let (store, collection) = (&store, &collection);
        async move {
            let letter = letter(Reason::BadTime, side, &format!("m-{side}"));
            // What lost a race is asked again, as a lane does.
            for _ in 0..10 {
                let (items, _) = write(store, collection, std::slice::from_ref(&letter)).await;
                match &items[..] {
                    [ItemOutcome::Written] => return,
                    [ItemOutcome::Unconfirmed(_)] => {}
                    other => panic!("{other:?}"),
                }
            }
            panic!("ten races lost");
        }
    });
    futures_util::future::join_all(sides).await;
    let record = one(&database).await;
    let (_, text, first, last, times, ids) = shown(&record);
    assert_eq!((text, first, last, times, ids.len()), ("$text after 15 s", 0, 15, 16, 16));
}

/// Who sends the same message as somebody else, and is refused for that, changes nothing of the other's letter
/// but the count.
#[tokio::test(flavor = "multi_thread")]
async fn another_sender_does_not_speak_for_the_first() {
    let of = |sender: &str, reason: Reason, after_s: i64, id: &str| {
        let message = QueueMessage { sender: Some(Arc::from(sender)), ..message(id) };
        Write::Letter(refused(reason, after_s).insert(&message))
    };
    let database = database("letters_senders").await;
    let (store, collection) = (store(&database), letters_collection());
    let things = database.collection::<Document>("things");
    let keep = async |letter: Write| {
        write(&store, &collection, &[letter]).await;
        one(&database).await
    };
    keep(of("$a", Reason::BadTime, 1, "m-1")).await;
    let record = keep(of("$b", Reason::SenderDenied, 2, "m-2")).await;
    let expected = ("bad_time", "$text after 1 s", 1, 1, 2, vec!["m-1", "m-2"]);
    assert_eq!(shown(&record), expected);
    assert_eq!(record.get_str("sender").ok(), Some("$a"));
    // What was put back is sent by whoever put it back.
    let replay = doc! { "at": bson::DateTime::now(), "by": "ada", "message_id": "m-3" };
    things.update_one(doc! {}, statement::mark(&replay)).await.expect("marked");
    let record = keep(of("$ada", Reason::StoreRejected, 3, "m-3")).await;
    let expected = ("store_rejected", "$text after 3 s", 1, 3, 3, vec!["m-1", "m-2", "m-3"]);
    assert_eq!(shown(&record), expected);
}

/// A letter stands, unless what was put back is away: refused before the mark came, or after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_stands_again_once_what_was_put_back_is_refused() {
    let database = database("letters_replayed").await;
    let (store, collection) = (store(&database), letters_collection());
    let things = database.collection::<Document>("things");
    let keep = async |letter: Write| {
        write(&store, &collection, &[letter]).await;
    };
    let mark = async |message_id: Bson, after_s: i64| {
        let at = bson::DateTime::from_millis(NOON + 1_000 * after_s);
        let replay = doc! { "at": at, "by": "$ada", "message_id": message_id };
        things.update_one(doc! {}, statement::mark(&replay)).await.expect("marked");
        one(&database).await.get_bool("stands").expect("a boolean")
    };
    keep(letter(Reason::BadTime, 1, "m-1")).await;
    assert!(!mark("m-2".into(), 2).await);
    keep(letter(Reason::BadTime, 1, "m-1")).await;
    assert_eq!(
        one(&database).await.get_bool("stands").ok(),
        Some(false),
        "a redelivery of the first"
    );
    assert!(!mark("m-2".into(), 2).await, "marked twice");
    keep(letter(Reason::BadTime, 3, "m-2")).await;
    assert_eq!(one(&database).await.get_bool("stands").ok(), Some(true), "it came back");
    keep(letter(Reason::BadTime, 4, "m-3")).await;
    assert!(mark("m-3".into(), 5).await, "it came back before the mark");
    assert!(!mark(Bson::Null, 6).await, "written at once");
    keep(letter(Reason::BadTime, 7, "m-4")).await;
    assert_eq!(
        one(&database).await.get_bool("stands").ok(),
        Some(true),
        "whoever sent it once more"
    );
    let replays = one(&database).await;
    let replays = replays.get_array("replays").expect("a list");
    let by = |replay: &Bson| {
        replay.as_document().and_then(|replay| replay.get_str("by").ok()) == Some("$ada")
    };
    assert!(replays.len() == 4 && replays.iter().all(by), "{replays:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_another_program_spoiled_is_made_anew() {
    let first = letter(Reason::BadTime, 1, "m-1");
    let database = database("letters_spoiled").await;
    let (store, collection) = (store(&database), letters_collection());
    write(&store, &collection, std::slice::from_ref(&first)).await;
    let things = database.collection::<Document>("things");
    for spoiled in [
        doc! { "message_ids": "m-1" },
        doc! { "times": "many" },
        doc! { "replays": 1, "stands": 1 },
    ] {
        things.update_one(doc! {}, doc! { "$set": spoiled.clone() }).await.expect("spoiled");
        let again = letter(Reason::BadTime, 2, "m-2");
        let (items, _) = write(&store, &collection, &[again]).await;
        assert_eq!(items, [ItemOutcome::Written], "{spoiled}");
        assert!(one(&database).await.get_i32("times").is_ok());
    }
}

#[test]
fn a_letter_takes_no_more_of_a_command_than_it_says() {
    for body in [0, 100, 1 << 20] {
        let message = QueueMessage { body: "x".repeat(body), ..message("m-1") };
        let letter = Write::Letter(refused(Reason::BadTime, 1).insert(&message));
        let collection = letters_collection();
        let writes = Writes::of(&collection.kind, [&letter]).expect("of its kind");
        let (command, _) = longshore::store::mongo::first_command(&collection, &writes);
        let (_, empty) = (0, 200);
        assert!(command.len() <= MongoStore::command_bytes(&letter) + empty, "{}", command.len());
    }
}
