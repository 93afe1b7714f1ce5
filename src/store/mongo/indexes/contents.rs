//! What a collection can turn out to be: whether it has documents, and which kinds take no writes.

/// What is there of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    Missing,
    Empty,
    Filled,
    /// Holds one `_id` twice without a word, so that an insert cannot be told from its redelivery.
    TimeSeries,
    View,
    /// Removes its oldest documents when it is full.
    Capped,
}

impl Contents {
    /// Whether it can be written to, and have the declared indexes.
    #[must_use]
    pub const fn is_ordinary(self) -> bool {
        match self {
            Self::Missing | Self::Empty | Self::Filled => true,
            Self::TimeSeries | Self::View | Self::Capped => false,
        }
    }
}
