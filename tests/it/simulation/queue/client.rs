//! The queue as a worker sees it: over a network, and with a ledger of what it asks.

use std::sync::Arc;
use std::time::Duration;

use longshore::message::QueueMessage;
use longshore::queue::{Brought, EntryOutcome, QueueFault, QueueFaultKind, Room};
use tokio::time::Instant;

use crate::simulation::conduct::{self, Request};
use crate::simulation::fault::Fault;
use crate::simulation::judge::Judge;
use crate::simulation::life::Life;
use crate::simulation::wire::{Fate, Kill, ask};

use super::{Delivery, Queue};

/// How long the SDK waits for an answer, beside the long poll.
pub const PATIENCE: Duration = Duration::from_secs(5);

pub struct QueueClient {
    pub queue: Arc<Queue>,
    pub judge: Arc<Judge>,
    pub who: Arc<Life>,
}

/// Faults that keep the queue from acting.
const REFUSALS: [(Fault, QueueFaultKind); 4] = [
    (Fault::Throttled, QueueFaultKind::Throttled),
    (Fault::QueueUnavailable, QueueFaultKind::Unavailable),
    (Fault::QueueDenied, QueueFaultKind::Denied),
    (Fault::QueueMissing, QueueFaultKind::Missing),
];

impl QueueClient {
    /// What becomes of the next call, a receive or one about handles, and the fault to report where
    /// it has no answer.
    fn fate(&self, request: Option<Request>) -> (Fate, QueueFault) {
        let conditions = self.who.conditions();
        let strikes = |fault| conditions.strikes(fault);
        let dice = &conditions.dice;
        let mut fate = Fate {
            before: dice.between_ms(0, 20),
            after: dice.between_ms(0, 20),
            acts: true,
            answers: true,
            kill: None,
        };
        let mut kind = QueueFaultKind::Unavailable;
        if request == Some(Request::Delete) && conditions.spell(Fault::DeletesDenied) {
            (fate.acts, kind) = (false, QueueFaultKind::Denied);
        } else if let Some((_, refusal)) = REFUSALS.iter().find(|(fault, _)| strikes(*fault)) {
            fate.acts = false;
            kind = *refusal;
        } else if strikes(Fault::QueueAnswerLost) {
            fate.answers = false;
        } else if request.is_some() && conditions.draws(Fault::AppliedOutOfOrder) {
            fate.before = dice.between_ms(20, 1_500);
        } else if request == Some(Request::Hide) && conditions.draws(Fault::AppliedAfterGivenUp) {
            // Mostly answered before the SDK gives up too, and applied before the handle is stale.
            let timeout_ms =
                u64::try_from(conditions.plan.visibility_timeout.as_millis()).expect("minutes");
            fate.before = dice.between_ms(timeout_ms / 10, timeout_ms / 3);
        } else if strikes(Fault::QueueSlow) {
            fate.before = dice.between_ms(500, 4_000);
        } else if strikes(Fault::QueueHangs) {
            fate.before = PATIENCE + dice.between_ms(20_001, 60_000);
        } else if strikes(Fault::KilledBeforeAct) {
            fate.kill = Some(Kill::BeforeAct);
        } else if strikes(Fault::KilledAfterAct) {
            fate.kill = Some(Kill::AfterAct);
        }
        (fate, QueueFault { kind, text: format!("simulated: {kind:?}") })
    }

    /// Whether the worker finds room for what the queue brings, of which it is told the size.
    async fn finds(&self, room: &mut impl Room, brought: &[Delivery]) -> bool {
        if !self.who.conditions().plan.tells_size {
            return true;
        }
        let asked_at = Instant::now();
        let finds = room.make(brought.iter().map(answer_bytes).sum()).await;
        let history = &self.who.conditions().history;
        if !finds {
            history.saw(Fault::AnswerUnread);
        } else if asked_at.elapsed() > Duration::ZERO {
            history.saw(Fault::AnswerWaited);
        }
        finds
    }

