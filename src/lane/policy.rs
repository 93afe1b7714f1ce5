//! What to do about what the store has answered.
//!
//! Pure: nothing is asked, awaited or remembered here. [`super::writing`] and [`super::alone`] say how
//! things stand and carry out what is decided.
//!
//! The question behind every decision is whose fault it is. A sick store is waited for, and past the
//! retry budget the gate closes for it. An item's own fault costs that item alone: it is rejected, or
//! looked for by halves, or set aside, as soon as the store has shown that it takes other writes.

use std::time::Duration;

use crate::message::Rejection;
use crate::store::{ItemOutcome, WriteTrouble};

/// Connections or answers that a batch may lose before it is halved: an error reply over 16 MB closes
/// the connection.
pub const LOST_MAX: u32 = 2;

/// How long items may keep the gate closed, after the retry budget, that fail in a way that one of
/// them can cause: longer than most outages of that kind, and far shorter than a message can be held.
/// Then they are set aside, if the store takes another write; and so are others of their kind, right
/// after the budget, within the next hour.
const OWN_TROUBLE_AFTER: Duration = Duration::from_mins(10);

/// A doubt must be this old, half of the retry budget at most, before what others have meanwhile
/// proves anything: a trouble of a part of the store may pass in a moment.
const PROVEN_AFTER: Duration = Duration::from_secs(5);

/// Doubts, each after other writes were confirmed, that prove a message's own fault.
const DOUBTS_MAX: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    One,
    Many,
}

impl Count {
    /// Of what is not nothing.
    pub const fn of(number: usize) -> Self {
        if number > 1 { Self::Many } else { Self::One }
    }
}

/// What becomes of an item of a batch that the store answered for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemDecision {
    /// Its messages may leave the queue.
    Done,
    /// Its one message becomes a dead letter.
    Reject(Rejection),
    /// Of its several messages one may be at fault: the half of the older versions is tried first.
    TakeApart,
    /// Its messages are tried alone, beside the batches.
    Alone,
    /// The same, and the store's answer leaves its one message in doubt from now on.
    AloneInDoubt,
    /// Nothing tells it from the others, or from the store: [`of_group`] decides.
    Again(String),
}

/// What becomes of an item of a batch that the store answered for.
///
/// `is_store_well`: the answers for others show it ([`Tally::is_store_well`]).
pub fn of_item(outcome: ItemOutcome, messages: Count, is_store_well: bool) -> ItemDecision {
    match (outcome, messages) {
        (ItemOutcome::Written | ItemOutcome::AlreadyThere, _) => ItemDecision::Done,
        (ItemOutcome::Rejected(rejection), Count::One) => ItemDecision::Reject(rejection),
        (ItemOutcome::Rejected(_), Count::Many) => ItemDecision::TakeApart,
        (ItemOutcome::Doubtful(_), Count::One) => ItemDecision::AloneInDoubt,
        (ItemOutcome::Doubtful(_), Count::Many) => ItemDecision::Alone,
        // The others were answered for: it has a trouble of its own.
        (ItemOutcome::Unconfirmed(_), _) if is_store_well => ItemDecision::Alone,
        (ItemOutcome::Unconfirmed(cause), _) => ItemDecision::Again(cause),
    }
}

/// What becomes of a message that is tried alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageDecision {
    Done,
    /// It becomes a dead letter.
    Reject(Rejection),
    /// It is tried again, for as long as the retry budget lasts. Then it stays in the queue for another
    /// visibility timeout.
    Again(String),
}

/// What becomes of a message that is tried alone. `is_proven`: the doubt about it is ([`is_proven`]).
pub fn of_message(outcome: ItemOutcome, is_proven: bool) -> MessageDecision {
    match outcome {
        ItemOutcome::Written | ItemOutcome::AlreadyThere => MessageDecision::Done,
        ItemOutcome::Rejected(rejection) => MessageDecision::Reject(rejection),
        ItemOutcome::Doubtful(rejection) if is_proven => MessageDecision::Reject(rejection),
        ItemOutcome::Doubtful(Rejection { text, .. }) => MessageDecision::Again(text),
        ItemOutcome::Unconfirmed(cause) => MessageDecision::Again(cause),
    }
}

/// What a batch's answer says of all of its items together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub written: usize,
    pub already_there: usize,
    pub rejected: usize,
    pub unconfirmed: usize,
    /// Of those written, the updates that changed nothing.
    pub stale: usize,
}

impl Tally {
    pub fn of(outcomes: &[ItemOutcome], stale: usize) -> Self {
        let mut tally = Self { stale, ..Self::default() };
        for outcome in outcomes {
            match outcome {
                ItemOutcome::Written => tally.written += 1,
                ItemOutcome::AlreadyThere => tally.already_there += 1,
                ItemOutcome::Rejected(_) => tally.rejected += 1,
                ItemOutcome::Unconfirmed(_) => tally.unconfirmed += 1,
                ItemOutcome::Doubtful(_) => {}
            }
        }
        tally
    }

    /// Whether it shows that the store is well. One that cannot write answers nonetheless where
    /// nothing is to be changed: where an item is unconfirmed, only a change counts.
    pub const fn is_store_well(&self) -> bool {
        if self.unconfirmed > 0 {
            self.written > self.stale
        } else {
            self.written + self.already_there + self.rejected > 0
        }
    }
}

/// What is known of a doubt about one message.
#[derive(Debug, Clone, Copy)]
pub struct Doubt {
    pub age: Duration,
    /// Other writes were confirmed since it began, and before the store's last answer.
    pub were_others_confirmed: bool,
    /// How often it was in doubt, counted anew only after other writes were confirmed.
    pub times: u32,
}

