//! What waits to be sent, and when it is tried: batches in the order of arrival, pauses that grow
//! while the queue is away, and an end for what was tried for too long. It sends nothing itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;
use crate::queue::{Outgoing, QueueFaultKind, SendOutcome, Sent};
use crate::retry::{Backoff, RetryConfig};

use super::fill::Fill;
use super::waiting::{Entry, Ticket, Waiting};

/// How messages are sent.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Pauses, and for how long a message is tried, from its arrival on.
    pub retry: RetryConfig,
    /// Messages of a call: 1 to [`BATCH_MAX`](crate::queue::BATCH_MAX).
    pub entries_max: usize,
    /// Calls in flight. To a FIFO queue it is one, so that no batch overtakes another.
    pub calls_max: usize,
    /// How long a batch that is not full waits for more.
    pub linger: Duration,
    /// Whether messages of one group keep their order.
    pub fifo: bool,
    /// Whether a queue that is gone, or does not let us send, ends all. A command ends then, for
    /// nobody fixes that while it runs; a program that runs for weeks goes on within the budget.
    pub ends_when_denied: bool,
}

/// Why a message was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsent {
    /// SQS refuses the message itself.
    Refused(String),
    /// It was tried for as long as it may be. The text is of the last try.
    Late(String),
    /// The queue is gone or does not let us send, and that ends all, or was so for as long as it may be.
    Denied(String),
}

/// What became of a message, by what it was pushed with.
pub type Settled<T> = (T, Result<String, Unsent>);

/// A batch that is being sent.
#[derive(Debug)]
pub struct Batch<T> {
    pub messages: Vec<Outgoing>,
    tickets: Vec<Ticket<T>>,
    begun: Instant,
}

/// What to do next.
#[derive(Debug)]
pub enum Next<T> {
    Send(Batch<T>),
    /// Nothing before this moment, unless a message or an answer comes.
    Wait(Instant),
    /// Nothing, until a message or an answer comes.
    Idle,
    /// Nothing any more: nothing waits, is in flight, or will be pushed.
    Over,
}

/// Since when the queue takes nothing, and when it is asked again.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    since: Instant,
    until: Instant,
}

/// What waits. `T` is handed back with what became of a message.
pub struct Outbox<T> {
    delivery: Delivery,
    clock: Arc<dyn Clock>,
    waiting: Waiting<T>,
    in_flight: usize,
    trouble: Option<Trouble>,
    backoff: Backoff,
    is_denied: bool,
}

impl<T> Outbox<T> {
    pub fn new(delivery: Delivery, clock: Arc<dyn Clock>) -> Self {
        let backoff = Backoff::new(&delivery.retry, Arc::clone(&clock));
        Self {
            waiting: Waiting::new(delivery.fifo),
            delivery,
            clock,
            in_flight: 0,
            trouble: None,
            backoff,
            is_denied: false,
        }
    }

    /// Adds a message that is within [`SEND_BYTES_MAX`](crate::queue::SEND_BYTES_MAX).
    pub fn push(&mut self, message: Outgoing, tag: T, now: Instant) {
        self.waiting.push(message, tag, now);
    }

    /// Whether a queue that is gone, or does not let us send, has ended all.
    pub fn is_denied(&self) -> bool {
        self.is_denied
    }

    /// Whether the queue took nothing when it was asked last.
    pub fn is_in_trouble(&self) -> bool {
        self.trouble.is_some()
    }

    /// Gives up all that waits.
    pub fn clear(&mut self) -> Vec<T> {
        self.waiting.take_all().into_iter().map(|(_, ticket)| ticket.tag).collect()
    }

