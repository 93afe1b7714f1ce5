//! What is counted anyway, read where it stands when somebody asks for the metrics.

use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};

use super::sources::{Connections, Sources};
use crate::gauges::{FloodNow, Gauges, IndexesMissing, NewGroup};
use crate::held::{Held, Stage};
use crate::telemetry::counters::Counters;
use crate::telemetry::instruments::destination_attributes;

/// Registers all of it.
pub(super) fn observe(
    meter: &Meter,
    counters: &Arc<Counters>,
    gauges: &Arc<Gauges>,
    sources: &Sources,
) {
    observe_counters(meter, counters);
    observe_dead_letters(meter, counters, gauges);
    observe_gauges(meter, gauges, &sources.held);
    observe_sources(meter, counters, sources);
    observe_process(meter);
}

fn observe_counters(meter: &Meter, counters: &Arc<Counters>) {
    for counter in Counters::ALL {
        let (counters, of) = (Arc::clone(counters), counter.of);
        let (name, help) = (format!("longshore.{}", counter.short_name()), counter.help());
        let is_peak = of(&counters).is_peak();
        let observe = move |observer: &dyn AsyncInstrument<u64>| {
            of(&counters).each(&mut |count, labels| {
                let labels: Vec<_> = labels
                    .iter()
                    .map(|(key, value)| KeyValue::new(*key, (*value).to_owned()))
                    .collect();
                observer.observe(count, &labels);
            });
        };
        if is_peak {
            meter.u64_observable_gauge(name).with_description(help).with_callback(observe).build();
        } else {
            meter
                .u64_observable_counter(name)
                .with_description(help)
                .with_callback(observe)
                .build();
        }
    }
}

/// What is rejected, by names that are not known before: how many there may be is bounded where they are
/// kept.
fn observe_dead_letters(meter: &Meter, counters: &Arc<Counters>, gauges: &Arc<Gauges>) {
    let senders = Arc::clone(counters);
    meter
        .u64_observable_counter("longshore.dead_lettered_by_sender")
        .with_description("Messages whose dead letter is durable, by sender (the SenderId before the colon): the first ten since the start by their ids, the rest as other, and unknown where the queue does not say it.")
        .with_callback(move |observer| {
            for (sender, count) in senders.dead_letter_senders.all() {
                observer.observe(count, &[KeyValue::new("sender", sender)]);
            }
        })
        .build();
    let groups = Arc::clone(gauges);
    meter
        .u64_observable_gauge("longshore.dead_letter_group_new_timestamp")
        .with_unit("s")
        .with_description("When a group of dead letters was found to be new, in seconds since the epoch, by its id and reason: the last hundred since the start.")
        .with_callback(move |observer| {
            for NewGroup { group, reason, at_s } in groups.new_groups() {
                observer.observe(at_s, &[KeyValue::new("group", group), KeyValue::new("reason", reason)]);
            }
        })
        .build();
}

fn observe_gauges(meter: &Meter, gauges: &Arc<Gauges>, held: &Held) {
    for (name, description, gauge) in Gauges::NAMED {
        let gauges = Arc::clone(gauges);
        meter
            .u64_observable_gauge(format!("longshore.{name}"))
            .with_description(description.trim())
            .with_callback(move |observer| observer.observe(gauge(&gauges).get(), &[]))
            .build();
    }
    let missing = Arc::clone(gauges);
    meter
        .u64_observable_gauge("longshore.indexes_missing")
        .with_description("Declared indexes that are not there, by collection: the unique one on its key, and others.")
        .with_callback(move |observer| {
            for (collection, IndexesMissing { key, other }) in missing.indexes_missing() {
                for (index, count) in [("key", key), ("other", other)] {
                    observer.observe(count, &[KeyValue::new("db.collection.name", collection.clone()), KeyValue::new("index", index)]);
                }
            }
        })
        .build();
    let flood = Arc::clone(gauges);
    meter
        .u64_observable_gauge("longshore.flood")
        .with_description("1 from when over half of the last messages are rejected for one reason until less than a quarter are, with the route that most of them are for; 0 without labels otherwise.")
        .with_callback(move |observer| {
            let Some(FloodNow { reason, route, .. }) = flood.flood() else {
                return observer.observe(0, &[]);
            };
            let route = route.as_deref().unwrap_or_default().to_owned();
            observer.observe(1, &[KeyValue::new("reason", reason), KeyValue::new("route", route)]);
        })
        .build();
    let (age, held) = (Arc::clone(gauges), held.clone());
    meter
        .f64_observable_gauge("longshore.oldest_message_age")
        .with_unit("s")
        .with_description(
            "How long the oldest message has waited that is known to wait: the oldest of the last receive, 0 after an empty one, and the time since while nothing is received.",
        )
        .with_callback(move |observer| {
            observer.observe(age.receives.oldest_age(held.oldest()).age.as_secs_f64(), &[]);
        })
        .build();
    let queue = Arc::clone(gauges);
    meter
        .u64_observable_gauge("longshore.queue_messages")
        .with_description("Messages of the queue by its own account, which is approximate, asked for every 10 s while messages wait, are received or the gate is closed, and otherwise once a minute.")
        .with_callback(move |observer| {
            let Some(messages) = queue.queue_messages() else { return };
            for (state, count) in [("visible", messages.visible), ("in_flight", messages.in_flight), ("delayed", messages.delayed)] {
                observer.observe(count, &[KeyValue::new("state", state)]);
            }
        })
        .build();
}

