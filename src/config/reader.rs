//! Takes typed values out of the layers, and keeps what was found: what is in force and from where,
//! and every error.

use std::collections::BTreeSet;

use serde_json::Value;

use super::key_path::KeyPath;
use super::kinds::Kind;
use super::layers::{Entry, Layers};
use super::provenance::{ConfigError, Setting, Source};
use super::suggest;
use crate::redact;

/// Errors that are shown; more of one kind help nobody.
const ERRORS_MAX: usize = 100;

pub(crate) struct Reader {
    layers: Layers,
    /// Every key that was asked for. What is left in the layers at the end is unknown.
    known: Vec<KeyPath>,
    failed: BTreeSet<String>,
    errors: Vec<ConfigError>,
    effective: Vec<Setting>,
    /// What each key takes, where somebody wants to know.
    schemas: Option<Vec<(KeyPath, Value)>>,
}

/// What the reader found, once everything was asked for.
pub(crate) struct Findings {
    pub errors: Vec<ConfigError>,
    pub effective: Vec<Setting>,
    pub ignored: Vec<(String, Source)>,
    /// Empty unless they were asked for.
    pub schemas: Vec<(KeyPath, Value)>,
    #[cfg(test)]
    pub known: Vec<KeyPath>,
}

impl Reader {
    pub(crate) fn new(layers: Layers, errors: Vec<ConfigError>) -> Self {
        Self {
            layers,
            known: Vec::new(),
            failed: BTreeSet::new(),
            errors,
            effective: Vec::new(),
            schemas: None,
        }
    }

    /// The value of `key`, or `default`, which also stands in after an error, so that reading can
    /// go on.
    pub(crate) fn or<K: Kind>(
        &mut self,
        key: impl Into<KeyPath>,
        kind: &K,
        default: K::Value,
    ) -> K::Value {
        let key = key.into();
        if let Some(value) = self.given(&key, kind) {
            return value;
        }
        if !self.failed.contains(&key.to_string()) {
            self.record(&key, kind.show(&default), Source::Default);
        }
        default
    }

    /// The value of `key`, if there is one.
    pub(crate) fn optional<K: Kind>(
        &mut self,
        key: impl Into<KeyPath>,
        kind: &K,
    ) -> Option<K::Value> {
        let key = key.into();
        let value = self.given(&key, kind);
        if value.is_none() && !self.failed.contains(&key.to_string()) {
            self.record(&key, Setting::UNSET.to_owned(), Source::Default);
        }
        value
    }

    /// The value of `key`, if there is one; its absence is not recorded.
    pub(crate) fn given<K: Kind>(&mut self, key: &KeyPath, kind: &K) -> Option<K::Value> {
        self.describe(key, || kind.schema());
        let entry = self.take(key)?;
        let value = kind.read(&entry.value);
        match &value {
            Some(value) => self.record(key, kind.show(value), entry.source),
            None => self.error(
                key,
                Some(show_raw(&entry.value)),
                format!("must be {}", kind.expected()),
                entry.source,
            ),
        }
        value
    }

    /// Keeps what each key takes from here on.
    pub(crate) fn keep_schemas(&mut self) {
        self.schemas = Some(Vec::new());
    }

    /// Says what `key` takes; [`Reader::given`] says it of what it reads.
    pub(crate) fn describe(&mut self, key: &KeyPath, schema: impl FnOnce() -> Value) {
        if let Some(schemas) = &mut self.schemas {
            schemas.push((key.clone(), schema()));
        }
    }

    /// The raw value of `key`, for kinds of which nothing may be printed.
    pub(crate) fn take(&mut self, key: &KeyPath) -> Option<Entry> {
        self.known.push(key.clone());
        self.layers.take(key)
    }

    /// Counts `keys` as known though no layer has them.
    pub(crate) fn know(&mut self, keys: impl IntoIterator<Item = KeyPath>) {
        self.known.extend(keys);
    }

    /// All that was asked for so far.
    pub(crate) fn known(&self) -> &[KeyPath] {
        &self.known
    }

    /// The names directly below `section`: its tables.
    pub(crate) fn names_in(&self, section: &str) -> Vec<String> {
        self.layers.names_in(&section.into())
    }

    /// Whether some layer sets `key`.
    pub(crate) fn has(&self, key: &KeyPath) -> bool {
        self.layers.has(key)
    }

