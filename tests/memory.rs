//! No message takes more memory or time than in proportion to its size: memory counted in bytes and
//! in allocations, time in what the processor spent on this thread, which others do not change by
//! being busy.
//!
//! A binary of its own, because an allocator that counts is that of a whole program. Counted is all
//! that is ever asked for, also what is given back at once, so the most that is held at a time is
//! less. One test runs at a time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::System;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use longshore::config::Config;
use longshore::config::load::defaults;
use longshore::decode::decode;
use longshore::message::{Attribute, QueueMessage, Rejection, Write};
use longshore::route::Router;
use rustix::time::{ClockId, clock_gettime};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes allocated for each byte of a body, at most. `[0,0,...]` alone grows sixfold in BSON, and
/// what is decoded is copied once by the route.
const BYTES_PER_BYTE_MAX: usize = 32;
/// Bytes allocated whatever the body is: error texts, tables of a decompressor.
const BYTES_ALWAYS: usize = 256 * 1024;
/// A zstd frame may ask for a window of 8 MiB, which its decoder holds in a ring and grows once.
const WINDOW_BYTES: usize = 18 * 1024 * 1024;
/// What a packed body may unpack to here.
const UNPACKED_BYTES_MAX: usize = 128 * 1024;
/// From one size of a body to the next.
const STEP: usize = 2;
const SIZES: [usize; 3] = [64 * 1024, STEP * 64 * 1024, STEP * STEP * 64 * 1024];

/// Allocations that the test harness may ask for meanwhile, on its own thread.
const ALLOCATIONS_ALWAYS: usize = 1_000;

/// The two sizes of a body whose times are compared. Decoding an eighth takes an eighth of the time
/// where time is linear, and a sixty-fourth where it is quadratic: the bound stands between, with
/// room for caches and for what is measured badly.
const TIMED_STEP: usize = 8;
const TIMED_SIZES: [usize; 2] = [32 * 1024, TIMED_STEP * 32 * 1024];
const TIMES_MAX: u32 = 24;
/// Time that is no sign of anything.
const TIME_ALWAYS: Duration = Duration::from_millis(1);
/// Of so many the shortest time counts: a machine that is busy makes them longer, never shorter.
const RUNS: usize = 3;

/// Held by each test from its beginning to its end: another one's allocations would be counted too.
fn alone() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What decoding and routing a message asked for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    bytes: usize,
    allocations: usize,
}

fn asked(message: &QueueMessage) -> Asked {
    let change = with_decider(|decide| {
        let region = Region::new(COUNTED);
        let decided = decide(message);
        let change = region.change();
        drop(decided);
        change
    });
    Asked { bytes: change.bytes_allocated, allocations: change.allocations + change.reallocations }
}

/// How long the processor is busy with decoding and routing a message.
fn took(message: &QueueMessage) -> Duration {
    with_decider(|decide| {
        let before = processor_time();
        drop(decide(message));
        processor_time().checked_sub(before).unwrap()
    })
}

/// Of this thread.
fn processor_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

fn with_decider<T>(
    task: impl FnOnce(&dyn Fn(&QueueMessage) -> Result<Write, Rejection>) -> T,
) -> T {
    let mut config: Config = defaults();
    config.message.decompressed_bytes_max = UNPACKED_BYTES_MAX;
    config.message.unpack_ratio_max = 100_000;
    let router = Router::new(&config.routes, config.message.version_skew_max, |_| ());
    task(&|message| {
        decode(message, &config.message).and_then(|record| Ok(router.route(&record)?.write))
    })
}

fn message(attributes: &[(&str, &str)], body: String) -> QueueMessage {
    QueueMessage {
        message_id: "m".to_owned(),
        body,
        attributes: attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Attribute::Text((*value).to_owned())))
            .collect(),
        sent_ms: 1_795_341_600_000,
        receive_count: 1,
        ..QueueMessage::default()
    }
}

