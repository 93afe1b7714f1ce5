//! A line of a file that is loaded without a queue: what it says of itself in place of a queue.

use std::sync::Arc;

use crate::time::Time;

/// Which line of which file a message is. What it says is the same however often and under whatever
/// name the file is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Made of what is in the whole file and of the line's place in it.
    pub id: Arc<[u8]>,
    /// Rises from line to line.
    pub sequence: u128,
    /// What stands in for a time that the line lacks, where the user gave one.
    pub time: Option<Time>,
    pub holds: Holds,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    Message,
    /// A document as it was exported: what it says may be there already, made of a message that said it
    /// otherwise.
    Document,
}
