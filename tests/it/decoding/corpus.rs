//! The fuzz corpus without a fuzzer: each file, and many random changes of each, through the checks
//! of its target.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;

use super::checks;

/// Changes of all files of a target together; `FUZZ_MUTATIONS` sets another number.
const MUTATIONS: usize = 10_000;
/// Changes to one input on top of each other.
const CHANGES_MAX: usize = 4;

/// The files of a target, by name.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| {
            let entry = entry.expect("a readable entry");
            (
                entry.file_name().to_string_lossy().into_owned(),
                fs::read(entry.path()).expect("a readable file"),
            )
        })
        .collect();
    files.sort();
    assert!(files.len() >= 30, "the corpus of {target} has {} files only", files.len());
    files
}

/// Shows the input if a check of it panics.
struct Shown<'a> {
    name: &'a str,
    bytes: &'a [u8],
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "this input, made of {}, breaks the check:\n{}",
                self.name,
                self.bytes.escape_ascii()
            );
        }
    }
}

fn run(target: &str, check: fn(&[u8])) {
    let files = corpus(target);
    let checked = |name: &str, bytes: &[u8]| {
        let _shown = Shown { name, bytes };
        check(bytes);
    };
    for (name, bytes) in &files {
        checked(name, bytes);
    }

    let mutations = std::env::var("FUZZ_MUTATIONS")
        .map_or(MUTATIONS, |number| number.parse().expect("FUZZ_MUTATIONS is a number"));
    let words = words(target);
    let mut rng = Rng::with_seed(81);
    for _ in 0..mutations {
        let (name, bytes) = &files[rng.usize(..files.len())];
        let mut bytes = bytes.clone();
        for _ in 0..rng.usize(1..=CHANGES_MAX) {
            let (_, other) = &files[rng.usize(..files.len())];
            change(&mut rng, &mut bytes, other, &words);
        }
        checked(name, &bytes);
    }
}

/// The words of the fuzzer's dictionary: one in quotes on each line, with `\\`, `\"` and `\xAB`.
fn words(target: &str) -> Vec<Arc<[u8]>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(format!("{target}.dict"));
    let text =
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let quoted = text.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    let words: Vec<_> = quoted.map(word).collect();
    assert!(words.len() > 10, "{} has {} words only", file.display(), words.len());
    words
}

fn word(quoted: &str) -> Arc<[u8]> {
    let mut bytes = Vec::new();
    let mut rest = quoted.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next() {
                Some(b'x') => {
                    let digits: Vec<u8> = rest.by_ref().take(2).collect();
                    let digits = std::str::from_utf8(&digits).expect("ASCII");
                    u8::from_str_radix(digits, 16).expect("two hex digits after \\x")
                }
                escaped => escaped.expect("something is escaped"),
            },
            plain => plain,
        });
    }
    bytes.into()
}

/// One change as a fuzzer makes it.
fn change(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8], words: &[Arc<[u8]>]) {
    let at = rng.usize(..=bytes.len());
    let to = (at + rng.usize(..16)).min(bytes.len());
    match rng.u8(..8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
        1 if at < bytes.len() => {
            bytes[at] = *rng.choice(b"{}[]\",:\\0-9eE. \n\0\xff=$").expect("some");
        }
        2 => drop(bytes.drain(at..to)),
        3 => {
            let again = bytes[at..to].to_vec();
            bytes.splice(to..to, again);
        }
        4 => bytes.truncate(at),
        5 if !other.is_empty() => {
            // The end of one input after the beginning of another.
            bytes.truncate(at);
            bytes.extend_from_slice(&other[rng.usize(..other.len())..]);
        }
        6 => bytes.extend_from_slice(&other[..rng.usize(..=other.len())]),
        _ => {
            let word = rng.choice(words).expect("some");
            bytes.splice(at..at, word.iter().copied());
        }
    }
}

#[test]
fn any_body_becomes_the_document_that_it_says_or_is_rejected() {
    run("decode", checks::body);
}

#[test]
fn any_message_gives_a_sound_record_or_a_sound_rejection_and_always_the_same() {
    run("envelope", checks::message);
}

#[test]
fn any_message_is_told_without_what_a_terminal_obeys() {
    run("envelope", checks::told);
}

#[test]
fn the_corpus_holds_what_is_read_and_what_is_rejected() {
    let is_read = |(_, bytes): &(String, Vec<u8>)| {
        longshore::decode::json::fields(&String::from_utf8_lossy(bytes)).is_ok()
    };
    let files = corpus("decode");
    let read = files.iter().filter(|file| is_read(file)).count();
    assert!(read >= 15 && files.len() - read >= 15, "{read} of {} are read", files.len());
}

#[test]
fn what_drivers_print_is_read() {
    let files = corpus("decode");
    let printed: Vec<_> =
        files.iter().filter(|(name, _)| name.starts_with("extended_by_")).collect();
    assert!(printed.len() >= 7, "{} files of drivers", printed.len());
    for (name, bytes) in printed {
        let read = longshore::decode::json::fields(&String::from_utf8_lossy(bytes));
        assert!(read.is_ok(), "{name}: {read:?}");
    }
}
