//! What a worker would refuse is refused at the call, with its place.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::{Value, json};

use super::super::message::Making;
use super::super::{Cache, Checks, Compression, Event, Message, Session};

const NOW_MS: i64 = 1_795_341_605_123;

fn problem(message: impl Into<Message>) -> String {
    let mut message = message.into();
    let making = Making {
        compression: Compression::Gzip { above: 65_536 },
        fifo: false,
        checks: Checks::Defaults,
    };
    message.make_ready(making, NOW_MS).map_or_else(|bad| bad.to_string(), |()| String::new())
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[derive(Serialize)]
struct Twice {
    a: u32,
    #[serde(flatten)]
    rest: BTreeMap<String, u32>,
}

#[derive(Serialize)]
enum Shape {
    Circle { radius: f64 },
    Square(f64),
    Points(Vec<f32>, u8),
}

#[test]
fn what_every_worker_refuses_names_the_field_and_what_to_do() {
    let nested = (0..101).fold(json!(1), |inner, _| json!([inner]));
    for (data, expected) in [
        (json!({ "n": 18_446_744_073_709_551_615_u64 }), "data.n"),
        (json!({ "$where": 1 }), "$where"),
        (json!({ "a": { "b\0": 1 } }), "NUL"),
        (nested, "100 levels deep"),
    ] {
        let told = problem(Session::new("s", &data));
        assert!(told.contains(expected), "{data}: {told}");
    }
    let twice = Twice { a: 1, rest: [("a".to_owned(), 2)].into() };
    assert!(problem(Cache::new(1, &twice)).contains("twice"), "{}", problem(Cache::new(1, &twice)));
    assert!(problem(Cache::new(1, &u128::MAX)).contains("data"));
}

#[test]
fn what_json_would_turn_into_null_is_refused_with_its_place() {
    let map: BTreeMap<&str, Vec<Option<f64>>> =
        [("price", vec![Some(1.0), None, Some(f64::NAN)])].into();
    let told = problem(Cache::new(1, &map));
    assert!(told.starts_with("field data.price[2] is NaN, which JSON does not have"), "{told}");
    let infinite = Event::new(1, "x").metadata(&json!({}));
    assert_eq!(problem(infinite), "");
    for (shape, place) in [
        (Shape::Circle { radius: f64::INFINITY }, "data.Circle.radius is Infinity"),
        (Shape::Square(f64::NEG_INFINITY), "data.Square is -Infinity"),
        (Shape::Points(vec![0.5, f32::NAN], 1), "data.Points[0][1] is NaN"),
    ] {
        let told = problem(Session::new("s", &shape));
        assert!(told.contains(place), "{told}");
    }
    assert!(problem(Message::new("own", &BTreeMap::from([(1, f64::NAN)]))).contains("field 1 is"));
    assert!(problem(Message::new("own", &f64::NAN)).contains("the message is NaN"));
}

#[test]
fn what_the_built_in_routes_refuse_is_refused() {
    let long = "x".repeat(1_025);
    let kept: Value = json!({ "_ingest": 1 });
    for (message, expected) in [
        (Session::new("", &1).into(), "session_id"),
        (Session::new(long.as_str(), &1).into(), "session_id"),
        (Event::new("", "login").id("").into(), "id"),
        (Event::new(1, "login").id(long).into(), "id"),
        (Session::new("s", &()).into(), "data"),
        (Session::new("s", &1).last_accessed(at(0)).into(), "last_accessed"),
        (
            Session::new("s", &1).last_accessed(at(1_795_341_605 + 26 * 3_600)).into(),
            "last_accessed",
        ),
        (Cache::new(1, &1).updated(at(1_795_341_605 + 26 * 3_600)).into(), "updated"),
    ] as [(Message, &str); 8]
    {
        let told = problem(message);
        assert!(told.contains(expected), "{expected}: {told}");
    }
    // Our clock may be behind that of the queue, which is what counts.
    assert_eq!(problem(Cache::new(1, &1).updated(at(1_795_341_605 + 7_200))), "");
    // Below the top level it is data.
    assert_eq!(problem(Session::new("s", &kept)), "");
    assert_eq!(problem(Session::new("s", &json!({ "a.b": 1 }))), "");
}

#[test]
fn own_types_are_checked_as_far_as_every_worker_does() {
    assert_eq!(problem(Message::new("order", &json!({ "_ingest": 1, "a.b": 2 }))), "");
    assert_eq!(problem(Message::new("order", &json!({}))), "");
    assert!(problem(Message::new("order", &json!({ "type": "x" }))).contains("twice"));
    assert!(problem(Message::new("order", &[1])).contains("one JSON object"));
    assert!(problem(Message::new("", &json!({}))).contains("empty"));
    assert!(problem(Message::body("{\"a\":1,}")).contains("comma"));
    assert!(problem(Message::body("7")).contains("send one JSON object"));
    // What looks like an envelope is none where the type names the route.
    let sns = json!({ "Type": "Notification", "Message": 1, "MessageId": 2, "TopicArn": 3 });
    assert_eq!(problem(Message::new("order", &sns)), "");
}

#[test]
fn a_worker_of_other_settings_is_sent_what_it_takes() {
    // Not so even that a worker would refuse what it unpacks to.
    let numbers = (0..700_000_u32).map(|number| number.wrapping_mul(2_654_435_761) % 997);
    let numbers: Vec<_> = numbers.map(|number| number.to_string()).collect();
    let large = Cache::new(1, &numbers.join(" "));
    let undeclared = Event::new(1, "");
    let told = |message: Message, checks| {
        let making =
            Making { compression: Compression::Gzip { above: 65_536 }, fifo: false, checks };
        let mut message = message;
        message.make_ready(making, NOW_MS).map_or_else(|bad| bad.to_string(), |()| String::new())
    };
    assert!(told(large.clone().into(), Checks::Defaults).contains("ProducerConfig::checks"));
    let any = Checks::AnyRoutes { body_bytes_max: 4 << 20 };
    assert_eq!(told(large.into(), any), "");
    assert_eq!(told(undeclared.into(), any), "");
    // Session by whatever routes: a text that is no key there may be one elsewhere.
    assert_eq!(told(Session::new("", &1).into(), any), "");
    assert!(told(Session::new("s", &json!({ "$a": 1 })).into(), any).contains("$a"));
}

#[test]
fn what_sqs_refuses_is_refused() {
    let message = || Message::new("order", &json!({ "n": 1 }));
    for (message, expected) in [
        (message().group("a b"), "the message's group cannot be a group"),
        (message().attribute("AWS.x", "1"), "does not begin with AWS"),
        (message().attribute("a", ""), "no empty value"),
        (message().attribute("a", "\u{1}"), "control characters"),
        (message().attribute("a", "1").attribute("a", "2"), "twice"),
        (message().attribute("longshore-id", "1"), "the producer's"),
        ((0..9).fold(message(), |message, n| message.attribute(format!("a{n}"), "1")), "8 at most"),
    ] {
        let told = problem(message);
        assert!(told.contains(expected), "{expected}: {told}");
    }
    assert_eq!(
        problem((0..8).fold(message(), |message, n| message.attribute(format!("a{n}"), "1"))),
        ""
    );
    assert_eq!(problem(Message::new("order", &json!({ "a": "\u{ffff}\u{fffe}" }))), "");
}

#[test]
fn what_is_too_large_is_refused() {
    // Of what does not pack, and of what packs so well that a worker refuses it packed.
    let random = |bytes: usize| {
        let mut random = fastrand::Rng::with_seed(7);
        (0..bytes).map(|_| random.alphanumeric()).collect::<String>()
    };
    assert_eq!(problem(Cache::new(1, &random(1_000_000))), "");
    assert_eq!(problem(Cache::new(1, &"x".repeat(1_000_000))), "");
    let told = problem(Cache::new(1, &"x".repeat(1_100_000)));
    assert!(told.contains("SQS takes 1048576 at most"), "{told}");
    let told = problem(Cache::new(1, &random(2_000_000)));
    assert!(told.contains("SQS takes 1048576 at most"), "{told}");
    let told = problem(Cache::new(1, &random(2_200_000)));
    assert!(told.contains("2097152 at most"), "{told}");
}
