//! The pipeline of a worker over a file, until every line has its end or somebody stops it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::progress::Keeper;
use super::queue::{FileLines, FileQueue, VISIBILITY_TIMEOUT, lock};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::dead_letter::new_groups::NewGroups;
use crate::dead_letter::{KeptIn, Told};
use crate::flow::Flow;
use crate::held::Held;
use crate::pipeline::Pipeline;
use crate::queue::QueueTraits;
use crate::stop::Stop;
use crate::store::mongo::MongoStore;
use crate::telemetry::signals::Signals;
use crate::worker::drain;

/// Between looks at how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Between two times that the progress is kept.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// A load that is about to run.
pub(super) struct Loading {
    pub config: Config,
    pub store: MongoStore,
    pub queue: FileQueue,
    pub lines: Arc<FileLines>,
    pub keeper: Arc<Mutex<Keeper>>,
    /// Of one line.
    pub bytes_max: usize,
    pub signals: Signals,
    pub stop: Stop,
}

impl Loading {
    /// Runs until every line has its end, or the stop.
    ///
    /// # Errors
    /// Where the progress at the end, or bad lines, could not be kept.
    pub(super) async fn run(self) -> Result<()> {
        let Self { config, store, queue, lines, keeper, bytes_max, signals, stop } = self;
        let drain_timeout = config.worker.drain_timeout;
        let pipeline = Pipeline {
            queue: Arc::new(queue),
            queue_traits: QueueTraits {
                arn: "file".into(),
                visibility_timeout: VISIBILITY_TIMEOUT,
                fifo: false,
                message_bytes_max: bytes_max,
            },
            store: Arc::new(store),
            flow: Flow {
                clock: Arc::new(SystemClock::default()),
                stop: stop.clone(),
                signals: signals.clone(),
                retry: config.retry.clone(),
            },
            config: Arc::new(config),
            held: Held::default(),
            new_groups: NewGroups::default(),
            letters: KeptIn::Source(Arc::clone(&lines) as Arc<dyn Told>),
        };
        let mut pipeline = std::pin::pin!(pipeline.run());
        tokio::select! {
            () = &mut pipeline => {}
            () = drain::is_late(&stop, drain_timeout) => {
                if !drain::let_go(&stop, pipeline).await {
                    tracing::error!("not all lines could be given back: going on loads them again, which changes nothing");
                }
            }
            () = watch(&lines, &keeper, &signals, &stop) => {}
        }
        save(&lines, &keeper).await
    }
}

/// Shows and keeps how far it is, without end.
async fn watch(
    lines: &Arc<FileLines>,
    keeper: &Arc<Mutex<Keeper>>,
    signals: &Signals,
    stop: &Stop,
) {
    let mut saved_at = Instant::now();
    loop {
        sleep(LOOK_EVERY).await;
        let has_closed = signals.counters().counts().gate_closed_total > 0;
        let is_away = has_closed && signals.gauges().gate_open.get() == 0;
        let mark = lock(&lines.ledger).mark();
        lock(&lines.report).update(mark, is_away);
        if saved_at.elapsed() < SAVE_EVERY {
            continue;
        }
        saved_at = Instant::now();
        if let Err(error) = save(lines, keeper).await {
            // Whoever stops it later would not know where to go on.
            tracing::error!(cause = %format_args!("{error:#}"), "stopping");
            stop.drain();
        }
    }
}

/// Keeps how far it is. The disk may be slow.
async fn save(lines: &Arc<FileLines>, keeper: &Arc<Mutex<Keeper>>) -> Result<()> {
    let (lines, keeper) = (Arc::clone(lines), Arc::clone(keeper));
    spawn_blocking(move || {
        // First whose turn it is, then how far it is, or an older mark could be kept after a newer.
        let mut keeper = lock(&keeper);
        let (mark, passed) = lock(&lines.ledger).take_passed();
        keeper.save(mark, passed, &lines.input)
    })
    .await?
}