/// Holds bodies of rising size against the bounds. `always`: bytes that are the price of an
/// encoding.
#[track_caller]
fn holds(what: &str, attributes: &[(&str, &str)], always: usize, body: impl Fn(usize) -> String) {
    let rows = SIZES.map(|size| {
        let message = message(attributes, body(size));
        (message.body.len(), asked(&message))
    });
    for (size, asked) in rows {
        assert!(
            asked.bytes <= BYTES_PER_BYTE_MAX * size + BYTES_ALWAYS + always,
            "{what}: {} bytes for a body of {size}: {rows:?}",
            asked.bytes
        );
    }
    for pair in rows.windows(2) {
        // A buffer that doubles is filled by half or wholly: half as much again, and what is always
        // there.
        let grown = |before: usize| before * STEP * 3 / 2;
        let (before, after) = (pair[0].1, pair[1].1);
        assert!(
            after.bytes <= grown(before.bytes) + BYTES_ALWAYS,
            "{what}: bytes grow faster than the body: {rows:?}"
        );
        assert!(
            after.allocations <= grown(before.allocations) + ALLOCATIONS_ALWAYS,
            "{what}: allocations grow faster than the body: {rows:?}"
        );
    }
    let [smaller, larger] = TIMED_SIZES.map(|size| message(attributes, body(size)));
    let bound = (0..RUNS).map(|_| took(&smaller)).min().unwrap() * TIMES_MAX + TIME_ALWAYS;
    let is_within = (0..RUNS).any(|_| took(&larger) <= bound);
    assert!(
        is_within,
        "{what}: a body {TIMED_STEP} times as large takes more than {bound:?}, {TIMES_MAX} times as long"
    );
}

/// `unit` as often as fits, between `before` and `after`.
fn filled(before: &str, unit: &str, after: &str) -> impl Fn(usize) -> String {
    move |size| format!("{before}{}{after}", unit.repeat(size / unit.len()))
}

/// Bodies whose units are numbered.
fn numbered(before: &str, unit: impl Fn(usize) -> String, after: &str) -> impl Fn(usize) -> String {
    move |size| {
        let mut body = before.to_owned();
        for number in 0.. {
            if body.len() >= size {
                break;
            }
            write!(body, "{}{}", if number == 0 { "" } else { "," }, unit(number)).unwrap();
        }
        body + after
    }
}

/// An event, so that it is routed too, whose field `v` is all that matters.
const EVENT: &str = r#"{"type":"event","id":"a","user_id":1,"event_type":"x","v":"#;

