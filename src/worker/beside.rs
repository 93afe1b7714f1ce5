//! What a worker does beside its work: it tells how it is.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sd_notify::NotifyState;
use tokio::time::{Instant, sleep};

use crate::admin::{self, Health};
use crate::config::Config;
use crate::gauges::QueueMessages;
use crate::mongo_manager::MongoManager;
use crate::queue::QueueTraits;
use crate::queue::sqs::{Operation, QueueFacts, SqsQueue};
use crate::stop::Stop;
use crate::telemetry::metrics::{Connections, Sources};
use crate::telemetry::otlp::Otlp;
use crate::telemetry::signals::Signals;

/// Between questions about how many messages the queue has: 44,640 requests a month, two cents.
const DEPTH_EVERY: Duration = Duration::from_mins(1);

/// The same while messages wait or flow, or the gate is closed, when somebody may be looking: ten cents for a month of it.
const DEPTH_EVERY_WHILE_THEY_FLOW: Duration = Duration::from_secs(10);

/// What is read where it stands when somebody asks for the metrics.
pub(super) fn sources(
    facts: &QueueFacts,
    health: Health,
    queue: &SqsQueue,
    manager: &MongoManager,
    otlp: &Otlp,
) -> Sources {
    let (calls, manager) = (Arc::clone(queue.calls()), manager.clone());
    let api_requests = move || {
        let named = [Operation::Receive, Operation::Delete, Operation::ChangeVisibility];
        let mut requests: Vec<_> =
            named.iter().map(|operation| (operation.name(), calls.of(*operation))).collect();
        // Summed up, not what is left of the total: a call in between would count among these once,
        // and the next time not.
        requests.push(("other", calls.of(Operation::Send) + calls.of(Operation::GetAttributes)));
        requests
    };
    let connections = move || {
        let counts = manager.pool_counts();
        let used = counts.in_use();
        Connections {
            used,
            idle: counts.open().saturating_sub(used),
            timeouts: counts.checkouts_failed_total,
        }
    };
    Sources {
        destination: facts.name().into(),
        fifo: facts.fifo,
        held: health.held.clone(),
        api_requests: Arc::new(api_requests),
        connections: Arc::new(connections),
        spans_dropped: otlp.spans_dropped(),
        metric_exports_failed: otlp.metric_exports_failed(),
        is_stuck: Arc::new(move || !health.stuck().is_empty()),
    }
}

pub(super) fn queue_messages(facts: &QueueFacts) -> QueueMessages {
    QueueMessages {
        visible: facts.messages,
        in_flight: facts.messages_in_flight,
        delayed: facts.messages_delayed,
        asked_at: Timestamp::now(),
    }
}

/// Asks the queue how many messages it has. Dropped with the worker.
pub(super) async fn ask_for_depth(queue: Arc<SqsQueue>, signals: Signals) {
    let received = || signals.counters().received_total.get();
    let (mut asked, mut received_then) = (Instant::now(), received());
    loop {
        sleep(DEPTH_EVERY_WHILE_THEY_FLOW).await;
        let gauges = signals.gauges();
        let waits_any = gauges.queue_messages().is_none_or(|said| said.visible > 0);
        // Behind a closed gate they gather, and nothing else tells of them.
        let is_of_interest =
            waits_any || received() != received_then || gauges.gate_open.get() == 0;
        if !is_of_interest && asked.elapsed() < DEPTH_EVERY {
            continue;
        }
        (asked, received_then) = (Instant::now(), received());
        let facts = queue.facts().await;
        // What cannot be asked is told by the receives, which fail too.
        signals.gauges().set_queue_messages(facts.ok().as_ref().map(queue_messages));
    }
}

/// At a stop: an idle worker would stand there for seconds without a word.
pub(super) fn say_what_a_stop_waits_for(signals: &Signals, wait: Duration) {
    if signals.gauges().receives.asked() > 0 {
        tracing::info!(
            "a receive is open at the queue and waited for, up to {wait:?} (queue.wait): to cancel it could hide messages from everyone until \
             their visibility timeout. A second signal does not wait, and gives back what is held"
        );
    }
}

/// Tells systemd that the worker is ready, that it is alive while no task is stuck, and that it
/// stops. Nothing where it does not listen (`NOTIFY_SOCKET`, `WATCHDOG_USEC`).
pub(super) async fn tell_systemd(health: Health, stop: Stop) {
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    let every = sd_notify::watchdog_enabled().map_or(Duration::MAX, |patience| patience / 2);
    // A drain is bounded by worker.drain_timeout, but may take longer than the watchdog's patience.
    let mut is_draining = false;
    loop {
        tokio::select! {
            () = stop.draining(), if !is_draining => {
                is_draining = true;
                let _ = sd_notify::notify(&[NotifyState::Stopping]);
            }
            () = sleep(every) => {}
        }
        if health.stuck().is_empty() {
            let _ = sd_notify::notify(&[NotifyState::Watchdog]);
        }
    }
}

/// What the status page says of the worker, once and for all.
pub(super) fn view_facts(
    config: &Config,
    queue_traits: &QueueTraits,
    database: &str,
    settings: Vec<[String; 3]>,
) -> admin::Facts {
    admin::Facts {
        queue_arn: queue_traits.arn.to_string(),
        visibility_timeout: queue_traits.visibility_timeout,
        database: database.to_owned(),
        dead_letters: config.dead_letter_collection().name,
        show_bodies: config.admin.show_bodies,
        routes: config.routes.keys().cloned().collect(),
        settings,
    }
}
