//! The file of `--bad`: bad lines as they stand, in their order, to be mended and loaded.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::input::Input;
use super::ledger::Place;

pub(super) struct BadLines {
    path: PathBuf,
    file: File,
    /// What is kept of it. What stands behind that was written by a run that was killed before it could
    /// say so.
    bytes: u64,
}

impl BadLines {
    /// `bytes`: how much of it an earlier run has kept. `restart`: none of it counts.
    ///
    /// # Errors
    /// Where it cannot be opened, or holds something else.
    pub(super) fn open(path: PathBuf, bytes: Option<u64>, restart: bool) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        let there = file.metadata()?.len();
        let kept = bytes.unwrap_or(0);
        if bytes.is_none() && there > 0 && !restart {
            return Err(io::Error::other("it is not empty, and not of this load"));
        }
        if there < kept {
            return Err(io::Error::other("it has lost lines of this load: give --restart"));
        }
        file.set_len(kept)?;
        Ok(Self { path, file, bytes: kept })
    }

    /// # Errors
    /// Where a line cannot be read or written. None counts then.
    pub(super) fn append(&mut self, places: &[Place], input: &Input) -> io::Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        self.file.set_len(self.bytes)?;
        self.file.seek(SeekFrom::Start(self.bytes))?;
        for place in places {
            input.copy(*place, &mut self.file)?;
        }
        self.file.sync_all()?;
        self.bytes = self.file.stream_position()?;
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}
