//! A queue that is emptied: what it brings gets another home, and is deleted once it has it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use indicatif::HumanCount;

use crate::cli::output::harmless;
use crate::cli::send::pace::Pace;
use crate::message::QueueMessage;
use crate::queue::{BATCH_MAX, EntryOutcome, Queue};
use crate::stop::Stop;

/// The longest wait for a message: the queue is empty where none comes.
pub(super) const WAIT: Duration = Duration::from_secs(2);

/// Receives, one after the other, that bring only what was seen before: what stays comes back after its visibility
/// timeout, and other messages may come between.
const NOTHING_NEW_MAX: u32 = 10;

pub(super) struct Emptying<'a, Q> {
    pub queue: &'a Q,
    pub messages_max: usize,
    pub pace: Pace,
    /// Of one receive, at most [`BATCH_MAX`].
    pub entries_max: usize,
    pub stop: &'a Stop,
}

/// What became of the messages, by their ids.
#[derive(Default)]
pub(super) struct Emptied {
    seen: BTreeMap<String, Seen>,
    deleted: BTreeSet<String>,
    why_not_deleted: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Moved,
    Stays,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub moved: usize,
    pub stay: usize,
    /// Of those that were moved: still in the queue. The next time they are moved once more, and are the same.
    pub not_deleted: usize,
}

impl Emptied {
    /// It has its new home.
    pub fn moved(&mut self, message: &QueueMessage) {
        self.seen.insert(message.message_id.clone(), Seen::Moved);
    }

    /// It comes back in the queue after its visibility timeout.
    pub fn stays(&mut self, message: &QueueMessage) {
        self.seen.insert(message.message_id.clone(), Seen::Stays);
    }

    /// What is told behind the sum.
    pub fn rest(&self) -> String {
        let Counts { stay, not_deleted, .. } = self.counts();
        let mut rest = String::new();
        if not_deleted > 0 {
            rest = format!(
                "; {} of them are not deleted from the queue yet",
                HumanCount(not_deleted as u64)
            );
            if let Some(why) = &self.why_not_deleted {
                rest.extend([" (", &harmless(why), ")"]);
            }
        }
        if stay > 0 {
            // A FIFO queue gives no more of their groups, and any queue may bring them first.
            rest += "; there may be more behind those that stay; these are visible again after their visibility timeout";
        }
        rest
    }

    pub fn counts(&self) -> Counts {
        let of = |wanted: Seen| self.seen.values().filter(|seen| **seen == wanted).count();
        let moved = of(Seen::Moved);
        Counts { moved, stay: of(Seen::Stays), not_deleted: moved - self.deleted.len() }
    }
}

