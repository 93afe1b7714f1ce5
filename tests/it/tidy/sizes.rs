//! How long files and functions get. Clippy counts functions too, but an attribute can silence it,
//! and this not.

use std::collections::BTreeSet;
use std::path::Path;

use proc_macro2::{Delimiter, TokenTree};

use super::source::{Source, inner};

/// Lines of a file before its tests.
const FILE_LINES_MAX: usize = 350;

/// Lines of a function's body that hold code, as clippy counts (`too-many-lines-threshold` in
/// clippy.toml).
const FUNCTION_LINES_MAX: usize = 70;

/// The complaint about a file with too many lines, or none.
pub fn long_file(file: &Path, text: &str) -> Option<String> {
    if file.iter().any(|part| part == "tests") || file.ends_with("tests.rs") {
        return None;
    }
    let all: Vec<&str> = text.lines().collect();
    let tests_begin = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ");
    let lines = all.windows(2).position(tests_begin).unwrap_or(all.len());
    (lines > FILE_LINES_MAX).then(|| {
        format!("{}: {lines} lines before its tests, {FILE_LINES_MAX} at most: which part deserves a name of its own?", file.display())
    })
}

/// Complaints about functions with too many lines, tests included.
pub fn long_functions(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    visit(&source.tokens, &mut |name, line, lines| {
        if lines > FUNCTION_LINES_MAX {
            complaints.push(format!(
                "{}: fn {name} has {lines} lines of code, {FUNCTION_LINES_MAX} at most",
                source.at(line)
            ));
        }
    });
    complaints
}

/// Calls `found` with the name, the line and the length of each function, inner ones too.
fn visit(tokens: &[TokenTree], found: &mut impl FnMut(String, usize, usize)) {
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => visit(&inner(group), found),
            TokenTree::Ident(ident) if ident == "fn" => {
                if let Some(TokenTree::Ident(name)) = tokens.get(at + 1) {
                    let mut lines = BTreeSet::new();
                    for token in body(&tokens[at..]) {
                        code_lines(&token, &mut lines);
                    }
                    found(name.to_string(), ident.span().start().line, lines.len());
                }
            }
            _ => {}
        }
    }
}

/// What stands in the braces of the function that begins `tokens`; nothing where it is only
/// declared.
fn body(tokens: &[TokenTree]) -> Vec<TokenTree> {
    for token in tokens {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                return inner(group);
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => break,
            _ => {}
        }
    }
    Vec::new()
}

fn code_lines(token: &TokenTree, lines: &mut BTreeSet<usize>) {
    if let TokenTree::Group(group) = token {
        lines.extend([group.span_open().start().line, group.span_close().end().line]);
        for token in inner(group) {
            code_lines(&token, lines);
        }
    } else {
        lines.extend(token.span().start().line..=token.span().end().line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_refused_and_its_tests_do_not_count() {
        let code = "fn f() {}\n".repeat(350);
        let tests = format!("{code}#[cfg(test)]\nmod tests {{\n{code}}}\n");
        assert_eq!(long_file(Path::new("src/lane.rs"), &tests), None);
        assert_eq!(long_file(Path::new("src/lane/tests.rs"), &code.repeat(2)), None);
        let complaint = long_file(Path::new("src/lane.rs"), &format!("\n{tests}"));
        assert!(complaint.is_some_and(|text| text.contains("351 lines before its tests")));
        // Only a module of tests ends the count.
        assert!(
            long_file(Path::new("src/lane.rs"), &format!("#[cfg(test)]\nuse std::fmt;\n{code}"))
                .is_some()
        );
    }

    #[test]
    fn a_long_function_is_refused_wherever_it_hides() {
        let function = |statements: usize| {
            format!("fn f() {{\n// why\n\n{}}}", "g(\n1);\n".repeat(statements))
        };
        let refused = |text: &str| long_functions(&Source::parse(Path::new("src/lane.rs"), text));
        assert_eq!(refused(&function(35)), Vec::<String>::new());
        for text in [
            function(36),
            format!("impl X {{ pub async {} }}", function(36)),
            format!("mod m {{ fn outer() {{ {} }} }}", function(36)),
        ] {
            let complaints = refused(&text);
            assert!(
                complaints.iter().any(|complaint| complaint.contains("fn f has 72 lines")),
                "{complaints:?}"
            );
        }
        assert_eq!(
            refused(&format!(
                "trait T {{ fn f(); }} const X: () = {{ {} }};",
                "g(\n1);\n".repeat(36)
            )),
            Vec::<String>::new()
        );
    }
}
