//! Connections that are kept, and one call on one of them.

use std::fmt;
use std::io::{self, BufReader};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyDataStream, BodyExt, Full};
use hyper::body::{Body as _, Incoming};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::way::{AnyError, Connection, Way};
use crate::queue::Room;
use crate::queue::sqs::wire::{Handle, handles};

/// The largest answer that is read. Ten messages of 1 MiB are three times as large where each
/// character is written as an escape, and have handles and attributes beside.
pub(super) const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Connections to one endpoint, one call in flight on each. Their number follows from that of the
/// calls.
pub(super) struct Pool {
    pub way: Way,
    idle_max: Duration,
    /// The one that was used last stands last.
    idle: Mutex<Vec<(Connection, Instant)>>,
}

/// What a server answers, of which the body is not read yet.
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Incoming,
    connection: Connection,
}

/// What of an answer is read.
pub(super) enum Body {
    Whole(Bytes),
    /// There was no room for more.
    Handles(Vec<Handle>),
}

/// It may hold the bodies of messages.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "Whole({} bytes)", bytes.len()),
            Self::Handles(handles) => write!(f, "Handles({})", handles.len()),
        }
    }
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

    /// Reads an answer once there is `room` for it, within `limit` from then on, and keeps its
    /// connection. Where there is none it is read for its handles alone, in constant memory.
    pub async fn read(
        &self,
        answer: Answer,
        room: &mut impl Room,
        limit: Duration,
    ) -> Result<Result<Body, AnyError>, Elapsed> {
        let Answer { body, connection, .. } = answer;
        let told = body.size_hint().exact();
        let told = told.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let has_room = room.make(told).await;
        let read = timeout(limit, async {
            Ok(if has_room {
                Body::Whole(read(body).await?)
            } else {
                Body::Handles(read_handles(body).await?)
            })
        })
        .await?;
        if read.is_ok() {
            self.put(connection);
        }
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

/// All of a body, without a copy where it came in one piece.
async fn read(mut body: Incoming) -> Result<Bytes, AnyError> {
    let too_large = || AnyError::from(format!("an answer of more than {ANSWER_BYTES_MAX} bytes"));
    let announced = body.size_hint().lower();
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    if announced > ANSWER_BYTES_MAX {
        return Err(too_large());
    }
    let Some(first) = next(&mut body).await? else { return Ok(Bytes::new()) };
    if body.is_end_stream() {
        return Ok(first);
    }
    let Some(second) = next(&mut body).await? else { return Ok(first) };
    let mut all = BytesMut::with_capacity(announced.max(first.len() + second.len()));
    all.extend_from_slice(&first);
    all.extend_from_slice(&second);
    drop((first, second));
    while let Some(data) = next(&mut body).await? {
        if all.len() + data.len() > ANSWER_BYTES_MAX {
            return Err(too_large());
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

async fn read_handles(body: Incoming) -> Result<Vec<Handle>, AnyError> {
    let pieces = BodyDataStream::new(body).map_err(io::Error::other);
    let reader = BufReader::new(SyncIoBridge::new(StreamReader::new(pieces)));
    let read = tokio::task::spawn_blocking(move || handles(reader)).await?;
    read.ok_or_else(|| "the answer ends early, or is none of SQS".into())
}

/// The next piece with data; trailers have none.
async fn next(body: &mut Incoming) -> Result<Option<Bytes>, hyper::Error> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
