//! The whole pipeline, on a queue that gives what it has and a store that takes everything.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use longshore::clock::SystemClock;
use longshore::config::Config;
use longshore::dead_letter::KeptIn;
use longshore::dead_letter::new_groups::NewGroups;
use longshore::flow::Flow;
use longshore::held::Held;
use longshore::message::{QueueMessage, Write};
use longshore::pipeline::Pipeline;
use longshore::queue::{
    Brought, EntryOutcome, MESSAGE_BYTES_MAX, Queue, QueueFault, QueueTraits, Room,
};
use longshore::stop::Stop;
use longshore::store::mongo::MongoStore;
use longshore::store::{Collection, ItemOutcome, Store, WriteOutcome, Writes};
use longshore::telemetry::signals::Signals;
use tokio::time::{sleep, timeout};

/// Longer than any run takes, of time that passes at once.
const LATE: Duration = Duration::from_hours(1);

/// Moves these messages, and stops.
pub fn run(config: Config, messages: VecDeque<QueueMessage>) -> Result<()> {
    let (stop, sent) = (Stop::default(), messages.len());
    let queue = Arc::new(Given {
        left: Mutex::new(messages),
        messages: sent,
        deleted: AtomicUsize::new(0),
        stop: stop.clone(),
    });
    let flow = Flow {
        clock: Arc::new(SystemClock::default()),
        stop,
        signals: Signals::default(),
        retry: config.retry.clone(),
    };
    let pipeline = Pipeline {
        config: Arc::new(config),
        queue: Arc::clone(&queue),
        queue_traits: QueueTraits {
            arn: "arn:aws:sqs:eu-west-1:0:portal".into(),
            visibility_timeout: Duration::from_secs(30),
            fifo: false,
            message_bytes_max: MESSAGE_BYTES_MAX,
        },
        store: Arc::new(Takes),
        flow,
        held: Held::default(),
        new_groups: NewGroups::default(),
        letters: KeptIn::Collection,
    };
    // Time that is waited for passes at once, so that each run takes the same turns.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let ended = runtime.block_on(async { timeout(LATE, pipeline.run()).await });
    let deleted = queue.deleted.load(Ordering::Relaxed);
    ensure!(ended.is_ok() && deleted == sent, "{deleted} of {sent} messages were deleted");
    Ok(())
}

/// Gives each message once, and stops the worker when all are deleted.
struct Given {
    left: Mutex<VecDeque<QueueMessage>>,
    messages: usize,
    deleted: AtomicUsize,
    stop: Stop,
}

impl Queue for Given {
    async fn receive_into(
        &self,
        max: usize,
        wait: Duration,
        _: Option<&str>,
        room: &mut impl Room,
    ) -> Result<Brought, QueueFault> {
        let messages: Vec<_> = {
            let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = max.min(left.len());
            left.drain(..taken).collect()
        };
        if messages.is_empty() {
            sleep(wait).await;
        } else {
            room.make(messages.iter().map(QueueMessage::bytes).sum()).await;
        }
        Ok(Brought { messages, are_unread: false })
    }

    fn tells_size(&self) -> bool {
        true
    }

    async fn delete(&self, handles: &[Arc<str>]) -> Result<Vec<EntryOutcome>, QueueFault> {
        let before = self.deleted.fetch_add(handles.len(), Ordering::Relaxed);
        if before + handles.len() >= self.messages {
            self.stop.drain();
        }
        Ok(vec![EntryOutcome::Done; handles.len()])
    }

    async fn change_visibility(
        &self,
        handles: &[Arc<str>],
        _: Duration,
    ) -> Result<Vec<EntryOutcome>, QueueFault> {
        Ok(vec![EntryOutcome::Done; handles.len()])
    }
}

struct Takes;

impl Store for Takes {
    async fn write(&self, _: &Collection, writes: Writes<'_>) -> WriteOutcome {
        WriteOutcome::Answered { items: vec![ItemOutcome::Written; writes.len()], stale: 0 }
    }

    fn command_bytes(write: &Write) -> usize {
        MongoStore::command_bytes(write)
    }

    async fn is_well(&self, _: &Collection) -> bool {
        true
    }
}
