//! What supervisors ask: `/livez` and `/readyz`. They stand beside the page, and by `admin.probes`
//! on a listener of their own, which nothing that is asked of the page can fill.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::health::Health;
use super::view::View;
use crate::stop::Stop;

#[derive(Clone)]
struct Probed {
    health: Health,
    stop: Stop,
}

pub(super) fn routes(view: &View) -> Router {
    let probed = Probed { health: view.health(), stop: view.stop.clone() };
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).with_state(probed)
}

/// Alive while every task takes its steps.
async fn livez(State(probed): State<Probed>) -> Response {
    let stuck = probed.health.stuck();
    if stuck.is_empty() {
        return plain(StatusCode::OK, "alive\n".to_owned());
    }
    plain(StatusCode::SERVICE_UNAVAILABLE, format!("stuck: {}\n", stuck.join(", ")))
}

/// Ready once connected, which it is before this is served, and also with the gate closed: a
/// restart would not help.
async fn readyz(State(probed): State<Probed>) -> Response {
    if probed.stop.is_draining() {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned());
    }
    plain(StatusCode::OK, "ready\n".to_owned())
}

/// A line of text that is true now and not later.
pub(super) fn plain(status: StatusCode, text: String) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], text).into_response()
}
