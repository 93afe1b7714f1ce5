//! A queue in memory: it hides, delivers again and makes old handles stale.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::message::{Fifo, QueueMessage};
use crate::queue::{Brought, EntryOutcome, Queue, QueueFault, QueueFaultKind, Room};

/// 2026-11-22T10:00:00Z, when every test begins.
pub const EPOCH_MS: i64 = 1_795_341_600_000;

pub struct FakeQueue {
    state: Mutex<QueueState>,
    sent: Notify,
    visibility_timeout: Duration,
}

#[derive(Default)]
struct QueueState {
    messages: Vec<Slot>,
    next_handle: u64,
    receives: usize,
    deleted: Vec<String>,
    delete_faults: VecDeque<EntryOutcome>,
    refuses_deletes: bool,
    refuses_hiding: bool,
    /// By message, how often it is still refused.
    refuses_release: BTreeMap<String, usize>,
    /// A message, and how long the next call takes that gives it back.
    release_hangs: Option<(String, Duration)>,
    hides_late: Duration,
    hiding_calls: usize,
    /// How many times as large as its messages it tells an answer to be; 0 where it tells no size.
    told_times: usize,
}

struct Slot {
    message: QueueMessage,
    visible_at: Instant,
}

impl QueueState {
    /// How long a call takes that gives these back.
    fn hangs_for(&mut self, handles: &[Arc<str>]) -> Duration {
        let Self { messages, release_hangs, .. } = self;
        let is_in_call = |(id, _): &mut (String, Duration)| {
            messages.iter().any(|Slot { message, .. }| {
                message.message_id == *id && handles.contains(&message.receipt_handle)
            })
        };
        release_hangs.take_if(is_in_call).map_or(Duration::ZERO, |(_, lasts)| lasts)
    }
}

impl FakeQueue {
    #[must_use]
    pub fn new(visibility_timeout: Duration) -> Self {
        Self { state: Mutex::default(), sent: Notify::new(), visibility_timeout }
    }

    pub fn send(&self, id: &str, body: &str) {
        self.send_message(message(id, body));
    }

    pub fn send_message(&self, message: QueueMessage) {
        self.lock().messages.push(Slot { message, visible_at: Instant::now() });
        self.sent.notify_waiters();
    }

    /// The next delete entries end so instead of being done.
    pub fn fail_deletes(&self, outcomes: impl IntoIterator<Item = EntryOutcome>) {
        self.lock().delete_faults.extend(outcomes);
    }

    /// Whether every delete fails as a whole from now on.
    pub fn refuse_deletes(&self, refuses: bool) {
        self.lock().refuses_deletes = refuses;
    }

    /// Whether every change of visibility fails as a whole from now on.
    pub fn refuse_hiding(&self, refuses: bool) {
        self.lock().refuses_hiding = refuses;
    }

    /// This message alone is refused so often when it is given back.
    pub fn refuse_release(&self, id: &str, times: usize) {
        self.lock().refuses_release.insert(id.to_owned(), times);
    }

    /// The next call that gives this message back takes so long.
    pub fn hang_release(&self, id: &str, lasts: Duration) {
        self.lock().release_hangs = Some((id.to_owned(), lasts));
    }

    /// How long after its sending an extension is applied. Then it hides messages by their latest
    /// handle, also if they are visible again.
    pub fn hide_late(&self, late: Duration) {
        self.lock().hides_late = late;
    }

    /// From now on receives make room for their answers once they know the size, which takes them 20
    /// ms from the moment when the messages are hidden.
    pub fn tell_size(&self) {
        self.tell_size_times(1);
    }

    /// As the answer goes over the network it is larger than its messages.
    pub fn tell_size_times(&self, times: usize) {
        self.lock().told_times = times;
    }

    /// Changes of visibility that were asked for.
    #[must_use]
    pub fn hiding_calls(&self) -> usize {
        self.lock().hiding_calls
    }

    #[must_use]
    pub fn receives(&self) -> usize {
        self.lock().receives
    }

    /// Message ids in the order of their deletion.
    #[must_use]
    pub fn deleted(&self) -> Vec<String> {
        self.lock().deleted.clone()
    }

    /// Id and receive count of what is still there.
    #[must_use]
    pub fn remaining(&self) -> Vec<(String, u32)> {
        self.lock()
            .messages
            .iter()
            .map(|slot| (slot.message.message_id.clone(), slot.message.receive_count))
            .collect()
    }

    /// How many could be received now.
    #[must_use]
    pub fn visible(&self) -> usize {
        let now = Instant::now();
        self.lock().messages.iter().filter(|slot| slot.visible_at <= now).count()
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, max: usize) -> Vec<QueueMessage> {
        let (now, mut taken) = (Instant::now(), Vec::new());
        let mut state = self.lock();
        let state = &mut *state;
        let busy: Vec<_> = state
            .messages
            .iter()
            .filter(|slot| slot.visible_at > now)
            .filter_map(|slot| Some(slot.message.fifo.as_ref()?.group.clone()))
            .collect();
        for slot in &mut state.messages {
            let is_blocked =
                slot.message.fifo.as_ref().is_some_and(|fifo| busy.contains(&fifo.group));
            if taken.len() < max && slot.visible_at <= now && !is_blocked {
                state.next_handle += 1;
                slot.message.receipt_handle = state.next_handle.to_string().into();
                slot.message.receive_count += 1;
                slot.visible_at = now + self.visibility_timeout;
                taken.push(slot.message.clone());
            }
        }
        taken
    }
}

