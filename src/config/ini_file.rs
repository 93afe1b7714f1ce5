//! A web2py `appconfig.ini` as values with their lines.
//!
//! Read as Python's `configparser` does with web2py's settings: names of keys in lower case, `=` or
//! `:`, whole lines as comments, a value goes on in indented lines, and `%%` is one `%` (that is
//! how a portal escapes a password's `%40`). Interpolation, `%(name)s`, is not followed.

use super::key_path::KeyPath;

/// A value at the line of its key.
pub(crate) type Line = (KeyPath, String, usize);

/// A line that is neither a section, nor a key with a value, nor a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub line: usize,
    pub message: &'static str,
}

/// Reads `text`. A key without a value is left out: web2py's way to say that it is not set.
pub(crate) fn parse(text: &str) -> Result<Vec<Line>, Vec<SyntaxError>> {
    let mut lines: Vec<Line> = Vec::new();
    let mut errors = Vec::new();
    let mut section: Option<KeyPath> = None;
    // Whether an indented line goes on with the last value.
    let mut open = false;
    for (index, raw) in text.lines().enumerate() {
        let line = index + 1;
        let trimmed = raw.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        let indented = raw.starts_with([' ', '\t']);
        if let (true, true, Some((_, value, _))) = (indented, open, lines.last_mut()) {
            value.push('\n');
            value.push_str(trimmed);
            continue;
        }
        if let Some(header) = trimmed.strip_prefix('[') {
            open = false;
            section = header.split_once(']').and_then(|(name, _)| section_of(name.trim()));
            if section.is_none() {
                errors.push(SyntaxError {
                    line,
                    message: "a section needs a name in brackets, such as [db]",
                });
            }
            continue;
        }
        match (trimmed.split_once(['=', ':']), &section) {
            (Some((key, value)), Some(section)) if !key.trim().is_empty() => {
                open = true;
                lines.push((
                    section.child(&key.trim().to_lowercase()),
                    value.trim().to_owned(),
                    line,
                ));
            }
            (Some(_), None) => errors.push(SyntaxError {
                line,
                message: "a key needs a section above it, such as [db]",
            }),
            _ => errors.push(SyntaxError {
                line,
                message: "expected [section], key = value or a comment",
            }),
        }
    }
    if errors.is_empty() {
        Ok(lines.into_iter().filter_map(finished).collect())
    } else {
        Err(errors)
    }
}

/// A name such as `[routes.order]` is a path; one that cannot be is another program's.
fn section_of(name: &str) -> Option<KeyPath> {
    KeyPath::parse(name).or_else(|| (!name.is_empty()).then(|| KeyPath::new(vec![name.to_owned()])))
}

fn finished((path, value, line): Line) -> Option<Line> {
    let value = value.trim().replace("%%", "%");
    (!value.is_empty()).then_some((path, value, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portals_file_is_read_as_configparser_reads_it() {
        let text = "; App configuration\n[app]\nname = Portal\n\n[db]\nMongo_URI: mongodb://u:p%%40w@h/portal\nempty =\n\
                    connection_options = {\n    \"maxPoolSize\": 50,\n    # as measured\n    \"retryWrites\": true\n    }\n";
        let lines: Vec<_> = parse(text)
            .expect("INI")
            .into_iter()
            .map(|(path, value, line)| (path.to_string(), value, line))
            .collect();
        assert_eq!(
            lines,
            [
                ("app.name".to_owned(), "Portal".to_owned(), 3),
                ("db.mongo_uri".to_owned(), "mongodb://u:p%40w@h/portal".to_owned(), 6),
                (
                    "db.connection_options".to_owned(),
                    "{\n\"maxPoolSize\": 50,\n\"retryWrites\": true\n}".to_owned(),
                    8
                ),
            ]
        );
    }

    #[test]
    fn every_line_that_means_nothing_is_named() {
        let errors = parse("early = 1\n[]\n[db]\nhunter22\n= x\n").expect_err("broken");
        assert_eq!(errors.iter().map(|error| error.line).collect::<Vec<_>>(), [1, 2, 4, 5]);
        assert!(!format!("{errors:?}").contains("hunter22"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[\\PC\n\t=:\\[\\]]{0,80}") {
            let _ = parse(&text);
        }
    }
}
