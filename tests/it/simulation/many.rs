//! Many worlds, on all processors, and what to say of them.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use super::fault::{Coverage, Fault};
use super::world::{self, Report};

/// Failed seeds that are kept and told.
const FAILED_MAX: usize = 5;

/// Lines of a failed world's history that are printed: the last ones.
const LINES_MAX: usize = 200;

/// What came of many worlds.
#[derive(Default)]
pub struct Sum {
    pub worlds: u64,
    pub messages: u64,
    pub failed: u64,
    /// The failed worlds with the lowest seeds.
    pub first: Vec<Report>,
    pub coverage: Coverage,
    pub took: Duration,
}

/// Runs the worlds of these seeds, and starts no more once `enough` have failed.
pub fn run(seeds: Range<u64>, enough: u64) -> Sum {
    let (next, failed, started) = (AtomicU64::new(seeds.start), AtomicU64::new(0), Instant::now());
    let work = || {
        let mut sum = Sum::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || failed.load(Ordering::Relaxed) >= enough {
                return sum;
            }
            let report = world::run(seed, false);
            failed.fetch_add(u64::from(!report.violations.is_empty()), Ordering::Relaxed);
            sum.add(report);
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let sums: Vec<Sum> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let mut all = Sum::default();
    for sum in sums {
        all.merge(sum);
    }
    all.first.sort_by_key(|report| report.seed);
    all.first.truncate(FAILED_MAX);
    all.took = started.elapsed();
    all
}

impl Sum {
    fn add(&mut self, report: Report) {
        self.worlds += 1;
        self.messages += report.messages as u64;
        self.coverage.add(&report.coverage);
        if !report.violations.is_empty() {
            self.failed += 1;
            if self.first.len() < FAILED_MAX {
                self.first.push(report);
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.worlds += other.worlds;
        self.messages += other.messages;
        self.failed += other.failed;
        self.first.extend(other.first);
        self.coverage.add(&other.coverage);
    }

    /// What is not tried is not shown.
    pub fn assert_all_struck(&self) {
        assert_eq!(self.unseen(), [], "faults that struck in no world");
    }

    /// Faults that struck in none of the worlds, though they should.
    pub fn unseen(&self) -> Vec<Fault> {
        Fault::ALL.iter().copied().filter(|fault| self.coverage.times(*fault) == 0).collect()
    }

    /// For people: the rate, and how often each fault struck.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        let seconds = self.took.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = self.worlds as f64 / seconds;
        let _ = writeln!(
            text,
            "{} worlds with {} messages in {seconds:.1} s: {rate:.0} worlds a second",
            self.worlds, self.messages
        );
        let _ =
            writeln!(text, "faults that struck, {} kinds:", Fault::ALL.len() - self.unseen().len());
        for fault in Fault::ALL {
            let _ = writeln!(text, "  {:>10}  {}", self.coverage.times(*fault), fault.what());
        }
        let _ = writeln!(text, "failed worlds: {}", self.failed);
        text
    }

    /// For people: what went wrong in the failed worlds, and how to see each again.
    pub fn failures(&self) -> String {
        let mut text = String::new();
        for report in &self.first {
            let _ = writeln!(text, "seed {}: {}", report.seed, report.violations.join("\n  "));
            let _ = writeln!(text, "  replay with: make simulate SEED={}", report.seed);
        }
        if let Some(first) = self.first.first() {
            let lines = world::run(first.seed, true).lines;
            let _ = writeln!(text, "the last lines of seed {}:", first.seed);
            lines.iter().skip(lines.len().saturating_sub(LINES_MAX)).for_each(|line| {
                let _ = writeln!(text, "{line}");
            });
        }
        text
    }
}