/// A message as the queue would deliver it.
#[must_use]
pub fn message(id: &str, body: &str) -> QueueMessage {
    QueueMessage {
        line: None,
        message_id: id.to_owned(),
        receipt_handle: "".into(),
        body: body.to_owned(),
        attributes: Vec::new(),
        sent_ms: EPOCH_MS,
        receive_count: 0,
        fifo: None,
        sender: None,
        trace_header: None,
    }
}

/// The same in a FIFO group.
#[must_use]
pub fn fifo_message(id: &str, group: &str, sequence: u128, body: &str) -> QueueMessage {
    QueueMessage { fifo: Some(Fifo { group: group.to_owned(), sequence }), ..message(id, body) }
}

fn denied() -> QueueFault {
    QueueFault { kind: QueueFaultKind::Denied, text: "not allowed to do this".to_owned() }
}

impl FakeQueue {
    /// Waits for the first as a long poll does.
    async fn polled(&self, max: usize, wait: Duration) -> Vec<QueueMessage> {
        self.lock().receives += 1;
        let until = Instant::now() + wait;
        loop {
            let sent = self.sent.notified();
            let taken = self.take(max);
            if !taken.is_empty() || Instant::now() >= until {
                return taken;
            }
            // What is hidden comes back without anyone sending it.
            let next = self
                .lock()
                .messages
                .iter()
                .map(|slot| slot.visible_at)
                .filter(|at| *at > Instant::now())
                .min();
            let _ = timeout_at(next.unwrap_or(until).min(until), sent).await;
        }
    }
}

impl Queue for FakeQueue {
    fn tells_size(&self) -> bool {
        self.lock().told_times > 0
    }

    async fn receive_into(
        &self,
        max: usize,
        wait: Duration,
        _: Option<&str>,
        room: &mut impl Room,
    ) -> Result<Brought, QueueFault> {
        let mut messages = self.polled(max, wait).await;
        if !self.tells_size() {
            return Ok(Brought { messages, are_unread: false });
        }
        let bytes =
            messages.iter().map(QueueMessage::bytes).sum::<usize>() * self.lock().told_times;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let are_unread = !messages.is_empty() && !room.make(bytes).await;
        if are_unread {
            for message in &mut messages {
                let QueueMessage { message_id, receipt_handle, fifo, .. } = std::mem::take(message);
                *message =
                    QueueMessage { message_id, receipt_handle, fifo, ..QueueMessage::default() };
            }
        }
        Ok(Brought { messages, are_unread })
    }

    async fn delete(&self, handles: &[Arc<str>]) -> Result<Vec<EntryOutcome>, QueueFault> {
        if handles.len() > 10 {
            return Err(QueueFault {
                kind: QueueFaultKind::Unavailable,
                text: "too many entries in the batch".to_owned(),
            });
        }
        let mut state = self.lock();
        let state = &mut *state;
        if state.refuses_deletes {
            return Err(denied());
        }
        Ok(handles
            .iter()
            .map(|handle| {
                if let Some(fault) = state.delete_faults.pop_front() {
                    return fault;
                }
                let Some(index) =
                    state.messages.iter().position(|slot| slot.message.receipt_handle == *handle)
                else {
                    return EntryOutcome::Stale;
                };
                state.deleted.push(state.messages.remove(index).message.message_id);
                EntryOutcome::Done
            })
            .collect())
    }

    async fn change_visibility(
        &self,
        handles: &[Arc<str>],
        timeout: Duration,
    ) -> Result<Vec<EntryOutcome>, QueueFault> {
        let late = {
            let mut state = self.lock();
            state.hiding_calls += 1;
            if state.refuses_hiding {
                return Err(denied());
            }
            if timeout == self.visibility_timeout {
                state.hides_late
            } else {
                state.hangs_for(handles)
            }
        };
        if !late.is_zero() {
            tokio::time::sleep(late).await;
        }
        let now = Instant::now();
        let mut state = self.lock();
        let is_release = timeout != self.visibility_timeout;
        let outcomes = handles
            .iter()
            .map(|handle| {
                let QueueState { messages, refuses_release, .. } = &mut *state;
                match messages.iter_mut().find(|slot| {
                    slot.message.receipt_handle == *handle
                        && (slot.visible_at > now || !late.is_zero())
                }) {
                    Some(slot) => {
                        let times = refuses_release.get_mut(&slot.message.message_id);
                        if let Some(times) = times.filter(|times| is_release && **times > 0) {
                            *times -= 1;
                            return EntryOutcome::Failed("throttled".to_owned());
                        }
                        slot.visible_at = now + timeout;
                        EntryOutcome::Done
                    }
                    None => EntryOutcome::Stale,
                }
            })
            .collect();
        drop(state);
        self.sent.notify_waiters();
        Ok(outcomes)
    }
}
