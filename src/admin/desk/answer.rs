//! Dead letters as JSON. Every text in it was written by somebody else, and is made harmless here.

use std::sync::Arc;

use bson::{Bson, Document};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::admin::letters::{Groups, Trouble};
use crate::dead_letter::group::{Alike, Group};
use crate::dead_letter::search::Search;
use crate::harmless::{harmless, harmless_lines};
use crate::message::Reason;

/// Bytes of a text that are told, and of a body. The command `export` has them whole.
const TEXT_BYTES_MAX: usize = 2 << 10;
const BODY_BYTES_MAX: usize = 32 << 10;

/// Fields of a letter that tell it from others.
const LISTED: [&str; 8] =
    ["dead_lettered", "reason", "text", "place", "route", "type", "sender", "message_id"];

/// Fields that one letter has besides.
const BESIDES: [&str; 8] = [
    "server_code",
    "queue",
    "sent",
    "origin_time",
    "receive_count",
    "trace_id",
    "first_dead_lettered",
    "times",
];

/// The same that are of the person whom a message is about, or may be, as its body is.
const OF_PEOPLE: [&str; 5] = ["key", "users", "origin_id", "message_group", "sequence"];

/// What is not even asked for where `admin.show_bodies` is off. A program that edited a letter may hold its data.
const WITHHELD: [&str; 9] = [
    "key",
    "users",
    "origin_id",
    "message_group",
    "group",
    "sequence",
    "attributes",
    "body",
    "replays.edit",
];

/// Replays that are told, the newest.
const REPLAYS_MAX: usize = 20;

const AMBIGUOUS: &str = "two groups have this id: use `longshore dead-letters`, and choose one by --reason, --place, --type and --sender";

/// The fields that the database need not send.
pub fn withheld(shows_bodies: bool) -> &'static [&'static str] {
    if shows_bodies { &[] } else { &WITHHELD }
}

/// An answer of the database.
pub enum Told {
    Groups(Groups, Narrowed),
    OfGroup(Box<OfGroup>),
    One {
        /// Two where the id is that of several messages, none where there is none.
        found: Vec<Document>,
        shows_bodies: bool,
    },
}

/// One group, and its newest letters.
#[derive(Default)]
pub struct OfGroup {
    pub id: String,
    /// `None` where there is no group of this id.
    pub alike: Option<Alike>,
    /// `None` where no letter of it stands, or counting them takes too long.
    pub counted: Option<Group>,
    pub letters: Vec<Document>,
    pub is_all: bool,
    /// How many were replayed, where none stands.
    pub replayed: Option<u64>,
    pub narrowed: Narrowed,
}

/// What narrows a command as the page is narrowed. The rest of what can be looked for is in the group.
#[derive(Default)]
pub struct Narrowed {
    flags: String,
    /// Whether the command takes letters that the page leaves out.
    is_whole: bool,
}

impl Narrowed {
    /// A command holds the time as it is written here, and a route of the configuration alone.
    pub fn by(search: &Search, routes: &[String]) -> Self {
        let is_plain = |name: &str| {
            name.starts_with(|char: char| char.is_ascii_alphanumeric())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        };
        let since = search.since_ms.map(|ms| format!(" --since {}", time(ms)));
        let named = search.route.as_ref().filter(|name| routes.contains(name) && is_plain(name));
        let route = named.map(|name| format!(" --route {name}"));
        let is_whole = search.route.is_some() && route.is_none();
        Self { flags: [since, route].into_iter().flatten().collect(), is_whole }
    }
}

impl Told {
    /// The answer of that time as JSON, and the groups that it tells.
    pub fn json(self, at: Timestamp) -> (Arc<str>, Vec<Alike>) {
        let (mut answer, alikes) = match self {
            Self::Groups(Groups { groups, letters, is_all }, narrowed) => {
                let told: Vec<_> = groups.iter().map(|one| group(one, &narrowed)).collect();
                let answer = json!({ "total": letters, "is_all": is_all, "groups": told });
                (answer, groups.into_iter().map(|group| group.alike).collect())
            }
            Self::OfGroup(of) => {
                let letters: Vec<_> =
                    of.letters.iter().map(|letter| fields(letter, &LISTED)).collect();
                let told = of.alike.as_ref().map(|alike| of.group(alike));
                let answer = json!({
                    "group": of.id, "of": told, "letters": letters, "is_all": of.is_all,
                    "replayed": of.replayed,
                });
                (answer, of.alike.into_iter().collect())
            }
            Self::One { found, .. } if found.len() > 1 => {
                let ids: Vec<_> = found.iter().map(|letter| value(letter.get("_id"))).collect();
                (json!({ "letter": null, "several": ids }), Vec::new())
            }
            Self::One { found, shows_bodies } => {
                let letter = found.first().map(|letter| whole(letter, shows_bodies));
                (json!({ "letter": letter, "shows_bodies": shows_bodies }), Vec::new())
            }
        };
        answer["asked_at"] = format!("{at:.0}").into();
        answer["trouble"] = Value::Null;
        (answer.to_string().into(), alikes)
    }
}

