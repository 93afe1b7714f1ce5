//! What a worker does beside its work: it tells how it is.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sd_notify::NotifyState;
use tokio::time::sleep;

use crate::admin::Health;
use crate::gauges::QueueMessages;
use crate::held::Held;
use crate::mongo_manager::MongoManager;
use crate::queue::sqs::{Operation, QueueFacts, SqsQueue};
use crate::stop::Stop;
use crate::telemetry::metrics::{Connections, Sources};
use crate::telemetry::otlp::Otlp;
use crate::telemetry::signals::Signals;

/// Between questions about how many messages the queue has: 44,640 requests a month, two cents.
const DEPTH_EVERY: Duration = Duration::from_mins(1);

/// What is read where it stands when somebody asks for the metrics.
pub(super) fn sources(facts: &QueueFacts, held: &Held, queue: &SqsQueue, manager: &MongoManager, otlp: &Otlp) -> Sources {
    let (calls, manager) = (Arc::clone(queue.calls()), manager.clone());
    let api_requests = move || {
        let named = [Operation::Receive, Operation::Delete, Operation::ChangeVisibility];
        let mut requests: Vec<_> = named.iter().map(|operation| (operation.name(), calls.of(*operation))).collect();
        let others = calls.total().saturating_sub(requests.iter().map(|(_, count)| count).sum());
        requests.push(("other", others));
        requests
    };
    let connections = move || {
        let counts = manager.pool_counts();
        let used = counts.in_use();
        Connections { used, idle: counts.open().saturating_sub(used), timeouts: counts.checkouts_failed_total }
    };
    Sources {
        destination: facts.arn.rsplit(':').next().unwrap_or_default().into(),
        fifo: facts.fifo,
        held: held.clone(),
        api_requests: Arc::new(api_requests),
        connections: Arc::new(connections),
        spans_dropped: otlp.dropped(),
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

/// Asks the queue once a minute how many messages it has. Dropped with the worker.
pub(super) async fn ask_for_depth(queue: Arc<SqsQueue>, signals: Signals) {
    loop {
        sleep(DEPTH_EVERY).await;
        let facts = queue.facts().await;
        // What cannot be asked is told by the receives, which fail too.
        signals.gauges().set_queue_messages(facts.ok().as_ref().map(queue_messages));
    }
}

/// Tells systemd that the worker is ready, that it is alive while no task is stuck, and that it stops. Nothing where it does not
/// listen (`NOTIFY_SOCKET`, `WATCHDOG_USEC`).
pub(super) async fn tell_systemd(health: Health, stop: Stop) {
    let _ = sd_notify::notify(&[NotifyState::Ready]);
    let every = sd_notify::watchdog_enabled().map_or(Duration::MAX, |patience| patience / 2);
    loop {
        tokio::select! {
            () = stop.draining() => break,
            () = sleep(every) => if health.stuck().is_empty() {
                let _ = sd_notify::notify(&[NotifyState::Watchdog]);
            }
        }
    }
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    // A drain is bounded by worker.drain_timeout, but may take longer than the watchdog's patience.
    loop {
        sleep(every).await;
        let _ = sd_notify::notify(&[NotifyState::Watchdog]);
    }
}
