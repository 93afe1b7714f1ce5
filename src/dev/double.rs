//! `longshore dev` as a test double: a producer's own tests ask over HTTP what became of the messages
//! that they sent.
//!
//! Messages are counted, not documents: two updates that were joined are two, and one that was there
//! already, that is older than what is stored, or that has expired is a good one.

pub mod addresses;
mod asked;
mod ends;
mod kept;
mod said;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout, timeout_at};

use self::addresses::{Addresses, PATHS};
use self::asked::{Bad, Good, Reset, WAIT_MAX, Wait};
use self::ends::{Counts, Ends, Unmet};
use self::kept::Kept;
use self::said::{failed, problem, said};
use super::local::Local;
use super::worker_thread::WorkerThread;
use crate::admin;
use crate::config::Config;
use crate::harmless::harmless;
use crate::mongo_manager::MongoManager;
use crate::queue::name::is_fifo;
use crate::stop::Stop;

/// From the connection to the end of its answer: the longest wait, and what is asked beside it.
const REQUEST_WITHIN: Duration = Duration::from_secs(WAIT_MAX + 30);

/// Refused messages that a wait tells that was in vain.
const WHY_MAX: u64 = 3;

/// How long it looks for them.
const WHY_WITHIN: Duration = Duration::from_secs(2);

/// What answers a producer's tests.
pub struct Double {
    ends: Ends,
    kept: Kept,
    addresses: Addresses,
    /// Held by who empties the database: two at once would each count from another moment.
    resetting: Arc<tokio::sync::Mutex<()>>,
}

impl Double {
    /// For this worker, which runs by `config` on `local`.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn new(
        local: &Local,
        config: &Config,
        worker: &WorkerThread,
        stop: Stop,
        address: std::net::SocketAddr,
    ) -> anyhow::Result<Self> {
        let kept = Kept::new(MongoManager::connect(&config.db).await?, config);
        let depth = local.sqs.depth(&local.queue_url);
        let addresses = Addresses {
            double: format!("http://{address}"),
            sqs_endpoint_url: local.sqs.endpoint_url(),
            queue_url: local.queue_url.clone(),
            mongo_uri: local.mongo_uri().expose().to_owned(),
            status_page: worker.page.map(|page| format!("http://{page}/")),
            collections: kept.collections().to_vec(),
        };
        let ends = Ends::new(worker.signals.clone(), worker.held.clone(), depth, stop);
        Ok(Self { ends, kept, addresses, resetting: Arc::default() })
    }

    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Answers until it is dropped, to whoever calls it by an address, as localhost, or by one of `hosts`.
    pub async fn serve(self, listener: TcpListener, hosts: Vec<String>) {
        let routes = routes(Arc::new(self));
        admin::serve_others(listener, routes, &hosts, problem, REQUEST_WITHIN).await;
    }
}

fn routes(double: Arc<Double>) -> Router {
    Router::new()
        .route("/", get(addresses))
        .route("/good", get(good))
        .route("/bad", get(bad))
        .route("/wait", get(wait))
        .route("/reset", post(reset))
        .fallback(async |request: Request| {
            let (path, paths) = (harmless(request.uri().path()), PATHS.join(", "));
            problem(StatusCode::NOT_FOUND, format!("there is no {path}: there are {paths}"))
        })
        .method_not_allowed_fallback(async |request: Request| {
            let asked = format!("{} {}", request.method(), harmless(request.uri().path()));
            let text = format!("{asked} is not taken: there are {}", PATHS.join(", "));
            problem(StatusCode::METHOD_NOT_ALLOWED, text)
        })
        .layer(from_fn(by_no_page))
        .with_state(double)
}

/// Lets no web page change anything. A browser sends a simple POST to any address, whatever page asks for
/// it, and says so in `Origin` and `Sec-Fetch-Site`; this server has no pages of its own, and programs
/// send neither.
async fn by_no_page(request: Request, next: Next) -> Response {
    let is_asking = [Method::GET, Method::HEAD].contains(request.method());
    if is_asking || !is_of_page(request.headers()) {
        return next.run(request).await;
    }
    let text = "a web page may not change anything here: send it from a program, without Origin";
    problem(StatusCode::FORBIDDEN, text.to_owned())
}

fn is_of_page(headers: &HeaderMap) -> bool {
    // What somebody types into the address bar comes from no page.
    let of_site = headers.get("sec-fetch-site").is_some_and(|site| site != "none");
    headers.contains_key(header::ORIGIN) || of_site
}

async fn addresses(State(double): State<Arc<Double>>, RawQuery(query): RawQuery) -> Response {
    match admin::query::values(&query.unwrap_or_default(), []) {
        Ok([]) => said(StatusCode::OK, &double.addresses.json()),
        Err(text) => problem(StatusCode::BAD_REQUEST, text),
    }
}

async fn good(State(double): State<Arc<Double>>, RawQuery(query): RawQuery) -> Response {
    let Good { collection, limit } = match Good::read(&query.unwrap_or_default()) {
        Ok(asked) => asked,
        Err(text) => return problem(StatusCode::BAD_REQUEST, text),
    };
    if let Some(name) = collection.as_ref().filter(|name| !double.kept.collections().contains(name))
    {
        let (name, names) = (harmless(name), double.kept.collections().join(", "));
        let text = format!("collection: no route writes to {name}: one of {names}");
        return problem(StatusCode::BAD_REQUEST, text);
    }
    match double.kept.good(collection.as_deref(), limit).await {
        Ok(good) => said(StatusCode::OK, &good),
        Err(error) => failed(&error),
    }
}

