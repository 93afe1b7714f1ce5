//! What is served beside the page and for it, and the one look a second that all open pages share.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::{Stream, StreamExt, stream};
use jiff::Timestamp;
use tokio::sync::broadcast;
use tokio::time::{MissedTickBehavior, interval};

use super::desk::{Asked, Desk};
use super::health::Health;
use super::history::History;
use super::page::Page;
use super::places::Place;
use super::probes::{self, plain};
use super::told::{self, Now, Whole, json};
use super::view::View;

const EVERY: Duration = Duration::from_secs(1);

/// Events that a page may be behind before it misses some; it has all again with the next.
const BEHIND_MAX: usize = 16;

pub(super) struct Shared {
    view: View,
    health: Health,
    page: Page,
    started: Timestamp,
    history: Mutex<History>,
    /// One of each kind a second, for all pages that are open.
    events: broadcast::Sender<(&'static str, Arc<str>)>,
}

impl Shared {
    pub(super) fn new(view: View) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            health: view.health(),
            view,
            page: Page::new()?,
            started: Timestamp::now(),
            history: Mutex::default(),
            events: broadcast::channel(BEHIND_MAX).0,
        }))
    }

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

/// Looks once a second, until it is dropped.
pub(super) async fn look(shared: Arc<Shared>) {
    let mut each = interval(EVERY);
    each.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        each.tick().await;
        shared.look();
    }
}

pub(super) fn routes(shared: Arc<Shared>) -> Router {
    let probes = probes::routes(&shared.view);
    let desk = Desk::new(shared.view.letters.clone(), &shared.view.facts);
    let letters = Router::new().route("/dead-letters.json", get(dead_letters)).with_state(desk);
    Router::new()
        .route("/", get(page))
        .route("/metrics", get(metrics))
        .route("/status.json", get(status_json))
        .route("/events", get(events))
        .with_state(shared)
        .merge(letters)
        .merge(probes)
        .fallback(async || {
            plain(
                StatusCode::NOT_FOUND,
                "there are / /livez /readyz /metrics /status.json /events /dead-letters.json\n"
                    .to_owned(),
            )
        })
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

/// That the database cannot be asked is something to tell, no failure of this server.
async fn dead_letters(State(desk): State<Arc<Desk>>, RawQuery(query): RawQuery) -> Response {
    let asked = match Asked::read(query.as_deref().unwrap_or_default()) {
        Ok(asked) => asked,
        Err(problem) => return plain(StatusCode::BAD_REQUEST, format!("{problem}\n")),
    };
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, desk.answer(asked).await.to_string()).into_response()
}

async fn events(
    State(shared): State<Arc<Shared>>,
    Extension(place): Extension<Arc<Place>>,
) -> Response {
    match place.open_page() {
        Ok(()) => pages(&shared).into_response(),
        Err(full) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{full}\n")),
    }
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
