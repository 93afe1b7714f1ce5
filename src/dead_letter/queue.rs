//! Dead letters in a queue: each is sent there as its record, as Extended JSON. What the queue does not
//! take, for it is too large or the queue is away for longer than `retry.budget`, goes to the collection: no
//! message waits for the second of two homes.
//!
//! Sent is durable: SQS answers when it has the message on several servers. What is sent and not
//! answered is sent again, so a record can come twice; its `_id` tells.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bson::Document;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tracing::Instrument;

use crate::extended_json::canonical;
use crate::flow::Flow;
use crate::gate::Gate;
use crate::held::Stage;
use crate::message::{Ending, Receipt};
use crate::queue::{BATCH_MAX, Outgoing, SEND_BYTES_MAX, SendOutcome, Sends};
use crate::settle::Settle;
use crate::telemetry::signals::LettersNotSent;
use crate::telemetry::spans;

use super::home::Home;
use super::record::Record;

/// Sends in progress. A call takes ten at most, so that a flood needs several.
const CALLS_MAX: usize = 4;

/// The queue that dead letters are sent to.
#[derive(Clone)]
pub struct LetterQueue {
    pub queue: Arc<dyn Sends>,
    /// For people, and where spans name it.
    pub name: Arc<str>,
    pub fifo: bool,
    /// The largest message that it takes.
    pub message_bytes_max: usize,
    /// Whether it answered when it was asked first.
    pub has_answered: bool,
}

/// A queue as the home of dead letters.
pub struct QueueHome {
    letters: mpsc::UnboundedSender<Letter>,
    bytes_max: usize,
    /// For what the queue does not take.
    collection: Arc<dyn Home>,
}

/// The other end of a [`QueueHome`].
pub struct Letters {
    receiver: mpsc::UnboundedReceiver<Letter>,
}

struct Letter {
    receipt: Receipt,
    record: Record,
}

/// A letter with its message to the queue, which is made for those alone that are about to be sent: it may be several
/// times as large as what it tells of.
struct Ready {
    letter: Letter,
    outgoing: Outgoing,
}

/// What letters are sent with.
pub struct SendContext {
    pub to: LetterQueue,
    /// For what the queue does not take.
    pub collection: Arc<dyn Home>,
    /// The retry budget was spent on calls of which none was sent, and nothing was sent since: each call is tried once.
    pub is_away: AtomicBool,
    pub gate: Gate,
    pub settle: Settle,
    pub flow: Flow,
}

impl QueueHome {
    #[must_use]
    pub fn new(to: &LetterQueue, collection: Arc<dyn Home>) -> (Self, Letters) {
        let (letters, receiver) = mpsc::unbounded_channel();
        let bytes_max = to.bytes_max();
        (Self { letters, bytes_max, collection }, Letters { receiver })
    }
}

impl Home for QueueHome {
    fn keep(&self, mut receipt: Receipt, record: Record) {
        // A record is larger than its message.
        if receipt.message.bytes() > self.bytes_max {
            return self.collection.keep(receipt, record);
        }
        receipt.enter(Stage::DeadLetter);
        // It ends after all of its senders, so this fails only in a teardown, where dropping is what
        // happens.
        let _ = self.letters.send(Letter { receipt, record });
    }
}

impl LetterQueue {
    /// The largest message that can be sent there.
    fn bytes_max(&self) -> usize {
        self.message_bytes_max.min(SEND_BYTES_MAX)
    }
}

/// The record as a message. `None` where it could not be read again, which is a bug: then the
/// collection keeps it.
fn outgoing(record: &Record, receipt: &Receipt, fifo: bool) -> Option<Outgoing> {
    let message = &receipt.message;
    let insert = record.insert(message);
    let document: Document = bson::deserialize_from_slice(&insert.document).ok()?;
    let id = document.get_str("_id").ok()?;
    Some(Outgoing {
        body: canonical(&document),
        attributes: Vec::new(),
        // None waits for another.
        group: fifo.then(|| id.to_owned()),
        // A message that was put back and is refused again is told of, too.
        deduplication: fifo.then(|| format!("{id}-{}", message.message_id)),
    })
}

