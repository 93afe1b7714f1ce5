//! Nanoseconds per message of the pure stages, decode and route, on the portal's load: to compare
//! two versions of them, and small enough for a profiler that makes everything fifty times slower.
//! Then nanoseconds per byte of bodies that are meant to be costly, at two sizes: where the second
//! column is the greater by far, something is not linear.

use std::hint::black_box;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
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
    let router = Router::new(&config.routes, config.message.version_skew_max, |_| ());
    println!("{:10} {:>10} {:>12} {:>12}", "type", "messages", "decode ns", "route ns");
    let all = portal::delivered(&portal::load(SEED, MESSAGES));
    for kind in ["event", "session", "cache"] {
        // By what they are: one that cannot be read has none, and its price is another.
        let mut messages = all.clone();
        messages.retain(|message| {
            decode(message, &config.message).is_ok_and(|record| record.kind.route() == Some(kind))
        });
        let records: Vec<Record> =
            messages.iter().filter_map(|message| decode(message, &config.message).ok()).collect();
        let decoding =
            fastest(ROUNDS, &messages, |message| drop(black_box(decode(message, &config.message))));
        let routing = fastest(ROUNDS, &records, |record| drop(black_box(router.route(record))));
        println!(
            "{kind:10} {:>10} {:>12.0} {:>12.0}",
            messages.len(),
            nanos_each(decoding, messages.len()),
            nanos_each(routing, records.len())
        );
    }
    print_costly();
}

/// Sizes of costly bodies, in bytes.
const COSTLY: [usize; 2] = [64 * 1_024, 1_024 * 1_024];

/// Rounds for costly bodies.
const COSTLY_ROUNDS: usize = 5;

/// Bodies of about `bytes`, with what they are.
fn costly(bytes: usize) -> Vec<(&'static str, QueueMessage)> {
    let of = |body: String| QueueMessage { body, ..QueueMessage::default() };
    let filled = |before: &str, unit: &str, after: &str| {
        of(format!("{before}{}{after}", unit.repeat(bytes / unit.len())))
    };
    let names = |name: fn(usize) -> String| (0..bytes / 12).map(name).collect::<Vec<_>>().join(",");
    let empty_member = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut packed = of(STANDARD.encode(empty_member.repeat(bytes * 3 / 4 / empty_member.len())));
    packed.attributes.push(("content-encoding".to_owned(), Attribute::Text("gzip".to_owned())));
    vec![
        ("array of 0", filled("{\"v\":[", "0,", "0]}")),
        ("array of -0", filled("{\"v\":[", "-0,", "0]}")),
        ("array of 1e30", filled("{\"v\":[", "1e30,", "0]}")),
        ("one number", filled("{\"v\":0.", "7", "}")),
        ("one decimal", filled("{\"v\":{\"$numberDecimal\":\"", "0", "1\"}}")),
        ("escapes", filled("{\"v\":\"", "\\u0000", "\"}")),
        ("names", of(format!("{{{}}}", names(|number| format!("\"{number:07}\":0"))))),
        ("one name", of(format!("{{{}}}", names(|_| "\"1234567\":0".to_owned())))),
        ("levels", filled("{\"v\":", "[", "")),
        ("empty objects", filled("{\"v\":[", "{\"a\":{}},", "0]}")),
        ("empty members of gzip", packed),
    ]
}

fn print_costly() {
    let config = defaults();
    println!(
        "\n{:24} {:>14} {:>14}",
        "ns per byte, decode",
        format!("{} KiB", COSTLY[0] / 1_024),
        format!("{} KiB", COSTLY[1] / 1_024)
    );
    let [small, large] = COSTLY.map(costly);
    for ((what, small), (_, large)) in small.iter().zip(&large) {
        let each = [small, large].map(|message| {
            let time = fastest(COSTLY_ROUNDS, std::slice::from_ref(message), |message| {
                drop(black_box(decode(message, &config.message)));
            });
            nanos_each(time, message.body.len())
        });
        println!("{what:24} {:>14.1} {:>14.1}", each[0], each[1]);
    }
}

/// The shortest time for all of `items`.
fn fastest<T>(rounds: usize, items: &[T], mut work: impl FnMut(&T)) -> Duration {
    let mut round = || {
        let started = Instant::now();
        for item in items {
            work(black_box(item));
        }
        started.elapsed()
    };
    (0..rounds).map(|_| round()).min().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "counts of thousands")]
fn nanos_each(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e9 / count.max(1) as f64
}
