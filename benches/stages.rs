//! Nanoseconds per message of the pure stages, decode and route, on the portal's load: to compare two versions of them, and
//! small enough for a profiler that makes everything fifty times slower.

use std::hint::black_box;
use std::time::Duration;

use longshore::config::load::defaults;
use longshore::decode::decode;
use longshore::dev::portal;
use longshore::message::{Attribute, QueueMessage, Record};
use longshore::route::Router;
use tokio::time::Instant;

const SEED: u64 = 81;

const MESSAGES: usize = 10_000;

/// Of which the fastest counts: what is slower was disturbed.
const ROUNDS: usize = 30;

fn main() {
    let config = defaults();
    let router = Router::new(&config);
    println!("{:10} {:>10} {:>12} {:>12}", "type", "messages", "decode ns", "route ns");
    let all = messages();
    for kind in ["event", "session", "cache"] {
        // By what they are: one that cannot be read has none, and its price is another.
        let mut messages = all.clone();
        messages.retain(|message| decode(message, &config.message).is_ok_and(|record| record.kind == kind));
        let records: Vec<Record> = messages.iter().filter_map(|message| decode(message, &config.message).ok()).collect();
        let decoding = fastest(&messages, |message| drop(black_box(decode(message, &config.message))));
        let routing = fastest(&records, |record| drop(black_box(router.route(record))));
        println!(
            "{kind:10} {:>10} {:>12.0} {:>12.0}",
            messages.len(),
            nanos_each(decoding, messages.len()),
            nanos_each(routing, records.len())
        );
    }
}

fn messages() -> Vec<QueueMessage> {
    let load = portal::load(SEED, MESSAGES);
    let message = |(number, sent): (usize, portal::PortalMessage)| QueueMessage {
        message_id: format!("00000000-0000-4000-8000-{number:012x}"),
        receipt_handle: "handle".into(),
        body: sent.body,
        attributes: sent.attributes.into_iter().map(|(name, value)| (name, Attribute::Text(value))).collect(),
        // After every time in the load.
        sent_ms: 1_800_000_000_000,
        receive_count: 1,
        fifo: None,
        trace_header: None,
    };
    load.messages.into_iter().enumerate().map(message).collect()
}

/// The shortest time for all of `items`.
fn fastest<T>(items: &[T], mut work: impl FnMut(&T)) -> Duration {
    let mut round = || {
        let started = Instant::now();
        for item in items {
            work(black_box(item));
        }
        started.elapsed()
    };
    (0..ROUNDS).map(|_| round()).min().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "counts of thousands")]
fn nanos_each(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e9 / count.max(1) as f64
}
