//! Which names a request may call this server by. A web page of elsewhere, in a browser that
//! reaches this server, can make its own name point here and would then be let read the answers
//! (DNS rebinding). Such a request still carries the page's own name.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::Response;

/// The names of `admin.hosts`. Every address counts too, and `localhost`: no page can be served
/// under either by somebody else, and those who watch a worker ask by its address.
#[derive(Debug, Clone, Default)]
pub(super) struct Hosts(Arc<[String]>);

impl Hosts {
    pub(super) fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| without_dot(name).to_owned()).collect())
    }

    fn judge(&self, request: &Request) -> Result<(), (StatusCode, String)> {
        let unclear = |problem: &str| Err((StatusCode::BAD_REQUEST, format!("{problem}\n")));
        let mut named = request.headers().get_all(header::HOST).iter();
        let authority = match (request.uri().authority(), named.next(), named.next()) {
            (_, _, Some(_)) => return unclear("more than one Host is given: give one"),
            // What the target itself names counts (RFC 9112, section 3.2.2).
            (Some(authority), _, None) => authority.clone(),
            (None, Some(host), None) => match Authority::try_from(host.as_bytes()) {
                Ok(authority) => authority,
                Err(_) => return unclear("Host must be a name or an address, and a port"),
            },
            // A browser speaks 1.1 and names its host; older health checks of load balancers do not.
            (None, None, None) if request.version() < Version::HTTP_11 => return Ok(()),
            (None, None, None) => return unclear("no Host is given"),
        };
        if authority.as_str().contains('@') {
            return unclear("Host must be a name or an address, and a port");
        }
        if self.is_own(authority.host()) {
            return Ok(());
        }
        let host = authority.host();
        let text = format!(
            "this worker does not answer to the name {host}: ask by address or as localhost, or add the name to admin.hosts\n"
        );
        Err((StatusCode::MISDIRECTED_REQUEST, text))
    }

    fn is_own(&self, host: &str) -> bool {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        if address.parse::<IpAddr>().is_ok() {
            return true;
        }
        let host = without_dot(host);
        host.eq_ignore_ascii_case("localhost")
            || self.0.iter().any(|name| host.eq_ignore_ascii_case(name))
    }
}

/// A name with the dot of the root at its end is the same name.
fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// The names, and how whoever uses another is told so.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub hosts: Hosts,
    pub say: Say,
}

/// Makes an answer of what is wrong.
pub type Say = fn(StatusCode, String) -> Response;

/// Answers only who calls this server by a name of its own.
pub(super) async fn by_own_name(
    State(door): State<Door>,
    request: Request,
    next: Next,
) -> Response {
    match door.hosts.judge(&request) {
        Ok(()) => next.run(request).await,
        Err((status, text)) => (door.say)(status, text),
    }
}
