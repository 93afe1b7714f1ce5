//! How the in-flight bytes are shared out: among receives, and to the one message at a time that
//! needs more than its share.

use super::settings::Config;
use crate::budget::Shares;
use crate::queue::BATCH_MAX;

/// Memory for each byte of JSON at most. The worst are zeros in an array: `0,` becomes a type, an
/// index of up to seven digits, a NUL and four bytes of value.
const GROWTH_MAX: usize = 7;

/// For a queue whose messages have at most `message_bytes_max`. `None` where not even one message
/// has room.
#[must_use]
pub fn shares(config: &Config, message_bytes_max: usize) -> Option<Shares> {
    let growth = growth(config, message_bytes_max);
    let receives = config.in_flight.bytes_max.checked_sub(growth)?;
    let largest = Shares::of_answer(BATCH_MAX, message_bytes_max);
    let spare = if receives >= 2 * largest { largest } else { 0 };
    let has_room = receives >= Shares::of_message(message_bytes_max);
    has_room.then_some(Shares { receives, spare, growth })
}

/// The least `in_flight.bytes_max` that holds one message.
#[must_use]
pub fn bytes_min(config: &Config, message_bytes_max: usize) -> usize {
    growth(config, message_bytes_max) + Shares::of_message(message_bytes_max)
}

/// What one message may need beyond its share.
#[must_use]
pub fn growth(config: &Config, message_bytes_max: usize) -> usize {
    let (unpacked, document) =
        (config.message.decompressed_bytes_max, config.message.document_bytes_max);
    // The document, and 16 bytes for each of its top-level fields, of which it may have one for each
    // 64 bytes of the document then.
    let decoded = document + document / 4;
    unpacked + decoded.min(GROWTH_MAX * unpacked.max(message_bytes_max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::defaults;
    use crate::queue::MESSAGE_BYTES_MAX;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn by_default_eight_of_the_largest_answers_and_one_message_that_grows_have_room() {
        let config = defaults();
        let shares = shares(&config, MESSAGE_BYTES_MAX).expect("room");
        assert_eq!(
            (shares.growth, shares.receives + shares.growth),
            (7 * MIB, config.in_flight.bytes_max)
        );
        assert!(shares.receives >= 8 * Shares::of_answer(BATCH_MAX, MESSAGE_BYTES_MAX));
    }

    #[test]
    fn the_largest_answer_is_spared_where_there_is_room_for_two() {
        let mut config = defaults();
        let largest = Shares::of_answer(BATCH_MAX, MESSAGE_BYTES_MAX);
        let spare = |config: &Config| shares(config, MESSAGE_BYTES_MAX).expect("room").spare;
        assert_eq!(spare(&config), largest);
        config.in_flight.bytes_max = growth(&config, MESSAGE_BYTES_MAX) + 2 * largest;
        assert_eq!(spare(&config), largest);
        config.in_flight.bytes_max -= 1;
        assert_eq!(spare(&config), 0);
    }

    #[test]
    fn a_budget_that_cannot_hold_one_message_is_none() {
        let mut config = defaults();
        config.in_flight.bytes_max = bytes_min(&config, MESSAGE_BYTES_MAX);
        assert!(shares(&config, MESSAGE_BYTES_MAX).is_some());
        config.in_flight.bytes_max -= 1;
        assert_eq!(shares(&config, MESSAGE_BYTES_MAX), None);
    }

    #[test]
    fn small_bodies_need_small_budgets() {
        let mut config = defaults();
        config.message.decompressed_bytes_max = MIB;
        config.message.document_bytes_max = MIB;
        assert_eq!(bytes_min(&config, MIB), 2 * MIB + MIB / 4 + 2 * MIB + MIB / 8);
    }
}
