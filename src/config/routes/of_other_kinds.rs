//! Keys of a route that its kind of write has no use for, or whose kind is not known.

use super::super::indexes::Indexes;
use super::super::kinds::Switch;
use super::super::provenance::Source;
use super::super::{names, sections, times};
use super::RouteReader;
use crate::store::WriteConcern;

/// What tables of each kind of write hold.
const OF_INSERT: [&str; 3] = ["default_time", "ttl_field", "volatile"];
const OF_KEYED: [&str; 2] = ["key", "version_field"];
const OF_SET: [&str; 2] = ["partial", "fields"];
const OF_ALL: [&str; 9] = [
    "senders",
    "required",
    "times",
    "ttl",
    "indexes",
    "write_concern.w",
    "write_concern.journal",
    "write_concern.timeout",
    "write",
];

impl RouteReader<'_> {
    /// A key of another kind of write is an error, unless it is a built-in route's own and the kind
    /// was changed above it.
    pub(super) fn refuse_what_is_not_of(&mut self, write: &str) {
        let keyed_only: &[&str] = if write == "insert" { &OF_KEYED } else { &[] };
        let set_only: &[&str] = if write == "set" { &[] } else { &OF_SET };
        let insert_only: &[&str] = if write == "insert" { &[] } else { &OF_INSERT };
        for (names, of) in [
            (keyed_only, "\"set\" or \"replace\""),
            (set_only, "\"set\""),
            (insert_only, "\"insert\""),
        ] {
            for name in names {
                let key = self.key(name);
                if let Some(entry) = self.reader.take(&key)
                    && entry.source != Source::Default
                {
                    self.reader.error(
                        &key,
                        None,
                        format!("has a meaning only where write = {of}, not \"{write}\""),
                        entry.source,
                    );
                }
            }
        }
    }

    /// Where the kind of write is not known: what is wrong with each value by itself.
    pub(super) fn read_for_errors(&mut self, write_concern: &WriteConcern) {
        self.reader.given(&self.key("key"), &names::KEY_FIELD);
        for field in ["version_field", "default_time", "ttl_field"] {
            self.reader.given(&self.key(field), &names::FIELD);
        }
        for fields in ["required", "fields", "volatile"] {
            self.reader.given(&self.key(fields), &names::FIELDS);
        }
        self.reader.given(&self.key("partial"), &Switch);
        self.reader.given(&self.key("senders"), &names::SENDERS);
        self.reader.given(&self.key("ttl"), &sections::TTL);
        self.reader.given(&self.key("indexes"), &Indexes);
        times::read(self.reader, &self.key("times"));
        sections::write_concern(self.reader, &self.key("write_concern"), write_concern);
    }

    pub(super) fn forget_all(&mut self) {
        for names in [&OF_INSERT[..], &OF_KEYED, &OF_SET, &OF_ALL] {
            self.forget(names);
        }
    }

    pub(super) fn forget(&mut self, names: &[&str]) {
        for name in names {
            let key = self.key(name);
            let _ = self.reader.take(&key);
            // Of `times`, a table of units.
            for below in self.reader.keys_below(&key) {
                let _ = self.reader.take(&below);
            }
        }
    }
}
