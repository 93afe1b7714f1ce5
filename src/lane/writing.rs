//! One batch from the first try until every part of it is settled.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use tokio::time::{Instant, sleep};

use crate::gate::{GateState, Probe};
use crate::message::{Part, Rejection};
use crate::queue::HOLD_MAX;
use crate::retry::Backoff;
use crate::store::{ItemOutcome, Store, StoreFault, StoreFaultKind, WriteOutcome};
use crate::telemetry::signals::{BatchWritten, WriteFailed};

use super::LaneContext;
use super::item::Item;

/// Connections that a batch may lose before it is halved: an error reply over 16 MB closes the connection.
const LOST_MAX: u32 = 2;

/// Items that are tried in one command.
struct Group {
    items: Vec<Item>,
    /// Connections that broke under it.
    lost: u32,
    /// For an item that the store doubted: how many writes had been confirmed at that moment.
    doubted_at: Option<u64>,
}

impl Group {
    fn new(items: Vec<Item>) -> Self {
        Self { items, lost: 0, doubted_at: None }
    }
}

/// Writes `items` and settles every part of them.
pub(super) async fn write<S: Store>(context: &LaneContext<S>, items: Vec<Item>) {
    let mut writing = Writing {
        context,
        backoff: Backoff::new(&context.retry, context.clock.clone()),
        todo: VecDeque::from([Group::new(items)]),
        failing_since: None,
        probe: None,
    };
    while let Some(group) = writing.todo.pop_front() {
        writing.attempt(group).await;
    }
}

struct Writing<'a, S> {
    context: &'a LaneContext<S>,
    backoff: Backoff,
    todo: VecDeque<Group>,
    /// Since when nothing was confirmed.
    failing_since: Option<Instant>,
    /// Held from the moment this batch closed the gate.
    probe: Option<Probe>,
}

