//! A transport that is not there: calls reach the queue as they are meant, and an answer is read
//! once there is room for the largest. So it is with the AWS SDK, which cannot run here.

use std::sync::Arc;
use std::time::Duration;

use longshore::queue::{EntryOutcome, QueueFault, QueueFaultKind};

use crate::simulation::conduct::Request;
use crate::simulation::life::Life;
use crate::simulation::wire::ask;

use super::asked::Asked;
use super::fate::{self, PATIENCE};
use super::{Delivery, Queue};

pub struct Modelled {
    pub queue: Arc<Queue>,
    pub who: Arc<Life>,
}

fn fault(kind: QueueFaultKind) -> QueueFault {
    QueueFault { kind, text: format!("simulated: {kind:?}") }
}

impl Modelled {
    pub async fn receive(
        &self,
        max: usize,
        wait: Duration,
        attempt: Option<&str>,
    ) -> Result<Vec<Delivery>, QueueFault> {
        let (fate, kind) = fate::draw(self.who.conditions(), None);
        let (queue, attempt) = (Arc::clone(&self.queue), attempt.map(str::to_owned));
        let act = async move { queue.receive(max, wait, attempt.as_deref()).await };
        ask(&self.who, fate, wait + PATIENCE, act).await.ok_or_else(|| fault(kind))
    }

    pub async fn call(
        &self,
        handles: &[Arc<str>],
        request: Request,
        timeout: Duration,
    ) -> Result<Vec<EntryOutcome>, QueueFault> {
        let (fate, kind) = fate::draw(self.who.conditions(), Some(request));
        let listening = Arc::new(());
        let asked = Asked::new(&self.queue, &listening);
        let (queue, who, handles) =
            (Arc::clone(&self.queue), Arc::clone(&self.who), handles.to_vec());
        let act = async move { asked.apply(&queue, &who, &handles, request, timeout) };
        let outcomes = ask(&self.who, fate, PATIENCE, act).await;
        drop(listening);
        outcomes.ok_or_else(|| fault(kind))
    }
}
