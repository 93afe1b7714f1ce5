//! Extensions that were overtaken by a release: the release waited for long enough, went first, and
//! was done. When the queue answers the extension after all and says that it hides the message, the
//! message is given back once more. A worker that ends first leaves it at that: the message comes
//! back after its visibility timeout.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};
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
    messages: Vec<GivenBack>,
}

/// A message that was given back, once for all the extensions that it overtook.
#[derive(Debug, Clone)]
struct GivenBack {
    number: u64,
    handle: Arc<str>,
    /// When it was given back once more. What had been answered by then was applied before that.
    /// Locked until the queue has answered that, so that no two calls do it at once.
    again_at: Arc<Mutex<Option<Instant>>>,
}

/// Takes note of a message that was given back, where that has overtaken an extension.
pub(super) fn note(overtaken: &mut Vec<Overtaken>, settlement: &Settlement) {
    if settlement.overtakes.is_empty() {
        return;
    }
    let receipt = &settlement.receipt;
    let given_back = GivenBack {
        number: receipt.number,
        handle: Arc::clone(&receipt.message.receipt_handle),
        again_at: Arc::default(),
    };
    for extension in &settlement.overtakes {
        let message = given_back.clone();
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
/// it changes nothing but the time. What another call just gives back waits for that one alone.
pub(super) async fn give_back_again<Q: Queue>(context: &SettleContext<Q>, overtaken: Overtaken) {
    let Overtaken { extension, asked, given_back_at, mut messages } = overtaken;
    extension.answered().await;
    // In one order, so that no two that wait for the same messages wait for each other.
    messages.sort_by_key(|message| message.number);
    let (mut free, mut busy) = (Vec::new(), Vec::new());
    for message in messages {
        let Some(hidden_at) = extension.has_hidden(message.number) else { continue };
        let again_at = Arc::clone(&message.again_at);
        match again_at.try_lock_owned() {
            Ok(again_at) => free.push((message.handle, again_at, hidden_at)),
            Err(_) => busy.push((message, hidden_at)),
        }
    }
    let give_back = async |locked| give_back(context, asked, given_back_at, locked).await;
    let after_others = async {
        let mut locked = Vec::new();
        for (message, hidden_at) in busy {
            locked.push((message.handle, message.again_at.lock_owned().await, hidden_at));
        }
        give_back(locked).await;
    };
    tokio::join!(give_back(free), after_others);
}

/// A handle that no other call is about, and when its message was heard to be hidden.
type Locked = (Arc<str>, OwnedMutexGuard<Option<Instant>>, Instant);

/// Gives back those that nothing was asked of since that was heard.
async fn give_back<Q: Queue>(
    context: &SettleContext<Q>,
    asked: Asked,
    given_back_at: Instant,
    mut locked: Vec<Locked>,
) {
    locked.retain(|(_, again_at, hidden_at)| again_at.is_none_or(|again_at| again_at < *hidden_at));
    if locked.is_empty() {
        return;
    }
    for (_, again_at, _) in &mut locked {
        **again_at = Some(Instant::now());
    }
    let handles: Vec<_> = locked.iter().map(|(handle, ..)| Arc::clone(handle)).collect();
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