fn observe_sources(meter: &Meter, counters: &Arc<Counters>, sources: &Sources) {
    let (received, destination) =
        (Arc::clone(counters), destination_attributes(&sources.destination));
    meter
        .u64_observable_counter("messaging.client.consumed.messages")
        .with_unit("{message}")
        .with_description("Number of messages that were delivered to the application.")
        .with_callback(move |observer| {
            let [system, destination] = destination.clone();
            observer.observe(
                received.received_total.get(),
                &[system, destination, KeyValue::new("messaging.operation.name", "receive")],
            );
        })
        .build();
    let held = sources.held.clone();
    meter
        .u64_observable_gauge("longshore.stage_messages")
        .with_description("Messages that are held, by how far they are.")
        .with_callback(move |observer| {
            for (stage, count) in held.by_stage() {
                observer.observe(count as u64, &[KeyValue::new("stage", Stage::name(stage))]);
            }
        })
        .build();
    let requests = Arc::clone(&sources.api_requests);
    meter
        .u64_observable_counter("longshore.api_requests")
        .with_description(
            "Requests to the queue, failed ones included: what AWS bills, in parts of 64 KiB.",
        )
        .with_callback(move |observer| {
            for (operation, count) in requests() {
                observer.observe(count, &[KeyValue::new("messaging.operation.name", operation)]);
            }
        })
        .build();
    let cost = sources.clone();
    meter
        .f64_observable_counter("longshore.api_cost_dollars")
        .with_description("Requests to the queue at AWS's list price, each counted once.")
        .with_callback(move |observer| observer.observe(cost.api_cost_dollars(), &[]))
        .build();
    observe_connections(meter, sources);
    observe_health(meter, sources);
}

fn observe_connections(meter: &Meter, sources: &Sources) {
    let connections = Arc::clone(&sources.connections);
    meter
        .u64_observable_gauge("db.client.connection.count")
        .with_unit("{connection}")
        .with_description("The number of connections that are currently in the state that is told by the attribute.")
        .with_callback(move |observer| {
            let Connections { used, idle, .. } = connections();
            for (state, count) in [("used", used), ("idle", idle)] {
                observer.observe(count, &[KeyValue::new("db.client.connection.state", state)]);
            }
        })
        .build();
    let connections = Arc::clone(&sources.connections);
    meter
        .u64_observable_counter("db.client.connection.timeouts")
        .with_unit("{timeout}")
        .with_description("The number of times that no connection could be had of the pool.")
        .with_callback(move |observer| observer.observe(connections().timeouts, &[]))
        .build();
}

fn observe_health(meter: &Meter, sources: &Sources) {
    let is_stuck = Arc::clone(&sources.is_stuck);
    meter
        .u64_observable_gauge("longshore.task_stuck")
        .with_description("1 while the watchdog finds a task stuck: /livez fails then.")
        .with_callback(move |observer| observer.observe(u64::from(is_stuck()), &[]))
        .build();
    let failed = Arc::clone(&sources.metric_exports_failed);
    meter
        .u64_observable_counter("longshore.metric_exports_failed")
        .with_description(
            "Exports of metrics that the collector did not take; the next one has all of it.",
        )
        .with_callback(move |observer| observer.observe(failed(), &[]))
        .build();
    let dropped = Arc::clone(&sources.spans_dropped);
    meter
        .u64_observable_counter("longshore.spans_dropped")
        .with_description("Spans that were not sent: the collector did not keep up, refused them, or was not there.")
        .with_callback(move |observer| observer.observe(dropped(), &[]))
        .build();
}

fn observe_process(meter: &Meter) {
    let started =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    meter
        .f64_observable_gauge("longshore.start_time")
        .with_unit("s")
        .with_description("When the worker started, in seconds since the epoch.")
        .with_callback(move |observer| observer.observe(started, &[]))
        .build();
    meter
        .u64_observable_gauge("longshore.build_info")
        .with_description("1, with the version of the program.")
        .with_callback(|observer| {
            observer.observe(1, &[KeyValue::new("version", env!("CARGO_PKG_VERSION"))]);
        })
        .build();
}
