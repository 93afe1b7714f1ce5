//! One connection: requests one after the other, each with its answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use longshore::queue::{EntryOutcome, QueueFaultKind};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, ReadBuf};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::simulation::conditions::Conditions;
use crate::simulation::fault::Fault;
use crate::simulation::queue::fate;
use crate::simulation::wire::send;

use super::Endpoint;
use super::answer::{self, Answer, Refusal};
use super::keys::Wrong;
use super::request::{Request, Wanted};

/// Nothing comes for longer than any adapter waits for a piece of an answer.
const STALL: Duration = Duration::from_mins(2);

/// The longest that an answer comes in parts.
const PARTS_MAX: usize = 30;

/// The worker's end. It tells a connection that breaks from one that ends.
pub struct Client {
    stream: DuplexStream,
    breaks: Arc<AtomicBool>,
}

impl Client {
    pub fn new(stream: DuplexStream) -> Self {
        Self { stream, breaks: Arc::default() }
    }

    /// Set before the other end goes, if it breaks.
    pub fn breaks(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.breaks)
    }
}

impl AsyncRead for Client {
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

impl AsyncWrite for Client {
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

    async fn next(&mut self) -> Option<Request> {
        if !self.conditions().draws(Fault::IdleClosed) {
            return Request::read(&mut self.stream).await;
        }
        let idle = self.conditions().dice.between_ms(0, 25_000);
        let next = timeout(idle, Request::read(&mut self.stream)).await;
        next.unwrap_or_else(|_| {
            self.conditions().history.saw(Fault::IdleClosed);
            None
        })
    }

    /// What the queue says to a request. `None` where nothing comes any more.
    async fn answer(&self, request: &Request) -> Option<Answer> {
        let (endpoint, conditions) = (&self.endpoint, self.conditions());
        let mut checked = endpoint.keys.check(request);
        if checked.is_ok() && conditions.strikes(Fault::KeysReplaced) {
            endpoint.keys.replace();
            checked = Err(Wrong::Keys);
        }
        if let Err(wrong) = checked {
            match wrong {
                Wrong::Keys => {}
                Wrong::Time => conditions.history.saw(Fault::SignedAtWrongTime),
                Wrong::Signature => endpoint.violation(|| "signs a request wrong".to_owned()),
            }
            return Some(self.refusal(Refusal::of_signature(wrong)));
        }
        let Some(wanted) = request.wanted().filter(|_| request.path == "/") else {
            endpoint.violation(|| "sends what is no request of SQS".to_owned());
            return None;
        };
        let asked_of = match &wanted {
            Wanted::Receive { .. } => None,
            Wanted::Handles { request, .. } => Some(*request),
        };
        let (fate, kind) = fate::draw(conditions, asked_of);
        if !fate.acts {
            sleep(fate.before + fate.after).await;
            let is_gone = kind == QueueFaultKind::Unavailable && conditions.dice.chance(0.4);
            return (!is_gone).then(|| self.refusal(Refusal::draw(kind, &conditions.dice)));
        }
        let acting = Arc::clone(endpoint);
        match wanted {
            Wanted::Receive { max, wait, attempt } => {
                let act = async move {
                    acting.receives();
                    let gave = acting.queue.receive(max, wait, attempt.as_deref()).await;
                    answer::of_receive(gave)
                };
                send(&endpoint.who, fate, act).await.ok()
            }
            Wanted::Handles { handles, ids, request, hide } => {
                let (number, asked) = endpoint.asked(request, &handles, hide)?;
                let act = async move {
                    let outcomes = asked.apply(&acting.queue, &acting.who, &handles, request, hide);
                    acting.says(number, &outcomes);
                    outcomes
                };
                let outcomes: Vec<EntryOutcome> = send(&endpoint.who, fate, act).await.ok()?;
                Some(answer::of_batch(&ids, &outcomes, &conditions.dice))
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
        let (bytes, mut gave, mut goes_on) = (sent.bytes, sent.gave, sent.goes_on);
        let mut ends_at = bytes.len();
        if conditions.strikes(Fault::AnswerCut) {
            (ends_at, goes_on) = (dice.below(bytes.len()), false);
        }
        let stalls_at = conditions.strikes(Fault::AnswerStalls).then(|| dice.below(bytes.len()));
        let (is_slow, is_in_pieces) =
            (conditions.strikes(Fault::AnswerSlow), conditions.strikes(Fault::AnswerInPieces));
        let parts = match (is_slow, is_in_pieces) {
            (true, _) => 1 + dice.below(4),
            (false, true) => 1 + dice.below(PARTS_MAX),
            (false, false) => 0,
        };
        let mut places: Vec<_> = (0..parts).map(|_| dice.below(bytes.len())).collect();
        places.extend(stalls_at);
        places.sort_unstable();
        let mut from = 0;
        for place in places.into_iter().chain([ends_at]) {
            let until = place.min(ends_at);
            self.stream.write_all(&bytes[from..until]).await.ok()?;
            from = until;
            if from >= sent.body_at {
                gave.take().into_iter().for_each(|gave| endpoint.gives(gave));
            }
            if stalls_at == Some(place) {
                sleep(STALL).await;
            } else if is_slow && from < ends_at {
                sleep(dice.between_ms(0, 4_000)).await;
            } else {
                yield_now().await;
            }
        }
        self.ends_well = sent.ends_with_it && ends_at == bytes.len();
        goes_on.then_some(())
    }
}
