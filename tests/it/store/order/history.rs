//! Random histories of one key: what other programs do to its document, and messages that arrive in
//! any order, some twice, some joined before they are written. Few times and ids, so that versions
//! tie in each of their parts.

use std::collections::BTreeMap;

use fastrand::Rng;
use mongodb::bson::{self, Bson, DateTime, Document, doc};

use super::super::NOON;
use super::model::{Kind, Message, Stamp, TheirVersion, Theirs, VERSION_FIELD};

/// Declared fields beside the version field. Their names are harmless, but look as if they were
/// not.
pub const NAMES: [&str; 6] = ["data", "dev", "x y", "0", "a$b", "ü"];

/// What other programs have to do with a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Others {
    Absent,
    /// They wrote it first, with a version field that says a time.
    WroteReadably,
    /// They wrote it first, with a version field that says nothing, or with none.
    WroteUnreadably,
    /// They wrote it first, with something in `_ingest`.
    WroteOurs,
    /// They may have written it first, and change it between messages.
    Change,
}

#[derive(Debug)]
pub enum Step {
    /// Messages that are joined, then written.
    Ours(Vec<Message>),
    Theirs(Theirs),
}

impl Step {
    pub fn messages(&self) -> &[Message] {
        match self {
            Self::Ours(messages) => messages,
            Self::Theirs(_) => &[],
        }
    }
}

pub struct History {
    /// What is there before the first step, with `_ingest` as stamps and as it is stored.
    pub first: Option<First>,
    pub steps: Vec<Step>,
}

pub struct First {
    pub theirs: Theirs,
    pub whole: Option<Stamp>,
    pub each: BTreeMap<String, Stamp>,
    pub ingest: Option<Bson>,
}

fn time_ms(rng: &mut Rng) -> i64 {
    NOON + rng.i64(0..4) * 500
}

/// A time in each form that is read from a message.
fn readable(rng: &mut Rng) -> TheirVersion {
    let millis = time_ms(rng);
    let text = DateTime::from_millis(millis).try_to_rfc3339_string().expect("in range");
    let seconds = format!("{}.{:03}", millis / 1_000, millis % 1_000);
    let (value, says): (Bson, i64) = match rng.u8(..12) {
        0 => (DateTime::from_millis(millis).into(), millis),
        1 => (i32::try_from(millis / 1_000).expect("before 2038").into(), millis / 1_000 * 1_000),
        2 => ((millis / 1_000).into(), millis / 1_000 * 1_000),
        3 => (millis.into(), millis),
        4 => (seconds.parse::<f64>().expect("a number").into(), millis),
        5 => (Bson::Double(format!("{millis}.9").parse().expect("a number")), millis),
        6 => (Bson::Decimal128(seconds.parse().expect("a number")), millis),
        7 => (text.into(), millis),
        8 => (text.replace('T', " ").into(), millis),
        9 => (text.replace('Z', "").into(), millis),
        10 => (text.replace('Z', "+00:00").into(), millis),
        _ => (seconds.into(), millis),
    };
    TheirVersion::Set(value, Some(says))
}

fn unreadable(rng: &mut Rng) -> TheirVersion {
    let values: [Bson; 26] = [
        // No version: before 2000 or after 2100.
        DateTime::from_millis(i64::MAX).into(),
        DateTime::from_millis(4_102_444_800_001).into(),
        DateTime::from_millis(946_684_799_999).into(),
        20_261_122_100_005_i64.into(),
        "20261122100005".into(),
        20_261_122.into(),
        "20261122".into(),
        // Microseconds and nanoseconds.
        1_795_341_605_123_456_i64.into(),
        "1795341605123456".into(),
        1_795_341_605_123_456_789_i64.into(),
        "2612-01-27 10:00:00".into(),
        Bson::Null,
        "soon".into(),
        "".into(),
        "9999999999999999".into(),
        true.into(),
        doc! {}.into(),
        doc! { "time": NOON }.into(),
        vec![Bson::Null].into(),
        vec![Bson::from(DateTime::from_millis(NOON + 5_000))].into(),
        Bson::Array(Vec::new()),
        f64::NAN.into(),
        f64::INFINITY.into(),
        i64::MAX.into(),
        bson::oid::ObjectId::from_bytes([0xff; 12]).into(),
        Bson::Timestamp(bson::Timestamp { time: u32::MAX, increment: 1 }),
    ];
    match rng.usize(..=values.len()) {
        past if past == values.len() => TheirVersion::Unset,
        index => TheirVersion::Set(values[index].clone(), None),
    }
}

fn theirs(rng: &mut Rng, version: TheirVersion) -> Theirs {
    let mut set: BTreeMap<_, Bson> = BTreeMap::from([("theirs".to_owned(), rng.i32(..).into())]);
    set.extend(
        NAMES.iter().filter(|_| rng.bool()).map(|name| ((*name).to_owned(), "theirs".into())),
    );
    Theirs { set, version }
}

