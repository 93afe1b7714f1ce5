//! What the producers send, and what each message means by the message contract. The meaning is written down when the body
//! is, so that nothing here reads a body as the product does.

use longshore::message::Attribute;

use super::dice::Dice;
use super::fault::Fault;
use super::history::History;
use super::plan::Plan;

/// 2026-11-22T10:00:00Z, when every world begins.
pub const EPOCH_MS: i64 = 1_795_341_600_000;

/// The largest message of these producers: small, so that small limits bind.
pub const MESSAGE_BYTES_MAX: usize = 2_048;

/// A message that is sent twice or that conflicts follows its like at most this far behind.
const REPEATED_WITHIN: usize = 20;

#[derive(Clone)]
pub struct Sent {
    pub body: String,
    pub attributes: Vec<(String, Attribute)>,
    pub group: String,
    pub at_ms: u64,
    pub meaning: Meaning,
    /// What the store makes of it.
    pub mark: Option<Mark>,
}

impl Sent {
    /// Whether the store will never take it.
    pub fn is_refused(&self) -> bool {
        self.mark.is_some_and(|mark| !mark.is_taken_in_the_end())
    }
}

#[derive(Debug, Clone)]
pub enum Meaning {
    /// A document of its own with this content. `id` is the producer's; else the origin names it.
    Event { content: usize, id: Option<String> },
    /// All of the document `key`, at `stamp`.
    Whole { collection: &'static str, key: String, stamp: Stamp, content: usize, extra: bool, expired: bool },
    /// Some fields of the document `key`, at `stamp`.
    Partial { key: String, stamp: Stamp, content: usize, fields: Vec<&'static str> },
    /// Nothing: it is to be dead-lettered for this reason.
    Poison(&'static str),
}

/// A version: the version field's time, the origin's time, the origin's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    pub time_ms: i64,
    pub origin_ms: i64,
    pub origin_id: String,
}

/// What makes the store refuse an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Refused,
    UnknownCode,
    ReplyTooLarge,
    CommandRefused,
    /// While faults last; then it is taken.
    Unconfirmed,
    /// The same.
    BreaksConnection,
}

impl Mark {
    pub const ALL: [(Self, Fault); 6] = [
        (Self::Refused, Fault::ItemRefused),
        (Self::UnknownCode, Fault::ItemUnknownCode),
        (Self::ReplyTooLarge, Fault::ReplyTooLarge),
        (Self::CommandRefused, Fault::CommandRefused),
        (Self::Unconfirmed, Fault::ItemUnconfirmed),
        (Self::BreaksConnection, Fault::ItemBreaksConnection),
    ];

    pub fn fault(self) -> Fault {
        Self::ALL.iter().find(|(mark, _)| *mark == self).expect("all are there").1
    }

    /// Whether it strikes what stands beside it in a command, and alone is like another.
    pub fn is_of_commands(self) -> bool {
        matches!(self, Self::CommandRefused | Self::ReplyTooLarge)
    }

    /// Whether the store takes the item in the end.
    pub fn is_taken_in_the_end(self) -> bool {
        matches!(self, Self::Unconfirmed | Self::BreaksConnection)
    }

    /// The text in the body by which the store knows it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Refused => "mark:refused",
            Self::UnknownCode => "mark:unknown",
            Self::ReplyTooLarge => "mark:reply",
            Self::CommandRefused => "mark:command",
            Self::Unconfirmed => "mark:unconfirmed",
            Self::BreaksConnection => "mark:breaks",
        }
    }
}

/// The id that the queue gives to the message with this number.
pub fn message_id(number: usize) -> String {
    format!("m{number}")
}

/// Draws all messages of a world, in the order of sending.
pub fn draw(plan: &Plan, dice: &Dice, history: &History) -> Vec<Sent> {
    let span = u64::try_from(plan.sending.as_millis()).expect("minutes");
    let mut at: Vec<u64> = (0..plan.messages).map(|_| u64::try_from(dice.between_ms(0, span).as_millis()).expect("minutes")).collect();
    at.sort_unstable();
    let mut sent: Vec<Sent> = Vec::with_capacity(plan.messages);
    let draws = |fault: Fault| dice.chance(plan.rate(fault));
    let saw = |fault: Fault| history.saw(fault);
    let strikes = |fault: Fault| {
        let strikes = draws(fault);
        if strikes {
            saw(fault);
        }
        strikes
    };
    for (number, at_ms) in at.into_iter().enumerate() {
        let before = (number > 0).then(|| number - 1 - dice.below(number.min(REPEATED_WITHIN)));
        if let Some(before) = before
            && draws(Fault::SentTwice)
            && let Some(again) = again(&sent[before], at_ms)
        {
            saw(Fault::SentTwice);
            sent.push(again);
            continue;
        }
        let draft = Draft { number, at_ms, dice, keys: plan.keys, is_flood: plan.is_flood, draws: &draws, saw: &saw, strikes: &strikes };
        sent.push(draft.message(before.map(|before| &sent[before])));
    }
    sent
}