#[test]
fn elements_take_memory_and_time_in_proportion_however_small_and_many_they_are() {
    let _alone = alone();
    for unit in [
        "0,",
        "[],",
        "{},",
        r#""","#,
        "null,",
        "-0,",
        "1e30,",
        "[[[[]]]],",
        r#"{"a":0},"#,
        r#"{"a":{"b":{}}},"#,
    ] {
        holds(unit, &[], 0, filled(&format!("{EVENT}["), unit, "0]}"));
    }
    for unit in [
        r#"{"$oid":"65a0000000000000000000ff"},"#,
        r#"{"$numberLong":"1"},"#,
        r#"{"$date":{"$numberLong":"1"}},"#,
    ] {
        holds(unit, &[], 0, filled(&format!("{EVENT}["), unit, "0]}"));
    }
    let deep = format!("{}{},", "[".repeat(97), "]".repeat(97));
    holds("97 levels again and again", &[], 0, filled(&format!("{EVENT}["), &deep, "0]}"));
    for open in ["[", r#"{"a":"#, r#"[{"":"#] {
        holds("levels without end", &[], 0, filled(EVENT, open, ""));
        holds(
            "levels without end in an Extended JSON value",
            &[],
            0,
            filled(r#"{"v":{"$oid":"#, open, ""),
        );
    }
}

#[test]
fn names_take_memory_and_time_in_proportion_whether_they_differ_or_not() {
    let _alone = alone();
    holds(
        "names at the top",
        &[],
        0,
        numbered(&format!("{EVENT}0,"), |number| format!(r#""{number}":0"#), "}"),
    );
    holds(
        "names below",
        &[],
        0,
        numbered(&format!("{EVENT}{{"), |number| format!(r#""{number}":0"#), "}}"),
    );
    let long = "x".repeat(200);
    holds(
        "long names of one beginning",
        &[],
        0,
        numbered(&format!("{EVENT}{{"), |number| format!(r#""{long}{number}":0"#), "}}"),
    );
    holds(
        "one name again and again",
        &[],
        0,
        numbered(&format!("{EVENT}{{"), |_| r#""a":0"#.to_owned(), "}}"),
    );
    holds(
        "one name in many objects",
        &[],
        0,
        numbered(&format!("{EVENT}["), |_| r#"{"a":{"a":0}}"#.to_owned(), "]}"),
    );
    holds(
        "fields of a cache entry",
        &[],
        0,
        numbered(
            r#"{"type":"cache","user_id":1,"data":1,"#,
            |number| format!(r#""f{number}":0"#),
            "}",
        ),
    );
    holds("a name without end", &[], 0, filled(r#"{"type":"event",""#, "n", r#"":1}"#));
    holds(
        "a name without end that is rejected",
        &[],
        0,
        filled(r#"{"type":"event","$"#, r"\u0061", r#"":1}"#),
    );
}

#[test]
fn texts_and_numbers_take_memory_and_time_in_proportion_however_they_are_written() {
    let _alone = alone();
    for unit in ["x", r"\u0000", r"\n", r"\ud83d\ude00", "😀", r"\\"] {
        holds(unit, &[], 0, filled(&format!("{EVENT}\""), unit, "\"}"));
        holds("a text without an end", &[], 0, filled(&format!("{EVENT}\""), unit, ""));
    }
    for (before, after) in
        [("", ""), ("0.", ""), ("1e", ""), ("0.0", "1e5"), ("1", "e-99999"), ("-", "")]
    {
        holds(
            "a number without end",
            &[],
            0,
            filled(&format!("{EVENT}{before}"), "7", &format!("{after}}}")),
        );
        holds(
            "zeros without end",
            &[],
            0,
            filled(&format!("{EVENT}{before}1"), "0", &format!("{after}}}")),
        );
    }
    for wrapper in ["$numberDecimal", "$numberLong", "$date", "$oid", "$uuid"] {
        for unit in ["7", "0", "x"] {
            holds(wrapper, &[], 0, filled(&format!(r#"{EVENT}{{"{wrapper}":""#), unit, r#""}}"#));
        }
    }
    holds(
        "binary",
        &[],
        0,
        filled(&format!(r#"{EVENT}{{"$binary":{{"base64":""#), "AAAA", r#"","subType":"00"}}}"#),
    );
    holds("a type without end", &[], 0, filled(r#"{"type":""#, "x", r#""}"#));
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn notification(message: &str, attributes: &str) -> String {
    format!(
        r#"{{"Type":"Notification","MessageId":"a","TopicArn":"b","Timestamp":"2026-11-22T10:00:05Z","MessageAttributes":{attributes},"Message":{}}}"#,
        quoted(message)
    )
}

#[test]
fn envelopes_take_memory_and_time_in_proportion_however_many_there_are() {
    let _alone = alone();
    let event = |size: usize| format!("{EVENT}[{}0]}}", "0,".repeat(size / 2));
    holds("a notification", &[], 0, |size| notification(&event(size), "{}"));
    holds("three notifications", &[], 0, |size| {
        notification(&notification(&notification(&event(size / 4), "{}"), "{}"), "{}")
    });
    holds("notifications without end", &[], 0, |size| {
        // Each doubles the escapes of those inside.
        let mut body = event(0);
        while body.len() < size {
            body = notification(&body, "{}");
        }
        body
    });
    let attribute = |number: usize| format!(r#""n{number}":{{"Type":"String","Value":"v"}}"#);
    holds("attributes of a notification", &[], 0, |size| {
        notification(&event(0), &numbered("{", attribute, "}")(size))
    });
    let cloud_event = |data: &str| {
        format!(r#"{{"specversion":"1.0","id":"a","source":"s","type":"event","data{data}}}"#)
    };
    holds("a CloudEvents event", &[], 0, |size| cloud_event(&format!("\":{}", event(size))));
    holds("a CloudEvents event in base64", &[], 0, |size| {
        cloud_event(&format!("_base64\":\"{}\"", STANDARD.encode(event(size))))
    });
    for name in ["TopicArn", "detail-type", "specversion", "Message", "data"] {
        holds(
            "a name of an envelope again and again",
            &[],
            0,
            filled(r#"{"type":"event","#, &format!(r#""{name}":"a","#), r#""z":1}"#),
        );
        holds(
            "names like an envelope's",
            &[],
            0,
            numbered("{", |number| format!(r#""{name}{number}":"{name}""#), r#","specversion":1}"#),
        );
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Bytes that are packed, in base64, again and again up to the size of a body.
fn packed(unit: &[u8], size: usize) -> String {
    STANDARD.encode(unit.repeat((size * 3 / 4 / unit.len()).max(1)))
}

/// A zstd frame of blocks that each say one byte 128 Ki times, with a window of 8 MiB.
fn zstd_frame(blocks: usize) -> Vec<u8> {
    let block = |last: u8| {
        let header = (128_u32 * 1024) << 3 | 1 << 1 | u32::from(last);
        [&header.to_le_bytes()[..3], b" "].concat()
    };
    [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x68][..], &block(0).repeat(blocks - 1), &block(1)].concat()
}

#[test]
fn what_unpacks_takes_memory_and_time_in_proportion_to_its_size_and_its_bound() {
    let _alone = alone();
    let unpacked = BYTES_PER_BYTE_MAX * UNPACKED_BYTES_MAX;
    let gzipped = [("content-encoding", "gzip")];
    let bomb = gzip(&vec![b' '; 16 * 1024 * 1024]);
    holds("a gzip bomb", &gzipped, unpacked, |size| packed(&bomb, size.max(bomb.len() * 2)));
    holds("a gzip bomb in a gzip bomb", &gzipped, unpacked, |size| {
        packed(&gzip(packed(&bomb, size).as_bytes()), size)
    });
    let array = gzip(format!("{EVENT}[{}0]}}", "0,".repeat(60_000)).as_bytes());
    holds("an array of zeros in gzip", &gzipped, unpacked, |_| STANDARD.encode(&array));
    holds("empty members", &gzipped, unpacked, |size| packed(&gzip(b""), size));
    holds("members of a byte", &gzipped, unpacked, |size| packed(&gzip(b" "), size));
    let long_name =
        [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3][..], "n".repeat(60_000).as_bytes()].concat();
    holds("a file's name without end", &gzipped, unpacked, |size| {
        packed(&[&long_name[..], "n".repeat(200_000).as_bytes()].concat(), size)
    });

    let zstd = [("content-encoding", "zstd")];
    let window = unpacked + WINDOW_BYTES;
    holds("a zstd bomb", &zstd, window, |size| STANDARD.encode(zstd_frame(size * 3 / 4 / 4)));
    holds("frames of 8 MiB windows", &zstd, window, |size| {
        packed(&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x68, 1, 0, 0], size)
    });
    holds("skippable frames", &zstd, window, |size| {
        packed(&[0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0], size)
    });
    holds("empty blocks", &zstd, window, |size| {
        let blocks = [0, 0, 0].repeat(size / 4);
        STANDARD.encode([&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x68][..], &blocks, &[1, 0, 0]].concat())
    });
    for attributes in [gzipped, zstd] {
        holds("base64 of nothing", &attributes, window, filled("", "Zm9v", ""));
        holds("no base64", &attributes, window, filled("", "?", ""));
    }
}

#[test]
fn no_more_than_16_mib_of_bson_are_written_whatever_is_sent() {
    let _alone = alone();
    // 36 MB of text that would be 117 MB of BSON. Where it is rejected only once it is written,
    // twice that is asked for.
    let body = format!("{EVENT}[{}0]}}", "0,".repeat(18_000_000));
    let asked = asked(&message(&[], body));
    assert!(asked.bytes <= 33 * 1024 * 1024, "{asked:?}");
}
