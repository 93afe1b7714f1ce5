//! From a receive to the lanes: decode, route, or reject. Nothing here waits: a message for which
//! there is not room enough goes to those that have [`outgrown`](super::outgrown) their share.

use std::sync::{Arc, Mutex, PoisonError};

use crate::budget::Permit;
use crate::dead_letter::Rejects;
use crate::decode::MessageConfig;
use crate::decode::{Undecoded, decode_within};
use crate::flood::{FloodWatch, RejectedIn};
use crate::held::Stage;
use crate::lane::Lane;
use crate::message::{Ending, Named, Part, QueueMessage, Receipt, Rejection, Write};
use crate::route::{Routed, Router};
use crate::settle::Settle;
use crate::stop::Stop;
use crate::telemetry::signals::{Signals, TypesDisagreed};

/// What a message may need beyond its own part and be read right after its receive: reading takes time
/// from all others, and a few hundred bytes can unpack to megabytes. What needs more waits for its turn
/// with those that have outgrown their share.
pub(super) fn at_once(message: &QueueMessage) -> usize {
    (8 * message.bytes()).max(64 * 1024)
}

/// What the write needs beyond the message's own part; outgrown where that is more than `share`.
pub(super) fn beyond(write: &Write, own: usize, share: usize) -> Result<usize, Undecoded> {
    let beyond = write.memory_bytes().saturating_sub(own);
    if beyond > share { Err(Undecoded::Outgrown) } else { Ok(beyond) }
}

pub(super) struct Intake {
    pub message: MessageConfig,
    pub router: Router<Lane>,
    pub rejects: Rejects,
    pub settle: Settle,
    pub flood: FloodWatch,
    pub stop: Stop,
    pub signals: Signals,
    /// What came after the stop. It is given back when the last receive has run out, or that would
    /// bring it straight back and burn a count of each.
    pub late: Mutex<Vec<Receipt>>,
}

impl Drop for Intake {
    fn drop(&mut self) {
        let late = std::mem::take(self.late.get_mut().unwrap_or_else(PoisonError::into_inner));
        for receipt in late {
            self.settle.release(receipt);
        }
    }
}

impl Intake {
    /// Gives a message back that went no further than here: at once, or after the stop when the
    /// last receive has run out.
    pub fn give_back(&self, receipt: Receipt) {
        if self.stop.is_draining() {
            self.late.lock().unwrap_or_else(PoisonError::into_inner).push(receipt);
        } else {
            self.settle.release(receipt);
        }
    }

    /// Sends each message to its lane or to the dead letters. Each has its own part of the budget,
    /// as much again as it takes; what it needs beyond that comes from `room`, and those for which
    /// that is not enough are returned. What a receive in progress still brings after the stop goes
    /// back.
    #[must_use]
    pub fn take(&self, receipts: Vec<Receipt>, room: Permit) -> Vec<Receipt> {
        self.take_within(receipts, room, at_once)
    }

    /// The same for one that had outgrown its share, and has all of `room`.
    #[must_use]
    pub fn take_outgrown(&self, receipt: Receipt, room: Permit) -> Option<Receipt> {
        self.take_within(vec![receipt], room, |_| usize::MAX).pop()
    }

    /// `share_max`: what each may need of `room`.
    fn take_within(
        &self,
        receipts: Vec<Receipt>,
        mut room: Permit,
        share_max: fn(&QueueMessage) -> usize,
    ) -> Vec<Receipt> {
        let mut by_lane: Vec<(&Lane, Vec<Part>)> = Vec::new();
        let (mut outgrown, mut rejected) = (Vec::new(), Vec::new());
        let count = receipts.len();
        for (index, mut receipt) in receipts.into_iter().enumerate() {
            if self.stop.is_draining() {
                self.give_back(receipt);
                continue;
            }
            let share = (room.bytes() / (count - index)).min(share_max(&receipt.message));
            match self.prepare(&mut receipt, &mut room, share) {
                Ok(Routed { lane, write, .. }) => {
                    let part = Part { write, receipt, ending: Ending::Written };
                    if let Some((_, parts)) = by_lane.iter_mut().find(|(of, _)| of.is(lane)) {
                        parts.push(part);
                    } else {
                        // Most answers are for one lane.
                        let mut parts = Vec::with_capacity(count - index);
                        parts.push(part);
                        by_lane.push((lane, parts));
                    }
                }
                Err(Undecoded::Rejected(rejection)) => rejected.push((receipt, rejection)),
                Err(Undecoded::Outgrown) => {
                    receipt.enter(Stage::Room);
                    outgrown.push(receipt);
                }
            }
        }
        self.flood.routed(by_lane.iter().map(|(_, parts)| parts.len()).sum());
        for (lane, parts) in by_lane {
            lane.send(parts);
        }
        // Last: they are looked into once more, and no good message waits for that.
        for (receipt, rejection) in rejected {
            self.reject(receipt, &rejection);
        }
        outgrown
    }

    /// Sends a message to the dead letters. Its record is about as large as the message, and so has
    /// a part of the budget.
    pub fn reject(&self, receipt: Receipt, rejection: &Rejection) {
        self.rejects.send(RejectedIn::Intake, receipt, rejection);
    }

    /// Makes the write, within the message's own part of the budget and `share` bytes of `room`.
    fn prepare(
        &self,
        receipt: &mut Receipt,
        room: &mut Permit,
        share: usize,
    ) -> Result<Routed<'_, Lane>, Undecoded> {
        // The message is kept as it came, for its dead letter, beside what is made of it.
        let own = receipt.permit.bytes().saturating_sub(receipt.message.bytes());
        let record = decode_within(&receipt.message, &self.message, own + share)?;
        receipt.origin = Some(record.origin.clone());
        let destination = self.router.destination(&record);
        receipt.route = destination.as_ref().ok().map(|destination| Arc::clone(&destination.name));
        let routed = destination.and_then(|destination| destination.route(&record));
        if let Ok(routed) = &routed {
            let beyond = beyond(&routed.write, own, share)?;
            if !room.give(&mut receipt.permit, beyond) {
                return Err(Undecoded::Outgrown);
            }
        }
        // Not before: what is outgrown comes here once more.
        if let Some(Named { route, other: Some(other), .. }) = record.kind.named() {
            let message_id = &receipt.message.message_id;
            self.signals.emit(&TypesDisagreed { message_id, route, other });
        }
        Ok(routed?)
    }
}
