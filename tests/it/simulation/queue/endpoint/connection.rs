//! One connection: requests one after the other, each with its answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use longshore::queue::QueueFaultKind;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, ReadBuf};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::simulation::conditions::Conditions;
use crate::simulation::fault::Fault;
use crate::simulation::queue::asked::Asked;
use crate::simulation::queue::fate;
use crate::simulation::wire::{Fate, send};

use super::Endpoint;
use super::answer::{self, Answer, Refusal};
use super::calls::Wanted;
use super::keys::Wrong;
use super::request::{Ask, HttpRequest};

/// Nothing comes for longer than any adapter waits for a piece of an answer.
const STALL: Duration = Duration::from_mins(2);

/// Whose clock is off by as much may take a plain denial for one of its time, and ask once more: the
/// AWS SDKs do from four minutes on, by the seconds of a `Date`.
const DOUBTED_MS: u64 = 4 * 60_000 - 1_000;

/// The most places at which an answer is slow, and for how long.
const SLOW_PLACES_MAX: usize = 4;
const SLOW_MS_MAX: u64 = 4_000;

/// The longest that an answer takes: it may be slow where its head ends, too.
pub const ANSWER_MAX: Duration =
    STALL.saturating_add(Duration::from_millis((SLOW_PLACES_MAX as u64 + 1) * SLOW_MS_MAX));

/// The most places at which an answer is broken into pieces.
const PIECES_MAX: usize = 30;

/// The worker's end. It tells a connection that breaks from one that ends.
pub struct WorkersEnd {
    stream: DuplexStream,
    breaks: Arc<AtomicBool>,
}

impl WorkersEnd {
    pub fn new(stream: DuplexStream) -> Self {
        Self { stream, breaks: Arc::default() }
    }

    /// Set before the other end goes, if it breaks.
    pub fn breaks(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.breaks)
    }
}

impl AsyncRead for WorkersEnd {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        if into.filled().len() == before && self.breaks.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WorkersEnd {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The endpoint's end.
pub struct Connection {
    endpoint: Arc<Endpoint>,
    stream: BufReader<DuplexStream>,
    breaks: Arc<AtomicBool>,
    /// Its end is that of the last answer.
    ends_well: bool,
}

impl Connection {
    pub fn new(endpoint: Arc<Endpoint>, stream: DuplexStream, breaks: Arc<AtomicBool>) -> Self {
        Self { endpoint, stream: BufReader::new(stream), breaks, ends_well: false }
    }

    pub async fn serve(mut self) {
        while let Some(request) = self.next().await {
            let answered = match self.answer(&request).await {
                Some(answer) => self.write(answer).await,
                None => None,
            };
            if answered.is_none() {
                break;
            }
        }
        let is_broken = !self.ends_well && self.conditions().dice.chance(0.5);
        self.breaks.store(is_broken, Ordering::Relaxed);
    }

    fn conditions(&self) -> &Conditions {
        self.endpoint.who.conditions()
    }

    async fn next(&mut self) -> Option<HttpRequest> {
        if !self.conditions().draws(Fault::IdleClosed) {
            return HttpRequest::read(&mut self.stream).await;
        }
        let idle = self.conditions().dice.between_ms(0, 25_000);
        let next = timeout(idle, HttpRequest::read(&mut self.stream)).await;
        next.unwrap_or_else(|_| {
            self.conditions().history.saw(Fault::IdleClosed);
            None
        })
    }

