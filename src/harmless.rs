//! Texts that somebody else wrote, with what a terminal or a page would obey instead of showing it escaped.

/// A text that somebody else wrote, with what a terminal or a page obeys escaped.
#[must_use]
pub fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    push_harmless(&mut harmless, text.chars());
    harmless
}

/// Adds characters of such a text.
pub fn push_harmless(out: &mut String, chars: impl Iterator<Item = char>) {
    for char in chars {
        if is_obeyed(char) {
            out.extend(char.escape_unicode());
        } else {
            out.push(char);
        }
    }
}

/// Whether a terminal or a page does something at this character instead of showing it: control characters, marks
/// of direction, and what has no width or is blank though it is no space. U+FE0F is shown: it only asks for
/// the coloured form of the character before it, and many emoji end in it.
#[must_use]
pub fn is_obeyed(char: char) -> bool {
    let is_mark = matches!(
        char,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
    );
    let is_blank = matches!(
        char,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0e}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}'
    );
    char.is_control() || is_mark || is_blank
}

/// The same of a text of several lines, whose ends of lines and tabs stay: for what shows lines anyway.
#[must_use]
pub fn harmless_lines(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' | '\t' => harmless.push(char),
            char => push_harmless(&mut harmless, std::iter::once(char)),
        }
    }
    harmless
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_width_or_is_blank_is_escaped_and_emoji_are_not() {
        for hidden in "\u{ad}\u{34f}\u{115f}\u{1160}\u{17b4}\u{180e}\u{3164}\u{fe00}\u{ffa0}\u{e0041}\u{e01ef}\u{7f}\u{9b}".chars() {
            assert!(harmless(&hidden.to_string()).starts_with("\\u{"), "{hidden:?}");
        }
        assert_eq!(harmless("é \u{2764}\u{fe0f} 😀 한"), "é \u{2764}\u{fe0f} 😀 한");
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(harmless_lines("{\n\t\"a\": 1\r\n}\u{202e}"), "{\n\t\"a\": 1\\u{d}\n}\\u{202e}");
    }
}
