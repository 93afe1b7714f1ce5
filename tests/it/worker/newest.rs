//! The newest wins, nothing is lost, one identity is one message: seen from outside, with what
//! producers really send.

use std::process::Stdio;

use longshore::message::Attribute;
use longshore::queue::Outgoing;
use mongodb::bson::Document;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::support::surroundings::{Surroundings, plain};

/// Sessions that are written twice. By chance half of them would end at the older state.
const SESSIONS: usize = 100;

/// 2026-11-22T10:00:05Z.
const TIME: &str = "2026-11-22T10:00:05Z";

async fn surroundings() -> Surroundings {
    Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await
}

/// Sessions of which the later state was written last.
async fn at_the_later(surroundings: &Surroundings) -> usize {
    let documents = surroundings.documents("sessions").await;
    assert_eq!(documents.len(), SESSIONS);
    documents.iter().filter(|document| document.get_str("data").ok() == Some("later")).count()
}

fn session(number: usize, state: &str, version: Value) -> Value {
    let mut body = json!({ "type": "session", "session_id": format!("s-{number}"), "data": state });
    if !version.is_null() {
        body["last_accessed"] = version;
    }
    body
}

/// As Python's `datetime`, `time.time()` and nanoseconds by hand print them.
#[tokio::test]
async fn of_two_updates_within_one_millisecond_the_later_wins_in_every_form_of_a_time() {
    let forms: [fn(usize, u32) -> Value; 4] = [
        |number, nanos| {
            format!("2026-11-22 10:{:02}:{:02}.{:06}", number / 60, number % 60, nanos / 1_000)
                .into()
        },
        |number, nanos| {
            format!("2026-11-22T10:{:02}:{:02}.{nanos:09}Z", number / 60, number % 60).into()
        },
        |number, nanos| format!("{}.{nanos:09}", 1_795_341_605 + number).into(),
        |number, nanos| {
            let number: serde_json::Number =
                serde_json::from_str(&format!("{}.{nanos:09}", 1_795_341_605 + number))
                    .expect("a number");
            number.into()
        },
    ];
    for (form, written) in forms.into_iter().enumerate() {
        let surroundings = surroundings().await;
        let pair = |number: usize| {
            [("earlier", 123_456_000), ("later", 123_457_000)]
                .map(|(state, nanos)| session(number, state, written(number, nanos)))
        };
        let messages: Vec<_> = (0..SESSIONS).flat_map(pair).map(|body| plain(&body)).collect();
        surroundings.send(&messages).await;
        surroundings.unload(surroundings.config()).await;
        assert_eq!(at_the_later(&surroundings).await, SESSIONS, "form {form}");
    }
}

#[tokio::test]
async fn a_number_with_more_digits_than_a_double_keeps_its_order() {
    let surroundings = surroundings().await;
    let body = |number: usize, state: &str, nanos: u32| {
        format!(
            r#"{{"type":"session","session_id":"s-{number}","data":"{state}","last_accessed":1795341605.{nanos:09}}}"#
        )
    };
    let pair = |number: usize| {
        [("earlier", 123_456_001), ("later", 123_456_002)]
            .map(|(state, nanos)| body(number, state, nanos))
    };
    let messages: Vec<_> =
        (0..SESSIONS).flat_map(pair).map(|body| Outgoing { body, ..Outgoing::default() }).collect();
    surroundings.send(&messages).await;
    surroundings.unload(surroundings.config()).await;
    assert_eq!(at_the_later(&surroundings).await, SESSIONS);
}

#[tokio::test]
async fn of_two_messages_of_one_fifo_group_without_a_version_field_the_later_wins() {
    let surroundings =
        Surroundings::new(&json!({ "FifoQueue": "true", "VisibilityTimeout": "600" })).await;
    for number in 0..SESSIONS {
        let pair = ["earlier", "later"].map(|state| Outgoing {
            group: Some(format!("s-{number}")),
            deduplication: Some(format!("{number}-{state}")),
            ..plain(&session(number, state, Value::Null))
        });
        surroundings.send(&pair).await;
    }
    surroundings.unload(surroundings.config()).await;
    assert_eq!(at_the_later(&surroundings).await, SESSIONS);
}