/// Why there is no answer.
pub fn trouble(trouble: &Trouble) -> Arc<str> {
    match trouble {
        Trouble::Unasked(why) | Trouble::TooLong(why) => unasked(why),
        Trouble::Ambiguous => json!({ "trouble": AMBIGUOUS }).to_string().into(),
    }
}

pub fn unasked(why: &str) -> Arc<str> {
    let trouble = format!("the database cannot be asked: {}", harmless(why));
    json!({ "trouble": trouble }).to_string().into()
}

impl OfGroup {
    /// The group as the list tells it, as far as that is known.
    fn group(&self, alike: &Alike) -> Value {
        if let Some(counted) = &self.counted {
            return group(counted, &self.narrowed);
        }
        let mut told = of_alike(alike, &self.narrowed);
        let newest = self.letters.first().and_then(|letter| letter.get_str("message_id").ok());
        told["show"] = newest.and_then(show).into();
        told["sample"] = newest.map(|id| cut(&harmless(id), TEXT_BYTES_MAX)).into();
        if self.letters.is_empty() {
            told["letters"] = 0.into();
        }
        told
    }
}

fn group(Group { alike, letters, first, last, sample }: &Group, narrowed: &Narrowed) -> Value {
    let mut told = of_alike(alike, narrowed);
    told["letters"] = (*letters).into();
    told["first"] = time(first.millis()).into();
    told["last"] = time(last.millis()).into();
    told["sample"] = sample.as_ref().map(|id| cut(&harmless(id), TEXT_BYTES_MAX)).into();
    told["show"] = sample.as_deref().and_then(show).into();
    told
}

/// All but what is counted.
fn of_alike(alike: &Alike, narrowed: &Narrowed) -> Value {
    let (id, flags) = (alike.id(), &narrowed.flags);
    let text = |text: Option<&String>| text.map(|text| cut(&harmless(text), TEXT_BYTES_MAX));
    let replay = format!("longshore dead-letters replay --group {id}{flags} --dry-run");
    json!({
        "group": id,
        "letters": null,
        "reason": text(Some(&alike.reason)),
        "place": text(alike.place.as_ref()),
        "type": text(alike.kind.as_ref()),
        "sender": text(alike.sender.as_ref()),
        "first": null,
        "last": null,
        "sample": null,
        "meaning": reason(&alike.reason).map(Reason::meaning),
        "fix": reason(&alike.reason).map(Reason::fix),
        "show": null,
        "replay": replay,
        "replay_is_whole": narrowed.is_whole,
    })
}

/// The command that shows a letter. Nobody may make a command of an id, so it is none where the id is not
/// of digits and dashes alone, as those of SQS are.
fn show(id: &str) -> Option<String> {
    let is_digit = |byte: u8| byte.is_ascii_hexdigit();
    let is_plain = id.len() <= 64
        && id.bytes().next().is_some_and(is_digit)
        && id.bytes().all(|byte| is_digit(byte) || byte == b'-');
    is_plain.then(|| format!("longshore dead-letters show {id}"))
}

fn reason(code: &str) -> Option<Reason> {
    Reason::named(code).ok()
}

fn fields(letter: &Document, names: &[&str]) -> Value {
    let mut told = Map::new();
    // What finds it again, so as it stands: a record that this program wrote has a harmless one.
    let id = letter.get_str("_id").ok().filter(|id| harmless(id) == *id);
    told.insert("id".to_owned(), id.into());
    for name in names {
        told.insert((*name).to_owned(), value(letter.get(name)));
    }
    Value::Object(told)
}

/// A letter with all that is told of it.
fn whole(letter: &Document, shows_bodies: bool) -> Value {
    let mut told = fields(letter, &[&LISTED[..], &BESIDES[..]].concat());
    let reason = letter.get_str("reason").ok().and_then(reason);
    told["meaning"] = reason.map(Reason::meaning).into();
    told["fix"] = reason.map(Reason::fix).into();
    told["show"] = letter.get_str("message_id").ok().and_then(show).into();
    // A record of an earlier version stands.
    told["stands"] = (letter.get("stands") != Some(&Bson::Boolean(false))).into();
    let replays = letter.get_array("replays").map(Vec::as_slice).unwrap_or_default();
    told["replays"] = replays
        .iter()
        .rev()
        .filter_map(Bson::as_document)
        .take(REPLAYS_MAX)
        .map(|replay| replayed(replay, shows_bodies))
        .collect();
    told["replays_are_all"] = (replays.len() <= REPLAYS_MAX).into();
    if shows_bodies {
        for name in OF_PEOPLE {
            told[name] = value(letter.get(name));
        }
        // So it is called in records of version 1.
        if told["message_group"].is_null() {
            told["message_group"] = value(letter.get("group"));
        }
        let attributes = letter.get_array("attributes").map(Vec::as_slice).unwrap_or_default();
        let attributes = attributes.iter().filter_map(Bson::as_document);
        told["attributes"] = attributes
            .map(|entry| json!({ "name": value(entry.get("name")), "value": value(entry.get("value")) }))
            .collect();
        let body = letter.get_str("body").ok();
        told["body"] = body.map(|body| harmless_lines(&cut(body, BODY_BYTES_MAX))).into();
        told["body_bytes"] = body.map(str::len).into();
    }
    told
}

