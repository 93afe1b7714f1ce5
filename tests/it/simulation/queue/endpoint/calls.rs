//! What a worker has asked its adapter for, and what the endpoint said to that: nothing is asked of
//! the queue that the worker did not want, or twice, and nothing is heard that was not said.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longshore::queue::EntryOutcome;
use tokio::time::Instant;

use crate::simulation::conduct::Request;
use crate::simulation::queue::asked::Asked;
use crate::simulation::queue::{Delivery, Queue};

use super::connection::ANSWER_MAX;

/// A request may be read so long after the worker has given its call up: where the answer before it
/// on its connection said that it is shorter than it is, and the rest is still on its way.
const ON_ITS_WAY: Duration = ANSWER_MAX.saturating_add(Duration::from_secs(1));

/// The queue has acted on a request, and has answered it, so long after its call at most.
const KNOWN_FOR: Duration = Duration::from_mins(5);

/// What is asked of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Receive { max: usize, wait: Duration, attempt: Option<String> },
    Settle { request: Request, handles: Vec<Arc<str>>, hide: Duration },
}

pub enum Said {
    Gave(Vec<Delivery>),
    Did(Vec<EntryOutcome>),
}

impl Said {
    /// The same answer, had it not a byte: no message, and nothing of any entry.
    pub fn nothing(self) -> Self {
        match self {
            Self::Gave(_) => Self::Gave(Vec::new()),
            Self::Did(did) => {
                let unanswered = || EntryOutcome::Failed(String::new());
                Self::Did(did.iter().map(|_| unanswered()).collect())
            }
        }
    }
}

#[derive(Default)]
pub struct Calls(Mutex<State>);

#[derive(Default)]
struct State {
    next: u64,
    /// By their number, in the order in which they were made.
    made: BTreeMap<u64, Made>,
}

struct Made {
    wanted: Wanted,
    asked: Asked,
    /// When the worker stopped waiting for the answer.
    ended: Option<Instant>,
    /// Its request is there, and was signed as it must be.
    has_arrived: bool,
    said: Option<Said>,
    /// When the answer had come, sound and whole, while the worker was waiting for it.
    told_all: Option<Instant>,
}

/// A call, as long as the worker waits for its answer.
pub struct Waits<'a> {
    calls: &'a Calls,
    number: u64,
    _listening: Arc<()>,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        let ended = |made: &mut Made| made.ended = Some(Instant::now());
        self.calls.lock().made.entry(self.number).and_modify(ended);
    }
}

impl Calls {
    /// The worker makes a call.
    pub fn make(&self, wanted: Wanted, queue: &Queue) -> Waits<'_> {
        let listening = Arc::new(());
        let asked = Asked::new(queue, &listening);
        let mut state = self.lock();
        let is_over = |made: &Made| made.ended.is_some_and(|ended| ended.elapsed() > KNOWN_FOR);
        while let Some(oldest) = state.made.first_entry()
            && is_over(oldest.get())
        {
            oldest.remove();
        }
        let number = state.next;
        state.next += 1;
        let made =
            Made { wanted, asked, ended: None, has_arrived: false, said: None, told_all: None };
        state.made.insert(number, made);
        Waits { calls: self, number, _listening: listening }
    }

    /// The call that a request is which arrives. Of several that want the same, one for whose answer
    /// the worker waits.
    ///
    /// # Errors
    /// What is wrong where there is none.
    pub fn arrives(&self, wanted: &Wanted) -> Result<(u64, Asked), &'static str> {
        let mut state = self.lock();
        let is_on_its_way = |made: &Made| match made.ended {
            Some(ended) => ended.elapsed() <= ON_ITS_WAY,
            None => true,
        };
        let mut open: Vec<_> = state
            .made
            .iter_mut()
            .filter(|(_, made)| made.wanted == *wanted && !made.has_arrived && is_on_its_way(made))
            .collect();
        open.sort_by_key(|(number, made)| (made.ended.is_some(), **number));
        if let Some((number, made)) = open.into_iter().next() {
            made.has_arrived = true;
            return Ok((*number, made.asked.clone()));
        }
        let is_known = state.made.values().any(|made| made.wanted == *wanted);
        Err(if is_known { "once more" } else { "unasked" })
    }

    /// The request of a call is refused in a way after which it may be sent once more.
    pub fn may_come_again(&self, number: u64) {
        self.lock().made.entry(number).and_modify(|made| made.has_arrived = false);
    }

    /// The answer to a call has begun to come.
    pub fn says(&self, number: u64, said: Said) {
        self.lock().made.entry(number).and_modify(|made| made.said = Some(said));
    }

    /// The last byte of an answer has gone over the connection, and nothing was done to it.
    pub fn has_said_all(&self, number: u64) {
        let told = |made: &mut Made| {
            made.told_all = Some(Instant::now()).filter(|_| made.ended.is_none());
        };
        self.lock().made.entry(number).and_modify(told);
    }

    /// Whether an answer is lost that has come whole and that the worker `could_read`, where a call
    /// that wanted this fails: more of them are not heard than other such calls wait for theirs.
    pub fn loses_an_answer(&self, wanted: &Wanted, could_read: impl Fn(Instant) -> bool) -> bool {
        let state = self.lock();
        let waiting: Vec<_> = state
            .made
            .values()
            .filter(|made| made.wanted == *wanted && made.ended.is_none())
            .collect();
        let is_told = |made: &&&Made| made.said.is_some() && made.told_all.is_some_and(&could_read);
        waiting.iter().filter(is_told).count() > waiting.len() - 1
    }

    /// The worker hears something: what was said to such a call, and was not heard yet. Of several
    /// alike it is the last that came whole to a call for whose answer the worker waits: one of which
    /// the first bytes have come is not what it read.
    pub fn hears(&self, wanted: &Wanted, is_it: impl Fn(&Said) -> bool) -> Option<Said> {
        let mut state = self.lock();
        let is_said =
            |made: &Made| made.wanted == *wanted && made.said.as_ref().is_some_and(&is_it);
        let said = state.made.iter_mut().filter(|(_, made)| is_said(made));
        let (_, made) = said.max_by_key(|(number, made)| {
            (made.ended.is_none(), made.told_all.is_some(), **number)
        })?;
        made.said.take()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
