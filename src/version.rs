//! Versions and their join: what makes the order of delivery irrelevant. Pure.
//!
//! A [`Version`] is (version field, origin time, sequence, place, origin id, content), compared in
//! that order: total, and the same here and on the server. A whole-state update is a
//! last-writer-wins register, a partial one a last-writer-wins map; [`join`] is associative,
//! commutative and idempotent. So it does not matter in which order updates of one key arrive, how
//! often, or how many of them are joined before they are written: here in a lane, or on the server
//! by the same comparison.
//!
//! All of it rests on one thing: two changes at one version are the same change, because a version
//! ends with a hash of what the message says. The terms are those of M. Shapiro and others, "A
//! comprehensive study of Convergent and Commutative Replicated Data Types" (2011).

use std::cmp::Ordering;
use std::sync::Arc;

use crate::bson::Fields;
use crate::time::Time;

/// Bytes of SHA-256 over a message that end its version.
pub const CONTENT_HASH_BYTES: usize = 8;

/// Bytes of [`Version::fine`].
pub const FINE_BYTES: usize = 24;

/// When a value was made, by its own account; ties are broken by the message that carried it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The route's version field, to the nanosecond; the origin's time where the message has none.
    pub time: Time,
    /// When the message was sent, as its identity says.
    pub origin_time: Time,
    /// The place in a FIFO queue; 0 elsewhere.
    pub sequence: u128,
    /// The place among the messages that came packed in one; 0 where it came alone.
    pub place: u32,
    /// Stored as binary, so that no collation orders it.
    pub origin_id: Arc<[u8]>,
    /// Decides between two contents under one identity, which a sender should not give twice and
    /// may.
    pub content_hash: [u8; CONTENT_HASH_BYTES],
}

impl Version {
    /// What is finer than the origin's millisecond: the nanoseconds beyond it, sequence and place, as
    /// [`FINE_BYTES`] bytes of which the greater are of the greater.
    #[must_use]
    pub fn fine(&self) -> [u8; FINE_BYTES] {
        let mut bytes = [0; FINE_BYTES];
        bytes[..4].copy_from_slice(&self.origin_time.nanos().to_be_bytes());
        bytes[4..20].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[20..].copy_from_slice(&self.place.to_be_bytes());
        bytes
    }
}

