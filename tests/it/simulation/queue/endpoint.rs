//! SQS as the real adapter meets it: an HTTP endpoint in memory, byte by byte. It reads requests and
//! writes answers by hand, so that each may be cut, late, in pieces, or not what it says it is; and it
//! lets in who has signed a request with the keys that hold, for the time that it is.
//!
//! It shares no code with the adapter.

mod answer;
mod connection;
mod keys;
mod request;
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use longshore::clock::Clock;
use longshore::message::QueueMessage;
use longshore::queue::sqs::{Connects, Given, SqsQueue, Stream};
use longshore::queue::{Brought, EntryOutcome, Queue as _, QueueFault, Room};
use tokio::io::duplex;
use tokio::time::{Instant, sleep};

use crate::simulation::conduct::Request;
use crate::simulation::fault::Fault;
use crate::simulation::life::Life;

use self::connection::{Client, Connection};
use self::keys::Keys;
use super::asked::Asked;
use super::{Delivery, Queue};

const URL: &str = "http://sqs.simulated/0/portal";
const REGION: &str = "eu-west-1";

/// What a connection holds that nobody has read yet.
const BUFFER_BYTES: usize = 16 * 1024;

/// An answer that begins later is taken for one that has waited in a long poll.
const BEGINS_AFTER: Duration = Duration::from_millis(500);

/// A request arrives, and is acted on, within this time of its call.
const KNOWN_FOR: Duration = Duration::from_mins(5);

/// One life's way to the queue: the real adapter, and the endpoint that it speaks with.
pub struct Wired {
    adapter: SqsQueue,
    endpoint: Arc<Endpoint>,
}

/// What is known here of a worker's calls beside what goes over the network.
pub struct Endpoint {
    queue: Arc<Queue>,
    who: Arc<Life>,
    keys: Arc<Keys>,
    calls: Mutex<Calls>,
    /// Those that the worker has asked for and the queue has not acted on.
    receives: AtomicUsize,
    gave: Mutex<Gave>,
}

/// What the queue gave.
#[derive(Default)]
struct Gave {
    /// By receipt handle, with the number of its answer.
    deliveries: BTreeMap<Arc<str>, (usize, Delivery)>,
    /// How many each answer has.
    answers: Vec<usize>,
    /// Answers without any that were not brought yet.
    empty: usize,
}

/// Calls about handles, by their number.
#[derive(Default)]
struct Calls {
    next: u64,
    known: BTreeMap<u64, Call>,
}

/// A call that a worker has made.
struct Call {
    request: Request,
    handles: Vec<Arc<str>>,
    hide: Duration,
    asked: Asked,
    /// The queue acts on it, or has.
    acts: bool,
    /// What is answered.
    said: Option<Vec<EntryOutcome>>,
}

impl Wired {
    pub fn new(queue: Arc<Queue>, who: Arc<Life>, clock: Arc<dyn Clock>, fifo: bool) -> Self {
        let keys = Arc::new(Keys::new(Arc::clone(&who)));
        let endpoint = Arc::new(Endpoint {
            queue,
            who,
            keys: Arc::clone(&keys),
            calls: Mutex::default(),
            receives: AtomicUsize::new(0),
            gave: Mutex::default(),
        });
        let given = Given {
            url: URL.to_owned(),
            region: REGION.to_owned(),
            fifo,
            credentials: keys::provider(keys),
            clock,
            connects: Box::new(Connector(Arc::clone(&endpoint))),
        };
        Self { adapter: SqsQueue::given(given).expect("a queue"), endpoint }
    }

    /// What the adapter makes of an answer, and what the queue gave for it.
    pub async fn receive(
        &self,
        max: usize,
        wait: Duration,
        attempt: Option<&str>,
        room: &mut impl Room,
    ) -> Result<(Brought, Vec<Delivery>), QueueFault> {
        self.endpoint.receives.fetch_add(1, Ordering::Relaxed);
        let mut watched = Watched { room, who: &self.endpoint.who };
        let brought = self.adapter.receive_into(max, wait, attempt, &mut watched).await?;
        if brought.messages.len() > max {
            self.endpoint.violation(|| format!("brings more than {max} messages"));
        }
        let deliveries = self.endpoint.gave(&brought);
        Ok((brought, deliveries))
    }

    pub async fn call(
        &self,
        handles: &[Arc<str>],
        request: Request,
        timeout: Duration,
    ) -> Result<Vec<EntryOutcome>, QueueFault> {
        let listening = Arc::new(());
        self.endpoint.calls().make(Call {
            request,
            handles: handles.to_vec(),
            hide: timeout,
            asked: Asked::new(&self.endpoint.queue, &listening),
            acts: false,
            said: None,
        });
        let outcomes = match request {
            Request::Delete => self.adapter.delete(handles).await,
            Request::Release | Request::Hide => {
                self.adapter.change_visibility(handles, timeout).await
            }
        }?;
        self.endpoint.heard(request, handles, &outcomes);
        Ok(outcomes)
    }
}

impl Calls {
    fn make(&mut self, call: Call) {
        while let Some(oldest) = self.known.first_entry()
            && oldest.get().asked.age() > KNOWN_FOR
        {
            oldest.remove();
        }
        self.known.insert(self.next, call);
        self.next += 1;
    }
}

impl Endpoint {
    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn violation(&self, what: impl FnOnce() -> String) {
        let name = &self.who.name;
        self.who.conditions().history.violation(|| format!("{name} {}", what()));
    }

