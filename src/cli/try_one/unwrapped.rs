//! The text inside of a body that a place is about, and where its bytes stand in the body as it came.

use crate::cli::locate::{self, Span};
use crate::decode::encoding::{self, Encoding, Unpacked};
use crate::message::{Layer, Layers, Place};

/// A text that was got out of a body.
#[derive(Debug, Clone)]
pub(super) struct Unwrapped {
    pub(super) text: String,
    /// Where its pieces begin, in it and in the body: each has the same bytes in both up to the next, or
    /// is one escape. The last begins where the text ends. None where the text was packed, so that its
    /// bytes are nowhere in the body.
    pieces: Option<Vec<(usize, usize)>>,
}

impl Unwrapped {
    pub(super) fn body(body: &str) -> Self {
        Self { text: body.to_owned(), pieces: Some(vec![(0, 0), (body.len(), body.len())]) }
    }

    /// Gets out what is inside of these layers, as far as they open. Says whether all did.
    pub(super) fn inside(self, layers: Layers, bounds: Unpacked) -> (Self, bool) {
        let mut inner = self.without_mark();
        for layer in layers.iter() {
            match inner.opened(layer, bounds) {
                Some(next) => inner = next.without_mark(),
                None => return (inner, false),
            }
        }
        (inner, true)
    }

    /// Where these bytes of it stand in the body.
    pub(super) fn in_body(&self, span: &Span) -> Option<Span> {
        let pieces = self.pieces.as_ref()?;
        let place = |at: usize| {
            let next = pieces.partition_point(|(inner, _)| *inner <= at);
            let (inner, outer) = pieces[next.checked_sub(1)?];
            Some(outer + (at - inner))
        };
        Some(place(span.start)?..place(span.end)?)
    }

    fn opened(&self, layer: Layer, bounds: Unpacked) -> Option<Self> {
        let field = |name: &'static str| locate::value(&self.text, &Place::value(name));
        match layer {
            Layer::Packed => {
                let unpack = |encoding: Encoding| encoding.unpack(&self.text, bounds).ok();
                let text = unpack(Encoding::Gzip).or_else(|| unpack(Encoding::Zstd))?;
                Some(Self { text, pieces: None })
            }
            Layer::SnsMessage => self.unescaped(&field("Message")?),
            Layer::DetailText => self.unescaped(&field("detail")?),
            Layer::Detail => Some(self.slice(&field("detail")?)),
            Layer::Data => Some(self.slice(&field("data")?)),
            Layer::DataBase64 => {
                let base64 = self.unescaped(&field("data_base64")?)?.text;
                let text = String::from_utf8(encoding::base64(&base64)?).ok()?;
                Some(Self { text, pieces: None })
            }
        }
    }

    /// Without a byte order mark, which is none of the text.
    fn without_mark(self) -> Self {
        const MARK: char = '\u{feff}';
        if self.text.starts_with(MARK) {
            self.slice(&(MARK.len_utf8()..self.text.len()))
        } else {
            self
        }
    }

    fn slice(&self, span: &Span) -> Self {
        let mut inner = Builder::new(self);
        inner.copy(span.clone());
        inner.finish(span.end)
    }

    /// What the JSON text says that these bytes are, with its quotes. None where they are none.
    fn unescaped(&self, span: &Span) -> Option<Self> {
        let quoted = &self.text[span.clone()];
        quoted.strip_prefix('"')?.strip_suffix('"')?;
        let (mut at, end) = (span.start + 1, span.end - 1);
        let mut inner = Builder::new(self);
        while at < end {
            let rest = &self.text[at..end];
            let plain = rest.find('\\').unwrap_or(rest.len());
            inner.copy(at..at + plain);
            at += plain;
            if at < end {
                let (char, bytes) = escape(&self.text[at..end]);
                inner.escape(char, at);
                at += bytes;
            }
        }
        Some(inner.finish(end))
    }
}

/// The character that an escape stands for, and how many bytes it has.
fn escape(text: &str) -> (char, usize) {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    if let Some(first) = unit(0) {
        let units = [first, unit(6).unwrap_or_default()];
        return match char::decode_utf16(units).next() {
            Some(Ok(char)) => (char, 6 * char.len_utf16()),
            _ => (char::REPLACEMENT_CHARACTER, 6),
        };
    }
    let char = match text.chars().nth(1) {
        Some('n') => '\n',
        Some('t') => '\t',
        Some('r') => '\r',
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        other => other.unwrap_or('\\'),
    };
    let bytes = 1 + text.chars().nth(1).map_or(0, char::len_utf8);
    (char, bytes)
}