    async fn call(
        &self,
        handles: &[Arc<str>],
        request: Request,
        timeout: Duration,
    ) -> Result<Vec<EntryOutcome>, QueueFault> {
        conduct::counts_call(&self.who);
        let call = self
            .who
            .is_alive()
            .then(|| conduct::Call::new(&self.who, &self.judge, handles, request));
        let history = &self.who.conditions().history;
        history.note(|| format!("{} asks: {request:?} {handles:?} for {timeout:?}", self.who.name));
        let (fate, fault) = self.fate(Some(request));
        let (queue, asked) = (Arc::clone(&self.queue), handles.to_vec());
        let (who, sent, asked_at) = (Arc::clone(&self.who), queue.call_sent(), Instant::now());
        let listening = Arc::new(());
        let listened_to = Arc::downgrade(&listening);
        let act = async move {
            queue.call_applied(&asked, sent);
            if request == Request::Delete {
                return queue.delete(&asked);
            }
            let outcomes = queue.change_visibility(&asked, timeout);
            if request == Request::Hide {
                if listened_to.strong_count() == 0 && outcomes.contains(&EntryOutcome::Done) {
                    who.conditions().history.saw(Fault::AppliedAfterGivenUp);
                }
                conduct::hides(&who, &asked, &outcomes, asked_at);
            }
            outcomes
        };
        let outcomes = ask(&self.who, fate, PATIENCE, act).await.ok_or(fault);
        drop(listening);
        history
            .note(|| format!("{} hears of {request:?} {handles:?}: {outcomes:?}", self.who.name));
        if let (Ok(outcomes), Some(call)) = (&outcomes, call) {
            call.answered(outcomes, timeout);
        }
        outcomes
    }
}

/// As large as the network brings it: names and quotes beside what the worker keeps.
fn answer_bytes(delivery: &Delivery) -> usize {
    delivery.message.bytes() + 300
}

/// What is known of a message of which only the handle is read.
fn unread(message: QueueMessage) -> QueueMessage {
    let QueueMessage { message_id, receipt_handle, fifo, .. } = message;
    QueueMessage { message_id, receipt_handle, fifo, ..QueueMessage::default() }
}

impl longshore::queue::Queue for QueueClient {
    fn tells_size(&self) -> bool {
        self.who.conditions().plan.tells_size
    }

    async fn receive_into(
        &self,
        max: usize,
        wait: Duration,
        attempt: Option<&str>,
        room: &mut impl Room,
    ) -> Result<Brought, QueueFault> {
        conduct::counts_call(&self.who);
        if self.who.is_alive() {
            conduct::receive_starts(&self.who, max);
        }
        let asked_at = Instant::now();
        let (fate, fault) = self.fate(None);
        let (queue, attempt) = (Arc::clone(&self.queue), attempt.map(str::to_owned));
        let act = async move { queue.receive(max, wait, attempt.as_deref()).await };
        let brought = ask(&self.who, fate, wait + PATIENCE, act).await;
        let delivered = brought.as_deref().unwrap_or_default();
        let are_unread = !delivered.is_empty() && !self.finds(room, delivered).await;
        let ends = (max, asked_at);
        conduct::receive_ends(&self.who, &self.judge, ends, delivered, are_unread);
        let history = &self.who.conditions().history;
        history.note(|| {
            let handles = brought.as_ref().map(|brought| {
                brought.iter().map(|one| one.message.receipt_handle.to_string()).collect::<Vec<_>>()
            });
            let unread = if are_unread { ", and reads nothing else" } else { "" };
            format!("{} receives {handles:?}{unread}", self.who.name)
        });
        let messages = brought.ok_or(fault)?.into_iter().map(|delivery| delivery.message);
        let messages = messages.map(|message| if are_unread { unread(message) } else { message });
        Ok(Brought { messages: messages.collect(), are_unread })
    }

    async fn delete(&self, handles: &[Arc<str>]) -> Result<Vec<EntryOutcome>, QueueFault> {
        self.call(handles, Request::Delete, Duration::ZERO).await
    }

    async fn change_visibility(
        &self,
        handles: &[Arc<str>],
        timeout: Duration,
    ) -> Result<Vec<EntryOutcome>, QueueFault> {
        let request = if timeout.is_zero() { Request::Release } else { Request::Hide };
        self.call(handles, request, timeout).await
    }
}
