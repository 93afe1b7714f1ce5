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
