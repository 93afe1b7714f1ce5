//! Every type of Extended JSON on a real server: stored as it is, by an insert, a `set` and a partial
//! one, and found to be the same message when it comes again.

use longshore::store::{Extent, Keyed, WriteKind};
use mongodb::bson::{Bson, Document};
use serde_json::{Value, json};

use crate::support::surroundings::{Surroundings, plain};

/// A value of each type, as drivers print it.
fn values() -> Value {
    json!({
        "oid": { "$oid": "65a0000000000000000000ff" },
        "date": { "$date": { "$numberLong": "-86400000" } },
        "long": { "$numberLong": "7" },
        "int": { "$numberInt": "7" },
        "nan": { "$numberDouble": "NaN" },
        "infinity": { "$numberDouble": "-Infinity" },
        "decimal": { "$numberDecimal": "0.10" },
        "binary": { "$binary": { "base64": "AQI=", "subType": "00" } },
        "legacy": { "$binary": "AQI=", "$type": "05" },
        "uuid": { "$uuid": "73ffd264-44b3-4c69-90e8-e7d1dfc035d4" },
        "stamp": { "$timestamp": { "t": 5, "i": 1 } },
        "regex": { "$regularExpression": { "pattern": "^a", "options": "ix" } },
        "old_regex": { "$regex": "^a", "$options": "i" },
        "code": { "$code": "f()" },
        "symbol": { "$symbol": "$a" },
        "pointer": { "$dbPointer": { "$ref": "a.b", "$id": { "$oid": "65a0000000000000000000ff" } } },
        "undefined": { "$undefined": true },
        "least": { "$minKey": 1 },
        "most": { "$maxKey": 1 },
        "zero_inside": [{ "$timestamp": { "t": 0, "i": 0 } }],
    })
}

fn assert_stored(document: &Document, where_to: &str) {
    let wanted = longshore::decode::json::fields(&values().to_string()).expect("values");
    assert_eq!(document.len(), wanted.len(), "{where_to}: {document}");
    for field in wanted.iter() {
        // By bytes: a NaN is itself here.
        let mut bytes = Vec::new();
        mongodb::bson::RawDocumentBuf::try_from(
            mongodb::bson::doc! { field.name(): document.get(field.name()).cloned().unwrap_or(Bson::Null) },
        )
        .expect("BSON")
        .as_bytes()
        .clone_into(&mut bytes);
        assert_eq!(&bytes[4..bytes.len() - 1], field.element, "{where_to}: {}", field.name());
    }
}

#[tokio::test]
async fn every_type_of_extended_json_is_stored_as_it_is_by_every_kind_of_write() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let mut config = surroundings.config();
    let mut top_level = values();
    top_level["type"] = "event".into();
    top_level["user_id"] = 1.into();
    top_level["event_type"] = "x".into();
    top_level["id"] = "e".into();
    let messages = [
        plain(&top_level),
        plain(&json!({ "type": "session", "session_id": "s", "data": values() })),
        plain(&json!({ "type": "cache", "user_id": 1, "data": values() })),
    ];
    for _ in 0..2 {
        surroundings.send(&messages).await;
        let counts = surroundings.unload(config.clone()).await;
        assert_eq!((counts.deleted_total, counts.dead_lettered), (3, [].into()));
    }
    let mut event = surroundings.documents("events").await.remove(0);
    for own in ["_id", "_ingest", "user_id", "event_type", "timestamp"] {
        event.remove(own).expect("there");
    }
    assert_stored(&event, "an insert");
    for collection in ["sessions", "user_cache"] {
        let document = surroundings.documents(collection).await.remove(0);
        assert_stored(document.get_document("data").expect("data"), collection);
    }
    // A partial route has another statement.
    let partial = WriteKind::Keyed(Keyed {
        key: "session_id".to_owned(),
        version_field: "last_accessed".to_owned(),
        extent: Extent::Partial,
    });
    config.routes.get_mut("session").expect("built in").kind = partial.clone();
    config.collections.get_mut("sessions").expect("built in").kind = partial;
    surroundings
        .send(&[plain(&json!({ "type": "session", "session_id": "p", "data": values() }))])
        .await;
    let counts = surroundings.unload(config).await;
    assert_eq!((counts.deleted_total, counts.dead_lettered), (1, [].into()));
    let sessions = surroundings.documents("sessions").await;
    let partial =
        sessions.iter().find(|session| session.get_str("session_id").is_ok_and(|id| id == "p"));
    assert_stored(partial.expect("there").get_document("data").expect("data"), "a partial set");
}
