//! The lean transport: the three calls that are nearly all calls, signed by hand and sent over
//! hyper. What decides where they go and as whom is aws-config's and the SDK's, as for every other
//! call.
//!
//! A call is sent once. It is sent again, once, only where it is known not to have been done: where
//! it was refused for credentials that others replace, or for a clock that the answer sets right.

mod calls;
mod clock;
mod failure;
mod pool;
mod reading;
mod signer;
mod way;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::config::Credentials;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, PROXY_AUTHORIZATION, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Uri};
use http_body_util::Full;
use hyper_util::client::proxy::matcher::Matcher;
use tokio::time::timeout;

use self::clock::ServerClock;
use self::failure::Failure;
use self::pool::{Answer, Pool};
use self::signer::Signer;
use self::way::{AnyError, Way};
use super::address::QueueAddress;
use super::connects::Connects;
use super::fault;
use super::login::Login;
use super::wire::{self, Call};
use crate::clock::Clock;
use crate::queue::QueueFault;

const X_AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const X_AMZ_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
const X_AMZ_TARGET: HeaderName = HeaderName::from_static("x-amz-target");
/// Asks for the error codes of the older query protocol, as the SDK does.
const X_AMZN_QUERY_MODE: HeaderName = HeaderName::from_static("x-amzn-query-mode");

const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("longshore/", env!("CARGO_PKG_VERSION")));

/// The most that is read of what a server says about a refusal.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;

/// Bounds that it shares with the SDK's client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Of making a connection.
    pub connect: Duration,
    /// For which a connection is kept that nobody uses.
    pub idle: Duration,
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

impl Lean {
    /// `connects`: instead of a network.
    ///
    /// # Errors
    /// Where the address cannot be used, or this machine's root certificates cannot be read.
    pub fn new(
        address: &QueueAddress,
        login: Login,
        clock: Arc<dyn Clock>,
        connects: Option<Box<dyn Connects>>,
        bounds: Bounds,
    ) -> Result<Self, QueueFault> {
        let unusable =
            |cause: String| fault::unusable(format!("cannot set up the lean transport: {cause}"));
        let endpoint = endpoint(address).map_err(unusable)?;
        let way = if let Some(connects) = connects {
            Way::given(endpoint.uri.clone(), connects, bounds.connect)
        } else {
            // Which proxy there is was settled and told with the address.
            let proxy = address.proxy.as_ref();
            let proxy = proxy.and_then(|_| Matcher::from_env().intercept(&endpoint.uri));
            Way::new(endpoint.uri.clone(), proxy, bounds.connect)
                .map_err(|error: io::Error| unusable(fault::chain(Some(&error))))?
        };
        let uri = match way.forward() {
            Some(_) => format!("http://{}{}", endpoint.host, endpoint.path),
            None => endpoint.path.clone(),
        };
        Ok(Self {
            uri: uri.parse().map_err(|_| unusable(format!("{uri} is no URL")))?,
            host: HeaderValue::from_str(&endpoint.host)
                .map_err(|_| unusable(format!("{} is no host", endpoint.host)))?,
            signer: Signer::new(&address.region, &endpoint.host, &endpoint.path),
            login,
            clock: ServerClock::new(clock),
            pool: Pool::new(way, bounds.idle),
        })
    }

    /// Makes a call, within `limit` whatever it takes (credentials, a connection, a second try), and
    /// returns the answer that says what was done. Its body is not read yet.
    async fn call<C: Call>(&self, call: &C, limit: Duration) -> Result<Answer, Failure> {
        let answered = timeout(limit, self.answered(call)).await;
        answered.unwrap_or(Err(Failure::TimedOut(limit)))
    }

    async fn answered<C: Call>(&self, call: &C) -> Result<Answer, Failure> {
        let body = Bytes::from(call.encode());
        let loaded = self.login.credentials(self.clock.now_ms()).await;
        let mut credentials = loaded.map_err(Failure::NoCredentials)?;
        let mut is_first = true;
        loop {
            let signed_ms = self.clock.now_ms();
            let request = self.request(C::TARGET, &body, signed_ms, &credentials)?;
            let answer = self.pool.call(request).await?;
            if answer.status.is_success() {
                return Ok(answer);
            }
            let (status, headers) = (answer.status.as_u16(), answer.headers.clone());
            // The status says enough where the rest does not come, or is of no size for an error.
            let said = self.pool.read_all(answer, REFUSAL_BYTES_MAX).await.unwrap_or_default();
            let refusal = wire::refusal(status, &headers, &said);
            let code = refusal.code.as_deref().map(fault::bare_code).unwrap_or_default();
            if !std::mem::take(&mut is_first) {
                return Err(Failure::Refused(refusal));
            }
            if self.clock.is_corrected_by(code, &headers, signed_ms) {
                continue;
            }
            if !is_of_credentials(code) {
                return Err(Failure::Refused(refusal));
            }
            let others = Box::pin(self.login.instead_of(&credentials, self.clock.now_ms())).await;
            credentials = others.ok_or(Failure::Refused(refusal))?;
        }
    }

    /// The request, signed for `now_ms`, milliseconds since the epoch.
    fn request(
        &self,
        target: &'static str,
        body: &Bytes,
        now_ms: i64,
        credentials: &Arc<Credentials>,
    ) -> Result<Request<Full<Bytes>>, AnyError> {
        let signature = self
            .signer
            .sign(now_ms, credentials, target, body)
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