fn stamp(rng: &mut Rng, id: &str, content: u8) -> Stamp {
    Stamp {
        time_ms: time_ms(rng),
        nanos: [0, 1, 999_999][rng.usize(..3)],
        origin_ms: NOON + rng.i64(0..2),
        origin_nanos: [0, 1, 999_999][rng.usize(..3)],
        sequence: rng.u8(0..2),
        place: rng.u8(0..2),
        id: id.as_bytes().to_vec(),
        content,
    }
}

/// What is finer than the origin's millisecond, and the id with what follows it, as the bytes that are stored.
fn stored(stamp: &Stamp) -> Bson {
    let binary = |bytes| bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes };
    let mut fine = vec![0; 24];
    fine[..4].copy_from_slice(&stamp.origin_nanos.to_be_bytes());
    (fine[19], fine[23]) = (stamp.sequence, stamp.place);
    let id = [&stamp.id[..], &[stamp.content; 8]].concat();
    let (time, origin) =
        (DateTime::from_millis(stamp.time_ms), DateTime::from_millis(stamp.origin_ms));
    doc! { "t": time, "n": stamp.nanos, "o": origin, "s": binary(fine), "i": binary(id) }.into()
}

/// A document that was there before us: perhaps ours once, under another configuration, perhaps
/// copied from elsewhere.
fn first(rng: &mut Rng, kind: Kind, others: Others) -> Option<First> {
    let version = match others {
        Others::Absent => return None,
        Others::Change if rng.bool() => return None,
        Others::WroteUnreadably => unreadable(rng),
        Others::WroteOurs if rng.bool() => unreadable(rng),
        Others::WroteReadably | Others::WroteOurs | Others::Change => readable(rng),
    };
    let theirs = theirs(rng, version);
    let mut first = First { theirs, whole: None, each: BTreeMap::new(), ingest: None };
    if others != Others::WroteOurs {
        return Some(first);
    }
    let whole = stamp(rng, "w", 0);
    let mut each = BTreeMap::new();
    for name in NAMES.iter().chain(&[VERSION_FIELD]) {
        if rng.bool() {
            each.insert((*name).to_owned(), stamp(rng, "e", 0));
        }
    }
    let of_each: Document =
        each.iter().map(|(name, stamp)| (name.clone(), stored(stamp))).collect();
    let mut ingest = doc! {};
    match rng.u8(..6) {
        0 => {}
        1 => drop(ingest.insert(
            "h",
            bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![7; 16] },
        )),
        2 => ingest.extend(doc! { "v": null, "f": null }),
        3 => {
            first.ingest = Some([Bson::Null, "x".into(), 5.into()][rng.usize(..3)].clone());
            return Some(first);
        }
        branch => {
            if branch == 4 || rng.bool() {
                ingest.insert("v", stored(&whole));
                first.whole = Some(whole);
            }
            if branch == 5 {
                ingest.insert("f", of_each);
                // A whole write looks at the document's own version alone.
                first.each = if kind == Kind::Partial { each } else { BTreeMap::new() };
            }
        }
    }
    first.ingest = Some(ingest.into());
    Some(first)
}

fn messages(rng: &mut Rng) -> Vec<Message> {
    let count = rng.usize(1..7);
    let message = |number: usize| {
        let fields = NAMES
            .iter()
            .filter(|_| rng.bool())
            .map(|name| ((*name).to_owned(), format!("{name} of {number}").into()))
            .collect();
        // What it says makes each message its own; versions may tie up to it, and two have one
        // identity.
        let id = ["", "a", "b", "ab"][rng.usize(..4)];
        Message { stamp: stamp(rng, id, u8::try_from(number).expect("few")), fields }
    };
    (0..count).map(message).collect()
}

impl History {
    pub fn random(rng: &mut Rng, kind: Kind, others: Others) -> Self {
        let first = first(rng, kind, others);
        let mut messages = messages(rng);
        let again: Vec<_> = messages.iter().filter(|_| rng.u8(..4) == 0).cloned().collect();
        messages.extend(again);
        rng.shuffle(&mut messages);
        let mut steps: Vec<Step> = Vec::new();
        for message in messages {
            match steps.last_mut() {
                Some(Step::Ours(joined)) if rng.u8(..3) == 0 => joined.push(message),
                _ => steps.push(Step::Ours(vec![message])),
            }
            if others == Others::Change && rng.u8(..3) == 0 {
                let version = match rng.u8(..4) {
                    0 => TheirVersion::Untouched,
                    1 => unreadable(rng),
                    _ => readable(rng),
                };
                steps.push(Step::Theirs(theirs(rng, version)));
            }
        }
        Self { first, steps }
    }
}