#[tokio::test]
async fn of_two_lines_of_one_send_the_later_wins() {
    let surroundings = surroundings().await;
    let lines: String = (0..SESSIONS)
        .flat_map(|number| {
            ["earlier", "later"].map(|state| session(number, state, Value::Null).to_string() + "\n")
        })
        .collect();
    let mut sending = surroundings
        .longshore(&["send"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut stdin = sending.stdin.take().expect("its standard input");
    stdin.write_all(lines.as_bytes()).await.expect("written");
    drop(stdin);
    assert!(sending.wait().await.expect("its end").success());
    surroundings.unload(surroundings.config()).await;
    assert_eq!(at_the_later(&surroundings).await, SESSIONS);
}

/// One identity with two contents is a producer's mistake; it must not end as chance has it.
#[tokio::test]
async fn two_contents_under_one_identity_end_the_same_in_both_orders() {
    let mut ends = Vec::new();
    for order in [["a", "b"], ["b", "a"]] {
        let surroundings = surroundings().await;
        for state in order {
            let bodies: Vec<_> = (0..SESSIONS)
                .map(|number| {
                    of_identity(&number.to_string(), &session(number, state, TIME.into()))
                })
                .collect();
            surroundings.send(&bodies).await;
            surroundings.unload(surroundings.config()).await;
        }
        let states = surroundings.documents("sessions").await;
        let mut states: Vec<_> = states
            .iter()
            .map(|end| {
                ["session_id", "data"].map(|name| end.get_str(name).expect("text").to_owned())
            })
            .collect();
        states.sort_unstable();
        ends.push(states);
    }
    assert_eq!(ends[0], ends[1]);
}

fn with_attributes(attributes: &[(&str, &str)], body: &Value) -> Outgoing {
    let attributes = attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Attribute::Text((*value).to_owned())))
        .collect();
    Outgoing { attributes, ..plain(body) }
}

fn of_identity(id: &str, body: &Value) -> Outgoing {
    with_attributes(&[("longshore-id", id), ("longshore-time", TIME)], body)
}

fn event(number: usize) -> Value {
    json!({ "type": "event", "user_id": number, "event_type": "login" })
}

/// An event under the same identity in each way that gives one.
fn of_each_identity(number: usize) -> Vec<Outgoing> {
    let sns = json!({
        "Type": "Notification", "MessageId": "sns", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:portal", "Timestamp": TIME,
        "Message": event(number).to_string(),
    });
    let eventbridge = json!({
        "version": "0", "id": "eventbridge", "detail-type": "event", "source": "portal", "account": "123456789012", "time": TIME,
        "region": "eu-west-1", "resources": [], "detail": event(number),
    });
    let cloudevent = json!({ "specversion": "1.0", "id": "one", "source": "/timed", "type": "event", "time": TIME, "data": event(number) });
    let timeless = json!({ "specversion": "1.0", "id": "one", "source": "/timeless", "type": "event", "data": event(number) });
    let binary = [
        ("ce-specversion", "1.0"),
        ("ce-id", "one"),
        ("ce-source", "/binary"),
        ("ce-type", "event"),
    ];
    vec![
        of_identity("one", &event(number)),
        plain(&sns),
        plain(&eventbridge),
        plain(&cloudevent),
        plain(&timeless),
        with_attributes(&binary, &event(number)),
    ]
}

