//! What an operator and a supervisor ask a running worker: `/livez`, `/readyz`, `/metrics`,
//! `/status.json`, `/dead-letters.json` and the status page.
//!
//! Each listener has a thread and a runtime of its own, so that it answers, and says so, when the
//! worker's threads are stuck. It reads; nothing that is asked here changes anything.

mod connections;
mod desk;
mod figures;
mod gather;
mod headline;
mod health;
mod history;
mod hosts;
pub mod letters;
mod page;
mod places;
mod probes;
pub mod query;
#[cfg(test)]
mod quiet;
mod server;
mod status;
mod told;
mod view;
mod words;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use tokio::sync::oneshot;

use self::connections::REQUEST_WITHIN;
use self::hosts::{Door, Hosts};
use self::server::Shared;
use crate::config::AdminConfig;

pub use self::health::Health;
pub use self::hosts::Say;
pub use self::view::{Facts, View};

/// The addresses that are taken, and the names that requests may use there.
#[derive(Debug)]
pub struct Bound {
    page: Option<TcpListener>,
    probes: Option<TcpListener>,
    hosts: Hosts,
}

impl Bound {
    /// Where the status page will be.
    #[must_use]
    pub fn page(&self) -> Option<SocketAddr> {
        self.page.as_ref().and_then(|listener| listener.local_addr().ok())
    }
}

/// Takes the addresses that are configured. Where one is taken by another, that is an error if the
/// address was chosen, and otherwise a warning: the worker's work is worth more than its status page.
///
/// # Errors
/// Where a chosen address is not available.
pub fn bind(config: &AdminConfig) -> Result<Bound> {
    let page = match config.listen.map(|address| (address, listen(address))) {
        None => None,
        Some((_, Ok(listener))) => Some(listener),
        Some((address, Err(error))) if config.is_chosen => return Err(error).with_context(|| {
            format!(
                "cannot listen on admin.listen = \"{address}\": give another address, or \"off\""
            )
        }),
        Some((address, Err(error))) => {
            tracing::warn!(%address, %error, "no status page and no /metrics: give this worker an address of its own with admin.listen");
            None
        }
    };
    let probes = config.probes.map(|address| {
        listen(address).with_context(|| {
            format!(
                "cannot listen on admin.probes = \"{address}\": give another address, or \"off\""
            )
        })
    });
    Ok(Bound { page, probes: probes.transpose()?, hosts: Hosts::new(&config.hosts) })
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A served admin server; it ends when this is dropped.
#[derive(Debug)]
pub struct Admin {
    pub page: Option<SocketAddr>,
    pub probes: Option<SocketAddr>,
    /// Dropped to end the server, one for each listener.
    _ends: Vec<oneshot::Sender<()>>,
}

/// Serves `view` on what is bound, each listener on a thread of its own.
///
/// # Errors
/// Where the system gives no thread.
pub fn serve(bound: Bound, view: View) -> Result<Admin> {
    const WHAT: &str = "cannot set up the admin server";
    let Bound { page, probes, hosts } = bound;
    let address = |listener: &TcpListener| listener.local_addr().context(WHAT);
    let addresses =
        (page.as_ref().map(address).transpose()?, probes.as_ref().map(address).transpose()?);
    let mut ends = Vec::new();
    if let Some(listener) = probes {
        let routes = probes::routes(&view).fallback(async || {
            probes::plain(StatusCode::NOT_FOUND, "there are /livez /readyz\n".to_owned())
        });
        let routes = by_own_name(routes, &hosts);
        ends.push(spawn("probes", listener, routes, None).context(WHAT)?);
    }
    if let Some(listener) = page {
        let shared = Shared::new(view).context(WHAT)?;
        let routes = by_own_name(server::routes(Arc::clone(&shared)), &hosts);
        ends.push(spawn("admin", listener, routes, Some(shared)).context(WHAT)?);
    }
    if let Some(page) = addresses.0 {
        tracing::info!(address = %format_args!("http://{page}/"), "status page");
    }
    if let Some(probes) = addresses.1 {
        tracing::info!(address = %format_args!("http://{probes}/livez"), "probes");
    }
    Ok(Admin { page: addresses.0, probes: addresses.1, _ends: ends })
}

fn by_own_name(routes: Router, hosts: &Hosts) -> Router {
    let door = Door { hosts: hosts.clone(), say: probes::plain };
    routes.layer(from_fn_with_state(door, hosts::by_own_name))
}

/// Serves other routes than a worker's, until this is dropped: with the same bounds, but that a request
/// has `within` for its answer, and the same check of the name that it uses, which may be one of
/// `hosts`. `say` tells what is wrong with that.
pub async fn serve_others(
    listener: tokio::net::TcpListener,
    routes: Router,
    hosts: &[String],
    say: Say,
    within: Duration,
) {
    let door = Door { hosts: Hosts::new(hosts), say };
    let routes = routes.layer(from_fn_with_state(door, hosts::by_own_name));
    connections::serve(listener, routes, within).await;
}

/// A thread that serves until what it gives back is dropped, and looks where there is a page.
fn spawn(
    name: &str,
    listener: TcpListener,
    routes: Router,
    looked_at: Option<Arc<Shared>>,
) -> Result<oneshot::Sender<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _in_runtime = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    let (end, ended) = oneshot::channel::<()>();
    let looking = async {
        match looked_at {
            Some(shared) => server::look(shared).await,
            None => std::future::pending().await,
        }
    };
    let serve = move || {
        runtime.block_on(async move {
            tokio::select! {
                () = connections::serve(listener, routes, REQUEST_WITHIN) => {}
                () = looking => {}
                _ = ended => {}
            }
        });
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(serve)?;
    Ok(end)
}
