//! Bodies of all kinds: the fuzz corpus, and every text in the sources and tests of this repository,
//! as a body, as a value and as a name.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};

/// What is longer is a page or a program.
const TEXT_BYTES_MAX: usize = 2_000;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Names of envelopes: what has one of them may be no message itself.
fn is_plain(body: &str) -> bool {
    !["TopicArn", "detail-type", "specversion"].iter().any(|name| body.contains(name))
}

/// Of the fuzz corpus those that come without attributes.
pub fn corpus() -> BTreeSet<String> {
    let mut bodies = BTreeSet::new();
    for target in ["decode", "envelope"] {
        let folder = root().join("fuzz/corpus").join(target);
        for entry in fs::read_dir(folder).expect("the corpus") {
            let bytes = fs::read(entry.expect("an entry").path()).expect("a file");
            if target == "envelope" && bytes.windows(2).any(|pair| pair == b"\n\n") {
                continue;
            }
            bodies.extend(String::from_utf8(bytes).ok().filter(|body| is_plain(body)));
        }
    }
    bodies
}

/// Every text of the sources and tests.
pub fn texts() -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    for folder in ["src", "tests"] {
        visit(&root().join(folder), &mut texts);
    }
    texts.retain(|text| text.len() <= TEXT_BYTES_MAX && is_plain(text));
    texts
}

fn visit(folder: &Path, texts: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            visit(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).expect("a source");
            collect(source.parse().expect("Rust"), texts);
        }
    }
}

fn collect(tokens: TokenStream, texts: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => collect(group.stream(), texts),
            TokenTree::Literal(literal) => texts.extend(text(&literal.to_string())),
            _ => {}
        }
    }
}

/// The text of a literal, but for escapes that JSON has not.
fn text(literal: &str) -> Option<String> {
    match literal.strip_prefix('r') {
        Some(raw) => {
            let raw = raw.trim_matches('#');
            Some(raw.strip_prefix('"')?.strip_suffix('"')?.to_owned())
        }
        None => serde_json::from_str(literal).ok(),
    }
}

/// Messages around a value as JSON text: it is each kind of field once.
pub fn around(value: &str) -> Vec<String> {
    [
        r#"{"type":"event","user_id":1,"event_type":"a","v":VALUE}"#,
        r#"{"type":"event","user_id":1,"event_type":"a","v":[{"a":VALUE}]}"#,
        r#"{"type":"event","user_id":VALUE,"event_type":"a"}"#,
        r#"{"type":"event","user_id":1,"event_type":VALUE}"#,
        r#"{"type":"event","user_id":1,"event_type":"a","id":VALUE}"#,
        r#"{"type":"event","user_id":1,"event_type":"a","timestamp":VALUE}"#,
        r#"{"type":"session","session_id":VALUE,"data":1}"#,
        r#"{"type":"session","session_id":1,"data":1,"last_accessed":VALUE}"#,
        r#"{"type":"session","session_id":1,"data":VALUE}"#,
        r#"{"type":"cache","user_id":VALUE,"data":1}"#,
        r#"{"type":"order","order_id":1,"status":VALUE}"#,
        r#"{"type":"order","order_id":1,"status":1,"founded":VALUE}"#,
        r#"{"type":"order","order_id":1,"status":1,"born":VALUE}"#,
        r#"{"type":"order","order_id":1,"status":1,"customer":VALUE}"#,
        r#"{"type":"order","order_id":1,"status":1,"customer":{"id":VALUE}}"#,
        r#"{"type":VALUE,"user_id":1,"event_type":"a"}"#,
    ]
    .map(|template| template.replace("VALUE", value))
    .to_vec()
}

/// Messages with a field of this name, as JSON text.
pub fn named(name: &str) -> Vec<String> {
    [
        r#"{"type":"event","user_id":1,"event_type":"a",NAME:1}"#,
        r#"{"type":"event","user_id":1,"event_type":"a","v":{NAME:1}}"#,
        r#"{"type":"session","session_id":1,"data":1,NAME:1}"#,
        r#"{"type":"cache","user_id":1,"data":1,NAME:1}"#,
        r#"{"type":"order","order_id":1,"status":1,NAME:1}"#,
    ]
    .map(|template| template.replace("NAME", name))
    .to_vec()
}
