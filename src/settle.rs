//! The end of a message: deleted, dead-lettered and deleted, or released. Nothing else consumes a
//! [`Receipt`].
//!
//! Deletes go by tens across receives, several calls in flight, waiting a little for ten: latency
//! is measured to the write, and a call costs the same for one as for ten. Releases wait for no
//! others.
//!
//! What is taken over to be given back is extended no more, and what is in flight of that is waited
//! for first: see `parked`. An extension that was overtaken nonetheless is mended by `overtaken`.

mod calls;
mod context;
mod groups;
mod lots;
mod overtaken;
mod parked;
mod settlement;

use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::held::Stage;
use crate::message::{Ending, Receipt};
use crate::queue::Queue;

pub use context::SettleContext;

use groups::Groups;
use lots::Lots;
use settlement::{Asked, Settlement};

/// The longest that a delete waits for nine others.
const LINGER_MAX: Duration = Duration::from_secs(1);

/// The same for a FIFO queue, which gives no more of a group until what it gave is deleted. Long
/// enough for the neighbours of the same receive, which are written together, and short beside a
/// round trip to a queue.
const LINGER_FIFO_MAX: Duration = Duration::from_millis(20);

/// The way to the end. Unbounded, because the in-flight budget bounds what there is to settle.
#[derive(Debug, Clone)]
pub struct Settle {
    visibility_timeout: Duration,
    sender: mpsc::UnboundedSender<Settlement>,
}

/// The other end of a [`Settle`].
#[derive(Debug)]
pub struct Settlements {
    receiver: mpsc::UnboundedReceiver<Settlement>,
}

impl Settle {
    /// For a queue that hides what it delivers for `visibility_timeout`.
    #[must_use]
    pub fn new(visibility_timeout: Duration) -> (Self, Settlements) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { visibility_timeout, sender }, Settlements { receiver })
    }

    /// The message may leave the queue: what `ending` says is durable.
    pub fn delete(&self, mut receipt: Receipt, ending: Ending) {
        receipt.permit.kept();
        self.hand_over(receipt, Asked::Delete(ending));
    }

    /// The message goes back to the queue at once.
    pub fn release(&self, receipt: Receipt) {
        self.hand_over(receipt, Asked::Release);
    }

    /// The message goes back to the queue later, because there is a reason not to see it again at
    /// once. It stays hidden for a visibility timeout at its first receive and for twice as long at
    /// each further one, up to 15 min or a visibility timeout, whichever is longer; for 1 s at
    /// least, and otherwise not beyond [`crate::queue::HIDDEN_MAX`] after its receive.
    pub fn leave(&self, receipt: Receipt) {
        let asked = Asked::leave(&receipt, self.visibility_timeout);
        self.hand_over(receipt, asked);
    }

    fn hand_over(&self, mut receipt: Receipt, asked: Asked) {
        receipt.enter(Stage::Settling);
        // Settling ends after all of its senders, so this fails only in a teardown, where dropping
        // is what happens.
        let _ = self.sender.send(Settlement { receipt, asked, overtakes: Vec::new() });
    }
}

/// Settles whatever comes until every [`Settle`] is gone and the queue has answered for everything.
pub async fn run<Q: Queue>(context: SettleContext<Q>, settlements: Settlements) {
    let Settlements { mut receiver } = settlements;
    let linger_max = if context.traits.fifo { LINGER_FIFO_MAX } else { LINGER_MAX };
    let mut lots = Lots::new(linger_max.min(context.traits.visibility_timeout / 10));
    let mut groups = Groups::default();
    let (mut parked, mut again) = (FuturesUnordered::new(), FuturesUnordered::new());
    let (overtaken_sender, mut overtaken) = mpsc::unbounded_channel();
    let mut calls = FuturesUnordered::new();
    let mut open = true;
    loop {
        let is_letting_go = context.flow.stop.is_letting_go();
        while let Ok(settlement) = receiver.try_recv() {
            parked.extend(take_over(&context, &mut groups, &mut lots, settlement));
        }
        while let Some(settlements) = lots.take_due(calls.len(), is_letting_go, !open) {
            calls.push(calls::settle(&context, settlements, &overtaken_sender));
        }
        if !open && calls.is_empty() && parked.is_empty() {
            return;
        }
        let wake = lots.wake(calls.len(), is_letting_go);
        tokio::select! {
            biased;
            Some(()) = calls.next(), if !calls.is_empty() => {}
            Some(one) = overtaken.recv() => again.push(overtaken::give_back_again(&context, one)),
            Some(settlement) = parked.next() => {
                lots.put(settlement);
                // What waited for one extension goes back in one call.
                while let Some(Some(settlement)) = parked.next().now_or_never() {
                    lots.put(settlement);
                }
            }
            Some(()) = again.next() => {}
            settlement = receiver.recv(), if open => match settlement {
                Some(settlement) => {
                    parked.extend(take_over(&context, &mut groups, &mut lots, settlement));
                }
                None => open = false,
            },
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
        }
    }
}

/// Decides what the queue is asked for, in the light of the message's group, and lets the message
/// wait for a call. Returns what has to wait for an extension first.
fn take_over<Q>(
    context: &SettleContext<Q>,
    groups: &mut Groups,
    lots: &mut Lots,
    settlement: Settlement,
) -> Option<impl Future<Output = Settlement> + use<Q>> {
    let asked = groups.permit(&settlement.receipt, settlement.asked);
    let settlement = Settlement { asked, ..settlement };
    let in_flight = match asked {
        // A deleted message cannot be hidden, and what waits to be deleted stays hidden.
        Asked::Delete(_) => None,
        Asked::Release | Asked::Leave(_) => settlement.receipt.take_over(),
    };
    if let Some(extension) = in_flight {
        return Some(parked::parked(settlement, extension, context.flow.stop.clone()));
    }
    lots.put(settlement);
    None
}
