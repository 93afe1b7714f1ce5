//! The same faults at length: all kinds in random order, at random moments, for random times, again
//! and again.

use std::env;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;

use super::table::{Row, table};
use super::world::Setting;
use super::{database, queue, replica_set, workers};

/// Where `MINUTES` does not say otherwise.
const MINUTES: u64 = 10;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Database(database::Fault),
    Workers(workers::Fault),
    /// All faults of the queue, in a mixture of their own.
    Queue,
}

/// Of a round: there are nine faults in the mixture.
const QUEUE_MIXTURES: usize = 3;

/// Every kind that can be had on this machine.
fn kinds() -> Vec<Kind> {
    let database = database::Fault::ALL.into_iter().filter(|fault| {
        let can_be_had = fault.can_be_had();
        if !can_be_had {
            println!("NOT RUN: {}: it needs prlimit, which is Linux's", fault.name());
        }
        can_be_had
    });
    database
        .map(Kind::Database)
        .chain(workers::Fault::ALL.map(Kind::Workers))
        .chain([Kind::Queue; QUEUE_MIXTURES])
        .collect()
}

async fn endure(kind: Kind, random: &mut fastrand::Rng) -> Row {
    let setting =
        Setting { seed: random.u64(..), messages: random.usize(600..3_000), ..Setting::default() };
    match kind {
        Kind::Database(fault) => {
            let longest = if fault.takes_the_set_down() { 60_000 } else { 8_000 };
            database::endure(fault, Duration::from_millis(random.u64(200..longest)), setting).await
        }
        Kind::Queue => queue::mixture(&*replica_set::shared().await, setting.seed).await,
        Kind::Workers(fault) => {
            workers::endure(fault, Duration::from_millis(random.u64(0..2_000)), setting).await
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is {text:?}: it must be a whole number")),
    )
}

#[tokio::test]
#[ignore = "takes as long as one likes: make chaos MINUTES=10"]
async fn at_length() {
    let length = Duration::from_mins(number("MINUTES").unwrap_or(MINUTES));
    let seed = number("SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("the same choices again: make chaos MINUTES={} SEED={seed}", length.as_secs() / 60);
    let (mut random, started) = (fastrand::Rng::with_seed(seed), Instant::now());
    let kinds = kinds();
    let mut rows: Vec<Row> = Vec::new();
    let mut round = Vec::new();
    while started.elapsed() < length {
        if round.is_empty() {
            round.clone_from(&kinds);
            random.shuffle(&mut round);
        }
        let Some(kind) = round.pop() else { break };
        match AssertUnwindSafe(endure(kind, &mut random)).catch_unwind().await {
            Ok(row) => {
                println!("{:>4} s  {}", started.elapsed().as_secs(), row.fault);
                for line in row.broken.lines() {
                    println!("        {line}");
                }
                match rows.iter_mut().find(|other| other.fault == row.fault) {
                    Some(other) => other.add(row),
                    None => rows.push(row),
                }
            }
            Err(panic) => {
                println!(
                    "{}\n{kind:?} did not end; seed {seed}",
                    table(&rows.iter().collect::<Vec<_>>())
                );
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!(
        "{}\nseed {seed}, {} s",
        table(&rows.iter().collect::<Vec<_>>()),
        started.elapsed().as_secs()
    );
    rows.iter().for_each(Row::assert_promises_kept);
}
