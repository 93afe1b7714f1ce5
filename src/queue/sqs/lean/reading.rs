//! The body of an answer: all of it where there is room, or its receipt handles alone.
//!
//! Nothing waits for the next piece of one for longer than [`PIECE_MAX`].

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use super::failure::Failure;
use super::way::AnyError;
use crate::queue::Room;
use crate::queue::sqs::wire::{Skim, Unread};

/// The largest answer that is read whole. Ten messages of 1 MiB are three times as large where each
/// character is written as an escape, and have handles and attributes beside.
pub(super) const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What room is asked for first where an answer does not tell its size; then for twice what came.
const UNTOLD_BYTES: usize = 64 * 1024;

/// How much of an answer is looked through at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// The longest that nothing comes of an answer that has begun.
const PIECE_MAX: Duration = Duration::from_secs(10);

/// What of an answer is read.
pub enum Body {
    Whole(Bytes),
    /// There was no room for more.
    Handles(Vec<Unread>),
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

/// All of a body that has no more than `bytes_max`.
pub(super) async fn read_all(body: Incoming, bytes_max: usize) -> Result<Bytes, Failure> {
    let mut pieces = Pieces::of(body);
    let mut bytes = pieces.told.unwrap_or_default();
    while bytes <= bytes_max {
        let Some(come) = pieces.next(Instant::now() + PIECE_MAX).await? else {
            return Ok(pieces.join());
        };
        bytes = bytes.max(come);
    }
    Err(Failure::Unreachable(format!("an answer of more than {bytes_max} bytes")))
}

/// As much of a body as there is `room` for, while what it brings is hidden from others.
pub(super) async fn read_into(body: Incoming, room: &mut impl Room) -> Result<Body, Failure> {
    let mut pieces = Pieces::of(body);
    let mut room_for = pieces.told.unwrap_or(UNTOLD_BYTES);
    while room_for <= ANSWER_BYTES_MAX && room.make(room_for).await {
        let until = room.hidden_until();
        loop {
            let Some(bytes) = pieces.next(until).await? else {
                return Ok(Body::Whole(pieces.join()));
            };
            if bytes > room_for {
                room_for = 2 * bytes;
                break;
            }
        }
    }
    pieces.read_handles(room.hidden_until()).await.map(Body::Handles)
}

/// A body as it comes.
struct Pieces {
    rest: Incoming,
    /// How large it is in all, where its head says so.
    told: Option<usize>,
    first: Bytes,
    /// The first and all others, once there are any.
    joined: BytesMut,
}

impl Pieces {
    fn of(rest: Incoming) -> Self {
        let told = rest.size_hint().exact();
        let told = told.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        Self { rest, told, first: Bytes::new(), joined: BytesMut::new() }
    }

    /// Takes the next piece in, and says how many bytes have come; `None` at the end.
    async fn next(&mut self, until: Instant) -> Result<Option<usize>, Failure> {
        let Some(piece) = next(&mut self.rest, until).await? else { return Ok(None) };
        if self.first.is_empty() && self.joined.is_empty() {
            self.first = piece;
            return Ok(Some(self.first.len()));
        }
        if self.joined.is_empty() {
            self.joined.reserve(self.told.unwrap_or(UNTOLD_BYTES));
            self.joined.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&piece);
        Ok(Some(self.joined.len()))
    }

    /// Without a copy where it came in one piece.
    fn join(self) -> Bytes {
        if self.joined.is_empty() { self.first } else { self.joined.freeze() }
    }

    /// The receipt handles alone, of what has come and what is still to come.
    async fn read_handles(mut self, until: Instant) -> Result<Vec<Unread>, Failure> {
        let mut skim = Skim::default();
        let mut is_answer = true;
        let come = [self.first, self.joined.freeze()];
        for piece in come.iter().flat_map(|come| come.chunks(PIECE_BYTES)) {
            is_answer = skim.take(piece);
            if !is_answer {
                break;
            }
            // What has come may be all of a large answer, and others want their turn.
            yield_now().await;
        }
        while is_answer && let Some(piece) = next(&mut self.rest, until).await? {
            is_answer = skim.take(&piece);
        }
        skim.handles().filter(|_| is_answer).ok_or_else(unreadable)
    }
}

fn unreadable() -> Failure {
    Failure::Unreachable("the answer ends early, or is none of SQS".to_owned())
}

/// The next piece with data; trailers have none.
async fn next(body: &mut Incoming, until: Instant) -> Result<Option<Bytes>, Failure> {
    let come = async {
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    };
    let piece_until = Instant::now() + PIECE_MAX;
    match timeout_at(until.min(piece_until), come).await {
        Ok(come) => come.map_err(|error: hyper::Error| Failure::from(AnyError::from(error))),
        Err(_) if piece_until <= until => Err(Failure::TimedOut(PIECE_MAX)),
        Err(_) => Err(Failure::Unreachable(
            "the answer took longer than the visibility timeout of its messages".to_owned(),
        )),
    }
}
