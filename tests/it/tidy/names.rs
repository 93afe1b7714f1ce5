//! The tests that the documentation names: each must exist, or the promise beside it is shown by
//! nothing; and a reader must see which of them `make test` does not run. The tests that are
//! ignored: each says who runs it.

use std::collections::BTreeSet;
use std::path::Path;

/// Parts of a test's name at least: the names of settings are shorter.
const PARTS_MIN: usize = 5;

/// How metrics begin, which have names as long; that they are there is another test's
/// (`seen::admin`).
const METRICS: [&str; 3] = ["longshore_", "messaging_", "db_client_"];

/// Why a test of the long tail is ignored. `scripts/test.sh` looks for it, too.
const LONG: &str = "long: make test-long";

/// What stands in the documentation behind the name of such a test.
const LONG_MARK: &str = " (long)";

/// How the reason of a test begins that another test runs.
const IN_A_PROCESS: &str = "runs in a process of its own";

/// A test that is not run unless it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    pub name: String,
    pub reason: String,
}

/// One complaint for each test named in `text` that is none of `functions`. A test's name is lower
/// case, in backticks, and a sentence of at least five words.
pub fn unknown_tests(file: &Path, text: &str, functions: &BTreeSet<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for name in line.split('`').skip(1).step_by(2).filter(|name| is_test_name(name)) {
            if !functions.contains(name) {
                complaints.push(format!(
                    "{}:{}: there is no test {name}",
                    file.display(),
                    number + 1
                ));
            }
        }
    }
    complaints
}

/// The names of all functions in `text`.
pub fn functions(text: &str) -> impl Iterator<Item = String> {
    text.match_indices("fn ").map(|(at, _)| {
        text[at + 3..].chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect()
    })
}

/// All tests in `text` that are ignored.
pub fn ignored(text: &str) -> Vec<Ignored> {
    let mut found = Vec::new();
    let mut pending = None;
    for line in text.lines() {
        if let Some(attribute) = line.trim_start().strip_prefix("#[ignore") {
            pending = Some(
                attribute
                    .trim_start_matches(" = ")
                    .trim_end_matches(']')
                    .trim_matches('"')
                    .to_owned(),
            );
        } else if let Some(name) = functions(line).next() {
            found.extend(pending.take().map(|reason| Ignored { name, reason }));
        }
    }
    found
}

/// One complaint for each long test in `text` that is not marked as one, for each mark behind a
/// test that is not long, and for each row of a table that has long tests only: `make test` would
/// show nothing of what the row promises.
pub fn wrong_marks(file: &Path, text: &str, ignored: &[Ignored]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let parts: Vec<&str> = line.split('`').collect();
        let tests: Vec<_> = parts
            .iter()
            .zip(&parts[1..])
            .skip(1)
            .step_by(2)
            .filter(|(name, _)| is_test_name(name))
            .collect();
        let is_long =
            |name: &str| ignored.iter().any(|test| test.reason == LONG && test.name == name);
        if line.starts_with('|') && !tests.is_empty() && tests.iter().all(|(name, _)| is_long(name))
        {
            complaints.push(format!("{}:{}: a row of long tests only", file.display(), number + 1));
        }
        for (name, after) in tests {
            let is_long = is_long(name);
            if is_long != after.starts_with(LONG_MARK) {
                let what = if is_long { "lacks" } else { "is no test of `make test-long` and has" };
                complaints.push(format!(
                    "{}:{}: {name} {what} the mark{LONG_MARK}",
                    file.display(),
                    number + 1
                ));
            }
        }
    }
    complaints
}

