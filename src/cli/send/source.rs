//! From the input to batches, no faster than they are sent.

use std::io::{self, BufRead};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::queue::SEND_BYTES_MAX;
use crate::stop::Stop;

use super::batches::{Batches, Numbered};
use super::lines::{Line, Lines};
use super::message::Recipe;
use super::pace::Pace;

/// Lines read ahead. Each has at most 1 MiB.
const LINES_AHEAD: usize = 32;

/// How long a batch that is not full waits for the next line: input may come from a program that is
/// still running.
const LINGER: Duration = Duration::from_millis(100);

/// What the input comes to, in its order.
#[derive(Debug)]
pub(super) enum Piece {
    Batch(Vec<Numbered>),
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
    batches: Batches,
    pace: Pace,
    clock: Arc<dyn Clock>,
    stop: Stop,
    has_ended: bool,
}

impl Source {
    pub(super) fn new(
        input: impl BufRead + Send + 'static,
        recipe: Recipe,
        (pace, entries_max): (Pace, usize),
        clock: Arc<dyn Clock>,
        stop: Stop,
    ) -> Self {
        let (sender, lines) = mpsc::channel(LINES_AHEAD);
        // A thread of its own: a read of standard input can take for ever, and nothing waits for it
        // at the end.
        tokio::task::spawn_blocking(move || {
            let mut lines = Lines::new(input, SEND_BYTES_MAX);
            while let Some(line) = lines.next().transpose() {
                let is_last = line.is_err();
                if sender.blocking_send(line).is_err() || is_last {
                    break;
                }
            }
        });
        Self {
            lines,
            recipe,
            batches: Batches::new(entries_max),
            pace,
            clock,
            stop,
            has_ended: false,
        }
    }

    /// The next piece, or none at the end of the input and after a stop.
    pub(super) async fn next(&mut self) -> Option<Piece> {
        while !self.has_ended {
            let line = tokio::select! {
                biased;
                () = self.stop.draining() => None,
                line = self.lines.recv() => line,
                () = sleep(LINGER), if !self.batches.is_empty() => return self.rest().await,
            };
            match line {
                None => self.has_ended = true,
                Some(Err(error)) => {
                    self.has_ended = true;
                    return Some(Piece::Broken(error));
                }
                Some(Ok(Line { number: line, bytes: line_bytes, text })) => {
                    match text.and_then(|text| self.recipe.message(text, self.clock.now_ms())) {
                        Err(reason) => return Some(Piece::Bad { line, line_bytes, reason }),
                        Ok(outgoing) => {
                            if let Some(full) =
                                self.batches.push(Numbered { line, line_bytes, outgoing })
                            {
                                return Some(self.paced(full).await);
                            }
                        }
                    }
                }
            }
        }
        self.rest().await
    }

    async fn rest(&mut self) -> Option<Piece> {
        match self.batches.take() {
            Some(rest) => Some(self.paced(rest).await),
            None => None,
        }
    }

    async fn paced(&mut self, batch: Vec<Numbered>) -> Piece {
        self.pace.wait_for(batch.len()).await;
        Piece::Batch(batch)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor, Read};

    use super::super::message::Grouping;
    use super::*;
    use crate::clock::SystemClock;

    fn source(input: impl BufRead + Send + 'static, stop: &Stop) -> Source {
        let recipe = Recipe::new(Vec::new(), Grouping::None, true, false).expect("sound");
        let pace = (Pace::new(None), Pace::entries_max(None));
        Source::new(input, recipe, pace, Arc::new(SystemClock::default()), stop.clone())
    }

    /// The line numbers of a batch, or the one of a bad line.
    fn lines(piece: Option<Piece>) -> Option<Vec<u64>> {
        match piece? {
            Piece::Batch(batch) => Some(batch.iter().map(|message| message.line).collect()),
            Piece::Bad { line, .. } => Some(vec![line]),
            Piece::Broken(_) => Some(Vec::new()),
        }
    }

    #[tokio::test]
    async fn a_bad_line_does_not_break_the_batch_around_it() {
        let input = "{}\n{}\nbad\n".to_owned() + &"{}\n".repeat(9);
        let mut source = source(Cursor::new(input), &Stop::default());
        assert!(matches!(source.next().await, Some(Piece::Bad { line: 3, line_bytes: 4, .. })));
        assert_eq!(lines(source.next().await), Some(vec![1, 2, 4, 5, 6, 7, 8, 9, 10, 11]));
        assert_eq!(lines(source.next().await), Some(vec![12]));
        assert_eq!(lines(source.next().await), None);
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
        let mut source = source(BufReader::new(Broken(Cursor::new(b"{}\n"))), &Stop::default());
        let mut pieces = Vec::new();
        while let Some(piece) = source.next().await {
            pieces.push(piece);
        }
        assert!(pieces.iter().any(
            |piece| matches!(piece, Piece::Broken(error) if error.to_string() == "the disk is gone")
        ));
        assert!(
            pieces.iter().any(|piece| matches!(piece, Piece::Batch(batch) if batch.len() == 1)),
            "{pieces:?}"
        );
    }

    #[tokio::test]
    async fn a_batch_that_is_not_full_does_not_wait_for_an_input_that_pauses() {
        let (input, mut writer) = io::pipe().expect("a pipe");
        let stop = Stop::default();
        let mut source = source(BufReader::new(input), &stop);
        io::Write::write_all(&mut writer, b"{}\n{}\n").expect("written");
        let mut seen = Vec::new();
        while seen.len() < 2 {
            seen.extend(lines(source.next().await).expect("a batch"));
        }
        assert_eq!(seen, [1, 2]);
        // Nothing more comes, and the pipe stays open: a stop ends it.
        stop.drain();
        assert_eq!(lines(source.next().await), None);
        drop(writer);
    }
}
