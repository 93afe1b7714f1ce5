//! The rules of the house that no compiler knows: who may import whom, how long things get, what is
//! never committed.
//!
//! Each rule is a pure function with tests of its own that show it something bad; here they meet
//! the real tree.

mod leaks;
mod links;
mod names;
mod order;
mod pins;
mod sizes;
mod source;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use source::Source;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files that are or could be committed, relative to the root: what git knows, or (in an
/// unpacked archive) all there is.
fn files() -> Vec<PathBuf> {
    let git = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output();
    let mut files: Vec<PathBuf> = match git {
        Ok(output) if output.status.success() => output
            .stdout
            .split(|&byte| byte == 0)
            .filter(|name| !name.is_empty())
            .map(|name| String::from_utf8_lossy(name).as_ref().into())
            .collect(),
        _ => walk(root()),
    };
    // Git still lists what was deleted and not yet committed.
    files.retain(|file| root().join(file).is_file());
    files.sort();
    assert!(
        files.contains(&"src/lib.rs".into()),
        "the sources of this crate are not at {}",
        root().display()
    );
    files
}

/// All files below `folder`, relative to the root, without build output and version control.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            if !path.ends_with("target") && !path.ends_with(".git") {
                files.extend(walk(&path));
            }
        } else {
            files.push(path.strip_prefix(root()).expect("below the root").to_owned());
        }
    }
    files
}

/// The text of a file, or none where it is not text.
fn text(file: &Path) -> Option<String> {
    String::from_utf8(fs::read(root().join(file)).expect("a readable file")).ok()
}

/// The Rust files below one of the `folders`.
fn sources(folders: &[&str]) -> Vec<Source> {
    files()
        .iter()
        .filter(|file| {
            folders.iter().any(|folder| file.starts_with(folder))
                && file.extension().is_some_and(|extension| extension == "rs")
        })
        .map(|file| Source::parse(file, &text(file).expect("Rust is UTF-8")))
        .collect()
}

fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n\n{}\n", complaints.join("\n"));
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for root in ["src", "benches/unload"] {
        assert_none(&order::file_circles(&sources(&[root])));
    }
}

#[test]
fn imports_run_only_from_left_to_right() {
    assert_none(&order::against_order(&sources(&["src"])));
}

#[test]
fn an_sdk_is_named_only_in_its_adapter() {
    assert_none(&order::sdk_outside_adapter(&sources(&["src"])));
}

#[test]
fn no_file_is_longer_than_a_reader_likes() {
    let long = files()
        .iter()
        .filter(|file| {
            file.starts_with("src") && file.extension().is_some_and(|extension| extension == "rs")
        })
        .filter_map(|file| sizes::long_file(file, &text(file).expect("Rust is UTF-8")))
        .collect::<Vec<_>>();
    assert_none(&long);
}

#[test]
fn no_function_is_longer_than_a_screen() {
    assert_none(
        &sources(&["src", "tests", "benches"])
            .iter()
            .flat_map(sizes::long_functions)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn nothing_of_the_machine_it_was_written_on_is_committed() {
    let leaks = files()
        .iter()
        .filter_map(|file| Some(leaks::leaks(file, &text(file)?)))
        .flatten()
        .collect::<Vec<_>>();
    assert_none(&leaks);
}

/// The texts of all files with this extension.
fn texts(extension: &str) -> impl Iterator<Item = (PathBuf, String)> {
    let files = files()
        .into_iter()
        .filter(move |file| file.extension().is_some_and(|found| found == extension));
    files.map(|file| {
        let text = text(&file).expect("UTF-8");
        (file, text)
    })
}

#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    let there = |path: &Path| {
        let path = root().join(path);
        path.exists().then(|| fs::read_to_string(path).unwrap_or_default())
    };
    assert_none(
        &texts("md").flat_map(|(file, text)| links::dead(&file, &text, there)).collect::<Vec<_>>(),
    );
}

#[test]
fn every_test_that_the_documentation_names_exists() {
    let functions =
        texts("rs").flat_map(|(_, text)| names::functions(&text).collect::<Vec<_>>()).collect();
    let unknown = texts("md")
        .flat_map(|(page, text)| names::unknown_tests(&page, &text, &functions))
        .collect::<Vec<_>>();
    assert_none(&unknown);
}

#[test]
fn the_documentation_says_which_tests_are_long() {
    let ignored = texts("rs").flat_map(|(_, text)| names::ignored(&text)).collect::<Vec<_>>();
    assert_none(
        &texts("md")
            .flat_map(|(page, text)| names::wrong_marks(&page, &text, &ignored))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn every_ignored_test_is_run_by_a_target_or_by_another_test() {
    let ignored = texts("rs").flat_map(|(_, text)| names::ignored(&text)).collect::<Vec<_>>();
    assert_none(&names::run_by_nobody(&text(Path::new("Makefile")).expect("UTF-8"), &ignored));
}

#[test]
fn what_is_fetched_is_pinned_by_hash() {
    let is_list =
        |file: &Path| file.starts_with("scripts/python") || file.starts_with("scripts/wheels");
    let read = |file: &Path| text(file).expect("UTF-8");
    let mut complaints = Vec::new();
    let mut lists = 0;
    for file in &files() {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("txt") if is_list(file) => complaints.extend(pins::unpinned(file, &read(file))),
            Some("in") if is_list(file) => {
                lists += 1;
                let lock = fs::read_to_string(root().join(file.with_extension("txt")));
                complaints.extend(pins::stale(file, &read(file), &lock.unwrap_or_default()));
            }
            Some("json") if file.ends_with("package-lock.json") => {
                complaints.extend(pins::unpinned_node(file, &read(file)));
            }
            Some("sh") => complaints.extend(pins::installs(file, &read(file))),
            _ if file.ends_with("Makefile") || file.ends_with(".ci/run") => {
                complaints.extend(pins::installs(file, &read(file)));
            }
            _ => {}
        }
    }
    assert!(lists > 0, "no list of packages is in scripts/python");
    assert_none(&complaints);
}