impl<Q: Queue> Emptying<'_, Q> {
    /// Gives each message once to `move_on`, which says of each what became of it, until the queue is empty. What it
    /// says nothing of comes back after its visibility timeout.
    ///
    /// # Errors
    /// Beside what was done until then: where the queue fails, or `move_on`.
    pub async fn run(
        mut self,
        mut move_on: impl AsyncFnMut(&[QueueMessage], &mut Emptied) -> Result<()>,
    ) -> (Emptied, Result<()>) {
        let mut emptied = Emptied::default();
        let mut nothing_new = 0;
        let ended = loop {
            let left = self.messages_max.saturating_sub(emptied.seen.len());
            let max = self.entries_max.min(BATCH_MAX).min(left);
            if max == 0 || nothing_new == NOTHING_NEW_MAX || self.stop.is_draining() {
                break Ok(());
            }
            self.pace.wait_for(max).await;
            let messages = match self.queue.receive(max, WAIT, None).await {
                Ok(messages) if messages.is_empty() => break Ok(()),
                Ok(messages) => messages,
                Err(fault) => break Err(fault.into()),
            };
            let known = emptied.seen.len();
            if let Err(error) = self.some(messages, &mut emptied, &mut move_on).await {
                break Err(error);
            }
            nothing_new = if emptied.seen.len() > known { 0 } else { nothing_new + 1 };
        };
        (emptied, ended)
    }

    /// Moves what is new, and deletes what has its new home, also what had it before and came again.
    async fn some(
        &self,
        messages: Vec<QueueMessage>,
        emptied: &mut Emptied,
        move_on: &mut impl AsyncFnMut(&[QueueMessage], &mut Emptied) -> Result<()>,
    ) -> Result<()> {
        let (mut all, new): (Vec<_>, Vec<_>) = messages
            .into_iter()
            .partition(|message| emptied.seen.contains_key(&message.message_id));
        let ended = if new.is_empty() { Ok(()) } else { move_on(&new, emptied).await };
        all.extend(new);
        all.retain(|message| emptied.seen.get(&message.message_id) == Some(&Seen::Moved));
        if !all.is_empty() {
            let handles: Vec<_> =
                all.iter().map(|message| Arc::clone(&message.receipt_handle)).collect();
            let outcomes = match self.queue.delete(&handles).await {
                Ok(outcomes) => outcomes,
                // Why no home was found is told before.
                Err(fault) => return ended.and(Err(fault.into())),
            };
            for (message, outcome) in all.into_iter().zip(outcomes) {
                match outcome {
                    EntryOutcome::Done => {
                        emptied.deleted.insert(message.message_id);
                    }
                    // It may still be there.
                    EntryOutcome::Stale => {}
                    EntryOutcome::Failed(text) => emptied.why_not_deleted = Some(text),
                }
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use anyhow::bail;

    use super::*;
    use crate::queue::{Brought, QueueFault, Room};

    /// Brings what is written, message by message as id and handle, and knows which handles are good.
    #[derive(Default)]
    struct Written {
        receives: Mutex<VecDeque<Vec<(&'static str, &'static str)>>>,
        good: Vec<&'static str>,
        deleted: Mutex<Vec<String>>,
    }

    impl Written {
        fn new(receives: &[&[(&'static str, &'static str)]], good: &[&'static str]) -> Self {
            let receives = receives.iter().map(|receive| receive.to_vec()).collect();
            Self { receives: Mutex::new(receives), good: good.to_vec(), ..Self::default() }
        }

        fn left(&self) -> usize {
            self.receives.lock().expect("no panic").len()
        }
    }

    impl Queue for Written {
        async fn receive_into(
            &self,
            _: usize,
            _: Duration,
            _: Option<&str>,
            _: &mut impl Room,
        ) -> Result<Brought, QueueFault> {
            let receive = self.receives.lock().expect("no panic").pop_front().unwrap_or_default();
            let message = |(id, handle): (&str, &str)| QueueMessage {
                message_id: id.to_owned(),
                receipt_handle: handle.into(),
                ..QueueMessage::default()
            };
            Ok(Brought { messages: receive.into_iter().map(message).collect(), are_unread: false })
        }

        fn tells_size(&self) -> bool {
            false
        }

        async fn delete(&self, handles: &[Arc<str>]) -> Result<Vec<EntryOutcome>, QueueFault> {
            let one = |handle: &Arc<str>| {
                if !self.good.contains(&&**handle) {
                    return EntryOutcome::Stale;
                }
                self.deleted.lock().expect("no panic").push(handle.to_string());
                EntryOutcome::Done
            };
            Ok(handles.iter().map(one).collect())
        }

        async fn change_visibility(
            &self,
            _: &[Arc<str>],
            _: Duration,
        ) -> Result<Vec<EntryOutcome>, QueueFault> {
            unreachable!("nothing is given back")
        }
    }

    /// Moves all but `stays`, and fails at `bad`. Tells what it was asked to move.
    async fn empty(queue: &Written) -> (Vec<String>, Counts, Result<()>) {
        let stop = Stop::default();
        let emptying = Emptying {
            queue,
            messages_max: 100,
            pace: Pace::new(None),
            entries_max: BATCH_MAX,
            stop: &stop,
        };
        let mut asked = Vec::new();
        let (emptied, ended) = emptying
            .run(async |messages: &[QueueMessage], emptied: &mut Emptied| {
                for message in messages {
                    asked.push(message.message_id.clone());
                    match message.message_id.as_str() {
                        "stays" => emptied.stays(message),
                        "bad" => bail!("no home"),
                        _ => emptied.moved(message),
                    }
                }
                Ok(())
            })
            .await;
        (asked, emptied.counts(), ended)
    }

    #[tokio::test]
    async fn what_stays_and_comes_again_hides_nothing_that_is_behind_it() {
        let again: &[_] = &[("stays", "s")];
        let queue = Written::new(&[again, again, again, &[("a", "1")], again], &["1"]);
        let (asked, counts, ended) = empty(&queue).await;
        assert_eq!(asked, ["stays", "a"]);
        assert_eq!(counts, Counts { moved: 1, stay: 1, not_deleted: 0 });
        assert!(ended.is_ok() && queue.left() == 0);
    }

    #[tokio::test]
    async fn a_queue_that_brings_the_same_for_ever_ends_it() {
        let again: &[_] = &[("stays", "s")];
        let queue = Written::new(&[again; 50], &[]);
        let (_, counts, ended) = empty(&queue).await;
        assert_eq!(counts, Counts { moved: 0, stay: 1, not_deleted: 0 });
        assert!(ended.is_ok());
        assert_eq!(queue.left(), 50 - 1 - 10);
    }

    #[tokio::test]
    async fn what_a_stale_handle_did_not_delete_is_not_gone_and_is_deleted_when_it_comes_again() {
        let stale: &[_] = &[("a", "old"), ("b", "1")];
        let (asked, counts, _) = empty(&Written::new(&[stale], &["1"])).await;
        assert_eq!((asked.len(), counts), (2, Counts { moved: 2, stay: 0, not_deleted: 1 }));

        let queue = Written::new(&[stale, &[("a", "new")]], &["1", "new"]);
        let (asked, counts, _) = empty(&queue).await;
        assert_eq!((asked.len(), counts), (2, Counts { moved: 2, stay: 0, not_deleted: 0 }));
        assert_eq!(*queue.deleted.lock().expect("no panic"), ["1", "new"]);
    }

    #[tokio::test]
    async fn where_no_home_is_found_any_more_what_has_one_is_deleted() {
        let queue = Written::new(
            &[&[("a", "1"), ("bad", "2"), ("c", "3")], &[("d", "4")]],
            &["1", "2", "3", "4"],
        );
        let (asked, counts, ended) = empty(&queue).await;
        assert_eq!(asked, ["a", "bad"]);
        assert_eq!(counts, Counts { moved: 1, stay: 0, not_deleted: 0 });
        assert_eq!(ended.expect_err("told").to_string(), "no home");
        assert_eq!(*queue.deleted.lock().expect("no panic"), ["1"]);
    }
}
