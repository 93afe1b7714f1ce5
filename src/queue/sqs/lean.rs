//! The lean transport: the three calls that are nearly all calls, signed by hand and sent over
//! hyper. What decides where they go and as whom is aws-config's and the SDK's, as for every other
//! call.
//!
//! A call is sent once. It is sent again, once, only where it is known not to have been done: where
//! it was refused for credentials that others replace, or for a clock that the answer sets right.

mod calls;
mod clock;
mod login;
mod pool;
mod signer;
mod way;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::config::Credentials;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, PROXY_AUTHORIZATION, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Uri};
use http_body_util::Full;
use hyper_util::client::proxy::matcher::Matcher;
use tokio::time::{Instant, timeout};

use self::clock::ServerClock;
use self::login::Login;
use self::pool::{Body, Pool};
use self::signer::Signer;
use self::way::{AnyError, Way};
use super::address::QueueAddress;
use super::calls::Operation;
use super::fault::{self, Said};
use super::profile::Chosen;
use super::wire::{self, Call, Refusal};
use crate::queue::{AnyRoom, QueueFault, Room};

const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const X_AMZ_TARGET: HeaderName = HeaderName::from_static("x-amz-target");
/// Asks for the error codes of the older query protocol, as the SDK does.
const X_AMZN_QUERY_MODE: HeaderName = HeaderName::from_static("x-amzn-query-mode");

const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("longshore/", env!("CARGO_PKG_VERSION")));

/// Bounds that it shares with the SDK's client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Of making a connection.
    pub connect: Duration,
    /// For which a connection is kept that nobody uses.
    pub idle: Duration,
    /// Of one loading of credentials.
    pub load: Duration,
}

/// A client of one queue's endpoint.
pub(super) struct Lean {
    pool: Pool,
    /// What a request names in its first line.
    uri: Uri,
    host: HeaderValue,
    signer: Signer,
    login: Login,
    clock: ServerClock,
}

/// Why a call has no answer that says what was done.
#[derive(Debug)]
pub(super) enum Failure {
    NoCredentials(String),
    Refused(Refusal),
    /// No answer has begun within this time.
    TimedOut(Duration),
    Unreachable(String),
}

impl Failure {
    pub fn into_fault(self, operation: Operation, address: &QueueAddress) -> QueueFault {
        match self {
            Self::NoCredentials(cause) => fault::no_credentials(&cause, &Chosen::None),
            Self::Refused(refusal) => {
                let said = Said {
                    code: refusal.code.as_deref(),
                    message: refusal.message.as_deref(),
                    status: refusal.status,
                };
                fault::of_answer(said, operation, address)
            }
            Self::TimedOut(limit) => fault::timed_out(limit, operation, address),
            Self::Unreachable(cause) => fault::unreachable(&cause, operation, address),
        }
    }
}

impl From<AnyError> for Failure {
    fn from(error: AnyError) -> Self {
        Self::Unreachable(fault::chain(Some(error.as_ref())))
    }
}

impl Lean {
    /// # Errors
    /// Where the settings lack something, or this machine's root certificates cannot be read.
    pub fn new(
        address: &QueueAddress,
        sdk: &SdkConfig,
        bounds: Bounds,
    ) -> Result<Self, QueueFault> {
        let unusable =
            |cause: String| fault::unusable(format!("cannot set up the lean transport: {cause}"));
        let endpoint = endpoint(address).map_err(unusable)?;
        let provider = sdk
            .credentials_provider()
            .ok_or_else(|| fault::no_credentials("none are configured", &Chosen::None))?;
        // Which proxy there is was settled and told with the address.
        let proxy =
            address.proxy.as_ref().and_then(|_| Matcher::from_env().intercept(&endpoint.uri));
        let way = Way::new(endpoint.uri.clone(), proxy, bounds.connect)
            .map_err(|error: io::Error| unusable(fault::chain(Some(&error))))?;
        let uri = match way.forward() {
            Some(_) => format!("http://{}{}", endpoint.host, endpoint.path),
            None => endpoint.path.clone(),
        };
        Ok(Self {
            uri: uri.parse().map_err(|_| unusable(format!("{uri} is no URL")))?,
            host: HeaderValue::from_str(&endpoint.host)
                .map_err(|_| unusable(format!("{} is no host", endpoint.host)))?,
            signer: Signer::new(&address.region, &endpoint.host, &endpoint.path),
            login: Login::new(provider, bounds.load),
            clock: ServerClock::default(),
            pool: Pool::new(way, bounds.idle),
        })
    }

