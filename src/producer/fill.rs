//! How much one call takes: ten messages, and so many bytes.

use crate::queue::{BATCH_MAX, SEND_BYTES_MAX};

/// How full a batch is.
#[derive(Debug, Clone, Copy)]
pub struct Fill {
    /// 1 to [`BATCH_MAX`].
    entries_max: usize,
    entries: usize,
    bytes: usize,
}

impl Fill {
    pub fn new(entries_max: usize) -> Self {
        Self { entries_max: entries_max.clamp(1, BATCH_MAX), entries: 0, bytes: 0 }
    }

    /// Counts a message of so many bytes in, where it has room.
    pub fn takes(&mut self, bytes: usize) -> bool {
        let has_room = !self.is_complete() && self.bytes + bytes <= SEND_BYTES_MAX;
        if has_room {
            self.entries += 1;
            self.bytes += bytes;
        }
        has_room
    }

    /// Whether it has as many messages as it may have.
    pub fn is_complete(&self) -> bool {
        self.entries >= self.entries_max
    }
}