#[tokio::test]
async fn another_event_under_an_identity_that_was_given_before_is_a_dead_letter_and_never_dropped()
{
    let surroundings = surroundings().await;
    let ways = of_each_identity(0).len();
    for number in [0, 1, 0] {
        surroundings.send(&of_each_identity(number)).await;
        surroundings.unload(surroundings.config()).await;
    }
    let events = surroundings.documents("events").await;
    assert_eq!(events.len(), ways, "{events:?}");
    assert!(events.iter().all(|event| event.get_i32("user_id").ok() == Some(0)), "{events:?}");
    let letters = surroundings.documents("dead_letters").await;
    assert_eq!(letters.len(), ways, "{letters:?}");
    assert!(
        letters.iter().all(|letter| letter.get_str("reason").ok() == Some("id_conflict")),
        "{letters:?}"
    );
}

#[tokio::test]
async fn what_a_producers_own_retry_changes_does_not_make_another_event() {
    let surroundings = surroundings().await;
    let mut config = surroundings.config();
    config.routes.get_mut("event").expect("built in").volatile = vec!["sentAt".to_owned()];
    for (sent_at, kind) in [("10:00:00", "login"), ("10:00:30", "login"), ("10:01:00", "logout")] {
        let body = json!({ "type": "event", "id": "a", "user_id": 1, "event_type": kind, "sentAt": sent_at });
        surroundings.send(&[plain(&body)]).await;
        surroundings.unload(config.clone()).await;
    }
    let events = surroundings.documents("events").await;
    assert_eq!(
        events.iter().map(|event| event.get_str("sentAt").expect("text")).collect::<Vec<_>>(),
        ["10:00:00"]
    );
    let letters = surroundings.documents("dead_letters").await;
    assert_eq!(
        letters.iter().map(|letter| letter.get_str("reason").expect("text")).collect::<Vec<_>>(),
        ["id_conflict"]
    );
}

#[tokio::test]
async fn a_cloudevent_without_a_time_that_is_sent_again_is_the_same_event() {
    let surroundings = surroundings().await;
    let send = async || surroundings.send(&of_each_identity(0)[4..]).await;
    send().await;
    // Another millisecond, by the queue's own clock.
    let sent_after = async |millis: i64| {
        let seen = surroundings.documents("events").await;
        seen.iter()
            .filter_map(|event| event.get_datetime("timestamp").ok())
            .all(|time| time.timestamp_millis() < millis)
    };
    surroundings.unload(surroundings.config()).await;
    crate::support::until("the clock has moved on", async || {
        sent_after(mongodb::bson::DateTime::now().timestamp_millis()).await
    })
    .await;
    send().await;
    let counts = surroundings.unload(surroundings.config()).await;
    assert_eq!(
        (surroundings.documents("events").await.len(), counts.dead_lettered),
        (2, [].into())
    );
}

#[tokio::test]
async fn a_replay_and_a_late_message_of_an_old_version_do_not_beat_the_newest() {
    let surroundings =
        Surroundings::new(&json!({ "FifoQueue": "true", "VisibilityTimeout": "600" })).await;
    for (number, state) in ["first", "second"].into_iter().enumerate() {
        let attributes = [
            ("longshore-id", "m"),
            ("longshore-time", TIME),
            ("longshore-sequence", ["18870000000000000001", "18870000000000000002"][number]),
        ];
        let message = with_attributes(&attributes, &session(0, state, Value::Null));
        surroundings
            .send(&[Outgoing {
                group: Some("g".into()),
                deduplication: Some(state.into()),
                ..message
            }])
            .await;
    }
    surroundings.unload(surroundings.config()).await;
    // The first one is replayed: the queue gives it a greater sequence number of its own, which
    // counts for nothing.
    let attributes = [
        ("longshore-id", "m"),
        ("longshore-time", TIME),
        ("longshore-sequence", "18870000000000000001"),
    ];
    let replayed = with_attributes(&attributes, &session(0, "first", Value::Null));
    surroundings
        .send(&[Outgoing {
            group: Some("g".into()),
            deduplication: Some("again".into()),
            ..replayed
        }])
        .await;
    surroundings.unload(surroundings.config()).await;
    let found: Vec<Document> = surroundings.documents("sessions").await;
    assert_eq!(
        found.iter().map(|session| session.get_str("data").expect("text")).collect::<Vec<_>>(),
        ["second"]
    );
}