    /// The keys of a table whose names are the operator's. Another value in its place is an error.
    pub(crate) fn keys_in(&mut self, section: &str) -> Vec<KeyPath> {
        let section = KeyPath::from(section);
        if let Some(entry) = self.take(&section)
            && !entry.value.is_object()
        {
            self.error(
                &section,
                None,
                "must be a table, in text a JSON object such as {\"name\": \"value\"}",
                entry.source,
            );
        }
        self.layers.keys_in(&section)
    }

    /// The same where another value may stand beside the table.
    pub(crate) fn keys_below(&self, key: &KeyPath) -> Vec<KeyPath> {
        self.layers.keys_in(key)
    }

    pub(crate) fn source_of_section(&self, section: &KeyPath) -> Source {
        self.layers.source_of_section(section)
    }

    /// Where the value in force of `key` came from.
    pub(crate) fn source_of(&self, key: &KeyPath) -> Source {
        let key = key.to_string();
        self.effective
            .iter()
            .find(|setting| setting.key == key)
            .map_or(Source::Default, |setting| setting.source.clone())
    }

    /// Whether none of `keys` was in error: a rule over several keys says nothing where one of them
    /// is a stand-in.
    pub(crate) fn all_sound(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| !self.failed.contains(*key))
    }

    /// Whether nothing in `section` was in error.
    pub(crate) fn section_sound(&self, section: &KeyPath) -> bool {
        let prefix = format!("{section}.");
        !self.failed.iter().any(|key| key.starts_with(&prefix))
    }

    pub(crate) fn record(&mut self, key: &KeyPath, value: String, source: Source) {
        self.effective.push(Setting { key: key.to_string(), value, source });
    }

    /// Replaces the printed value of `key` by what it was completed to.
    pub(crate) fn amend(&mut self, key: &KeyPath, value: String) {
        let name = key.to_string();
        match self.effective.iter_mut().find(|setting| setting.key == name) {
            Some(setting) => setting.value = value,
            None => self.record(key, value, Source::Default),
        }
    }

    pub(crate) fn error(
        &mut self,
        key: &KeyPath,
        value: Option<String>,
        problem: impl Into<String>,
        source: Source,
    ) {
        let key = key.to_string();
        self.failed.insert(key.clone());
        self.errors.push(ConfigError { key, value, problem: problem.into(), source });
    }

    /// An error about a value in force, which is shown with where it came from.
    pub(crate) fn error_at(&mut self, key: impl Into<KeyPath>, problem: impl Into<String>) {
        let key = key.into();
        let name = key.to_string();
        let setting = self.effective.iter().find(|setting| setting.key == name);
        let (value, source) = setting.map_or((None, Source::Default), |setting| {
            (Some(setting.value.clone()), setting.source.clone())
        });
        self.error(&key, value, problem, source);
    }

    /// Ends the reading: what is left was never asked for.
    pub(crate) fn finish(mut self) -> Findings {
        let mut ignored = Vec::new();
        let mut unknown = 0;
        for (path, entry) in self.layers.rest() {
            let section = self
                .known
                .iter()
                .find(|known| known.below(&path).is_some())
                .map(KeyPath::to_string);
            if let Some(meant) = suggest::slip(&path, &self.known).filter(|_| entry.foreign) {
                let problem = format!("unknown key, did you mean {meant}?");
                self.error(&path, None, problem, entry.source);
            } else if entry.foreign {
                ignored.push((path.to_string(), entry.source));
            } else if section.is_some() && entry.value.is_object() {
                // An empty section.
            } else if unknown < ERRORS_MAX {
                unknown += 1;
                let problem = section.map_or_else(
                    || suggest::unknown(&path, &self.known),
                    |key| format!("is a section: set a key in it, such as {key}"),
                );
                self.error(&path, None, problem, entry.source);
            }
        }
        Findings {
            errors: self.errors,
            effective: self.effective,
            ignored,
            schemas: self.schemas.unwrap_or_default(),
            #[cfg(test)]
            known: self.known,
        }
    }
}

/// A value as it was given, on one line and without what may be a secret. Cut where it is long.
fn show_raw(value: &Value) -> String {
    const SHOWN_MAX: usize = 120;
    let shown = match value {
        Value::String(text) => super::literal::text(&redact::text(text)),
        value => {
            let json = value.to_string();
            if json.contains('@') || json.contains("://") { "***".to_owned() } else { json }
        }
    };
    match shown.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}...", &shown[..end]),
        None => shown,
    }
}