    /// What the queue says to a request. `None` where nothing comes any more.
    async fn answer(&self, request: &HttpRequest) -> Option<Answer> {
        let (endpoint, conditions) = (&self.endpoint, self.conditions());
        let mut checked = endpoint.keys.check(request);
        if checked.is_ok() && conditions.strikes(Fault::KeysReplaced) {
            endpoint.keys.replace();
            checked = Err(Wrong::Keys);
        }
        let off_ms = match checked {
            Ok(off_ms) => off_ms,
            Err(wrong) => {
                match wrong {
                    Wrong::Keys => {}
                    Wrong::Time => conditions.history.saw(Fault::SignedAtWrongTime),
                    Wrong::Signature => endpoint.violation(|| "signs a request wrong".to_owned()),
                }
                return Some(self.refusal(Refusal::of_signature(wrong, &conditions.dice)));
            }
        };
        let Some(ask) = request.ask() else {
            endpoint.violation(|| "sends what is no request to its queue".to_owned());
            return None;
        };
        // Refused or not: it is not sent again.
        let (number, asked) = match endpoint.calls.arrives(&ask.wanted) {
            Ok(call) => call,
            Err(wrong) => {
                endpoint.violation(|| format!("sends {:?} {wrong}", ask.wanted));
                return None;
            }
        };
        let asked_of = match &ask.wanted {
            Wanted::Receive { .. } => None,
            Wanted::Settle { request, .. } => Some(*request),
        };
        let (fate, kind) = fate::draw(conditions, asked_of);
        if !fate.acts {
            if kind == QueueFaultKind::Denied && off_ms >= DOUBTED_MS {
                endpoint.calls.may_come_again(number);
            }
            sleep(fate.before + fate.after).await;
            let is_gone = kind == QueueFaultKind::Unavailable && conditions.dice.chance(0.4);
            return (!is_gone).then(|| self.refusal(Refusal::draw(kind, &conditions.dice)));
        }
        self.act(number, asked, ask, fate).await
    }

    /// The queue acts.
    async fn act(&self, number: u64, asked: Asked, ask: Ask, fate: Fate) -> Option<Answer> {
        let endpoint = &self.endpoint;
        let acting = Arc::clone(endpoint);
        let Ask { wanted, ids, named } = ask;
        match wanted {
            Wanted::Receive { max, wait, attempt } => {
                let act = async move {
                    let gave = acting.queue.receive(max, wait, attempt.as_deref()).await;
                    answer::of_receive(number, gave, &named)
                };
                send(&endpoint.who, fate, act).await.ok()
            }
            Wanted::Settle { handles, request, hide } => {
                let act =
                    async move { asked.apply(&acting.queue, &acting.who, &handles, request, hide) };
                let did = send(&endpoint.who, fate, act).await.ok()?;
                Some(answer::of_batch(number, did, &ids, &self.conditions().dice))
            }
        }
    }

    fn refusal(&self, refusal: Refusal) -> Answer {
        refusal.answer(self.endpoint.keys.now_ms())
    }

    /// Sends an answer, as whole as it pleases. `None` where the connection does not go on.
    async fn write(&mut self, answer: Answer) -> Option<()> {
        let endpoint = Arc::clone(&self.endpoint);
        let conditions = endpoint.who.conditions();
        let dice = &conditions.dice;
        let sent = answer.draw(conditions);
        let (bytes, mut said, mut goes_on) = (sent.bytes, sent.said, sent.goes_on);
        let number = said.as_ref().map(|(number, _)| *number);
        let mut ends_at = bytes.len();
        if conditions.strikes(Fault::AnswerCut) {
            (ends_at, goes_on) = (dice.below(bytes.len()), false);
        }
        let stalls_at = conditions.strikes(Fault::AnswerStalls).then(|| dice.below(bytes.len()));
        let (is_slow, is_in_pieces) =
            (conditions.strikes(Fault::AnswerSlow), conditions.strikes(Fault::AnswerInPieces));
        let parts = match (is_slow, is_in_pieces) {
            (true, _) => 1 + dice.below(SLOW_PLACES_MAX),
            (false, true) => 1 + dice.below(PIECES_MAX),
            (false, false) => 0,
        };
        let mut places: Vec<_> = (0..parts).map(|_| dice.below(bytes.len())).collect();
        places.extend(stalls_at);
        // What comes behind may wait for room.
        places.push(sent.body_at);
        places.sort_unstable();
        places.dedup();
        let mut from = 0;
        for place in places.into_iter().chain([ends_at]) {
            let until = place.min(ends_at);
            self.stream.write_all(&bytes[from..until]).await.ok()?;
            from = until;
            if from >= sent.body_at {
                said.take().into_iter().for_each(|(number, said)| endpoint.says(number, said));
            }
            if sent.is_sound
                && from == bytes.len()
                && let Some(number) = number
            {
                endpoint.calls.has_said_all(number);
            }
            if stalls_at == Some(place) {
                sleep(STALL).await;
            } else if is_slow && from < ends_at {
                sleep(dice.between_ms(0, SLOW_MS_MAX)).await;
            } else {
                yield_now().await;
            }
        }
        self.ends_well = sent.ends_with_it && ends_at == bytes.len();
        goes_on.then_some(())
    }
}
