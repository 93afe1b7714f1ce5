//! The tables `[routes.NAME]`: how messages of one type become writes.

mod of_other_kinds;
mod undeclared;

use std::time::Duration;

use super::indexes::Indexes;
use super::key_path::KeyPath;
use super::kinds::{Choice, Kind, Switch};
use super::provenance::Source;
use super::reader::Reader;
use super::times::{self, Times};
use super::{literal, names, sections};
use crate::route::Route;
use crate::store::{Extent, Index, Keyed, WriteConcern, WriteKind};

/// A route is a few lines of configuration: more of them are made by a mistake.
const ROUTES_MAX: usize = 256;

/// A route with what it asks of its collection.
pub(crate) struct Declared {
    pub route: Route,
    pub write_concern: WriteConcern,
    /// The TTL index included.
    pub indexes: Vec<Index>,
}

/// Reads all routes that are enabled.
pub(crate) fn read(reader: &mut Reader, write_concern: &WriteConcern) -> Vec<Declared> {
    let names = reader.names_in("routes");
    if names.len() > ROUTES_MAX {
        let problem = format!("must be at most {ROUTES_MAX} routes, not {}", names.len());
        reader.error(&"routes".into(), None, problem, Source::Default);
    }
    let (declared, others): (Vec<_>, Vec<_>) = names
        .iter()
        .take(ROUTES_MAX)
        .partition(|name| RouteReader::new(reader, name).is_declared());
    let unknown: Vec<_> = others
        .into_iter()
        .filter(|name| RouteReader::new(reader, name).refuse_unknown(&declared))
        .collect();
    names
        .iter()
        .take(ROUTES_MAX)
        .filter(|name| !unknown.contains(name))
        .filter_map(|name| RouteReader::new(reader, name).read(write_concern))
        .collect()
}

struct RouteReader<'a> {
    reader: &'a mut Reader,
    name: &'a str,
    section: KeyPath,
    /// Of a keyed route, as far as they are given and sound.
    key_field: Option<String>,
    version_field: Option<String>,
}

impl<'a> RouteReader<'a> {
    fn new(reader: &'a mut Reader, name: &'a str) -> Self {
        let section = KeyPath::from("routes").child(name);
        Self { reader, name, section, key_field: None, version_field: None }
    }

    fn read(mut self, default: &WriteConcern) -> Option<Declared> {
        let source = self.reader.source_of_section(&self.section);
        if !names::is_message_type(self.name) {
            let problem = "must be a message type: 1 to 256 bytes without control characters";
            self.reader.error(&self.section, None, problem, source.clone());
        }
        if !self.reader.given(&self.key("enabled"), &Switch).unwrap_or(true) {
            self.forget(&["collection"]);
            self.forget_all();
            return None;
        }
        let collection = self.reader.given(&self.key("collection"), &names::COLLECTION);
        let kinds = Choice(&["insert", "set", "replace"]);
        let write = self.reader.given(&self.key("write"), &kinds);
        self.miss("collection", collection.is_some(), "the collection to write to", &source);
        let Some(write) = write else {
            // Told at once, not when the file is read again.
            let lacked: Vec<_> = ["key", "version_field"]
                .into_iter()
                .filter(|name| !self.reader.has(&self.key(name)))
                .collect();
            let also = match &lacked[..] {
                [] => String::new(),
                names => format!("; set and replace need {} as well", names.join(" and ")),
            };
            self.miss("write", false, &format!("{}{also}", kinds.expected()), &source);
            self.read_for_errors(default);
            self.forget_all();
            return None;
        };
        self.refuse_what_is_not_of(write);
        let kind = self.kind(write, &source);
        let route = self.fields(collection.unwrap_or_default(), write, kind.as_ref());
        let indexes = self.indexes(&route, write == "insert");
        let write_concern =
            sections::write_concern(self.reader, &self.key("write_concern"), default);
        // A route in error is left out of the rules that compare routes.
        let sound = kind.is_some() && !route.collection.is_empty();
        sound.then_some(Declared { route, write_concern, indexes })
    }

    fn kind(&mut self, write: &str, source: &Source) -> Option<WriteKind> {
        if write == "insert" {
            return Some(WriteKind::Insert);
        }
        let key = self.reader.given(&self.key("key"), &names::KEY_FIELD);
        let version_field = self.reader.given(&self.key("version_field"), &names::FIELD);
        (self.key_field, self.version_field) = (key.clone(), version_field.clone());
        self.miss("key", key.is_some(), "the field that names the document", source);
        let newer = "the time field by which one message is newer than another";
        self.miss("version_field", version_field.is_some(), newer, source);
        let partial = write == "set" && self.reader.or(self.key("partial"), &Switch, false);
        let (key, version_field) = (key?, version_field?);
        let extent = match (write, partial) {
            ("set", false) => Extent::Set,
            ("set", true) => Extent::Partial,
            _ => Extent::Replace,
        };
        if key == version_field {
            self.reader.error_at(
                self.key("version_field"),
                format!("must be another field than the key of routes.{}", self.name),
            );
        }
        Some(WriteKind::Keyed(Keyed { key, version_field, extent }))
    }