/// Puts a text together out of parts of another one.
struct Builder<'o> {
    outer: &'o Unwrapped,
    text: String,
    pieces: Vec<(usize, usize)>,
}

impl<'o> Builder<'o> {
    fn new(outer: &'o Unwrapped) -> Self {
        Self { outer, text: String::new(), pieces: Vec::new() }
    }

    fn copy(&mut self, span: Span) {
        self.piece(span.start);
        // Where the outer text is itself one of pieces, so is the part of it.
        let pieces = self.outer.pieces.as_deref().unwrap_or_default();
        let first = pieces.partition_point(|(begin, _)| *begin <= span.start);
        for (begin, _) in pieces[first..].iter().take_while(|(begin, _)| *begin < span.end) {
            self.piece_at(self.text.len() + (begin - span.start), *begin);
        }
        self.text.push_str(&self.outer.text[span]);
    }

    fn escape(&mut self, char: char, at: usize) {
        self.piece(at);
        self.text.push(char);
    }

    fn piece(&mut self, outer: usize) {
        self.piece_at(self.text.len(), outer);
    }

    fn piece_at(&mut self, inner: usize, outer: usize) {
        if let Some(place) = self.outer.in_body(&(outer..outer)) {
            self.pieces.push((inner, place.start));
        }
    }

    fn finish(mut self, end: usize) -> Unwrapped {
        self.piece(end);
        let pieces = self.outer.pieces.is_some().then_some(self.pieces);
        Unwrapped { text: self.text, pieces }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BOUNDS: Unpacked = Unpacked { bytes_max: 1 << 20, ratio_max: 1_000 };

    fn inside(body: &str, layers: &[Layer]) -> Unwrapped {
        let mut all = Layers::default();
        for layer in layers {
            all.push(*layer);
        }
        let (inner, is_whole) = Unwrapped::body(body).inside(all, BOUNDS);
        assert!(is_whole, "{inner:?}");
        inner
    }

    /// What the value of `a` in the inner text is in the body.
    fn found<'b>(body: &'b str, inner: &Unwrapped) -> &'b str {
        let span = locate::span(&inner.text, &Place::value("a"));
        &body[inner.in_body(&span).expect("in the body")]
    }

    #[test]
    fn a_value_inside_of_envelopes_is_found_in_the_body() {
        let own = r#"{"b": "é\n😀", "a": "x\ty"}"#;
        let sns = json!({"Type": "Notification", "Message": own}).to_string();
        let bus = format!(r#"{{"id": "1", "detail": {sns} }}"#);
        let inner = inside(&sns, &[Layer::SnsMessage]);
        assert_eq!(inner.text, own);
        assert_eq!(found(&sns, &inner), r#"\"x\\ty\""#);
        let inner = inside(&bus, &[Layer::Detail, Layer::SnsMessage]);
        assert_eq!((inner.text.as_str(), found(&bus, &inner)), (own, r#"\"x\\ty\""#));
        let twice = format!("\u{feff}{}", json!({"Message": sns}));
        let inner = inside(&twice, &[Layer::SnsMessage, Layer::SnsMessage]);
        assert_eq!((inner.text.as_str(), found(&twice, &inner)), (own, r#"\\\"x\\\\ty\\\""#));
    }

    #[test]
    fn escapes_of_all_kinds_are_one_character_each() {
        let body = r#"{"Message": "\u00e9\ud83d\ude00\b\/\\\"{\"a\":1}"}"#;
        let (inner, _) = Unwrapped::body(body).inside(
            {
                let mut layers = Layers::default();
                layers.push(Layer::SnsMessage);
                layers
            },
            BOUNDS,
        );
        assert_eq!(inner.text, "é😀\u{8}/\\\"{\"a\":1}");
        let at = inner.text.find('1').expect("there");
        assert_eq!(&body[inner.in_body(&(at..at + 1)).expect("in the body")], "1");
    }

    #[test]
    fn what_was_packed_is_nowhere_in_the_body() {
        let inner = inside(r#"{"data_base64": "eyJhIjogMX0="}"#, &[Layer::DataBase64]);
        assert_eq!(inner.text, r#"{"a": 1}"#);
        assert_eq!(inner.in_body(&(0..1)), None);
    }

    #[test]
    fn layers_that_do_not_open_leave_what_is_around_them() {
        let mut layers = Layers::default();
        layers.push(Layer::Data);
        let (inner, is_whole) = Unwrapped::body(r#"{"id": 1}"#).inside(layers, BOUNDS);
        assert_eq!((inner.text.as_str(), is_whole), (r#"{"id": 1}"#, false));
    }
}
