//! What `mongoexport` writes of collections that Longshore wrote.

use bson::{Bson, Uuid, oid::ObjectId};
use longshore::extended_json::{canonical, relaxed};
use longshore::message::Attribute;
use longshore::queue::Outgoing;

use super::*;

const COLLECTIONS: [(&str, &str); 3] =
    [("events", "event"), ("sessions", "session"), ("user_cache", "cache")];

/// Events whose ids are of each kind and of none, sessions with versions below the millisecond, a cache.
fn messages() -> Vec<Outgoing> {
    let ids = [
        json!("text"),
        json!(7),
        json!({ "$oid": ObjectId::from_bytes([7; 12]).to_hex() }),
        json!({ "$uuid": Uuid::from_bytes([9; 16]).to_string() }),
    ];
    let mut messages: Vec<Outgoing> = (0..8).map(|user| plain(&event(user))).collect();
    for id in ids {
        // With a time of its own, or it is another event when it is sent again.
        let mut event = event(9);
        event["id"] = id;
        messages.push(plain(&event));
    }
    let metadata =
        json!({ "at": { "$date": "2026-11-22T10:00:00Z" }, "z": 1, "a": 1.5, "n": null });
    let body = json!({ "user_id": 9, "event_type": "own", "metadata": metadata }).to_string();
    let kind = ("type".to_owned(), Attribute::Text("event".to_owned()));
    messages.push(Outgoing { body, attributes: vec![kind], ..Outgoing::default() });
    for number in 0..6 {
        let at = format!("2026-11-22T10:00:00.12345{number}Z");
        messages.push(plain(
            &json!({ "type": "session", "session_id": "s", "last_accessed": at, "data": number }),
        ));
        messages.push(plain(
            &json!({ "type": "cache", "user_id": number, "data": { "b": 1, "a": [number] } }),
        ));
    }
    messages
}

async fn exported(
    here: &Surroundings,
    line: fn(&Document) -> String,
) -> Vec<(Loaded, &'static str)> {
    let mut files = Vec::new();
    for (collection, kind) in COLLECTIONS {
        let lines = here
            .documents(collection)
            .await
            .iter()
            .map(|document| line(document) + "\n")
            .collect::<String>();
        files.push((Loaded::new(lines), kind));
    }
    files
}

/// As mongoexport writes by default.
fn one_line(document: &Document) -> String {
    relaxed(document).lines().map(str::trim).collect()
}

fn without_own(mut documents: Vec<Document>) -> Vec<Document> {
    for document in &mut documents {
        document.remove("_ingest");
    }
    documents
}

#[tokio::test]
async fn an_export_changes_nothing_where_it_came_from_and_is_the_same_elsewhere() {
    let here = surroundings().await;
    here.send(&messages()).await;
    here.unload(here.config()).await;
    let before = all(&here).await;
    assert_eq!(before.len(), 13 + 1 + 6);
    for line in [canonical as fn(&Document) -> String, one_line] {
        for (file, kind) in exported(&here, line).await {
            let ran = load(&here, &[file.name(), "--type", kind]).await;
            assert_eq!((ran.status, &ran.lines[..]), (Some(0), &[][..]), "{kind}: {}", ran.told);
        }
        assert_eq!(all(&here).await, before, "nothing at all");
    }
    let there = surroundings().await;
    for times in 1..=2 {
        for (file, kind) in exported(&here, canonical).await {
            let ran = load(&there, &[file.name(), "--type", kind]).await;
            assert_eq!(
                (ran.status, &ran.lines[..]),
                (Some(0), &[][..]),
                "{times} {kind}: {}",
                ran.told
            );
        }
        assert_eq!(without_own(all(&there).await), without_own(before.clone()));
    }
    // The messages themselves, delivered where their documents were loaded, are none beside them.
    there.send(&messages()).await;
    there.unload(there.config()).await;
    let events = there.documents("events").await;
    let own = events.iter().filter(|event| event.get("user_id") == Some(&Bson::Int32(9)));
    // Those without an id of their own are new messages when they are sent again.
    assert_eq!((own.count(), events.len()), (4 + 2, 13 + 9));
    assert!(there.documents("dead_letters").await.is_empty());
}
