//! From a receive to the lanes: decode, route, or refuse. Nothing here waits.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::config::MessageConfig;
use crate::decode::decode;
use crate::message::{Ending, Part, Receipt, Rejection};
use crate::route::{Routed, Router};
use crate::settle::Settle;
use crate::stop::Stop;

use super::Lanes;

pub(super) struct Intake {
    pub message: MessageConfig,
    pub router: Router,
    pub lanes: Lanes,
    pub settle: Settle,
    pub stop: Stop,
    /// What came after the stop. It is given back when the last receive has run out, or that would bring it straight back and
    /// burn a count of each.
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
    /// Sends each message to its lane or to the dead letters. What a receive in progress still brings after the stop goes
    /// back.
    pub fn take(&self, receipts: Vec<Receipt>) {
        let mut parts: BTreeMap<_, Vec<Part>> = BTreeMap::new();
        for mut receipt in receipts {
            if self.stop.is_draining() {
                self.late.lock().unwrap_or_else(PoisonError::into_inner).push(receipt);
                continue;
            }
            match self.prepare(&mut receipt) {
                Ok(routed) => {
                    let part = Part { write: routed.write, receipt, ending: Ending::Written };
                    parts.entry(routed.lane).or_default().push(part);
                }
                Err(rejection) => self.lanes.rejects.send(receipt, &rejection),
            }
        }
        for (lane, parts) in parts {
            match self.lanes.by_collection.get(lane) {
                Some(lane) => lane.send(parts),
                // The configuration gives every route's collection a lane.
                None => parts.into_iter().for_each(|part| self.settle.leave(part.receipt)),
            }
        }
    }

    fn prepare(&self, receipt: &mut Receipt) -> Result<Routed, Rejection> {
        let record = decode(&receipt.message, &self.message)?;
        // The message is kept as it came, for its dead letter, beside what was made of it.
        receipt.permit.resize(receipt.message.bytes() + record.bytes);
        receipt.route = self.router.name(&record);
        receipt.origin = Some(record.origin.clone());
        self.router.route(&record)
    }
}
