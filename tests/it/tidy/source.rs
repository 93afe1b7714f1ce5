//! A source file as tokens, so that comments and strings cannot be taken for code.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

/// The folders from which `crate::` counts.
const CRATES: [&str; 2] = ["src", "benches/unload"];

/// A parsed file and its place among the modules.
pub struct Source {
    pub file: PathBuf,
    /// `["queue", "sqs"]` for `src/queue/sqs.rs`; `["main"]` and `["lib"]` for the roots.
    pub module: Vec<String>,
    pub tokens: Vec<TokenTree>,
}

/// A path as the code names it, resolved as far as the file alone tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub line: usize,
    /// Of this crate: the segments then count from its root. Otherwise the first one is a foreign
    /// crate (or a type).
    pub own: bool,
    pub segments: Vec<String>,
}

impl Source {
    /// Panics where `text` is not made of Rust tokens: such a file would not compile either.
    pub fn parse(file: &Path, text: &str) -> Self {
        let tokens: TokenStream =
            text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let path = file.with_extension("");
        let module = CRATES
            .iter()
            .find_map(|root| path.strip_prefix(root).ok())
            .unwrap_or(&path)
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        Self { file: file.to_owned(), module, tokens: tokens.into_iter().collect() }
    }

    /// `src/queue/sqs.rs:12`.
    pub fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.file.display())
    }

    /// Files that hold only tests, by their names.
    pub fn is_tests(&self) -> bool {
        self.module.iter().any(|segment| segment == "tests")
    }

    /// All paths that the file names outside its tests: imports, and paths in code and macros.
    pub fn named(&self) -> Vec<Named> {
        let module =
            if matches!(self.module[0].as_str(), "main" | "lib") { &[] } else { &self.module[..] };
        let mut scope =
            Scope { module: module.to_vec(), names: BTreeMap::new(), found: Vec::new() };
        scope.walk(&self.tokens);
        scope.found
    }
}

/// One module while it is read.
struct Scope {
    module: Vec<String>,
    /// Child modules and imported names of this crate, by their full paths: `use crate::queue;
    /// queue::sqs::X`.
    names: BTreeMap<String, Vec<String>>,
    found: Vec<Named>,
}

impl Scope {
    fn walk(&mut self, tokens: &[TokenTree]) {
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at = match token {
                TokenTree::Punct(punct)
                    if punct.as_char() == '#' && is_cfg_test(tokens.get(at + 1)) =>
                {
                    after_item(tokens, at + 2)
                }
                TokenTree::Group(group) => {
                    self.walk(&inner(group));
                    at + 1
                }
                TokenTree::Ident(ident) if ident == "mod" => self.module_item(tokens, at),
                TokenTree::Ident(ident) if ident == "use" => self.tree(tokens, at + 1, &[]),
                TokenTree::Ident(_) => self.path(tokens, at),
                _ => at + 1,
            };
        }
    }

    /// `mod name;` or `mod name { ... }`: a declaration is no import, but makes `name::` one.
    fn module_item(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let Some(TokenTree::Ident(name)) = tokens.get(at + 1) else { return at + 1 };
        let child = joined(&self.module, &[name.to_string()]);
        self.names.insert(name.to_string(), child.clone());
        if let Some(TokenTree::Group(group)) = tokens.get(at + 2) {
            let mut scope = Scope { module: child, names: BTreeMap::new(), found: Vec::new() };
            scope.walk(&inner(group));
            self.found.append(&mut scope.found);
            return at + 3;
        }
        at + 2
    }

    /// One branch of a `use` declaration, after `prefix`.
    fn tree(&mut self, tokens: &[TokenTree], mut at: usize, prefix: &[String]) -> usize {
        let mut segments = prefix.to_vec();
        let mut last = None;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Ident(ident) if ident == "as" => {
                    if let Some(TokenTree::Ident(alias)) = tokens.get(at + 1) {
                        self.import(&segments, ident, &alias.to_string());
                    }
                    return at + 2;
                }
                TokenTree::Ident(ident) => {
                    segments.push(ident.to_string());
                    last = Some(ident);
                }
                TokenTree::Group(group) => {
                    let branches = inner(group);
                    for branch in branches.split(
                        |token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ','),
                    ) {
                        self.tree(branch, 0, &segments);
                    }
                    return at + 1;
                }
                // A glob names the module itself.
                TokenTree::Punct(punct) if punct.as_char() == '*' => {}
                TokenTree::Punct(punct) if punct.as_char() == ':' => {}
                _ => break,
            }
            at += 1;
        }
        if let Some(ident) = last {
            self.import(&segments, ident, &ident.to_string());
        }
        at
    }

    fn import(&mut self, segments: &[String], place: &Ident, name: &str) {
        let mut segments = segments.to_vec();
        // `use a::b::{self}` imports b.
        if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
            segments.pop();
        }
        let name = if name == "self" {
            segments.last().cloned().unwrap_or_default()
        } else {
            name.to_owned()
        };
        let named = self.resolve(segments, place.span().start().line);
        if named.own {
            self.names.insert(name, named.segments.clone());
        }
        self.found.push(named);
    }

    /// A path in code: two segments or more.
    fn path(&mut self, tokens: &[TokenTree], mut at: usize) -> usize {
        let mut segments = Vec::new();
        let line = tokens[at].span().start().line;
        while let Some(TokenTree::Ident(ident)) = tokens.get(at) {
            segments.push(ident.to_string());
            at += 1;
            if !is_separator(tokens, at) {
                break;
            }
            at += 2;
        }
        if segments.len() > 1 {
            let named = self.resolve(segments, line);
            self.found.push(named);
        }
        at
    }

    fn resolve(&self, segments: Vec<String>, line: usize) -> Named {
        let (own, segments) = match segments[0].as_str() {
            // In main.rs the library is seen from outside.
            "crate" | "longshore" => (true, segments[1..].to_vec()),
            "self" => (true, joined(&self.module, &segments[1..])),
            "super" => {
                let ups = segments.iter().take_while(|segment| *segment == "super").count();
                (
                    true,
                    joined(&self.module[..self.module.len().saturating_sub(ups)], &segments[ups..]),
                )
            }
            name => match self.names.get(name) {
                Some(known) => (true, joined(known, &segments[1..])),
                None => (false, segments),
            },
        };
        Named { line, own, segments }
    }
}

