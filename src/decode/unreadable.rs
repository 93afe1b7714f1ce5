//! Why a text is not one JSON object, told so that its sender can fix it: the thing, the place, and
//! what to send. Looked at only once the parser has failed, so good bodies pay nothing for it.

mod fault;

use serde_json::error::Category;

pub use self::fault::offset;
use super::place::Step;
use super::undecoded::THE_BODY;
use crate::message::place::Spot;
use crate::message::{Reason, Rejection};

/// Where the parser stood.
pub struct Failure<'a> {
    pub text: &'a str,
    pub error: &'a serde_json::Error,
    /// The element that was begun last, as text for people; empty before the first.
    pub place: &'a str,
    /// Its step.
    pub step: Option<Step>,
}

impl Failure<'_> {
    /// The rejection. No value of the message is in it, and no word but those that stand here.
    pub fn rejection(&self) -> Rejection {
        let body = self.text.trim_ascii();
        let text = if body.is_empty() {
            format!("{THE_BODY} is empty: send one JSON object")
        } else if self.error.classify() == Category::Data {
            format!("{THE_BODY} {}", other_value(body))
        } else if !body.starts_with(['{', '[', '"']) {
            format!("{THE_BODY} is not JSON: {}", other_text(body))
        } else {
            let at = fault::begin(self.text, self.error);
            let (line, column) = fault::position(self.text, at);
            format!("{THE_BODY} is not JSON: {} (line {line} column {column})", self.flaw())
        };
        Rejection::new(Reason::BadJson, text)
    }

    /// Where that is. A body that is no object at all is wrong as a whole.
    pub fn spot(&self) -> Spot {
        match self.error.classify() {
            Category::Eof if !self.text.trim_ascii().is_empty() => Spot::End,
            Category::Syntax => Spot::Byte(fault::begin(self.text, self.error)),
            _ => Spot::Value,
        }
    }

    /// What is wrong inside of an object.
    fn flaw(&self) -> String {
        let error = self.error.to_string();
        let is = |text: &str| error.starts_with(text);
        let rest = &self.text[self.offset()..];
        if is("trailing characters") {
            return after_the_object(rest);
        }
        if self.error.classify() == Category::Eof {
            return format!(
                "it ends in the middle{}: it was cut off, or a bracket is missing",
                self.after()
            );
        }
        if is("trailing comma") || is("key must be a string") && rest.starts_with(['}', ']']) {
            return format!(
                "a comma stands before a closing bracket{}: leave it out",
                self.after()
            );
        }
        if rest.starts_with('\'') {
            return format!(
                "a single quote stands where a double one must{}, as Python's str() prints: encode with json.dumps",
                self.after()
            );
        }
        if rest.starts_with('/') {
            return format!(
                "a comment stands there{}, and JSON has none: leave it out",
                self.after()
            );
        }
        if is("key must be a string") {
            return format!(
                "a name stands without double quotes{}: write {{\"name\": ...}}",
                self.after()
            );
        }
        if let Some(flaw) = self.flaw_in_text(&error) {
            return flaw;
        }
        if let Some(word) = self.word() {
            return format!("{} {word}", self.value());
        }
        let is_prefixed =
            rest.starts_with(['x', 'X', 'o', 'b']) && self.text[..self.offset()].ends_with('0');
        if is("invalid number")
            || is("expected value") && rest.starts_with(['+', '.'])
            || is("expected `,`") && is_prefixed
        {
            return format!(
                "{} is a number as JSON does not write it (a leading zero, a plus, a bare point, 0x): send 0.5, or a string",
                self.value()
            );
        }
        if is("expected `,`") {
            return format!("a comma or a closing bracket is missing{}", self.after());
        }
        let known = error.split(" at line ").next().unwrap_or_default();
        format!("{known}{}", self.after())
    }

    /// What is wrong inside of a text.
    fn flaw_in_text(&self, error: &str) -> Option<String> {
        if let Some(at) = fault::cut_escape(self.text, self.offset()) {
            return Some(format!(
                "{} has \\u without four hex digits behind it: write all four, as in \\u00e9",
                self.in_text_at(at)
            ));
        }
        if error.contains("surrogate") || error.starts_with("unexpected end of hex escape") {
            return Some(format!(
                "{} has half of a character, an escape such as \\ud83d without its other half: do not cut text between the two, or \
                 send U+FFFD in its place",
                self.in_text()
            ));
        }
        if error.starts_with("control character") {
            return Some(format!(
                "{} has a line break or another control character as it is: write it as an escape, such as \\n",
                self.in_text()
            ));
        }
        if error.starts_with("invalid escape") {
            return Some(format!(
                "{} has an escape that JSON does not have: double the backslash",
                self.in_text()
            ));
        }
        None
    }

    /// Where the parser stopped, as bytes of the text.
    fn offset(&self) -> usize {
        fault::offset(self.text, self.error)
    }

    fn after(&self) -> String {
        if self.place.is_empty() { String::new() } else { format!(" at field {}", self.place) }
    }

    fn value(&self) -> String {
        if self.place.is_empty() { "it".to_owned() } else { format!("field {}", self.place) }
    }

    /// The text that the parser stopped in: a name, or the value of the element begun last.
    fn in_text(&self) -> String {
        self.in_text_at(self.offset())
    }

    fn in_text_at(&self, offset: usize) -> String {
        let start = start_of_text(self.text, offset);
        let before = self.text[..start].trim_ascii_end();
        let is_value = before.ends_with(':') || matches!(self.step, Some(Step::Index(_)));
        match (is_value, self.place) {
            (true, place) => format!("field {place}"),
            (false, "") => "the first name".to_owned(),
            (false, place) => format!("the name behind field {place}"),
        }
    }

    /// What the word at this place is in the language that printed it.
    fn word(&self) -> Option<&'static str> {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let bytes = self.text.as_bytes();
        let at = self.offset();
        let start = at - bytes[..at].iter().rev().take_while(|byte| is_part(byte)).count();
        let end = at + bytes[at..].iter().take_while(|byte| is_part(byte)).count();
        Some(match self.text.get(start..end)? {
            "NaN" | "nan" => {
                r#"is NaN, which JSON does not have: send null, or {"$numberDouble": "NaN"}; a key takes neither"#
            }
            "Infinity" | "inf" | "Inf" => {
                r#"is Infinity, which JSON does not have: send null, or {"$numberDouble": "Infinity"} (or "-Infinity"); a key takes neither"#
            }
            "None" => "is Python's None: encode with json.dumps, which writes null",
            "True" => "is Python's True: encode with json.dumps, which writes true",
            "False" => "is Python's False: encode with json.dumps, which writes false",
            "undefined" => {
                "is JavaScript's undefined: send null, or leave the field out; a key must be there"
            }
            _ => return None,
        })
    }
}

