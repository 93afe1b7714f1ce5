//! Lines of NDJSON from any input, numbered and bounded: a line that is too long is passed over,
//! not kept.

use std::io::{self, BufRead};

/// A line of the input.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// From 1, blank ones counted.
    pub number: u64,
    /// What it took of the input, its end included.
    pub bytes: u64,
    /// Without white space around it, or what is wrong with it.
    pub text: Result<String, String>,
}

/// Reads line after line, and never holds more than one.
pub struct Lines<R> {
    input: R,
    /// Longer lines are bad.
    bytes_max: usize,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub fn new(input: R, bytes_max: usize) -> Self {
        Self::after(0, input, bytes_max)
    }

    /// Of an input that stands behind line `number` of its file.
    pub fn after(number: u64, input: R, bytes_max: usize) -> Self {
        Self { input, bytes_max, number }
    }

    /// The next line that is not blank, or none at the end of the input.
    ///
    /// # Errors
    /// Where the input cannot be read.
    pub fn next(&mut self) -> io::Result<Option<Line>> {
        let mut passed = 0;
        loop {
            let mut kept = Vec::new();
            let bytes = self.read(&mut kept)?;
            if bytes == 0 {
                return Ok(None);
            }
            self.number += 1;
            passed += bytes;
            if let Some(text) = self.text(kept, bytes) {
                return Ok(Some(Line { number: self.number, bytes: passed, text }));
            }
        }
    }

    /// Reads to the end of the line, keeps as much as a good line can have, and returns how much
    /// there was.
    fn read(&mut self, kept: &mut Vec<u8>) -> io::Result<u64> {
        // With the line's end, which may be two bytes.
        let keep_max = self.bytes_max + 2;
        let mut bytes = 0;
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |end| end + 1);
            kept.extend_from_slice(&available[..taken.min(keep_max - kept.len())]);
            self.input.consume(taken);
            bytes += taken as u64;
            if taken == 0 || end.is_some() {
                return Ok(bytes);
            }
        }
    }

    /// None for a blank line.
    fn text(&self, mut kept: Vec<u8>, bytes: u64) -> Option<Result<String, String>> {
        // A mark that some editors write.
        if self.number == 1 && kept.starts_with(b"\xef\xbb\xbf") {
            kept.drain(..3);
        }
        let trimmed = kept.trim_ascii();
        if trimmed.len() > self.bytes_max || bytes > self.bytes_max as u64 + 2 {
            return Some(Err(format!(
                "has {bytes} bytes, and a message may have {} at most",
                self.bytes_max
            )));
        }
        if trimmed.is_empty() {
            return None;
        }
        Some(match std::str::from_utf8(trimmed) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(format!("is not UTF-8 at byte {}", error.valid_up_to() + 1)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    /// Through a small buffer, so that lines span several.
    fn all(input: &[u8], bytes_max: usize) -> Vec<Line> {
        let mut lines = Lines::new(BufReader::with_capacity(3, input), bytes_max);
        std::iter::from_fn(|| lines.next().expect("readable")).collect()
    }

    fn texts(input: &[u8]) -> Vec<(u64, Result<String, String>)> {
        all(input, 20).into_iter().map(|line| (line.number, line.text)).collect()
    }

    #[test]
    fn blank_lines_are_passed_over_and_counted() {
        let expected = [(1, Ok("a".to_owned())), (4, Ok("b".to_owned())), (5, Ok("c".to_owned()))];
        assert_eq!(texts(b"a\n\n  \t\nb\nc"), expected);
        assert_eq!(texts(b""), []);
        assert_eq!(texts(b"\n\n"), []);
    }

    #[test]
    fn a_line_may_end_as_on_windows_and_a_file_begin_with_a_mark() {
        assert_eq!(
            texts(b"\xef\xbb\xbfa\r\n\r\nb\r\n"),
            [(1, Ok("a".to_owned())), (3, Ok("b".to_owned()))]
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_without_being_kept() {
        let mut input = b"first\n".to_vec();
        input.extend(std::iter::repeat_n(b'x', 1_000_000));
        input.extend(b"\nlast");
        let mut lines = Lines::new(BufReader::new(&*input), 20);
        assert_eq!(
            lines.next().expect("readable").map(|line| line.text),
            Some(Ok("first".to_owned()))
        );
        let mut kept = Vec::new();
        assert_eq!(lines.read(&mut kept).expect("readable"), 1_000_001);
        assert_eq!(kept.len(), 22);

        let told = texts(&input);
        assert_eq!(
            told[1],
            (2, Err("has 1000001 bytes, and a message may have 20 at most".to_owned()))
        );
        assert_eq!(told[2], (3, Ok("last".to_owned())));
    }

    #[test]
    fn the_longest_good_line_is_good_with_either_end() {
        for end in ["", "\n", "\r\n"] {
            assert_eq!(
                texts(format!("{}{end}", "x".repeat(20)).as_bytes()),
                [(1, Ok("x".repeat(20)))]
            );
            assert!(matches!(
                &texts(format!("{}{end}", "x".repeat(21)).as_bytes())[..],
                [(1, Err(_))]
            ));
        }
    }

    #[test]
    fn what_is_not_utf_8_is_named_by_its_place() {
        assert_eq!(texts(b"ok\nab\xff\nok")[1], (2, Err("is not UTF-8 at byte 3".to_owned())));
    }

    proptest! {
        #[test]
        fn every_byte_of_the_input_is_accounted_for(input in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b' '), any::<u8>()], 0..200)) {
            let lines = all(&input, 20);
            let read: u64 = lines.iter().map(|line| line.bytes).sum();
            prop_assert!(read <= input.len() as u64);
            // What was not accounted for stands after the last line and is blank.
            let rest = &input[usize::try_from(read).expect("small")..];
            prop_assert!(rest.trim_ascii().is_empty(), "{rest:?}");
            prop_assert!(lines.windows(2).all(|pair| pair[0].number < pair[1].number));
            let texts = lines.iter().filter_map(|line| line.text.as_ref().ok());
            prop_assert!(texts.clone().all(|text| !text.is_empty() && text.len() <= 20 && !text.contains('\n')));
        }
    }
}
