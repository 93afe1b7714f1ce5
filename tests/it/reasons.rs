//! The reasons of dead letters: each has an example that makes it, and a section of
//! `docs/DEAD_LETTERS.md` that is made of both.

mod example;
mod page;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use longshore::dead_letter;
use longshore::message::Reason;
use mongodb::bson::{self, Document};

const PAGE: &str = "docs/DEAD_LETTERS.md";

fn read() -> String {
    fs::read_to_string(path()).expect("a page")
}

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)
}

#[tokio::test]
async fn every_reason_is_made_by_its_example_and_the_page_says_so() {
    let mut sections = Vec::new();
    for reason in Reason::ALL {
        let example = example::of(*reason);
        let rejection = example.rejection().await;
        assert_eq!(rejection.reason, *reason, "{rejection:?}");
        sections.push(page::section(*reason, &example, &rejection));
    }
    let page = read();
    let made = page::with_sections(&page, &sections.join("\n"));
    if std::env::var("UPDATE").is_ok_and(|update| update == "1") {
        fs::write(path(), made).expect("written");
    } else {
        assert!(
            page == made,
            "{PAGE} does not say what the worker says: UPDATE=1 make test ARGS='--test it reasons' writes it"
        );
    }
}

#[test]
fn the_page_has_all_fields_of_a_record_in_their_order() {
    let [bare, whole] = dead_letter::samples();
    let page = read();
    let names: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    for insert in [bare, whole] {
        let record: Document = bson::deserialize_from_slice(&insert.document).expect("BSON");
        assert!(record.keys().eq(names.iter()), "{record} {names:?}");
    }
}

#[test]
fn a_code_is_one_word_and_no_two_are_alike() {
    let codes: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    assert_eq!(codes.len(), Reason::ALL.len());
    for reason in Reason::ALL {
        let is_code = |char: char| char.is_ascii_lowercase() || char == '_';
        assert!(reason.code().chars().all(is_code), "{reason}");
        for text in [reason.meaning(), reason.fix()] {
            assert!(text.ends_with('.') && !text.contains('\n'), "{reason}: {text}");
        }
    }
}
