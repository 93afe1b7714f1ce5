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
    kinds: Mutex<Kinds>,
    first: Notify,
}

/// What makes signals the same for the log. There are no more kinds than the configuration has routes
/// and collections, times the reasons of a closed list.
#[derive(Debug, Clone, Copy)]
pub struct Kind<'a> {
    pub what: &'static str,
    /// Of a closed list.
    pub code: &'static str,
    /// A route or collection.
    pub place: Option<&'a str>,
    /// Logs that there were so many more.
    pub tell: fn(Kind<'_>, u64),
}

/// By what and code, and then by place; empty where there is none. So one that is only counted is found
/// without a copy of its place.
type Kinds = BTreeMap<(&'static str, &'static str), BTreeMap<Box<str>, Folded>>;

#[derive(Debug)]
struct Folded {
    tell: fn(Kind<'_>, u64),
    more: u64,
}

impl Folds {
    /// Whether this one is to be logged: the first of its kind for a second, and what has no kind.
    /// Others are counted.
    pub fn is_first(&self, kind: Option<Kind<'_>>) -> bool {
        let Some(Kind { what, code, place, tell }) = kind else { return true };
        let place = place.unwrap_or_default();
        let mut kinds = self.lock();
        let places = kinds.entry((what, code)).or_default();
        if let Some(folded) = places.get_mut(place) {
            folded.more += 1;
            return false;
        }
        places.insert(place.into(), Folded { tell, more: 0 });
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
        self.lock().retain(|&(what, code), places| {
            places.retain(|place, Folded { tell, more }| {
                let came = std::mem::take(more);
                if came > 0 {
                    let place = Some(&**place).filter(|place| !place.is_empty());
                    tell(Kind { what, code, place, tell: *tell }, came);
                }
                came > 0
            });
            !places.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, Kinds> {
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

    fn kind(code: &'static str) -> Kind<'static> {
        let tell: fn(Kind<'_>, u64) =
            |kind, more| TOLD.with_borrow_mut(|told| told.push((kind.code, more)));
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
