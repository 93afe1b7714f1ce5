//! A request on its way: what the server does with it does not depend on whether the one who asked
//! still lives or listens.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::life::Life;

/// What becomes of one request.
#[derive(Clone, Copy)]
pub struct Fate {
    /// Until the server acts.
    pub before: Duration,
    /// Until the answer is there, from then on.
    pub after: Duration,
    /// Whether the server acts at all.
    pub acts: bool,
    /// Whether the answer comes back.
    pub answers: bool,
    pub kill: Option<Kill>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    BeforeAct,
    AfterAct,
}

/// Sends a request and waits for its answer, at most `patience`. `None`: nothing is known.
///
/// A worker that is dead sends nothing.
pub async fn ask<T: Send + 'static>(
    asker: &Arc<Life>,
    fate: Fate,
    patience: Duration,
    act: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    if !asker.is_alive() {
        return std::future::pending().await;
    }
    let answered = send(asker, fate, act);
    timeout(patience, answered).await.ok()?.ok()
}

/// Sends a request, whoever waits for its answer. None comes where the server does not act, or where
/// its answer is lost.
pub fn send<T: Send + 'static>(
    asker: &Arc<Life>,
    fate: Fate,
    act: impl Future<Output = T> + Send + 'static,
) -> oneshot::Receiver<T> {
    let (answer, answered) = oneshot::channel();
    let under_way = asker.conditions().under_way();
    let asker = Arc::clone(asker);
    tokio::spawn(async move {
        sleep(fate.before).await;
        if fate.kill == Some(Kill::BeforeAct) {
            asker.kill();
        }
        if fate.acts {
            let acted = act.await;
            if fate.kill == Some(Kill::AfterAct) {
                asker.kill();
            }
            sleep(fate.after).await;
            if fate.answers {
                // Nobody may listen any more.
                let _ = answer.send(acted);
            }
        }
        drop(under_way);
    });
    answered
}
