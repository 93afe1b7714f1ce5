//! One batch from the first try until every part of it is settled.

use std::collections::VecDeque;

use tokio::time::{Instant, sleep};

use crate::gate::{GateState, Probe};
use crate::message::Part;
use crate::queue::HOLD_MAX;
use crate::retry::Backoff;
use crate::store::{ItemOutcome, Store, StoreFault, StoreFaultKind, WriteOutcome};
use crate::telemetry::signals::{BatchWritten, WriteFailed, WriteTrouble};

use super::LaneContext;
use super::doubt::Doubted;
use super::ending::{confirmed, done, refuse, release};
use super::item::Item;

/// Connections that a batch may lose before it is halved: an error reply over 16 MB closes the
/// connection.
const LOST_MAX: u32 = 2;

/// Items that are tried in one command.
pub(super) struct Group {
    /// Never empty.
    pub items: Vec<Item>,
    /// Connections that broke under it.
    lost: u32,
}

/// Why nothing of a group is confirmed.
#[derive(Clone, Copy)]
pub(super) struct Cause<'a> {
    pub trouble: WriteTrouble,
    pub text: &'a str,
}

impl<'a> From<&'a StoreFault> for Cause<'a> {
    fn from(fault: &'a StoreFault) -> Self {
        Self { trouble: fault.kind.into(), text: &fault.text }
    }
}

impl Group {
    fn new(items: Vec<Item>) -> Self {
        Self { items, lost: 0 }
    }

    /// Whether an item that breaks its connection may still be looked for in it.
    pub fn is_searched(&self) -> bool {
        self.items.len() > 1 || self.lost < LOST_MAX
    }
}

/// Writes `items` and settles every part of them, but for those in doubt, which are returned.
pub(super) async fn write<S: Store>(context: &LaneContext<S>, items: Vec<Item>) -> Vec<Doubted> {
    // What was in the way before is not to be so again.
    let (in_the_way, items): (Vec<_>, Vec<_>) =
        items.into_iter().partition(|item| context.doubts.was_set_aside(item));
    let mut writing = Writing {
        context,
        backoff: Backoff::new(&context.retry, context.clock.clone()),
        todo: VecDeque::new(),
        failing_since: None,
        probe: None,
        doubted: in_the_way
            .into_iter()
            .flat_map(Item::into_single_items)
            .map(Doubted::not_yet)
            .collect(),
    };
    if !items.is_empty() {
        writing.todo.push_back(Group::new(items));
    }
    while let Some(group) = writing.todo.pop_front() {
        writing.attempt(group).await;
    }
    writing.doubted
}

pub(super) struct Writing<'a, S> {
    pub context: &'a LaneContext<S>,
    pub backoff: Backoff,
    pub todo: VecDeque<Group>,
    /// Since when nothing was confirmed.
    pub failing_since: Option<Instant>,
    /// Held from the moment this batch closed the gate.
    pub probe: Option<Probe>,
    pub doubted: Vec<Doubted>,
}

