//! One batch from the first try until every part of it is settled. What to do is decided in
//! [`super::policy`] and carried out here.

mod leaving;

use std::collections::{HashSet, VecDeque};

use tokio::time::{Instant, sleep};

use crate::gate::{GateState, Probe};
use crate::message::{Key, Part};
use crate::queue::HOLD_MAX;
use crate::retry::Backoff;
use crate::store::{ItemOutcome, Store, StoreFaultKind, WriteOutcome, WriteTrouble};
use crate::telemetry::signals::Then;

use super::alone::Alone;
use super::context::{LaneContext, Search};
use super::ending::{confirmed, done, reject, release};
use super::group::Group;
use super::item::Item;
use super::policy::{
    self, GroupDecision, Health, ItemDecision, LOST_MAX, Patience, Standing, Tally,
};
use super::waiting::Size;

/// Why nothing of a group is confirmed.
#[derive(Clone, Copy)]
struct Cause<'a> {
    trouble: WriteTrouble,
    text: &'a str,
}

/// Writes `items` and settles every part of them, but for those that are to be tried alone, which
/// are returned; and the keys of all, but for those that were freed before.
pub(super) async fn write<S: Store>(
    context: &LaneContext<S>,
    size: Size,
    items: Vec<Item>,
) -> (Vec<Key>, Vec<Alone>) {
    let mut keys: Vec<_> = items.iter().filter_map(|item| item.key().cloned()).collect();
    // What was in the way before is not to be so again.
    let (in_the_way, items): (Vec<_>, Vec<_>) =
        items.into_iter().partition(|item| context.evidence.was_set_aside(item.message_ids()));
    let mut writing = Writing {
        context,
        size,
        backoff: context.flow.backoff(),
        todo: VecDeque::new(),
        failing_since: None,
        probe: None,
        alone: Vec::new(),
        search: None,
        apart: HashSet::new(),
        freed: HashSet::new(),
    };
    writing.try_alone(in_the_way);
    if !items.is_empty() {
        writing.todo.push_back(Group::new(items));
    }
    while let Some(group) = writing.todo.pop_front() {
        writing.attempt(group).await;
    }
    keys.retain(|key| !writing.freed.contains(key));
    (keys, writing.alone)
}

struct Writing<'a, S> {
    context: &'a LaneContext<S>,
    size: Size,
    backoff: Backoff,
    todo: VecDeque<Group>,
    /// Since when nothing was confirmed.
    failing_since: Option<Instant>,
    /// Held from the moment this batch closed the gate.
    probe: Option<Probe>,
    /// To be tried alone.
    alone: Vec<Alone>,
    /// Held while one item is looked for: the writer is for others.
    search: Option<Search>,
    /// Keys of joined messages that were taken apart: more than one item has them. Only asked, never
    /// iterated.
    apart: HashSet<Key>,
    /// Keys that are for others, though this batch goes on. Only asked, never iterated.
    freed: HashSet<Key>,
}

