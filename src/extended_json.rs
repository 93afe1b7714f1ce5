//! Documents as Extended JSON (v2), with their fields in the order in which they are sent.
//!
//! The crate `bson` makes values of `serde_json` of them, which sort names. So objects and arrays are
//! written here, and only what stands in them is the crate's.

use std::fmt::Write;

use bson::{Bson, Document};

use crate::harmless::is_obeyed;

/// Bytes of a line that are filled before an object or array is broken into lines.
const LINE_BYTES: usize = 96;

/// On one line; each number says its type.
pub fn canonical(document: &Document) -> String {
    let line = Line { form: Form::Canonical, end: usize::MAX };
    let mut out = String::new();
    line.document(&mut out, document);
    out
}

/// On one line, without what only tells a number's type: for programs that look for a text in it.
pub fn relaxed_line(document: &Document) -> String {
    let line = Line { form: Form::Dense, end: usize::MAX };
    let mut out = String::new();
    line.document(&mut out, document);
    out
}

/// For people: over lines where one is too short.
pub fn relaxed(document: &Document) -> String {
    let mut out = String::new();
    write_lines(&mut out, Held::Document(document), 0);
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Canonical,
    /// With spaces, for people.
    Relaxed,
    /// The relaxed form without spaces.
    Dense,
}

/// An object or array, or what is neither.
#[derive(Clone, Copy)]
enum Held<'a> {
    Document(&'a Document),
    Array(&'a [Bson]),
    Other(&'a Bson),
}

impl<'a> Held<'a> {
    fn of(value: &'a Bson) -> Self {
        match value {
            Bson::Document(document) => Self::Document(document),
            Bson::Array(items) => Self::Array(items),
            other => Self::Other(other),
        }
    }
}

/// Adds a value that begins behind so many levels. What fits on its line stands there.
fn write_lines(out: &mut String, held: Held<'_>, level: usize) {
    let start = out.len();
    let end = match held {
        Held::Other(_) => usize::MAX,
        Held::Document(_) | Held::Array(_) => start + LINE_BYTES.saturating_sub(2 * level),
    };
    let line = Line { form: Form::Relaxed, end };
    let fits = match held {
        Held::Document(document) => line.document(out, document),
        Held::Array(items) => line.array(out, items),
        Held::Other(value) => line.leaf(out, value),
    };
    if fits {
        return;
    }
    out.truncate(start);
    match held {
        Held::Document(document) => {
            list(out, ['{', '}'], level, document.iter(), |out, (name, value)| {
                push_text(out, name);
                out.push_str(": ");
                write_lines(out, Held::of(value), level + 1);
            });
        }
        Held::Array(items) => list(out, ['[', ']'], level, items.iter(), |out, item| {
            write_lines(out, Held::of(item), level + 1);
        }),
        Held::Other(_) => {}
    }
}

fn list<T>(
    out: &mut String,
    [open, close]: [char; 2],
    level: usize,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    let new_line = |out: &mut String, level: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", level));
    };
    out.push(open);
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        new_line(out, level + 1);
        write(out, item);
    }
    new_line(out, level);
    out.push(close);
}

/// One line.
#[derive(Clone, Copy)]
struct Line {
    form: Form,
    /// Bytes of all that is written, at which the line is given up: every level tries a line of its own, so
    /// none may cost more than what fits.
    end: usize,
}

impl Line {
    /// Adds it, or the beginning of it and says that it does not fit.
    fn document(self, out: &mut String, document: &Document) -> bool {
        self.list(out, ['{', '}'], document.iter(), |out, (name, value)| {
            self.text(out, name) && {
                out.push_str(if self.form == Form::Relaxed { ": " } else { ":" });
                self.value(out, value)
            }
        })
    }

    fn array(self, out: &mut String, items: &[Bson]) -> bool {
        self.list(out, ['[', ']'], items.iter(), |out, item| self.value(out, item))
    }

    fn value(self, out: &mut String, value: &Bson) -> bool {
        match Held::of(value) {
            Held::Document(document) => self.document(out, document),
            Held::Array(items) => self.array(out, items),
            Held::Other(value) => self.leaf(out, value),
        }
    }

    fn list<T>(
        self,
        out: &mut String,
        [open, close]: [char; 2],
        items: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut String, T) -> bool,
    ) -> bool {
        out.push(open);
        for (index, item) in items.enumerate() {
            if index > 0 {
                out.push_str(if self.form == Form::Relaxed { ", " } else { "," });
            }
            if !write(out, item) || out.len() > self.end {
                return false;
            }
        }
        out.push(close);
        out.len() <= self.end
    }

    /// A text. One that does not fit is not looked at: no character has fewer bytes when it is escaped.
    fn text(self, out: &mut String, text: &str) -> bool {
        let fits = text.len() <= self.end.saturating_sub(out.len());
        if fits {
            push_text(out, text);
        }
        fits
    }

    fn leaf(self, out: &mut String, value: &Bson) -> bool {
        let room = self.end.saturating_sub(out.len());
        match value {
            Bson::String(text) => return self.text(out, text),
            // Written as base64, which is longer. What else a message holds is short.
            Bson::Binary(binary) if binary.bytes.len() > room => return false,
            Bson::DateTime(date) if self.form != Form::Canonical => {
                push_escaped(out, &relaxed_date(*date).to_string());
            }
            other if self.form != Form::Canonical => {
                push_escaped(out, &other.clone().into_relaxed_extjson().to_string());
            }
            other => push_escaped(out, &other.clone().into_canonical_extjson().to_string()),
        }
        true
    }
}

