//! Ids of inserted documents where the producer gives none, and the hash that tells two documents
//! under one id apart.

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::bson::Field;
use crate::message::{Identity, Origin, Record};
use crate::version::CONTENT_HASH_BYTES;

use super::rules::{ID, TYPE};

/// A UUID made only from the identity: the same at every redelivery, on every worker.
///
/// Of version 7 (RFC 9562, section 5.7), and so rising with the origin's time, so that the index on
/// `_id` grows at its right edge. Where RFC 9562 asks for random bits stand bits of SHA-256 over
/// time, sequence and id. Times before 1970 or beyond 48 bits (the year 10889) count as the nearest
/// that the layout holds. Of an identity without a time it is a UUID of version 8 (section 5.8),
/// bits of SHA-256 over the id.
pub(super) fn from_origin(origin: &Origin) -> [u8; 16] {
    const TIME_MS_MAX: i64 = (1 << 48) - 1;
    let mut uuid = [0; 16];
    let has_time = matches!(origin.identity, Identity::Queue | Identity::Given);
    let version = if has_time {
        let (time, sequence) = (origin.time.to_string(), origin.sequence.to_be_bytes());
        let digest = Sha256::new()
            .chain_update(time)
            .chain_update([0])
            .chain_update(sequence)
            .chain_update(&origin.id)
            .finalize();
        let millis = origin.time.millis().clamp(0, TIME_MS_MAX).to_be_bytes();
        uuid[..6].copy_from_slice(&millis[2..]);
        uuid[6..].copy_from_slice(&digest[..10]);
        7
    } else {
        uuid.copy_from_slice(&Sha256::digest(&origin.id)[..16]);
        8
    };
    uuid[6] = uuid[6] & 0x0f | version << 4;
    // Variant 0b10.
    uuid[8] = uuid[8] & 0x3f | 0x80;
    uuid
}

/// The end of the message's version: what it says decides between two messages that have all else
/// in common.
pub(super) fn content_hash(record: &Record) -> [u8; CONTENT_HASH_BYTES] {
    let mut hash = [0; CONTENT_HASH_BYTES];
    hash.copy_from_slice(&hash_of(record, &[], &[])[..CONTENT_HASH_BYTES]);
    hash
}

/// The first half of SHA-256 over the message as it was sent: its route, and its fields but for `id`
/// and the `volatile` ones, which a producer's own retry changes.
///
/// It is taken before any time is converted or filled in, so that a change of the route's `times`
/// or `default_time` does not make a redelivery look like another document. The route stands for
/// what named it, whether body, attribute or envelope. Top-level fields are sorted by name, because
/// a producer that sends once more may have built its object in another order; below that, the
/// order of names is part of a BSON value.
pub(super) fn message_hash(record: &Record, volatile: &[String]) -> [u8; 16] {
    hash_of(record, volatile, &[ID])
}

/// Up to so many fields are sorted without an allocation.
const FIELDS_INLINE: usize = 16;

fn hash_of(record: &Record, volatile: &[String], own: &[&str]) -> [u8; 16] {
    let is_hashed = |field: &Field<'_>| {
        let is = |name: &str| field.name_bytes() == name.as_bytes();
        let is_consumed = own.iter().any(|name| is(name)) || record.names_its_route() && is(TYPE);
        !is_consumed && !volatile.iter().any(|name| is(name))
    };
    let mut fields: SmallVec<[Field<'_>; FIELDS_INLINE]> =
        record.fields.iter().filter(is_hashed).collect();
    fields.sort_unstable_by_key(Field::name_bytes);
    // Lengths and elements end themselves: no two messages run together into the same bytes.
    let route = record.kind.route().unwrap_or_default();
    let route_bytes = u64::try_from(route.len()).unwrap_or(u64::MAX);
    let mut hash = Sha256::new().chain_update(route_bytes.to_be_bytes()).chain_update(route);
    for field in fields {
        hash.update(field.element);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize()[..16]);
    half
}

#[cfg(test)]
mod tests {
    use bson::{Document, doc};
    use proptest::prelude::*;

    use super::super::sample::record;
    use super::*;
    use crate::message::Holds;
    use crate::time::Time;

    fn origin(time_ms: i64, id: &[u8]) -> Origin {
        Origin {
            identity: Identity::Given,
            time: Time::from_millis(time_ms),
            sequence: 0,
            id: id.into(),
        }
    }

    #[test]
    fn an_id_from_an_origin_never_changes() {
        // Held as a constant: another id after an upgrade would double what is redelivered.
        let uuid = bson::Uuid::from_bytes(from_origin(&origin(
            1_795_341_605_123,
            b"5fea7756-0ea4-451a-a703-a558b933e274",
        )));
        assert_eq!(uuid.to_string(), "01a202b2-d903-71ce-a081-d03f7023d5b4");
        assert_eq!(from_origin(&origin(-1, b"a"))[..6], [0; 6]);
        assert_eq!(from_origin(&origin(i64::MAX, b"a"))[..6], [0xff; 6]);
    }

