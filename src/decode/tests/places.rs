//! Where in a body something is wrong: each kind of way and spot, and what is around it.

use super::*;
use crate::message::place::{Spot, Step};

fn place(body: &str, attributes: &[(&str, &str)]) -> Option<Place> {
    let rejection = decode(&message(body, attributes), &settings()).expect_err(body);
    rejection.place.map(|place| *place)
}

/// The way and the spot of a place in a body without envelopes.
fn told(body: &str) -> (String, Spot) {
    let place = place(body, &[]).unwrap_or_else(|| panic!("{body}: no place"));
    assert_eq!(place.layers, Layers::default(), "{body}");
    (way(&place), place.spot)
}

fn way(place: &Place) -> String {
    let step = |step: &Step| match step {
        Step::Name(name) => format!(".{name}"),
        Step::Index(index) => format!("[{index}]"),
    };
    place.steps.iter().map(step).collect()
}

#[test]
fn a_value_or_a_name_that_cannot_be_stored_is_told_by_its_way() {
    for (body, wanted, spot) in [
        (r#"{"a":[1,{"b":12345678901234567890}]}"#, ".a[1].b", Spot::Value),
        (r#"{"a":1e999}"#, ".a", Spot::Value),
        (r#"{"a":{"$date":"soon"}}"#, ".a", Spot::Value),
        (r#"{"a":{"$oid":1,"b":2}}"#, ".a.$oid", Spot::Name),
        (r#"{"$a":1}"#, ".$a", Spot::Name),
        (r#"{"a":{"b.c":1,"$d":2}}"#, ".a.$d", Spot::Name),
        (r#"{"a\u0000":1}"#, ".a\0", Spot::Name),
        (r#"{"a":{"b":1,"c":2,"b":3}}"#, ".a.b", Spot::SecondName),
        (r#"{"a":1,"a":2}"#, ".a", Spot::SecondName),
    ] {
        assert_eq!(told(body), (wanted.to_owned(), spot), "{body}");
    }
}

#[test]
fn a_body_that_is_no_json_is_told_by_the_byte_or_by_where_it_ends() {
    for (body, wanted, spot) in [
        (r#"{"a":NaN}"#, ".a", Spot::Byte(5)),
        ("{\"a\":\"x\ny\"}", ".a", Spot::Byte(7)),
        (r#"{"a":1,}"#, ".a", Spot::Byte(6)),
        ("{\"a\":1\n \"b\":2}", ".a", Spot::Byte(8)),
        (r#"{"a":{"b":"#, ".a.b", Spot::End),
        ("<xml/>", "", Spot::Byte(0)),
        ("[1]", "", Spot::Value),
        ("  ", "", Spot::Value),
    ] {
        assert_eq!(told(body), (wanted.to_owned(), spot), "{body}");
    }
}

#[test]
fn how_far_a_body_was_read_tells_two_of_one_name_apart() {
    let read = |body| place(body, &[]).and_then(|place| place.read_bytes).expect("rejected by us");
    let first = r#"{"a":{"b":{"$x":1}},"a":{"b":1}}"#;
    let second = r#"{"a":{"b":1},"a":{"b":{"$x":1}}}"#;
    let of_second = |body: &str| body.rfind(r#""a""#).expect("there");
    assert!(read(first) <= of_second(first), "{}", read(first));
    assert!(read(second) > of_second(second), "{}", read(second));
}

#[test]
fn a_place_inside_of_envelopes_says_what_is_around_it() {
    let own = r#"{"type":"event","n":{"$x":1}}"#;
    let sns = |body: &str| {
        serde_json::json!({"Type": "Notification", "MessageId": "m", "TopicArn": "a", "Timestamp": "2026-11-22T10:00:00Z", "Message": body})
            .to_string()
    };
    let bus = |detail: &str| {
        format!(
            r#"{{"id":"1","detail-type":"event","source":"s","account":"1","time":"2026-11-22T10:00:00Z","detail":{detail}}}"#
        )
    };
    let quoted = serde_json::to_string(own).expect("JSON");
    let cloud =
        format!(r#"{{"specversion":"1.0","id":"1","source":"s","type":"event","data":{own}}}"#);
    for (body, wanted) in [
        (sns(own), vec![Layer::SnsMessage]),
        (sns(&sns(own)), vec![Layer::SnsMessage, Layer::SnsMessage]),
        (bus(own), vec![Layer::Detail]),
        (bus(&quoted), vec![Layer::DetailText]),
        (sns(&cloud), vec![Layer::SnsMessage, Layer::Data]),
    ] {
        let place = place(&body, &[]).expect("a place");
        assert_eq!((way(&place).as_str(), place.spot), (".n.$x", Spot::Name), "{body}");
        assert_eq!(place.layers.iter().collect::<Vec<_>>(), wanted, "{body}");
    }
}

#[test]
fn what_is_wrong_with_an_envelope_is_told_at_its_field() {
    let cloud =
        |rest: &str| format!(r#"{{"specversion":"1.0","type":"event",{rest},"data":{{}}}}"#);
    for (body, wanted, spot) in [
        (cloud(r#""id":"1","source":"""#), ".source", Spot::Value),
        (cloud(r#""id":"\n","source":"s""#), ".id", Spot::Value),
        (cloud(r#""source":"s""#), ".id", Spot::Missing),
        (cloud(r#""id":1,"source":"s""#), ".id", Spot::Value),
        (cloud(r#""id":"1","source":"s","time":"soon""#), ".time", Spot::Value),
        (cloud(r#""id":"1","source":"s","data_base64":"e30=""#), ".data_base64", Spot::Name),
        (cloud(&format!(r#""id":"1","source":"{}""#, "s".repeat(2_000))), ".source", Spot::Value),
        (cloud(&format!(r#""source":"s","id":"{}""#, "1".repeat(2_000))), ".id", Spot::Value),
    ] {
        assert_eq!(told(&body), (wanted.to_owned(), spot), "{body}");
    }
}

#[test]
fn what_is_wrong_with_an_attribute_is_in_no_place_of_the_body() {
    let body = r#"{"type":"event"}"#;
    assert_eq!(place(body, &[("content-encoding", "br")]), None);
    assert_eq!(place(body, &[("longshore-id", "1")]), None);
    let event =
        [("ce-specversion", "1.0"), ("ce-type", "event"), ("ce-source", ""), ("ce-id", "1")];
    assert_eq!(place(body, &event), None);
    // What is packed is the body.
    assert_eq!(place(body, &[("content-encoding", "gzip")]), Some(Place::whole()));
}
