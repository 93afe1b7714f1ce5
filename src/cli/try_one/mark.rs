//! A place marked in a text, as compilers do: a few lines around it, cut where they are long.

use std::iter;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::cli::locate::Span;
use crate::cli::output::{is_obeyed, push_harmless};

/// Lines that are shown before and behind the marked one.
const LINES_AROUND: usize = 3;
/// Columns of the marked line that are shown before the mark, and from it on; and so of any other line. A
/// line may be megabytes wide.
const COLUMNS_BEFORE: usize = 40;
const COLUMNS_FROM: usize = 60;
/// What stands for the rest of a line.
const CUT: &str = "...";
/// What stands for a tab, whose width a terminal chooses.
const TAB: &str = "    ";
/// More columns than any line has: the renderer would cut through an escape.
const WIDTH_MAX: usize = 1_000;

/// Where a mark begins, for people: both counted from 1, the column in characters. A byte order mark is
/// none of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

pub(super) fn position(text: &str, at: usize) -> Position {
    let before = &text[..at];
    let before = before.strip_prefix('\u{feff}').unwrap_or(before);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    Position {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

/// The lines around `span` of `text`, with the span marked and labelled. The span is shortened to what is
/// shown of its first line; of a large object or array its bracket is marked. Characters that a terminal
/// obeys are escaped.
pub(super) fn marked(text: &str, span: &Span, label: &str) -> String {
    let span = shortened(text, span);
    let line_start = text[..span.start].rfind('\n').map_or(0, |end| end + 1);
    let before: Vec<&str> = text[..line_start].lines().rev().take(LINES_AROUND).collect();
    let mut excerpt = String::new();
    for line in before.iter().rev() {
        push_line(&mut excerpt, line);
    }
    let (rest, marked) = push_marked(&mut excerpt, text, line_start, &span);
    for line in rest.lines().take(LINES_AROUND) {
        push_line(&mut excerpt, line);
    }
    let first_line = position(text, line_start).line - before.len();
    let snippet = Snippet::source(excerpt.trim_end_matches('\n'))
        .line_start(first_line)
        .fold(false)
        .annotation(AnnotationKind::Primary.span(marked).label(label));
    let renderer = Renderer::plain().term_width(WIDTH_MAX);
    renderer.render(&[Group::with_level(Level::ERROR).element(snippet)])
}

/// At most so much of the span as is shown, and one character in any case.
fn shortened(text: &str, span: &Span) -> Span {
    let inside = &text[span.clone()];
    let line = inside.find('\n').unwrap_or(inside.len());
    let first = inside.chars().next().map_or(0, char::len_utf8);
    let shown = fitting(inside[..line].chars(), COLUMNS_FROM).max(first);
    let end = if shown < inside.len() && inside.starts_with(['{', '[']) { first } else { shown };
    span.start..span.start + end
}

/// Adds the line of the span. Gives what is behind the line, and where the span is in the excerpt.
fn push_marked<'t>(
    excerpt: &mut String,
    text: &'t str,
    line_start: usize,
    span: &Span,
) -> (&'t str, Span) {
    let before = &text[line_start..span.start];
    let shown = fitting(before.chars().rev(), COLUMNS_BEFORE);
    if shown < before.len() {
        excerpt.push_str(CUT);
    }
    push_shown(excerpt, &before[before.len() - shown..]);
    let start = excerpt.len();
    push_shown(excerpt, &text[span.clone()]);
    let end = excerpt.len();
    let rest = &text[span.end..];
    let (line, rest) = rest.split_once('\n').unwrap_or((rest, ""));
    let marked = text[span.clone()].chars().map(columns).sum();
    push_cut(excerpt, line.trim_end_matches('\r'), COLUMNS_FROM.saturating_sub(marked));
    (rest, start..end)
}

fn push_line(excerpt: &mut String, line: &str) {
    push_cut(excerpt, line, COLUMNS_BEFORE + COLUMNS_FROM);
}

fn push_cut(excerpt: &mut String, line: &str, columns_max: usize) {
    let shown = fitting(line.chars(), columns_max);
    push_shown(excerpt, &line[..shown]);
    if shown < line.len() {
        excerpt.push_str(CUT);
    }
    excerpt.push('\n');
}

/// Bytes of the first characters that fit into so many columns.
fn fitting(chars: impl Iterator<Item = char>, columns_max: usize) -> usize {
    let mut left = columns_max;
    let fits = |char: &char| {
        let rest = left.checked_sub(columns(*char));
        left = rest.unwrap_or_default();
        rest.is_some()
    };
    chars.take_while(fits).map(char::len_utf8).sum()
}

/// Columns of a character as it is shown. Of wide ones half, which their lines have room for.
fn columns(char: char) -> usize {
    match char {
        '\t' => TAB.len(),
        char if is_obeyed(char) => char.escape_unicode().count(),
        _ => 1,
    }
}

fn push_shown(excerpt: &mut String, text: &str) {
    for char in text.chars() {
        if char == '\t' {
            excerpt.push_str(TAB);
        } else {
            push_harmless(excerpt, iter::once(char));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_marked_with_a_few_lines_around_it() {
        let text = "{\n 1\n 2\n 3\n 4\n \"a\": null,\n 6\n 7\n 8\n 9\n}";
        let start = text.find("null").expect("there");
        let told = marked(text, &(start..start + 4), "bad_key");
        assert!(told.contains("6 |  \"a\": null,\n"), "{told}");
        assert!(told.contains("^^^^ bad_key"), "{told}");
        assert!(told.contains("3 |  2") && told.contains("9 |  8"), "{told}");
        assert!(!told.contains("2 |  1") && !told.contains("10 |"), "{told}");
        assert_eq!(position(text, start), Position { line: 6, column: 7 });
        assert_eq!(position("\u{feff}{x", 4), Position { line: 1, column: 2 });
    }

    #[test]
    fn a_line_of_megabytes_is_cut_around_the_mark() {
        let text = format!(
            "{{\"a\":\"{}\",\"b\":1,\"c\":\"{}\"}}",
            "é".repeat(1 << 20),
            "x".repeat(1 << 20)
        );
        let start = text.find("1,").expect("there");
        let told = marked(&text, &(start..start + 1), "here");
        assert!(told.len() < 1_000 && told.contains("\"b\":1,\"c\""), "{told}");
        let told = marked(&text, &(0..text.len()), "here");
        assert!(told.len() < 1_000 && told.contains("^ here") && !told.contains("^^"), "{told}");
        let value = 5..start - 5;
        let told = marked(&text, &value, "here");
        assert!(told.len() < 1_000 && told.contains("^^^ here"), "{told}");
    }

    #[test]
    fn what_a_terminal_obeys_is_escaped_and_the_mark_stays_where_it_is() {
        let text = "{\"\u{1b}[2J\u{202e}\u{200b}\u{61c}\": 5, \"b\": 2}";
        let start = text.find('5').expect("there");
        let told = marked(text, &(start..start + 1), "here");
        assert!(!told.chars().any(|char| char != '\n' && is_obeyed(char)), "{told:?}");
        assert!(told.contains("\\u{1b}[2J\\u{202e}\\u{200b}\\u{61c}"), "{told}");
        assert_eq!(above(&told), "5", "{told}");
    }

    /// What stands above the carets.
    fn above(told: &str) -> String {
        let lines: Vec<Vec<char>> = told.lines().map(|line| line.chars().collect()).collect();
        let at = lines.iter().position(|line| line.contains(&'^')).expect("a mark");
        let marks = lines[at].iter().zip(&lines[at - 1]).filter(|(mark, _)| **mark == '^');
        marks.map(|(_, char)| *char).collect()
    }

    #[test]
    fn a_tab_is_shown_as_spaces_and_the_mark_stays_where_it_is() {
        let text = "{\n\t\t\"a\":\tnull}";
        let start = text.find("null").expect("there");
        let told = marked(text, &(start..start + 4), "here");
        assert_eq!(above(&told), "null", "{told}");
        assert!(told.contains("2 |         \"a\":    null}\n"), "{told}");
    }

    #[test]
    fn no_line_is_cut_through_an_escape() {
        for hidden in ["\u{202e}", "\u{9b}", "\u{e0041}"] {
            let line = format!("\"{}\"", hidden.repeat(500));
            let text = format!("{line}\n{line}5{line}\n{line}");
            let start = text.find('5').expect("there");
            let escape: String = hidden.chars().flat_map(char::escape_unicode).collect();
            for span in [start..start + 1, start - line.len()..start] {
                let told = marked(&text, &span, "here");
                assert!(told.lines().all(|line| line.len() < 150), "{told}");
                let bare = told.replace(&escape, "");
                assert!(!bare.contains(['u', '{', '\\']), "{told}");
            }
        }
    }
}
