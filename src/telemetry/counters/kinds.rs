//! What a counter can be: a sum, a peak, or a sum for each value of a label.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::telemetry::labels::Label;

/// Keys and values of the labels of one count.
pub type Labels<'a> = &'a [(&'static str, &'a str)];

/// What metrics read of a counter, whatever its kind.
pub trait Counted {
    /// Over all labels.
    fn get(&self) -> u64;

    /// Whether it is the highest value that there was, and not a sum.
    fn is_peak(&self) -> bool {
        false
    }

    /// Tells each count with the keys and values of its labels.
    fn each(&self, tell: &mut dyn FnMut(u64, Labels<'_>)) {
        tell(self.get(), &[]);
    }
}

/// A sum.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub(in crate::telemetry) fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counted for Counter {
    fn get(&self) -> u64 {
        self.get()
    }
}

/// The highest value that there was.
#[derive(Debug, Default)]
pub struct Peak(AtomicU64);

impl Peak {
    pub(in crate::telemetry) fn raise(&self, to: usize) {
        self.0.fetch_max(to as u64, Ordering::Relaxed);
    }

    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counted for Peak {
    fn get(&self) -> u64 {
        self.get()
    }

    fn is_peak(&self) -> bool {
        true
    }
}

/// A sum for each value of a label.
#[derive(Debug)]
pub struct By<L>(Vec<Counter>, PhantomData<L>);

impl<L: Label> Default for By<L> {
    fn default() -> Self {
        Self(L::ALL.iter().map(|_| Counter::default()).collect(), PhantomData)
    }
}

impl<L: Label> By<L> {
    pub(in crate::telemetry) fn add(&self, label: L) {
        self.0[label.index()].add(1);
    }

    /// Over all labels.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.iter().map(Counter::get).sum()
    }

    /// The count of one label.
    #[must_use]
    pub fn of(&self, label: L) -> u64 {
        self.0[label.index()].get()
    }

    /// Every label with its count, those that never occurred included.
    pub fn all(&self) -> impl Iterator<Item = (L, u64)> {
        L::ALL.iter().zip(&self.0).map(|(label, counter)| (*label, counter.get()))
    }

    pub(super) fn occurred(&self) -> BTreeMap<L, u64>
    where
        L: Ord,
    {
        self.all().filter(|(_, count)| *count > 0).collect()
    }
}

impl<L: Label> Counted for By<L> {
    fn get(&self) -> u64 {
        self.get()
    }

    fn each(&self, tell: &mut dyn FnMut(u64, Labels<'_>)) {
        for (label, count) in self.all() {
            tell(count, &[(L::KEY, label.name())]);
        }
    }
}