    /// What to do now. Where nothing more will be pushed, no batch waits for more.
    pub fn next(&mut self, now: Instant, is_closed: bool) -> Next<T> {
        // While the queue takes nothing one call at a time asks whether it does again.
        let calls_max = if self.trouble.is_some() { 1 } else { self.delivery.calls_max };
        if is_closed && self.waiting.is_empty() && self.in_flight == 0 {
            return Next::Over;
        }
        if self.in_flight >= calls_max || self.waiting.is_empty() {
            return Next::Idle;
        }
        if let Some(Trouble { until, .. }) = self.trouble.filter(|trouble| trouble.until > now) {
            return Next::Wait(until);
        }
        self.waiting.bring_back(now);
        let earliest = self.waiting.earliest();
        let Picked { numbers, arrived: Some(first), is_full } = self.pick() else {
            return earliest.map_or(Next::Idle, Next::Wait);
        };
        let lingers_until = first + self.delivery.linger;
        if !is_full && !is_closed && lingers_until > now {
            return Next::Wait(earliest.map_or(lingers_until, |at| at.min(lingers_until)));
        }
        let entries = numbers.into_iter().filter_map(|number| self.waiting.take(number));
        let (messages, tickets) = entries.unzip();
        self.in_flight += 1;
        Next::Send(Batch { messages, tickets, begun: now })
    }

    /// The messages that go next.
    fn pick(&self) -> Picked {
        let mut fill = Fill::new(self.delivery.entries_max);
        let mut picked = Picked { numbers: Vec::new(), arrived: None, is_full: false };
        // Nothing overtakes a suspect of its group.
        let mut behind: BTreeSet<&str> = BTreeSet::new();
        for (message, ticket) in self.waiting.ready() {
            let group = message.group.as_deref().filter(|_| self.delivery.fifo);
            if group.is_some_and(|group| behind.contains(group)) {
                continue;
            }
            if ticket.is_suspect && !picked.numbers.is_empty() {
                behind.extend(group);
                continue;
            }
            if !ticket.is_suspect && !fill.takes(message.bytes()) {
                picked.is_full = true;
                break;
            }
            picked.arrived.get_or_insert(ticket.arrived);
            picked.numbers.push(ticket.number);
            if ticket.is_suspect {
                picked.is_full = true;
                break;
            }
        }
        picked.is_full |= fill.is_complete();
        picked
    }

    /// Takes the answer to a batch. What is not settled by it waits again.
    pub fn answered(&mut self, batch: Batch<T>, answer: Sent, now: Instant) -> Vec<Settled<T>> {
        self.in_flight = self.in_flight.saturating_sub(1);
        let Batch { messages, tickets, begun } = batch;
        let entries = messages.into_iter().zip(tickets);
        let outcomes = match answer {
            Ok(outcomes) => outcomes,
            Err(fault) => {
                let denies = matches!(fault.kind, QueueFaultKind::Denied | QueueFaultKind::Missing);
                if fault.kind != QueueFaultKind::Unavailable {
                    self.put_back(entries.collect());
                    return match denies {
                        true if self.delivery.ends_when_denied => self.deny(&fault.text),
                        true => self.pause(begun, now, || Unsent::Denied(fault.text.clone())),
                        false => self.pause(begun, now, || Unsent::Late(fault.text.clone())),
                    };
                }
                let entries: Vec<_> = entries.collect();
                // What has failed alone before says nothing of a queue that takes others.
                let is_known = self.trouble.is_none()
                    && matches!(&entries[..], [(_, ticket)] if ticket.failures > 0);
                let mut settled = self.suspect(entries, now, &fault.text);
                if !is_known {
                    settled.extend(self.pause(begun, now, || Unsent::Late(fault.text.clone())));
                }
                return settled;
            }
        };
        let (mut settled, mut failed) = (Vec::new(), Vec::new());
        let outcomes = outcomes.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
        for ((message, ticket), outcome) in entries.zip(outcomes) {
            match outcome {
                Some(SendOutcome::Sent { message_id }) => {
                    settled.push((ticket.tag, Ok(message_id)));
                }
                Some(SendOutcome::Refused(text)) => {
                    settled.push((ticket.tag, Err(Unsent::Refused(text))));
                }
                Some(SendOutcome::Failed(text)) => failed.push((message, ticket, text)),
                None => failed.push((message, ticket, "the queue says nothing of it".to_owned())),
            }
        }
        // Each for itself, but all of them, and not those alone that fail whatever happens: the
        // queue is in trouble, and not a message.
        let is_trouble =
            settled.is_empty() && failed.iter().any(|(_, ticket, _)| ticket.failures == 0);
        let text = failed.first().map(|(_, _, text)| text.clone()).filter(|_| is_trouble);
        if !settled.is_empty() {
            self.trouble = None;
            self.backoff.reset();
        }
        settled.extend(self.again(failed, now));
        settled.extend(
            text.into_iter().flat_map(|text| self.pause(begun, now, || Unsent::Late(text.clone()))),
        );
        settled
    }

