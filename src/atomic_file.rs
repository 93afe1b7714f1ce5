//! A file that is there as a whole, or not at all: written beside its place and put there at the end.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

/// A file in the folder of its place, readable for its owner alone, that is gone unless it is put there.
#[derive(Debug)]
pub struct AtomicFile {
    file: NamedTempFile,
    place: PathBuf,
}

impl AtomicFile {
    /// # Errors
    /// Where nothing can be written in the folder of `place`.
    pub fn beside(place: &Path) -> io::Result<Self> {
        let file = Builder::new().prefix(".longshore-").tempfile_in(folder(place))?;
        Ok(Self { file, place: place.to_owned() })
    }

    /// Puts it where there is nothing, for good: others may be deleted on the strength of it.
    ///
    /// # Errors
    /// Where something is there, or it cannot be written.
    pub fn put_anew(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist_noclobber(&self.place)?;
        File::open(folder(&self.place))?.sync_all()
    }

    /// Puts it in the place of what is there: after a power failure it is the one or the other.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn put_over(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.place)?;
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The folder of a file, `.` where its path has none.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all_and_is_written_over_only_where_that_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("letters.ndjson");
        let files = || std::fs::read_dir(folder.path()).expect("it is there").count();
        let file = || {
            let mut file = AtomicFile::beside(&place).expect("made");
            file.write_all(&[b'0' + u8::try_from(files()).expect("few")]).expect("written");
            file
        };
        let first = file();
        let mode = first.file.as_file().metadata().expect("it is there").permissions().mode();
        assert_eq!((mode & 0o777, place.exists()), (0o600, false));
        drop(first);
        assert_eq!(files(), 0, "what is not put there is gone");
        let (one, other, third) = (file(), file(), file());
        one.put_anew().expect("put");
        let refused = other.put_anew().expect_err("it is there");
        let text = || std::fs::read_to_string(&place).expect("it is there");
        assert_eq!((refused.kind(), text().as_str()), (io::ErrorKind::AlreadyExists, "1"));
        third.put_over().expect("put");
        assert_eq!((text().as_str(), files()), ("3", 1));
        assert_eq!(super::folder(Path::new("a")), Path::new("."));
    }
}
