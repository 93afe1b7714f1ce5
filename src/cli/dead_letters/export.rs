//! `longshore dead-letters export`: whole records, as NDJSON.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use bson::Document;
use clap::Args;

use crate::atomic_file::AtomicFile;
use crate::cli::output::say;
use crate::dead_letter::search::Standing;
use crate::extended_json;
use crate::mongo_manager::{Documents, MongoManagerError};

use super::shown;
use super::which::Which;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore dead-letters export --out letters.ndjson
  longshore dead-letters export --group 5f2c91d07a3be846 | jq -r .body
  longshore dead-letters export --reason bad_json --since 7d --out bad.ndjson

Each line is a record in Extended JSON, as mongoexport writes it and mongoimport reads it, the newest first. Letters that were replayed are included. Messages that are rejected after the command has started are left out; the command says up to which time it looked. `purge --exported` deletes exactly the letters of such a file. --out writes the whole file or nothing, and only its owner may read it. If the file exists already, the command fails and leaves it as it is.")]
pub struct ExportArgs {
    #[command(flatten)]
    which: Which,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// # Errors
/// Where the database cannot be asked, or the file cannot be made or written.
pub async fn export(letters: &Documents, args: ExportArgs) -> Result<ExitCode> {
    let mut search = args.which.search(letters, Standing::Either).await?;
    let until = shown::time(search.before_now());
    let filter = search.filter();
    let written = if let Some(path) = &args.out {
        let to = || format!("cannot write {}", path.display());
        let mut file = BufWriter::new(beside(path).with_context(to)?);
        let written = match write(letters, filter, &mut file).await {
            Err(Failure::Written(error)) => return Err(error).with_context(to),
            written => written?,
        };
        let file = file.into_inner().map_err(io::IntoInnerError::into_error).with_context(to)?;
        file.put_anew().with_context(to)?;
        written
    } else {
        match write(letters, filter, &mut BufWriter::new(io::stdout().lock())).await {
            // A reader that has gone has seen enough.
            Err(Failure::Written(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Ok(ExitCode::SUCCESS);
            }
            written => written?,
        }
    };
    say(&format!("longshore: exported {written} dead letters, of those until {until}"));
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Read(#[from] MongoManagerError),
    #[error(transparent)]
    Written(#[from] io::Error),
}

/// A file in the same folder, where there is none of that name.
fn beside(path: &Path) -> io::Result<AtomicFile> {
    if path.try_exists()? {
        let what = "it is there already: give --out another name, or remove it";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    AtomicFile::beside(path)
}

/// Writes all that `filter` finds, and says how many that were.
async fn write(letters: &Documents, filter: Document, to: &mut impl Write) -> Result<u64, Failure> {
    let mut written = 0;
    letters
        .each(filter, shown::newest(), |record| {
            writeln!(to, "{}", extended_json::canonical(&record))?;
            written += 1;
            Ok::<_, Failure>(())
        })
        .await?;
    to.flush()?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_refused_before_anything_is_read() {
        let there = tempfile::NamedTempFile::new().expect("a file");
        let refused = beside(there.path()).expect_err("it is there");
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
    }
}
