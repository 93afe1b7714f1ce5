//! What a stage holds of the budget.

use std::sync::Arc;

use super::amounts::Used;
use super::state::{Shared, is_half_or_alone};

/// What a message may need beyond its share and not count as grown. Ordinary JSON needs an eighth more
/// or less than its share, and a few numbers more than that.
const GROWTH_FREE: usize = 4 * 1024;

/// A part of the budget, given back when dropped.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
    messages: usize,
    bytes: usize,
    /// Of these bytes, those over the budget.
    beyond: usize,
    /// Of these bytes, those that count as grown.
    pub(super) grown: usize,
    /// A receive holds it for what it may bring.
    pub(super) is_reserved: bool,
    /// What of it counts as held by a rejected message.
    rejected: Option<Used>,
}

impl Permit {
    /// For what was taken just now.
    pub(super) fn new(shared: &Arc<Shared>, Used { messages, bytes }: Used) -> Self {
        Self {
            shared: Arc::clone(shared),
            messages,
            bytes,
            beyond: 0,
            grown: 0,
            is_reserved: false,
            rejected: None,
        }
    }

    /// Becomes part of `other`. Both are of receives.
    pub(super) fn join(mut self, other: &mut Permit) {
        debug_assert!(self.is_reserved && other.is_reserved, "permits of receives");
        other.bytes += std::mem::take(&mut self.bytes);
    }

    /// Splits one message of `bytes` off.
    ///
    /// What this permit lacks is taken over the budget, as the message is in memory already. That
    /// happens only with a queue that delivers more than was asked for, or larger messages than it
    /// says.
    #[must_use]
    pub fn split_message(&mut self, bytes: usize) -> Permit {
        let (lacking_messages, lacking_bytes) =
            (1_usize.saturating_sub(self.messages), bytes.saturating_sub(self.bytes));
        if lacking_messages + lacking_bytes > 0 {
            let mut state = self.shared.lock();
            state.take(lacking_messages, lacking_bytes);
            state.beyond += lacking_bytes;
            state.show(&self.shared.gauges);
        }
        self.messages -= 1 - lacking_messages;
        self.bytes -= bytes - lacking_bytes;
        self.bring(1 - lacking_messages, bytes - lacking_bytes);
        let mut message = Self::new(&self.shared, Used { messages: 1, bytes });
        message.beyond = lacking_bytes;
        message
    }

    /// Counts what this permit holds among what rejected messages hold; false where that would be
    /// more than half of the budget. What is counted stays so until it is [`Permit::kept`] or dropped.
    #[must_use]
    pub fn reject(&mut self) -> bool {
        self.kept();
        let Shared { messages_max, bytes_max, .. } = *self.shared;
        let own = Used { messages: self.messages, bytes: self.bytes };
        let mut state = self.shared.lock();
        let Used { messages, bytes } = state.rejected;
        // One message always can, or the least budget would never see its dead letter.
        if !is_half_or_alone(messages, own.messages, messages_max)
            || !is_half_or_alone(bytes, own.bytes, bytes_max)
        {
            return false;
        }
        state.rejected = Used { messages: messages + own.messages, bytes: bytes + own.bytes };
        self.rejected = Some(own);
        true
    }

    /// Counts what this permit holds no longer among what rejected messages hold: the dead letter is
    /// kept.
    pub fn kept(&mut self) {
        if let Some(own) = self.rejected.take() {
            self.shared.lock().forget_rejected(own);
        }
    }

    /// Moves `bytes` to `other`, the permit of a message of the same budget; at most all that there
    /// are. What is more than half of what `other` has, and `GROWTH_FREE`, counts as grown; false,
    /// and nothing is moved, where messages would have grown to more than half of the budget, or
    /// another one waits to grow.
    #[must_use]
    pub fn give(&mut self, other: &mut Permit, bytes: usize) -> bool {
        debug_assert!(Arc::ptr_eq(&self.shared, &other.shared), "permits of one budget");
        debug_assert!(bytes <= self.bytes, "{bytes} of {} bytes", self.bytes);
        let bytes = bytes.min(self.bytes);
        let grown = bytes.saturating_sub(other.bytes / 2 + GROWTH_FREE);
        // A permit that was taken to grow is counted already.
        let uncounted = grown.saturating_sub(self.grown);
        if uncounted > 0 {
            let mut state = self.shared.lock();
            if state.is_waited_to_grow || !self.shared.may_grow(&state, uncounted) {
                return false;
            }
            state.grown += uncounted;
        }
        self.grown -= grown - uncounted;
        other.grown += grown;
        self.bytes -= bytes;
        other.bytes += bytes;
        if !other.is_reserved {
            self.bring(0, bytes);
        }
        true
    }

    /// So much of what was reserved is held now.
    fn bring(&self, messages: usize, bytes: usize) {
        if self.is_reserved {
            let mut state = self.shared.lock();
            state.reserved.messages -= messages;
            state.reserved.bytes -= bytes;
            state.show(&self.shared.gauges);
        }
    }

    /// Gives all but `bytes` back: what was made of the message is needed no more.
    pub fn shrink_to(&mut self, bytes: usize) {
        let extra = self.bytes.saturating_sub(bytes.max(self.beyond));
        self.bytes -= extra;
        let mut given_back = Self::new(&self.shared, Used { messages: 0, bytes: extra });
        given_back.grown = std::mem::take(&mut self.grown);
    }

    #[must_use]
    pub fn messages(&self) -> usize {
        self.messages
    }

    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.messages == 0 && self.bytes == 0 && self.grown == 0 {
            return;
        }
        let mut state = self.shared.lock();
        state.used.messages -= self.messages;
        state.used.bytes -= self.bytes;
        state.beyond -= self.beyond;
        state.grown -= self.grown;
        if self.is_reserved {
            state.reserved.messages -= self.messages;
            state.reserved.bytes -= self.bytes;
        }
        if let Some(own) = self.rejected {
            state.forget_rejected(own);
        }
        state.show(&self.shared.gauges);
        drop(state);
        self.shared.freed.notify_one();
        self.shared.freed_to_grow.notify_one();
        self.shared.freed_to_extend.notify_one();
    }
}
