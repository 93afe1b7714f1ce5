//! The simulated queue of dead letters: it keeps what it is sent, with what goes wrong at a queue, and
//! somebody collects from it.
//!
//! It has chance of its own, so that other worlds are what they were before it came.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use longshore::dead_letter::{self, LetterQueue};
use longshore::message::{Insert, Key, KnownBy, Write};
use longshore::queue::{
    BATCH_MAX, Outgoing, QueueFault, QueueFaultKind, SEND_BYTES_MAX, SendOutcome, Sends, Sent,
};
use longshore::store::{ItemOutcome, WriteOutcome};
use tokio::time::{Instant, sleep};

use super::conditions::Conditions;
use super::dice::Dice;
use super::fault::Fault;
use super::judge::DEAD_LETTERS;
use super::queue::fate::PATIENCE;
use super::store::Store;
use super::traffic::MESSAGE_BYTES_MAX;

/// One world in so many has one.
const WORLDS: u64 = 4;

/// How long a FIFO queue takes a message with the same deduplication id for the same one (SQS).
const DEDUPLICATED: Duration = Duration::from_mins(5);

/// A record and what SQS makes of it are larger than its message.
const SIZES: [usize; 3] = [1_024, 4 * MESSAGE_BYTES_MAX, SEND_BYTES_MAX];

pub struct Letters {
    conditions: Arc<Conditions>,
    dice: Dice,
    fifo: bool,
    message_bytes_max: usize,
    /// While it takes nothing.
    away: Range<Duration>,
    rates: BTreeMap<Rate, f64>,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rate {
    Fails,
    AnswerLost,
    Slow,
    Hangs,
    EntryFails,
    EntryRefused,
}

const RATES: [Rate; 6] =
    [Rate::Fails, Rate::AnswerLost, Rate::Slow, Rate::Hangs, Rate::EntryFails, Rate::EntryRefused];

#[derive(Default)]
struct State {
    next: u64,
    /// By the number that it was given here.
    bodies: BTreeMap<u64, String>,
    deduplicated: BTreeMap<String, Instant>,
}

impl Letters {
    /// That of the world with this seed, where it has one. Not where single faults are tried: what is
    /// counted there goes by the collection.
    pub fn of(seed: u64, conditions: &Arc<Conditions>) -> Option<Arc<Self>> {
        let plan = &conditions.plan;
        if seed % WORLDS != 1 || plan.trial.is_some() {
            return None;
        }
        let dice = Dice::new(!seed ^ 0x6c65_7474_6572);
        let is_sound = plan.is_faultless() || plan.is_undisturbed();
        let rate = |_| if is_sound || dice.chance(0.5) { 0.0 } else { 0.3 * dice.fraction() };
        let rates = RATES.into_iter().map(|kind| (kind, rate(kind))).collect();
        let from = dice.between_ms(0, 60_000);
        let lasts = if is_sound || dice.chance(0.5) {
            Duration::ZERO
        } else {
            dice.between_ms(1_000, 600_000)
        };
        Some(Arc::new(Self {
            conditions: Arc::clone(conditions),
            fifo: dice.chance(0.3),
            message_bytes_max: dice.pick(&SIZES),
            away: from..from + lasts,
            rates,
            dice,
            state: Mutex::default(),
        }))
    }

    /// As a worker has it.
    pub fn queue(self: &Arc<Self>) -> LetterQueue {
        LetterQueue {
            queue: Arc::new(Client(Arc::clone(self))),
            name: "simulated-rejected".into(),
            fifo: self.fifo,
            message_bytes_max: self.message_bytes_max,
            has_answered: self.dice.chance(0.9),
        }
    }

    /// Whether the record of this message is there, with its body.
    pub fn has(&self, message_id: &str, body: &str) -> bool {
        let state = self.state();
        // No code of the pipeline's: what it writes wrong it would read so.
        state.bodies.values().any(|record| {
            let record: serde_json::Value = serde_json::from_str(record).expect("JSON");
            record["message_id"] == message_id && record["body"] == body
        })
    }

    /// Somebody moves what is there to the collection, now and then, and may be stopped before it is
    /// deleted here.
    pub async fn collected_from(self: Arc<Self>, store: Arc<Store>) {
        while !self.conditions.is_calm() {
            sleep(self.dice.between_ms(1_000, 120_000)).await;
            self.collect(&store, 0.7);
        }
    }