async fn bad(State(double): State<Arc<Double>>, RawQuery(query): RawQuery) -> Response {
    let Bad { limit } = match Bad::read(&query.unwrap_or_default()) {
        Ok(asked) => asked,
        Err(text) => return problem(StatusCode::BAD_REQUEST, text),
    };
    match double.kept.bad(limit).await {
        Ok(bad) => said(StatusCode::OK, &bad),
        Err(error) => failed(&error),
    }
}

async fn wait(State(double): State<Arc<Double>>, RawQuery(query): RawQuery) -> Response {
    let Wait { count, within } = match Wait::read(&query.unwrap_or_default()) {
        Ok(asked) => asked,
        Err(text) => return problem(StatusCode::BAD_REQUEST, text),
    };
    match double.ends.wait(count, within).await {
        Ok(counts) => said(StatusCode::OK, &counts),
        Err(Unmet::Late(counts)) => late(&double, count, within, counts).await,
        Err(unmet) => told(&unmet, within),
    }
}

/// How many came, what may still come, and why the first ones were refused.
async fn late(double: &Double, count: u64, within: Duration, counts: Counts) -> Response {
    let Counts { good, bad } = counts;
    let why = async { if bad > 0 { double.kept.why(WHY_MAX).await } else { Ok(Vec::new()) } };
    // Where the database does not answer, the counts are told all the same.
    let refused = match timeout(WHY_WITHIN, why).await {
        Ok(Ok(refused)) => refused,
        Ok(Err(error)) => return failed(&error),
        Err(_) => Vec::new(),
    };
    let in_queue = match double.ends.in_queue().await {
        Ok(in_queue) => in_queue,
        Err(unmet) => return told(&unmet, within),
    };
    let came = good + bad;
    let mut text =
        format!("{came} of {count} messages were stored or rejected after {} s", within.as_secs());
    if in_queue == 0 {
        // Mostly it is another queue that they were sent to.
        text.extend(["; no more messages are in the queue ", &double.addresses.queue_url]);
        if is_fifo(&double.addresses.queue_url) {
            text +=
                ", which drops a message whose deduplication id it saw in the last five minutes";
        }
    }
    let body = json!({
        "error": text, "good": good, "bad": bad, "in_queue": in_queue, "refused": refused,
    });
    said(StatusCode::GATEWAY_TIMEOUT, &body)
}

async fn reset(State(double): State<Arc<Double>>, RawQuery(query): RawQuery) -> Response {
    let Reset { within } = match Reset::read(&query.unwrap_or_default()) {
        Ok(asked) => asked,
        Err(text) => return problem(StatusCode::BAD_REQUEST, text),
    };
    let until = Instant::now() + within;
    let turn = Arc::clone(&double.resetting).lock_owned();
    let Ok(alone) = timeout_at(until, turn).await else {
        let text = format!(
            "nothing was emptied: another reset has been running for {} s or more",
            within.as_secs()
        );
        return problem(StatusCode::GATEWAY_TIMEOUT, text);
    };
    // Ends with the request: who has given up waits for no reset, and sends what it would empty.
    if let Err(unmet) = double.ends.settled(until.saturating_duration_since(Instant::now())).await {
        return told(&unmet, within);
    }
    // Goes on when whoever asked has gone: half a reset would be none.
    let resetting = tokio::spawn(async move {
        let _alone = alone;
        if let Err(error) = double.kept.empty().await {
            return failed(&error);
        }
        double.ends.begin_anew();
        said(StatusCode::OK, &double.ends.counts())
    });
    resetting.await.unwrap_or_else(|error| failed(&error))
}

fn told(unmet: &Unmet, within: Duration) -> Response {
    match unmet {
        Unmet::Unsettled { in_queue, held } => {
            let text = format!(
                "nothing was emptied: after {} s {in_queue} messages are in the queue, of which the worker holds {held}; wait for them, or \
                 give a longer ?timeout=",
                within.as_secs()
            );
            said(
                StatusCode::GATEWAY_TIMEOUT,
                &json!({ "error": text, "in_queue": in_queue, "held": held }),
            )
        }
        Unmet::Ending => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "longshore dev is ending".to_owned())
        }
        Unmet::Failed(text) => failed(text),
        Unmet::Late(counts) => said(StatusCode::GATEWAY_TIMEOUT, counts),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn what_a_browser_sends_for_a_page_is_told_from_what_a_program_sends() {
        let of = |headers: &[(&'static str, &'static str)]| -> HeaderMap {
            let named = headers
                .iter()
                .map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::from_static(value)));
            named.collect()
        };
        for headers in [
            &[("origin", "http://evil.example")][..],
            &[("origin", "null")],
            &[("origin", "http://127.0.0.1:8787")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
        ] {
            assert!(is_of_page(&of(headers)), "{headers:?}");
        }
        for headers in [&[][..], &[("sec-fetch-site", "none")], &[("user-agent", "curl/8")]] {
            assert!(!is_of_page(&of(headers)), "{headers:?}");
        }
    }
}