    #[test]
    fn what_a_retry_changes_may_be_left_out_of_the_hash() {
        let volatile = ["sentAt".to_owned()];
        let hash = |sent_at: &str| {
            message_hash(
                &record("event", &doc! { "user_id": 1, "sentAt": sent_at, "a": 1 }),
                &volatile,
            )
        };
        assert_eq!(hash("first"), hash("again"));
        assert_eq!(
            hash("first"),
            message_hash(&record("event", &doc! { "user_id": 1, "a": 1 }), &[])
        );
        assert_ne!(
            hash("first"),
            message_hash(&record("event", &doc! { "user_id": 1, "a": 2 }), &volatile)
        );
    }

    #[test]
    fn time_and_sequence_are_part_of_an_identity_but_for_one_without_a_time() {
        let given = origin(1_795_341_605_123, b"a");
        let later =
            Origin { time: Time::from_nanos(1_795_341_605_123_000_001).unwrap(), ..given.clone() };
        let next = Origin { sequence: 1, ..given.clone() };
        assert_ne!(from_origin(&given), from_origin(&later));
        assert_ne!(from_origin(&given), from_origin(&next));
        let timeless = |origin: Origin| {
            from_origin(&Origin { identity: Identity::GivenWithoutTime, ..origin })
        };
        let uuid = timeless(given);
        assert_eq!((uuid, uuid[6] >> 4, uuid[8] >> 6), (timeless(later), 8, 0b10));
    }

    #[test]
    fn the_id_of_a_line_never_changes_and_knows_nothing_of_a_time() {
        let line = |time_ms: i64, identity| {
            let sequence = u128::from(time_ms.unsigned_abs());
            Origin { identity, sequence, ..origin(time_ms, b"hash and place") }
        };
        let uuid = from_origin(&line(1_795_341_605_123, Identity::Line(Holds::Message)));
        assert_eq!(uuid, from_origin(&line(i64::MIN, Identity::Line(Holds::Message))));
        assert_eq!(uuid, from_origin(&line(0, Identity::Line(Holds::Document))));
        // Held as a constant: another id after an upgrade would double what is loaded again.
        assert_eq!(
            bson::Uuid::from_bytes(uuid).to_string(),
            "95bb9a1d-2b91-8ba4-a3a2-4bd726f730bd"
        );
    }

    #[test]
    fn a_hash_never_changes() {
        let fields = doc! { "type": "event", "id": "a", "user_id": 1, "event_type": "login" };
        let hash = message_hash(&record("event", &fields), &[]);
        assert_eq!(
            bson::Uuid::from_bytes(hash).to_string(),
            "32bede79-0db0-8b0a-02a8-c9362c71cc54"
        );
    }

    #[test]
    fn a_hash_tells_types_names_and_values_apart_but_not_where_the_type_was_given() {
        let hash = |kind, fields: &Document| message_hash(&record(kind, fields), &[]);
        let login = hash("event", &doc! { "type": "event", "id": 1, "user_id": 1 });
        assert_eq!(login, hash("event", &doc! { "user_id": 1 }));
        assert_ne!(login, hash("audit", &doc! { "user_id": 1 }));
        assert_ne!(login, hash("event", &doc! { "user_id": 2 }));
        assert_ne!(login, hash("event", &doc! { "user_id": "1" }));
        assert_ne!(login, hash("event", &doc! { "user": 1 }));
        assert_ne!(login, hash("event", &doc! { "user_id": 1, "metadata": {} }));
        assert_ne!(
            hash("event", &doc! { "m": { "a": 1, "b": 2 } }),
            hash("event", &doc! { "m": { "b": 2, "a": 1 } })
        );
    }

    proptest! {
        #[test]
        fn ids_are_uuids_of_version_7_that_the_origin_alone_decides(time_ms: i64, id: Vec<u8>, other: Vec<u8>) {
            let uuid = from_origin(&origin(time_ms, &id));
            prop_assert_eq!(uuid, from_origin(&origin(time_ms, &id)));
            prop_assert_eq!((uuid[6] >> 4, uuid[8] >> 6), (7, 0b10));
            if id != other {
                prop_assert_ne!(uuid, from_origin(&origin(time_ms, &other)));
            }
        }

        #[test]
        fn ids_rise_with_the_origins_time(earlier in 0_i64..1 << 47, gap in 1_i64..1 << 46, a: Vec<u8>, b: Vec<u8>) {
            prop_assert!(from_origin(&origin(earlier, &a)) < from_origin(&origin(earlier + gap, &b)));
        }

        #[test]
        fn the_order_of_top_level_fields_does_not_change_the_hash(
            fields in prop::collection::btree_map("[a-z]{0,3}", any::<i64>(), 0..8).prop_map(|map| map.into_iter().collect::<Vec<_>>()),
            shuffled in any::<prop::sample::Index>(),
        ) {
            let mut turned = fields.clone();
            if !turned.is_empty() {
                turned.rotate_left(shuffled.index(fields.len()));
                turned.reverse();
            }
            let hash = |fields: Vec<(String, i64)>| {
                let fields = fields.into_iter().map(|(name, value)| (name, value.into())).collect();
                message_hash(&record("event", &fields), &[])
            };
            prop_assert_eq!(hash(fields), hash(turned));
        }
    }
}
