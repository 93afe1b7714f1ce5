//! One message: its body, its attributes, and what it means.

use longshore::message::Attribute;

use crate::simulation::dice::Dice;
use crate::simulation::fault::Fault;
use crate::simulation::plan::Plan;

use super::habit::{Form, Given, Habit, Naming};
use super::stamp::{Line, Stamp};
use super::{Mark, Meaning, PRODUCERS, Sent, sent_ms, sequence, text_attribute};

/// Badges that are given out: few, so that two want one.
const BADGES: usize = 4;

#[derive(Clone)]
pub struct Draft<'a> {
    pub number: usize,
    pub at_ms: u64,
    /// When the producer makes it, by its own clock, which never stands still.
    pub moment_ns: i128,
    pub dice: &'a Dice,
    pub plan: &'a Plan,
    /// By producer and key.
    pub habits: &'a [Habit],
    /// Whether it is not sent, but replayed later: to the queue it is another message then.
    pub is_replay: bool,
    /// Whether a fault is to be sent; how to count it; and both at once.
    pub draws: &'a dyn Fn(Fault) -> bool,
    pub saw: &'a dyn Fn(Fault),
    pub strikes: &'a dyn Fn(Fault) -> bool,
}

/// By what another message could be taken for this one.
#[derive(Debug, Clone)]
pub enum Named {
    Nothing,
    Update(Said),
    Event(EventName),
}

/// What an update says beside its content.
#[derive(Debug, Clone)]
pub struct Said {
    kind: &'static str,
    key: usize,
    producer: usize,
    /// The version field with its name, in JSON.
    version: String,
    pub given: Option<Given>,
    attributes: Vec<(String, Attribute)>,
    stamp: Stamp,
    expired: bool,
}

/// The identity that a producer gives an event.
#[derive(Debug, Clone)]
pub enum EventName {
    Id(String),
    Given(Given),
    /// The id of a `CloudEvents` event without a time.
    Cloud(String),
}

impl EventName {
    fn identity(&self) -> String {
        match self {
            Self::Id(id) => id.clone(),
            Self::Given(given) => format!("{} at {}", given.id, given.origin_ns),
            Self::Cloud(id) => format!("cloud {id}"),
        }
    }
}

