//! The end of a message: deleted, dead-lettered and deleted, or released. Nothing else consumes a
//! [`Receipt`].
//!
//! Deletes go by tens across receives, several calls in flight, waiting a little for ten: latency
//! is measured to the write, and a call costs the same for one as for ten. Releases wait for
//! nobody.

mod calls;
mod context;
mod groups;

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::held::Stage;
use crate::message::{Ending, Receipt};
use crate::queue::{BATCH_MAX, HIDDEN_MAX, Queue};

pub use context::SettleContext;

use calls::Entry;
use groups::Groups;

/// The longest that a delete waits for nine others.
const LINGER_MAX: Duration = Duration::from_secs(1);

/// The same for a FIFO queue, which gives no more of a group until what it gave is deleted. Long
/// enough for the neighbours of the same receive, which are written together, and short beside a
/// round trip to a queue.
const LINGER_FIFO_MAX: Duration = Duration::from_millis(20);

/// The longest that a message is left hidden, unless the visibility timeout is longer.
const LEFT_MAX: Duration = Duration::from_mins(15);

/// Doublings up to there: even a second has grown past [`LEFT_MAX`] by then.
const LEFT_DOUBLED_MAX: u32 = 10;

/// The way to the end. Unbounded, because the in-flight budget bounds what there is to settle.
#[derive(Debug, Clone)]
pub struct Settle {
    settlements: mpsc::UnboundedSender<Settlement>,
}

/// The other end of a [`Settle`].
#[derive(Debug)]
pub struct Settlements {
    settlements: mpsc::UnboundedReceiver<Settlement>,
}

#[derive(Debug)]
struct Settlement {
    receipt: Receipt,
    how: How,
}

/// What the queue is asked to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Delete(Ending),
    /// Give it back at once.
    Release,
    /// Give it back later: see [`hidden_for`].
    Leave,
}

impl Settle {
    #[must_use]
    pub fn new() -> (Self, Settlements) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { settlements: sender }, Settlements { settlements: receiver })
    }

    /// The message may leave the queue: what `ending` says is durable.
    pub fn delete(&self, receipt: Receipt, ending: Ending) {
        self.send(receipt, How::Delete(ending));
    }

    /// The message goes back to the queue at once.
    pub fn release(&self, receipt: Receipt) {
        self.send(receipt, How::Release);
    }

    /// The message goes back to the queue after another visibility timeout at least: there is a
    /// reason not to see it again at once.
    pub fn leave(&self, receipt: Receipt) {
        self.send(receipt, How::Leave);
    }

    fn send(&self, mut receipt: Receipt, how: How) {
        receipt.enter(Stage::Settling);
        // Settling ends after all of its senders, so this fails only in a teardown, where dropping
        // is what happens.
        let _ = self.settlements.send(Settlement { receipt, how });
    }
}

/// Settles whatever comes until every [`Settle`] is gone and the queue has answered for everything.
pub async fn run<Q: Queue>(context: SettleContext<Q>, mut settlements: Settlements) {
    let linger_max = if context.fifo { LINGER_FIFO_MAX } else { LINGER_MAX };
    let linger = linger_max.min(context.visibility_timeout / 10);
    let mut groups = Groups::default();
    let mut calls = FuturesUnordered::new();
    let mut lots = [Lot::new(Duration::ZERO), Lot::new(Duration::ZERO), Lot::new(linger)];
    let mut open = true;
    loop {
        let is_letting_go = context.stop.is_letting_go();
        while let Ok(settlement) = settlements.settlements.try_recv() {
            sort(&context, &mut groups, &mut lots, settlement);
        }
        for (operation, lot) in calls::OPERATIONS.iter().zip(&mut lots) {
            while calls.len() < operation.calls_max(is_letting_go) && lot.is_due(!open) {
                calls.push(calls::settle(&context, *operation, lot.take()));
            }
        }
        if !open && calls.is_empty() {
            return;
        }
        let with_room = calls::OPERATIONS
            .iter()
            .zip(&lots)
            .filter(|(operation, _)| calls.len() < operation.calls_max(is_letting_go));
        let wake = with_room.filter_map(|(_, lot)| lot.wake()).min();
        tokio::select! {
            biased;
            Some(()) = calls.next(), if !calls.is_empty() => {}
            settlement = settlements.settlements.recv(), if open => match settlement {
                Some(settlement) => sort(&context, &mut groups, &mut lots, settlement),
                None => open = false,
            },
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
        }
    }
}

fn sort<Q>(
    context: &SettleContext<Q>,
    groups: &mut Groups,
    lots: &mut [Lot; 3],
    settlement: Settlement,
) {
    let Settlement { receipt, how } = settlement;
    let how = groups.permit(&receipt, how);
    let index = match how {
        How::Delete(ending) => {
            context.brake.settled(ending, &context.signals);
            2
        }
        How::Release => 0,
        How::Leave => 1,
    };
    let ending = if let How::Delete(ending) = how { Some(ending) } else { None };
    let hide = if how == How::Leave {
        hidden_for(&receipt, context.visibility_timeout)
    } else {
        Duration::ZERO
    };
    lots[index].entries.push_back(Entry { receipt, ending, hide });
    lots[index].since.get_or_insert_with(Instant::now);
}

/// How long a message that is left stays hidden: twice as long at each receive, so that a trouble
/// of hours does not use up the receives that the queue's redrive policy allows.
fn hidden_for(receipt: &Receipt, visibility_timeout: Duration) -> Duration {
    let doubled = receipt.message.receive_count.saturating_sub(1).min(LEFT_DOUBLED_MAX);
    let grown =
        visibility_timeout.saturating_mul(1 << doubled).min(LEFT_MAX.max(visibility_timeout));
    grown.min(HIDDEN_MAX.saturating_sub(receipt.received_at.elapsed())).max(Duration::from_secs(1))
}

/// Messages that wait for the same call.
#[derive(Debug)]
struct Lot {
    entries: VecDeque<Entry>,
    /// Since when the first of them waits.
    since: Option<Instant>,
    linger: Duration,
}

impl Lot {
    fn new(linger: Duration) -> Self {
        Self { entries: VecDeque::new(), since: None, linger }
    }

    fn wake(&self) -> Option<Instant> {
        self.since.map(|since| since + self.linger)
    }

    fn is_due(&self, closing: bool) -> bool {
        !self.entries.is_empty()
            && (closing
                || self.entries.len() >= BATCH_MAX
                || self.wake().is_some_and(|wake| wake <= Instant::now()))
    }

    /// The oldest ten that are to be hidden for the same time.
    fn take(&mut self) -> Vec<Entry> {
        let hide = self.entries.front().map(|entry| entry.hide);
        let (mut taken, mut skipped) = (Vec::with_capacity(BATCH_MAX), Vec::new());
        while taken.len() < BATCH_MAX
            && let Some(entry) = self.entries.pop_front()
        {
            if Some(entry.hide) == hide { taken.push(entry) } else { skipped.push(entry) }
        }
        // Back to where they stood, so that a long lot is not moved for each ten of it.
        skipped.into_iter().rev().for_each(|entry| self.entries.push_front(entry));
        self.since = (!self.entries.is_empty()).then(Instant::now);
        taken
    }
}
