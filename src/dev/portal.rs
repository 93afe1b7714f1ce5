//! The load of a web portal, made from a seed: events, session updates in shuffled order with
//! duplicates, cache entries, and seven messages that are broken, each in another way. Beside it,
//! what the database must hold at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::json;

use crate::message::{Attribute, QueueMessage, Reason};
use crate::queue::Outgoing;

/// Sessions that the updates are spread over.
const SESSIONS: usize = 300;

/// Sessions of a load in which few are updated again and again.
const HOT_SESSIONS: usize = 10;

/// Users that the cache entries are spread over.
const USERS: usize = 400;

/// One event in so many is sent twice under one id, as a producer does that got no answer.
const EVENT_TWICE: usize = 50;

/// One session update in so many is sent twice.
const UPDATE_TWICE: usize = 10;

/// 2026-11-22T08:00:00Z: in the past of any clock that runs this, so that no version is ahead of
/// its time.
const STARTED_MS: i64 = 1_795_334_400_000;

/// Of a number in hexadecimal, with the space behind it, most of the time.
const WORD_BYTES: usize = 9;

/// Microseconds between two updates: few, so that many updates of one session or user fall into one
/// millisecond.
const STEP_US: i64 = 3;

/// 2027-01-15: after every time in any load.
const SENT_MS: i64 = 1_800_000_000_000;

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalMessage {
    pub body: String,
    /// Names and values of text attributes.
    pub attributes: Vec<(String, String)>,
}

impl PortalMessage {
    /// As it is handed to the queue.
    #[must_use]
    pub fn outgoing(&self) -> Outgoing {
        let attributes = self
            .attributes
            .iter()
            .map(|(name, value)| (name.clone(), Attribute::Text(value.clone())))
            .collect();
        Outgoing { body: self.body.clone(), attributes, ..Outgoing::default() }
    }
}

/// Messages in the order of sending, and what must come of them.
#[derive(Debug, Clone)]
pub struct Load {
    pub messages: Vec<PortalMessage>,
    pub expected: Expected,
}

/// The database at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Ids of events; each is there once.
    pub events: BTreeSet<String>,
    /// By session id: `last_accessed` in milliseconds, and the step in its data.
    pub sessions: BTreeMap<String, (i64, i64)>,
    /// By user id: `updated` in milliseconds, and the visits in its data.
    pub cache: BTreeMap<i64, (i64, i64)>,
    /// Dead letters by reason.
    pub dead_letters: BTreeMap<Reason, u64>,
}

/// Makes `count` messages: 70 % events, 20 % session updates, 10 % cache entries, seven of these
/// replaced by broken ones. The same seed makes the same load.
#[must_use]
pub fn load(seed: u64, count: usize) -> Load {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut expected = Expected::default();
    let broken = broken();
    let (updates, entries) = (count / 5, (count / 10).saturating_sub(broken.len()));
    let mut messages =
        events(&mut random, &mut expected, count.saturating_sub(updates + entries + broken.len()));
    messages.extend(session_updates(&mut random, &mut expected, SESSIONS, updates));
    messages.extend(cache_entries(&mut random, &mut expected, entries));
    for (reason, message) in broken {
        *expected.dead_letters.entry(reason).or_default() += 1;
        messages.push(message);
    }
    random.shuffle(&mut messages);
    Load { messages, expected }
}

