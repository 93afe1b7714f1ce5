//! What waits to be sent, in the order of arrival. What waits for a moment of its own stands aside, and behind it
//! what a FIFO queue has of its group: nobody walks past them to find what may go.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use crate::queue::Outgoing;

/// A message that waits. `T` is what it was pushed with.
pub type Entry<T> = (Outgoing, Ticket<T>);

#[derive(Debug)]
pub struct Ticket<T> {
    pub tag: T,
    /// Rises with the arrivals.
    pub number: u64,
    pub arrived: Instant,
    /// Of a message that failed while others of its call did not: when it is tried again.
    pub not_before: Option<Instant>,
    /// How often that happened.
    pub failures: u32,
    /// A call with it failed as a whole, which may be its own fault: it is sent in a call of its own.
    pub is_suspect: bool,
}

/// What nothing overtakes within: a group of a FIFO queue, otherwise a message.
type Lane = (Option<String>, u64);

pub struct Waiting<T> {
    fifo: bool,
    arrivals: u64,
    /// By their numbers, as all below.
    ready: BTreeMap<u64, Entry<T>>,
    /// The first of each lane waits for a moment of its own.
    aside: BTreeMap<Lane, BTreeMap<u64, Entry<T>>>,
    /// These moments.
    until: BTreeSet<(Instant, Lane)>,
}

impl<T> Waiting<T> {
    /// `fifo`: whether messages of one group keep their order.
    pub fn new(fifo: bool) -> Self {
        Self {
            fifo,
            arrivals: 0,
            ready: BTreeMap::new(),
            aside: BTreeMap::new(),
            until: BTreeSet::new(),
        }
    }

    pub fn push(&mut self, message: Outgoing, tag: T, now: Instant) {
        self.arrivals += 1;
        let (number, arrived) = (self.arrivals, now);
        let ticket =
            Ticket { tag, number, arrived, not_before: None, failures: 0, is_suspect: false };
        self.put_back((message, ticket));
    }

    /// At the place that it had, aside where it has a moment to wait for.
    pub fn put_back(&mut self, entry: Entry<T>) {
        let (number, not_before) = (entry.1.number, entry.1.not_before);
        if self.aside.is_empty() && not_before.is_none() {
            self.ready.insert(number, entry);
            return;
        }
        let lane = self.lane(&entry);
        let first = self.aside.get(&lane).and_then(|lane| lane.first_key_value());
        let first = first.map(|(first, (_, ticket))| (*first, ticket.not_before));
        match (first, not_before) {
            (Some((first, _)), _) if first < number => {
                self.aside.entry(lane).or_default().insert(number, entry);
            }
            (_, None) => _ = self.ready.insert(number, entry),
            (first, Some(at)) => {
                if let Some((_, Some(at))) = first {
                    self.until.remove(&(at, lane.clone()));
                }
                let behind = self.aside.entry(lane.clone()).or_default();
                behind.insert(number, entry);
                if lane.0.is_some() {
                    let of_lane = |_: &u64, (message, _): &mut Entry<T>| message.group == lane.0;
                    behind.extend(self.ready.extract_if(number.., of_lane));
                }
                self.until.insert((at, lane));
            }
        }
    }

    fn lane(&self, (message, ticket): &Entry<T>) -> Lane {
        match &message.group {
            Some(group) if self.fifo => (Some(group.clone()), 0),
            _ => (None, ticket.number),
        }
    }

    /// Brings back what has waited for its moment, and what stood behind it.
    pub fn bring_back(&mut self, now: Instant) {
        while self.earliest().is_some_and(|at| at <= now)
            && let Some((_, lane)) = self.until.pop_first()
        {
            let mut entries = self.aside.remove(&lane).unwrap_or_default().into_values();
            if let Some((message, ticket)) = entries.next() {
                self.put_back((message, Ticket { not_before: None, ..ticket }));
            }
            for entry in entries {
                self.put_back(entry);
            }
        }
    }

    /// When the next may come back.
    pub fn earliest(&self) -> Option<Instant> {
        self.until.first().map(|(at, _)| *at)
    }

    /// What may go, by its numbers.
    pub fn ready(&self) -> impl Iterator<Item = &Entry<T>> {
        self.ready.values()
    }