/// Whether a doubt is proven to be the message's own fault.
pub fn is_proven(doubt: Doubt, budget: Duration) -> bool {
    let is_old = doubt.age >= PROVEN_AFTER.min(budget / 2);
    doubt.times >= DOUBTS_MAX || is_old && doubt.were_others_confirmed
}

/// Whether a message that is tried alone has met a trouble that the next one would meet, too.
pub const fn is_of_the_store(trouble: WriteTrouble) -> bool {
    matches!(trouble, WriteTrouble::Unavailable | WriteTrouble::Denied | WriteTrouble::Collection)
}

/// How long nothing of a batch was confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Shorter than the retry budget.
    Left,
    Spent,
    /// So long that items are set aside which fail in a way that is their own.
    Over,
}

impl Patience {
    /// `is_trouble_known`: items were set aside within the last hour.
    pub fn after(failing: Duration, budget: Duration, is_trouble_known: bool) -> Self {
        let longer = if is_trouble_known { Duration::ZERO } else { OWN_TROUBLE_AFTER };
        if failing >= budget.saturating_add(longer) {
            Self::Over
        } else if failing >= budget {
            Self::Spent
        } else {
            Self::Left
        }
    }
}

/// What the store said when it was asked for a write that changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    NotAsked,
    Well,
    Unwell,
    /// And so it was a moment later.
    StillUnwell,
}

/// How things stand with items that were tried in one command, of which nothing is confirmed.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    pub trouble: WriteTrouble,
    pub items: Count,
    /// Connections that broke under them, or that had no answer, this one included.
    pub lost: u32,
    pub patience: Patience,
    /// Among the other items of the batch, one may still be looked for that breaks its connection, or
    /// takes too long.
    pub is_other_searched: bool,
    /// The trouble is this collection's alone, has lasted for longer than the retry budget, and
    /// others could be written.
    pub is_confined: bool,
    pub health: Health,
}

/// What to do with items of which nothing is confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupDecision {
    /// Half of them at a time: at once where what is in the command is refused, for waiting does not
    /// help. Otherwise the first half is decided on as one that has lost nothing yet.
    Halve { at_once: bool },
    /// Ask whether the store takes a write that changes nothing, and decide again. An item that makes
    /// a server crash leaves the set to elect another: so after a pause, a second time.
    Ask { after_pause: bool },
    /// Wait, and try again.
    Retry,
    /// The same, with the gate open: the one item is still looked for, and that has an end. Nothing
    /// needs to go back for it: in a FIFO group all that stands behind would, and be no further when
    /// it returns.
    Search,
    /// The same with the gate closed: the store is sick.
    CloseGate,
    /// The gate and the writer are for others: each of these and of the rest is tried alone.
    SetAside,
    /// They stay in the queue for another visibility timeout, and the gate open.
    Leave,
}

/// Whether an item may still be looked for in a group that breaks its connection or takes too long.
pub const fn is_searched(items: Count, lost: u32) -> bool {
    matches!(items, Count::Many) || lost < LOST_MAX
}

/// What to do with items of which nothing is confirmed.
pub fn of_group(standing: &Standing) -> GroupDecision {
    let Standing { trouble, items, lost, patience, health, .. } = *standing;
    match trouble {
        // That is no reason to write nothing else.
        WriteTrouble::Collection if standing.is_confined => return GroupDecision::Leave,
        WriteTrouble::Unavailable | WriteTrouble::Denied | WriteTrouble::Collection => {
            return retry(patience);
        }
        WriteTrouble::Refused | WriteTrouble::TimedOut if items == Count::Many => {
            return GroupDecision::Halve { at_once: true };
        }
        WriteTrouble::ConnectionLost | WriteTrouble::NoAnswer
            if items == Count::Many && lost >= LOST_MAX =>
        {
            return GroupDecision::Halve { at_once: false };
        }
        WriteTrouble::Refused
        | WriteTrouble::TimedOut
        | WriteTrouble::ConnectionLost
        | WriteTrouble::NoAnswer
        | WriteTrouble::Item => {}
    }
    let is_found = items == Count::One && lost >= LOST_MAX;
    if trouble == WriteTrouble::NoAnswer && is_found {
        // Before each try the server took another write. Waiting would only add tries, and each may
        // be one more that the server is busy with.
        match health {
            Health::NotAsked => return GroupDecision::Ask { after_pause: false },
            Health::Well => return GroupDecision::Leave,
            Health::Unwell | Health::StillUnwell => {}
        }
    }
    // One of the items can be the cause, and so can the store.
    let is_other_searched = standing.is_other_searched && patience != Patience::Over;
    let is_search = match trouble {
        WriteTrouble::ConnectionLost | WriteTrouble::NoAnswer => {
            is_searched(items, lost) || is_other_searched
        }
        WriteTrouble::Refused | WriteTrouble::TimedOut => is_other_searched,
        _ => false,
    };
    match (patience, health) {
        (Patience::Left, _) => GroupDecision::Retry,
        (Patience::Spent, _) if !is_search => GroupDecision::CloseGate,
        (_, Health::NotAsked) => GroupDecision::Ask { after_pause: false },
        (_, Health::Well) if is_search => GroupDecision::Search,
        (_, Health::Well) => GroupDecision::SetAside,
        (Patience::Over, Health::Unwell) => GroupDecision::Ask { after_pause: true },
        (_, Health::Unwell | Health::StillUnwell) => GroupDecision::CloseGate,
    }
}

fn retry(patience: Patience) -> GroupDecision {
    if patience == Patience::Left { GroupDecision::Retry } else { GroupDecision::CloseGate }
}

#[cfg(test)]
mod tests;
