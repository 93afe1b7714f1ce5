//! Which of two updates is meant as newer: by plain numbers that were fixed when each was sent,
//! never by what the messages say.

use std::cmp::Ordering;

/// Where an update stands among the others of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The moment that it tells as its version, in nanoseconds since the epoch, as finely as it
    /// tells it.
    pub version_ns: i128,
    /// When it was first sent, by its own account.
    pub origin_ns: i128,
    /// Whose order decides where these two are alike, and the place in that order. None where
    /// nobody tells it.
    pub place: Option<(Line, usize)>,
}

/// Who has an order of its own that a message can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// A group of a FIFO queue, by its number.
    Group(usize),
    /// A producer that gives rising ids.
    Producer(usize),
}

impl Stamp {
    /// Whether this is meant as newer, and tells so. Of two updates neither may be: then either may
    /// win, everywhere the same.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        match self.version_ns.cmp(&other.version_ns).then(self.origin_ns.cmp(&other.origin_ns)) {
            Ordering::Greater => true,
            Ordering::Less => false,
            Ordering::Equal => match (self.place, other.place) {
                (Some((line, place)), Some((other_line, other_place))) => {
                    line == other_line && place > other_place
                }
                _ => false,
            },
        }
    }

    /// The version as a BSON date holds it.
    pub fn version_ms(&self) -> i64 {
        i64::try_from(self.version_ns.div_euclid(1_000_000)).expect("of this century")
    }

    /// How little tells the two apart, which are of one key.
    pub fn told_from(&self, other: &Self) -> Told {
        if self.version_ms() != other.version_ms() {
            Told::Plainly
        } else if self.version_ns != other.version_ns {
            Told::BelowMilliseconds
        } else if self.origin_ns.div_euclid(1_000_000) != other.origin_ns.div_euclid(1_000_000) {
            Told::Plainly
        } else if self.origin_ns != other.origin_ns {
            Told::BelowMilliseconds
        } else {
            match (self.place, other.place) {
                (Some((line @ Line::Group(_), _)), Some((other, _))) if line == other => {
                    Told::BySequence
                }
                (Some((line @ Line::Producer(_), _)), Some((other, _))) if line == other => {
                    Told::ById
                }
                _ => Told::NotAtAll,
            }
        }
    }
}

/// What tells which of two updates is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Plainly,
    BelowMilliseconds,
    BySequence,
    ById,
    NotAtAll,
}
