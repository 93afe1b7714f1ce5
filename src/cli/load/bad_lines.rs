//! The file of `--bad`: bad lines as they stand, in their order, to be fixed and loaded.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::hashing::hashed;
use super::input::Input;
use super::ledger::Place;
use crate::hex::Hex;

pub(super) struct BadLines {
    file: File,
    kept: Kept,
    /// Of what is kept, to be gone on with.
    hash: Sha256,
}

/// What a load has kept of bad lines, and where. What stands behind it was written by a run that was killed before it
/// could say so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Absolute.
    pub path: PathBuf,
    pub bytes: u64,
    /// Of these bytes, hex digits.
    sha256: String,
}

impl BadLines {
    /// Changes nothing yet. `earlier`: what an earlier run of this load has kept. `restart`: none of it counts.
    ///
    /// # Errors
    /// Where it cannot be opened, or holds anything else.
    pub(super) fn open(path: &Path, earlier: Option<&Kept>, restart: bool) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let mut options = OpenOptions::new();
        let mut file = options.create(true).truncate(false).read(true).write(true).open(&path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no plain file"));
        }
        let there = file.metadata()?.len();
        let earlier = earlier.filter(|kept| kept.path == path);
        let bytes = earlier.map_or(0, |kept| kept.bytes);
        if earlier.is_none() && there > 0 {
            return Err(io::Error::other(
                "it is not empty, and not of a load that goes on: move it away, or give another file",
            ));
        }
        let (read, hash) = hashed((&mut file).take(bytes), |_| Ok(()))?;
        if read < bytes || earlier.is_some_and(|kept| kept.sha256 != digits(&hash)) {
            return Err(io::Error::other(
                "it was changed since this load wrote it: give another file, and --restart to have all bad lines in it",
            ));
        }
        let (bytes, hash) = if restart { (0, Sha256::new()) } else { (bytes, hash) };
        let kept = Kept { path, bytes, sha256: digits(&hash) };
        Ok(Self { file, kept, hash })
    }

    /// Takes off what is not kept.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        self.file.set_len(self.kept.bytes)
    }

    /// # Errors
    /// Where a line cannot be read or written. None counts then.
    pub(super) fn append(&mut self, places: &[Place], input: &Input) -> io::Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        self.file.set_len(self.kept.bytes)?;
        self.file.seek(SeekFrom::Start(self.kept.bytes))?;
        let (mut hash, mut lines) = (self.hash.clone(), Vec::new());
        for place in places {
            lines.clear();
            input.copy(*place, &mut lines)?;
            hash.update(&lines);
            self.file.write_all(&lines)?;
        }
        self.file.sync_all()?;
        self.kept.bytes = self.file.stream_position()?;
        self.kept.sha256 = digits(&hash);
        self.hash = hash;
        Ok(())
    }

    /// What stands before an error of it.
    pub(super) fn failed(&self) -> String {
        failed(&self.kept.path)
    }

    pub(super) fn kept(&self) -> &Kept {
        &self.kept
    }
}

/// What stands before an error of the file at this path.
pub(super) fn failed(path: &Path) -> String {
    format!("cannot keep bad lines in {}", path.display())
}

/// Of all that went into it so far.
fn digits(hash: &Sha256) -> String {
    Hex::of(hash.clone().finalize()).to_string()
}