    /// Takes one of these.
    pub fn take(&mut self, number: u64) -> Option<Entry<T>> {
        self.ready.remove(&number)
    }

    /// Takes all for which that is so.
    pub fn take_where(&mut self, is_it: impl Fn(&Ticket<T>) -> bool) -> Vec<Entry<T>> {
        let mut all = self.ready.values().chain(self.aside.values().flat_map(BTreeMap::values));
        // Mostly there is none, and then nothing moves.
        if !all.any(|(_, ticket)| is_it(ticket)) {
            return Vec::new();
        }
        let (taken, kept): (Vec<_>, Vec<_>) =
            self.take_all().into_iter().partition(|(_, ticket)| is_it(ticket));
        for entry in kept {
            self.put_back(entry);
        }
        taken
    }

    pub fn take_all(&mut self) -> Vec<Entry<T>> {
        self.until.clear();
        let mut all = std::mem::take(&mut self.ready);
        all.extend(std::mem::take(&mut self.aside).into_values().flatten());
        all.into_values().collect()
    }

    pub fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.aside.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn message(group: &str) -> Outgoing {
        Outgoing { group: Some(group.to_owned()), ..Outgoing::default() }
    }

    fn numbers(waiting: &Waiting<()>) -> Vec<u64> {
        waiting.ready().map(|(_, ticket)| ticket.number).collect()
    }

    /// Lets a message wait, as if it had failed.
    fn fail(waiting: &mut Waiting<()>, number: u64, until: Instant) {
        if let Some((message, ticket)) = waiting.take(number) {
            waiting.put_back((message, Ticket { not_before: Some(until), ..ticket }));
        }
    }

    #[test]
    fn nobody_walks_past_ten_thousand_that_wait_behind_one_of_their_group() {
        let (mut waiting, now) = (Waiting::new(true), Instant::now());
        for _ in 0..5_000 {
            waiting.push(message("a"), (), now);
        }
        fail(&mut waiting, 1, now + SECOND);
        for _ in 0..5_000 {
            waiting.push(message("a"), (), now);
        }
        waiting.push(message("b"), (), now);
        waiting.bring_back(now);
        assert_eq!((numbers(&waiting), waiting.earliest()), (vec![10_001], Some(now + SECOND)));
        waiting.bring_back(now + SECOND);
        assert_eq!(numbers(&waiting), (1..=10_001).collect::<Vec<_>>());
        assert_eq!(waiting.take_where(|ticket| ticket.number > 1).len(), 10_000);
        assert_eq!((numbers(&waiting), waiting.is_empty()), (vec![1], false));
    }

    proptest! {
        #[test]
        fn what_may_go_is_what_a_walk_over_all_would_find(
            fifo: bool,
            steps in proptest::collection::vec((0_u8..4, 0_u32..4, any::<prop::sample::Index>()), 1..80),
        ) {
            let (mut waiting, mut now) = (Waiting::new(fifo), Instant::now());
            // By number: the group, and when it may go.
            let mut all = BTreeMap::<u64, (u32, Instant)>::new();
            for (step, some, pick) in steps {
                let ready = numbers(&waiting);
                match step {
                    0 | 1 => {
                        waiting.push(message(&some.to_string()), (), now);
                        all.insert(all.len() as u64 + 1, (some, now));
                    }
                    2 if !ready.is_empty() => {
                        let number = ready[pick.index(ready.len())];
                        let until = now + (some + 1) * SECOND;
                        fail(&mut waiting, number, until);
                        all.entry(number).and_modify(|(_, at)| *at = until);
                    }
                    _ => now += some * SECOND,
                }
                waiting.bring_back(now);
                let mut behind = BTreeSet::new();
                let may_go = all.iter().filter(|(_, (group, at))| {
                    if *at > now {
                        behind.insert(*group);
                    }
                    *at <= now && !(fifo && behind.contains(group))
                });
                let may_go: Vec<u64> = may_go.map(|(number, _)| *number).collect();
                prop_assert_eq!(numbers(&waiting), may_go);
                let kept: usize = waiting.aside.values().map(BTreeMap::len).sum();
                prop_assert_eq!(waiting.ready.len() + kept, all.len());
                prop_assert_eq!(waiting.until.len(), waiting.aside.len());
                prop_assert!(waiting.earliest().is_none_or(|at| at > now));
            }
        }
    }
}
