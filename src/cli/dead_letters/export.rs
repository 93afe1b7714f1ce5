//! `longshore dead-letters export`: whole records, as NDJSON.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use bson::Document;
use clap::Args;
use tempfile::{Builder, NamedTempFile};

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

Each line is a record in Extended JSON, as mongoexport writes it and mongoimport reads it, the newest first, those that were replayed too. What is dead-lettered after the command began is left out, and it \
says until when it looked. `purge --exported` deletes the letters of such a file, and no other. A file is made as a whole or not at all, and readable for its owner alone; one that is there is left as it is, and the command fails.")]
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
        keep(file, path).with_context(to)?;
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
    eprintln!("longshore: {written} dead letters, until {until}");
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Read(#[from] MongoManagerError),
    #[error(transparent)]
    Written(#[from] io::Error),
}

/// A file in the same folder, readable for its owner alone, that is gone unless it is kept.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    if path.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    Builder::new().prefix(".longshore-").tempfile_in(folder(path))
}

/// Gives it its name, once all of it is on the disk: letters may be deleted on the strength of it.
fn keep(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
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
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all_and_is_never_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("letters.ndjson");
        let files = || std::fs::read_dir(folder.path()).expect("it is there").count();
        let file = beside(&path).expect("made");
        let mode = file.as_file().metadata().expect("it is there").permissions().mode();
        assert_eq!((mode & 0o777, path.exists()), (0o600, false));
        drop(file);
        assert_eq!(files(), 0, "what is not kept is gone");
        let (one, other) = (beside(&path).expect("made"), beside(&path).expect("made"));
        keep(one, &path).expect("kept");
        let kept = keep(other, &path).expect_err("it is there");
        assert_eq!((kept.kind(), files()), (io::ErrorKind::AlreadyExists, 1));
        assert_eq!(beside(&path).expect_err("it is there").kind(), io::ErrorKind::AlreadyExists);
    }
}
