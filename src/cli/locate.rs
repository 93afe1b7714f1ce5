//! From a place to the bytes of the text that it means.
//!
//! The text may be no JSON, or end in the middle. So this does not parse: it walks over brackets,
//! texts and commas as far as they go, and gives what is nearest to the place where it is cut short.

use std::ops::Range;

use crate::message::Place;
use crate::message::place::{Spot, Step};

/// Bytes of a text.
pub(super) type Span = Range<usize>;

/// What the place means in `text`, or what is nearest to it. Empty only where the text is.
pub(super) fn span(text: &str, place: &Place) -> Span {
    let scan = Scan { text };
    if let Spot::Byte(at) = place.spot {
        return scan.word(at);
    }
    let (node, _) = scan.walk(place);
    match place.spot {
        Spot::Name | Spot::SecondName => node.name.clone().unwrap_or_else(|| scan.value(&node)),
        Spot::End => node.start().min(scan.end())..scan.end(),
        Spot::Value | Spot::Missing | Spot::Byte(_) => scan.value(&node),
    }
}

/// The value at the place, if it is there.
pub(super) fn value(text: &str, place: &Place) -> Option<Span> {
    let scan = Scan { text };
    let (node, is_there) = scan.walk(place);
    is_there.then(|| scan.value(&node))
}

/// A value, with the name in front of it where it has one.
#[derive(Debug, Clone, Default)]
struct Node {
    /// With its quotes.
    name: Option<Span>,
    /// Where the value begins, unless the text ends before.
    value: Option<usize>,
}

impl Node {
    fn start(&self) -> usize {
        self.name.as_ref().map(|name| name.start).or(self.value).unwrap_or_default()
    }
}

struct Scan<'t> {
    text: &'t str,
}

impl Scan<'_> {
    /// Goes as far along the steps as the text has them. Says whether it went all the way.
    fn walk(&self, place: &Place) -> (Node, bool) {
        let mut node = Node { name: None, value: Some(self.skip_space(0)) };
        let before = place.read_bytes.unwrap_or(usize::MAX);
        for (index, step) in place.steps.iter().enumerate() {
            let is_last = index + 1 == place.steps.len();
            let next = node.value.and_then(|open| match step {
                Step::Name(name) => {
                    let is_second = is_last && place.spot == Spot::SecondName;
                    self.member(open, name, before, is_second)
                }
                Step::Index(index) => self.item(open, *index),
            });
            match next {
                Some(next) => node = next,
                None => return (node, false),
            }
        }
        (node, true)
    }

    /// The last member of this name that begins before that byte, or the second one.
    fn member(&self, open: usize, name: &str, before: usize, is_second: bool) -> Option<Node> {
        if self.byte(open) != Some(b'{') {
            return None;
        }
        let (mut at, mut found, mut times) = (open + 1, None, 0);
        while let Some(node) = self.next_member(at).filter(|node| node.start() < before) {
            let value = node.value;
            if node.name.clone().is_some_and(|span| self.is_name(span, name)) {
                (found, times) = (Some(node), times + 1);
                if is_second && times == 2 {
                    break;
                }
            }
            match value {
                Some(value) => at = self.skip_value(value),
                None => break,
            }
        }
        found
    }

    fn next_member(&self, at: usize) -> Option<Node> {
        let start = self.skip_comma(at);
        if self.byte(start) != Some(b'"') {
            return None;
        }
        let end = self.skip_text(start);
        let colon = self.skip_space(end);
        let value = (self.byte(colon) == Some(b':')).then(|| self.skip_space(colon + 1));
        let value = value.filter(|value| *value < self.text.len());
        Some(Node { name: Some(start..end), value })
    }

    fn item(&self, open: usize, index: usize) -> Option<Node> {
        if self.byte(open) != Some(b'[') {
            return None;
        }
        let mut at = self.skip_comma(open + 1);
        for _ in 0..index {
            at = self.skip_comma(self.skip_value(at));
        }
        let is_there = self.byte(at).is_some_and(|byte| byte != b']');
        is_there.then_some(Node { name: None, value: Some(at) })
    }

    fn is_name(&self, span: Span, name: &str) -> bool {
        let quoted = &self.text[span];
        if quoted.contains('\\') {
            return serde_json::from_str::<String>(quoted).is_ok_and(|read| read == name);
        }
        quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) == Some(name)
    }

    /// The bytes of a value, or of its name where it has none.
    fn value(&self, node: &Node) -> Span {
        match (node.value, &node.name) {
            (Some(value), _) if value < self.text.len() => {
                value..self.skip_value(value).min(self.end()).max(value + 1)
            }
            (_, Some(name)) => name.clone(),
            _ => self.word(self.end().saturating_sub(1)),
        }
    }

    /// The word, number, escape or character at this byte; the last one where the text ends before.
    fn word(&self, at: usize) -> Span {
        let mut at = at.min(self.text.len());
        if at == self.text.len() {
            at = self.text.char_indices().next_back().map_or(0, |(last, _)| last);
        }
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let rest = &self.text[at..];
        let Some(first) = rest.chars().next() else { return at..at };
        if first == '\\' {
            return at..at + escape(rest);
        }
        let is_number = first.is_ascii_digit() || ".+-".contains(first);
        let is_part = |char: char| {
            char.is_ascii_alphanumeric() || char == '_' || is_number && ".+-".contains(char)
        };
        let word = rest.find(|char| !is_part(char)).unwrap_or(rest.len());
        at..at + word.max(first.len_utf8())
    }

    /// Where the text ends, but for white space.
    fn end(&self) -> usize {
        self.text.trim_ascii_end().len()
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn skip_space(&self, at: usize) -> usize {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        at + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
    }

    fn skip_comma(&self, at: usize) -> usize {
        let at = self.skip_space(at);
        if self.byte(at) == Some(b',') { self.skip_space(at + 1) } else { at }
    }

    /// From an opening quote to past the closing one, or to the end.
    fn skip_text(&self, start: usize) -> usize {
        let mut at = start + 1;
        while let Some(byte) = self.byte(at) {
            match byte {
                b'\\' => at += 2,
                b'"' => return at + 1,
                _ => at += 1,
            }
        }
        self.text.len()
    }

    fn skip_value(&self, start: usize) -> usize {
        let (mut at, mut depth) = (start, 0_usize);
        while let Some(byte) = self.byte(at) {
            match byte {
                b'"' => at = self.skip_text(at),
                b'{' | b'[' => (at, depth) = (at + 1, depth + 1),
                // It ends the object around a number or word.
                b'}' | b']' if depth == 0 => return at,
                b'}' | b']' => (at, depth) = (at + 1, depth - 1),
                _ if depth > 0 => at += 1,
                b',' | b':' => return at,
                byte if byte.is_ascii_whitespace() => return at,
                _ => {
                    at += 1;
                    continue;
                }
            }
            if depth == 0 {
                return at;
            }
        }
        self.text.len()
    }
}