fn joined(left: &[String], right: &[String]) -> Vec<String> {
    [left, right].concat()
}

pub fn inner(group: &Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

fn is_separator(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    colon(at) && colon(at + 1)
}

/// `[cfg(test)]` and `[cfg(all(test, ...))]`, not `[cfg(not(test))]`.
fn is_cfg_test(token: Option<&TokenTree>) -> bool {
    let Some(TokenTree::Group(attribute)) = token else { return false };
    let text = attribute.stream().to_string();
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
    words[0] == "cfg" && words.contains(&"test") && !words.contains(&"not")
}

/// Past the item that begins at `at`: its `;` or its braces.
fn after_item(tokens: &[TokenTree], at: usize) -> usize {
    let ends = |token: &TokenTree| match token {
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        _ => false,
    };
    tokens[at..].iter().position(ends).map_or(tokens.len(), |length| at + length + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(file: &str, text: &str) -> Vec<String> {
        let named = Source::parse(Path::new(file), text).named();
        named.into_iter().filter(|named| named.own).map(|named| named.segments.join("::")).collect()
    }

    #[test]
    fn every_way_to_name_a_module_is_seen() {
        for (text, seen) in [
            ("use crate::a::B;", "a::B"),
            ("use crate::a::*;", "a"),
            ("use crate::a as b;", "a"),
            ("use crate::{a::{B, c::D}};", "a::B a::c::D"),
            ("use crate::a::{self, B};", "a a::B"),
            ("use super::E;", "q::E"),
            ("use super::super::a;", "a"),
            ("use self::s::F;", "q::p::s::F"),
            ("mod s; pub use s::F;", "q::p::s::F"),
            ("mod inline { use super::super::E; }", "q::E"),
            ("fn f() -> crate::a::B { crate::c::d() }", "a::B c::d"),
            ("use crate::q; fn f() { q::sqs::X::new() }", "q q::sqs::X::new"),
            ("tokio::select! { x = crate::a::next() => {} }", "a::next"),
            ("pub use longshore::a::B;", "a::B"),
        ] {
            assert_eq!(own("src/q/p.rs", text).join(" "), seen, "{text}");
        }
    }

    #[test]
    fn comments_strings_and_tests_name_nothing() {
        for text in [
            "//! [`crate::a::B`]\n/* crate::a::B */ fn f() {}",
            "const S: &str = r#\"use crate::a::B;\"#;",
            "#[cfg(test)] mod tests { use crate::a::B; }",
            "#[cfg(all(test, feature = \"dev\"))]\n#[allow(dead_code)]\nuse crate::a::B;",
            "pub(crate) fn f<'a>(s: &'a str) -> impl Sized + use<'a> {}",
        ] {
            assert_eq!(own("src/p.rs", text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(
            own(
                "src/p.rs",
                "#[cfg(test)] fn f() {}\nuse crate::a;\n#[cfg(not(test))] use crate::b;"
            ),
            ["a", "b"]
        );
    }
}
