//! Values by key, each with where it came from. A later layer replaces an earlier one key by key; a
//! list is one value.

use std::collections::BTreeMap;

use serde_json::Value;

use super::connection_options;
use super::key_path::KeyPath;
use super::provenance::Source;

/// A value that is in force unless a later layer replaces it. Never a table, but for an empty one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub value: Value,
    pub source: Source,
    /// From a file that belongs to another program: a key that is not known is not an error there.
    pub foreign: bool,
}

/// Another variable of the environment names the same key in another spelling, and neither comes
/// first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Twice {
    pub path: KeyPath,
    pub other: String,
}

#[derive(Debug, Default)]
pub(crate) struct Layers {
    entries: BTreeMap<KeyPath, Entry>,
}

impl Layers {
    /// Sets one value. A table becomes its keys, so that the next layer can replace one of them.
    pub(crate) fn set(&mut self, path: KeyPath, value: Value, source: &Source) {
        self.insert(path, value, source, false);
    }

    /// Sets a value from a place that knows text only: a JSON object becomes its keys, all else is
    /// read as its key expects.
    pub(crate) fn set_text(&mut self, path: KeyPath, text: &str, source: &Source, foreign: bool) {
        let object = serde_json::from_str(text).ok().filter(Value::is_object);
        self.insert(path, object.unwrap_or_else(|| Value::from(text)), source, foreign);
    }

    /// As [`Layers::set_text`], for a variable of the environment, whose case says nothing. Our own
    /// names are in lower case; one that the operator has chosen is the one that is there already in
    /// whatever case, else in lower case too.
    pub(crate) fn set_variable(
        &mut self,
        parts: &[&str],
        text: &str,
        name: &str,
    ) -> Result<(), Twice> {
        let path = self.known_case(parts);
        if let Some(Entry { source: Source::Environment(other), .. }) = self.entries.get(&path)
            && other != name
        {
            return Err(Twice { other: other.clone(), path });
        }
        self.set_text(path, text, &Source::Environment(name.to_owned()), false);
        Ok(())
    }

    /// Takes a value out.
    pub(crate) fn take(&mut self, path: &KeyPath) -> Option<Entry> {
        self.entries.remove(path)
    }

    /// Takes out all values that were set at keys that `is_asked` names; defaults stay.
    pub(crate) fn take_where(
        &mut self,
        is_asked: impl Fn(&KeyPath) -> bool,
    ) -> BTreeMap<KeyPath, Entry> {
        self.entries
            .extract_if(.., |path, entry| entry.source != Source::Default && is_asked(path))
            .collect()
    }

    /// Whether `key` has a value.
    pub(crate) fn has(&self, key: &KeyPath) -> bool {
        self.entries.contains_key(key)
    }

    /// The names directly below `section` that hold something, sorted.
    pub(crate) fn names_in(&self, section: &KeyPath) -> Vec<String> {
        let mut names: Vec<String> = self
            .entries
            .iter()
            .filter_map(|(path, entry)| {
                let below = path.below(section)?;
                // `routes.order = 5` names no route, `[routes.order]` without a key does.
                (below.len() > 1 || entry.value.is_object()).then(|| below[0].clone())
            })
            .collect();
        names.dedup();
        names
    }

    /// The full paths of what is directly below `section`.
    pub(crate) fn keys_in(&self, section: &KeyPath) -> Vec<KeyPath> {
        let inside = |path: &&KeyPath| path.below(section).is_some_and(|below| below.len() == 1);
        self.entries.keys().filter(inside).cloned().collect()
    }

    /// Where the first value of `section` came from that is not a default, else a default.
    pub(crate) fn source_of_section(&self, section: &KeyPath) -> Source {
        let inside = self
            .entries
            .iter()
            .filter(|(path, _)| *path == section || path.below(section).is_some());
        inside
            .map(|(_, entry)| &entry.source)
            .find(|source| **source != Source::Default)
            .cloned()
            .unwrap_or(Source::Default)
    }