    /// An answer with these has begun to come. Between its question and then the worker cannot know
    /// since when they are hidden.
    fn gives(&self, deliveries: Vec<Delivery>) {
        let mut gave = self.gave.lock().unwrap_or_else(PoisonError::into_inner);
        gave.empty += usize::from(deliveries.is_empty());
        let number = gave.answers.len();
        gave.answers.push(deliveries.len());
        for mut delivery in deliveries {
            let known = Instant::now().checked_sub(BEGINS_AFTER);
            delivery.hidden_at = delivery.hidden_at.max(known.unwrap_or(delivery.hidden_at));
            let handle = Arc::clone(&delivery.message.receipt_handle);
            gave.deliveries.insert(handle, (number, delivery));
        }
    }

    /// What the queue gave for what the adapter brings. It is all of one answer and as it was sent,
    /// or the adapter has made something up.
    fn gave(&self, brought: &Brought) -> Vec<Delivery> {
        let mut gave = self.gave.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |message: &QueueMessage| gave.deliveries.get(&message.receipt_handle).cloned();
        let found: Vec<_> = brought.messages.iter().filter_map(of).collect();
        let is_whole = match found.first() {
            Some((number, _)) => {
                found.iter().all(|(other, _)| other == number)
                    && gave.answers[*number] == brought.messages.len()
            }
            None => brought.messages.is_empty() && gave.empty > 0,
        };
        gave.empty -= usize::from(found.is_empty() && gave.empty > 0);
        drop(gave);
        let (_, deliveries): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let is_same = |(message, delivery): (&QueueMessage, &Delivery)| {
            let gave = &delivery.message;
            (&gave.message_id, &gave.fifo) == (&message.message_id, &message.fifo)
                && (brought.are_unread || is_same_text(gave, message))
        };
        if !is_whole || !brought.messages.iter().zip(&deliveries).all(is_same) {
            self.violation(|| format!("brings {:?}, which nobody sent so", brought.messages));
        }
        deliveries
    }

    /// Whether the queue may act on a receive: not more often than the worker asked for.
    fn receives(&self) {
        let left = self
            .receives
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left.is_err() {
            self.violation(|| "sends a receive again that may have been done".to_owned());
        }
    }

    /// The call of the worker that a request is, and its number. There may be several that ask for
    /// the same: then one for whose answer it still waits.
    fn asked(
        &self,
        request: Request,
        handles: &[Arc<str>],
        hide: Duration,
    ) -> Option<(u64, Asked)> {
        let mut calls = self.calls();
        let is_same =
            |call: &Call| (call.request, call.hide) == (request, hide) && call.handles == handles;
        let open = || calls.known.iter().filter(|(_, call)| is_same(call) && !call.acts);
        let found =
            open().find(|(_, call)| call.asked.is_listened_to()).or_else(|| open().next_back());
        if let Some((number, call)) = found {
            let (number, asked) = (*number, call.asked.clone());
            calls.known.entry(number).and_modify(|call| call.acts = true);
            return Some((number, asked));
        }
        let again = if calls.known.values().any(is_same) { " once more" } else { "" };
        drop(calls);
        self.violation(|| {
            format!("sends {request:?} {handles:?} for {hide:?}{again}, and was not asked to")
        });
        None
    }

    fn says(&self, number: u64, outcomes: &[EntryOutcome]) {
        let said = |call: &mut Call| call.said = Some(outcomes.to_vec());
        self.calls().known.entry(number).and_modify(said);
    }

    /// What the adapter makes of an answer is what was said.
    fn heard(&self, request: Request, handles: &[Arc<str>], outcomes: &[EntryOutcome]) {
        let is_same = |call: &Call| {
            let said = call.said.iter().flatten().map(std::mem::discriminant);
            call.request == request
                && call.handles == handles
                && said.eq(outcomes.iter().map(std::mem::discriminant))
        };
        let mut calls = self.calls();
        let found = calls.known.iter().find(|(_, call)| is_same(call)).map(|(number, _)| *number);
        let is_said = found.and_then(|number| calls.known.remove(&number)).is_some();
        drop(calls);
        if !is_said {
            self.violation(|| {
                format!("hears of {request:?} {handles:?}: {outcomes:?}, which nobody said")
            });
        }
    }
}

/// Attributes stand in no order.
fn is_same_text(gave: &QueueMessage, came: &QueueMessage) -> bool {
    gave.body == came.body
        && gave.sent_ms == came.sent_ms
        && gave.receive_count == came.receive_count
        && gave.attributes.len() == came.attributes.len()
        && gave.attributes.iter().all(|attribute| came.attributes.contains(attribute))
}

struct Connector(Arc<Endpoint>);

impl Connects for Connector {
    fn connect(&self) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async {
            let who = &self.0.who;
            if !who.is_alive() {
                return std::future::pending().await;
            }
            let conditions = who.conditions();
            sleep(conditions.dice.between_ms(0, 5)).await;
            if conditions.strikes(Fault::QueueUnreachable) {
                if conditions.dice.chance(0.5) {
                    sleep(Duration::from_mins(1)).await;
                }
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let (theirs, ours) = duplex(BUFFER_BYTES);
            let client = Client::new(theirs);
            let connection = Connection::new(Arc::clone(&self.0), ours, client.breaks());
            tokio::spawn(connection.serve());
            Ok(Box::new(client) as Box<dyn Stream>)
        })
    }
}

/// The worker's room for an answer, and whether it had to be waited for.
struct Watched<'a, R> {
    room: &'a mut R,
    who: &'a Life,
}

impl<R: Room> Room for Watched<'_, R> {
    async fn make(&mut self, bytes: usize) -> bool {
        let asked_at = Instant::now();
        let finds = self.room.make(bytes).await;
        let history = &self.who.conditions().history;
        if !finds {
            history.saw(Fault::AnswerUnread);
        } else if asked_at.elapsed() > Duration::ZERO {
            history.saw(Fault::AnswerWaited);
        }
        finds
    }

    fn hidden_until(&self) -> Instant {
        self.room.hidden_until()
    }
}
