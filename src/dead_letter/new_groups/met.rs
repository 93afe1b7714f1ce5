//! Which groups a worker has met, and which of them are still to be asked about.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

/// Groups that are remembered. One that is forgotten is asked about again when it comes again, which
/// costs a question.
const GROUPS_MAX: usize = 10_000;

/// Groups that wait to be asked about, each with what its id is made of: some hundred bytes, and no body.
/// Fewer than are remembered, so that one that waits is not met anew.
pub(super) const WAITING_MAX: usize = 1_000;

/// How long a group is remembered. Its letters may be purged, and then it is new when it comes again.
pub(super) const REMEMBERED: Duration = Duration::from_hours(1);

/// What a worker knows of groups, with `N` of each that is to be asked about.
pub(super) struct Met<N> {
    at: BTreeMap<String, Instant>,
    /// The same in the order of the meetings. Of a group that was met anew there is an older entry too.
    order: VecDeque<(String, Instant)>,
    waiting: VecDeque<N>,
}

impl<N> Default for Met<N> {
    fn default() -> Self {
        Self { at: BTreeMap::new(), order: VecDeque::new(), waiting: VecDeque::new() }
    }
}

/// What comes of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meeting {
    /// Its group was met lately.
    Known,
    /// Whether its group is new is to be asked.
    ToAsk,
    /// It would have to be asked, and too many others wait. The next letter is met as if this one had not
    /// come.
    NoRoom,
}

impl<N> Met<N> {
    /// A letter of this group has come. `newcomer` is made only where its group is not known.
    pub fn meet(&mut self, group: &str, now: Instant, newcomer: impl FnOnce() -> N) -> Meeting {
        if self.at.get(group).is_some_and(|met_at| now.duration_since(*met_at) < REMEMBERED) {
            return Meeting::Known;
        }
        if self.waiting.len() >= WAITING_MAX {
            return Meeting::NoRoom;
        }
        self.waiting.push_back(newcomer());
        self.at.insert(group.to_owned(), now);
        self.order.push_back((group.to_owned(), now));
        if self.order.len() > GROUPS_MAX
            && let Some((oldest, met_at)) = self.order.pop_front()
            && self.at.get(&oldest) == Some(&met_at)
        {
            self.at.remove(&oldest);
        }
        Meeting::ToAsk
    }

    /// The one that has waited longest. Its group stays known.
    pub fn next(&mut self) -> Option<N> {
        self.waiting.pop_front()
    }

    /// It had no answer.
    pub fn ask_again(&mut self, newcomer: N) {
        self.waiting.push_back(newcomer);
    }
}
