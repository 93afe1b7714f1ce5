//! Messages that go back to the queue, and first wait for the extension of theirs that is in
//! flight. The queue obeys the call that it applies last: a release that overtook the extension
//! would leave the message hidden for a whole visibility timeout.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::held::Extension;
use crate::stop::Stop;

use super::settlement::Settlement;

/// The longest that a message waits for an extension. An answer takes milliseconds; what waits
/// could be with another worker already.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Gives the settlement on when the extension is over, or has been waited for as long as is worth
/// it. A worker that lets go has no time for this.
pub(super) async fn parked(
    settlement: Settlement,
    extension: Arc<Extension>,
    stop: Stop,
) -> Settlement {
    tokio::select! {
        biased;
        () = extension.over() => {}
        () = stop.letting_go() => {}
        () = sleep(WAIT_MAX) => {}
    }
    settlement
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::budget::Budget;
    use crate::held::Held;
    use crate::message::{QueueMessage, Receipt};
    use crate::settle::settlement::Asked;

    /// How long a release waits for an extension that is given up after `patience`, and whatever
    /// `meanwhile` does with the extension.
    async fn waits(patience: Duration, meanwhile: impl AsyncFnOnce(&Extension, &Stop)) -> Duration {
        let (now, stop, held) = (Instant::now(), Stop::default(), Held::default());
        let permit = Budget::new(1, 1, 0).acquire(1, 0).await;
        let receipt = Receipt::new(QueueMessage::default(), now, now, permit, &held);
        let (extension, _) = held.extend(&held.take_due(now, now, 10), now + patience);
        assert!(receipt.take_over().is_some_and(|other| Arc::ptr_eq(&other, &extension)));
        let settlement = Settlement { receipt, asked: Asked::Release, overtakes: Vec::new() };
        let waiting = parked(settlement, Arc::clone(&extension), stop.clone());
        let (settlement, ()) = tokio::join!(waiting, async {
            meanwhile(&extension, &stop).await;
        });
        settlement.receipt.settled();
        now.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_release_waits_for_the_answer_to_an_extension_and_no_longer() {
        let took = waits(Duration::from_secs(3), async |extension, _| {
            sleep(Duration::from_millis(700)).await;
            extension.answer(Vec::new());
        });
        let ms = took.await.as_millis();
        assert!((700..=702).contains(&ms), "{ms} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn a_release_waits_as_long_as_the_extender_and_two_seconds_at_most() {
        for (patience_ms, waited_ms) in [(500, 500), (3_000, 2_000)] {
            let took = waits(Duration::from_millis(patience_ms), async |_, _| {}).await;
            let ms = took.as_millis();
            assert!((waited_ms..=waited_ms + 1).contains(&ms), "{ms} ms of {patience_ms}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_lets_go_waits_for_no_extension() {
        let took = waits(Duration::from_secs(3), async |_, stop| stop.let_go()).await;
        assert!(took.as_millis() <= 1, "{took:?}");
    }
}
