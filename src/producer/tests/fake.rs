//! A queue in memory: it takes time, and fails as a test says.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::super::{Event, Producer, ProducerConfig};
use crate::message::attribute_text;
use crate::message::origin::ID_ATTRIBUTE;
use crate::queue::{
    BATCH_MAX, Outgoing, QueueFault, QueueFaultKind, SEND_BYTES_MAX, SendOutcome, Sends, Sent,
};

pub const URL: &str = "http://127.0.0.1:1/0/portal";

/// How long a call takes.
pub const LATENCY: Duration = Duration::from_millis(20);

/// What a call is answered.
pub enum Answer {
    Took,
    /// Not at all.
    Hangs,
    Fails(QueueFaultKind),
    /// Where such a message is in it.
    FailsWith(fn(&Outgoing) -> bool),
    /// It took all, but nobody hears of it.
    Lost,
    /// Each entry its own: `None` takes it.
    Each(fn(&Outgoing) -> Option<SendOutcome>),
}

type Script = Box<dyn FnMut(Duration, usize) -> Answer + Send>;

pub struct FakeQueue {
    state: Mutex<State>,
    begun: Instant,
    fifo: bool,
}

struct State {
    /// By the time since the beginning, and the number of the call.
    script: Script,
    /// The bodies of each call, whatever became of it, and when it was made.
    calls: Vec<(Duration, Vec<String>)>,
    taken: Vec<Outgoing>,
    in_flight: usize,
    in_flight_max: usize,
}

impl FakeQueue {
    pub fn new(script: impl FnMut(Duration, usize) -> Answer + Send + 'static) -> Arc<Self> {
        Self::of(false, script)
    }

    pub fn fifo(script: impl FnMut(Duration, usize) -> Answer + Send + 'static) -> Arc<Self> {
        Self::of(true, script)
    }

    fn of(fifo: bool, script: impl FnMut(Duration, usize) -> Answer + Send + 'static) -> Arc<Self> {
        let state = State {
            script: Box::new(script),
            calls: Vec::new(),
            taken: Vec::new(),
            in_flight: 0,
            in_flight_max: 0,
        };
        Arc::new(Self { state: Mutex::new(state), begun: Instant::now(), fifo })
    }

    pub fn well() -> Arc<Self> {
        Self::new(|_, _| Answer::Took)
    }

    pub fn producer(self: &Arc<Self>, set: impl FnOnce(&mut ProducerConfig)) -> Producer {
        let url = if self.fifo { format!("{URL}.fifo") } else { URL.to_owned() };
        let mut config = ProducerConfig::new(url);
        set(&mut config);
        Producer::on(Arc::clone(self) as Arc<dyn Sends>, &config).expect("sound settings")
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    pub fn calls(&self) -> Vec<Vec<String>> {
        self.lock().calls.iter().map(|(_, bodies)| bodies.clone()).collect()
    }

    pub fn call_times(&self) -> Vec<Duration> {
        self.lock().calls.iter().map(|(at, _)| *at).collect()
    }

    pub fn taken(&self) -> Vec<Outgoing> {
        self.lock().taken.clone()
    }

    pub fn ids(&self) -> BTreeSet<String> {
        self.taken().iter().map(|message| id(message).to_owned()).collect()
    }

    pub fn in_flight_max(&self) -> usize {
        self.lock().in_flight_max
    }

    /// What SQS says to a whole call that it does not like, before it looks at entries.
    fn refuses(&self, messages: &[Outgoing]) -> Option<&'static str> {
        let bytes: usize = messages.iter().map(Outgoing::bytes).sum();
        let grouped = messages
            .iter()
            .all(|message| message.group.is_some() && message.deduplication.is_some());
        match messages.len() {
            0 => Some("EmptyBatchRequest"),
            len if len > BATCH_MAX => Some("TooManyEntriesInBatchRequest"),
            _ if bytes > SEND_BYTES_MAX => Some("BatchRequestTooLong"),
            _ if self.fifo && !grouped => Some("MissingParameter: MessageGroupId"),
            _ if !self.fifo && messages.iter().any(|message| message.deduplication.is_some()) => {
                Some("InvalidParameterValue: MessageDeduplicationId")
            }
            _ if messages.iter().any(|message| message.attributes.len() > 10) => {
                Some("InvalidParameterValue: attributes")
            }
            _ => None,
        }
    }

    fn take(
        &self,
        messages: &[Outgoing],
        each: impl Fn(&Outgoing) -> Option<SendOutcome>,
    ) -> Vec<SendOutcome> {
        let mut state = self.lock();
        let mut outcomes = Vec::new();
        for message in messages {
            outcomes.push(each(message).unwrap_or_else(|| {
                state.taken.push(message.clone());
                SendOutcome::Sent { message_id: format!("m-{}", state.taken.len()) }
            }));
        }
        outcomes
    }

    async fn answer(&self, messages: &[Outgoing]) -> Sent {
        let unavailable =
            |text: &str| QueueFault { kind: QueueFaultKind::Unavailable, text: text.to_owned() };
        let answer = {
            let mut state = self.lock();
            state.in_flight += 1;
            state.in_flight_max = state.in_flight_max.max(state.in_flight);
            let at = self.begun.elapsed();
            let bodies = messages.iter().map(|message| message.body.clone()).collect();
            state.calls.push((at, bodies));
            let number = state.calls.len();
            (state.script)(at, number)
        };
        let _in_flight = InFlight(self);
        sleep(LATENCY).await;
        if let Some(text) = self.refuses(messages) {
            panic!("SQS would refuse the call: {text}");
        }
        match answer {
            Answer::Took => Ok(self.take(messages, |_| None)),
            Answer::Each(each) => Ok(self.take(messages, each)),
            Answer::Hangs => std::future::pending().await,
            Answer::FailsWith(is_bad) if messages.iter().any(is_bad) => {
                Err(unavailable("one of them is bad"))
            }
            Answer::FailsWith(_) => Ok(self.take(messages, |_| None)),
            Answer::Lost => {
                let _ = self.take(messages, |_| None);
                Err(unavailable("connection reset"))
            }
            Answer::Fails(kind) => Err(QueueFault { kind, text: kind.name().to_owned() }),
        }
    }
}

struct InFlight<'a>(&'a FakeQueue);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.lock().in_flight -= 1;
    }
}

impl Sends for FakeQueue {
    fn send<'a>(&'a self, messages: &'a [Outgoing]) -> BoxFuture<'a, Sent> {
        self.answer(messages).boxed()
    }
}

pub fn id(message: &Outgoing) -> &str {
    attribute_text(&message.attributes, ID_ATTRIBUTE).expect("an id")
}

pub fn event(number: u32) -> Event {
    Event::new(number, "login").metadata(&json!({ "n": number }))
}

/// The number of an event.
pub fn number(body: &str) -> u64 {
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    body["user_id"].as_u64().expect("a number")
}

pub fn numbers(calls: &[Vec<String>]) -> Vec<Vec<u64>> {
    calls.iter().map(|bodies| bodies.iter().map(|body| number(body)).collect()).collect()
}
