//! That the order of arrival does not matter, even where nothing tells which of two updates is
//! newer: the same updates, in another order, by a worker that nothing disturbs, to another store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::simulation::conditions::Conditions;
use crate::simulation::dice::Dice;
use crate::simulation::history::History;
use crate::simulation::judge::KEYED;
use crate::simulation::plan::Plan;
use crate::simulation::store::{Document, Name};

use super::World;

/// How long that may take where nothing fails.
const LASTS_MAX: Duration = Duration::from_hours(1);

impl World {
    /// Looks whether both stores end with the same documents, versions included.
    pub async fn again(&self, seed: u64) {
        let plan = Plan::draw(&Dice::new(seed)).without_faults();
        let second = Conditions::new(Dice::new(!seed), History::new(false), plan);
        second.calm_down();
        let second = Arc::new(World::new(Arc::new(second), None));
        second.queue.shuffle();
        for (number, message) in self.judge.all_sent().into_iter().enumerate() {
            let is_wanted = message.place().is_some_and(|place| KEYED.contains(&place.0))
                && !message.is_rejected();
            if let (Some(content), Some(_)) = (message.content(), message.put_back_of) {
                second.store.they_mend(content);
            }
            second.send(message);
            if !is_wanted {
                second.queue.forget(number);
            }
        }
        let seat = tokio::spawn(Arc::clone(&second).seat(0));
        let started = Instant::now();
        while !second.queue.left().is_empty() && started.elapsed() < LASTS_MAX {
            sleep(Duration::from_millis(250)).await;
        }
        let left = second.queue.left();
        if !left.is_empty() {
            self.violation(|| {
                format!("given all once more, and after {LASTS_MAX:?} still in the queue: {left:?}")
            });
        }
        second.over.store(true, Ordering::Relaxed);
        if let Err(error) = seat.await {
            self.violation(|| {
                format!("a worker panicked when it was given all once more: {error}")
            });
        }
        for violation in second.conditions.history.violations() {
            self.violation(|| format!("given all once more: {violation}"));
        }
        let (first, second) = (keyed(self), keyed(&second));
        if first != second {
            let apart: Vec<_> = first
                .iter()
                .filter(|(name, document)| second.get(*name) != Some(document))
                .collect();
            let others: Vec<_> = second
                .iter()
                .filter(|(name, document)| first.get(*name) != Some(document))
                .collect();
            self.violation(|| {
                format!(
                    "another order of the same updates ends with {others:?}, not with {apart:?}"
                )
            });
        }
    }
}

fn keyed(world: &World) -> BTreeMap<Name, Document> {
    world
        .store
        .documents()
        .into_iter()
        .filter(|((collection, _), _)| KEYED.contains(&collection.as_str()))
        .collect()
}
