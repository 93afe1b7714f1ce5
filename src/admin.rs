//! What an operator and a supervisor ask a running worker: `/livez`, `/readyz`, `/metrics`,
//! `/status.json` and the status page.
//!
//! It has a thread and a runtime of its own, so that it answers, and says so, when the worker's
//! threads are stuck. It reads; nothing that is asked here changes anything.

mod connections;
mod figures;
mod headline;
mod health;
mod history;
mod page;
mod server;
mod status;
mod words;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::config::AdminConfig;
use crate::held::Held;
use crate::stop::Stop;
use crate::telemetry::metrics::{Metrics, Sources};
use crate::telemetry::signals::Signals;

pub use self::health::Health;

/// All that is shown of a worker.
#[derive(Clone)]
pub struct View {
    pub signals: Signals,
    pub metrics: Arc<Metrics>,
    pub sources: Sources,
    pub held: Held,
    pub stop: Stop,
    pub facts: Arc<Facts>,
    /// Inside one step a task may be so long before it counts as stuck.
    pub step_max: Duration,
}

impl View {
    fn health(&self) -> Health {
        Health { signals: self.signals.clone(), held: self.held.clone(), step_max: self.step_max }
    }
}

/// What does not change while the worker runs.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub queue_arn: String,
    pub visibility_timeout: Duration,
    pub database: String,
    /// Every setting in force: key, value with secrets as stars, and where it came from.
    pub settings: Vec<[String; 3]>,
}

/// Takes the address that is configured. Where it is taken by another, that is an error if the
/// address was chosen, and else a warning: the worker's work is worth more than the look at it.
///
/// # Errors
/// Where a chosen address cannot be had.
pub fn bind(config: &AdminConfig) -> Result<Option<TcpListener>> {
    let Some(address) = config.listen else { return Ok(None) };
    match TcpListener::bind(address) {
        Ok(listener) => {
            listener.set_nonblocking(true).context("cannot set up the admin server")?;
            Ok(Some(listener))
        }
        Err(error) if config.is_chosen => Err(error).with_context(|| {
            format!(
                "cannot listen on admin.listen = \"{address}\": give another address, or \"off\""
            )
        }),
        Err(error) => {
            tracing::warn!(%address, %error, "no status page and no /metrics: give this worker an address of its own with admin.listen");
            Ok(None)
        }
    }
}

/// A served admin server; it ends when this is dropped.
#[derive(Debug)]
pub struct Admin {
    pub address: SocketAddr,
    /// Dropped to end the server.
    _end: tokio::sync::oneshot::Sender<()>,
}

/// Serves `view` on `listener`, on a thread of its own.
///
/// # Errors
/// Where the system gives no thread.
pub fn serve(listener: TcpListener, view: View) -> Result<Admin> {
    let address = listener.local_addr().context("cannot set up the admin server")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot set up the admin server")?;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let serve = move || {
        runtime.block_on(async move {
            tokio::select! {
                served = server::run(listener, view) => {
                    if let Err(error) = served {
                        tracing::error!(cause = %error, "the admin server has ended");
                    }
                }
                _ = ended => {}
            }
        });
    };
    std::thread::Builder::new()
        .name("admin".to_owned())
        .spawn(serve)
        .context("cannot set up the admin server")?;
    Ok(Admin { address, _end: end })
}
