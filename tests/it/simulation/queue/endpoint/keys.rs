//! The keys that requests are signed with: replaced now and then, as a role's are. And whether a
//! request is signed with those that hold, for the time that it is: written from the definition of
//! Signature Version 4, for any request, where the adapter has it for one kind alone.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::REGION;
use super::request::HttpRequest;
use crate::simulation::life::Life;
use crate::simulation::traffic::EPOCH_MS;

/// A request that is signed for a time further from the server's is refused (SQS: five minutes).
const SKEW_MAX_MS: u64 = 5 * 60_000;

/// The share of signatures that are computed anew.
const LOOKED_AT: f64 = 0.25;

pub struct Keys {
    who: Arc<Life>,
    generation: AtomicU32,
    /// Keys and scope of the last signature that was computed.
    looked_at: Mutex<String>,
}

/// What is wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// Signed with keys that hold no longer.
    Keys,
    Time,
    /// That is nobody's fault but the adapter's.
    Signature,
}

impl Keys {
    pub fn new(who: Arc<Life>) -> Self {
        Self { who, generation: AtomicU32::new(1), looked_at: Mutex::default() }
    }

    /// Those of before hold no longer.
    pub fn replace(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    fn now(&self) -> Credentials {
        let generation = self.generation.load(Ordering::Relaxed);
        let (key, token) = (format!("AK{generation}"), format!("token {generation}"));
        Credentials::new(key, secret(generation), Some(token), None, "simulated")
    }

    /// By the server's clock, which is right.
    pub fn now_ms(&self) -> i64 {
        EPOCH_MS + i64::try_from(self.who.conditions().age().as_millis()).expect("worlds are short")
    }

    /// How far the time that a request is signed for is off, in milliseconds.
    pub fn check(&self, request: &HttpRequest) -> Result<u64, Wrong> {
        let keys = self.now();
        let signed = Signed::of(request).ok_or(Wrong::Signature)?;
        if signed.key != keys.access_key_id() {
            return Err(Wrong::Keys);
        }
        let signed_ms = ms(signed.date).ok_or(Wrong::Signature)?;
        let off_ms = signed_ms.abs_diff(self.now_ms());
        if off_ms > SKEW_MAX_MS {
            self.looks_at_next();
            return Err(Wrong::Time);
        }
        let is_right = signed.names_all_of(request)
            && signed.is_of_its_day()
            && request.header("x-amz-security-token") == keys.session_token();
        let secret = keys.secret_access_key();
        let is_looked_at = self.is_looked_at(signed.scope);
        if !is_right || is_looked_at && signed.signature != sign(request, secret, &signed) {
            return Err(Wrong::Signature);
        }
        Ok(off_ms)
    }

    /// To compute a signature costs as much as all the rest of a call. The first with other keys, for
    /// another day or after a refusal is looked at, and a share of the others.
    fn is_looked_at(&self, scope: &str) -> bool {
        let now = format!("{} {scope}", self.generation.load(Ordering::Relaxed));
        let mut looked_at = self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = *looked_at != now;
        *looked_at = now;
        drop(looked_at);
        is_new || self.who.conditions().dice.chance(LOOKED_AT)
    }

    fn looks_at_next(&self) {
        self.looked_at.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// What a request says of its signature.
struct Signed<'a> {
    key: &'a str,
    /// Day, region, service and what ends it.
    scope: &'a str,
    names: &'a str,
    signature: &'a str,
    date: &'a str,
}

impl<'a> Signed<'a> {
    fn of(request: &'a HttpRequest) -> Option<Self> {
        let signed = request.header("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let part = |name: &str| signed.split(", ").find_map(|part| part.strip_prefix(name));
        let (key, scope) = part("Credential=")?.split_once('/')?;
        let date = request.header("x-amz-date")?;
        Some(Self {
            key,
            scope,
            names: part("SignedHeaders=")?,
            signature: part("Signature=")?,
            date,
        })
    }

    fn is_of_its_day(&self) -> bool {
        self.date
            .get(..8)
            .is_some_and(|day| self.scope == format!("{day}/{REGION}/sqs/aws4_request"))
    }

    /// Whether all is signed that has to be, in order.
    fn names_all_of(&self, request: &HttpRequest) -> bool {
        let names: Vec<_> = self.names.split(';').collect();
        let has_to_be = |name: &str| name == "host" || name.starts_with("x-amz-");
        names.is_sorted()
            && request
                .header_names()
                .filter(|name| has_to_be(name))
                .all(|name| names.contains(&name))
    }
}

fn secret(generation: u32) -> String {
    format!("secret {generation}")
}

fn ms(date: &str) -> Option<i64> {
    let civil = DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// The signature that this request has to have.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>
fn sign(request: &HttpRequest, secret: &str, signed: &Signed<'_>) -> String {
    let Signed { scope, names, date, .. } = signed;
    let header = |name| format!("{name}:{}", request.header(name).unwrap_or_default().trim());
    let headers: Vec<_> = names.split(';').map(header).collect();
    let headers = headers.join("\n");
    let body = hex(&Sha256::digest(&request.body));
    let canonical = format!("POST\n{}\n\n{headers}\n\n{names}\n{body}", request.path);
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let key =
        scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| mac(&key, part));
    hex(&mac(&key, &to_sign))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// The time as a header says it.
pub fn date_header(now_ms: i64) -> String {
    let time = Timestamp::from_millisecond(now_ms).expect("a time");
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

pub fn provider(keys: Arc<Keys>) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Provider(keys))
}

struct Provider(Arc<Keys>);

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Provider")
    }
}

impl ProvideCredentials for Provider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Ok(self.0.now()))
    }
}