    /// Makes a call, and returns the body of the answer that says what was done, as far as there is
    /// `room` for it. `limit`: for all but waiting for room.
    async fn call<C: Call>(
        &self,
        call: &C,
        limit: Duration,
        room: &mut impl Room,
    ) -> Result<Body, Failure> {
        let body = Bytes::from(call.encode());
        let loaded = self.login.credentials(self.clock.now_ms()).await;
        let mut credentials = loaded.map_err(Failure::NoCredentials)?;
        let mut is_first = true;
        loop {
            let request = self.request(C::TARGET, &body, &credentials)?;
            let asked = Instant::now();
            let timed_out = |_| Failure::TimedOut(limit);
            let answer = timeout(limit, self.pool.call(request)).await.map_err(timed_out)??;
            let left = limit.saturating_sub(asked.elapsed());
            if answer.status.is_success() {
                return self
                    .pool
                    .read(answer, room, left)
                    .await
                    .map_err(timed_out)?
                    .map_err(Failure::from);
            }
            let (status, headers) = (answer.status.as_u16(), answer.headers.clone());
            let read = self.pool.read(answer, &mut AnyRoom, left).await.map_err(timed_out)??;
            let Body::Whole(body) = read else { continue };
            let refusal = wire::refusal(status, &headers, &body);
            let code = refusal.code.as_deref().map(fault::bare_code).unwrap_or_default();
            if !std::mem::take(&mut is_first) {
                return Err(Failure::Refused(refusal));
            }
            if self.clock.is_corrected_by(code, &headers) {
                continue;
            }
            if !is_of_credentials(code) {
                return Err(Failure::Refused(refusal));
            }
            let others = Box::pin(self.login.instead_of(&credentials, self.clock.now_ms())).await;
            credentials = others.ok_or(Failure::Refused(refusal))?;
        }
    }

    /// The request, signed for now.
    fn request(
        &self,
        target: &'static str,
        body: &Bytes,
        credentials: &Arc<Credentials>,
    ) -> Result<Request<Full<Bytes>>, AnyError> {
        let signature = self
            .signer
            .sign(self.clock.now_ms(), credentials, target, body)
            .ok_or("this machine's clock has a time of no calendar")?;
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.reserve(12);
        headers.insert(HOST, self.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(wire::CONTENT_TYPE));
        headers.insert(USER_AGENT, AGENT);
        headers.insert(X_AMZ_TARGET, HeaderValue::from_static(target));
        headers.insert(X_AMZN_QUERY_MODE, HeaderValue::from_static("true"));
        headers.insert(X_AMZ_DATE, signature.date.try_into()?);
        if let Some(token) = credentials.session_token() {
            headers.insert(X_AMZ_TOKEN, secret(token.trim().to_owned())?);
        }
        headers.insert(AUTHORIZATION, secret(signature.authorization)?);
        if let Some(login) = self.pool.way.forward().and_then(|proxy| proxy.basic_auth()) {
            headers.insert(PROXY_AUTHORIZATION, login.clone());
        }
        Ok(request)
    }
}

/// Without credentials.
impl fmt::Debug for Lean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lean")
            .field("uri", &self.uri)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// A header that no log shows.
fn secret(value: String) -> Result<HeaderValue, AnyError> {
    let value = HeaderValue::try_from(value);
    let mut value = value.map_err(|_| "the AWS credentials hold what no header can")?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether others may do what these credentials did not.
fn is_of_credentials(code: &str) -> bool {
    matches!(
        code,
        "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidAccessKeyId"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
    )
}

/// Where requests go, in parts.
struct Endpoint {
    uri: Uri,
    /// With its port, unless it is the scheme's own.
    host: String,
    /// Ends with a slash.
    path: String,
}

fn endpoint(address: &QueueAddress) -> Result<Endpoint, String> {
    let url = address.endpoint.url.as_str();
    let uri: Uri = url.parse().map_err(|_| format!("{url} is no URL"))?;
    let (Some(scheme @ ("http" | "https")), Some(authority)) = (uri.scheme_str(), uri.authority())
    else {
        return Err(format!("{url} is no URL of HTTP"));
    };
    let host = match (scheme, uri.port_u16()) {
        ("http", Some(80)) | ("https", Some(443)) => authority.host().to_owned(),
        _ => authority.as_str().to_owned(),
    };
    let path = format!("{}/", uri.path().trim_end_matches('/'));
    Ok(Endpoint { uri, host, path })
}

#[cfg(test)]
mod tests;
