//! A file as the queue of a pipeline: receives bring its next lines, a delete says that one has its end.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::input::{Input, Reader};
use super::ledger::{Ledger, Mark};
use super::recipe::{Recipe, delivery};
use super::report::{Report, reason_of};
use crate::cli::send::pace::Pace;
use crate::dead_letter::{Record, Told};
use crate::message::QueueMessage;
use crate::queue::{
    Brought, EntryOutcome, Queue, QueueFault, QueueFaultKind, Room, SEND_BYTES_MAX,
};
use crate::stop::Stop;

/// How long a line that was delivered is nobody else's, unless it is extended: the default of SQS.
pub(super) const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);

/// The lines of a file, delivered at least once, in their order where none comes again.
pub(super) struct FileQueue {
    lines: Arc<FileLines>,
    /// Held by the receive that reads: what it has read stands outside the budget until it has room.
    turn: tokio::sync::Mutex<Pace>,
    /// The largest receive that keeps `--rate` even.
    entries_max: usize,
}

/// What receives, deletes and refusals share.
pub(super) struct FileLines {
    pub input: Input,
    pub ledger: Mutex<Ledger>,
    pub report: Mutex<Report>,
    /// Why it cannot be read any further.
    pub broken: Mutex<Option<io::Error>>,
    reader: Mutex<Reader>,
    recipe: Recipe,
    /// Of one line.
    bytes_max: usize,
    /// Drains once every line has its end.
    stop: Stop,
    /// A line waits to be delivered again, or all have their end.
    changed: Notify,
}

impl FileLines {
    /// # Errors
    /// Where the file cannot be read.
    pub(super) fn new(
        input: Input,
        from: Mark,
        bytes_max: usize,
        recipe: Recipe,
        report: Report,
        stop: Stop,
    ) -> io::Result<Self> {
        Ok(Self {
            reader: Mutex::new(input.lines(from, bytes_max)?),
            ledger: Mutex::new(Ledger::after(from)),
            report: Mutex::new(report),
            broken: Mutex::default(),
            input,
            recipe,
            bytes_max,
            stop,
            changed: Notify::new(),
        })
    }

    /// Up to `max` lines, those first that come again. Each is in the ledger before anybody has it, so
    /// one that nobody takes comes again.
    fn take(&self, max: usize) -> io::Result<Vec<QueueMessage>> {
        let mut reader = lock(&self.reader);
        let (mut messages, mut bytes) = (Vec::with_capacity(max), 0);
        let now = Instant::now();
        let until = now + VISIBILITY_TIMEOUT;
        while messages.len() < max && bytes < SEND_BYTES_MAX {
            let (again, has_room) = {
                let mut ledger = lock(&self.ledger);
                (ledger.again(now, until), ledger.has_room())
            };
            let message = if let Some((place, delivery)) = again {
                let text = self.input.line(place, self.bytes_max)?;
                self.recipe.message(place, text, delivery)
            } else if has_room {
                match reader.next()? {
                    None => {
                        lock(&self.ledger).read_all();
                        break;
                    }
                    Some((place, Ok(text))) => {
                        let delivery = lock(&self.ledger).deliver(place, until);
                        self.recipe.message(place, text, delivery)
                    }
                    Some((place, Err(why))) => {
                        let kind = (reason_of(place, self.bytes_max), None);
                        lock(&self.report).bad(place.number, kind, &format!("the line {why}"));
                        lock(&self.ledger).refuse(place);
                        continue;
                    }
                }
            } else {
                break;
            };
            bytes += message.bytes();
            messages.push(message);
        }
        self.look_for_the_end();
        Ok(messages)
    }

    fn look_for_the_end(&self) {
        if lock(&self.ledger).is_complete() {
            self.stop.drain();
        }
    }

    fn break_off(&self, error: io::Error) {
        lock(&self.broken).get_or_insert(error);
        self.stop.drain();
    }
}

impl Told for FileLines {
    fn refused(&self, message: &QueueMessage, record: &Record) {
        let Some(delivery) = delivery(&message.receipt_handle) else { return };
        if let Some(number) = lock(&self.ledger).mark_refused(delivery.offset) {
            let (place, text) = (record.place.as_deref(), &record.text);
            lock(&self.report).bad(number, (record.reason, place), text);
        }
    }
}

