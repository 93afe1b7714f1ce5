//! A TOML file as values with their lines.

use std::ops::Range;

use serde_json::{Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key_path::KeyPath;

/// A value at the line of its key.
pub(crate) type Line = (KeyPath, Value, usize);

/// Where the text is no TOML. Columns count characters from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// Reads `text`. An empty table comes as an empty object, others as their keys.
pub(crate) fn parse(text: &str) -> Result<Vec<Line>, Vec<SyntaxError>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let starts = line_starts(text);
    if !errors.is_empty() {
        return Err(errors
            .iter()
            .map(|error| syntax_error(text, &starts, error.message(), error.span()))
            .collect());
    }
    let mut lines = Vec::new();
    collect(None, table.get_ref(), &starts, &mut lines);
    Ok(lines)
}

fn collect(
    section: Option<&KeyPath>,
    table: &DeTable<'_>,
    starts: &[usize],
    lines: &mut Vec<Line>,
) {
    for (name, value) in table {
        let name_text: &str = name.get_ref();
        let path = section.map_or_else(
            || KeyPath::new(vec![name_text.to_owned()]),
            |section| section.child(name_text),
        );
        match value.get_ref() {
            DeValue::Table(table) if !table.is_empty() => {
                collect(Some(&path), table, starts, lines);
            }
            _ => lines.push((path, to_json(value), line_of(starts, name.span().start))),
        }
    }
}

/// What JSON cannot hold (an integer beyond 64 bits, `nan`, a date) comes as its text: no key that wants a
/// number takes it, and the error shows it.
fn to_json(value: &Spanned<DeValue<'_>>) -> Value {
    match value.get_ref() {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(|_| Value::from(integer.to_string()), Value::from),
        DeValue::Float(float) => {
            let number = float.as_str().parse().ok().and_then(Number::from_f64);
            number.map_or_else(|| Value::from(float.to_string()), Value::from)
        }
        DeValue::Boolean(boolean) => Value::from(*boolean),
        DeValue::Datetime(datetime) => Value::from(datetime.to_string()),
        DeValue::Array(items) => items.iter().map(to_json).collect(),
        DeValue::Table(table) => {
            let members =
                table.iter().map(|(name, value)| (name.get_ref().to_string(), to_json(value)));
            Value::Object(members.collect())
        }
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(index, _)| index + 1)).collect()
}

fn line_of(starts: &[usize], offset: usize) -> usize {
    starts.partition_point(|start| *start <= offset)
}

/// Only the parser's message, not its picture of the line: a password may stand there.
fn syntax_error(
    text: &str,
    starts: &[usize],
    message: &str,
    span: Option<Range<usize>>,
) -> SyntaxError {
    let offset = span.map_or(0, |span| span.start);
    let line = line_of(starts, offset);
    let start = line.checked_sub(1).and_then(|index| starts.get(index)).copied().unwrap_or(0);
    let column = text.get(start..offset).map_or(1, |before| before.chars().count() + 1);
    SyntaxError { line, column, message: message.split_whitespace().collect::<Vec<_>>().join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_the_line_of_its_key() {
        let text = "[queue]\nwait = \"5s\"\n\n[routes.\"a.b\"]\nkey = \"x\"\nindexes = [\n  { keys = [\"x\"] },\n]\nwrite_concern = { w = 1 }\n[log]\n";
        let lines = parse(text).expect("TOML");
        let lines: Vec<_> = lines
            .into_iter()
            .map(|(path, value, line)| (path.to_string(), value.to_string(), line))
            .collect();
        let line = |path: &str, value: &str, line: usize| (path.to_owned(), value.to_owned(), line);
        assert_eq!(
            lines,
            [
                line("log", "{}", 10),
                line("queue.wait", "\"5s\"", 2),
                line("routes.\"a.b\".indexes", r#"[{"keys":["x"]}]"#, 6),
                line("routes.\"a.b\".key", "\"x\"", 5),
                line("routes.\"a.b\".write_concern.w", "1", 9),
            ]
        );
    }

    #[test]
    fn a_syntax_error_names_line_and_column_and_shows_no_text_of_the_file() {
        let errors =
            parse("[db]\nmongo_uri = \"mongodb://u:hunter22@h/db\n").expect_err("an open quote");
        assert_eq!((errors[0].line, errors[0].column), (2, 39));
        assert!(!format!("{errors:?}").contains("hunter22"), "{errors:?}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[\\PC\n]{0,80}") {
            let _ = parse(&text);
        }

        #[test]
        fn no_text_of_tomls_signs_panics(text in "[a-c0-9=.\\[\\]{}\"'#, \n_xe+:-]{0,60}") {
            let _ = parse(&text);
        }
    }
}