/// When, by whom, and as which message: none where it went into the database.
fn replayed(replay: &Document, shows_bodies: bool) -> Value {
    let told = |name: &str| value(replay.get(name));
    let mut said = json!({ "at": told("at"), "by": told("by"), "message_id": told("message_id") });
    if shows_bodies {
        said["edit"] = told("edit");
    }
    said
}

fn value(value: Option<&Bson>) -> Value {
    /// What a script holds exactly: 2^53.
    const INTEGER_MAX: u64 = 1 << 53;
    match value {
        None | Some(Bson::Null) => Value::Null,
        Some(Bson::String(text)) => cut(&harmless(text), TEXT_BYTES_MAX).into(),
        Some(Bson::Boolean(is)) => (*is).into(),
        Some(Bson::DateTime(at)) => time(at.timestamp_millis()).into(),
        Some(Bson::Int32(number)) => (*number).into(),
        Some(Bson::Int64(number)) if number.unsigned_abs() < INTEGER_MAX => (*number).into(),
        Some(Bson::Array(items)) => items.iter().map(|item| self::value(Some(item))).collect(),
        Some(other) => cut(&harmless(&other.to_string()), TEXT_BYTES_MAX).into(),
    }
}

/// RFC 3339, in UTC, to the millisecond.
fn time(millis: i64) -> String {
    Timestamp::from_millisecond(millis)
        .map_or_else(|_| millis.to_string(), |time| format!("{time:.3}"))
}

/// The first bytes of a text, which says that there were more.
fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(bytes_max)])
}

#[cfg(test)]
mod tests {
    use bson::{DateTime, doc};

    use super::*;

    const HOSTILE: &str = "<script>\u{1b}[2J\u{202e}\"'";
    const HARMLESS: &str = "<script>\\u{1b}[2J\\u{202e}\"'";

    fn told(told: Told) -> Value {
        serde_json::from_str(&told.json(Timestamp::UNIX_EPOCH).0).expect("JSON")
    }

    fn one(letter: Document, shows_bodies: bool) -> Value {
        told(Told::One { found: vec![letter], shows_bodies })["letter"].take()
    }

    #[test]
    fn a_command_holds_an_id_and_nothing_else_of_a_sender() {
        let id = "883ac385-1b21-4acb-8761-2b7f54c75a77";
        assert_eq!(show(id), Some(format!("longshore dead-letters show {id}")));
        for id in ["", "-rf", "m;1", "$(m)", "a b", "é", &"a".repeat(65)] {
            assert_eq!(show(id), None, "{id}");
        }
        let hostile = || Some(HOSTILE.to_owned());
        let alike = Alike {
            reason: "bad_time".to_owned(),
            kind: hostile(),
            sender: hostile(),
            place: hostile(),
        };
        let id = alike.id();
        let at = crate::time::Time::from_millis(0);
        let group = Group { alike, letters: 1, first: at, last: at, sample: hostile() };
        let group = super::group(&group, &Narrowed::default());
        assert_eq!(
            group["replay"],
            format!("longshore dead-letters replay --group {id} --dry-run")
        );
        assert_eq!((&group["show"], &group["type"]), (&Value::Null, &HARMLESS.into()));
        assert_eq!(group["meaning"], Reason::BadTime.meaning());
    }