impl FileQueue {
    pub(super) fn new(lines: Arc<FileLines>, pace: Pace, entries_max: usize) -> Self {
        Self { lines, turn: tokio::sync::Mutex::new(pace), entries_max }
    }

    /// What a receive brings at once, if anything, and with room for it.
    async fn turn(&self, max: usize, room: &mut impl Room) -> Result<Brought, QueueFault> {
        let max = max.min(self.entries_max);
        let mut pace = self.turn.lock().await;
        // Until as many may be read; how many that turn out to be counts for the next one.
        pace.wait_for(0).await;
        let lines = Arc::clone(&self.lines);
        let taken = spawn_blocking(move || {
            let taken = lines.take(max);
            taken.unwrap_or_else(|error| {
                lines.break_off(error);
                Vec::new()
            })
        });
        // It panics or is not run in a teardown only.
        let mut messages = taken.await.map_err(|error| fault(&error))?;
        pace.wait_for(messages.len()).await;
        let bytes = messages.iter().map(QueueMessage::bytes).sum();
        if messages.is_empty() || room.make(bytes).await {
            return Ok(Brought { messages, are_unread: false });
        }
        for message in &mut messages {
            let (message_id, receipt_handle) =
                (std::mem::take(&mut message.message_id), Arc::clone(&message.receipt_handle));
            *message = QueueMessage { message_id, receipt_handle, ..QueueMessage::default() };
        }
        Ok(Brought { messages, are_unread: true })
    }

    /// Answers for each delivery that a handle names.
    fn each(
        &self,
        handles: &[Arc<str>],
        mut done: impl FnMut(&mut Ledger, super::ledger::Delivery) -> bool,
    ) -> Vec<EntryOutcome> {
        let mut ledger = lock(&self.lines.ledger);
        let outcomes = handles.iter().map(|handle| {
            let is_done = delivery(handle).is_some_and(|delivery| done(&mut ledger, delivery));
            if is_done { EntryOutcome::Done } else { EntryOutcome::Stale }
        });
        outcomes.collect()
    }
}

impl Queue for FileQueue {
    async fn receive_into(
        &self,
        max: usize,
        wait: Duration,
        _: Option<&str>,
        room: &mut impl Room,
    ) -> Result<Brought, QueueFault> {
        let deadline = Instant::now() + wait;
        let stop = &self.lines.stop;
        loop {
            // Before the look, so that nothing is missed between the two.
            let mut changed = std::pin::pin!(self.lines.changed.notified());
            changed.as_mut().enable();
            let brought = tokio::select! {
                biased;
                () = stop.draining() => return Ok(Brought::default()),
                brought = self.turn(max, room) => brought?,
            };
            if !brought.messages.is_empty() || Instant::now() >= deadline {
                return Ok(brought);
            }
            let shows_at = lock(&self.lines.ledger).shows_at().unwrap_or(deadline);
            tokio::select! {
                biased;
                () = stop.draining() => return Ok(Brought::default()),
                () = changed => {}
                () = sleep_until(shows_at.min(deadline)) => {}
            }
        }
    }

    fn tells_size(&self) -> bool {
        true
    }

    async fn delete(&self, handles: &[Arc<str>]) -> Result<Vec<EntryOutcome>, QueueFault> {
        let outcomes = self.each(handles, Ledger::end);
        self.lines.look_for_the_end();
        // There may have been no room for more lines.
        self.lines.changed.notify_waiters();
        Ok(outcomes)
    }

    async fn change_visibility(
        &self,
        handles: &[Arc<str>],
        timeout: Duration,
    ) -> Result<Vec<EntryOutcome>, QueueFault> {
        let until = Instant::now() + timeout;
        let outcomes = self.each(handles, |ledger, delivery| {
            if timeout.is_zero() {
                ledger.give_back(delivery)
            } else {
                ledger.hide(delivery, until)
            }
        });
        self.lines.changed.notify_waiters();
        Ok(outcomes)
    }
}

fn fault(error: &impl ToString) -> QueueFault {
    QueueFault { kind: QueueFaultKind::Unavailable, text: error.to_string() }
}

pub(super) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
