//! The tests that the documentation names: each must exist, or the promise beside it is shown by nothing.

use std::collections::BTreeSet;
use std::path::Path;

/// Parts of a test's name at least: the names of settings are shorter.
const PARTS_MIN: usize = 5;

/// How metrics begin, which have names as long; that they are there is another test's (`seen::admin`).
const METRICS: [&str; 3] = ["longshore_", "messaging_", "db_client_"];

/// One complaint for each test named in `text` that is none of `functions`. A test's name is lower case, in backticks, and a
/// sentence of at least five words.
pub fn unknown_tests(file: &Path, text: &str, functions: &BTreeSet<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for name in line.split('`').skip(1).step_by(2).filter(|name| is_test_name(name)) {
            if !functions.contains(name) {
                complaints.push(format!("{}:{}: there is no test {name}", file.display(), number + 1));
            }
        }
    }
    complaints
}

/// The names of all functions in `text`.
pub fn functions(text: &str) -> impl Iterator<Item = String> {
    text.match_indices("fn ").map(|(at, _)| text[at + 3..].chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect())
}

fn is_test_name(name: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit());
    name.split('_').count() >= PARTS_MIN && name.split('_').all(is_word) && !METRICS.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(text: &str) -> Vec<String> {
        let functions = functions("#[test]\nfn nothing_is_ever_lost_here() {}\nasync fn other(a: u8) {}").collect();
        unknown_tests(Path::new("README.md"), text, &functions)
    }

    #[test]
    fn a_test_that_is_named_and_not_there_is_found() {
        assert_eq!(
            unknown("| lost | `nothing_is_ever_lost_here`, `nothing_is_ever_doubled_here` |"),
            ["README.md:1: there is no test nothing_is_ever_doubled_here"]
        );
    }

    #[test]
    fn settings_and_commands_are_no_tests() {
        assert!(
            unknown("`queue.pollers_max`, `in_flight_bytes_peak`, `make test ARGS='-- a_b_c_d'`, `MONGO_CACHE_URI`, a_b_c_d_e").is_empty()
        );
    }
}
