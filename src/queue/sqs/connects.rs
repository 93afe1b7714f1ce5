//! Connections from elsewhere than a network.

use std::io;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Makes connections to the endpoint of a queue.
pub trait Connects: Send + Sync {
    fn connect(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>>;
}