impl Draft<'_> {
    /// `before` is a message that this one may repeat in part, `last` one of the same millisecond.
    pub fn message(&self, before: Option<&Sent>, last: Option<&Sent>) -> Sent {
        let mark = Mark::ALL.iter().find(|(_, fault)| (self.draws)(*fault)).map(|(mark, _)| *mark);
        if let Some(Sent { named: Named::Update(said), .. }) = before
            && said.given.is_some()
            && (self.strikes)(Fault::IdentityTwice)
        {
            return self.update(said.clone(), mark);
        }
        if !self.is_replay && (self.strikes)(Fault::Poison) {
            let (body, meaning) = self.poison();
            return Sent::plain(body, self.any_group(), self.at_ms, meaning);
        }
        if let Some(Sent { named: Named::Update(said), .. }) = last
            && self.dice.chance(0.7)
        {
            return self.update(self.said(said.kind, said.key, said.producer), mark);
        }
        if let Some(kind) = self.kind_of_others() {
            return self.update(
                self.said(kind, self.dice.below(self.plan.keys), self.dice.below(PRODUCERS)),
                mark,
            );
        }
        let is_flood = self.plan.is_flood || self.plan.small_first > 0;
        let kind = match if is_flood { 0 } else { self.dice.below(6) } {
            0 | 1 => return self.event(mark, before),
            2 | 3 => ["session", "cache"][self.dice.below(2)],
            4 => ["seat", "lease"][self.dice.below(2)],
            _ => "profile",
        };
        let (key, producer) = (self.dice.below(self.plan.keys), self.dice.below(PRODUCERS));
        self.update(self.said(kind, key, producer), mark)
    }

    /// An update about which more than its version decides.
    fn kind_of_others(&self) -> Option<&'static str> {
        let has = |faults: &[Fault]| faults.iter().any(|fault| self.plan.rate(*fault) > 0.0);
        let kinds = [
            ("desk", self.plan.has_others()),
            ("badge", has(&[Fault::SecondIndex, Fault::SecondIndexRaced])),
            ("shift", has(&[Fault::Validated])),
        ];
        kinds
            .into_iter()
            .find(|(_, is_there)| *is_there && self.dice.chance(0.25))
            .map(|(kind, _)| kind)
    }

    /// No two messages have the same.
    fn content(&self) -> usize {
        if self.is_replay { self.number + 10_000 } else { self.number }
    }

    fn any_group(&self) -> String {
        group(self.dice.below(self.plan.keys))
    }

    fn event(&self, mark: Option<Mark>, before: Option<&Sent>) -> Sent {
        let name = before.and_then(|before| self.name_of(before)).or_else(|| self.event_name());
        let kind = mark.map_or("login", Mark::text);
        let content = self.content();
        // Zeros grow: each is two bytes of JSON, and six times as many in the store.
        let zeros = if self.number >= self.plan.small_first && (self.strikes)(Fault::Large) {
            vec!["0"; self.dice.below(850)].join(",")
        } else {
            String::new()
        };
        let fields = format!(
            r#""user_id":{content},"event_type":"{kind}","metadata":{{"n":{content},"zeros":[{zeros}]}}"#
        );
        let mut attributes = Vec::new();
        let body = match &name {
            Some(EventName::Id(id)) => format!(r#"{{"type":"event","id":"{id}",{fields}}}"#),
            Some(EventName::Cloud(id)) if self.dice.chance(0.5) => {
                format!(
                    r#"{{"specversion":"1.0","type":"event","source":"/simulated","id":"{id}","data":{{{fields}}}}}"#
                )
            }
            Some(EventName::Cloud(id)) => {
                let text = [
                    ("ce-specversion", "1.0"),
                    ("ce-type", "event"),
                    ("ce-source", "/simulated"),
                    ("ce-id", id),
                ];
                attributes = text.map(|(name, value)| text_attribute(name, value)).to_vec();
                format!("{{{fields}}}")
            }
            Some(EventName::Given(given)) => {
                attributes = given.attributes();
                format!(r#"{{"type":"event",{fields}}}"#)
            }
            None => format!(r#"{{"type":"event",{fields}}}"#),
        };
        let meaning = Meaning::Event { content, identity: name.as_ref().map(EventName::identity) };
        let named = name.map_or(Named::Nothing, Named::Event);
        Sent { attributes, mark, named, ..Sent::plain(body, self.any_group(), self.at_ms, meaning) }
    }

    /// The name of another event, where this one is to have it as well.
    fn name_of(&self, before: &Sent) -> Option<EventName> {
        let Named::Event(name) = &before.named else { return None };
        let fault =
            if matches!(name, EventName::Id(_)) { Fault::IdConflict } else { Fault::IdentityTwice };
        (self.strikes)(fault).then(|| name.clone())
    }

    fn event_name(&self) -> Option<EventName> {
        let id = format!("e{}", self.number);
        match self.dice.below(10) {
            0..3 => Some(EventName::Id(id)),
            3..5 => {
                let (producer, sent_ms) = (self.dice.below(PRODUCERS), sent_ms(self.at_ms));
                let given = Naming::Uuid.give(producer, self.number, sent_ms, self.moment_ns);
                given.map(EventName::Given)
            }
            5 => Some(EventName::Cloud(id)),
            _ => None,
        }
    }

    /// An update of this key by this producer, which tells what it always tells.
    fn said(&self, kind: &'static str, key: usize, producer: usize) -> Said {
        let Habit { form, naming } = self.habits[producer * self.plan.keys + key];
        let expired = kind == "lease" && !self.is_replay && (self.strikes)(Fault::SentTooLate);
        let ahead_ms = if expired { -60 * 3_600_000 } else { self.ahead_ms(form) };
        let form = if expired { Form::Millis } else { form };
        let told = form.say(self.moment_ns + i128::from(ahead_ms) * 1_000_000);
        let place = 2 * self.number + usize::from(!self.is_replay);
        let sent_ms = sent_ms(self.at_ms);
        let given = naming.give(producer, place, sent_ms, self.moment_ns);
        let origin_ns =
            given.as_ref().map_or(i128::from(sent_ms) * 1_000_000, |given| given.origin_ns);
        let line = match &given {
            Some(given) => given.line,
            None => self.plan.fifo.then_some(Line::Group(key)),
        };
        let version_ns = told.as_ref().map_or(origin_ns, |(_, told_ns)| *told_ns);
        let stamp = Stamp { version_ns, origin_ns, place: line.map(|line| (line, place)) };
        let version = told
            .map(|(value, _)| format!(r#","{}":{value}"#, version_field(kind)))
            .unwrap_or_default();
        let attributes = match &given {
            Some(given) => given.attributes(),
            None if self.is_replay => self.replayed(key, sent_ms),
            None => Vec::new(),
        };
        Said { kind, key, producer, version, given, attributes, stamp, expired }
    }

    /// What a replay says of a message to which the queue once gave its identity.
    fn replayed(&self, key: usize, sent_ms: i64) -> Vec<(String, Attribute)> {
        let mut attributes = vec![
            text_attribute("longshore-id", &format!("r{}", self.number)),
            text_attribute("longshore-time", &sent_ms.to_string()),
        ];
        if self.plan.fifo {
            // Before the one that has this number now.
            let sequence = sequence(&group(key), self.number) - 1;
            attributes.push(text_attribute("longshore-sequence", &sequence.to_string()));
        }
        attributes
    }

    /// How far the moment that is told lies beside the true one: within the skew that is allowed,
    /// and not past any TTL.
    fn ahead_ms(&self, form: Form) -> i64 {
        if !form.tells() || !(self.draws)(Fault::SentOutOfOrder) {
            return 0;
        }
        let ahead_ms = i64::try_from(self.dice.between_ms(0, 1_200_000).as_millis())
            .expect("minutes")
            - 600_000;
        if ahead_ms < 0 {
            (self.saw)(Fault::SentOutOfOrder);
        }
        ahead_ms
    }

    fn update(&self, said: Said, mark: Option<Mark>) -> Sent {
        let (body, meaning) = if ["profile", "shift"].contains(&said.kind) {
            self.partial(&said, mark)
        } else {
            self.whole(&said, mark)
        };
        let (attributes, producer) = (said.attributes.clone(), said.producer);
        let plain = Sent::plain(body, group(said.key), self.at_ms, meaning);
        Sent { attributes, mark, named: Named::Update(said), producer, ..plain }
    }

    fn whole(&self, said: &Said, mark: Option<Mark>) -> (String, Meaning) {
        let Said { kind, version, stamp, expired, .. } = said;
        let (collection, key_field) = match *kind {
            "session" => ("sessions", "session_id"),
            "cache" => ("user_cache", "user_id"),
            "seat" => ("seats", "seat"),
            "desk" => ("desks", "desk"),
            "badge" => ("badges", "who"),
            _ => ("leases", "lease"),
        };
        let (key, content) = (format!("k{}", said.key), self.content());
        let extra = collection == "seats" && self.dice.chance(0.5);
        let extra_field = if extra { format!(r#","extra":{content}"#) } else { String::new() };
        let badge = (collection == "badges").then(|| self.dice.below(BADGES));
        let badge_field = badge.map(|badge| format!(r#","badge":{badge}"#)).unwrap_or_default();
        let mark = mark.map_or("", Mark::text);
        let data = format!(r#""data":{{"n":{content},"mark":"{mark}"}}"#);
        let body = format!(
            r#"{{"type":"{kind}","{key_field}":"{key}"{version},{data}{extra_field}{badge_field}}}"#
        );
        (
            body,
            Meaning::Whole {
                collection,
                key,
                stamp: stamp.clone(),
                content,
                extra,
                badge,
                expired: *expired,
            },
        )
    }

    fn partial(&self, said: &Said, mark: Option<Mark>) -> (String, Meaning) {
        let (key, content) = (format!("k{}", said.key), self.content());
        let mut fields: Vec<&'static str> =
            ["a", "b", "c"].into_iter().filter(|_| self.dice.chance(0.5)).collect();
        // A rejected message with several fields would be rejected for those that are new: then the
        // rest is lost with it, which is as it should be, but depends on the order. One field
        // depends on nothing.
        if fields.is_empty() || mark.is_some() {
            fields = vec!["a"];
        }
        let mark = mark.map_or("", Mark::text);
        let values = fields
            .iter()
            .map(|field| format!(r#","{field}":{{"n":{content},"mark":"{mark}"}}"#))
            .collect::<Vec<_>>()
            .concat();
        let (collection, key_field) =
            if said.kind == "shift" { ("shifts", "shift") } else { ("profiles", "who") };
        let body =
            format!(r#"{{"type":"{}","{key_field}":"{key}"{}{values}}}"#, said.kind, said.version);
        (body, Meaning::Partial { collection, key, stamp: said.stamp.clone(), content, fields })
    }

    fn poison(&self) -> (String, Meaning) {
        let content = self.number;
        let (body, reason) = match self.dice.below(8) {
            0 => (format!(r#"{{"type":"event","user_id":{content}"#), "bad_json"),
            1 => (format!(r#"{{"type":"unheard-of","n":{content}}}"#), "unknown_type"),
            2 => (format!(r#"{{"user_id":{content}}}"#), "missing_type"),
            3 => (format!(r#"{{"type":"event","user_id":{content}}}"#), "missing_field"),
            4 => {
                (format!(r#"{{"type":"session","session_id":[{content}],"data":{{}}}}"#), "bad_key")
            }
            5 => (
                format!(r#"{{"type":"cache","user_id":"k0","updated":"soon","data":{content}}}"#),
                "bad_time",
            ),
            6 => (
                format!(r#"{{"type":"cache","user_id":"k0","a.b":{content},"data":1}}"#),
                "bad_name",
            ),
            _ => (
                format!(r#"{{"type":"seat","seat":"k0","data":{content},"colour":1}}"#),
                "unknown_field",
            ),
        };
        (body, Meaning::Poison(reason))
    }
}

/// The FIFO group of all updates of a key.
fn group(key: usize) -> String {
    format!("g{key}")
}

fn version_field(kind: &str) -> &'static str {
    match kind {
        "session" => "last_accessed",
        "cache" => "updated",
        _ => "at",
    }
}
