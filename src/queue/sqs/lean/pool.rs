//! Connections that are kept, and one call on one of them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::failure::Failure;
use super::reading::{self, Body};
use super::way::{AnyError, Connection, Way};
use crate::queue::Room;

/// Connections to one endpoint, one call in flight on each. Their number follows from that of the
/// calls.
pub(super) struct Pool {
    pub way: Way,
    idle_max: Duration,
    /// The one that was used last stands last.
    idle: Mutex<Vec<(Connection, Instant)>>,
}

/// What a server answers, of which the body is not read yet.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Incoming,
    connection: Connection,
}

/// Why there is no answer.
enum Failed {
    /// Nothing of the request has left this process.
    Unsent(Box<Request<Full<Bytes>>>),
    /// It may have been done.
    Unanswered(AnyError),
}

impl Pool {
    /// What has been idle for `idle_max` is not used again.
    pub fn new(way: Way, idle_max: Duration) -> Self {
        Self { way, idle_max, idle: Mutex::default() }
    }

    /// One call: on a connection that is kept, or on a new one where there is none, or where its
    /// other end has closed it before anything of the request was sent. What may be done already is
    /// never sent again: a receive that was lost has hidden messages.
    pub async fn call(&self, mut request: Request<Full<Bytes>>) -> Result<Answer, AnyError> {
        let (mut connection, mut is_kept) = match self.take() {
            Some(connection) => (connection, true),
            None => (self.connect().await?, false),
        };
        loop {
            request = match self.exchange(connection, request).await {
                Ok(answer) => return Ok(answer),
                Err(Failed::Unsent(request)) if is_kept => *request,
                Err(Failed::Unsent(_)) => return Err("the connection was closed at once".into()),
                Err(Failed::Unanswered(error)) => return Err(error),
            };
            (connection, is_kept) = (self.connect().await?, false);
        }
    }

    /// What is rare takes no room in what waits for an answer.
    async fn connect(&self) -> Result<Connection, AnyError> {
        Box::pin(self.way.connect()).await
    }

    async fn exchange(
        &self,
        mut connection: Connection,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, Failed> {
        if connection.ready().await.is_err() {
            return Err(Failed::Unsent(Box::new(request)));
        }
        let answer = connection.try_send_request(request).await.map_err(|mut error| match error
            .take_message()
        {
            Some(request) => Failed::Unsent(Box::new(request)),
            None => Failed::Unanswered(error.into_error().into()),
        })?;
        let (head, body) = answer.into_parts();
        Ok(Answer { status: head.status, headers: head.headers, body, connection })
    }

    /// Reads all of an answer that has no more than `bytes_max`, and keeps its connection.
    pub async fn read_all(&self, answer: Answer, bytes_max: usize) -> Result<Bytes, Failure> {
        let read = reading::read_all(answer.body, bytes_max).await?;
        self.put(answer.connection);
        Ok(read)
    }

    /// Reads an answer as there is `room` for it, and keeps its connection. Where there is none it is
    /// read for its handles alone.
    pub async fn read_into(&self, answer: Answer, room: &mut impl Room) -> Result<Body, Failure> {
        let read = reading::read_into(answer.body, room).await?;
        self.put(answer.connection);
        Ok(read)
    }

    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(connection, since)| {
            since.elapsed() < self.idle_max && !connection.is_closed()
        });
        idle.pop().map(|(connection, _)| connection)
    }

    fn put(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push((connection, Instant::now()));
    }
}
