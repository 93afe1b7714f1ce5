//! JSON to BSON by example: each accepted form and each rejection.

use ::bson::{Bson, DateTime, Decimal128, Document, doc, oid::ObjectId, spec::BinarySubtype};

use super::super::json::{LEVELS_MAX, fields};
use crate::bson::{DOCUMENT_BYTES_MAX, Fields};
use crate::message::Reason;

/// The fields as the document they are.
pub fn document(fields: &Fields) -> Document {
    Document::from_reader(&bytes(fields)[..]).unwrap()
}

pub fn bytes(fields: &Fields) -> Vec<u8> {
    let length = i32::try_from(fields.bytes() + 5).unwrap();
    let elements: Vec<u8> = fields.iter().flat_map(|field| field.element.to_vec()).collect();
    [&length.to_le_bytes()[..], &elements, &[0]].concat()
}

fn value(json: &str) -> Bson {
    let fields = fields(&format!(r#"{{"v":{json}}}"#))
        .unwrap_or_else(|rejection| panic!("{json}: {rejection:?}"));
    document(&fields).remove("v").unwrap()
}

fn rejected(body: &str) -> (Reason, String) {
    match fields(body) {
        Ok(fields) => panic!("{body}: was read as {:?}", document(&fields)),
        Err(rejection) => (rejection.reason, rejection.text),
    }
}

fn rejected_value(json: &str) -> Reason {
    let (reason, text) = rejected(&format!(r#"{{"v":{json}}}"#));
    assert!(text.starts_with("field v"), "{text}");
    reason
}

#[test]
fn every_kind_of_json_value_becomes_its_bson_type() {
    let body = r#" {"n":null,"t":true,"f":false,"i":1,"l":4294967296,"d":1.5,"s":"a\u0000\ud83d\ude00","a":[1,[],{}],"o":{"x.y":{"":2}}} "#;
    let wanted = doc! {
        "n": null, "t": true, "f": false, "i": 1, "l": 4_294_967_296_i64, "d": 1.5, "s": "a\0😀", "a": [1, [], {}],
        "o": {"x.y": {"": 2}},
    };
    assert_eq!(document(&fields(body).unwrap()), wanted);
    assert_eq!(document(&fields("{}").unwrap()), doc! {});
}

#[test]
fn integers_stay_integers_at_every_edge() {
    for (json, wanted) in [
        ("0", Bson::Int32(0)),
        ("-0", Bson::Int32(0)),
        ("2147483647", Bson::Int32(i32::MAX)),
        ("2147483648", Bson::Int64(2_147_483_648)),
        ("-2147483648", Bson::Int32(i32::MIN)),
        ("-2147483649", Bson::Int64(-2_147_483_649)),
        ("9223372036854775807", Bson::Int64(i64::MAX)),
        ("-9223372036854775808", Bson::Int64(i64::MIN)),
    ] {
        assert_eq!(value(json), wanted, "{json}");
    }
    let beyond = [
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
    ];
    for json in beyond
        .map(str::to_owned)
        .into_iter()
        .chain(["1".repeat(300), format!("-{}", "9".repeat(4_000))])
    {
        assert_eq!(rejected_value(&json), Reason::BadValue, "{json}");
    }
}

#[test]
fn floats_stay_doubles_and_are_the_nearest_ones() {
    for (json, wanted) in [
        ("1.0", 1.0),
        ("1e2", 100.0),
        ("-0.0", -0.0),
        ("1e30", 1e30),
        ("-1E+19", -1e19),
        ("123456.78901234567", 123_456.789_012_345_67),
    ] {
        let Bson::Double(found) = value(json) else { panic!("{json} is no double") };
        assert_eq!(found.to_bits(), f64::to_bits(wanted), "{json}");
    }
    assert_eq!(rejected_value("1e400"), Reason::BadValue);
    // Before it stand what looks like numbers in strings, floats beyond int64, and an Extended JSON
    // number.
    let body = r#"{"a":"1,2,\"3","b":[1e30,-0.0,4,{"$date":5}],"c":-0,"d":18446744073709551616}"#;
    assert_eq!(
        rejected(body),
        (
            Reason::BadValue,
            "field d is an integer beyond 64 bits: send it as a string, or as $numberDecimal, which no key takes"
                .to_owned()
        )
    );
}

#[test]
fn extended_json_becomes_its_bson_type() {
    let date = |millis| Bson::DateTime(DateTime::from_millis(millis));
    let binary =
        |subtype, bytes: &[u8]| Bson::Binary(::bson::Binary { subtype, bytes: bytes.to_vec() });
    let uuid: [u8; 16] = [
        0x73, 0xff, 0xd2, 0x64, 0x44, 0xb3, 0x4c, 0x69, 0x90, 0xe8, 0xe7, 0xd1, 0xdf, 0xc0, 0x35,
        0xd4,
    ];
    for (json, wanted) in [
        (
            r#"{"$oid":"65a0000000000000000000Ff"}"#,
            Bson::ObjectId(ObjectId::parse_str("65a0000000000000000000ff").unwrap()),
        ),
        (r#"{"$date":"2026-11-22T10:00:05.123999Z"}"#, date(1_795_341_605_123)),
        (r#"{"$date":{"$numberLong":"-1"}}"#, date(-1)),
        (r#"{"$date":1795341605123}"#, date(1_795_341_605_123)),
        (r#"{"$date":5}"#, date(5)),
        (r#"{"$numberLong":"7"}"#, Bson::Int64(7)),
        (r#"{"$numberDecimal":"0.10"}"#, Bson::Decimal128("0.10".parse::<Decimal128>().unwrap())),
        (
            r#"{"$numberDecimal":"-Infinity"}"#,
            Bson::Decimal128("-Infinity".parse::<Decimal128>().unwrap()),
        ),
        (
            r#"{"$binary":{"base64":"AQI=","subType":"00"}}"#,
            binary(BinarySubtype::Generic, &[1, 2]),
        ),
        (
            r#"{"$binary":{"subType":"2","base64":"AQI"}}"#,
            binary(BinarySubtype::BinaryOld, &[1, 2]),
        ),
        (
            r#"{"$binary":{"base64":"","subType":"80"}}"#,
            binary(BinarySubtype::UserDefined(0x80), &[]),
        ),
        (
            r#"{"$binary":{"base64":"AQ\nI=\r\n","subType":"00"}}"#,
            binary(BinarySubtype::Generic, &[1, 2]),
        ),
        (r#"{"$binary":"AQI=","$type":"00"}"#, binary(BinarySubtype::Generic, &[1, 2])),
        (r#"{"$type":"5","$binary":"AQI="}"#, binary(BinarySubtype::Md5, &[1, 2])),
        (
            r#"{"$binary":"AQI=","$type":"ffffff80"}"#,
            binary(BinarySubtype::UserDefined(0x80), &[1, 2]),
        ),
        (r#"{"$binary":"AQI=","$type":0}"#, binary(BinarySubtype::Generic, &[1, 2])),
        (r#"{"$uuid":"73ffd264-44b3-4c69-90e8-e7d1dfc035d4"}"#, binary(BinarySubtype::Uuid, &uuid)),
        (r#"{"$uuid":"73ffd26444b34c6990e8e7d1dfc035d4"}"#, binary(BinarySubtype::Uuid, &uuid)),
        (
            r#"{ "\u0024oid" : "65a0000000000000000000ff" }"#,
            Bson::ObjectId(ObjectId::parse_str("65a0000000000000000000ff").unwrap()),
        ),
    ] {
        assert_read(json, &wanted);
    }
}

#[test]
fn rare_types_and_old_forms_become_their_bson_type() {
    let regex = |pattern: &str, options: &str| {
        Bson::RegularExpression(::bson::Regex {
            pattern: pattern.try_into().unwrap(),
            options: options.try_into().unwrap(),
        })
    };
    for (json, wanted) in [
        (r#"{"$numberInt":"-7"}"#, Bson::Int32(-7)),
        (r#"{"$numberDouble":"1"}"#, Bson::Double(1.0)),
        (r#"{"$numberDouble":"-Infinity"}"#, Bson::Double(f64::NEG_INFINITY)),
        (
            r#"{"$timestamp":{"t":5,"i":1}}"#,
            Bson::Timestamp(::bson::Timestamp { time: 5, increment: 1 }),
        ),
        (r#"{"$regularExpression":{"pattern":"^a","options":"xi"}}"#, regex("^a", "ix")),
        (r#"{"$regex":"^a","$options":"i"}"#, regex("^a", "i")),
        (r#"{"$options":"","$regex":"^a"}"#, regex("^a", "")),
        (r#"{"$regex":"^a"}"#, regex("^a", "")),
        (r#"{"$code":"f()"}"#, Bson::JavaScriptCode("f()".into())),
        (r#"{"$symbol":"a"}"#, Bson::Symbol("a".into())),
        (r#"{"$undefined":true}"#, Bson::Undefined),
        (r#"{"$minKey":1}"#, Bson::MinKey),
        (r#"{"$maxKey":1}"#, Bson::MaxKey),
    ] {
        assert_read(json, &wanted);
    }
}

/// By itself, and deep down between others.
fn assert_read(json: &str, wanted: &Bson) {
    assert_eq!(value(json), *wanted, "{json}");
    assert_eq!(
        value(&format!(r#"[0,{{"a":{json}}},2]"#)),
        Bson::from(vec![Bson::Int32(0), doc! {"a": wanted}.into(), Bson::Int32(2)])
    );
}

#[test]
fn a_broken_extended_json_value_is_rejected() {
    for json in [
        r#"{"$oid":"65a0"}"#,
        r#"{"$oid":7}"#,
        r#"{"$numberLong":"9223372036854775808"}"#,
        r#"{"$numberLong":7}"#,
        r#"{"$numberLong":""}"#,
        r#"{"$numberDecimal":""}"#,
        r#"{"$numberDecimal":"."}"#,
        r#"{"$numberDecimal":"1e99999"}"#,
        r#"{"$numberDecimal":"12345678901234567890123456789012345"}"#,
        r#"{"$binary":"AQI="}"#,
        r#"{"$binary":"AQI=","$type":"+0"}"#,
        r#"{"$binary":"AQI=","$type":256}"#,
        r#"{"$binary":"!","$type":"00"}"#,
        r#"{"$binary":"AQI=","$type":"04"}"#,
        r#"{"$numberInt":1}"#,
        r#"{"$numberInt":"2147483648"}"#,
        r#"{"$numberInt":"1.0"}"#,
        r#"{"$numberDouble":1.5}"#,
        r#"{"$numberDouble":"1e400"}"#,
        r#"{"$numberDouble":"nan"}"#,
        r#"{"$numberDouble":"inf"}"#,
        r#"{"$numberDouble":""}"#,
        r#"{"$timestamp":{"t":-1,"i":1}}"#,
        r#"{"$timestamp":{"t":1}}"#,
        r#"{"$timestamp":{"t":0,"i":0}}"#,
        r#"{"$timestamp":5}"#,
        r#"{"$timestamp":[1,2]}"#,
        r#"{"$regularExpression":["a","i"]}"#,
        r#"{"$binary":["AQI=","00"]}"#,
        r#"{"$dbPointer":["a.b",{"$oid":"65a0000000000000000000ff"}]}"#,
        r#"{"$dbPointer":{"$ref":"a.b","$id":["65a0000000000000000000ff"]}}"#,
        r#"{"$regex":5}"#,
        r#"{"$regex":"a","$options":"g"}"#,
        r#"{"$regex":"a\u0000b","$options":""}"#,
        r#"{"$regularExpression":{"pattern":"a"}}"#,
        r#"{"$code":5}"#,
        r#"{"$symbol":null}"#,
        r#"{"$undefined":false}"#,
        r#"{"$minKey":2}"#,
        r#"{"$maxKey":"1"}"#,
        r#"{"$dbPointer":{"$ref":"a.b","$id":"65a0000000000000000000ff"}}"#,
        r#"{"$binary":{"base64":"AQI="}}"#,
        r#"{"$binary":{"base64":"!","subType":"00"}}"#,
        r#"{"$binary":{"base64":"AQI=","subType":"+0"}}"#,
        r#"{"$binary":{"base64":"AQI=","subType":"100"}}"#,
        r#"{"$binary":{"base64":"AQI=","subType":"04"}}"#,
        r#"{"$binary":{"base64":"AQI=","subType":"00","more":1}}"#,
        r#"{"$uuid":"{73ffd264-44b3-4c69-90e8-e7d1dfc035d4}"}"#,
        r#"{"$uuid":"73ffd264"}"#,
    ] {
        assert_eq!(rejected_value(json), Reason::BadValue, "{json}");
    }
    for json in [
        r#"{"$date":"yesterday"}"#,
        r#"{"$date":"0000-01-01T00:00:00Z"}"#,
        r#"{"$date":{"$numberLong":"253402300800000"}}"#,
        r#"{"$date":{"$numberLong":"x"}}"#,
        r#"{"$date":{"$numberLong":"1","b":2}}"#,
        r#"{"$date":1.5}"#,
        r#"{"$date":null}"#,
        r#"{"$date":[]}"#,
        r#"{"$date":["1"]}"#,
    ] {
        assert_eq!(rejected_value(json), Reason::BadTime, "{json}");
    }
}

#[test]
fn names_that_cannot_be_stored_are_rejected_with_their_place() {
    for (body, place) in [
        (r#"{"a":1,"a":2}"#, "field a is there twice"),
        (r#"{"":1,"":2}"#, r#"field "" is there twice"#),
        (r#"{"a":1,"\u0061":2}"#, "field a is there twice"),
        (r#"{"c":[0,0,{"price":{"x":1,"":2,"":3}}]}"#, r#"field c[2].price."" is there twice"#),
        (
            r#"{"data":{"cart":[{},{},{"price":{"a\u0000b":1}}]}}"#,
            r"field data.cart[2].price.a\0b has a NUL",
        ),
        (r#"{"$set":{"a":1}}"#, "field $set has a name that begins with $"),
        (r#"{"$oid":"65a0000000000000000000ff"}"#, "field $oid has a name that begins with $"),
        (r#"{"a":{"$":1}}"#, "field a.$ has a name"),
        (r#"{"a":{"$numberFloat":"1"}}"#, "field a.$numberFloat has a name"),
        (r#"{"a":{"$type":"00"}}"#, "field a.$type has a name"),
        (r#"{"a":{"$options":"i"}}"#, "field a.$options has a name"),
        (r#"{"a":{"$code":"x","$scope":{}}}"#, "field a.$code has a $scope"),
        (r#"{"a":{"$binary":"","$type":"00","b":1}}"#, "field a.$binary stands beside"),
        (r#"{"a":{"$binary":"","$options":""}}"#, "field a.$binary stands beside"),
        (
            r#"{"a":{"$ref":"c","$id":1}}"#,
            "field a.$ref has a name that begins with $: a DBRef is not read",
        ),
        (r#"{"a":{"b":1,"$oid":"65a0000000000000000000ff"}}"#, "field a.$oid has a name"),
        (
            r#"{"a":{"$oid":"65a0000000000000000000ff","b":1}}"#,
            "field a.$oid stands beside other names",
        ),
        (
            r#"{"a":{"$oid":"65a0000000000000000000ff","$oid":"65a0000000000000000000ff"}}"#,
            "field a.$oid stands beside",
        ),
    ] {
        let (reason, text) = rejected(body);
        assert_eq!(reason, Reason::BadName, "{body}: {text}");
        assert!(text.starts_with(place), "{body}: {text}");
    }
    let (_, text) = rejected(r#"{"a":{"$set":1}}"#);
    for read in ["$oid", "$numberInt", "$regularExpression", "$regex", "$dbPointer", "$maxKey)"] {
        assert!(text.contains(read), "{text}");
    }
    assert!(!text.contains("..."), "{text}");
    assert_eq!(
        value(r#"{"a$b":{"a":1},"b":{"a":1}}"#),
        doc! {"a$b": {"a": 1}, "b": {"a": 1}}.into(),
        "the same name in two objects is fine"
    );
}

#[test]
fn a_name_twice_is_found_among_many() {
    let names =
        |count: usize| (0..count).map(|index| format!(r#""name-{index}":0"#)).collect::<Vec<_>>();
    for count in [14, 15, 16, 17, 100_000] {
        let mut many = names(count);
        assert_eq!(document(&fields(&format!("{{{}}}", many.join(","))).unwrap()).len(), count);
        many.push(r#""name-3":1"#.to_owned());
        let (reason, text) = rejected(&format!(r#"{{"o":{{{}}}}}"#, many.join(",")));
        assert_eq!(
            (reason, text.as_str()),
            (Reason::BadName, "field o.name-3 is there twice in one object: give it one value")
        );
    }
}

#[test]
fn a_hundred_levels_are_read_and_one_more_is_rejected() {
    let nested = |open: &str, inner: &str, close: &str, levels: usize| {
        format!(r#"{{"v":{}{inner}{}}}"#, open.repeat(levels), close.repeat(levels))
    };
    for (open, close, empty) in [("[", "]", "[]"), (r#"{"a":"#, "}", "{}")] {
        // The body is the first level, the innermost the last.
        assert!(fields(&nested(open, empty, close, LEVELS_MAX - 2)).is_ok());
        assert!(
            fields(&nested(open, r#"{"$numberLong":"1"}"#, close, LEVELS_MAX - 1)).is_ok(),
            "a value is no level"
        );
        assert!(
            fields(&nested(open, r#"{"$date":{"$numberLong":"1"}}"#, close, LEVELS_MAX - 1))
                .is_ok(),
            "a value is no level"
        );
        for levels in [LEVELS_MAX - 1, LEVELS_MAX, 127, 128, 129, 100_000] {
            let (reason, text) = rejected(&nested(open, empty, close, levels));
            assert_eq!(reason, Reason::TooLarge, "{levels}: {text}");
            assert!(text.len() < 700, "{text}");
        }
    }
}

#[test]
fn a_document_beyond_16_mib_is_rejected_and_one_of_16_mib_is_not() {
    // Type, name, NUL, length and NUL around the text, in a document's 5 bytes.
    let most = DOCUMENT_BYTES_MAX - 5 - 3 - 5;
    let body = |length: usize| format!(r#"{{"v":"{}"}}"#, "x".repeat(length));
    assert_eq!(bytes(&fields(&body(most)).unwrap()).len(), DOCUMENT_BYTES_MAX);
    assert_eq!(rejected(&body(most + 1)).0, Reason::TooLarge);
    // Two bytes of text become nine to twelve of BSON: rejected where the bound is passed, not at
    // the end.
    assert_eq!(rejected(&format!(r#"{{"v":[{}1]}}"#, "1,".repeat(3_000_000))).0, Reason::TooLarge);
}

#[test]
fn what_is_not_one_json_object_is_rejected() {
    for body in [
        "",
        " ",
        "[]",
        "[{}]",
        "7",
        "null",
        "\"{}\"",
        "{",
        "{}{}",
        "{} x",
        "{\"a\":NaN}",
        "{'a':1}",
        "{\"a\":1,}",
        "\u{feff}{}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":01}",
    ] {
        let (reason, text) = rejected(body);
        assert_eq!(reason, Reason::BadJson, "{body}: {text}");
    }
}
