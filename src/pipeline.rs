//! The only place that joins the stages. Generic over [`Queue`] and [`Store`]: it knows neither SQS
//! nor MongoDB, and a simulation runs this very code.

pub mod dry_run;
mod glimpses;
mod intake;
mod outgrown;
pub mod trial;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::budget::Budget;
use crate::config::Config;
use crate::config::shares::shares;
use crate::dead_letter::new_groups::NewGroups;
use crate::dead_letter::{self, Home, KeptIn, QueueHome, Rejects, SendContext, SourceHome};
use crate::flood::FloodWatch;
use crate::flow::Flow;
use crate::gate::Gate;
use crate::held::Held;
use crate::lane::{self, Evidence, Lane, LaneContext, Searches};
use crate::queue::pollers::{self, Arrival, PollersContext};
use crate::queue::{Queue, QueueTraits, visibility};
use crate::route::Router;
use crate::settle::{self, Settle, SettleContext};
use crate::store::Collection;
use crate::store::Store;
use crate::telemetry::instruments::CollectionLabel;
use crate::telemetry::signals::Signals;

use glimpses::Looks;
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
    /// Where the groups of dead letters are told, so that new ones are found.
    pub new_groups: NewGroups,
    /// What becomes of refused messages.
    pub letters: KeptIn,
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
        let flood = FloodWatch::default();
        let (settle, settlements) = Settle::new(self.queue_traits.visibility_timeout);
        let settling = settle::run(
            SettleContext {
                queue: Arc::clone(&self.queue),
                traits: self.queue_traits.clone(),
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
        // Neither ends by itself, and both are aborted with this future.
        let mut beside = JoinSet::new();
        beside.spawn(watchdog.watch("visibility", hiding));
        let signals = self.flow.signals.clone();
        beside.spawn(watchdog.watch("telling", tell(flood.clone(), signals.clone())));
        let (router, rejects) = self.start_lanes(&mut stages, &gate, &settle, &flood);
        let held = self.held.clone();
        let intake = Intake {
            message: self.config.message.clone(),
            router,
            rejects,
            settle,
            flood,
            stop: self.flow.stop.clone(),
            signals: self.flow.signals.clone(),
            late: Mutex::default(),
        };
        self.start_receiving(&mut stages, gate, intake);
        loop {
            let stage = tokio::select! {
                biased;
                stage = stages.join_next() => stage,
                task = beside.join_next() => task,
            };
            let Some(stage) = stage else { break };
            if let Err(error) = stage
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        drop(beside);
        signals.folds().tell();
        let forgotten = held.forgotten();
        if forgotten > 0 || !held.is_empty() {
            tracing::error!(
                forgotten,
                held = held.len(),
                "messages were neither deleted nor given back, which is a bug in longshore: they are received again after their visibility timeout"
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
        flood: &FloodWatch,
    ) -> (Router<Lane>, Rejects) {
        let evidence = Arc::new(Evidence::default());
        let collections: Arc<[_]> =
            self.config.collections.values().cloned().map(Arc::new).collect();
        let start = |stages: &mut JoinSet<()>, collection: Arc<Collection>, rejects| {
            let (lane, waiters) = Lane::new();
            let name = format!("lane {}", collection.name);
            let context = LaneContext {
                store: Arc::clone(&self.store),
                label: CollectionLabel::new(&collection.name),
                collection,
                batch: self.config.batch.clone(),
                gate: gate.clone(),
                settle: settle.clone(),
                rejects,
                collections: Arc::clone(&collections),
                is_confined: AtomicBool::default(),
                evidence: Arc::clone(&evidence),
                searches: Searches::default(),
                flow: self.flow.clone(),
            };
            let watchdog = self.flow.signals.watchdog();
            stages.spawn(watchdog.watch(name, lane::run(context, waiters)));
            lane
        };
        let dead_letters = start(stages, Arc::new(self.config.dead_letter_collection()), None);
        let arn = Arc::clone(&self.queue_traits.arn);
        let (home, flow) = (self.home(dead_letters, stages, gate, settle), self.flow.clone());
        let looks = Arc::new(Looks(Arc::clone(&self.config)));
        let rejects = Rejects::new(arn, looks, home, settle.clone(), flood.clone(), flow)
            .told_to(self.new_groups.clone());
        let lanes: BTreeMap<&str, Lane> = collections
            .iter()
            .map(|collection| {
                let lane = start(stages, Arc::clone(collection), Some(rejects.clone()));
                (collection.name.as_str(), lane)
            })
            .collect();
        let (routes, skew_max) = (&self.config.routes, self.config.message.version_skew_max);
        // The loader makes the collections of the routes.
        (Router::new(routes, skew_max, |collection| lanes[collection].clone()), rejects)
    }

    /// Where dead letters are kept: in their collection, or in a queue, and what that does not take in
    /// the collection; or nowhere but where the messages came from.
    fn home(
        &self,
        lane: Lane,
        stages: &mut JoinSet<()>,
        gate: &Gate,
        settle: &Settle,
    ) -> Arc<dyn Home> {
        let collection: Arc<dyn Home> = Arc::new(lane);
        let to = match &self.letters {
            KeptIn::Collection => return collection,
            KeptIn::Source(told) => {
                return Arc::new(SourceHome::new(Arc::clone(told), settle.clone()));
            }
            KeptIn::Queue(to) => to.clone(),
        };
        let (home, letters) = QueueHome::new(&to, Arc::clone(&collection));
        let context = SendContext {
            is_away: AtomicBool::new(!to.has_answered),
            to,
            collection,
            gate: gate.clone(),
            settle: settle.clone(),
            flow: self.flow.clone(),
        };
        let sending = dead_letter::send_letters(context, letters);
        stages.spawn(self.flow.signals.watchdog().watch("dead letters", sending));
        Arc::new(home)
    }

    /// The pollers, with decode and route behind them. They and the stage of those that outgrow
    /// their share own the only ways into the lanes.
    fn start_receiving(self, stages: &mut JoinSet<()>, gate: Gate, intake: Intake) {
        let in_flight = &self.config.in_flight;
        let message_bytes_max = self.queue_traits.message_bytes_max;
        let shares = shares(&self.config, message_bytes_max)
            .expect("the configuration has room for one message: see config::shares");
        let budget = Budget::shown_in(
            self.flow.signals.gauges(),
            in_flight.messages_max,
            in_flight.bytes_max,
            shares.growth,
            if self.queue.tells_size() { shares.spare } else { 0 },
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
            flow: self.flow,
        };
        let polling = pollers::run(context, move |arrival| match arrival {
            Arrival::Read(receipts, room) => {
                for receipt in intake.take(receipts, room) {
                    // The stage ends after its ways in, so this fails only in a teardown, where
                    // dropping is what happens.
                    let _ = outgrown.send(receipt);
                }
            }
            Arrival::Unread(receipts) => {
                for receipt in receipts {
                    intake.give_back(receipt);
                }
            }
        });
        stages.spawn(watchdog.watch("pollers", polling));
    }
}

/// Tells when a flood is over, and what is folded in the log. Never ends by itself.
async fn tell(flood: FloodWatch, signals: Signals) {
    tokio::join!(flood.run(signals.clone()), signals.folds().run());
}

#[cfg(test)]
mod tests;
