//! One write into the database from here: by the same store as a worker's.

use std::sync::Arc;

use tokio::time::{Instant, sleep};

use crate::clock::SystemClock;
use crate::message::Write;
use crate::retry::{Backoff, RetryConfig};
use crate::stop::Stop;
use crate::store::mongo::MongoStore;
use crate::store::{Collection, ItemOutcome, Store, StoreFaultKind, WriteOutcome, Writes};

/// Why it is not written, for people.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) enum Unwritten {
    /// It will not be taken as it is.
    Refused(String),
    /// The database does not take anything, it may be.
    Unconfirmed(String),
}

/// Writes it, tried again until the budget of `retry` is spent. Where the database does not let us write,
/// `stop` drains.
///
/// # Errors
/// Why it is not written, for people.
pub(super) async fn written(
    store: &MongoStore,
    collection: &Collection,
    write: &Write,
    retry: &RetryConfig,
    stop: &Stop,
) -> Result<(), Unwritten> {
    let mut backoff = Backoff::new(retry, Arc::new(SystemClock::default()));
    let begun = Instant::now();
    loop {
        let Some(writes) = Writes::of(&collection.kind, [write]) else {
            let text = "its route writes otherwise than its collection";
            return Err(Unwritten::Refused(text.to_owned()));
        };
        let text = match store.write(collection, writes).await {
            WriteOutcome::Answered { items, .. } => match items.into_iter().next() {
                Some(ItemOutcome::Written | ItemOutcome::AlreadyThere) => return Ok(()),
                Some(ItemOutcome::Rejected(rejection) | ItemOutcome::Doubtful(rejection)) => {
                    let text = format!("{}: {}", rejection.reason, rejection.text);
                    return Err(Unwritten::Refused(text));
                }
                Some(ItemOutcome::Unconfirmed(text)) => text,
                None => "no answer".to_owned(),
            },
            WriteOutcome::Unconfirmed(fault) => {
                if matches!(fault.kind, StoreFaultKind::Denied | StoreFaultKind::Collection) {
                    stop.drain();
                    return Err(Unwritten::Unconfirmed(fault.text));
                }
                fault.text
            }
        };
        let pause = backoff.next_interval();
        if stop.is_draining() || begun.elapsed() + pause > retry.budget {
            return Err(Unwritten::Unconfirmed(text));
        }
        sleep(pause).await;
    }
}
