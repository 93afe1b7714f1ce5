//! The watch of new groups of dead letters, beside a worker's pipeline.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::clock::SystemClock;
use crate::dead_letter::new_groups::NewGroups;
use crate::store::Collection;
use crate::store::mongo::MongoStore;
use crate::store::mongo::older::KeptLetters;
use crate::telemetry::signals::Signals;

/// How long a worker that has settled everything goes on to ask about the last groups. Otherwise their
/// next letter finds the first one, and nobody ever tells them.
const LAST_MAX: Duration = Duration::from_secs(1);

/// It asks and tells until it is dropped.
pub(super) struct Telling {
    pub groups: NewGroups,
    task: JoinSet<()>,
}

impl Telling {
    /// `letters` is the collection of the dead letters.
    pub fn start(store: &Arc<MongoStore>, letters: Collection, signals: &Signals) -> Self {
        let groups = NewGroups::remembered();
        let kept = KeptLetters { store: Arc::clone(store), collection: letters };
        let clock = Arc::new(SystemClock::default());
        let run = groups.clone().run(kept, signals.clone(), clock);
        let mut task = JoinSet::new();
        task.spawn(signals.watchdog().watch("watch of new groups", run));
        Self { groups, task }
    }

    /// No letter comes any more: asks about those that wait, for as long as the worker may still take, and
    /// a second at most.
    pub async fn end(mut self, left: Duration) {
        self.groups.close();
        // What has no answer by then is not told.
        let _ = timeout(left.min(LAST_MAX), self.task.join_next()).await;
    }
}
