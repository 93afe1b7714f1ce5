//! Waiting for room.

use tokio::sync::Notify;

/// Tries to take what there may be room for, again after each release.
pub(super) async fn wait<T>(notify: &Notify, take: impl Fn() -> Option<T>) -> T {
    loop {
        let freed = notify.notified();
        tokio::pin!(freed);
        // Registered before the look, or a release in between would be missed.
        freed.as_mut().enable();
        if let Some(taken) = take() {
            return taken;
        }
        freed.await;
    }
}
