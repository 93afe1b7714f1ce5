//! Finds tasks that hold a thread and never give it back.
//!
//! A task of the pipeline works for microseconds between two waits. One that is inside one step for
//! many seconds blocks, loops, or waits for a lock that nobody lets go: nothing will end that but a
//! new process. A task that waits is not stuck, however long: what it waits for has a bound of its
//! own.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

/// One step may take so long. Decoding ten messages of the largest size takes a fraction of a
/// second, on a slow machine seconds.
pub const STEP_MAX: Duration = Duration::from_secs(30);

/// Watches the tasks of a process; clones are the same watchdog.
#[derive(Debug, Clone)]
pub struct Watchdog {
    born: Instant,
    tasks: Arc<Mutex<Vec<Task>>>,
}

/// A name, and the step of the task while it lives.
type Task = (Arc<str>, Weak<Step>);

/// Milliseconds since the watchdog's birth at which the running step began; [`IDLE`] between two
/// steps.
#[derive(Debug)]
struct Step(AtomicU64);

const IDLE: u64 = u64::MAX;

impl Default for Watchdog {
    fn default() -> Self {
        Self { born: Instant::now(), tasks: Arc::default() }
    }
}

impl Watchdog {
    /// Watches `task` under a name that people understand.
    pub fn watch<F: Future>(&self, name: impl Into<Arc<str>>, task: F) -> Watched<F> {
        let step = Arc::new(Step(AtomicU64::new(IDLE)));
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|(_, step)| step.strong_count() > 0);
        tasks.push((name.into(), Arc::downgrade(&step)));
        Watched { born: self.born, step, task: Box::pin(task) }
    }

    /// The names of those that are inside one step for longer than `step_max`.
    #[must_use]
    pub fn stuck(&self, step_max: Duration) -> Vec<Arc<str>> {
        let now = millis(self.born.elapsed());
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let began =
            |step: &Weak<Step>| step.upgrade().map_or(IDLE, |step| step.0.load(Ordering::Relaxed));
        tasks
            .iter()
            .filter(|(_, step)| now.saturating_sub(began(step)) > millis(step_max))
            .map(|(name, _)| Arc::clone(name))
            .collect()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(IDLE - 1)
}

/// A task with a mark of when its running step began.
pub struct Watched<F> {
    born: Instant,
    step: Arc<Step>,
    task: Pin<Box<F>>,
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.step.0.store(millis(self.born.elapsed()), Ordering::Relaxed);
        let polled = self.task.as_mut().poll(context);
        self.step.0.store(IDLE, Ordering::Relaxed);
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_does_not_end_is_found_and_a_wait_is_not() {
        let watchdog = Watchdog::default();
        let (inside, entered) = std::sync::mpsc::channel();
        let (end, until) = std::sync::mpsc::channel::<()>();
        let wedged = watchdog.watch("wedged", async move {
            inside.send(()).expect("the test waits");
            let _ = until.recv();
        });
        let mut waiting = watchdog.watch("waiting", std::future::pending::<()>());
        assert!(
            Pin::new(&mut waiting)
                .poll(&mut Context::from_waker(std::task::Waker::noop()))
                .is_pending()
        );
        let thread = std::thread::spawn(move || futures_util::FutureExt::now_or_never(wedged));
        entered.recv().expect("it has begun");
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(5) {
            std::thread::yield_now();
        }
        assert_eq!(
            watchdog.stuck(Duration::from_millis(1)).iter().map(|name| &**name).collect::<Vec<_>>(),
            ["wedged"]
        );
        assert!(watchdog.stuck(STEP_MAX).is_empty());
        drop(end);
        assert!(thread.join().expect("it ends").is_some());
        assert!(watchdog.stuck(Duration::ZERO).is_empty(), "what has ended is not stuck");
    }
}