    /// What nobody took.
    pub(crate) fn rest(&mut self) -> BTreeMap<KeyPath, Entry> {
        std::mem::take(&mut self.entries)
    }

    fn insert(&mut self, path: KeyPath, value: Value, source: &Source, foreign: bool) {
        match value {
            Value::Object(table) if !table.is_empty() => {
                for (name, value) in table {
                    self.insert(path.child(&name), value, source, foreign);
                }
            }
            // An empty table says that the section is there, not that it lost its keys.
            Value::Object(_) if self.entries.contains_key(&path) => {}
            value => {
                self.entries.insert(
                    in_canonical_case(path),
                    Entry { value, source: source.clone(), foreign },
                );
            }
        }
    }

    fn known_case(&self, parts: &[&str]) -> KeyPath {
        let mut known: Vec<String> = Vec::with_capacity(parts.len());
        for part in parts {
            if !holds_chosen_names(&known) {
                known.push(part.to_ascii_lowercase());
                continue;
            }
            let prefix = KeyPath::new(known.clone());
            let mut below =
                self.entries.keys().filter_map(|path| path.below(&prefix)).map(|below| &below[0]);
            let found = below.find(|name| name.eq_ignore_ascii_case(part));
            known.push(found.map_or_else(|| part.to_ascii_lowercase(), String::clone));
        }
        KeyPath::new(known)
    }
}

/// Whether the names in this section are the operator's, or those of another program.
fn holds_chosen_names(section: &[String]) -> bool {
    let section: Vec<&str> = section.iter().map(String::as_str).collect();
    matches!(
        section[..],
        ["routes"] | ["routes", _, "times"] | ["message", "types"] | ["db", "connection_options"]
    )
}

/// Drivers read connection options in any case: two spellings of one option are one key here too.
fn in_canonical_case(path: KeyPath) -> KeyPath {
    match path.parts() {
        [db, options, name] if db == "db" && options == "connection_options" => {
            match connection_options::canonical(name) {
                Some(name) => KeyPath::from("db.connection_options").child(name),
                None => path,
            }
        }
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(line: usize) -> Source {
        Source::File { path: "a.toml".into(), line }
    }

    #[test]
    fn a_later_layer_replaces_one_key_and_leaves_its_neighbours() {
        let mut layers = Layers::default();
        layers.set(
            "routes.order".into(),
            serde_json::json!({"key": "a", "write": "set"}),
            &file(1),
        );
        layers.set("routes.order.key".into(), Value::from("b"), &file(7));
        assert_eq!(
            layers.take(&"routes.order.key".into()).map(|entry| (entry.value, entry.source)),
            Some(("b".into(), file(7)))
        );
        assert_eq!(
            layers.take(&"routes.order.write".into()).map(|entry| (entry.value, entry.source)),
            Some(("set".into(), file(1)))
        );
    }

    #[test]
    fn a_variable_finds_the_name_that_is_there_in_any_case() {
        let mut layers = Layers::default();
        layers.set("routes.OrderPlaced.key".into(), Value::from("a"), &file(1));
        layers.set("db.connection_options.maxpoolsize".into(), Value::from(5), &file(2));
        layers
            .set_variable(
                &["ROUTES", "ORDERPLACED", "KEY"],
                "b",
                "LONGSHORE__ROUTES__ORDERPLACED__KEY",
            )
            .expect("taken");
        layers.set_variable(&["DB", "CONNECTION_OPTIONS", "MAXPOOLSIZE"], "9", "V").expect("taken");
        assert_eq!(layers.names_in(&"routes".into()), ["OrderPlaced"]);
        assert_eq!(
            layers.take(&"routes.OrderPlaced.key".into()).map(|entry| entry.value),
            Some("b".into())
        );
        assert_eq!(
            layers.take(&"db.connection_options.maxPoolSize".into()).map(|entry| entry.value),
            Some("9".into())
        );
        assert_eq!(layers.rest().len(), 0);
    }
}
