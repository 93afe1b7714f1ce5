//! How much may be held, and how much is.

/// How much may be held: the section `in_flight`.
#[derive(Debug, Clone)]
pub struct InFlightConfig {
    /// 10 to 100,000 (SQS allows 120,000 a queue, over all workers).
    pub messages_max: usize,
    /// 10 MiB to 4 GiB, and enough for one message.
    pub bytes_max: usize,
}

/// The parts of `in_flight.bytes_max`. Receives reserve from all but `growth`; so whatever they
/// hold, a message that outgrows its share finds room once the messages that wait for their writes
/// are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// What receives may hold and reserve together, with what was made of it all.
    pub receives: usize,
    /// Of that, what receives leave alone before they ask, for answers that turn out larger than those
    /// before: the largest one. 0 where there is not room for two of them; then each receive reserves
    /// the largest answer.
    pub spare: usize,
    /// What one message may need beyond its share while it is decoded: its text unpacked, and what
    /// is made of that.
    pub growth: usize,
}

impl Shares {
    /// What one message takes: as it came, beside what is made of it, which for ordinary JSON is as
    /// large, give or take an eighth; and its dead letter would be.
    #[must_use]
    pub const fn of_message(message_bytes_max: usize) -> usize {
        2 * message_bytes_max + message_bytes_max / 8
    }

    /// What the largest answer takes, which has so many `messages`.
    #[must_use]
    pub const fn of_answer(messages: usize, message_bytes_max: usize) -> usize {
        messages * Self::of_message(message_bytes_max)
    }
}

/// What is taken of a budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    pub messages: usize,
    pub bytes: usize,
}