    /// Lets messages that failed among others wait for a pause of their own.
    fn again(
        &mut self,
        failed: Vec<(Outgoing, Ticket<T>, String)>,
        now: Instant,
    ) -> Vec<Settled<T>> {
        let failures = failed.iter().map(|(_, ticket, _)| ticket.failures).max().unwrap_or(0);
        let mut backoff = Backoff::new(&self.delivery.retry, Arc::clone(&self.clock));
        let pause = (0..=failures).fold(Duration::ZERO, |_, _| backoff.next_interval());
        let (mut late, mut kept) = (Vec::new(), Vec::new());
        for (message, ticket, text) in failed {
            if ticket.arrived + self.delivery.retry.budget < now + pause {
                late.push((ticket.tag, Err(Unsent::Late(text))));
            } else {
                let not_before = Some(now + pause);
                let failures = ticket.failures.saturating_add(1).min(FAILURES_MAX);
                kept.push((message, Ticket { not_before, failures, ..ticket }));
            }
        }
        self.put_back(kept);
        late
    }

    /// A call failed as a whole: the queue is away, or one of its messages is one that it cannot take.
    /// Each is tried alone from now on, and what fails alone lets others go first.
    fn suspect(&mut self, mut entries: Vec<Entry<T>>, now: Instant, text: &str) -> Vec<Settled<T>> {
        let was_alone = entries.len() == 1;
        for (_, ticket) in &mut entries {
            ticket.is_suspect = true;
        }
        if was_alone {
            let failed =
                entries.into_iter().map(|(message, ticket)| (message, ticket, text.to_owned()));
            return self.again(failed.collect(), now);
        }
        self.put_back(entries);
        Vec::new()
    }

    fn put_back(&mut self, entries: Vec<Entry<T>>) {
        for entry in entries {
            self.waiting.put_back(entry);
        }
    }

    /// The queue takes nothing: all wait. Those for which the next try would be too late are given up.
    fn pause(&mut self, begun: Instant, now: Instant, why: impl Fn() -> Unsent) -> Vec<Settled<T>> {
        // Calls that were in flight when the first one failed say nothing new.
        let until = match self.trouble.filter(|trouble| begun < trouble.since) {
            Some(trouble) => trouble.until,
            None => now + self.backoff.next_interval(),
        };
        self.trouble = Some(Trouble { since: now, until });
        let budget = self.delivery.retry.budget;
        self.give_up(|ticket| ticket.arrived + budget < until, why)
    }

    fn deny(&mut self, text: &str) -> Vec<Settled<T>> {
        self.is_denied = true;
        self.give_up(|_| true, || Unsent::Denied(text.to_owned()))
    }

    fn give_up(
        &mut self,
        is_over: impl Fn(&Ticket<T>) -> bool,
        why: impl Fn() -> Unsent,
    ) -> Vec<Settled<T>> {
        let over = self.waiting.take_where(is_over);
        over.into_iter().map(|(_, ticket)| (ticket.tag, Err(why()))).collect()
    }
}

/// From so many on a pause grows no more: `retry.max` is reached long before.
const FAILURES_MAX: u32 = 64;

/// What [`Outbox::pick`] found.
struct Picked {
    numbers: Vec<u64>,
    /// When the first of them arrived.
    arrived: Option<Instant>,
    /// There is no room for more, or for what comes next.
    is_full: bool,
}