/// Sends whatever comes until every way in is gone and all was settled.
pub async fn run(context: SendContext, Letters { mut receiver }: Letters) {
    let mut waiting = VecDeque::new();
    // One that is ready, and did not fit into the last call.
    let mut next: Option<Ready> = None;
    let mut calls = FuturesUnordered::new();
    let mut open = true;
    loop {
        while let Ok(letter) = receiver.try_recv() {
            waiting.push_back(letter);
        }
        if context.flow.stop.is_letting_go() && context.gate.is_quiet() {
            release(&context, waiting.drain(..).chain(next.take().map(|ready| ready.letter)));
        }
        // While the queue is away one call finds out whether it is back.
        let is_away = context.is_away.load(Ordering::Relaxed);
        let calls_max = if is_away { 1 } else { CALLS_MAX };
        while calls.len() < calls_max
            && let Some(batch) = batch(&context, &mut waiting, &mut next)
        {
            calls.push(send(&context, batch));
        }
        if is_away && (!waiting.is_empty() || next.is_some()) {
            let rest = waiting.drain(..).chain(next.take().map(|ready| ready.letter));
            let rest: Vec<_> = rest.collect();
            let (to, messages, cause) = (&*context.to.name, rest.len(), "it is away");
            context.flow.signals.emit(&LettersNotSent { to, messages, cause, is_over: true });
            for letter in rest {
                context.keep(letter);
            }
        }
        if !open && calls.is_empty() && waiting.is_empty() && next.is_none() {
            return;
        }
        tokio::select! {
            biased;
            Some(()) = calls.next(), if !calls.is_empty() => {}
            letter = receiver.recv(), if open => match letter {
                Some(letter) => waiting.push_back(letter),
                None => open = false,
            },
            () = letting_go(&context), if !waiting.is_empty() || next.is_some() => {}
        }
    }
}

/// As many as one call takes; `None` where none waits. What the queue would not take goes to the
/// collection.
fn batch(
    context: &SendContext,
    waiting: &mut VecDeque<Letter>,
    next: &mut Option<Ready>,
) -> Option<Vec<Ready>> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < BATCH_MAX {
        let Some(ready) = next.take().or_else(|| ready(context, waiting)) else { break };
        bytes += ready.outgoing.bytes();
        if !batch.is_empty() && bytes > SEND_BYTES_MAX {
            *next = Some(ready);
            break;
        }
        batch.push(ready);
    }
    (!batch.is_empty()).then_some(batch)
}

/// The next one that the queue may take.
fn ready(context: &SendContext, waiting: &mut VecDeque<Letter>) -> Option<Ready> {
    while let Some(letter) = waiting.pop_front() {
        match outgoing(&letter.record, &letter.receipt, context.to.fifo) {
            Some(outgoing) if outgoing.bytes() <= context.to.bytes_max() => {
                return Some(Ready { letter, outgoing });
            }
            _ => context.keep(letter),
        }
    }
    None
}

/// Sends them, those that fail again, and settles each that is sent.
async fn send(context: &SendContext, mut letters: Vec<Ready>) {
    let spans = context.flow.signals.spans();
    let letter = letters.iter().map(|ready| &ready.letter);
    let messages = letter.map(|letter| (&letter.receipt.message, Some(letter.record.reason)));
    let span = spans.process(&context.to.name, messages);
    let recorded = spans::recorded(&span);
    for ready in &mut letters {
        ready.letter.receipt.processed.clone_from(&recorded);
    }
    sent(context, letters).instrument(span).await;
}