    /// Moves all that is there to the collection, and deletes of that so many here.
    pub fn collect(&self, store: &Store, deleted: f64) {
        let bodies = self.state().bodies.clone();
        for (number, body) in bodies {
            let record = match dead_letter::read(&body) {
                Ok(record) => record,
                Err(text) => {
                    return self.conditions.history.violation(|| {
                        format!("a dead letter cannot be collected: {text}: {body}")
                    });
                }
            };
            let id = record.get_str("_id").expect("it is a record").to_owned();
            let document = mongodb::bson::serialize_to_vec(&record).expect("it was one");
            let letter =
                Write::Letter(Insert { id: Key::Text(id), document, known_by: KnownBy::Id });
            // It takes them where it takes any, and otherwise they stay.
            let applied = store.apply(DEAD_LETTERS, &[letter], || true);
            let is_written = |items: &[ItemOutcome]| items == [ItemOutcome::Written];
            let WriteOutcome::Answered { items, .. } = store.acknowledge(applied) else { continue };
            if !is_written(&items) {
                continue;
            }
            if deleted >= 1.0 || self.dice.chance(deleted) {
                self.conditions.history.saw(Fault::LetterCollected);
                self.state().bodies.remove(&number);
            } else {
                self.conditions.history.saw(Fault::LetterCollectedTwice);
            }
        }
    }

    fn strikes(&self, rate: Rate, fault: Fault) -> bool {
        let strikes = !self.conditions.is_calm()
            && self.dice.chance(self.rates.get(&rate).copied().unwrap_or_default());
        if strikes {
            self.conditions.history.saw(fault);
        }
        strikes
    }

    /// The call, as the server has it: the worker that made it may be dead.
    async fn asked(self: Arc<Self>, messages: Vec<Outgoing>) -> Sent {
        let _under_way = self.conditions.under_way();
        let fault = |kind| Err(QueueFault { kind, text: "simulated".to_owned() });
        sleep(self.dice.between_ms(1, 100)).await;
        if !self.conditions.is_calm() && self.away.contains(&self.conditions.age()) {
            self.conditions.history.saw(Fault::LettersAway);
            return fault(self.dice.pick(&[QueueFaultKind::Missing, QueueFaultKind::Denied]));
        }
        if self.strikes(Rate::Fails, Fault::LettersFailed) {
            return fault(
                self.dice.pick(&[QueueFaultKind::Throttled, QueueFaultKind::Unavailable]),
            );
        }
        if self.strikes(Rate::Slow, Fault::LettersSlow) {
            sleep(self.dice.between_ms(1_000, 9_000)).await;
        }
        let hangs = self.strikes(Rate::Hangs, Fault::LettersHang);
        if hangs {
            sleep(PATIENCE + self.dice.between_ms(0, 60_000)).await;
        }
        let outcomes = messages.into_iter().map(|message| self.take(message)).collect();
        sleep(self.dice.between_ms(1, 100)).await;
        if self.strikes(Rate::AnswerLost, Fault::LettersAnswerLost) {
            return fault(QueueFaultKind::Unavailable);
        }
        Ok(outcomes)
    }

    fn take(&self, message: Outgoing) -> SendOutcome {
        let refused = |text: &str| SendOutcome::Refused(text.to_owned());
        if message.bytes() > self.message_bytes_max {
            self.conditions
                .history
                .violation(|| "a dead letter is too large for its queue".to_owned());
            return refused("too large");
        }
        let is_taken = |char| matches!(char, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
        if !message.body.chars().all(is_taken) {
            return refused("characters that SQS does not take");
        }
        if self.fifo && (message.group.is_none() || message.deduplication.is_none()) {
            return refused("a FIFO queue wants both");
        }
        if self.strikes(Rate::EntryRefused, Fault::LetterRefused) {
            return refused("simulated");
        }
        let fails = self.strikes(Rate::EntryFails, Fault::LetterFailed);
        if fails && self.dice.chance(0.5) {
            return SendOutcome::Failed("simulated".to_owned());
        }
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        let now = Instant::now();
        let before = message.deduplication.and_then(|id| state.deduplicated.insert(id, now));
        if before.is_none_or(|before| before + DEDUPLICATED <= now) {
            state.bodies.insert(number, message.body);
        }
        if fails {
            return SendOutcome::Failed("simulated, and it was done".to_owned());
        }
        SendOutcome::Sent { message_id: format!("l{number}") }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Client(Arc<Letters>);

impl Sends for Client {
    fn send<'a>(&'a self, messages: &'a [Outgoing]) -> BoxFuture<'a, Sent> {
        let bytes: usize = messages.iter().map(Outgoing::bytes).sum();
        if messages.len() > BATCH_MAX || bytes > SEND_BYTES_MAX || messages.is_empty() {
            let count = messages.len();
            self.0.conditions.history.violation(|| {
                format!(
                    "a send of {count} dead letters with {bytes} bytes: the queue takes none such"
                )
            });
        }
        let call = tokio::spawn(Arc::clone(&self.0).asked(messages.to_vec()));
        async move {
            match tokio::time::timeout(PATIENCE, call).await {
                Ok(answer) => answer.expect("no panic"),
                Err(_) => Err(QueueFault {
                    kind: QueueFaultKind::Unavailable,
                    text: "no answer in time".to_owned(),
                }),
            }
        }
        .boxed()
    }
}
