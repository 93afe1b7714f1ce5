//! `longshore dev` as a test double: what a producer's own tests ask of it.

mod example;
mod served;

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use hyper::Method;
use longshore::message::Attribute;
use longshore::queue::Outgoing;
use serde_json::{Value, json};

use self::served::{Served, command, three_free_ports};
use crate::support::child::Child;

fn event(id: &str) -> String {
    json!({"type": "event", "id": id, "user_id": 123, "event_type": "login"}).to_string()
}

fn session(id: &str, second: u8) -> String {
    let at = format!("2026-11-22T10:00:{second:02}Z");
    json!({"type": "session", "session_id": id, "last_accessed": at, "data": {"step": second}})
        .to_string()
}

/// How many documents each collection has.
async fn stored(served: &Served) -> [u64; 3] {
    let (status, good) = served.get("/good").await;
    assert_eq!(status, 200, "{good}");
    ["events", "sessions", "user_cache"].map(|collection| {
        let stored = &good["collections"][collection];
        let told = stored["documents"].as_array().expect("documents").len() as u64;
        assert_eq!(stored["count"], told, "{good}");
        told
    })
}

#[tokio::test]
async fn messages_are_counted_and_told_with_what_became_of_them() {
    let served = Served::start().await;
    assert_eq!(served.get("/wait?count=0").await, (200, json!({"good": 0, "bad": 0})));
    assert_eq!(stored(&served).await, [0; 3]);
    // One batch: three updates of one key are joined or stale, one event comes twice.
    let mut sent: Vec<String> = [3, 1, 2].map(|second| session("s-1", second)).into();
    sent.extend([event("e-1"), event("e-1"), event("e-2")]);
    served.send(&sent).await;
    assert_eq!(served.get("/wait?count=6").await, (200, json!({"good": 6, "bad": 0})));
    assert_eq!(stored(&served).await, [2, 1, 0]);
    // Older than what is stored, and there already: good as well.
    served.send(&[session("s-1", 0), event("e-2")]).await;
    assert_eq!(served.get("/wait?count=8").await, (200, json!({"good": 8, "bad": 0})));
    assert_eq!(stored(&served).await, [2, 1, 0]);
    let (_, good) = served.get("/good?collection=sessions").await;
    assert_eq!(good["collections"].as_object().map(serde_json::Map::len), Some(1), "{good}");
    let document = &good["collections"]["sessions"]["documents"][0];
    assert_eq!(document["data"], json!({"step": 3}));
    assert_eq!(document["last_accessed"], json!({"$date": "2026-11-22T10:00:03Z"}));
    assert!(document["_ingest"].is_object(), "as it is stored: {document}");
    let (_, good) = served.get("/good?limit=1&collection=events").await;
    assert_eq!(good["collections"]["events"]["count"], 2, "{good}");
    let documents = good["collections"]["events"]["documents"].as_array().expect("documents");
    assert_eq!((documents.len(), &documents[0]["_id"]), (1, &json!("e-1")));

    let bodies = [r#"{"type":"event","user_id":1}"#, "{\u{85}"].map(str::to_owned);
    served.send(&bodies).await;
    assert_eq!(served.get("/wait?count=10&timeout=30").await, (200, json!({"good": 8, "bad": 2})));
    let (status, bad) = served.get("/bad").await;
    assert_eq!((status, &bad["count"]), (200, &json!(2)));
    let of = |reason: &str| {
        let messages = bad["messages"].as_array().expect("messages");
        messages.iter().find(|message| message["reason"] == reason).expect(reason).clone()
    };
    let missing = of("missing_field");
    assert_eq!(
        [&missing["place"], &missing["type"], &missing["body"]],
        [&json!("event_type"), &json!("event"), &json!(bodies[0])]
    );
    assert_eq!(of("bad_json")["body"], bodies[1]);
    assert!(missing["text"].as_str().is_some_and(|text| text.contains("event_type")), "{bad}");
    assert!(missing.get("sender").is_none(), "{bad}");
    let (_, one) = served.get("/bad?limit=1").await;
    assert_eq!((&one["count"], one["messages"].as_array().map(Vec::len)), (&json!(2), Some(1)));

    // One message that is sent and refused twice is two, and one record.
    let identity = [("longshore-id", "m-1"), ("longshore-time", "2026-11-22T10:00:00Z")];
    let twice = Outgoing {
        body: r#"{"type":"evnet"}"#.to_owned(),
        attributes: identity
            .map(|(name, value)| (name.to_owned(), Attribute::Text(value.to_owned())))
            .into(),
        ..Outgoing::default()
    };
    for count in [11, 12] {
        served.send_all(std::slice::from_ref(&twice)).await;
        let bad = count - 8;
        let told = served.get(&format!("/wait?count={count}")).await;
        assert_eq!(told, (200, json!({"good": 8, "bad": bad})));
    }
    let (_, bad) = served.get("/bad").await;
    let messages = bad["messages"].as_array().expect("messages");
    assert_eq!((&bad["count"], messages.len(), &messages[2]["times"]), (&json!(3), 3, &json!(2)));
    assert_eq!(messages[2]["attributes"][0]["value"], "m-1");

    let (status, late) = served.get("/wait?count=13&timeout=1").await;
    assert_eq!((status, &late["good"], &late["bad"]), (504, &json!(8), &json!(4)));
    let error = late["error"].as_str().expect("a text");
    assert!(error.starts_with("12 of 13 messages were stored or rejected after 1 s; no"), "{late}");
    let why = late["refused"].as_array().expect("why");
    assert!(why.len() == 3 && why.iter().all(|why| why["text"].is_string()), "{late}");
    assert_eq!(late["in_queue"], 0);
    served.end().await;
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_in_json_and_changes_nothing() {
    let served = Served::start().await;
    served.send(&[event("e-1")]).await;
    assert_eq!(served.get("/wait?count=1").await.0, 200);
    for (path, told) in [
        ("/wait", "count: must be given"),
        ("/wait?count=x", "count: must be a whole number of messages from 0 to 1000000, not x"),
        ("/wait?count=-1", "count: must be a whole number"),
        ("/wait?count=1000001", "count: must be a whole number"),
        ("/wait?count=1&timeout=301", "timeout: must be a whole number of seconds from 0 to 300"),
        ("/wait?count=1&sleep=1", "sleep: there is no such parameter: one of count, timeout"),
        ("/good?collection=dead_letters", "collection: no route writes to dead_letters: one of"),
        ("/good?limit=0", "limit: must be a whole number of documents from 1 to 1000"),
        ("/bad?limit=1001", "limit: must be a whole number of messages from 1 to 1000"),
        ("/?a=b", "a: there is no such parameter"),
    ] {
        let (status, said) = served.get(path).await;
        assert_eq!(status, 400, "{path}: {said}");
        assert!(said["error"].as_str().is_some_and(|text| text.starts_with(told)), "{said}");
    }
    assert_eq!(served.post("/reset?timeout=soon").await.0, 400);
    let (status, said) = served.get("/god").await;
    let text = said["error"].as_str().unwrap_or_default();
    assert!(status == 404 && text.contains("/good") && text.contains("POST /reset"), "{said}");
    for (method, path) in
        [(Method::GET, "/reset"), (Method::POST, "/good"), (Method::DELETE, "/bad")]
    {
        let (status, said) = served.ask(method, path, &[]).await;
        assert_eq!(status, 405, "{path}: {said}");
    }
    // A page of elsewhere, by its own name and by this address, and what its forms send.
    for (headers, expected) in [
        ([("host", "evil.example")], 421),
        ([("host", "a@b@c")], 400),
        ([("origin", "http://evil.example")], 403),
        ([("origin", "null")], 403),
        ([("sec-fetch-site", "cross-site")], 403),
    ] {
        let (status, said) = served.ask(Method::POST, "/reset", &headers).await;
        assert_eq!(status, expected, "{headers:?}: {said}");
        assert!(said["error"].is_string(), "{said}");
    }
    assert_eq!(served.get("/wait?count=1").await, (200, json!({"good": 1, "bad": 0})));
    assert_eq!(stored(&served).await, [1, 0, 0]);
    let localhost = format!("localhost:{}", served.port);
    assert_eq!(served.ask(Method::POST, "/reset", &[("host", &localhost)]).await.0, 200);
    assert_eq!(stored(&served).await, [0; 3]);
    served.end().await;
}

#[tokio::test]
async fn nobody_reaches_the_double_by_another_address_than_loopback() {
    let served = Served::start().await;
    let mut others: Vec<SocketAddr> =
        [format!("127.0.0.2:{}", served.port), format!("[::1]:{}", served.port)]
            .map(|address| address.parse().expect("an address"))
            .into();
    // The address by which others would reach this machine, if it has one. Nothing is sent.
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    if socket.connect("192.0.2.1:9").is_ok() {
        let own = socket.local_addr().expect("its address").ip();
        others.push(SocketAddr::new(own, served.port));
    }
    for other in others {
        let reached = TcpStream::connect_timeout(&other, Duration::from_secs(5));
        assert!(reached.is_err(), "{other}");
    }
    served.end().await;
}

#[tokio::test]
async fn a_reset_leaves_nothing_of_what_was_sent_before_it() {
    const MESSAGES: u32 = 600;
    let served = Served::start().await;
    for round in 0..5 {
        let sent: Vec<String> = (0..MESSAGES)
            .map(|number| match number % 3 {
                0 => event(&format!("e-{number}")),
                1 => session(&format!("s-{number}"), 1),
                _ => "{".to_owned(),
            })
            .collect();
        served.send(&sent).await;
        // What was sent is on its way.
        assert_eq!(served.post("/reset?timeout=60").await, (200, json!({"good": 0, "bad": 0})));
        assert_eq!(stored(&served).await, [0; 3], "round {round}");
        assert_eq!(served.get("/bad").await.1, json!({"count": 0, "messages": []}));
        // One more passes all that could still be on its way: a queue and a worker later, all that is
        // counted and stored is this one.
        served.send(&[event("after")]).await;
        assert_eq!(served.get("/wait?count=1").await, (200, json!({"good": 1, "bad": 0})));
        assert_eq!(stored(&served).await, [1, 0, 0], "round {round}");
        assert_eq!(served.get("/bad").await.1["count"], 0);
        assert_eq!(served.post("/reset").await.0, 200);
    }
    // The indexes stayed: keys are unique still.
    served.send(&[session("s-1", 1), session("s-1", 2)]).await;
    assert_eq!(served.get("/wait?count=2").await, (200, json!({"good": 2, "bad": 0})));
    assert_eq!(stored(&served).await, [0, 1, 0]);
    let said = served.end().await;
    assert!(!said.contains("indexes made again"), "{said}");
}

#[tokio::test]
async fn a_reset_that_cannot_be_says_so_and_empties_nothing() {
    let served = Served::start().await;
    served.send(&[event("e-1")]).await;
    assert_eq!(served.get("/wait?count=1").await.0, 200);
    let (_, told) = served.get("/").await;
    let delayed =
        json!({"QueueUrl": told["queue_url"], "MessageBody": event("e-2"), "DelaySeconds": 600});
    let url = told["sqs_endpoint_url"].as_str().expect("an endpoint");
    let sent = crate::support::sqs::call(url, "SendMessage", &delayed).await;
    assert!(sent["MessageId"].is_string(), "{sent}");
    let (status, said) = served.post("/reset?timeout=1").await;
    assert_eq!((status, &said["in_queue"], &said["held"]), (504, &json!(1), &json!(0)));
    assert!(said["error"].as_str().is_some_and(|text| text.contains("1 s")), "{said}");
    assert_eq!(stored(&served).await, [1, 0, 0]);
    assert_eq!(served.get("/wait?count=1").await, (200, json!({"good": 1, "bad": 0})));
    let (status, late) = served.get("/wait?count=2&timeout=0").await;
    assert_eq!((status, &late["in_queue"]), (504, &json!(1)), "{late}");
    // Nor does one that nobody waits for any more, once it could be.
    let delayed =
        json!({"QueueUrl": told["queue_url"], "MessageBody": event("e-3"), "DelaySeconds": 3});
    let purged =
        crate::support::sqs::call(url, "PurgeQueue", &json!({"QueueUrl": told["queue_url"]})).await;
    crate::support::sqs::call(url, "SendMessage", &delayed).await;
    let given_up =
        tokio::time::timeout(Duration::from_millis(300), served.post("/reset?timeout=60"));
    assert!(given_up.await.is_err(), "{purged}");
    assert_eq!(served.get("/wait?count=2").await, (200, json!({"good": 2, "bad": 0})));
    assert_eq!(served.post("/reset?timeout=30").await.0, 200, "it is no longer under way");
    served.end().await;
}

/// What somebody runs in production, with nothing that could be used here.
const PRODUCTION: &str = r#"
[queue]
url = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo"
region = "eu-west-1"

[db]
mongo_uri_file = "/nowhere/uri"
create_indexes = false

[db.connection_options]
tlsCAFile = "/nowhere/ca.pem"

[db.write_concern]
w = 3

[dead_letters]
queue = "https://sqs.eu-west-1.amazonaws.com/123456789012/refused"

[routes.order]
collection = "orders"
write = "set"
key = "order_id"
version_field = "changed_at"
fields = ["status"]
senders = ["AROAEXAMPLE"]
"#;

#[tokio::test]
async fn a_configuration_of_ones_own_is_served_without_what_is_real_in_it() {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a file");
    std::fs::write(file.path(), PRODUCTION).expect("written");
    let path = file.path().to_str().expect("a path");
    let served = Served::start_with(&["--config", path]).await;
    let said = served.dev.printed();
    for (key, line) in [
        ("queue.url", 3),
        ("queue.region", 4),
        ("db.mongo_uri_file", 7),
        ("db.create_indexes", 8),
        ("db.connection_options.tlsCAFile", 11),
        ("db.write_concern.w", 14),
        ("dead_letters.queue", 17),
        ("routes.order.senders", 25),
    ] {
        let told = format!("longshore: ignored: {key} ({path}:{line}): ");
        assert_eq!(said.lines().filter(|line| line.starts_with(&told)).count(), 1, "{key}: {said}");
    }
    assert_eq!(said.lines().filter(|line| line.contains(" ignored: ")).count(), 8, "{said}");
    let (_, told) = served.get("/").await;
    let queue = told["queue_url"].as_str().unwrap_or_default();
    assert!(queue.starts_with("http://127.0.0.1:") && queue.ends_with("/orders.fifo"), "{told}");
    let collections: Vec<&str> =
        told["collections"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(collections.contains(&"orders"), "{told}");

    let order = |id: &str, status: &str, deduplication: &str| Outgoing {
        body: json!({"type": "order", "order_id": id, "status": status}).to_string(),
        group: Some(id.to_owned()),
        deduplication: Some(deduplication.to_owned()),
        ..Outgoing::default()
    };
    let orders = [order("o-1", "new", "a"), order("o-1", "paid", "b"), order("o-2", "new", "c")];
    served.send_all(&orders).await;
    // The queue takes this one for one that it has.
    served.send_all(&[order("o-2", "lost", "c")]).await;
    assert_eq!(served.get("/wait?count=3").await, (200, json!({"good": 3, "bad": 0})));
    let (status, late) = served.get("/wait?count=4&timeout=1").await;
    assert_eq!((status, &late["in_queue"]), (504, &json!(0)), "{late}");
    let (_, good) = served.get("/good?collection=orders").await;
    let orders = good["collections"]["orders"]["documents"].as_array().expect("orders");
    let mut statuses: Vec<_> = orders
        .iter()
        .filter_map(|order| Some((order["order_id"].as_str()?, order["status"].as_str()?)))
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [("o-1", "paid"), ("o-2", "new")]);
    served.end().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_who_may_hold_it() {
    let folder = tempfile::tempdir().expect("a folder");
    for (behind, what) in [(0, "the test double's answers"), (1, "SQS"), (2, "MongoDB")] {
        let first = three_free_ports();
        let taken = first + behind;
        let _holder = TcpListener::bind(("127.0.0.1", taken)).expect("it is free");
        let dev = command(&[], &["--port", &first.to_string()], folder.path()).await;
        let (status, said) = Child::start(dev).ended().await;
        assert_eq!(status.code(), Some(2), "{said}");
        let told = format!("port {taken} of 127.0.0.1, which --port gives to {what}, ");
        assert!(said.contains(&told) && said.contains("longshore dev"), "{said}");
    }
    for port in ["0", "65534", "x"] {
        let dev = command(&[], &["--port", port], folder.path()).await;
        let (status, said) = Child::start(dev).ended().await;
        assert!(status.code() == Some(2) && said.contains("--port"), "{port}: {said}");
    }
}
