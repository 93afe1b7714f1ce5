//! The only place that joins the stages. Generic over [`Queue`] and [`Store`]: it knows neither SQS
//! nor MongoDB, and a simulation runs this very code.

pub mod dry_run;
mod intake;
mod outgrown;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::brake::Brake;
use crate::budget::Budget;
use crate::config::Config;
use crate::config::shares::shares;
use crate::dead_letter::Rejects;
use crate::flow::Flow;
use crate::gate::Gate;
use crate::held::Held;
use crate::lane::{self, Evidence, Lane, LaneContext, Searches, Waiters};
use crate::queue::pollers::{self, PollersContext};
use crate::queue::{Queue, QueueTraits, visibility};
use crate::route::Router;
use crate::settle::{self, Settle, SettleContext};
use crate::store::Collection;
use crate::store::Store;
use crate::telemetry::instruments::CollectionLabel;

use intake::Intake;
use outgrown::OutgrownContext;

/// Everything a pipeline runs on.
pub struct Pipeline<Q, S> {
    pub config: Arc<Config>,
    pub queue: Arc<Q>,
    pub queue_traits: QueueTraits,
    pub store: Arc<S>,
    pub flow: Flow,
    /// What is held; empty when [`Pipeline::run`] has returned.
    pub held: Held,
}

impl<Q: Queue, S: Store> Pipeline<Q, S> {
    /// Moves messages until `stop`, then drains: stages end in the order of the flow, each when its
    /// ways in are gone. Dropping the future is a crash: what is held comes back after its
    /// visibility timeout.
    ///
    /// # Panics
    /// Where `in_flight.bytes_max` cannot hold one message of the queue: nothing would ever be
    /// received. The loader and the worker refuse that.
    pub async fn run(self) {
        let gate = Gate::new(self.flow.signals.clone());
        let brake = Brake::default();
        let (settle, settlements) = Settle::new(self.queue_traits.visibility_timeout);
        let settling = settle::run(
            SettleContext {
                queue: Arc::clone(&self.queue),
                traits: self.queue_traits.clone(),
                brake: brake.clone(),
                flow: self.flow.clone(),
            },
            settlements,
        );
        let hiding = visibility::run(
            Arc::clone(&self.queue),
            self.held.clone(),
            self.queue_traits.visibility_timeout,
            self.flow.clone(),
        );

        let mut stages = JoinSet::new();
        let watchdog = self.flow.signals.watchdog().clone();
        stages.spawn(watchdog.watch("settle", settling));
        let hiding = tokio::spawn(watchdog.watch("visibility", hiding));
        // Aborted with this future, too.
        let mut hiding = AbortOnDrop(hiding);
        let (router, rejects) = self.start_lanes(&mut stages, &gate, &settle);
        let held = self.held.clone();
        let intake = Intake {
            message: self.config.message.clone(),
            router,
            rejects,
            settle,
            stop: self.flow.stop.clone(),
            signals: self.flow.signals.clone(),
            late: Mutex::default(),
        };
        self.start_receiving(&mut stages, gate, brake, intake);
        loop {
            let stage = tokio::select! {
                biased;
                stage = stages.join_next() => stage,
                // It never ends by itself.
                hiding = &mut hiding.0 => Some(hiding),
            };
            let Some(stage) = stage else { break };
            if let Err(error) = stage
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        drop(hiding);
        let forgotten = held.forgotten();
        if forgotten > 0 || !held.is_empty() {
            tracing::error!(
                forgotten,
                held = held.len(),
                "messages left unsettled, which is a bug: they come back after their visibility timeout"
            );
        }
    }

    /// One lane per collection, and the one for dead letters, which the others feed. Returns the
    /// ways into them.
    fn start_lanes(
        &self,
        stages: &mut JoinSet<()>,
        gate: &Gate,
        settle: &Settle,
    ) -> (Router<Lane>, Rejects) {
        let evidence = Arc::new(Evidence::default());
        let (dead_letter_lane, waiters) = Lane::new();
        let collection = self.config.dead_letter_collection();
        stages.spawn(self.lane(collection, waiters, gate, settle, None, &evidence));
        let arn = Arc::clone(&self.queue_traits.arn);
        let rejects = Rejects::new(arn, Arc::new(dead_letter_lane), self.flow.clone());
        let mut lanes = BTreeMap::new();
        for (name, collection) in &self.config.collections {
            let (lane, waiters) = Lane::new();
            stages.spawn(self.lane(
                collection.clone(),
                waiters,
                gate,
                settle,
                Some(rejects.clone()),
                &evidence,
            ));
            lanes.insert(name.as_str(), lane);
        }
        let (routes, skew_max) = (&self.config.routes, self.config.message.version_skew_max);
        // The loader makes the collections of the routes.
        (Router::new(routes, skew_max, |collection| lanes[collection].clone()), rejects)
    }

    fn lane(
        &self,
        collection: Collection,
        waiters: Waiters,
        gate: &Gate,
        settle: &Settle,
        rejects: Option<Rejects>,
        evidence: &Arc<Evidence>,
    ) -> impl Future<Output = ()> + use<Q, S> {
        let is_other = |other: &&Collection| other.name != collection.name;
        let others = self.config.collections.values().filter(is_other).cloned().collect();
        let context = LaneContext {
            store: Arc::clone(&self.store),
            label: CollectionLabel::new(&collection.name),
            collection: Arc::new(collection),
            batch: self.config.batch.clone(),
            gate: gate.clone(),
            settle: settle.clone(),
            rejects,
            others,
            is_confined: AtomicBool::default(),
            evidence: Arc::clone(evidence),
            searches: Searches::default(),
            flow: self.flow.clone(),
        };
        let name = format!("lane {}", context.collection.name);
        self.flow.signals.watchdog().watch(name, lane::run(context, waiters))
    }

    /// The pollers, with decode and route behind them. They and the stage of those that outgrow
    /// their share own the only ways into the lanes.
    fn start_receiving(self, stages: &mut JoinSet<()>, gate: Gate, brake: Brake, intake: Intake) {
        let in_flight = &self.config.in_flight;
        let message_bytes_max = self.queue_traits.message_bytes_max;
        let shares = shares(&self.config, message_bytes_max)
            .expect("the configuration has room for one message: see config::shares");
        let budget = Budget::shown_in(
            self.flow.signals.gauges(),
            in_flight.messages_max,
            in_flight.bytes_max,
            shares.growth,
        );
        let intake = Arc::new(intake);
        let (outgrown, to_grow) = mpsc::unbounded_channel();
        let growing = OutgrownContext {
            budget: budget.clone(),
            growth: shares.growth,
            gate: gate.clone(),
            intake: Arc::clone(&intake),
            flow: self.flow.clone(),
        };
        let watchdog = self.flow.signals.watchdog().clone();
        stages.spawn(watchdog.watch("room", outgrown::run(growing, to_grow)));
        let context = PollersContext {
            queue: self.queue,
            config: self.config.queue.clone(),
            traits: self.queue_traits,
            shares,
            budget,
            held: self.held,
            gate,
            brake,
            flow: self.flow,
        };
        let polling = pollers::run(context, move |receipts, room| {
            for receipt in intake.take(receipts, room) {
                // The stage ends after its ways in, so this fails only in a teardown, where
                // dropping is what happens.
                let _ = outgrown.send(receipt);
            }
        });
        stages.spawn(watchdog.watch("pollers", polling));
    }
}

/// A task that ends with its owner.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests;
