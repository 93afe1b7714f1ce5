//! How the in-flight bytes are shared out: among receives, and to the one message at a time that
//! needs more than its share.

use super::settings::Config;

/// The largest message that SQS takes, attributes included (SQS quotas: 1 MiB). A queue may be set
/// to less, and to more again at any time.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Most memory of what is made of one message: a document of 16 MiB, and 16 bytes for each of its
/// top-level fields, of which it may have a quarter of a million then.
const DECODED_BYTES_MAX: usize = 20 * 1024 * 1024;

/// Memory for each byte of JSON at most. The worst are zeros in an array: `0,` becomes a type, an
/// index of up to seven digits, a NUL and four bytes of value.
const GROWTH_MAX: usize = 7;

/// The parts of `in_flight.bytes_max`. Receives reserve from all but `growth`; so whatever they
/// hold, a message that outgrows its share finds room once the messages that wait for their writes
/// are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// What receives may hold and reserve together, with what was made of it all.
    pub receives: usize,
    /// What one message may need beyond its share while it is decoded: its text unpacked, and what
    /// is made of that.
    pub growth: usize,
}

impl Shares {
    /// For a queue whose messages have at most `message_bytes_max`. `None` where not even one
    /// message has room.
    #[must_use]
    pub fn new(config: &Config, message_bytes_max: usize) -> Option<Self> {
        let growth = Self::growth(config, message_bytes_max);
        let receives = config.in_flight.bytes_max.checked_sub(growth)?;
        (receives >= Self::of_message(message_bytes_max)).then_some(Self { receives, growth })
    }

    /// What one message takes: as it came, beside what is made of it, which for ordinary JSON is as
    /// large, give or take an eighth; and its dead letter would be.
    #[must_use]
    pub const fn of_message(message_bytes_max: usize) -> usize {
        2 * message_bytes_max + message_bytes_max / 8
    }

    /// The least `in_flight.bytes_max` that holds one message.
    #[must_use]
    pub fn bytes_min(config: &Config, message_bytes_max: usize) -> usize {
        Self::growth(config, message_bytes_max) + Self::of_message(message_bytes_max)
    }

    fn growth(config: &Config, message_bytes_max: usize) -> usize {
        let unpacked = config.message.decompressed_bytes_max;
        unpacked + DECODED_BYTES_MAX.min(GROWTH_MAX * unpacked.max(message_bytes_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::defaults;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn by_default_eight_receives_of_the_largest_messages_and_one_that_grows_have_room() {
        let config = defaults();
        let shares = Shares::new(&config, MESSAGE_BYTES_MAX).expect("room");
        assert_eq!(
            (shares.growth, shares.receives + shares.growth),
            (36 * MIB, config.in_flight.bytes_max)
        );
        assert!(
            shares.receives
                >= config.queue.pollers_max * 10 * Shares::of_message(MESSAGE_BYTES_MAX)
        );
    }

    #[test]
    fn a_budget_that_cannot_hold_one_message_is_none() {
        let mut config = defaults();
        config.in_flight.bytes_max = Shares::bytes_min(&config, MESSAGE_BYTES_MAX);
        assert!(Shares::new(&config, MESSAGE_BYTES_MAX).is_some());
        config.in_flight.bytes_max -= 1;
        assert_eq!(Shares::new(&config, MESSAGE_BYTES_MAX), None);
    }

    #[test]
    fn small_bodies_need_small_budgets() {
        let mut config = defaults();
        config.message.decompressed_bytes_max = MIB;
        assert_eq!(Shares::bytes_min(&config, MIB), 10 * MIB + MIB / 8);
    }
}
