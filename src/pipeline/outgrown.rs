//! Messages that outgrow their share of the in-flight bytes: packed ones that unpack to a multiple,
//! or JSON that is larger as BSON. One at a time, each waits for the most that it may need, and
//! only then is decoded.
//!
//! Nothing waits for ever here. Receives leave the headroom of the budget alone, so they and the
//! messages that wait here never hold so much that one of these does not fit beside them. All other
//! messages that are held are in the lanes and behind them, where nothing asks the budget for
//! anything. They are written and settled, and their room is free; or the store is sick and the
//! gate closes. Then, as at a stop, what waits here goes back to the queue.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::yield_now;

use crate::budget::{Budget, Permit};
use crate::decode::Undecoded;
use crate::flow::Flow;
use crate::gate::{Gate, GateState};
use crate::message::{Receipt, Rejection};
use crate::telemetry::signals::Outgrown;

use super::intake::Intake;

pub(super) struct OutgrownContext {
    pub budget: Budget,
    /// What one message may need beyond its share: see [`Shares`](crate::budget::Shares).
    pub growth: usize,
    pub gate: Gate,
    pub intake: Arc<Intake>,
    pub flow: Flow,
}

/// Decodes whatever comes, until every way in is gone.
pub(super) async fn run(context: OutgrownContext, mut receipts: mpsc::UnboundedReceiver<Receipt>) {
    while let Some(receipt) = receipts.recv().await {
        let Some(room) = context.room().await else {
            context.intake.give_back(receipt);
            continue;
        };
        context.flow.signals.emit(&Outgrown { in_flight_bytes_peak: context.budget.peak().bytes });
        if let Some(receipt) = context.intake.take_outgrown(receipt, room) {
            // It had all that one message may have, and has it at every delivery.
            context.intake.reject(receipt, &Rejection::from(Undecoded::Outgrown));
        }
        // Each may take a hundredth of a second to read, and there may be thousands.
        yield_now().await;
    }
}

impl OutgrownContext {
    /// Waits for room; `None` where the message is to be given back.
    async fn room(&self) -> Option<Permit> {
        loop {
            let state = self.gate.state();
            if state == GateState::Shut || self.flow.stop.is_draining() {
                return None;
            }
            tokio::select! {
                biased;
                () = self.flow.stop.draining() => {}
                _ = self.gate.left(state) => {}
                // Decoded while the gate is closed, it would wait in its lane, for nothing.
                room = self.budget.grow(self.growth), if state == GateState::Open => return Some(room),
            }
        }
    }
}
