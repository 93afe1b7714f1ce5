//! The file that is loaded: spooled where it is none, hashed as a whole, and read line after line from
//! any place.

use std::fs::{File, Metadata, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use sha2::Digest;

use super::hashing::hashed;
use super::ledger::{Mark, Place};
use crate::cli::packed::packed;
use crate::cli::send::lines::{Line, Lines};

/// As many as tell how it is packed.
const START_BYTES: usize = 4;

const BUFFER_BYTES: usize = 256 * 1024;

/// Where a file begins of which editors wrote a mark.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file, and what is in it.
#[derive(Debug)]
pub(super) struct Input {
    /// To open it once more; of what was spooled the only way to it.
    file: File,
    pub bytes: u64,
    /// SHA-256 of all of it.
    pub hash: [u8; 32],
    /// When it was written last, where that is known.
    modified: Option<SystemTime>,
    /// Whether it can be read again by its name.
    pub is_file: bool,
}

impl Input {
    /// Reads all of it once. Standard input, and what cannot be read twice, goes through a file without
    /// a name that is gone with this process.
    ///
    /// # Errors
    /// Where it cannot be read or spooled, or is one JSON array.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = || format!("cannot read {}", path.display());
        if path == Path::new("-") {
            return Self::spooled(io::stdin().lock()).context("cannot read standard input");
        }
        let file = File::open(path).with_context(failed)?;
        let metadata = file.metadata().with_context(failed)?;
        if metadata.is_dir() {
            bail!("{} is a folder: give a file of NDJSON", path.display());
        }
        if !metadata.is_file() {
            return Self::spooled(file).with_context(failed);
        }
        let bar = bar(Some(metadata.len()), "reading");
        // Held until this process ends. Where a file system has no locks, nothing is told.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            bail!("{} is being loaded already, by another process", path.display());
        }
        let (bytes, hash) = read_all(&file, &mut io::sink(), &bar).with_context(failed)?;
        bar.finish_and_clear();
        let modified = metadata.modified().ok();
        Ok(Self { file, bytes, hash, modified, is_file: true })
    }

    /// Whether this is the file at that path, however it is called there.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        let place = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let own = self.file.metadata().map(place);
        matches!((own, path.metadata().map(place)), (Ok(own), Ok(there)) if own == there)
    }

    /// At the end of a load: the lines were given ids of what the file held at its start.
    ///
    /// # Errors
    /// Where it holds something else, or cannot be read. What was added behind does not count.
    pub(super) fn unchanged(&self) -> io::Result<()> {
        let metadata = self.file.metadata()?;
        if !self.is_file
            || metadata.len() == self.bytes && metadata.modified().ok() == self.modified
        {
            return Ok(());
        }
        let part = Part { file: self.file.try_clone()?, next: 0, end: self.bytes };
        let (_, hash) = hashed(part, |_| Ok(()))?;
        if *hash.finalize() == self.hash { Ok(()) } else { Err(changed()) }
    }

    fn spooled(input: impl Read) -> Result<Self> {
        let bar = bar(None, "keeping the input in a temporary file");
        let mut file = tempfile::tempfile().context("cannot make a temporary file")?;
        let (bytes, hash) = read_all(input, &mut file, &bar)?;
        bar.finish_and_clear();
        Ok(Self { file, bytes, hash, modified: None, is_file: false })
    }

    /// The lines behind the mark, none longer than `bytes_max`.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub(super) fn lines(&self, from: Mark, bytes_max: usize) -> io::Result<Reader> {
        let input = Part { file: self.file.try_clone()?, next: from.offset, end: self.bytes };
        let input = BufReader::with_capacity(BUFFER_BYTES, input);
        Ok(Reader { lines: Lines::after(from.line, input, bytes_max), at: from.offset })
    }

    /// The text of one line once more.
    ///
    /// # Errors
    /// Where the file cannot be read, or is no longer what it was.
    pub(super) fn line(&self, place: Place, bytes_max: usize) -> io::Result<String> {
        let mut lines = Lines::after(u64::from(place.offset > 0), self.part(place)?, bytes_max);
        let line = lines.next()?.ok_or_else(changed)?;
        line.text.map_err(|_| changed())
    }

    /// Copies one line as it stands, with an end.
    ///
    /// # Errors
    /// Where the file cannot be read, or the other not written.
    pub(super) fn copy(&self, place: Place, to: &mut impl Write) -> io::Result<()> {
        let mut part = self.part(place)?;
        // Blank lines before it.
        while let Some(first) = part.fill_buf()?.first().copied()
            && first.is_ascii_whitespace()
        {
            part.consume(1);
        }
        io::copy(&mut part, to)?;
        let mut last = [0];
        let end = place.offset + place.bytes;
        Part { file: self.file.try_clone()?, next: end - 1, end }.read_exact(&mut last)?;
        if last == *b"\n" { Ok(()) } else { to.write_all(b"\n") }
    }

    fn part(&self, place: Place) -> io::Result<BufReader<Part>> {
        let file = self.file.try_clone()?;
        Ok(BufReader::new(Part { file, next: place.offset, end: place.offset + place.bytes }))
    }
}

/// Reads a part of a file by places of its own: copies of one open file share the one that the system
/// keeps.
#[derive(Debug)]
struct Part {
    file: File,
    next: u64,
    end: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        let read = std::os::unix::fs::FileExt::read_at(&self.file, &mut buffer[..most], self.next)?;
        if read == 0 && most > 0 {
            return Err(changed());
        }
        self.next += read as u64;
        Ok(read)
    }
}

fn changed() -> io::Error {
    io::Error::other("the file was changed while it was loaded")
}

/// Lines with their places.
pub(super) struct Reader {
    lines: Lines<BufReader<Part>>,
    at: u64,
}

