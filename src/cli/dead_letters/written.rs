//! One write into the database from here: by the same store as a worker's.

use std::sync::Arc;

use tokio::time::{Instant, sleep};

use crate::clock::SystemClock;
use crate::message::Write;
use crate::retry::{Backoff, RetryConfig};
use crate::stop::Stop;
use crate::store::mongo::MongoStore;
use crate::store::{Collection, ItemOutcome, Store, StoreFaultKind, WriteOutcome, Writes};

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
) -> Result<(), String> {
    let mut backoff = Backoff::new(retry, Arc::new(SystemClock::default()));
    let begun = Instant::now();
    loop {
        let Some(writes) = Writes::of(&collection.kind, [write]) else {
            return Err("its route writes otherwise than its collection".to_owned());
        };
        let text = match store.write(collection, writes).await {
            WriteOutcome::Answered { items, .. } => match items.into_iter().next() {
                Some(ItemOutcome::Written | ItemOutcome::AlreadyThere) => return Ok(()),
                Some(ItemOutcome::Rejected(rejection) | ItemOutcome::Doubtful(rejection)) => {
                    return Err(format!("{}: {}", rejection.reason, rejection.text));
                }
                Some(ItemOutcome::Unconfirmed(text)) => text,
                None => "no answer".to_owned(),
            },
            WriteOutcome::Unconfirmed(fault) => {
                if matches!(fault.kind, StoreFaultKind::Denied | StoreFaultKind::Collection) {
                    stop.drain();
                    return Err(fault.text);
                }
                fault.text
            }
        };
        let pause = backoff.next_interval();
        if stop.is_draining() || begun.elapsed() + pause > retry.budget {
            return Err(text);
        }
        sleep(pause).await;
    }
}
