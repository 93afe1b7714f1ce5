//! The keys that requests are signed with: replaced now and then, as a role's are. And whether a
//! request is signed with those that hold, for the time that it is: written from the definition of
//! Signature Version 4, for any request, where the adapter has it for one kind alone.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::request::Request;
use crate::simulation::life::Life;
use crate::simulation::traffic::EPOCH_MS;

/// A request that is signed for a time further from the server's is refused (SQS: five minutes).
const SKEW_MAX_MS: i64 = 5 * 60_000;

/// The share of signatures that are computed anew.
const LOOKED_AT: f64 = 0.25;

pub struct Keys {
    who: Arc<Life>,
    generation: AtomicU32,
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
        Self { who, generation: AtomicU32::new(1) }
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

    pub fn check(&self, request: &Request) -> Result<(), Wrong> {
        let keys = self.now();
        let signed = request.header("authorization").unwrap_or_default();
        let part = |name: &str| {
            let from = signed.find(name)? + name.len();
            signed[from..].split([',', ' ']).next()
        };
        let (Some(scope), Some(names), Some(signature)) =
            (part("Credential="), part("SignedHeaders="), part("Signature="))
        else {
            return Err(Wrong::Signature);
        };
        let (key, scope) = scope.split_once('/').ok_or(Wrong::Signature)?;
        if key != keys.access_key_id() {
            return Err(Wrong::Keys);
        }
        let date = request.header("x-amz-date").ok_or(Wrong::Signature)?;
        let signed_ms = ms(date).ok_or(Wrong::Signature)?;
        if (signed_ms - self.now_ms()).abs() > SKEW_MAX_MS {
            return Err(Wrong::Time);
        }
        if request.header("x-amz-security-token") != keys.session_token() {
            return Err(Wrong::Signature);
        }
        // It costs as much as all the rest of a call. An adapter that signs wrong does it again.
        let is_looked_at = self.who.conditions().dice.chance(LOOKED_AT);
        let secret = keys.secret_access_key();
        if is_looked_at && signature != sign(request, secret, scope, names, date) {
            return Err(Wrong::Signature);
        }
        Ok(())
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
fn sign(request: &Request, secret: &str, scope: &str, names: &str, date: &str) -> String {
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