impl Reader {
    /// The next line that is not blank.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<(Place, Result<String, String>)>> {
        let Some(Line { number, bytes, text }) = self.lines.next()? else { return Ok(None) };
        let place = Place { offset: self.at, bytes, number };
        self.at += bytes;
        Ok(Some((place, text)))
    }
}

/// How an input begins.
#[derive(Debug, Default)]
struct Start {
    bytes: Vec<u8>,
    /// Behind blanks.
    first: Option<u8>,
}

const ONE_ARRAY: &str = "one JSON array, and a load takes one document a line: export without --jsonArray, or give it to `jq -c '.[]'` first";

impl Start {
    /// Looks at the next part.
    fn see(&mut self, read: &[u8]) {
        let is_first = self.bytes.is_empty();
        let text = if is_first { read.strip_prefix(BYTE_ORDER_MARK).unwrap_or(read) } else { read };
        self.first =
            self.first.or_else(|| text.iter().copied().find(|byte| !byte.is_ascii_whitespace()));
        let more = START_BYTES.saturating_sub(self.bytes.len()).min(read.len());
        self.bytes.extend(&read[..more]);
    }

    /// What has no lines that could be told apart and gone on from.
    fn refuse(&self) -> io::Result<()> {
        match packed(&self.bytes).or((self.first == Some(b'[')).then_some(ONE_ARRAY)) {
            Some(what) => Err(io::Error::other(format!("it is {what}"))),
            None => Ok(()),
        }
    }
}

/// Reads all, and writes it elsewhere. Gives how much it was, and its hash. What cannot be loaded is
/// refused at its beginning, however long it is.
fn read_all(
    input: impl Read,
    to: &mut impl Write,
    bar: &ProgressBar,
) -> io::Result<(u64, [u8; 32])> {
    let mut start = Start::default();
    let (bytes, hash) = hashed(input, |read| {
        start.see(read);
        start.refuse()?;
        to.write_all(read)?;
        bar.inc(read.len() as u64);
        Ok(())
    })?;
    to.flush()?;
    Ok((bytes, hash.finalize().into()))
}

fn bar(bytes: Option<u64>, message: &'static str) -> ProgressBar {
    let (bar, template) = match bytes {
        Some(bytes) => (ProgressBar::new(bytes), "{bar:40} {percent:>3} % {msg}"),
        None => (ProgressBar::new_spinner(), "{spinner} {msg}, {bytes} in {elapsed}"),
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_message(message)
}

/// The file beside `path` that ends in `.load`.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".load");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(text: &[u8]) -> Input {
        Input::spooled(text).expect("kept")
    }

    fn places(input: &Input, from: Mark) -> Vec<(Place, Option<String>)> {
        let mut reader = input.lines(from, 20).expect("readable");
        std::iter::from_fn(|| reader.next().expect("readable"))
            .map(|(place, text)| (place, text.ok()))
            .collect()
    }

    #[test]
    fn lines_are_the_same_from_any_place_and_once_more() {
        let input = input(b"\xef\xbb\xbf{\"a\":1}\r\n\n\n{\"b\":2}\n  {\"c\":3}");
        let all = places(&input, Mark::default());
        let texts: Vec<_> = all.iter().filter_map(|(_, text)| text.as_deref()).collect();
        assert_eq!(texts, [r#"{"a":1}"#, r#"{"b":2}"#, r#"{"c":3}"#]);
        assert_eq!(all.iter().map(|(place, _)| place.number).collect::<Vec<_>>(), [1, 4, 5]);
        for (index, (place, text)) in all.iter().enumerate() {
            assert_eq!(input.line(*place, 20).ok().as_ref(), text.as_ref());
            let (offset, line) = (place.offset + place.bytes, place.number);
            let mark = Mark { offset, line, ..Mark::default() };
            assert_eq!(places(&input, mark), all[index + 1..]);
        }
    }

    #[test]
    fn a_line_is_copied_as_it_stands_with_an_end() {
        let long = "x".repeat(100);
        let input = input(format!("\n \n {long}\r\nlast").as_bytes());
        let mut copied = Vec::new();
        for (place, _) in places(&input, Mark::default()) {
            input.copy(place, &mut copied).expect("copied");
        }
        assert_eq!(String::from_utf8(copied).expect("UTF-8"), format!("{long}\r\nlast\n"));
    }

    #[test]
    fn one_array_is_refused_with_what_to_do() {
        for text in [&b"[{}]"[..], b"\xef\xbb\xbf \n[\n{}"] {
            let refused = Input::spooled(text).expect_err("an array").to_string();
            assert!(refused.contains("without --jsonArray"), "{refused}");
        }
        assert!(Input::spooled(&b""[..]).is_ok());
    }

    /// Of many gigabytes nobody waits for the end.
    #[test]
    fn what_cannot_be_loaded_is_refused_before_the_rest_is_read() {
        struct Unread;
        impl Read for Unread {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("read on"))
            }
        }
        for (text, what) in [
            (&b"\x1f\x8b\x08"[..], "packed by gzip"),
            (b"\x28\xb5\x2f\xfd", "packed by zstd"),
            (b"\xff\xfe{\0", "UTF-16"),
            (b"  [{}", "one JSON array"),
        ] {
            let refused = Input::spooled(text.chain(Unread)).expect_err("refused").to_string();
            assert!(refused.starts_with(&format!("it is {what}")), "{refused}");
        }
    }

    #[test]
    fn what_is_in_a_file_decides_its_hash() {
        assert_eq!(input(b"a\n").hash, input(b"a\n").hash);
        assert_ne!(input(b"a\n").hash, input(b"a\n\n").hash);
    }
}