impl<S: Store> Writing<'_, S> {
    async fn attempt(&mut self, mut group: Group) {
        let context = self.context;
        // Each try would be one more that the server is busy with.
        if group.is_unanswered && !context.is_store_well().await {
            let text = "no answer to the last try, nor to a write that changes nothing";
            return self.unconfirmed(group, Cause { trouble: WriteTrouble::NoAnswer, text }).await;
        }
        group.is_unanswered = false;
        let started = Instant::now();
        let outcome = tokio::select! {
            biased;
            outcome = context.ask(group.items.iter().map(Item::write)) => outcome,
            () = context.letting_go() => return self.release_all(group),
        };
        match outcome {
            WriteOutcome::Answered { items, stale } => {
                self.answered(group, items, stale, started).await;
            }
            WriteOutcome::Unconfirmed(fault) => {
                group.is_unanswered = fault.kind == StoreFaultKind::NoAnswer;
                match fault.kind {
                    StoreFaultKind::ConnectionLost | StoreFaultKind::NoAnswer => group.lost += 1,
                    StoreFaultKind::Refused | StoreFaultKind::TimedOut => group.lost = LOST_MAX,
                    StoreFaultKind::Unavailable
                    | StoreFaultKind::Denied
                    | StoreFaultKind::Collection => {}
                }
                let cause = Cause { trouble: fault.kind.into(), text: &fault.text };
                self.unconfirmed(group, cause).await;
            }
        }
    }

    /// The store answered for each item.
    async fn answered(
        &mut self,
        group: Group,
        mut outcomes: Vec<ItemOutcome>,
        stale: usize,
        started: Instant,
    ) {
        let context = self.context;
        // An adapter that answers for too few leaves the rest unconfirmed.
        outcomes.resize_with(group.items.len(), ItemOutcome::no_answer);
        let tally = Tally::of(&outcomes, stale);
        let is_store_well = tally.is_store_well();
        let goes_on = !self.todo.is_empty() || tally.written + tally.already_there < outcomes.len();
        let (mut in_doubt, mut again, mut why) = (Vec::new(), Vec::new(), None);
        for (item, outcome) in group.items.into_iter().zip(outcomes) {
            let decision = policy::of_item(outcome, item.messages(), is_store_well);
            if goes_on && matches!(decision, ItemDecision::Done | ItemDecision::Reject(_)) {
                self.free_key(&item);
            }
            match decision {
                ItemDecision::Done => item.into_parts().for_each(|part| done(context, part)),
                ItemDecision::Reject(rejection) => {
                    item.into_parts().for_each(|part| reject(context, part, &rejection));
                }
                ItemDecision::TakeApart => self.take_apart(item),
                ItemDecision::Alone => self.try_alone([item]),
                ItemDecision::AloneInDoubt => in_doubt.extend(item.into_parts()),
                ItemDecision::Again(cause) => {
                    why.get_or_insert(cause);
                    again.push(item);
                }
            }
        }
        confirmed(context, &tally, started);
        // After that: what is in the same answer is no evidence, for a trouble may be that of a part
        // of the store.
        self.alone.extend(in_doubt.into_iter().map(|part| Alone::in_doubt(context, part)));
        if is_store_well {
            self.well();
        }
        if let Some(text) = why {
            let cause = Cause { trouble: WriteTrouble::Item, text: &text };
            let again = Group { lost: group.lost, ..Group::new(again) };
            self.unconfirmed(again, cause).await;
        }
    }

    /// One of the messages that were joined is to blame.
    fn take_apart(&mut self, item: Item) {
        self.context.searches(self.size, &mut self.search);
        self.apart.extend(item.key().cloned());
        // The half of the older versions comes first, whatever else waits.
        for half in item.into_halves().into_iter().rev().flatten() {
            self.todo.push_front(Group::new(vec![half]));
        }
    }

    /// The item has its end, and its key need not wait for the other items.
    fn free_key(&mut self, item: &Item) {
        if let Some(key) = item.key().filter(|key| !self.apart.contains(key)) {
            self.freed.insert(key.clone());
            self.context.searches.free(key.clone());
        }
    }

    /// Nothing is known about any item of the group.
    async fn unconfirmed(&mut self, mut group: Group, cause: Cause<'_>) {
        self.failing_since.get_or_insert_with(Instant::now);
        let is_confined = cause.trouble == WriteTrouble::Collection && self.confines().await;
        let mut health = Health::NotAsked;
        loop {
            let standing = Standing {
                trouble: cause.trouble,
                items: group.count(),
                lost: group.lost,
                patience: self.patience(),
                is_other_searched: self.todo.iter().any(Group::is_searched),
                is_confined,
                health,
            };
            match policy::of_group(&standing) {
                GroupDecision::Halve { at_once } => {
                    // A server that takes too long gets no more to do at a time.
                    if cause.trouble != WriteTrouble::TimedOut {
                        self.context.searches(self.size, &mut self.search);
                    }
                    self.todo.push_front(group.split_off());
                    if at_once {
                        return self.todo.push_front(group);
                    }
                }
                GroupDecision::Ask { after_pause: false } => {
                    let is_well = self.context.is_store_well().await;
                    health = if is_well { Health::Well } else { Health::Unwell };
                }
                GroupDecision::Ask { after_pause: true } => {
                    let pause = self.backoff.next_interval();
                    let is_well = self.context.is_store_well_after(pause).await;
                    health = if is_well { Health::Well } else { Health::StillUnwell };
                }
                GroupDecision::Retry => return self.retry(group, cause).await,
                GroupDecision::Search => {
                    self.open_gate();
                    return self.retry(group, cause).await;
                }
                GroupDecision::CloseGate => return self.close_gate(group, cause).await,
                GroupDecision::SetAside => return self.set_aside(group),
                GroupDecision::Leave if cause.trouble == WriteTrouble::NoAnswer => {
                    return self.leave_unanswered(group, cause);
                }
                GroupDecision::Leave => return self.leave(group, cause),
            }
        }
    }

    fn patience(&self) -> Patience {
        let failing = self.failing_since.map(|since| since.elapsed()).unwrap_or_default();
        let is_trouble_known = self.context.evidence.is_trouble_known();
        Patience::after(failing, self.context.flow.retry.budget, is_trouble_known)
    }

    /// Waits, and puts the group back among those to try.
    async fn retry(&mut self, group: Group, cause: Cause<'_>) {
        let retry_in = self.backoff.next_interval();
        let then = Then::Retry(retry_in);
        self.context.failed(group.items.len(), cause.trouble, cause.text, then);
        tokio::select! {
            biased;
            () = self.context.letting_go() => return self.release_all(group),
            () = sleep(retry_in) => {}
        }
        if self.probe.is_some() && self.context.gate.state() == GateState::Shut {
            // All goes back but what probes.
            release(self.context, self.alone.drain(..).map(|alone| alone.part));
        }
        // While the gate is closed, each group has its turn: one of them may be what fails. One that
        // was found can wait.
        if self.probe.is_some() || group.lost >= LOST_MAX {
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

    /// Closes the gate, if no other batch has, and tries on as its probe.
    async fn close_gate(&mut self, group: Group, cause: Cause<'_>) {
        if self.probe.is_none() {
            self.probe = self.context.gate.close(cause.trouble, cause.text);
            if self.probe.is_none() && self.is_shut_out().await {
                return self.release_all(group);
            }
        }
        self.retry(group, cause).await;
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

    fn try_alone(&mut self, items: impl IntoIterator<Item = Item>) {
        let parts = items.into_iter().flat_map(Item::into_parts_by_age);
        self.alone.extend(parts.map(Alone::not_in_doubt));
    }

    /// The queue lets a message be held for 12 h; an hour before, it is given back rather than left
    /// to expire.
    fn release_overdue(&self, items: Vec<Item>) -> Vec<Item> {
        let is_overdue = |part: &Part| part.receipt.received_at.elapsed() >= HOLD_MAX;
        let mut kept = Vec::with_capacity(items.len());
        for item in items {
            let (rest, overdue) = item.split_off(is_overdue);
            release(self.context, overdue);
            kept.extend(rest);
        }
        kept
    }

    fn release_all(&mut self, group: Group) {
        let groups = std::iter::once(group).chain(std::mem::take(&mut self.todo));
        release(self.context, groups.flat_map(|group| group.items).flat_map(Item::into_parts));
    }

    /// The store takes writes, whatever becomes of this batch.
    fn open_gate(&mut self) {
        if let Some(probe) = self.probe.take() {
            probe.prove();
        }
    }

    /// The store took something: it is well.
    fn well(&mut self) {
        self.failing_since = None;
        self.backoff.reset();
        self.open_gate();
    }
}