/// How many bytes the escape has that the text begins with: of `\u` with the hex digits that are there.
fn escape(text: &str) -> usize {
    let mut chars = text.chars().skip(1);
    let Some(kind) = chars.next() else { return 1 };
    let digits =
        if kind == 'u' { chars.take(4).take_while(char::is_ascii_hexdigit).count() } else { 0 };
    1 + kind.len_utf8() + digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str, place: &Place) -> String {
        text[span(text, place)].to_owned()
    }

    fn of(steps: &[Step], spot: Spot) -> Place {
        Place { steps: steps.to_vec(), spot, ..Place::default() }
    }

    fn name(name: &'static str) -> Step {
        Step::Name(name.into())
    }

    #[test]
    fn values_names_and_items_are_found_whatever_is_around_them() {
        let text = r#" { "a" : [1, "]", {"b,\"": {"c": -1.5e3}}], "d": null}"#;
        let deep = [name("a"), Step::Index(2), name("b,\""), name("c")];
        assert_eq!(marked(text, &of(&deep, Spot::Value)), "-1.5e3");
        assert_eq!(marked(text, &of(&deep, Spot::Name)), r#""c""#);
        assert_eq!(marked(text, &of(&deep[..2], Spot::Value)), r#"{"b,\"": {"c": -1.5e3}}"#);
        assert_eq!(marked(text, &Place::value("d")), "null");
        assert_eq!(marked(text, &of(&[name("a"), Step::Index(1)], Spot::Value)), r#""]""#);
    }

    #[test]
    fn what_is_missing_marks_the_object_that_lacks_it() {
        let missing = |text| marked(text, &of(&[name("a"), name("x")], Spot::Missing));
        assert_eq!(missing(r#"{"a": {"b": 1}, "c": 2}"#), r#"{"b": 1}"#);
        assert_eq!(missing(r#"{"c": 2} "#), r#"{"c": 2}"#);
        assert_eq!(missing(r#"{"a": {"x": null}}"#), "null");
    }

    #[test]
    fn of_names_that_stand_twice_the_second_is_marked_or_the_one_that_was_read() {
        let text = r#"{"a": 1, "\u0061": {"b": 2}, "a": {"b": 3}}"#;
        assert_eq!(span(text, &of(&[name("a")], Spot::SecondName)), 9..17);
        let inner = Place { read_bytes: Some(25), ..Place::path("a.b") };
        assert_eq!(marked(text, &inner), "2");
        assert_eq!(marked(text, &Place::path("a.b")), "3");
    }

    #[test]
    fn a_text_that_ends_in_the_middle_is_marked_from_the_nearest_name() {
        let end = |text| marked(text, &of(&[name("a"), name("b")], Spot::End));
        assert_eq!(end(r#"{"a": {"b": "x"#), r#""b": "x"#);
        assert_eq!(end(r#"{"a": {"b" "#), r#""b""#);
        assert_eq!(end(r#"{"a": {"#), r#""a": {"#);
        assert_eq!(end("{"), "{");
        assert_eq!(marked(r#"{"a":"#, &Place::value("a")), r#""a""#);
    }

    #[test]
    fn a_byte_marks_its_word_and_nothing_panics() {
        let at = |text, byte| marked(text, &of(&[], Spot::Byte(byte)));
        assert_eq!(at("{\"a\": NaN}", 6), "NaN");
        assert_eq!(at("{\"a\": é}", 7), "é");
        assert_eq!(at("{\"a\": -1.5e+}", 6), "-1.5e+");
        assert_eq!(at(r#"{"a": "\qb"}"#, 7), r"\q");
        assert_eq!(at(r#"{"a": "\u12"}"#, 7), r"\u12");
        assert_eq!(at(r#"{"a": "\ud800abc"}"#, 7), r"\ud800");
        assert_eq!(at("\\é", 0), "\\é");
        assert_eq!(at("{", 9), "{");
        assert_eq!(at("", 0), "");
        for text in ["", " ", "\\", "\"", "{\"", "{\"a\\", "[", "[,", "{\"a\":}", "}", "é"] {
            for spot in [Spot::Value, Spot::Name, Spot::Missing, Spot::End, Spot::Byte(1)] {
                for steps in [vec![], vec![name("a")], vec![Step::Index(3), name("a")]] {
                    let _ = marked(text, &of(&steps, spot));
                }
            }
        }
    }
}
