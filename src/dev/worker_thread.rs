//! The worker on a runtime of its own, so that what it costs can be told from the servers in the
//! same process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow};
use tokio::sync::oneshot;

use crate::config::Config;
use crate::held::Held;
use crate::queue::sqs::{ApiCalls, Credentials};
use crate::stop::Stop;
use crate::telemetry::signals::Signals;
use crate::worker::{Ended, Observability, Worker};

/// The name of the worker's threads; Linux keeps 15 characters.
const THREAD_NAME: &str = "lsworker";

/// A started worker.
pub struct WorkerThread {
    pub signals: Signals,
    pub calls: Arc<ApiCalls>,
    pub held: Held,
    /// Where the status page is.
    pub page: Option<SocketAddr>,
    thread: JoinHandle<Ended>,
}

impl WorkerThread {
    /// Starts a worker with made-up credentials, and returns once queue and database answered it.
    ///
    /// # Errors
    /// Where the worker cannot start.
    pub async fn start(config: Config, stop: Stop, observability: Observability) -> Result<Self> {
        let (started, ready) = oneshot::channel();
        let threads = config.worker.threads;
        let thread = std::thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(move || {
            let runtime = match tokio::runtime::Builder::new_multi_thread()
                .worker_threads(threads)
                .thread_name(THREAD_NAME)
                .enable_all()
                .build()
            {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = started.send(Err(anyhow!(error).context("cannot start a runtime")));
                    return Ended::LetGo;
                }
            };
            let ended = runtime.block_on(async move {
                match Worker::start(config, Credentials::Local, observability).await {
                    Ok(worker) => {
                        let _ = started.send(Ok((
                            worker.signals.clone(),
                            Arc::clone(worker.queue().calls()),
                            worker.held().clone(),
                            worker.page(),
                        )));
                        worker.run(stop).await
                    }
                    Err(error) => {
                        let _ = started.send(Err(error));
                        Ended::LetGo
                    }
                }
            });
            runtime.shutdown_background();
            ended
        })?;
        let (signals, calls, held, page) =
            ready.await.context("the worker ended before it started")??;
        Ok(Self { signals, calls, held, page, thread })
    }

    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the end of the worker, which was asked for by its `Stop`.
    ///
    /// # Errors
    /// Where the worker panicked.
    pub async fn ended(self) -> Result<Ended> {
        tokio::task::spawn_blocking(move || self.thread.join())
            .await?
            .map_err(|_| anyhow!("the worker panicked"))
    }
}

/// CPU seconds, user and system, that the worker's threads have used. `None` where the system does
/// not tell (other than Linux).
pub fn cpu_seconds() -> Option<f64> {
    /// Of `utime` and `stime` in `/proc`: fixed at 100 in Linux's user interface.
    const TICKS_PER_SECOND: f64 = 100.0;
    let mut ticks = 0_u32;
    for task in std::fs::read_dir("/proc/self/task").ok()? {
        let Ok(stat) = std::fs::read_to_string(task.ok()?.path().join("stat")) else { continue };
        // `tid (name) state ...`, with utime and stime as the 12th and 13th field after the name.
        let (name, rest) = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(") "))?;
        if name == THREAD_NAME {
            ticks += rest
                .split(' ')
                .skip(11)
                .take(2)
                .filter_map(|field| field.parse::<u32>().ok())
                .sum::<u32>();
        }
    }
    Some(f64::from(ticks) / TICKS_PER_SECOND)
}