/// The relaxed form has three digits of a second's fraction or none (Extended JSON, v2); the crate leaves out zeros
/// at their end.
fn relaxed_date(date: bson::DateTime) -> serde_json::Value {
    let mut json = Bson::DateTime(date).into_relaxed_extjson();
    if let Some(serde_json::Value::String(text)) = json.get_mut("$date")
        && let Some(digits) = text.split_once('.').map(|(_, fraction)| fraction.len() - 1)
    {
        text.insert_str(text.len() - 1, &"0".repeat(3_usize.saturating_sub(digits)));
    }
    json
}

fn push_text(out: &mut String, text: &str) {
    push_escaped(out, &serde_json::Value::from(text).to_string());
}

/// Adds JSON. What a terminal obeys stands in texts only, so an escape means the same.
pub fn push_escaped(out: &mut String, json: &str) {
    for char in json.chars() {
        // SQS takes neither of the last two (AWS: SendMessage), and they are no characters.
        if is_obeyed(char) || matches!(char, '\u{fffe}' | '\u{ffff}') {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                // Writing to a text does not fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(char);
        }
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn the_order_of_fields_and_the_types_of_numbers_are_kept() {
        let document = doc! { "z": 1, "a": [1_i64, { "y": 1.5, "b": null }], "e": {}, "t": "\u{202e}\u{7f}\n\u{ffff}" };
        assert_eq!(
            canonical(&document),
            r#"{"z":{"$numberInt":"1"},"a":[{"$numberLong":"1"},{"y":{"$numberDouble":"1.5"},"b":null}],"e":{},"t":"\u202e\u007f\n\uffff"}"#
        );
        assert_eq!(relaxed(&doc! { "z": 1, "a": [1_i64, {}] }), r#"{"z": 1, "a": [1, {}]}"#);
        let typed = doc! { "z": 1, "a": [1_i64, { "d": bson::DateTime::from_millis(0) }] };
        assert_eq!(
            relaxed_line(&typed),
            r#"{"z":1,"a":[1,{"d":{"$date":"1970-01-01T00:00:00Z"}}]}"#
        );
        let dates = |millis: &[i64]| {
            let dates: Vec<_> =
                millis.iter().map(|millis| bson::DateTime::from_millis(*millis)).collect();
            relaxed_line(&doc! { "d": dates })
        };
        assert_eq!(
            dates(&[7, 530, 500, 1_000]),
            r#"{"d":[{"$date":"1970-01-01T00:00:00.007Z"},{"$date":"1970-01-01T00:00:00.530Z"},{"$date":"1970-01-01T00:00:00.500Z"},{"$date":"1970-01-01T00:00:01Z"}]}"#
        );
        // Of other years it is milliseconds.
        assert_eq!(dates(&[-530]), r#"{"d":[{"$date":{"$numberLong":"-530"}}]}"#);
        let long = doc! { "z": "x".repeat(90), "a": [1, { "b": {} }] };
        let wanted =
            format!("{{\n  \"z\": \"{}\",\n  \"a\": [1, {{\"b\": {{}}}}]\n}}", "x".repeat(90));
        assert_eq!(relaxed(&long), wanted);
    }

    #[test]
    fn what_is_written_is_read_as_the_same_document() {
        let document = doc! { "z": bson::DateTime::from_millis(1), "a": bson::Uuid::from_bytes([3; 16]), "s": "é\"\\\u{feff}" };
        for text in [canonical(&document), relaxed(&document)] {
            let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let read: Bson = json.try_into().expect("Extended JSON");
            assert_eq!(read, Bson::Document(document.clone()));
        }
    }
    #[test]
    fn a_large_text_behind_many_levels_is_written_once() {
        let mut document = doc! { "text": "x".repeat(1 << 20), "binary": bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![0; 1 << 20] } };
        for _ in 0..90 {
            document = doc! { "in": document };
        }
        let line = Line { form: Form::Relaxed, end: LINE_BYTES };
        let mut out = String::new();
        assert!(!line.document(&mut out, &document) && out.len() < 2 * LINE_BYTES, "{}", out.len());
        assert_eq!(relaxed(&document).matches("xx").count(), 1 << 19);
    }
}