/// The same message sent once more by its producer. Only one that says who it is can be recognised.
fn again(message: &Sent, at_ms: u64) -> Option<Sent> {
    let named = message.attributes.iter().any(|(name, _)| name == "longshore-id");
    let has_id = matches!(&message.meaning, Meaning::Event { id: Some(_), .. });
    (named || has_id).then(|| Sent { at_ms, ..message.clone() })
}

struct Draft<'a> {
    number: usize,
    at_ms: u64,
    dice: &'a Dice,
    keys: usize,
    is_flood: bool,
    /// Whether a fault is to be sent; how to count it; and both at once.
    draws: &'a dyn Fn(Fault) -> bool,
    saw: &'a dyn Fn(Fault),
    strikes: &'a dyn Fn(Fault) -> bool,
}

impl Draft<'_> {
    fn message(&self, before: Option<&Sent>) -> Sent {
        let mark = Mark::ALL.iter().find(|(_, fault)| (self.draws)(*fault)).map(|(mark, _)| *mark);
        let named = self.dice.chance(0.3);
        // A clock of tens of seconds: often the ids alone tell which is newer.
        let origin_ms = if named { self.sent_ms() / 10_000 * 10_000 } else { self.sent_ms() };
        // The longer is the newer, though by its letters it is the older.
        let prefix = ["zz", "yyy", "xxxx"][self.number % 3];
        let origin_id = if named { format!("{prefix}-{}", self.number) } else { message_id(self.number) };
        let origin = Stamp { time_ms: origin_ms, origin_ms, origin_id };
        let (body, meaning) = if (self.strikes)(Fault::Poison) {
            self.poison()
        } else {
            match if self.is_flood { 0 } else { self.dice.below(6) } {
                0 | 1 => self.event(mark, before),
                2 | 3 => self.whole(["session", "cache"][self.dice.below(2)], origin.clone(), mark),
                4 => self.whole(["seat", "lease"][self.dice.below(2)], origin.clone(), mark),
                _ => self.partial(origin.clone(), mark),
            }
        };
        let text = |name: &str, value: String| (name.to_owned(), Attribute::Text(value));
        let attributes =
            if named { vec![text("longshore-id", origin.origin_id), text("longshore-time", (origin_ms).to_string())] } else { Vec::new() };
        let mark = if matches!(meaning, Meaning::Poison(_)) { None } else { mark };
        let group = format!("g{}", self.dice.below(self.keys));
        Sent { body, attributes, group, at_ms: self.at_ms, meaning, mark }
    }

    fn sent_ms(&self) -> i64 {
        EPOCH_MS + i64::try_from(self.at_ms).expect("minutes")
    }

    fn event(&self, mark: Option<Mark>, before: Option<&Sent>) -> (String, Meaning) {
        let conflict = before.and_then(|before| match &before.meaning {
            Meaning::Event { id: Some(id), .. } if (self.strikes)(Fault::IdConflict) => Some(id.clone()),
            _ => None,
        });
        let id = conflict.or_else(|| self.dice.chance(0.5).then(|| format!("e{}", self.number)));
        let given = id.as_ref().map(|id| format!(r#""id":"{id}","#)).unwrap_or_default();
        let kind = mark.map_or("login", Mark::text);
        let content = self.number;
        // Zeros grow: each is two bytes of JSON, and six times as many in the store.
        let zeros = if (self.strikes)(Fault::Large) { vec!["0"; self.dice.below(850)].join(",") } else { String::new() };
        let body = format!(
            r#"{{"type":"event",{given}"user_id":{content},"event_type":"{kind}","metadata":{{"n":{content},"zeros":[{zeros}]}}}}"#
        );
        (body, Meaning::Event { content, id })
    }

    /// The version field, as the body has it, and the version. Without the field the origin's time stands in.
    fn version(&self, field: &str, origin: Stamp, expired: bool) -> (String, Stamp) {
        let ahead_ms = if expired {
            -60 * 3_600_000
        } else if (self.draws)(Fault::SentOutOfOrder) {
            // Within the skew that is allowed, and not past any TTL.
            let ahead_ms = i64::try_from(self.dice.between_ms(0, 1_200_000).as_millis()).expect("minutes") - 600_000;
            if ahead_ms < 0 {
                (self.saw)(Fault::SentOutOfOrder);
            }
            ahead_ms
        } else if self.dice.chance(0.3) {
            // Many at one moment: the origin decides.
            EPOCH_MS - self.sent_ms()
        } else {
            0
        };
        let time_ms = self.sent_ms() + ahead_ms;
        if ahead_ms == 0 && self.dice.chance(0.3) {
            return (String::new(), Stamp { time_ms: origin.origin_ms, ..origin });
        }
        (format!(r#","{field}":{time_ms}"#), Stamp { time_ms, ..origin })
    }

    fn whole(&self, kind: &str, origin: Stamp, mark: Option<Mark>) -> (String, Meaning) {
        let (collection, key_field, version_field) = match kind {
            "session" => ("sessions", "session_id", "last_accessed"),
            "cache" => ("user_cache", "user_id", "updated"),
            "seat" => ("seats", "seat", "at"),
            _ => ("leases", "lease", "at"),
        };
        let expired = collection == "leases" && (self.strikes)(Fault::SentTooLate);
        let (version, stamp) = self.version(version_field, origin, expired);
        let key = format!("k{}", self.dice.below(self.keys));
        let content = self.number;
        let extra = collection == "seats" && self.dice.chance(0.5);
        let extra_field = if extra { format!(r#","extra":{content}"#) } else { String::new() };
        let mark = mark.map_or("", Mark::text);
        let body = format!(r#"{{"type":"{kind}","{key_field}":"{key}"{version},"data":{{"n":{content},"mark":"{mark}"}}{extra_field}}}"#);
        (body, Meaning::Whole { collection, key, stamp, content, extra, expired })
    }

    fn partial(&self, origin: Stamp, mark: Option<Mark>) -> (String, Meaning) {
        let (version, stamp) = self.version("at", origin, false);
        let key = format!("k{}", self.dice.below(self.keys));
        let content = self.number;
        let mut fields: Vec<&'static str> = ["a", "b", "c"].into_iter().filter(|_| self.dice.chance(0.5)).collect();
        // A refused message with several fields would be refused for those that are new: then the rest is lost with it,
        // which is as it should be, but depends on the order. One field depends on nothing.
        if fields.is_empty() || mark.is_some() {
            fields = vec!["a"];
        }
        let mark = mark.map_or("", Mark::text);
        let values = fields.iter().map(|field| format!(r#","{field}":{{"n":{content},"mark":"{mark}"}}"#)).collect::<Vec<_>>().concat();
        let body = format!(r#"{{"type":"profile","who":"{key}"{version}{values}}}"#);
        (body, Meaning::Partial { key, stamp, content, fields })
    }

    fn poison(&self) -> (String, Meaning) {
        let content = self.number;
        let (body, reason) = match self.dice.below(8) {
            0 => (format!(r#"{{"type":"event","user_id":{content}"#), "bad_json"),
            1 => (format!(r#"{{"type":"unheard-of","n":{content}}}"#), "unknown_type"),
            2 => (format!(r#"{{"user_id":{content}}}"#), "missing_type"),
            3 => (format!(r#"{{"type":"event","user_id":{content}}}"#), "missing_field"),
            4 => (format!(r#"{{"type":"session","session_id":[{content}],"data":{{}}}}"#), "bad_key"),
            5 => (format!(r#"{{"type":"cache","user_id":"k0","updated":"soon","data":{content}}}"#), "bad_time"),
            6 => (format!(r#"{{"type":"cache","user_id":"k0","a.b":{content},"data":1}}"#), "bad_name"),
            _ => (format!(r#"{{"type":"seat","seat":"k0","data":{content},"colour":1}}"#), "unknown_field"),
        };
        (body, Meaning::Poison(reason))
    }
}
