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
use crate::simulation::wire::{Fate, send};

use super::Endpoint;
use super::answer::{self, Answer, Refusal};
use super::calls::{Said, Wanted};
use super::keys::Wrong;
use super::request::{Ask, HttpRequest};

/// Nothing comes for longer than any adapter waits for a piece of an answer.
const STALL: Duration = Duration::from_mins(2);

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
        if let Err(wrong) = checked {
            match wrong {
                Wrong::Keys => {}
                Wrong::Time => conditions.history.saw(Fault::SignedAtWrongTime),
                Wrong::Signature => endpoint.violation(|| "signs a request wrong".to_owned()),
            }
            return Some(self.refusal(Refusal::of_signature(wrong, &conditions.dice)));
        }
        let Some(ask) = request.ask() else {
            endpoint.violation(|| "sends what is no request to its queue".to_owned());
            return None;
        };
        let asked_of = match &ask.wanted {
            Wanted::Receive { .. } => None,
            Wanted::Settle { request, .. } => Some(*request),
        };
        let (fate, kind) = fate::draw(conditions, asked_of);
        if !fate.acts {
            sleep(fate.before + fate.after).await;
            let is_gone = kind == QueueFaultKind::Unavailable && conditions.dice.chance(0.4);
            return (!is_gone).then(|| self.refusal(Refusal::draw(kind, &conditions.dice)));
        }
        self.act(ask, fate).await
    }

    /// The queue acts, unless the worker did not ask for that.
    async fn act(&self, Ask { wanted, ids, named }: Ask, fate: Fate) -> Option<Answer> {
        let endpoint = &self.endpoint;
        let (number, asked) = match endpoint.calls.acts(&wanted) {
            Ok(made) => made,
            Err(wrong) => {
                endpoint.violation(|| format!("sends {wanted:?} {wrong}"));
                return None;
            }
        };
        let acting = Arc::clone(endpoint);
        match wanted {
            Wanted::Receive { max, wait, attempt } => {
                let act = async move {
                    let gave = acting.queue.receive(max, wait, attempt.as_deref()).await;
                    answer::of_receive(number, gave, &named)
                };
                send(&endpoint.who, fate, act).await.ok()
            }
            Wanted::Settle { handles, request, hide } => {
                let act = async move {
                    let did = asked.apply(&acting.queue, &acting.who, &handles, request, hide);
                    acting.calls.says(number, Said::Did(did.clone()));
                    did
                };
                let did: Vec<EntryOutcome> = send(&endpoint.who, fate, act).await.ok()?;
                Some(answer::of_batch(&ids, &did, &self.conditions().dice))
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
            (false, true) => 1 + dice.below(PIECES_MAX),
            (false, false) => 0,
        };
        let mut places: Vec<_> = (0..parts).map(|_| dice.below(bytes.len())).collect();
        places.extend(stalls_at);
        // What comes behind may wait for room.
        places.push(sent.body_at);
        places.sort_unstable();
        let mut from = 0;
        for place in places.into_iter().chain([ends_at]) {
            let until = place.min(ends_at);
            self.stream.write_all(&bytes[from..until]).await.ok()?;
            from = until;
            if from >= sent.body_at {
                gave.take().into_iter().for_each(|(number, gave)| endpoint.gives(number, gave));
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
