//! SQS as the real adapter meets it: an HTTP endpoint in memory, byte by byte. It reads requests and
//! writes answers by hand, so that each may be cut, late, in pieces, or not what it says it is; and it
//! lets in who has signed a request with the keys that hold, for the time that it is.
//!
//! It shares no code with the adapter.

mod answer;
mod calls;
mod connection;
mod keys;
mod request;
mod tests;

use std::io;
use std::sync::Arc;
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

use self::calls::{Calls, Said, Waits, Wanted};
use self::connection::{Connection, WorkersEnd};
use self::keys::Keys;
use super::{Delivery, Queue};

const HOST: &str = "sqs.simulated";
const URL: &str = "http://sqs.simulated/0/portal";
const REGION: &str = "eu-west-1";

/// What a connection holds that nobody has read yet: less than many an answer.
const BUFFER_BYTES: usize = 2 * 1024;

/// An answer that begins later is taken for one that has waited in a long poll.
const BEGINS_AFTER: Duration = Duration::from_millis(500);

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
    calls: Calls,
}

impl Wired {
    pub fn new(queue: Arc<Queue>, who: Arc<Life>, clock: Arc<dyn Clock>, fifo: bool) -> Self {
        let keys = Arc::new(Keys::new(Arc::clone(&who)));
        let endpoint =
            Arc::new(Endpoint { queue, who, keys: Arc::clone(&keys), calls: Calls::default() });
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
        let attempt_id = attempt.map(str::to_owned);
        let wanted = Wanted::Receive { max, wait, attempt: attempt_id };
        let _waits = self.endpoint.make(&wanted).await;
        let mut watched = Watched { room, who: &self.endpoint.who };
        let brought = self.adapter.receive_into(max, wait, attempt, &mut watched).await;
        let brought = self.endpoint.looked_at(&wanted, brought)?;
        let is_it = |said: &Said| matches!(said, Said::Gave(gave) if is_of(gave, &brought));
        let Some(Said::Gave(gave)) = self.endpoint.calls.hears(&wanted, is_it) else {
            let messages = &brought.messages;
            self.endpoint.violation(|| format!("brings {messages:?}, which nobody sent so"));
            return Ok((brought, Vec::new()));
        };
        Ok((brought, gave))
    }

    pub async fn call(
        &self,
        handles: &[Arc<str>],
        request: Request,
        timeout: Duration,
    ) -> Result<Vec<EntryOutcome>, QueueFault> {
        let wanted = Wanted::Settle { request, handles: handles.to_vec(), hide: timeout };
        let _waits = self.endpoint.make(&wanted).await;
        let outcomes = match request {
            Request::Delete => self.adapter.delete(handles).await,
            Request::Release | Request::Hide => {
                self.adapter.change_visibility(handles, timeout).await
            }
        };
        let outcomes = self.endpoint.looked_at(&wanted, outcomes)?;
        let is_it = |said: &Said| matches!(said, Said::Did(did) if are_alike(did, &outcomes));
        if self.endpoint.calls.hears(&wanted, is_it).is_none() {
            self.endpoint
                .violation(|| format!("hears of {wanted:?}: {outcomes:?}, which nobody said"));
        }
        Ok(outcomes)
    }
}

/// How the adapter says that it has waited for long enough.
const TOO_LATE: [&str; 2] = ["no answer within", "took longer than the visibility timeout"];

impl Endpoint {
    /// A worker that is dead makes no calls.
    async fn make(&self, wanted: &Wanted) -> Waits<'_> {
        if !self.who.is_alive() {
            return std::future::pending().await;
        }
        self.calls.make(wanted.clone(), &self.queue)
    }

    /// What was told whole and sound is no failure; but what came while the machine stood still may be
    /// found to be too late as soon as it goes on.
    fn looked_at<T>(&self, wanted: &Wanted, heard: Result<T, QueueFault>) -> Result<T, QueueFault> {
        if let Err(fault) = &heard {
            let is_too_late = TOO_LATE.iter().any(|text| fault.text.contains(text));
            let awake_since = |told| self.who.conditions().awake_since(told);
            let could_read = |told| !is_too_late || awake_since(told) > Duration::ZERO;
            if self.calls.loses_an_answer(wanted, could_read) {
                self.violation(|| format!("cannot read the answer to {wanted:?}: {fault}"));
            }
        }
        heard
    }

    fn violation(&self, what: impl FnOnce() -> String) {
        let name = &self.who.name;
        self.who.conditions().history.violation(|| format!("{name} {}", what()));
    }

    /// An answer has begun to come. Between its question and then the worker cannot know since when
    /// what it brings is hidden.
    fn says(&self, number: u64, mut said: Said) {
        if let Said::Gave(deliveries) = &mut said {
            for delivery in deliveries {
                let known = Instant::now().checked_sub(BEGINS_AFTER);
                delivery.hidden_at = delivery.hidden_at.max(known.unwrap_or(delivery.hidden_at));
            }
        }
        self.calls.says(number, said);
    }
}

/// Whether the adapter brings what was given, all of it and as it was sent.
fn is_of(gave: &[Delivery], brought: &Brought) -> bool {
    let is_same = |(gave, came): (&Delivery, &QueueMessage)| {
        let gave = &gave.message;
        (&gave.receipt_handle, &gave.message_id, &gave.fifo)
            == (&came.receipt_handle, &came.message_id, &came.fifo)
            && (brought.are_unread || is_same_text(gave, came))
    };
    gave.len() == brought.messages.len() && gave.iter().zip(&brought.messages).all(is_same)
}

/// What is said of a failure is for people.
fn are_alike(said: &[EntryOutcome], heard: &[EntryOutcome]) -> bool {
    let kinds = |outcomes: &[EntryOutcome]| -> Vec<_> {
        outcomes.iter().map(std::mem::discriminant).collect()
    };
    kinds(said) == kinds(heard)
}

/// Attributes stand in no order.
fn is_same_text(gave: &QueueMessage, came: &QueueMessage) -> bool {
    gave.body == came.body
        && gave.sent_ms == came.sent_ms
        && gave.receive_count == came.receive_count
        && (&gave.sender, &gave.trace_header) == (&came.sender, &came.trace_header)
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
            let theirs = WorkersEnd::new(theirs);
            let connection = Connection::new(Arc::clone(&self.0), ours, theirs.breaks());
            tokio::spawn(connection.serve());
            Ok(Box::new(theirs) as Box<dyn Stream>)
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
