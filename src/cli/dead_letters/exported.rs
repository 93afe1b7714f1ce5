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
    dead_lettered: Option<Bson>,
}

/// A letter as it was when it was exported.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    id: String,
    /// It has another time if it was refused again since.
    dead_lettered: Option<Bson>,
}

/// Reads the letters of an export.
///
/// # Errors
/// Where the file cannot be read, or a line of it is none that an export has written.
pub fn read(path: &Path) -> Result<Vec<Exported>> {
    let of = || format!("cannot read {}", path.display());
    let file = BufReader::new(File::open(path).with_context(of)?);
    let mut ids = Vec::new();
    for (index, line) in file.lines().enumerate() {
        let line = line.with_context(of)?;
        match serde_json::from_str(&line) {
            Ok(Line { _id: id, dead_lettered }) => ids.push(Exported { id, dead_lettered }),
            Err(error) => bail!(
                "{} line {}: no dead letter that `export` has written: {error}",
                path.display(),
                index + 1
            ),
        }
    }
    Ok(ids)
}

/// Filters that find those of these letters that are as they were, and together all of them.
pub fn filters(letters: &[Exported]) -> Vec<Document> {
    let filter = |Exported { id, dead_lettered }: &Exported| {
        let mut filter = doc! { "_id": id };
        filter.extend(dead_lettered.clone().map(|at| ("dead_lettered".to_owned(), at)));
        filter
    };
    letters
        .chunks(IDS_MAX)
        .map(|letters| doc! { "$or": letters.iter().map(filter).collect::<Vec<_>>() })
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
        let at = r#"{"$date":{"$numberLong":"1795341600000"}}"#;
        let letters =
            read(&format!("{{\"_id\":\"q/1\",\"dead_lettered\":{at}}}\n{{\"_id\":\"q/2\"}}\n"));
        let date = Bson::from(bson::DateTime::from_millis(1_795_341_600_000));
        let of = |id: &str, dead_lettered| Exported { id: id.to_owned(), dead_lettered };
        assert_eq!(letters.expect("read"), [of("q/1", Some(date)), of("q/2", None)]);
        assert_eq!(read("").expect("read"), []);
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
        let ids: Vec<_> = (0..2_001)
            .map(|number: i32| Exported { id: number.to_string(), dead_lettered: None })
            .collect();
        let found: Vec<_> = filters(&ids)
            .iter()
            .map(|filter| filter.get_array("$or").expect("a list").len())
            .collect();
        assert_eq!(found, [1_000, 1_000, 1]);
    }
}
