//! The identities of messages that are enqueued one after the other: each is greater than the one
//! before it, so that of two updates the later one wins where nothing else tells them apart.

use uuid::{ContextV7, Timestamp, Uuid};

/// How far behind the latest identity the clock may be: beyond that it was wrong before. Identities ahead of their time
/// would be refused (`message.version_skew_max`), or win over everybody else's until that time comes.
const BEHIND_MAX_MS: i64 = 10 * 60 * 1_000;

/// Gives identities that rise.
#[derive(Debug, Default)]
pub(super) struct Identities {
    context: ContextV7,
    latest_ms: i64,
}

/// What is sent as `longshore-time` and `longshore-id`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    /// Milliseconds since the epoch. Never before that of the one before, also where the clock was
    /// set back, unless by more than ten minutes.
    pub time_ms: i64,
    /// A UUID of version 7, which rises within one millisecond too.
    pub id: String,
}

impl Identities {
    pub(super) fn next(&mut self, now_ms: i64) -> Identity {
        if self.latest_ms.saturating_sub(now_ms) > BEHIND_MAX_MS {
            let behind_s = self.latest_ms.saturating_sub(now_ms) / 1_000;
            tracing::warn!(behind_s, "the clock was set back: times of messages follow it");
            *self = Self::default();
        }
        self.latest_ms = self.latest_ms.max(now_ms);
        let millis = u64::try_from(self.latest_ms).unwrap_or_default();
        let nanos = u32::try_from(millis % 1_000).unwrap_or_default() * 1_000_000;
        let id = Uuid::new_v7(Timestamp::from_unix(&self.context, millis / 1_000, nanos));
        Identity { time_ms: self.latest_ms, id: id.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_rise_within_a_millisecond_and_when_the_clock_is_set_back() {
        const NOW: i64 = 1_795_341_605_123;
        let mut identities = Identities::default();
        let clock = [NOW, NOW, NOW + 1, NOW - 60_000, NOW - 59_999, NOW + 2];
        let given: Vec<_> = clock
            .iter()
            .flat_map(|now_ms| [*now_ms; 1_000])
            .map(|now_ms| identities.next(now_ms))
            .collect();
        assert!(given.is_sorted_by(|a, b| a < b));
        assert!(given.is_sorted_by(|a, b| a.id < b.id));
    }

    #[test]
    fn a_clock_that_was_far_ahead_does_not_last() {
        const NOW: i64 = 1_795_341_605_123;
        let mut identities = Identities::default();
        let ahead = identities.next(NOW + 2 * 3_600_000);
        let back = [NOW, NOW, NOW + 1].map(|now_ms| identities.next(now_ms));
        assert_eq!(back.each_ref().map(|identity| identity.time_ms), [NOW, NOW, NOW + 1]);
        assert!(back[2].id < ahead.id, "its id follows too");
        assert!(back.is_sorted_by(|a, b| a < b) && back.is_sorted_by(|a, b| a.id < b.id));
        let little = identities.next(NOW - 9 * 60 * 1_000);
        assert_eq!(little.time_ms, NOW + 1);
    }
}
