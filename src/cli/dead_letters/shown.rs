//! A record, and what is in it, on a terminal and as JSON.

use bson::{Bson, Document};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::cli::output::{self, harmless};
use crate::dead_letter::search;
use crate::extended_json::push_escaped;

/// Fields of a record that tell one from another; the rest is in `export`.
const TOLD: [&str; 14] = [
    "dead_lettered",
    "reason",
    "text",
    "place",
    "route",
    "type",
    "key",
    "users",
    "sender",
    "message_id",
    "trace_id",
    "times",
    "stands",
    "replays",
];

/// The order in which they are shown: the newest first.
pub fn newest() -> Document {
    search::newest_first()
}

/// A time as people and programs read it: RFC 3339, in UTC, to the millisecond.
pub fn time(millis: i64) -> String {
    Timestamp::from_millisecond(millis)
        .map_or_else(|_| millis.to_string(), |time| format!("{time:.3}"))
}

/// The same to the second, for a table.
pub fn second(millis: i64) -> String {
    Timestamp::from_millisecond(millis)
        .map_or_else(|_| millis.to_string(), |time| format!("{time:.0}"))
}

/// Prints a line of JSON. It may go to a terminal, so what that obeys is escaped.
pub fn print(line: &impl ToString) {
    let mut text = String::new();
    push_escaped(&mut text, &line.to_string());
    output::print(&text);
}

/// A text that a producer may have written, on a terminal; nothing where there is none.
pub fn text(value: Option<&str>) -> String {
    value.map_or_else(String::new, harmless)
}

/// A field of a record, as text for people.
pub fn field(record: &Document, name: &str) -> String {
    match record.get(name) {
        None | Some(Bson::Null) => String::new(),
        Some(Bson::String(value)) => harmless(value),
        Some(Bson::DateTime(value)) => time(value.timestamp_millis()),
        Some(Bson::Array(items)) => {
            let items: Vec<_> = items.iter().map(|item| harmless(&bare(item))).collect();
            items.join(", ")
        }
        Some(other) => harmless(&bare(other)),
    }
}

/// A value without what would only tell its type.
fn bare(value: &Bson) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What tells a record from others, as a line of JSON.
pub fn line(record: &Document) -> Value {
    let mut line = Map::new();
    line.insert("id".to_owned(), value(record.get("_id")));
    for name in TOLD {
        line.insert(name.to_owned(), value(record.get(name)));
    }
    Value::Object(line)
}

fn value(value: Option<&Bson>) -> Value {
    match value {
        None | Some(Bson::Null) => Value::Null,
        Some(Bson::DateTime(value)) => json!(time(value.timestamp_millis())),
        Some(Bson::Int64(value)) => json!(value),
        Some(other) => other.clone().into_relaxed_extjson(),
    }
}

#[cfg(test)]
mod tests {
    use bson::{DateTime, doc};

    use super::*;

    #[test]
    fn what_a_producer_wrote_does_nothing_to_a_terminal() {
        let record = doc! { "type": "a\u{1b}[2J\u{202e}b", "users": [7_i64, "ada"], "route": null };
        assert_eq!(field(&record, "users"), "7, ada");
        assert_eq!(
            (field(&record, "route"), field(&record, "place")),
            (String::new(), String::new())
        );
        let shown = field(&record, "type");
        assert!(!shown.contains(['\u{1b}', '\u{202e}']) && shown.starts_with('a'), "{shown}");
    }

    #[test]
    fn a_line_of_json_has_each_field_also_where_there_is_none() {
        let record =
            doc! { "_id": "q/m", "key": 1_i64 << 60, "dead_lettered": DateTime::from_millis(0) };
        let line = line(&record);
        assert_eq!(line.as_object().map(Map::len), Some(TOLD.len() + 1));
        assert_eq!(line["dead_lettered"], "1970-01-01T00:00:00.000Z");
        assert_eq!((&line["key"], &line["place"]), (&json!(1_i64 << 60), &Value::Null));
    }
}
