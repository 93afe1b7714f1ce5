//! What an operator and a supervisor ask a running worker: `/livez`, `/readyz`, `/metrics`,
//! `/status.json` and the status page.
//!
//! It has a thread and a runtime of its own, so that it answers, and says so, when the worker's
//! threads are stuck. It reads; nothing that is asked here changes anything.

mod connections;
mod figures;
mod gather;
mod headline;
mod health;
mod history;
mod page;
#[cfg(test)]
mod quiet;
mod server;
mod status;
mod told;
mod view;
mod words;

use std::net::{SocketAddr, TcpListener};

use anyhow::{Context, Result};

use crate::config::AdminConfig;

pub use self::health::Health;
pub use self::view::{Facts, View};

/// Takes the address that is configured. An address that another process has is an error where the
/// user chose it, and a warning otherwise: the worker's work is worth more than its status page.
///
/// # Errors
/// Where a chosen address is not available.
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
