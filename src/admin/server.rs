//! The HTTP server, and the one look a second that all open pages share.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{Stream, StreamExt, stream};
use jiff::Timestamp;
use tokio::sync::broadcast;
use tokio::time::{MissedTickBehavior, interval};

use super::connections;
use super::health::Health;
use super::history::History;
use super::page::Page;
use super::told::{self, Now, Whole, json};
use super::view::View;

const EVERY: Duration = Duration::from_secs(1);

/// Events that a page may be behind before it misses some; it has all again with the next.
const BEHIND_MAX: usize = 16;

/// Pages that may be open at once: each keeps a connection, and probes and scrapes need some.
const PAGES_MAX: usize = 64;

struct Shared {
    view: View,
    health: Health,
    page: Page,
    started: Timestamp,
    history: Mutex<History>,
    /// One of each kind a second, for all pages that are open.
    events: broadcast::Sender<(&'static str, Arc<str>)>,
}

impl Shared {
    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Now {
        told::now(&self.view, &self.history(), self.started, self.health.stuck())
    }

    fn whole(&self) -> Whole<'_> {
        let now = self.now();
        told::whole(now, &self.view, &self.history())
    }

    /// The look that is taken once a second.
    fn look(&self) {
        let point = self.history().sample(&self.view);
        if self.events.receiver_count() == 0 {
            return;
        }
        // None of these fails but for want of a page.
        if let Some(point) = point {
            let _ = self.events.send(("point", json(&point).into()));
        }
        let _ = self.events.send(("message", json(&self.now()).into()));
    }
}

/// Serves until it is dropped.
pub(super) async fn run(listener: TcpListener, view: View) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let is_loopback = listener.local_addr()?.ip().to_canonical().is_loopback();
    let shared = Arc::new(Shared {
        health: view.health(),
        view,
        page: Page::new()?,
        started: Timestamp::now(),
        history: Mutex::default(),
        events: broadcast::channel(BEHIND_MAX).0,
    });
    let looked_at = Arc::clone(&shared);
    let looking = async move {
        let mut each = interval(EVERY);
        each.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            each.tick().await;
            looked_at.look();
        }
    };
    tokio::select! {
        () = connections::serve(listener, routes(shared, is_loopback)) => Ok(()),
        () = looking => Ok(()),
    }
}

fn routes(shared: Arc<Shared>, is_loopback: bool) -> Router {
    let routes = Router::new()
        .route("/", get(page))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/status.json", get(status_json))
        .route("/events", get(events))
        .fallback(async || {
            plain(
                StatusCode::NOT_FOUND,
                "there are / /livez /readyz /metrics /status.json /events\n".to_owned(),
            )
        })
        .with_state(shared);
    if is_loopback { routes.layer(from_fn(by_own_name)) } else { routes }
}

/// On loopback, answers only who asks by an address or as localhost. Otherwise a foreign page, in a
/// browser on this machine, could make its own name point here and read the answers (DNS
/// rebinding).
async fn by_own_name(request: Request, next: Next) -> Response {
    let host =
        request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_own = host.parse::<SocketAddr>().is_ok()
        || host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
        || host.split(':').next().is_some_and(|name| name.eq_ignore_ascii_case("localhost"));
    if is_own {
        next.run(request).await
    } else {
        plain(StatusCode::FORBIDDEN, "ask by address, or as localhost\n".to_owned())
    }
}

/// Alive while every task takes its steps.
async fn livez(State(shared): State<Arc<Shared>>) -> Response {
    let stuck = shared.health.stuck();
    if stuck.is_empty() {
        return plain(StatusCode::OK, "alive\n".to_owned());
    }
    plain(StatusCode::SERVICE_UNAVAILABLE, format!("stuck: {}\n", stuck.join(", ")))
}

/// Ready once connected, which it is before this is served, and also with the gate closed: a
/// restart would not help.
async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    if shared.view.stop.is_draining() {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned());
    }
    plain(StatusCode::OK, "ready\n".to_owned())
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    match shared.view.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
            .into_response(),
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")),
    }
}

async fn status_json(State(shared): State<Arc<Shared>>) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (headers, json(&shared.whole())).into_response()
}

async fn events(State(shared): State<Arc<Shared>>) -> Response {
    if shared.events.receiver_count() >= PAGES_MAX {
        return plain(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{PAGES_MAX} pages are open: close one\n"),
        );
    }
    pages(&shared).into_response()
}

fn pages(shared: &Shared) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let events = shared.events.subscribe();
    let first = Event::default().data(json(&shared.now()));
    let later = stream::unfold(events, async |mut events| {
        loop {
            match events.recv().await {
                Ok((kind, data)) => {
                    let event = Event::default().data(&*data);
                    // What has no name is a message.
                    let event = if kind == "message" { event } else { event.event(kind) };
                    return Some((Ok(event), events));
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    });
    Sse::new(stream::once(async { Ok(first) }).chain(later)).keep_alive(KeepAlive::default())
}

async fn page(State(shared): State<Arc<Shared>>) -> Response {
    match shared.page.render(&shared.whole()) {
        Ok(html) => {
            let policy = HeaderValue::from_str(shared.page.policy())
                .unwrap_or(HeaderValue::from_static("default-src 'none'"));
            let headers: [(HeaderName, HeaderValue); 5] = [
                (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
                (header::CONTENT_SECURITY_POLICY, policy),
                (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
                (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            ];
            (headers, html).into_response()
        }
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")),
    }
}

fn plain(status: StatusCode, text: String) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], text).into_response()
}