impl<S: Store> Writing<'_, S> {
    async fn attempt(&mut self, group: Group) {
        let context = self.context;
        let started = Instant::now();
        let writes: Vec<_> = group.items.iter().map(Item::write).collect();
        let outcome = tokio::select! {
            biased;
            outcome = context.store.write(&context.collection, &writes) => outcome,
            () = context.stop.letting_go() => return self.release_all(group),
        };
        match outcome {
            WriteOutcome::Answered { items, stale } => self.answered(group, items, stale, started).await,
            WriteOutcome::Unconfirmed(fault) => self.unconfirmed(group, &fault).await,
        }
    }

    /// The store answered for each item.
    async fn answered(&mut self, group: Group, outcomes: Vec<ItemOutcome>, stale: usize, started: Instant) {
        let (mut written, mut already_there, mut rejected) = (0, 0, 0);
        let mut unconfirmed: Option<(Vec<Item>, String)> = None;
        let mut doubted = Vec::new();
        let documents = group.items.len();
        // An adapter that answers for too few leaves the rest unconfirmed.
        let outcomes =
            outcomes.into_iter().chain(std::iter::repeat_with(|| ItemOutcome::Unconfirmed("no answer for this item".to_owned())));
        for (item, outcome) in group.items.into_iter().zip(outcomes) {
            match outcome {
                ItemOutcome::Written => {
                    written += 1;
                    self.done(item);
                }
                ItemOutcome::AlreadyThere => {
                    already_there += 1;
                    self.done(item);
                }
                ItemOutcome::Rejected(rejection) => {
                    rejected += 1;
                    self.rejected(item, &rejection);
                }
                ItemOutcome::Doubtful(rejection) => doubted.push((item, rejection)),
                ItemOutcome::Unconfirmed(cause) => unconfirmed.get_or_insert_with(|| (Vec::new(), cause)).0.push(item),
            }
        }
        let confirmed = written + already_there;
        self.context.confirmed.fetch_add(confirmed as u64, Ordering::Relaxed);
        if confirmed + rejected > 0 {
            let took = started.elapsed();
            self.context.signals.emit(&BatchWritten { collection: &self.context.collection.name, written, already_there, stale, took });
            self.well();
        }
        for (item, rejection) in doubted {
            self.doubtful(item, rejection, group.doubted_at, documents == 1).await;
        }
        if let Some((items, cause)) = unconfirmed {
            self.wait_and_retry(Group { items, lost: group.lost, doubted_at: None }, &cause).await;
        }
    }

    /// Nothing is known about any item of the group.
    async fn unconfirmed(&mut self, mut group: Group, fault: &StoreFault) {
        match fault.kind {
            StoreFaultKind::ConnectionLost => group.lost += 1,
            // The server refuses the command as a whole: waiting does not help, less may.
            StoreFaultKind::Refused => group.lost = LOST_MAX,
            StoreFaultKind::Unavailable | StoreFaultKind::Denied => {}
        }
        if group.lost >= LOST_MAX && group.items.len() > 1 {
            let second = group.items.split_off(group.items.len() / 2);
            self.todo.push_front(Group::new(second));
            group.lost = 0;
        }
        self.wait_and_retry(group, &fault.text).await;
    }

    fn done(&self, item: Item) {
        for part in item.into_parts() {
            self.context.settle.delete(part.receipt, part.ending);
        }
    }

    /// A joined item is taken apart, because the fault may be one message's alone.
    fn rejected(&mut self, item: Item, rejection: &Rejection) {
        if item.parts_len() > 1 {
            self.todo.extend(item.into_single_items().into_iter().map(|item| Group::new(vec![item])));
            return;
        }
        for part in item.into_parts() {
            self.dead_letter(part, rejection);
        }
    }

    fn dead_letter(&self, part: Part, rejection: &Rejection) {
        match &self.context.rejects {
            Some(rejects) => rejects.send(part.receipt, rejection),
            // A record that cannot be written: the message stays in the queue, hidden for its timeout.
            None => self.context.settle.leave(part.receipt),
        }
    }

    /// The store refused the item with a code that may be its own fault or the item's. Alone, and while other writes
    /// succeed, it is the item's.
    async fn doubtful(&mut self, item: Item, rejection: Rejection, doubted_at: Option<u64>, was_alone: bool) {
        let confirmed = self.context.confirmed.load(Ordering::Relaxed);
        let alone = |doubted_at| Group { items: vec![item], lost: 0, doubted_at: Some(doubted_at) };
        match doubted_at.filter(|_| was_alone) {
            None => self.todo.push_back(alone(confirmed)),
            Some(before) if confirmed > before => {
                for part in alone(before).items.into_iter().flat_map(Item::into_parts) {
                    self.dead_letter(part, &rejection);
                }
            }
            Some(before) if self.is_budget_spent() => self.leave_doubted(alone(before)),
            Some(before) => {
                self.failing_since.get_or_insert_with(Instant::now);
                self.sleep_and_requeue(alone(before), &rejection.text).await;
            }
        }
    }

    /// Quiet elsewhere: nothing tells whose fault it is. The messages stay in the queue, hidden for their timeout, and the
    /// gate stays open, or one bad message could stop the worker.
    fn leave_doubted(&mut self, group: Group) {
        let (doubted, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.todo).into_iter().partition(|group| group.doubted_at.is_some());
        self.todo = rest.into();
        self.failing_since = None;
        for part in std::iter::once(group).chain(doubted).flat_map(|group| group.items).flat_map(Item::into_parts) {
            self.context.settle.leave(part.receipt);
        }
    }

    async fn wait_and_retry(&mut self, group: Group, cause: &str) {
        self.failing_since.get_or_insert_with(Instant::now);
        if self.probe.is_none() && self.is_budget_spent() {
            self.probe = self.context.gate.close(cause);
            if self.probe.is_none() && self.is_shut_out().await {
                return self.release_all(group);
            }
        }
        self.sleep_and_requeue(group, cause).await;
    }

    /// Another batch probes: waits until the gate is shut, and this batch is to be given back, or open again.
    async fn is_shut_out(&self) -> bool {
        let state = match self.context.gate.state() {
            GateState::Closed => tokio::select! {
                biased;
                () = self.context.stop.letting_go() => GateState::Shut,
                state = self.context.gate.left(GateState::Closed) => state,
            },
            state => state,
        };
        state == GateState::Shut
    }

    async fn sleep_and_requeue(&mut self, mut group: Group, cause: &str) {
        let retry_in = self.backoff.next_interval();
        let documents = group.items.len();
        self.context.signals.emit(&WriteFailed { collection: &self.context.collection.name, documents, cause, retry_in });
        tokio::select! {
            biased;
            () = self.context.stop.letting_go() => return self.release_all(group),
            () = sleep(retry_in) => {}
        }
        group.items = self.release_overdue(group.items);
        if !group.items.is_empty() {
            self.todo.push_front(group);
        }
    }

    /// The queue lets a message be held for 12 h; an hour before, it is given back rather than left to expire.
    fn release_overdue(&self, items: Vec<Item>) -> Vec<Item> {
        let is_overdue = |part: &Part| part.receipt.received_at.elapsed() >= HOLD_MAX;
        let mut kept = Vec::with_capacity(items.len());
        for item in items {
            let (rest, overdue) = item.split_off(is_overdue);
            for part in overdue {
                self.context.settle.release(part.receipt);
            }
            kept.extend(rest);
        }
        kept
    }

    fn release_all(&mut self, group: Group) {
        let groups = std::iter::once(group).chain(std::mem::take(&mut self.todo));
        for part in groups.flat_map(|group| group.items).flat_map(Item::into_parts) {
            self.context.settle.release(part.receipt);
        }
    }

    fn is_budget_spent(&self) -> bool {
        self.failing_since.is_some_and(|since| since.elapsed() >= self.context.retry.budget)
    }

    /// The store took something: it is well.
    fn well(&mut self) {
        self.failing_since = None;
        self.backoff.reset();
        self.probe = None;
    }
}
