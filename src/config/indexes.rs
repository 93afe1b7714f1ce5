//! Declared indexes: `{ keys = ["user_id", "-timestamp"], unique = true, expire_after = "30d" }`.

use std::fmt;

use serde_json::Value;

use super::kinds::{self, Kind, Switch};
use super::{literal, names, schema_values, sections, units};
use crate::store::Index;

/// The server allows 64 in a collection, of which `_id` takes one (MongoDB manual, "Limits and
/// Thresholds").
pub(crate) const INDEXES_MAX: usize = 63;

/// Fields of one compound index, by the same page.
const KEYS_MAX: usize = 32;

pub(crate) struct Indexes;

impl Kind for Indexes {
    type Value = Vec<Index>;

    fn expected(&self) -> String {
        format!(
            "a list of at most {INDEXES_MAX} tables with keys = [\"field\", \"-field\"] (other than _id), and where wanted unique = true \
             or expire_after = \"30d\" (1s to 2147483647s, one key only)"
        )
    }

    fn read(&self, raw: &Value) -> Option<Vec<Index>> {
        let parsed;
        let items = match raw {
            Value::Array(items) => items,
            Value::String(text) => {
                parsed = serde_json::from_str::<Vec<Value>>(text).ok()?;
                &parsed
            }
            _ => return None,
        };
        if items.len() > INDEXES_MAX {
            return None;
        }
        items.iter().map(index).collect()
    }

    fn show(&self, value: &Vec<Index>) -> String {
        let shown: Vec<String> = value.iter().map(show).collect();
        format!("[{}]", shown.join(", "))
    }

    fn schema(&self) -> Value {
        schema_values::indexes(KEYS_MAX, INDEXES_MAX, &Switch.schema(), &sections::TTL.schema())
    }
}

/// As mongosh would be told: `{session_id: 1} unique`.
impl Index {
    /// Whether it is unique and on this key alone.
    #[must_use]
    pub fn guards(&self, key: &str) -> bool {
        self.unique && matches!(self.keys.as_slice(), [(field, _)] if field == key)
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self
            .keys
            .iter()
            .map(|(field, direction)| format!("{field}: {direction}"))
            .collect::<Vec<_>>()
            .join(", ");
        write!(f, "{{{keys}}}{}", if self.unique { " unique" } else { "" })?;
        self.expire_after.map_or(Ok(()), |after| write!(f, " expiring after {} s", after.as_secs()))
    }
}

fn index(raw: &Value) -> Option<Index> {
    let table = raw.as_object()?;
    if table.keys().any(|name| !["keys", "unique", "expire_after"].contains(&name.as_str())) {
        return None;
    }
    let keys: Option<Vec<_>> =
        kinds::list_of_texts(table.get("keys")?)?.iter().map(|key| index_key(key)).collect();
    let keys = keys.filter(|keys| (1..=KEYS_MAX).contains(&keys.len()))?;
    let twice = keys
        .iter()
        .enumerate()
        .any(|(place, (name, _))| keys[..place].iter().any(|(earlier, _)| earlier == name));
    let unique = table.get("unique").map_or(Some(false), |raw| Switch.read(raw))?;
    let expire_after = match table.get("expire_after") {
        Some(raw) => Some(sections::TTL.read(raw)?),
        None => None,
    };
    let sound = !twice && (expire_after.is_none() || keys.len() == 1);
    sound.then_some(Index { keys, unique, expire_after })
}

fn index_key(text: &str) -> Option<(String, i32)> {
    let (name, direction) = text.strip_prefix('-').map_or((text, 1), |name| (name, -1));
    names::is_index_field(name).then(|| (name.to_owned(), direction))
}

/// The keys as the configuration writes them.
pub(crate) fn show_keys(index: &Index) -> String {
    let keys: Vec<String> = index
        .keys
        .iter()
        .map(|(name, direction)| format!("{}{name}", if *direction < 0 { "-" } else { "" }))
        .collect();
    literal::texts(&keys)
}

fn show(index: &Index) -> String {
    let unique = if index.unique { ", unique = true" } else { "" };
    let expiry = index
        .expire_after
        .map(|after| format!(", expire_after = \"{}\"", units::show_duration(after)));
    format!("{{ keys = {}{unique}{} }}", show_keys(index), expiry.unwrap_or_default())
}
