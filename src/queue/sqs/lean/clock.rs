//! What time it is at the server: this machine's clock, corrected by what a refusal tells.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use http::HeaderMap;
use jiff::fmt::rfc2822::DateTimeParser;

use crate::clock::Clock;

/// A clock that is wrong by less was not the reason of a refusal: SQS takes what is off by five
/// minutes. The AWS SDKs draw the line here, too.
const SKEW_MIN_MS: u64 = 4 * 60 * 1_000;

/// What is answered to a request whose time is wrong, or may be. The AWS SDKs' list, and what the
/// query protocol says.
const CODES: [&str; 7] = [
    "AccessDeniedException",
    "AuthFailure",
    "InvalidSignatureException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
];

pub(super) struct ServerClock {
    here: Arc<dyn Clock>,
    /// Milliseconds by which the server's clock is ahead.
    ahead_ms: AtomicI64,
}

impl ServerClock {
    /// As right as `here` until a refusal tells otherwise.
    pub fn new(here: Arc<dyn Clock>) -> Self {
        Self { here, ahead_ms: AtomicI64::new(0) }
    }

    /// Milliseconds since the epoch.
    pub fn now_ms(&self) -> i64 {
        self.here.now_ms().saturating_add(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Whether a request that was refused with `code` was signed for a wrong time: `signed_ms`. The
    /// next one is signed for what the answer's `Date` says.
    pub fn is_corrected_by(&self, code: &str, headers: &HeaderMap, signed_ms: i64) -> bool {
        if !CODES.contains(&code) {
            return false;
        }
        let date = headers.get(http::header::DATE).and_then(|date| date.to_str().ok());
        let Some(date) = date.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok())
        else {
            return false;
        };
        if date.as_millisecond().abs_diff(signed_ms) < SKEW_MIN_MS {
            return false;
        }
        if date.as_millisecond().abs_diff(self.now_ms()) < SKEW_MIN_MS {
            // Another call, which was under way beside this one, has corrected it.
            return true;
        }
        let ahead = date.as_millisecond().saturating_sub(self.here.now_ms());
        self.ahead_ms.store(ahead, Ordering::Relaxed);
        tracing::warn!(
            seconds = ahead / 1_000,
            "this machine's clock is not the queue's, which is ahead by that: requests are signed for the queue's"
        );
        true
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use jiff::Timestamp;
    use jiff::fmt::rfc2822::DateTimePrinter;

    use super::*;
    use crate::clock::SystemClock;

    fn clock() -> ServerClock {
        ServerClock::new(Arc::new(SystemClock::default()))
    }

    fn dated(ms: i64) -> HeaderMap {
        let time = Timestamp::from_millisecond(ms).unwrap();
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&time).unwrap();
        HeaderMap::from_iter([(http::header::DATE, HeaderValue::from_str(&date).unwrap())])
    }

    #[test]
    fn a_refusal_for_the_time_corrects_the_clock_for_all_that_were_signed_for_it() {
        let hour = 3_600_000;
        for off in [hour, -hour] {
            let clock = clock();
            let signed = clock.now_ms();
            let there = signed + off;
            let refused =
                |signed| clock.is_corrected_by("SignatureDoesNotMatch", &dated(there), signed);
            assert!(refused(signed));
            assert!(clock.now_ms().abs_diff(there) < SKEW_MIN_MS);
            assert!(refused(signed), "it was under way, signed for the same time");
            assert!(!refused(clock.now_ms()), "it is right now");
        }
    }

    #[test]
    fn another_refusal_or_one_without_a_date_says_nothing_of_the_clock() {
        let clock = clock();
        let now = clock.now_ms();
        let there = now + 3_600_000;
        assert!(!clock.is_corrected_by("InvalidClientTokenId", &dated(there), now));
        assert!(!clock.is_corrected_by("RequestTimeTooSkewed", &HeaderMap::new(), now));
        let odd = HeaderMap::from_iter([(http::header::DATE, HeaderValue::from_static("soon"))]);
        assert!(!clock.is_corrected_by("RequestTimeTooSkewed", &odd, now));
        assert!(!clock.is_corrected_by("RequestTimeTooSkewed", &dated(now), now));
    }
}