/// A call that fails as a whole can be the fault of one letter in it, so it is tried again in halves.
async fn sent(context: &SendContext, letters: Vec<Ready>) {
    let (mut backoff, begun) = (context.flow.backoff(), Instant::now());
    let (budget, stop) = (context.flow.retry.budget, &context.flow.stop);
    let mut lots = vec![letters];
    let mut any_sent = false;
    loop {
        let (mut failed, mut cause) = (Vec::new(), None);
        let mut todo = std::mem::take(&mut lots).into_iter();
        while let Some(lot) = todo.next() {
            if begun.elapsed() > budget {
                failed.push(lot);
                continue;
            }
            let outgoing: Vec<_> = lot.iter().map(|ready| ready.outgoing.clone()).collect();
            let answer = tokio::select! {
                biased;
                answer = context.to.queue.send(&outgoing) => answer,
                () = letting_go(context) => {
                    let rest = failed.into_iter().chain([lot]).chain(todo);
                    return release(context, rest.flatten().map(|ready| ready.letter));
                }
            };
            match answer {
                Ok(outcomes) => {
                    any_sent |= outcomes.iter().any(|one| matches!(one, SendOutcome::Sent { .. }));
                    failed.extend(answered(context, lot, outcomes, &mut cause));
                }
                Err(fault) => {
                    cause.get_or_insert(fault.text);
                    failed.extend(halves(lot));
                }
            }
        }
        if failed.is_empty() {
            return;
        }
        let (to, messages) = (&context.to.name, failed.iter().map(Vec::len).sum());
        let cause = cause.as_deref().unwrap_or("no answer in time");
        let pause = backoff.next_interval();
        let is_over = context.is_away.load(Ordering::Relaxed)
            || stop.is_draining()
            || begun.elapsed() + pause > budget;
        context.flow.signals.emit(&LettersNotSent { to, messages, cause, is_over });
        if is_over {
            // Where others were sent meanwhile, it is the letter that spoils its calls.
            if !any_sent {
                context.is_away.store(true, Ordering::Relaxed);
            }
            failed.into_iter().flatten().for_each(|ready| context.keep(ready.letter));
            return;
        }
        tokio::select! {
            biased;
            () = sleep(pause) => {}
            () = letting_go(context) => return release(context, failed.into_iter().flatten().map(|ready| ready.letter)),
        }
        lots = failed;
    }
}

fn halves(mut lot: Vec<Ready>) -> impl Iterator<Item = Vec<Ready>> {
    let second = lot.split_off(lot.len().div_ceil(2));
    [lot, second].into_iter().filter(|half| !half.is_empty())
}

/// Ends what was sent or refused. Returns what failed, and says why.
fn answered(
    context: &SendContext,
    lot: Vec<Ready>,
    outcomes: Vec<SendOutcome>,
    cause: &mut Option<String>,
) -> Option<Vec<Ready>> {
    let mut failed = Vec::new();
    let mut outcomes = outcomes.into_iter();
    for ready in lot {
        match outcomes.next() {
            Some(SendOutcome::Sent { .. }) => {
                context.is_away.store(false, Ordering::Relaxed);
                let Letter { receipt, record } = ready.letter;
                context.settle.delete(receipt, Ending::DeadLettered(record.reason));
            }
            // It would refuse it again.
            Some(SendOutcome::Refused(text)) => {
                let (to, messages) = (&context.to.name, 1);
                let cause = text.as_str();
                context.flow.signals.emit(&LettersNotSent { to, messages, cause, is_over: true });
                context.keep(ready.letter);
            }
            Some(SendOutcome::Failed(text)) => {
                cause.get_or_insert(text);
                failed.push(ready);
            }
            None => failed.push(ready),
        }
    }
    (!failed.is_empty()).then_some(failed)
}

impl SendContext {
    /// It goes to the other home.
    fn keep(&self, letter: Letter) {
        self.collection.keep(letter.receipt, letter.record);
    }
}

/// They go back to the queue that they came from, at once.
fn release(context: &SendContext, letters: impl IntoIterator<Item = Letter>) {
    for letter in letters {
        context.settle.release(letter.receipt);
    }
}

/// Waits until what is not sent must be given back: the worker lets go, and no receive is in progress
/// that would bring it straight back.
async fn letting_go(context: &SendContext) {
    context.flow.stop.letting_go().await;
    context.gate.quiet().await;
}