impl Ord for Version {
    /// The server compares binary values by length, then by bytes (MongoDB manual, "BSON comparison
    /// order"); so does this.
    fn cmp(&self, other: &Self) -> Ordering {
        self.time
            .cmp(&other.time)
            .then(self.origin_time.cmp(&other.origin_time))
            .then(self.sequence.cmp(&other.sequence))
            .then(self.place.cmp(&other.place))
            .then(self.origin_id.len().cmp(&other.origin_id.len()))
            .then_with(|| self.origin_id.cmp(&other.origin_id))
            .then(self.content_hash.cmp(&other.content_hash))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What an update carries, and at which version. [`join`] says how two of them become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The whole state at one version: a last-writer-wins register. `fields` are all there are;
    /// what is declared and absent is removed.
    Whole { version: Version, fields: Fields },
    /// Some fields, each with its own version: a last-writer-wins map. Sorted by name.
    Partial { fields: Vec<(String, Version, Fields)> },
}

/// One of two changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

/// Which of two changes of one key their join is, where it is one of them as it stands: of whole
/// states the newer. Equal versions are one message, delivered twice, or two that say the same.
///
/// Both are of one shape, because all routes of one collection agree in it (the configuration
/// refuses others); where they are not, the whole state wins, so that the function is total.
#[must_use]
pub fn winner(left: &Change, right: &Change) -> Option<Side> {
    match (left, right) {
        (Change::Whole { version: a, .. }, Change::Whole { version: b, .. }) => {
            Some(if b > a { Side::Right } else { Side::Left })
        }
        (Change::Whole { .. }, Change::Partial { .. }) => Some(Side::Left),
        (Change::Partial { .. }, Change::Whole { .. }) => Some(Side::Right),
        (Change::Partial { .. }, Change::Partial { .. }) => None,
    }
}

/// Joins two changes of one key: the [`winner`], or the newer of each field.
#[must_use]
pub fn join(left: Change, right: Change) -> Change {
    match (left, right) {
        (Change::Partial { fields: left }, Change::Partial { fields: right }) => {
            Change::Partial { fields: merge(left, right) }
        }
        (left, right) if winner(&left, &right) == Some(Side::Right) => right,
        (left, _) => left,
    }
}

type VersionedField = (String, Version, Fields);

/// Merges two lists that are sorted by name.
fn merge(left: Vec<VersionedField>, right: Vec<VersionedField>) -> Vec<VersionedField> {
    let mut merged = Vec::with_capacity(left.len().max(right.len()));
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) => a.0.cmp(&b.0),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return merged,
        };
        let next = match order {
            Ordering::Less => left.next(),
            Ordering::Greater => right.next(),
            Ordering::Equal => {
                let (a, b) = (left.next(), right.next());
                if a.as_ref().map(|field| &field.1) >= b.as_ref().map(|field| &field.1) {
                    a
                } else {
                    b
                }
            }
        };
        merged.extend(next);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::*;
    use crate::bson::element;

    const NAMES: [&str; 3] = ["a", "b", "c"];

    /// One message, as its producer sent it: few times and ids, so that ties are many. Its number
    /// in the list is its content.
    #[derive(Debug, Clone)]
    struct Message {
        nanos: i32,
        origin_nanos: i32,
        sequence: u128,
        place: u32,
        id: usize,
        whole: bool,
        /// Which of [`NAMES`] it carries.
        names: [bool; 3],
    }

    #[derive(Debug, Clone, Copy)]
    enum Shape {
        Whole,
        Partial,
        /// Which the configuration refuses.
        Mixed,
    }

    /// Distinct for each number, and of two lengths that bytes alone would order otherwise.
    fn origin_id(number: usize) -> Arc<[u8]> {
        let byte = u8::try_from(number).expect("few messages");
        if number.is_multiple_of(2) {
            [0xff - byte].as_slice().into()
        } else {
            [byte, 0].as_slice().into()
        }
    }

    fn version(number: usize, message: &Message) -> Version {
        Version {
            time: time(message.nanos),
            origin_time: time(message.origin_nanos),
            sequence: message.sequence,
            place: message.place,
            origin_id: origin_id(message.id),
            content_hash: u64::try_from(number).expect("few messages").to_be_bytes(),
        }
    }

    fn time(nanos: i32) -> Time {
        Time::from_nanos(nanos.into()).expect("a time")
    }

    fn change(number: usize, message: &Message) -> Change {
        let version = version(number, message);
        let carried =
            NAMES.iter().zip(message.names).filter_map(|(name, carried)| carried.then_some(*name));
        let value = |fields: &mut Fields, name: &str| {
            fields.push(
                name,
                element::INT64,
                &u64::try_from(number).expect("few messages").to_le_bytes(),
            );
        };
        if message.whole {
            let mut fields = Fields::default();
            carried.for_each(|name| value(&mut fields, name));
            return Change::Whole { version, fields };
        }
        let fields = carried.map(|name| {
            let mut single = Fields::default();
            value(&mut single, name);
            (name.to_owned(), version.clone(), single)
        });
        Change::Partial { fields: fields.collect() }
    }

    /// One to eight changes of one key, each of another message.
    fn changes(shape: Shape) -> impl Strategy<Value = Vec<Change>> {
        let whole = match shape {
            Shape::Whole => Just(true).boxed(),
            Shape::Partial => Just(false).boxed(),
            Shape::Mixed => any::<bool>().boxed(),
        };
        // A millisecond is a million: times tie in it, and below it.
        let nanos = select(vec![0, 1, 1_000_000]);
        let message =
            (nanos.clone(), nanos, 0_u128..2, 0_u32..2, 0_usize..3, whole, any::<[bool; 3]>())
                .prop_map(|(nanos, origin_nanos, sequence, place, id, whole, names)| Message {
                    nanos,
                    origin_nanos,
                    sequence,
                    place,
                    id,
                    whole,
                    names,
                });
        prop::collection::vec(message, 1..8).prop_map(|messages| {
            messages.iter().enumerate().map(|(number, message)| change(number, message)).collect()
        })
    }

    fn any_shape() -> impl Strategy<Value = Vec<Change>> {
        select(vec![Shape::Whole, Shape::Partial, Shape::Mixed]).prop_flat_map(changes)
    }

    fn joined<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Change {
        changes.into_iter().cloned().reduce(join).expect("one at least")
    }

    /// What a lane may hold: the join of some messages, which others may be part of too.
    fn some(changes: &[Change], picks: &[Index]) -> Change {
        joined(picks.iter().map(|pick| pick.get(changes)))
    }

    fn picks() -> impl Strategy<Value = Vec<Index>> {
        prop::collection::vec(any::<Index>(), 1..5)
    }

    #[test]
    fn versions_compare_by_each_part_in_turn_and_ids_by_length_first() {
        let version = |nanos, origin_nanos, sequence, place, id: &[u8], content| Version {
            time: time(nanos),
            origin_time: time(origin_nanos),
            sequence,
            place,
            origin_id: id.into(),
            content_hash: [content; CONTENT_HASH_BYTES],
        };
        let rising = [
            version(-1, 9, 9, 9, &[9], 9),
            version(0, 9, 9, 9, &[9], 9),
            version(1, 1, 9, 9, &[9, 9], 9),
            version(1, 2, 0, 9, &[9], 9),
            version(1, 2, 1, 0, &[9], 9),
            version(1, 2, 1, 1, &[], 9),
            version(1, 2, 1, 1, &[0xff], 9),
            version(1, 2, 1, 1, &[0, 1], 9),
            version(1, 2, 1, 1, &[1, 0], 0),
            version(1, 2, 1, 1, &[1, 0], 1),
            version(2, 0, 0, 0, &[], 0),
        ];
        assert!(rising.is_sorted_by(|a, b| a < b));
        let bytes: Vec<_> =
            [(0, 0, 1), (0, 1, 0), (0, 1, 256), (0, 256, 0), (1, 0, 0), (999_999, 0, 0)]
                .map(|(nanos, sequence, place)| {
                    Version { origin_time: time(nanos), sequence, place, ..rising[0].clone() }
                        .fine()
                })
                .to_vec();
        assert!(bytes.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_newer_whole_state_drops_the_fields_of_the_older() {
        let message = |nanos, names| Message {
            nanos,
            origin_nanos: 0,
            sequence: 0,
            place: 0,
            id: 0,
            whole: true,
            names,
        };
        let (older, newer) = (
            change(0, &message(1, [true, true, false])),
            change(1, &message(2, [true, false, false])),
        );
        assert_eq!(join(newer.clone(), older), newer);
    }

    #[test]
    fn partial_changes_keep_the_newest_of_each_field() {
        let message = |nanos, names| Message {
            nanos,
            origin_nanos: 0,
            sequence: 0,
            place: 0,
            id: 0,
            whole: false,
            names,
        };
        let (older, newer) = (
            change(0, &message(1, [true, true, false])),
            change(1, &message(2, [true, false, true])),
        );
        let Change::Partial { fields } = join(older, newer) else { panic!("partial") };
        let kept: Vec<_> =
            fields.iter().map(|(name, version, _)| (name.as_str(), version.time.nanos())).collect();
        assert_eq!(kept, [("a", 2), ("b", 1), ("c", 2)]);
    }

    proptest! {
        #[test]
        fn join_is_associative(changes in any_shape(), (a, b, c) in (picks(), picks(), picks())) {
            let (a, b, c) = (some(&changes, &a), some(&changes, &b), some(&changes, &c));
            prop_assert_eq!(join(join(a.clone(), b.clone()), c.clone()), join(a, join(b, c)));
        }

        #[test]
        fn join_is_commutative(changes in any_shape(), (a, b) in (picks(), picks())) {
            let (a, b) = (some(&changes, &a), some(&changes, &b));
            prop_assert_eq!(join(a.clone(), b.clone()), join(b, a));
        }

        #[test]
        fn join_is_idempotent(changes in any_shape(), a in picks()) {
            let a = some(&changes, &a);
            prop_assert_eq!(join(a.clone(), a.clone()), a);
        }

        #[test]
        fn any_order_with_any_duplicates_ends_the_same(
            (changes, order) in any_shape().prop_flat_map(|changes| {
                let all: Vec<usize> = (0..changes.len()).collect();
                let more = prop::collection::vec(select(all.clone()), 0..8);
                let order = more.prop_flat_map(move |more| Just([all.clone(), more].concat()).prop_shuffle());
                (Just(changes), order)
            }),
        ) {
            let delivered = joined(order.iter().map(|&index| &changes[index]));
            prop_assert_eq!(delivered, joined(&changes));
        }

        #[test]
        fn the_join_of_whole_states_is_the_newest_of_them(changes in changes(Shape::Whole)) {
            let newest = changes.iter().max_by_key(|change| match change {
                Change::Whole { version, .. } => version.clone(),
                Change::Partial { .. } => panic!("whole"),
            });
            prop_assert_eq!(Some(&joined(&changes)), newest);
        }

        #[test]
        fn the_join_of_partial_changes_is_the_newest_of_each_field_sorted_by_name(changes in changes(Shape::Partial)) {
            let mut newest = std::collections::BTreeMap::<String, (Version, Fields)>::new();
            for change in &changes {
                let Change::Partial { fields } = change else { panic!("partial") };
                for (name, version, value) in fields {
                    if newest.get(name).is_none_or(|(known, _)| known < version) {
                        newest.insert(name.clone(), (version.clone(), value.clone()));
                    }
                }
            }
            let fields = newest.into_iter().map(|(name, (version, value))| (name, version, value)).collect();
            prop_assert_eq!(joined(&changes), Change::Partial { fields });
        }
    }
}
