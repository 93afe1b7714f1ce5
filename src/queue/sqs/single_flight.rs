//! One loads for all who ask meanwhile.

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Loads one at a time. Who waited for a load that failed fails with it: one after the other would
/// wait for the whole of its time each. Where the one who loads is cancelled, the next one loads.
#[derive(Debug)]
pub(super) struct SingleFlight<E> {
    /// The last load, where it failed. Held by the one who loads.
    failed: Mutex<Option<(Instant, E)>>,
}

impl<E> Default for SingleFlight<E> {
    fn default() -> Self {
        Self { failed: Mutex::default() }
    }
}

impl<E: Clone> SingleFlight<E> {
    /// Returns what is `there` once nobody else loads. Otherwise loads.
    ///
    /// # Errors
    /// Those of the load, or of the one that was waited for.
    pub async fn load<T>(
        &self,
        there: impl FnOnce() -> Option<T>,
        load: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let asked = Instant::now();
        let mut failed = self.failed.lock().await;
        if let Some(value) = there() {
            return Ok(value);
        }
        if let Some((_, error)) = failed.as_ref().filter(|(at, _)| *at >= asked) {
            return Err(error.clone());
        }
        let loaded = load.await;
        *failed = loaded.as_ref().err().map(|error| (Instant::now(), error.clone()));
        loaded
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use futures_util::future::join_all;
    use tokio::time::{sleep, timeout};

    use super::*;

    const LOAD: Duration = Duration::from_secs(1);

    /// A load that takes a second, and its count.
    async fn slow(
        loads: &Cell<u32>,
        loaded: Result<u32, &'static str>,
    ) -> Result<u32, &'static str> {
        loads.set(loads.get() + 1);
        sleep(LOAD).await;
        loaded
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_ask_meanwhile_have_what_one_load_brought() {
        let (flight, loads, there) = (SingleFlight::default(), Cell::new(0), Cell::new(None));
        let ask = async || {
            let load = async {
                let loaded = slow(&loads, Ok(7)).await;
                there.set(loaded.ok());
                loaded
            };
            flight.load(|| there.get(), load).await
        };
        assert_eq!(join_all((0..8).map(|_| ask())).await, [Ok(7); 8]);
        assert_eq!(loads.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waited_for_a_load_that_failed_fails_with_it_and_who_asks_later_loads_again() {
        let (flight, loads) = (SingleFlight::default(), Cell::new(0));
        let ask = || flight.load(|| None, slow(&loads, Err("no answer")));
        let began = Instant::now();
        assert_eq!(join_all((0..8).map(|_| ask())).await, [Err("no answer"); 8]);
        assert_eq!((loads.get(), began.elapsed()), (1, LOAD));
        sleep(LOAD).await;
        assert_eq!(ask().await, Err("no answer"));
        assert_eq!((loads.get(), began.elapsed()), (2, 3 * LOAD));
    }

    #[tokio::test(start_paused = true)]
    async fn where_the_one_who_loads_is_cancelled_the_next_one_loads() {
        let (flight, loads) = (SingleFlight::default(), Cell::new(0));
        let ask = || flight.load(|| None, slow(&loads, Ok(7)));
        let (cancelled, next) = tokio::join!(timeout(LOAD / 2, ask()), ask());
        assert!(cancelled.is_err());
        assert_eq!((next, loads.get()), (Ok(7), 2));
    }
}
