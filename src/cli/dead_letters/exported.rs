//! The letters of an export, by the `_id` of each.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result, bail};
use bson::{Bson, Document, doc};
use serde::Deserialize;

/// Ids of one command: a list of them stays far below the 16 MiB of a command.
const IDS_MAX: usize = 1_000;

#[derive(Deserialize)]
struct Line {
    _id: String,
}

/// Reads the ids of an export.
///
/// # Errors
/// Where the file cannot be read, or a line of it is none that an export has written.
pub fn read(path: &Path) -> Result<Vec<String>> {
    let of = || format!("cannot read {}", path.display());
    let file = BufReader::new(File::open(path).with_context(of)?);
    let mut ids = Vec::new();
    for (index, line) in file.lines().enumerate() {
        let line = line.with_context(of)?;
        match serde_json::from_str(&line) {
            Ok(Line { _id: id }) => ids.push(id),
            Err(error) => bail!(
                "{} line {}: no dead letter that `export` has written: {error}",
                path.display(),
                index + 1
            ),
        }
    }
    Ok(ids)
}

/// Filters that find those with these ids, and together all of them.
pub fn filters(ids: &[String]) -> Vec<Document> {
    ids.chunks(IDS_MAX)
        .map(|ids| {
            let ids: Vec<Bson> = ids.iter().map(|id| Bson::from(id.as_str())).collect();
            doc! { "_id": { "$in": ids } }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_letter_and_any_other_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("letters.ndjson");
        let read = |text: &str| {
            std::fs::write(&path, text).expect("written");
            read(&path)
        };
        let ids = read("{\"_id\":\"q/1\",\"body\":\"{}\"}\n{\"_id\":\"q/2\"}\n").expect("read");
        assert_eq!(ids, ["q/1", "q/2"]);
        assert_eq!(read("").expect("read"), Vec::<String>::new());
        for text in [
            "{\"_id\":\"q/1\"}\n\n",
            "{\"_id\":\"q/1\"}\n{\"body\":1}",
            "{\"_id\":\"q/1\"}\n{\"_id\":\"q",
        ] {
            let told = read(text).expect_err("no letter").to_string();
            assert!(told.contains("line 2: no dead letter"), "{told}");
        }
    }

    #[test]
    fn many_are_deleted_by_several_commands() {
        let ids: Vec<_> = (0..2_001).map(|number| number.to_string()).collect();
        let found: Vec<_> = filters(&ids)
            .iter()
            .map(|filter| {
                let ids = filter.get_document("_id").and_then(|id| id.get_array("$in"));
                ids.expect("a list").len()
            })
            .collect();
        assert_eq!(found, [1_000, 1_000, 1]);
    }
}
