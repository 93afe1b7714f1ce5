//! Thousands of worlds: the pipeline as it runs in production, on a simulated queue and a simulated
//! store, in one thread under paused time, from a seed. At the end of each world a judge that
//! shares no code with the pipeline says whether the promises were kept.
//!
//! - [`plan`] draws a world from its seed, [`traffic`] what its producers send and mean.
//! - [`queue`] and [`store`] are the servers, [`letter_queue`] a second home of dead letters; their clients reach them over a [`wire`] that loses
//!   what it likes.
//! - [`life`] is one life of a worker; [`world`] lets workers live and die.
//! - [`conduct`] watches each call of a worker, [`judge`] knows what must be durable and what must
//!   be there in the end.
//! - [`many`] runs seeds by the thousand. `make simulate SEEDS=100000` does too, `make simulate
//!   SEED=7` tells one.
//!
//! `README.md` beside these files explains the terms, how a failed seed is read and how a fault is added.

mod conditions;
mod conduct;
mod dice;
mod fault;
mod history;
mod judge;
mod letter_queue;
mod life;
mod many;
mod plan;
mod queue;
mod store;
mod traffic;
mod wire;
mod world;

use std::ops::Range;

use self::fault::Fault;
use self::many::Sum;
/// Held against a real server.
pub use self::store::letters;

/// Seeds of `make test`.
const FIRST_SEEDS: Range<u64> = 0..200;

/// Seeds that `make test-long` adds: each kind of fault strikes in these.
const MORE_SEEDS: Range<u64> = FIRST_SEEDS.end..1_000;

/// Nothing is lost, nothing is doubled, order does not matter, one bad message costs one message, a
/// sick store costs nothing but time, a deploy costs nothing.
#[test]
fn every_promise_holds_in_two_hundred_worlds() {
    let sum = hold(FIRST_SEEDS, u64::MAX);
    // So few worlds miss the rarest faults. The other eight hundred must not.
    let (unseen, kinds) = (sum.unseen(), Fault::ALL.len());
    assert!(
        unseen.len() <= kinds / 5,
        "more than a fifth of {kinds} kinds of faults struck in no world: {unseen:?}"
    );
}

/// As above, and every fault strikes.
#[test]
#[ignore = "long: make test-long"]
fn every_promise_holds_in_eight_hundred_more_worlds() {
    hold(MORE_SEEDS, u64::MAX).assert_all_struck();
}

/// For people: as many worlds as they like. `SEEDS` sets how many, `FIRST_SEED` the first of them;
/// after `ENOUGH` failed worlds it ends.
#[test]
#[ignore = "make simulate SEEDS=100000 runs it"]
fn every_promise_holds_in_as_many_worlds_as_you_like() {
    let first = variable("FIRST_SEED").unwrap_or(0);
    let count = variable("SEEDS").expect("SEEDS is a number: make simulate SEEDS=100000");
    let sum = hold(first..first + count, variable("ENOUGH").unwrap_or(u64::MAX));
    if sum.worlds >= MORE_SEEDS.end - MORE_SEEDS.start {
        sum.assert_all_struck();
    }
}

/// Runs the worlds of these seeds, says what struck, and fails where one of them broke a promise.
fn hold(seeds: Range<u64>, enough: u64) -> Sum {
    let sum = many::run(seeds, enough);
    println!("{}", sum.summary());
    assert_eq!(sum.failed, 0, "\n{}", sum.failures());
    sum
}

#[test]
fn a_seed_is_a_world() {
    for seed in 0..20 {
        let (first, second) = (world::run(seed, true), world::run(seed, true));
        assert!(first.lines.len() > 10, "something happens");
        let apart = first.lines.iter().zip(&second.lines).find(|(first, second)| first != second);
        assert_eq!(apart, None, "seed {seed}");
        assert_eq!(first.lines.len(), second.lines.len(), "seed {seed}");
        assert_eq!(first.coverage, second.coverage);
    }
}

/// For people: tells the world of one seed.
#[test]
#[ignore = "make simulate SEED=7 runs it"]
fn one_seed_told() {
    let seed = variable("SEED").expect("SEED is a number: make simulate SEED=7");
    let report = world::run(seed, true);
    report.lines.iter().for_each(|line| println!("{line}"));
    assert!(report.violations.is_empty(), "seed {seed}:\n{}", report.violations.join("\n"));
    println!("seed {seed}: every promise held");
}

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}")))
}
