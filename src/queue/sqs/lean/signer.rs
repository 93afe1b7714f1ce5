//! Signature Version 4 of one kind of request: POST to one path of one host, with one set of headers.
//!
//! What is the same for a day, the derived key, is derived once a day, and the date is written once
//! a second; the rest is two hashes. `aws-sigv4` derives the key for each request; tests hold what
//! comes out here against it.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_sqs::config::Credentials;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::tz::Offset;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::hex::Hex;
use crate::queue::sqs::wire::CONTENT_TYPE;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// As SQS is called in signatures.
const SERVICE: &str = "sqs";

const SIGNED_HEADERS: &str = "content-type;host;x-amz-date;x-amz-target;x-amzn-query-mode";
const SIGNED_HEADERS_WITH_TOKEN: &str =
    "content-type;host;x-amz-date;x-amz-security-token;x-amz-target;x-amzn-query-mode";

/// What a path is encoded by, once more than it is sent.
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Of one endpoint.
pub(super) struct Signer {
    region: String,
    /// As the header `host` says it.
    host: String,
    /// Of the endpoint, encoded as it is signed.
    path: String,
    kept: Mutex<Option<Kept>>,
}

/// What a request says of who sent it and when.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signature {
    /// For the header `x-amz-date`.
    pub date: String,
    pub authorization: String,
}

/// What the requests of one second have in common, and those of one day.
struct Kept {
    second: i64,
    /// `20261126T210751Z`.
    date: String,
    /// Whose the key is.
    credentials: Arc<Credentials>,
    key: Hmac<Sha256>,
}

impl Kept {
    fn day(&self) -> &str {
        &self.date[..DAY_LENGTH]
    }
}

/// Of the day that a date begins with.
const DAY_LENGTH: usize = 8;

impl Signer {
    /// `path`: as it is sent.
    pub fn new(region: &str, host: &str, path: &str) -> Self {
        Self {
            region: region.to_owned(),
            host: host.to_owned(),
            path: utf8_percent_encode(path, PATH).to_string(),
            kept: Mutex::default(),
        }
    }

    /// Signs a request that is sent now, `now_ms` being milliseconds since the epoch. `None` where
    /// no calendar has that time.
    pub fn sign(
        &self,
        now_ms: i64,
        credentials: &Arc<Credentials>,
        target: &str,
        body: &[u8],
    ) -> Option<Signature> {
        let (date, key) = self.date_and_key(now_ms, credentials)?;
        let day = &date[..DAY_LENGTH];
        let token = credentials.session_token();
        let request = self.canonical_request(&date, token, target, body);
        let mut mac = key;
        for part in [ALGORITHM, "\n", &date, "\n", day, "/", &self.region, "/", SERVICE] {
            mac.update(part.as_bytes());
        }
        mac.update(b"/aws4_request\n");
        mac.update(Hex::of(request).as_bytes());
        let signature = Hex::of(mac.finalize().into_bytes());
        let signed = if token.is_some() { SIGNED_HEADERS_WITH_TOKEN } else { SIGNED_HEADERS };
        let mut authorization = String::with_capacity(320);
        // Writing into a text never fails.
        let _ = write!(
            authorization,
            "{ALGORITHM} Credential={}/{day}/{}/{SERVICE}/aws4_request, SignedHeaders={signed}, Signature={}",
            credentials.access_key_id(),
            self.region,
            signature.as_str(),
        );
        Some(Signature { date, authorization })
    }

    /// The hash of the request in the form that both sides agree on.
    fn canonical_request(
        &self,
        date: &str,
        token: Option<&str>,
        target: &str,
        body: &[u8],
    ) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut add = |parts: &[&str]| parts.iter().for_each(|part| hash.update(part.as_bytes()));
        add(&["POST\n", &self.path, "\n\ncontent-type:", CONTENT_TYPE, "\nhost:", &self.host]);
        add(&["\nx-amz-date:", date]);
        if let Some(token) = token {
            add(&["\nx-amz-security-token:", token.trim()]);
        }
        add(&["\nx-amz-target:", target, "\nx-amzn-query-mode:true\n\n"]);
        add(&[if token.is_some() { SIGNED_HEADERS_WITH_TOKEN } else { SIGNED_HEADERS }, "\n"]);
        hash.update(Hex::of(Sha256::digest(body)).as_bytes());
        hash.finalize().into()
    }

    fn date_and_key(
        &self,
        now_ms: i64,
        credentials: &Arc<Credentials>,
    ) -> Option<(String, Hmac<Sha256>)> {
        let second = now_ms.div_euclid(1_000);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let of_them = kept.take_if(|kept| Arc::ptr_eq(&kept.credentials, credentials));
        let now = match of_them {
            Some(kept) if kept.second == second => kept,
            other => {
                let date = date(second)?;
                let key = other
                    .filter(|kept| kept.day() == &date[..DAY_LENGTH])
                    .map(|kept| kept.key)
                    .or_else(|| self.key(credentials, &date[..DAY_LENGTH]))?;
                Kept { second, date, credentials: Arc::clone(credentials), key }
            }
        };
        let both = (now.date.clone(), now.key.clone());
        *kept = Some(now);
        Some(both)
    }

    /// Derived for a day, this region and SQS.
    fn key(&self, credentials: &Credentials, day: &str) -> Option<Hmac<Sha256>> {
        let secret = format!("AWS4{}", credentials.secret_access_key());
        let mut key = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
        for part in [day, &self.region, SERVICE, "aws4_request"] {
            key.update(part.as_bytes());
            // Never fails: a key may have any length.
            key = Hmac::new_from_slice(&key.finalize().into_bytes()).ok()?;
        }
        Some(key)
    }
}

