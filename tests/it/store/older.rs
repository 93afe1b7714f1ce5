//! Whether an older dead letter of a group is kept, as a real server answers.

use longshore::config::defaults;
use longshore::dead_letter::group::Alike;
use longshore::dead_letter::new_groups::{Kept, Newcomer};
use longshore::store::mongo::older::KeptLetters;

use super::*;

fn letter(id: &str, sender: Option<&str>, dead_lettered_ms: i64) -> Newcomer {
    let alike = Alike {
        reason: "bad_time".to_owned(),
        place: Some("items[].at".to_owned()),
        kind: None,
        sender: sender.map(str::to_owned),
    };
    Newcomer {
        alike,
        reason: Reason::BadTime,
        id: Key::Text(id.to_owned()),
        message_id: id.to_owned(),
        dead_lettered_ms,
    }
}

/// Its record, as far as groups are about it.
fn record(letter: &Newcomer) -> Document {
    let mut record = letter.alike.filter();
    let dead_lettered = bson::DateTime::from_millis(letter.dead_lettered_ms);
    record.extend(doc! { "_id": &letter.message_id, "dead_lettered": dead_lettered });
    record
}

#[tokio::test]
async fn an_older_letter_is_found_by_the_index_of_groups_or_not_at_all() {
    let database = database("older").await;
    let mut letters = defaults().dead_letter_collection();
    letters.name = "letters".to_owned();
    let store = Arc::new(store(&database));
    let kept = KeptLetters { store: Arc::clone(&store), collection: letters.clone() };
    let stored = database.collection::<Document>("letters");
    let report = store.indexes(&letters).await.expect("indexes");
    store.create_indexes(&report).await.expect("made");

    let first = letter("m-1", Some("AIDAPORTAL"), NOON);
    assert_eq!(kept.holds_older(&first).await, Ok(false), "nothing is kept");
    stored.insert_one(record(&first)).await.expect("inserted");
    let later = |id: &str, sender| letter(id, sender, NOON + 1);
    for (asked, is_found, why) in [
        (later("m-2", Some("AIDAPORTAL")), true, "of the same group"),
        (later("m-1", Some("AIDAPORTAL")), false, "itself, from an earlier delivery"),
        (letter("m-2", Some("AIDAPORTAL"), NOON), false, "as old, and so not older"),
        (letter("m-2", Some("AIDAPORTAL"), NOON - 1), false, "the newcomer is the older one"),
        (later("m-2", Some("aidaportal")), false, "another sender"),
        (later("m-2", None), false, "another sender"),
        (later("m-2", Some("{\"$gt\": \"\"}")), false, "a text that is only a text"),
    ] {
        assert_eq!(kept.holds_older(&asked).await, Ok(is_found), "{why}: {asked:?}");
    }
    // What was put back is sent by whoever put it back: its record is that of the first message.
    let put_back = Newcomer { message_id: "m-9".to_owned(), ..later("m-1", Some("AIDAOPERATOR")) };
    assert_eq!(kept.holds_older(&put_back).await, Ok(false), "its record does not have it yet");
    stored
        .update_one(doc! {}, doc! { "$set": { "message_ids": ["m-1"], "stands": false } })
        .await
        .expect("replayed");
    assert_eq!(kept.holds_older(&put_back).await, Ok(true), "it came back");
    let again = later("m-2", Some("AIDAPORTAL"));
    assert_eq!(kept.holds_older(&again).await, Ok(false), "all of its letters were replayed");
    // A record of the first schema version lacks fields that are null now.
    let bare =
        Newcomer { alike: Alike { place: None, ..first.alike.clone() }, ..later("m-3", None) };
    let bare = Newcomer { alike: Alike { sender: None, ..bare.alike }, ..bare };
    let old = doc! { "_id": "m-0", "reason": "bad_time", "dead_lettered": bson::DateTime::from_millis(5) };
    stored.insert_one(old).await.expect("inserted");
    assert_eq!(kept.holds_older(&bare).await, Ok(true));

    let dropped = doc! { "dropIndexes": "letters", "index": "*" };
    database.run_command(dropped).await.expect("dropped");
    let refused = kept.holds_older(&first).await.expect_err("it reads no collection through");
    assert!(refused.contains("check --create-indexes"), "{refused}");
    stored.drop().await.expect("dropped");
    assert_eq!(kept.holds_older(&first).await, Ok(false), "there is no collection");
}
