//! Log lines of one kind are folded to one a second, with a count: a producer that sends nonsense,
//! however fast, must not fill the log's disk or hide all other lines.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

const EVERY: Duration = Duration::from_secs(1);

/// Which kinds were logged in the last second, and how many more there were.
#[derive(Debug, Default)]
pub struct Folds {
    kinds: Mutex<BTreeMap<Key, Folded>>,
    first: Notify,
}

/// What makes signals the same for the log. There are no more kinds than the configuration has routes
/// and collections, times the reasons of a closed list.
#[derive(Debug, Clone)]
pub struct Kind {
    pub what: &'static str,
    /// Of a closed list.
    pub code: &'static str,
    /// A route or collection.
    pub place: Option<String>,
    /// Logs that there were so many more.
    pub tell: fn(&Kind, u64),
}

type Key = (&'static str, &'static str, Option<String>);

#[derive(Debug)]
struct Folded {
    kind: Kind,
    more: u64,
}

impl Folds {
    /// Whether this one is to be logged: the first of its kind for a second, and what has no kind.
    /// Others are counted.
    pub fn is_first(&self, kind: Option<Kind>) -> bool {
        let Some(kind) = kind else { return true };
        let key = (kind.what, kind.code, kind.place.clone());
        let mut kinds = self.lock();
        if let Some(folded) = kinds.get_mut(&key) {
            folded.more += 1;
            return false;
        }
        kinds.insert(key, Folded { kind, more: 0 });
        self.first.notify_one();
        true
    }

    /// Logs once a second what was counted. Never ends by itself.
    pub async fn run(&self) {
        loop {
            self.first.notified().await;
            while !self.lock().is_empty() {
                sleep(EVERY).await;
                self.tell();
            }
        }
    }

    /// Logs what was counted. Of a kind that did not come again the next one is a first one.
    pub fn tell(&self) {
        self.lock().retain(|_, Folded { kind, more }| {
            let came = std::mem::take(more);
            if came > 0 {
                (kind.tell)(kind, came);
            }
            came > 0
        });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Folded>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        static TOLD: RefCell<Vec<(&'static str, u64)>> = const { RefCell::new(Vec::new()) };
    }

    fn kind(code: &'static str) -> Kind {
        let tell = |kind: &Kind, more| TOLD.with_borrow_mut(|told| told.push((kind.code, more)));
        Kind { what: "rejected", code, place: None, tell }
    }

    #[tokio::test(start_paused = true)]
    async fn a_kind_has_one_line_a_second_with_a_count_until_it_ends() {
        let folds = Folds::default();
        let is_first = |code| folds.is_first(Some(kind(code)));
        let watch = async {
            assert!(
                folds.is_first(None) && folds.is_first(None),
                "what has no kind is never folded"
            );
            assert!(is_first("bad_json"));
            assert!(is_first("bad_key"), "another kind");
            for _ in 0..5 {
                assert!(!is_first("bad_json"));
            }
            sleep(EVERY * 3 / 2).await;
            assert!(is_first("bad_key"), "there was none for a second");
            assert!(!is_first("bad_json"), "they go on");
            sleep(EVERY * 3).await;
            assert!(is_first("bad_json"), "they had ended");
            TOLD.take()
        };
        let told = tokio::select! {
            told = watch => told,
            () = folds.run() => unreachable!("it never ends by itself"),
        };
        assert_eq!(told, [("bad_json", 5), ("bad_json", 1)]);
    }
}
