//! A call as it was when the worker made it: the queue may act on it at any later time.

use std::sync::{Arc, Weak};
use std::time::Duration;

use longshore::queue::EntryOutcome;
use tokio::time::Instant;

use crate::simulation::conduct::{self, Request};
use crate::simulation::fault::Fault;
use crate::simulation::life::Life;

use super::Queue;

#[derive(Clone)]
pub struct Asked {
    at: Instant,
    /// Of all calls of this world.
    number: u64,
    /// Held by the worker as long as it waits for the answer.
    listening: Weak<()>,
}

impl Asked {
    pub fn new(queue: &Queue, listening: &Arc<()>) -> Self {
        let listening = Arc::downgrade(listening);
        Self { at: Instant::now(), number: queue.call_sent(), listening }
    }

    /// The queue acts.
    pub fn apply(
        &self,
        queue: &Queue,
        who: &Life,
        handles: &[Arc<str>],
        request: Request,
        timeout: Duration,
    ) -> Vec<EntryOutcome> {
        queue.call_applied(handles, self.number);
        if request == Request::Delete {
            return queue.delete(handles);
        }
        let outcomes = queue.change_visibility(handles, timeout);
        if request == Request::Hide {
            let is_given_up = self.listening.strong_count() == 0;
            if is_given_up && outcomes.contains(&EntryOutcome::Done) {
                who.conditions().history.saw(Fault::AppliedAfterGivenUp);
            }
            conduct::hides(who, handles, &outcomes, self.at);
        }
        outcomes
    }
}