/// Makes `count` events, with bodies of some `bytes`.
#[must_use]
pub fn large_events(seed: u64, count: usize, bytes: usize) -> Load {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut expected = Expected::default();
    let mut messages = events(&mut random, &mut expected, count);
    // Words, so that it is a text like others; the same, so that what is sent twice is.
    let words = std::iter::repeat_with(|| random.u32(..)).map(|word| format!("{word:x} "));
    let text: String = words.take(bytes / WORD_BYTES).collect();
    for message in &mut messages {
        message.body.truncate(message.body.len() - 1);
        let _ = write!(message.body, r#","page":"{text}"}}"#);
    }
    Load { messages, expected }
}

/// Makes `count` updates of a few sessions, shuffled.
#[must_use]
pub fn hot_sessions(seed: u64, count: usize) -> Load {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut expected = Expected::default();
    let mut messages = session_updates(&mut random, &mut expected, HOT_SESSIONS, count);
    random.shuffle(&mut messages);
    Load { messages, expected }
}

/// The messages of a load, as a queue delivers them.
#[must_use]
pub fn delivered(load: &Load) -> Vec<QueueMessage> {
    let message = |(number, sent): (usize, &PortalMessage)| QueueMessage {
        message_id: format!("00000000-0000-4000-8000-{number:012x}"),
        receipt_handle: format!("handle-{number}").into(),
        body: sent.body.clone(),
        attributes: sent.outgoing().attributes,
        sent_ms: SENT_MS,
        receive_count: 1,
        ..QueueMessage::default()
    };
    load.messages.iter().enumerate().map(message).collect()
}

fn events(random: &mut fastrand::Rng, expected: &mut Expected, count: usize) -> Vec<PortalMessage> {
    let kinds = ["login", "page_view", "add_to_cart", "checkout", "logout"];
    let mut messages = Vec::with_capacity(count);
    for number in 0.. {
        if messages.len() >= count {
            break;
        }
        let id = format!("{number:08x}-{:08x}", random.u32(..));
        let message = plain(&json!({
            "type": "event", "id": id, "user_id": random.usize(..USERS), "event_type": kinds[random.usize(..kinds.len())],
            "timestamp": python_time(STARTED_MS + number),
            "metadata": {"ip": format!("10.0.{}.{}", random.u8(..), random.u8(..)), "agent": "Mozilla/5.0 (X11; Linux x86_64)", "path": "/default/index"},
        }));
        if random.usize(..EVENT_TWICE) == 0 && messages.len() + 1 < count {
            messages.push(message.clone());
        }
        messages.push(message);
        expected.events.insert(id);
    }
    messages
}

fn session_updates(
    random: &mut fastrand::Rng,
    expected: &mut Expected,
    sessions: usize,
    count: usize,
) -> Vec<PortalMessage> {
    let mut messages = Vec::with_capacity(count);
    for step in 0.. {
        if messages.len() >= count {
            break;
        }
        let id = format!("s-{}", random.usize(..sessions));
        let accessed_us = STARTED_MS * 1_000 + step * STEP_US;
        let cart: Vec<_> = (0..random.usize(..4))
            .map(|item| json!({"sku": format!("sku-{item}"), "qty": random.u8(1..9)}))
            .collect();
        let message = plain(&json!({
            "type": "session", "session_id": id, "last_accessed": python_time_us(accessed_us), "data": {"step": step, "cart": cart},
        }));
        if random.usize(..UPDATE_TWICE) == 0 && messages.len() + 1 < count {
            messages.push(message.clone());
        }
        messages.push(message);
        // Steps only grow, so the last one is the newest.
        expected.sessions.insert(id, (accessed_us / 1_000, step));
    }
    messages
}

fn cache_entries(
    random: &mut fastrand::Rng,
    expected: &mut Expected,
    count: usize,
) -> Vec<PortalMessage> {
    let plans = ["free", "pro", "team"];
    (0_i64..)
        .take(count)
        .map(|visits| {
            let user_id = i64::try_from(random.usize(..USERS)).unwrap_or_default();
            let updated_us = STARTED_MS * 1_000 + visits * STEP_US;
            expected.cache.insert(user_id, (updated_us / 1_000, visits));
            plain(&json!({
                "type": "cache", "user_id": user_id, "updated": epoch_seconds(updated_us),
                "data": {"plan": plans[random.usize(..plans.len())], "visits": visits},
            }))
        })
        .collect()
}

/// One message for each of seven reasons: those that are in every load.
#[must_use]
pub fn broken() -> Vec<(Reason, PortalMessage)> {
    let text = |body: &str| PortalMessage { body: body.to_owned(), attributes: Vec::new() };
    vec![
        (Reason::BadJson, text(r#"{"type":"event","user_id":1,"#)),
        (
            Reason::BadEncoding,
            PortalMessage {
                body: "bm90IGd6aXA=".to_owned(),
                attributes: vec![("content-encoding".to_owned(), "gzip".to_owned())],
            },
        ),
        (Reason::UnknownType, text(r#"{"type":"evnet","user_id":1,"event_type":"login"}"#)),
        (Reason::MissingField, text(r#"{"type":"event","user_id":1}"#)),
        (Reason::BadKey, text(r#"{"type":"session","session_id":["s-1"],"data":{}}"#)),
        (
            Reason::BadTime,
            text(r#"{"type":"session","session_id":"s-1","last_accessed":"yesterday","data":{}}"#),
        ),
        (
            Reason::BadName,
            text(r#"{"type":"event","user_id":1,"event_type":"login","metadata":{"$where":"1"}}"#),
        ),
    ]
}

fn plain(body: &serde_json::Value) -> PortalMessage {
    PortalMessage { body: body.to_string(), attributes: Vec::new() }
}

/// A time as `str(datetime)` prints it in Python: no offset, a space for the `T`, microseconds.
fn python_time(millis: i64) -> String {
    python_time_us(millis * 1_000)
}

/// As `time.time()` gives it.
#[expect(clippy::cast_precision_loss, reason = "below 2^53")]
fn epoch_seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

fn python_time_us(micros: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(micros).unwrap_or_default();
    time.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_has_the_shares_it_promises() {
        let load = load(7, 20_000);
        let of = |kind: &str| {
            load.messages
                .iter()
                .filter(|message| message.body.contains(&format!(r#""type":"{kind}""#)))
                .count()
        };
        assert_eq!(load.messages.len(), 20_000);
        assert!((13_990..=14_010).contains(&of("event")), "{}", of("event"));
        assert!((3_990..=4_010).contains(&of("session")), "{}", of("session"));
        assert!((1_990..=2_010).contains(&of("cache")), "{}", of("cache"));
        assert!(load.expected.events.len() < of("event"), "some events are sent twice");
        assert_eq!(load.expected.dead_letters.len(), 7);
        assert_eq!(super::load(7, 20_000).messages, load.messages);
    }

    #[test]
    fn large_events_are_events_of_that_size() {
        let load = large_events(7, 20, 64 * 1024);
        for message in &load.messages {
            assert!((60_000..68_000).contains(&message.body.len()), "{}", message.body.len());
            let body: serde_json::Value = serde_json::from_str(&message.body).unwrap();
            assert!(load.expected.events.contains(body["id"].as_str().unwrap()));
        }
    }

    #[test]
    fn times_look_as_python_prints_them() {
        assert_eq!(python_time(1_795_341_605_123), "2026-11-22 10:00:05.123000");
    }
}
