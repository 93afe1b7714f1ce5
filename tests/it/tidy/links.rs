//! Links of the documentation: each leads to a file that is there, and to a heading of it.

use std::path::{Component, Path, PathBuf};

/// A link as it is written: `](target)`, outside of fenced code.
fn links(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().flat_map(move |(number, line)| {
        fenced ^= line.trim_start().starts_with("```");
        let found: Vec<&str> = if fenced { Vec::new() } else { line.split("](").skip(1).collect() };
        found.into_iter().filter_map(move |rest| Some((number + 1, rest.split_once(')')?.0)))
    })
}

/// What GitHub makes of the headings of `text`: lower case, spaces to dashes, no other signs.
fn anchors(text: &str) -> Vec<String> {
    let mut fenced = false;
    let headings = text.lines().filter_map(|line| {
        fenced ^= line.trim_start().starts_with("```");
        line.strip_prefix('#').filter(|_| !fenced)
    });
    headings
        .map(|heading| {
            let words = heading.trim_start_matches('#').trim().to_lowercase();
            words
                .chars()
                .filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'))
                .map(|char| if char == ' ' { '-' } else { char })
                .collect()
        })
        .collect()
}

/// `docs/../src` as `src`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// One complaint for each link of `file` that leads nowhere. `there` is the text of a file, empty for
/// folders and what is no text; none where nothing is.
pub fn dead(file: &Path, text: &str, there: impl Fn(&Path) -> Option<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (line, link) in links(text).filter(|(_, link)| !link.contains("://")) {
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        let target = match path {
            "" => file.to_owned(),
            path => plain(&file.parent().unwrap_or(Path::new("")).join(path)),
        };
        let why = match there(&target) {
            None => "is not there",
            Some(text) if !anchor.is_empty() && !anchors(&text).contains(&anchor.to_owned()) => {
                "has no such heading"
            }
            Some(_) => continue,
        };
        complaints.push(format!("{}:{line}: {link} {why}", file.display()));
    }
    complaints
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let there = |path: &Path| {
        let text = "# A page\n## What *it* is: two-fold\n```\n# none\n```\n";
        (path == Path::new("docs/page.md")).then(|| text.to_owned())
    };
    let dead = |text| dead(Path::new("docs/read.md"), text, there);
    assert!(dead("[a](page.md) [b](../docs/page.md#what-it-is-two-fold)").is_empty());
    assert!(dead("[a](https://example.com/x)\n```\n[b](nowhere.md)\n```").is_empty());
    assert_eq!(
        dead("x\n[a](nowhere.md), [b](page.md#none)"),
        [
            "docs/read.md:2: nowhere.md is not there",
            "docs/read.md:2: page.md#none has no such heading"
        ]
    );
}
