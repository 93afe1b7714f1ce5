//! Room for what waits, by messages and by bytes, in the order in which it was asked for.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// The bounds of a producer.
#[derive(Debug)]
pub struct Room {
    bytes: Arc<Semaphore>,
    messages: Arc<Semaphore>,
}

/// The part of one message, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    _bytes: OwnedSemaphorePermit,
    _message: OwnedSemaphorePermit,
}

/// Why there is no place now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    Full,
    /// Nor will there be one.
    Closed,
}

impl From<TryAcquireError> for NoPlace {
    fn from(error: TryAcquireError) -> Self {
        match error {
            TryAcquireError::Closed => Self::Closed,
            TryAcquireError::NoPermits => Self::Full,
        }
    }
}

impl Room {
    pub fn new(messages_max: usize, bytes_max: usize) -> Self {
        // Beyond what a semaphore counts there is no memory either.
        let of = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self { bytes: of(bytes_max), messages: of(messages_max) }
    }

    /// Waits for room for a message of so many bytes. None where nothing more is taken.
    pub async fn wait(&self, bytes: usize) -> Option<Place> {
        // Both in this order, and each gives in the order of asking: nobody is overtaken.
        let bytes = Arc::clone(&self.bytes).acquire_many_owned(permits(bytes)).await.ok()?;
        let message = Arc::clone(&self.messages).acquire_owned().await.ok()?;
        Some(Place { _bytes: bytes, _message: message })
    }

    /// # Errors
    /// Where there is no room now, or others wait for it.
    pub fn try_now(&self, bytes: usize) -> Result<Place, NoPlace> {
        let bytes = Arc::clone(&self.bytes).try_acquire_many_owned(permits(bytes))?;
        let message = Arc::clone(&self.messages).try_acquire_owned()?;
        Ok(Place { _bytes: bytes, _message: message })
    }

    /// Takes nothing more: who waits is told.
    pub fn close(&self) {
        self.bytes.close();
        self.messages.close();
    }
}

/// A message has at most 1 MiB.
fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
