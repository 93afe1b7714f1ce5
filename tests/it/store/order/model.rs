//! What must be there: the rules for keyed writes as plain code, one message after another, on a
//! document that is a map. Shares nothing with the product: neither its versions nor its join nor
//! its conversion of times.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use mongodb::bson::{Bson, DateTime};

/// The field that every message has its version in.
pub const VERSION_FIELD: &str = "last_accessed";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Set,
    Replace,
    Partial,
}

/// When something was written: its own time in milliseconds and nanoseconds, then its message's
/// time, sequence, place and id, and what it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stamp {
    pub time_ms: i64,
    pub nanos: i32,
    pub origin_ms: i64,
    pub origin_nanos: i32,
    pub sequence: u8,
    pub place: u8,
    pub id: Vec<u8>,
    pub content: u8,
}

impl Stamp {
    /// What another program writes has a time and nothing more, so it is older than any message of
    /// that time.
    fn of_another(time_ms: i64) -> Self {
        Self {
            time_ms,
            nanos: 0,
            origin_ms: i64::MIN,
            origin_nanos: 0,
            sequence: 0,
            place: 0,
            id: Vec::new(),
            content: 0,
        }
    }
}

impl Ord for Stamp {
    fn cmp(&self, other: &Self) -> Ordering {
        let whole = |stamp: &Self| {
            let of_message = (stamp.sequence, stamp.place, stamp.id.len(), stamp.id.clone());
            let origin = (stamp.origin_ms, stamp.origin_nanos);
            (stamp.time_ms, stamp.nanos, origin, of_message, stamp.content)
        };
        whole(self).cmp(&whole(other))
    }
}

impl PartialOrd for Stamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One message of a producer.
#[derive(Clone, Debug)]
pub struct Message {
    pub stamp: Stamp,
    /// Without key and version field.
    pub fields: BTreeMap<String, Bson>,
}

/// What another program does to a document, in one write.
#[derive(Clone, Debug)]
pub struct Theirs {
    pub set: BTreeMap<String, Bson>,
    pub version: TheirVersion,
}

#[derive(Clone, Debug)]
pub enum TheirVersion {
    Untouched,
    Unset,
    /// The value, and the time that it says, if it says one.
    Set(Bson, Option<i64>),
}

/// One key's document, as far as it is known.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Model {
    /// Without key and `_id`; none where there is no document.
    pub document: Option<BTreeMap<String, Bson>>,
    /// The time that the version field says.
    said_ms: Option<i64>,
    /// Of the whole document; of a partial one: the time at which it stood when others wrote it.
    whole: Option<Stamp>,
    /// Of each field of a partial one.
    each: BTreeMap<String, Stamp>,
}

impl Model {
    /// Another program writes. `stamps`: what it writes of versions, as if it were us.
    pub fn others_create(
        &mut self,
        theirs: &Theirs,
        whole: Option<Stamp>,
        each: BTreeMap<String, Stamp>,
    ) {
        *self = Self { document: Some(BTreeMap::new()), said_ms: None, whole, each };
        self.others_change(theirs);
    }

    pub fn others_change(&mut self, theirs: &Theirs) {
        let Some(document) = &mut self.document else { return };
        document.extend(theirs.set.clone());
        match &theirs.version {
            TheirVersion::Untouched => {}
            TheirVersion::Unset => {
                document.remove(VERSION_FIELD);
                self.said_ms = None;
            }
            TheirVersion::Set(value, says) => {
                document.insert(VERSION_FIELD.to_owned(), value.clone());
                self.said_ms = *says;
            }
        }
    }

    /// Takes a message, and says whether it changed anything. `declared`: the fields of the route.
    pub fn take(&mut self, kind: Kind, declared: &[&str], message: &Message) -> bool {
        if kind == Kind::Partial {
            self.take_partial(message)
        } else {
            self.take_whole(kind, declared, message)
        }
    }

    fn take_whole(&mut self, kind: Kind, declared: &[&str], message: &Message) -> bool {
        let stored = self.whole.clone().max(self.said_ms.map(Stamp::of_another));
        if stored.as_ref() >= Some(&message.stamp) {
            return false;
        }
        let document = self.document.get_or_insert_default();
        if kind == Kind::Replace {
            document.clear();
        }
        for name in declared {
            document.remove(*name);
        }
        document.extend(message.fields.clone());
        self.say(message.stamp.time_ms);
        (self.whole, self.each) = (Some(message.stamp.clone()), BTreeMap::new());
        true
    }

    fn take_partial(&mut self, message: &Message) -> bool {
        // Said by others: a version field that is later than what we wrote to it.
        let ours_ms = self.each.get(VERSION_FIELD).map(|stamp| stamp.time_ms);
        let said = self.said_ms.filter(|said| Some(*said) > ours_ms).map(Stamp::of_another);
        let base = self.whole.clone().max(said);
        let stored = |name: &str| base.clone().max(self.each.get(name).cloned());
        let names = message.fields.keys().map(String::as_str).chain([VERSION_FIELD]);
        let newer: Vec<String> = names
            .filter(|name| stored(name).as_ref() < Some(&message.stamp))
            .map(str::to_owned)
            .collect();
        if newer.is_empty() {
            return false;
        }
        self.whole = base;
        for name in newer {
            match message.fields.get(&name) {
                Some(value) => {
                    drop(self.document.get_or_insert_default().insert(name.clone(), value.clone()));
                }
                None => self.say(message.stamp.time_ms),
            }
            self.each.insert(name, message.stamp.clone());
        }
        true
    }

    fn say(&mut self, time_ms: i64) {
        self.said_ms = Some(time_ms);
        self.document
            .get_or_insert_default()
            .insert(VERSION_FIELD.to_owned(), DateTime::from_millis(time_ms).into());
    }
}
