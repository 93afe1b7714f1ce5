//! Where the thing begins that the parser stopped in. The parser stops where it can go no further, and
//! that is often behind what is wrong: behind a word, in the middle of an escape, or at the bracket after a
//! comma.

use serde_json::error::Category;

/// An escape of four hex digits.
const ESCAPE_BYTES: usize = r"\u0000".len();

/// Where the parser stopped, as bytes of the text.
pub fn offset(text: &str, error: &serde_json::Error) -> usize {
    let lines = text.split_inclusive('\n');
    let before: usize = lines.take(error.line().saturating_sub(1)).map(str::len).sum();
    let mut offset = (before + error.column().saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// The first byte of what is wrong.
pub fn begin(text: &str, error: &serde_json::Error) -> usize {
    let at = offset(text, error);
    if error.classify() != Category::Syntax {
        return at;
    }
    let told = error.to_string();
    let is = |text: &str| told.starts_with(text);
    if is("control character") {
        // A line break counts as the end of its line, before which the parser stopped.
        return if error.column() == 0 { at.saturating_sub(1) } else { at };
    }
    if is("invalid escape") || told.contains("surrogate") || is("unexpected end of hex escape") {
        return escape(text, at).unwrap_or(at);
    }
    if is("trailing comma") || text[at..].starts_with(['}', ']']) {
        let before = text[..at].trim_ascii_end();
        if before.ends_with(',') {
            return before.len() - 1;
        }
    }
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.+-".contains(byte);
    at - text.as_bytes()[..at].iter().rev().take_while(|byte| is_part(byte)).count()
}

/// Line and column of a byte, both from 1 on. Columns are characters.
pub fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Where the escape begins that the parser stopped in, if it lacks some of its four digits.
pub fn cut_escape(text: &str, end: usize) -> Option<usize> {
    let begin = text[..end].rfind(r"\u").filter(|begin| end - begin <= ESCAPE_BYTES);
    begin.filter(|begin| {
        let digits = text.as_bytes()[begin + 2..].iter().take(ESCAPE_BYTES - 2);
        digits.take_while(|digit| digit.is_ascii_hexdigit()).count() < ESCAPE_BYTES - 2
    })
}

/// Where the escape begins in or behind which the parser stopped: the first half, where the second is
/// wrong.
fn escape(text: &str, at: usize) -> Option<usize> {
    let begin = text[..at].rfind('\\').filter(|begin| at - begin <= ESCAPE_BYTES + 1)?;
    let is_first_half = |begin: &usize| {
        let half = text.get(*begin..begin + 4).unwrap_or_default().to_ascii_lowercase();
        [r"\ud8", r"\ud9", r"\uda", r"\udb"].contains(&half.as_str())
    };
    let first = begin.checked_sub(ESCAPE_BYTES).filter(is_first_half);
    Some(first.unwrap_or(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_begins_before_the_byte_where_the_parser_stops() {
        for (text, wanted) in [
            (r#"{"a":tru}"#, "tru}"),
            (r#"{"a":nulx}"#, "nulx}"),
            (r#"{"a":01}"#, "01}"),
            (r#"{"a":0x1F}"#, "0x1F}"),
            (r#"{"a":1.}"#, "1.}"),
            (r#"{"a":1.e5}"#, "1.e5}"),
            (r#"{"a":-Infinity}"#, "-Infinity}"),
            (r#"{"a":+1}"#, "+1}"),
            (r#"{"a":"a\qb"}"#, r#"\qb"}"#),
            (r#"{"a":"\n\u12"}"#, r#"\u12"}"#),
            (r#"{"a":"\u12zz"}"#, r#"\u12zz"}"#),
            (r#"{"a":"\ud800"}"#, r#"\ud800"}"#),
            (r#"{"a":"x\ud800y"}"#, r#"\ud800y"}"#),
            (r#"{"a":"\ud800\n"}"#, r#"\ud800\n"}"#),
            (r#"{"a":"\ud800\u0041"}"#, r#"\ud800\u0041"}"#),
            (r#"{"a":"\udc00"}"#, r#"\udc00"}"#),
            (r#"{"a":5,}"#, ",}"),
            ("{\"a\":[5, \n]}", ", \n]}"),
            ("{\"a\":\"x\ny\"}", "\ny\"}"),
            ("{\"a\":\"x\ty\"}", "\ty\"}"),
            (r#"{"a":1 "b":2}"#, r#""b":2}"#),
            (r#"{"a":}"#, "}"),
            (r#"{"a":1} x"#, "x"),
            ("{b:1}", "b:1}"),
        ] {
            let error = serde_json::from_str::<serde_json::Value>(text).expect_err(text);
            assert_eq!(&text[begin(text, &error)..], wanted, "{text}: {error}");
        }
    }

    #[test]
    fn columns_are_characters() {
        assert_eq!(position("{\n \"é😀\": x}", "{\n \"é😀\": ".len()), (2, 8));
    }
}