/// `20261126T210751Z`, of a second since the epoch.
fn date(second: i64) -> Option<String> {
    let utc = Offset::UTC.to_datetime(Timestamp::from_second(second).ok()?);
    Some(format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        utc.year(),
        utc.month(),
        utc.day(),
        utc.hour(),
        utc.minute(),
        utc.second()
    ))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    use aws_sigv4::sign::v4;
    use proptest::prelude::*;

    use super::*;

    fn credentials(key: &str, secret: &str, token: Option<&str>) -> Arc<Credentials> {
        Arc::new(Credentials::new(key, secret, token.map(str::to_owned), None, "test"))
    }

    /// What AWS's own crate makes of the same request.
    fn by_aws(
        signer: &Signer,
        path: &str,
        now_ms: i64,
        credentials: &Credentials,
        target: &str,
        body: &[u8],
    ) -> Signature {
        let identity = credentials.clone().into();
        let time = UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).expect("after 1970"));
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&signer.region)
            .name(SERVICE)
            .time(time)
            .settings(SigningSettings::default())
            .build()
            .expect("complete");
        let url = format!("http://{}{path}", signer.host);
        let headers = [
            ("content-type", CONTENT_TYPE),
            ("host", &signer.host),
            ("x-amz-target", target),
            ("x-amzn-query-mode", "true"),
        ];
        let request =
            SignableRequest::new("POST", url, headers.into_iter(), SignableBody::Bytes(body))
                .expect("signable");
        let (instructions, _) = sign(request, &params.into()).expect("signed").into_parts();
        let header = |wanted: &str| {
            let found = instructions.headers().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| value.to_owned()).expect(wanted)
        };
        Signature { date: header("x-amz-date"), authorization: header("authorization") }
    }

    proptest! {
        #[test]
        fn a_request_is_signed_as_aws_signs_it(
            now_ms in 0_i64..4_102_444_800_000,
            key in "[A-Z0-9]{16,20}",
            secret in "[A-Za-z0-9/+=]{0,100}",
            token in prop::option::of("[A-Za-z0-9/+=]{1,400}"),
            region in "[a-z]{2}-[a-z]{4,9}-[1-9]",
            host in "[a-z]{1,10}(\\.[a-z]{1,5}){0,3}(:[1-9][0-9]{0,3})?",
            path in "(/[a-zA-Z0-9_~@:+-]{1,8}){0,3}/",
            target in "AmazonSQS\\.[A-Za-z]{1,20}",
            body in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let signer = Signer::new(&region, &host, &path);
            let credentials = credentials(&key, &secret, token.as_deref());
            // Twice, and between them another second, another day and somebody else.
            for now_ms in [now_ms, now_ms + 1_000, now_ms + 86_400_000, now_ms] {
                let ours = signer.sign(now_ms, &credentials, &target, &body).expect("a date");
                prop_assert_eq!(ours, by_aws(&signer, &path, now_ms, &credentials, &target, &body));
            }
            let others = self::credentials(&key, "another", None);
            let theirs = signer.sign(now_ms, &others, &target, &body).expect("a date");
            prop_assert_eq!(theirs, by_aws(&signer, &path, now_ms, &others, &target, &body));
        }
    }

    #[test]
    fn a_time_of_no_calendar_is_not_signed() {
        let signer = Signer::new("eu-west-1", "h", "/");
        assert_eq!(signer.sign(i64::MAX, &credentials("k", "s", None), "t", b""), None);
    }
}