impl<S: Store> Writing<'_, S> {
    async fn attempt(&mut self, group: Group) {
        let context = self.context;
        let started = Instant::now();
        let writes: Vec<_> = group.items.iter().map(Item::write).collect();
        let outcome = tokio::select! {
            biased;
            outcome = context.ask(&writes) => outcome,
            () = context.letting_go() => return self.release_all(group),
        };
        match outcome {
            WriteOutcome::Answered { items, stale } => {
                self.answered(group, items, stale, started).await;
            }
            WriteOutcome::Unconfirmed(fault) => self.unconfirmed(group, &fault).await,
        }
    }

    /// The store answered for each item.
    async fn answered(
        &mut self,
        group: Group,
        outcomes: Vec<ItemOutcome>,
        stale: usize,
        started: Instant,
    ) {
        let (mut written, mut already_there, mut rejected) = (0, 0, 0);
        let mut unconfirmed: Option<(Vec<Item>, String)> = None;
        let (mut alone, mut doubtful) = (Vec::new(), Vec::new());
        // An adapter that answers for too few leaves the rest unconfirmed.
        let outcomes = outcomes.into_iter().chain(std::iter::repeat_with(|| {
            ItemOutcome::Unconfirmed("no answer for this item".to_owned())
        }));
        for (item, outcome) in group.items.into_iter().zip(outcomes) {
            match outcome {
                ItemOutcome::Written => {
                    written += 1;
                    done(self.context, item);
                }
                ItemOutcome::AlreadyThere => {
                    already_there += 1;
                    done(self.context, item);
                }
                ItemOutcome::Rejected(rejection) => {
                    rejected += 1;
                    self.todo.extend(
                        refuse(self.context, item, &rejection)
                            .into_iter()
                            .map(|item| Group::new(vec![item])),
                    );
                }
                // The fault may be that of one of several messages alone.
                ItemOutcome::Doubtful(_) if item.parts_len() > 1 => {
                    alone.extend(item.into_single_items());
                }
                ItemOutcome::Doubtful(_) => doubtful.push(item),
                ItemOutcome::Unconfirmed(cause) => {
                    unconfirmed.get_or_insert_with(|| (Vec::new(), cause)).0.push(item);
                }
            }
        }
        confirmed(self.context, written, stale);
        // After that: what is in the same answer is no evidence, for a trouble may be that of a
        // part of the store.
        self.doubted.extend(doubtful.into_iter().map(|item| Doubted::now(self.context, item)));
        // A store that cannot write answers nonetheless where nothing is to be changed.
        let changed = written.saturating_sub(stale);
        let is_well = if unconfirmed.is_some() {
            changed > 0
        } else {
            written + already_there + rejected > 0
        };
        if is_well {
            let took = started.elapsed();
            self.context.signals.emit(&BatchWritten {
                collection: &self.context.label,
                written,
                already_there,
                stale,
                took,
            });
            self.well();
        }
        if is_well && let Some((items, _)) = unconfirmed.take() {
            // The others were answered for: it is these few that have a trouble of their own.
            alone.extend(items);
        }
        self.doubted.extend(alone.into_iter().map(Doubted::not_yet));
        if let Some((items, cause)) = unconfirmed {
            self.in_trouble(
                Group { items, lost: group.lost },
                Cause { trouble: WriteTrouble::Item, text: &cause },
                false,
            )
            .await;
        }
    }

    /// Leaves the group in the queue for another visibility timeout, and the gate to others.
    fn leave(&mut self, group: Group) {
        self.probe = None;
        for part in group.items.into_iter().flat_map(Item::into_parts) {
            self.context.settle.leave(part.receipt);
        }
    }

    /// Whether this lane is that of dead letters, and these are denied for longer than the retry
    /// budget.
    fn are_dead_letters_denied(&self) -> bool {
        let (doubts, is_of_dead_letters) = (&self.context.doubts, self.context.rejects.is_none());
        if is_of_dead_letters && self.is_budget_spent() {
            doubts.deny_dead_letters(true);
        }
        is_of_dead_letters && doubts.are_dead_letters_denied()
    }

    /// Nothing is known about any item of the group.
    async fn unconfirmed(&mut self, mut group: Group, fault: &StoreFault) {
        match fault.kind {
            StoreFaultKind::ConnectionLost => group.lost += 1,
            StoreFaultKind::Refused => group.lost = LOST_MAX,
            StoreFaultKind::Unavailable | StoreFaultKind::Denied => {}
        }
        if group.lost >= LOST_MAX && group.items.len() > 1 {
            let second = group.items.split_off(group.items.len() / 2);
            self.todo.push_front(Group::new(second));
            group.lost = 0;
            if fault.kind == StoreFaultKind::Refused {
                // Refused for what is in it: waiting does not help, less may.
                return self.todo.push_front(group);
            }
        }
        if fault.kind == StoreFaultKind::ConnectionLost
            && group.lost < LOST_MAX
            && self.is_budget_spent()
            && self.is_store_well().await
        {
            // The one item that breaks connections is looked for, which has an end. Nothing else
            // needs to go back for that: in a FIFO group all that stands behind would, and be no
            // further when it returns.
            self.open_gate();
            return self.sleep_and_requeue(group, fault.into()).await;
        }
        match fault.kind {
            StoreFaultKind::ConnectionLost | StoreFaultKind::Refused => {
                self.in_trouble(group, fault.into(), true).await;
            }
            // Dead letters that may not be written stay in the queue: that is no reason to write
            // nothing else.
            StoreFaultKind::Denied if self.are_dead_letters_denied() => self.leave(group),
            StoreFaultKind::Denied | StoreFaultKind::Unavailable => {
                self.wait_and_retry(group, fault.into()).await;
            }
        }
    }

    pub(super) async fn wait_and_retry(&mut self, group: Group, cause: Cause<'_>) {
        self.failing_since.get_or_insert_with(Instant::now);
        if self.probe.is_none() && self.is_budget_spent() {
            self.probe = self.context.gate.close(cause.trouble, cause.text);
            if self.probe.is_none() && self.is_shut_out().await {
                return self.release_all(group);
            }
        }
        self.sleep_and_requeue(group, cause).await;
    }

    /// Another batch probes: waits until the gate is shut, and this batch is to be given back, or
    /// open again.
    async fn is_shut_out(&self) -> bool {
        let state = match self.context.gate.state() {
            GateState::Closed => tokio::select! {
                biased;
                () = self.context.letting_go() => GateState::Shut,
                state = self.context.gate.left(GateState::Closed) => state,
            },
            state => state,
        };
        state == GateState::Shut
    }

    pub(super) async fn sleep_and_requeue(&mut self, group: Group, cause: Cause<'_>) {
        let retry_in = self.backoff.next_interval();
        let documents = group.items.len();
        let collection = &self.context.collection.name;
        self.context.signals.emit(&WriteFailed {
            collection,
            documents,
            trouble: cause.trouble,
            cause: cause.text,
            retry_in,
        });
        tokio::select! {
            biased;
            () = self.context.letting_go() => return self.release_all(group),
            () = sleep(retry_in) => {}
        }
        if self.probe.is_some() && self.context.gate.state() == GateState::Shut {
            // All goes back but what probes.
            self.doubted.drain(..).for_each(|doubted| release(self.context, doubted.item));
        }
        // While the gate is closed, each group has its turn: one of them may be what fails. One
        // that was found can wait.
        let is_last = self.probe.is_some() || group.lost >= LOST_MAX;
        if is_last {
            self.todo.push_back(group);
        } else {
            self.todo.push_front(group);
        }
        for mut group in std::mem::take(&mut self.todo) {
            group.items = self.release_overdue(group.items);
            if !group.items.is_empty() {
                self.todo.push_back(group);
            }
        }
    }

    /// The queue lets a message be held for 12 h; an hour before, it is given back rather than left
    /// to expire.
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
        groups.flat_map(|group| group.items).for_each(|item| release(self.context, item));
    }

    pub(super) fn is_budget_spent(&self) -> bool {
        self.failing_since.is_some_and(|since| since.elapsed() >= self.context.retry.budget)
    }

    /// The store takes writes, whatever becomes of this batch.
    pub(super) fn open_gate(&mut self) {
        if let Some(probe) = self.probe.take() {
            probe.prove();
        }
    }

    /// The store took something: it is well.
    fn well(&mut self) {
        self.failing_since = None;
        self.backoff.reset();
        self.open_gate();
        if self.context.rejects.is_none() {
            self.context.doubts.deny_dead_letters(false);
        }
    }
}