/// One complaint for each ignored test that nobody runs: its reason names no target of `makefile`,
/// or `make test-long` leaves it out with another one, because `scripts/test.sh` skips by parts of
/// names.
pub fn run_by_nobody(makefile: &str, ignored: &[Ignored]) -> Vec<String> {
    let has_target = |reason: &str| {
        let target = reason.split_once("make ").and_then(|(_, rest)| rest.split(' ').next());
        target.is_some_and(|target| {
            makefile.lines().any(|line| line.starts_with(&format!("{target}:")))
        })
    };
    let (long, other): (Vec<_>, Vec<_>) = ignored.iter().partition(|test| test.reason == LONG);
    let mut complaints = Vec::new();
    for test in ignored
        .iter()
        .filter(|test| !test.reason.starts_with(IN_A_PROCESS) && !has_target(&test.reason))
    {
        complaints.push(format!(
            "{} is ignored, and its reason names no target of the Makefile: {:?}",
            test.name, test.reason
        ));
    }
    for (long, other) in long.iter().flat_map(|long| other.iter().map(move |other| (long, other))) {
        if long.name.contains(&other.name) {
            complaints.push(format!(
                "make test-long leaves out {}, because {} is part of its name",
                long.name, other.name
            ));
        }
    }
    complaints
}

fn is_test_name(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit())
    };
    name.split('_').count() >= PARTS_MIN
        && name.split('_').all(is_word)
        && !METRICS.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(text: &str) -> Vec<String> {
        let functions =
            functions("#[test]\nfn nothing_is_ever_lost_here() {}\nasync fn other(a: u8) {}")
                .collect();
        unknown_tests(Path::new("README.md"), text, &functions)
    }

    #[test]
    fn a_test_that_is_named_and_not_there_is_found() {
        assert_eq!(
            unknown("| lost | `nothing_is_ever_lost_here`, `nothing_is_ever_doubled_here` |"),
            ["README.md:1: there is no test nothing_is_ever_doubled_here"]
        );
    }

    /// As rustfmt leaves it.
    const IGNORED: &str = "\n#[test]\n#[ignore = \"long: make test-long\"]\nfn nothing_is_lost_in_the_end() {}\nfn other() {}\n\
        #[tokio::test]\n#[ignore = \"make chaos MINUTES=10\"]\nasync fn in_the_end() {}\n#[test]\n#[ignore]\nfn never() {}\n";

    #[test]
    fn a_long_test_must_be_marked_and_no_other() {
        let complaints = |text| wrong_marks(Path::new("README.md"), text, &ignored(IGNORED));
        assert_eq!(
            complaints(
                "`nothing_is_lost_in_the_end` (long), `nothing_is_ever_lost_here` and `a` (long)"
            ),
            Vec::<String>::new()
        );
        assert_eq!(
            complaints("a\n`nothing_is_lost_in_the_end`, `nothing_is_ever_lost_here` (long)"),
            [
                "README.md:2: nothing_is_lost_in_the_end lacks the mark (long)",
                "README.md:2: nothing_is_ever_lost_here is no test of `make test-long` and has the mark (long)"
            ]
        );
        assert_eq!(
            complaints("| `nothing_is_lost_in_the_end` (long), `nothing_is_ever_lost_here` |"),
            Vec::<String>::new()
        );
        assert_eq!(
            complaints("| `nothing_is_lost_in_the_end` (long) | |"),
            ["README.md:1: a row of long tests only"]
        );
    }

    #[test]
    fn an_ignored_test_that_nobody_runs_is_found() {
        let ignored = ignored(IGNORED);
        assert_eq!(ignored.len(), 3);
        assert_eq!(
            run_by_nobody("test-long: ## Run\nchaos:\n", &ignored),
            [
                "never is ignored, and its reason names no target of the Makefile: \"\"",
                "make test-long leaves out nothing_is_lost_in_the_end, because in_the_end is part of its name"
            ]
        );
        assert_eq!(run_by_nobody("chaos: ## test-long:\n", &ignored[..1]).len(), 1);
    }

    #[test]
    fn settings_and_commands_are_no_tests() {
        assert!(
            unknown("`queue.pollers_max`, `in_flight_bytes_peak`, `make test ARGS='-- a_b_c_d'`, `MONGO_CACHE_URI`, a_b_c_d_e").is_empty()
        );
    }
}
