//! The queue as a worker sees it: over a network, and with a ledger of what it asks.

use std::sync::Arc;
use std::time::Duration;

use longshore::clock::Clock;
use longshore::queue::{Brought, EntryOutcome, QueueFault, Room};
use tokio::time::Instant;

use crate::simulation::conduct::{self, Request};
use crate::simulation::judge::Judge;
use crate::simulation::life::Life;

use super::Queue;
use super::endpoint::Wired;
use super::modelled::Modelled;

/// Where the size of an answer is told, the real adapter speaks with an endpoint.
enum Way {
    Modelled(Modelled),
    Wired(Box<Wired>),
}

pub struct QueueClient {
    judge: Arc<Judge>,
    who: Arc<Life>,
    way: Way,
}

impl QueueClient {
    pub fn new(
        queue: Arc<Queue>,
        judge: Arc<Judge>,
        who: Arc<Life>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let plan = &who.conditions().plan;
        let way = if plan.tells_size {
            let fifo = plan.fifo;
            Way::Wired(Box::new(Wired::new(queue, Arc::clone(&who), clock, fifo)))
        } else {
            Way::Modelled(Modelled { queue, who: Arc::clone(&who) })
        };
        Self { judge, who, way }
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
        let outcomes = match &self.way {
            Way::Modelled(modelled) => modelled.call(handles, request, timeout).await,
            Way::Wired(wired) => wired.call(handles, request, timeout).await,
        };
        history
            .note(|| format!("{} hears of {request:?} {handles:?}: {outcomes:?}", self.who.name));
        if let (Ok(outcomes), Some(call)) = (&outcomes, call) {
            call.answered(outcomes, timeout);
        }
        outcomes
    }
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
        let ends = (max, Instant::now());
        let received = match &self.way {
            Way::Modelled(modelled) => {
                modelled.receive(max, wait, attempt).await.map(|deliveries| {
                    let messages = deliveries.iter().map(|one| one.message.clone()).collect();
                    (Brought { messages, are_unread: false }, deliveries)
                })
            }
            Way::Wired(wired) => wired.receive(max, wait, attempt, room).await,
        };
        let (delivered, are_unread) = match &received {
            Ok((brought, delivered)) => (delivered.as_slice(), brought.are_unread),
            Err(_) => (&[][..], false),
        };
        conduct::receive_ends(&self.who, &self.judge, ends, delivered, are_unread);
        self.who.conditions().history.note(|| {
            let handles = delivered.iter().map(|one| &*one.message.receipt_handle);
            let handles: Vec<_> = handles.collect();
            let unread = if are_unread { ", and reads nothing else" } else { "" };
            let failed = received.as_ref().err().map(|fault| format!(": {fault}"));
            format!("{} receives {handles:?}{unread}{}", self.who.name, failed.unwrap_or_default())
        });
        received.map(|(brought, _)| brought)
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