    #[test]
    fn a_letter_is_told_with_harmless_words_and_without_its_body_unless_that_may_be_shown() {
        let letter = doc! {
            "_id": "q/m", "reason": HOSTILE, "type": HOSTILE, "key": 1_i64 << 60, "users": [HOSTILE, 7_i64],
            "dead_lettered": DateTime::from_millis(0), "body": format!("{HOSTILE}\n"),
            "attributes": [{ "name": HOSTILE, "value": HOSTILE }],
        };
        let told = one(letter.clone(), true);
        assert_eq!((&told["type"], &told["reason"]), (&HARMLESS.into(), &HARMLESS.into()));
        assert_eq!(
            (&told["meaning"], &told["dead_lettered"]),
            (&Value::Null, &"1970-01-01T00:00:00.000Z".into())
        );
        assert_eq!(
            (&told["users"], &told["key"]),
            (&json!([HARMLESS, 7]), &(1_u64 << 60).to_string().into())
        );
        assert_eq!(
            (&told["body"], &told["body_bytes"]),
            (&format!("{HARMLESS}\n").into(), &json!(HOSTILE.len() + 1))
        );
        assert_eq!(told["attributes"], json!([{ "name": HARMLESS, "value": HARMLESS }]));
        let told = one(letter, false).to_string();
        for name in WITHHELD {
            assert!(!told.contains(&format!("\"{name}\"")), "{name}: {told}");
        }
    }

    #[test]
    fn a_command_is_narrowed_as_the_page_is_by_words_of_this_side_alone() {
        let routes = ["event", "a b", "-x", "$(m)"].map(str::to_owned);
        let by = |since_ms, route: Option<&str>| {
            let search = Search { since_ms, route: route.map(str::to_owned), ..Search::default() };
            let Narrowed { flags, is_whole } = Narrowed::by(&search, &routes);
            (flags, is_whole)
        };
        let since = " --since 1970-01-01T00:00:00.005Z";
        assert_eq!(by(None, None), (String::new(), false));
        assert_eq!(by(Some(5), Some("event")), (format!("{since} --route event"), false));
        for route in ["other", "a b", "-x", "$(m)", HOSTILE] {
            assert_eq!(by(Some(5), Some(route)), (since.to_owned(), true), "{route}");
        }
        let alike = Alike { reason: "bad_time".to_owned(), ..Alike::default() };
        let search = Search { route: Some("event".to_owned()), ..Search::default() };
        let group = of_alike(&alike, &Narrowed::by(&search, &routes));
        let replay =
            format!("longshore dead-letters replay --group {} --route event --dry-run", alike.id());
        assert_eq!((&group["replay"], &group["replay_is_whole"]), (&replay.into(), &false.into()));
    }

    #[test]
    fn replays_are_told_in_harmless_words_and_their_edits_only_where_bodies_are() {
        let replay = doc! {
            "at": DateTime::from_millis(0), "by": HOSTILE, "message_id": HOSTILE, "edit": HOSTILE,
        };
        let direct = doc! { "at": DateTime::from_millis(7), "by": "ada", "message_id": null };
        let letter = doc! {
            "_id": "q/m", "times": 2, "stands": false, "first_dead_lettered": DateTime::from_millis(0),
            "replays": [replay, 7, direct],
        };
        let told = one(letter.clone(), true);
        assert_eq!((&told["times"], &told["stands"]), (&json!(2), &json!(false)));
        assert_eq!(told["first_dead_lettered"], "1970-01-01T00:00:00.000Z");
        let direct = json!({ "at": "1970-01-01T00:00:00.007Z", "by": "ada", "message_id": null, "edit": null });
        let first = json!({ "at": "1970-01-01T00:00:00.000Z", "by": HARMLESS, "message_id": HARMLESS, "edit": HARMLESS });
        assert_eq!(told["replays"], json!([direct, first]), "the newest first");
        assert!(!one(letter, false).to_string().contains("edit"));
        let many: Vec<_> = (0..=REPLAYS_MAX).map(|_| doc! { "by": "ada" }).collect();
        let told = one(doc! { "replays": many }, true);
        assert_eq!(told["replays"].as_array().map(Vec::len), Some(REPLAYS_MAX));
        assert_eq!((&told["replays_are_all"], &told["stands"]), (&json!(false), &json!(true)));
    }

    #[test]
    fn what_is_long_is_cut_between_two_characters() {
        assert_eq!(cut("€€", 4), "€…");
        let letter = doc! { "_id": "q/m", "text": "€".repeat(9_999), "body": "€".repeat(99_999) };
        let told = one(letter, true);
        let bytes = |name: &str| told[name].as_str().map_or(0, str::len);
        assert!(bytes("text") <= TEXT_BYTES_MAX + 3 && bytes("body") <= BODY_BYTES_MAX + 3);
        assert_eq!(told["body_bytes"], 299_997);
    }

    #[test]
    fn a_record_of_any_form_is_told() {
        for letter in [
            doc! {},
            doc! { "_id": 7, "reason": 7, "dead_lettered": "x", "attributes": 7, "body": 7 },
            doc! { "_id": HOSTILE, "attributes": [7] },
        ] {
            assert_eq!(one(letter, true)["id"], Value::Null, "nothing finds it again");
        }
        let of_version_1 = one(doc! { "group": "g" }, true);
        assert_eq!(of_version_1["message_group"], "g");
    }
}
