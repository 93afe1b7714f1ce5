//! From the input to messages, no faster than they are sent.

use std::io::{self, BufRead};

use tokio::sync::mpsc;

use crate::cli::packed::packed;
use crate::producer::Message;
use crate::queue::SEND_BYTES_MAX;
use crate::stop::Stop;

use super::lines::{Line, Lines};
use super::message::Recipe;
use super::pace::Pace;

/// Lines read ahead. Each has at most 1 MiB.
const LINES_AHEAD: usize = 32;

/// What the input comes to, in its order.
#[derive(Debug)]
pub(super) enum Piece {
    Message {
        line: u64,
        line_bytes: u64,
        message: Message,
    },
    Bad {
        line: u64,
        line_bytes: u64,
        reason: String,
    },
    /// The input cannot be read any further.
    Broken(io::Error),
}

pub(super) struct Source {
    lines: mpsc::Receiver<io::Result<Line>>,
    recipe: Recipe,
    pace: Pace,
    /// Messages of a batch, which go at once.
    entries_max: usize,
    /// Of the batch that is being made.
    entries: usize,
    stop: Stop,
    has_ended: bool,
}

impl Source {
    pub(super) fn new(
        mut input: impl BufRead + Send + 'static,
        recipe: Recipe,
        (pace, entries_max): (Pace, usize),
        stop: Stop,
    ) -> Self {
        let (sender, lines) = mpsc::channel(LINES_AHEAD);
        // A thread of its own: a read of standard input can take for ever, and nothing waits for it
        // at the end.
        tokio::task::spawn_blocking(move || {
            // What cannot be read is told by the first line.
            if let Some(what) = input.fill_buf().ok().and_then(packed) {
                _ = sender.blocking_send(Err(io::Error::other(format!("it is {what}"))));
                return;
            }
            let mut lines = Lines::new(input, SEND_BYTES_MAX);
            while let Some(line) = lines.next().transpose() {
                let is_last = line.is_err();
                if sender.blocking_send(line).is_err() || is_last {
                    break;
                }
            }
        });
        Self { lines, recipe, pace, entries_max, entries: 0, stop, has_ended: false }
    }

    /// The next piece, or none at the end of the input and after a stop.
    pub(super) async fn next(&mut self) -> Option<Piece> {
        if self.has_ended {
            return None;
        }
        let line = tokio::select! {
            biased;
            () = self.stop.draining() => None,
            line = self.lines.recv() => line,
        };
        self.has_ended = !matches!(line, Some(Ok(_)));
        Some(match line? {
            Err(error) => Piece::Broken(error),
            Ok(Line { number: line, bytes: line_bytes, text }) => {
                match text.and_then(|text| self.recipe.message(text)) {
                    Err(reason) => Piece::Bad { line, line_bytes, reason },
                    Ok(message) => {
                        self.keep_pace().await;
                        Piece::Message { line, line_bytes, message }
                    }
                }
            }
        })
    }

    /// Waits before the first message of a batch for as long as all of it takes.
    async fn keep_pace(&mut self) {
        if self.entries == 0 {
            tokio::select! {
                biased;
                () = self.stop.letting_go() => {}
                () = self.pace.wait_for(self.entries_max) => {}
            }
        }
        self.entries = (self.entries + 1) % self.entries_max;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor, Read};
    use std::num::NonZeroU32;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::super::message::Grouping;
    use super::*;

    fn source(input: impl BufRead + Send + 'static, rate: u32, stop: &Stop) -> Source {
        let recipe = Recipe::new(Vec::new(), Grouping::None, true, false).expect("sound");
        let rate = NonZeroU32::new(rate);
        Source::new(input, recipe, (Pace::new(rate), Pace::entries_max(rate)), stop.clone())
    }

    /// The line numbers of messages, and of bad lines below 0.
    async fn lines(mut source: Source) -> Vec<i64> {
        let mut lines = Vec::new();
        while let Some(piece) = source.next().await {
            lines.push(match piece {
                Piece::Message { line, .. } => line.cast_signed(),
                Piece::Bad { line, .. } => -line.cast_signed(),
                Piece::Broken(_) => 0,
            });
        }
        lines
    }

    #[tokio::test]
    async fn a_bad_line_does_not_break_the_order_around_it() {
        let input = "{}\n{}\nbad\n".to_owned() + &"{}\n".repeat(2);
        assert_eq!(lines(source(Cursor::new(input), 0, &Stop::default())).await, [1, 2, -3, 4, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn batches_keep_the_pace() {
        let source = source(Cursor::new("{}\n".repeat(21)), 20, &Stop::default());
        let begun = Instant::now();
        assert_eq!(lines(source).await.len(), 21);
        // Two at once every 100 ms, and one more.
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
    }

    /// Gives one line and then fails.
    struct Broken(Cursor<&'static [u8]>);

    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::Error::other("the disk is gone")),
                read => Ok(read),
            }
        }
    }

    #[tokio::test]
    async fn an_input_that_breaks_is_told_and_what_came_before_is_sent() {
        let mut source = source(BufReader::new(Broken(Cursor::new(b"{}\n"))), 0, &Stop::default());
        assert!(matches!(source.next().await, Some(Piece::Message { line: 1, .. })));
        let broken = source.next().await;
        assert!(
            matches!(&broken, Some(Piece::Broken(error)) if error.to_string() == "the disk is gone"),
            "{broken:?}"
        );
        assert!(source.next().await.is_none());
    }

    #[tokio::test]
    async fn a_packed_input_is_refused_as_a_whole_with_what_to_do() {
        let mut source = source(Cursor::new(&b"\x1f\x8b\x08\n\n\n"[..]), 0, &Stop::default());
        let refused = source.next().await;
        assert!(
            matches!(&refused, Some(Piece::Broken(error)) if error.to_string().contains("zcat FILE")),
            "{refused:?}"
        );
        assert!(source.next().await.is_none());
    }

    #[tokio::test]
    async fn a_stop_ends_an_input_that_pauses() {
        let (input, mut writer) = io::pipe().expect("a pipe");
        let stop = Stop::default();
        let mut source = source(BufReader::new(input), 0, &stop);
        io::Write::write_all(&mut writer, b"{}\n").expect("written");
        assert!(matches!(source.next().await, Some(Piece::Message { line: 1, .. })));
        // Nothing more comes, and the pipe stays open.
        stop.drain();
        assert!(source.next().await.is_none());
        drop(writer);
    }
}