/// A JSON value that is no object.
fn other_value(body: &str) -> String {
    let inside = serde_json::from_str::<String>(body).ok();
    match (body.as_bytes().first(), inside) {
        (_, Some(inside)) if inside.trim_ascii_start().starts_with(['{', '[']) => {
            "is a JSON string that holds JSON, so it was encoded twice: send the object itself, with json.dumps once".to_owned()
        }
        (Some(b'"'), _) => "is a JSON string: send one JSON object".to_owned(),
        (Some(b'['), _) => {
            "is a JSON array: send one JSON object, each item in a message of its own".to_owned()
        }
        _ => "is a single JSON value: send one JSON object".to_owned(),
    }
}

/// A text that does not begin as an object, an array or a string of JSON.
fn other_text(body: &str) -> &'static str {
    // Names of a form are short.
    let name = body.split('=').next().unwrap_or_default();
    let of_form = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.%+[]*".contains(&byte);
    let is_form = name.len() < body.len() && name.bytes().all(of_form);
    // What gzip, zstd and an object begin with, in base64.
    if body.starts_with("H4sI") {
        "it looks like gzip in base64: set the message attribute content-encoding to gzip"
    } else if body.starts_with("KLUv/") {
        "it looks like zstd in base64: set the message attribute content-encoding to zstd"
    } else if body.starts_with("eyJ") {
        "it looks like JSON in base64: send it as it is, or packed with the attribute content-encoding"
    } else if body.starts_with('<') {
        "it begins with <, as XML and HTML do: send one JSON object"
    } else if is_form {
        "it looks form-encoded (name=value&...): send one JSON object, such as json.dumps writes"
    } else {
        "it does not begin with {: send one JSON object"
    }
}

/// What stands behind a whole object.
fn after_the_object(rest: &str) -> String {
    if rest.trim_ascii_start().starts_with('{') {
        "a second object stands behind the first: send each in a message of its own".to_owned()
    } else {
        "something stands behind the object: send the object alone".to_owned()
    }
}

/// Where the text begins that holds this byte.
fn start_of_text(text: &str, offset: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < offset {
        if bytes[at] != b'"' {
            at += 1;
            continue;
        }
        let start = at;
        at += 1;
        while at < bytes.len() && bytes[at] != b'"' {
            at += if bytes[at] == b'\\' { 2 } else { 1 };
        }
        at += 1;
        if at > offset {
            return start;
        }
    }
    offset
}