    /// The lists of fields, each completed by what another one implies.
    fn fields(&mut self, collection: String, write: &str, kind: Option<&WriteKind>) -> Route {
        let mut required =
            self.reader.given(&self.key("required"), &names::FIELDS).unwrap_or_default();
        let mut fields = if write == "set" {
            self.reader.given(&self.key("fields"), &names::FIELDS).unwrap_or_default()
        } else {
            Vec::new()
        };
        let times_key = self.key("times");
        let Times { names: mut times, units } = times::read(self.reader, &times_key);
        let default_time = if write == "insert" {
            self.reader.given(&self.key("default_time"), &names::FIELD)
        } else {
            None
        };
        let volatile = if write == "insert" {
            self.reader.given(&self.key("volatile"), &names::FIELDS).unwrap_or_default()
        } else {
            Vec::new()
        };

        // Where the key is in error, what is said about it would be guesswork.
        let key_known = write == "insert" || self.key_field.is_some();
        let kind = kind.cloned().unwrap_or(WriteKind::Insert);
        let key = match &kind {
            WriteKind::Insert if write == "insert" => kind.key().map(str::to_owned),
            _ => self.key_field.clone(),
        };
        let version_field = self.version_field.clone();
        for (name, list) in [
            ("required", &required),
            ("fields", &fields),
            ("times", &times),
            ("volatile", &volatile),
        ] {
            if key_known {
                self.check_list(name, list, key.as_deref());
            }
        }
        complete(&mut required, key.iter());
        complete(&mut times, version_field.iter().chain(&default_time));
        if write == "set" {
            complete(&mut fields, key.iter().chain(&version_field).chain(&required).chain(&times));
            self.reader.amend(&self.key("fields"), literal::texts(&fields));
        }
        self.reader.amend(&self.key("required"), literal::texts(&required));
        self.reader.amend(&times_key, times::show(&times, &units));
        let senders = self.reader.given(&self.key("senders"), &names::SENDERS).unwrap_or_default();
        Route {
            name: self.name.to_owned(),
            collection,
            kind,
            senders,
            required,
            fields,
            // Filled in when the collections of all routes are known.
            indexed: Vec::new(),
            times,
            units,
            default_time,
            volatile,
        }
    }

    fn check_list(&mut self, name: &str, list: &[String], key: Option<&str>) {
        if key != Some("_id") && list.iter().any(|field| field == "_id") {
            self.reader.error_at(self.key(name), "must not hold _id, which is not the key here");
        }
        // Where it named the route it is not stored.
        if name == "required" && list.iter().any(|field| field == "type") {
            self.reader.error_at(self.key(name), "must not hold type, which may name the route");
        }
        if name == "times" && list.iter().any(|field| ["type", "id"].contains(&field.as_str())) {
            self.reader.error_at(self.key(name), "must not hold type or id: they are no times");
        }
        if name == "times" && list.iter().any(|field| Some(field.as_str()) == key) {
            self.reader.error_at(self.key(name), "must not hold the key: a date cannot be one");
        }
    }

    /// The declared indexes, and the one that removes documents. Where the route is in error they
    /// are read for their own errors only.
    fn indexes(&mut self, route: &Route, is_insert: bool) -> Vec<Index> {
        let ttl = self.reader.given(&self.key("ttl"), &sections::TTL);
        let ttl_field =
            if is_insert { self.reader.given(&self.key("ttl_field"), &names::FIELD) } else { None };
        let mut indexes = self.reader.given(&self.key("indexes"), &Indexes).unwrap_or_default();
        let is_time = |field: &str| route.times.iter().any(|time| time == field);
        if ttl_field.as_deref().is_some_and(|field| !is_time(field)) {
            self.reader.error_at(
                self.key("ttl_field"),
                format!("must be one of the times {}", literal::texts(&route.times)),
            );
        }
        let timeless =
            indexes.iter().find(|index| index.expire_after.is_some() && !is_time(&index.keys[0].0));
        if let Some(index) = timeless {
            let (field, times) = (literal::text(&index.keys[0].0), literal::texts(&route.times));
            // The one that is missing, or in error, would be a time too.
            let or_it_is = if is_insert || self.version_field.is_some() {
                ""
            } else {
                ", and version_field, which is one too, is not known yet"
            };
            self.reader.error_at(
                self.key("indexes"),
                format!("expire_after needs a time: {field} is none of {times}{or_it_is}"),
            );
        }
        let field = ttl_field
            .as_deref()
            .or(route.default_time.as_deref())
            .or(self.version_field.as_deref());
        match (ttl, field) {
            (Some(ttl), Some(field)) => {
                indexes.insert(
                    0,
                    Index {
                        keys: vec![(field.to_owned(), 1)],
                        unique: false,
                        expire_after: Some(ttl),
                    },
                );
            }
            // Counted from the version field, whose absence is an error of its own.
            (Some(_), None) if !is_insert => {}
            (Some(_), None) => self.reader.error_at(
                self.key("ttl"),
                "needs ttl_field or default_time: the time that it is counted from",
            ),
            (None, _) if ttl_field.is_some() => {
                self.reader.error_at(
                    self.key("ttl_field"),
                    "has no effect without ttl: set ttl, or remove this",
                );
            }
            (None, _) => {}
        }
        indexes
    }

    fn key(&self, name: &str) -> KeyPath {
        name.split('.').fold(self.section.clone(), |path, part| path.child(part))
    }

    /// Says what to give where the route cannot be without it.
    fn miss(&mut self, name: &str, there: bool, give: &str, source: &Source) {
        let key = self.key(name);
        if !there && self.reader.all_sound(&[&key.to_string()]) {
            self.reader.error(&key, None, format!("is missing: give {give}"), source.clone());
        }
    }
}

/// Adds what is not there yet.
fn complete<'a>(list: &mut Vec<String>, more: impl Iterator<Item = &'a String>) {
    for field in more {
        if !list.contains(field) {
            list.push(field.clone());
        }
    }
}

/// The time after which documents of a keyed collection are removed by their version field.
pub(crate) fn ttl_of(kind: &WriteKind, indexes: &[Index]) -> Option<Duration> {
    let version_field = kind.version_field()?;
    indexes
        .iter()
        .find(|index| index.keys.len() == 1 && index.keys[0].0 == version_field)
        .and_then(|index| index.expire_after)
}
