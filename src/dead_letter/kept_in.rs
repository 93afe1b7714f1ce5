//! What becomes of refused messages.

use std::sync::Arc;

use super::queue::LetterQueue;
use super::told::Told;

/// Where dead letters are kept, if they are.
pub enum KeptIn {
    /// Their collection.
    Collection,
    /// A queue. What that does not take goes to the collection.
    Queue(LetterQueue),
    /// Where the messages came from: nothing else is kept of them, and somebody is told.
    Source(Arc<dyn Told>),
}

impl From<Option<LetterQueue>> for KeptIn {
    fn from(queue: Option<LetterQueue>) -> Self {
        queue.map_or(Self::Collection, Self::Queue)
    }
}
