//! Extensions that were overtaken by a release: the release waited for long enough, went first, and
//! was done. When the queue answers the extension after all and says that it hides the message, the
//! message is given back once more. A worker that ends first leaves it at that: the message comes
//! back after its visibility timeout.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::held::Extension;
use crate::queue::{EntryOutcome, Queue};
use crate::telemetry::signals::SettleFailed;

use super::context::SettleContext;
use super::settlement::{Asked, Settlement};

/// Messages that one call gave back before the answer to one extension.
#[derive(Debug)]
pub(super) struct Overtaken {
    extension: Arc<Extension>,
    asked: Asked,
    given_back_at: Instant,
    messages: Vec<(u64, Arc<str>)>,
}

/// Takes note of a message that was given back.
pub(super) fn note(overtaken: &mut Vec<Overtaken>, settlement: &Settlement) {
    let receipt = &settlement.receipt;
    for extension in &settlement.overtakes {
        let message = (receipt.number, Arc::clone(&receipt.message.receipt_handle));
        match overtaken.iter_mut().find(|other| Arc::ptr_eq(&other.extension, extension)) {
            Some(other) => other.messages.push(message),
            None => overtaken.push(Overtaken {
                extension: Arc::clone(extension),
                asked: settlement.asked,
                given_back_at: Instant::now(),
                messages: vec![message],
            }),
        }
    }
}

/// Waits for the answer to the extension, and gives back what it hides: once, because what comes of
/// it changes nothing but the time.
pub(super) async fn give_back_again<Q: Queue>(context: &SettleContext<Q>, overtaken: Overtaken) {
    let Overtaken { extension, asked, given_back_at, mut messages } = overtaken;
    extension.answered().await;
    messages.retain(|(number, _)| extension.has_hidden(*number));
    if messages.is_empty() {
        return;
    }
    let handles: Vec<_> = messages.into_iter().map(|(_, handle)| handle).collect();
    let time = hidden_for(asked, given_back_at.elapsed());
    let cause = match context.queue.change_visibility(&handles, time).await {
        Ok(outcomes) => outcomes.into_iter().find_map(|outcome| match outcome {
            EntryOutcome::Failed(text) => Some(text),
            EntryOutcome::Done | EntryOutcome::Stale => None,
        }),
        Err(fault) => Some(fault.text),
    };
    if let Some(cause) = cause {
        context.flow.signals.emit(&SettleFailed {
            operation: asked.name(),
            messages: handles.len(),
            cause: &cause,
            abandoned: true,
        });
    }
}

/// What is left of the time that the message was to stay hidden for, in whole seconds.
fn hidden_for(asked: Asked, since: Duration) -> Duration {
    let time = asked.hidden_for().unwrap_or_default().saturating_sub(since);
    Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_stays_hidden_for_the_rest_of_its_time() {
        let left_after = |ms| {
            let asked = Asked::Leave(Duration::from_mins(15));
            hidden_for(asked, Duration::from_millis(ms)).as_secs()
        };
        assert_eq!([0, 3_500, 900_000, 901_000].map(left_after), [900, 897, 0, 0]);
        assert_eq!(hidden_for(Asked::Release, Duration::from_secs(3)), Duration::ZERO);
    }
}
