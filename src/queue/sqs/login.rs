//! The credentials that requests are signed with: loaded by the chain that aws-config made, kept
//! until they are about to expire, and loaded anew ahead of that without anybody waiting.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use aws_sdk_sqs::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use tokio::time::{Instant, timeout};

use crate::queue::sqs::fault;
use crate::queue::sqs::single_flight::SingleFlight;

/// How long before they expire they are loaded anew. A metadata service that is away for less is not
/// noticed.
const AHEAD: Duration = Duration::from_mins(5);

/// Between two tries of that.
const PAUSE: Duration = Duration::from_secs(10);

/// What expires sooner is taken as expired: the request has a way to go.
const RESERVE: Duration = Duration::from_secs(10);

/// How long credentials hold that do not say it. As the AWS SDK has it.
const UNLESS_SAID: Duration = Duration::from_mins(15);

/// Where credentials come from and which there are. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Login(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    provider: SharedCredentialsProvider,
    load_max: Duration,
    kept: Mutex<Option<Kept>>,
    loading: SingleFlight<String>,
}

#[derive(Debug, Clone)]
struct Kept {
    credentials: Arc<Credentials>,
    /// Since the epoch.
    expiry: Duration,
    loaded_ahead: Option<Instant>,
}

impl Login {
    /// `load_max`: how long one loading may take.
    pub fn new(provider: SharedCredentialsProvider, load_max: Duration) -> Self {
        Self(Arc::new(Inner {
            provider,
            load_max,
            kept: Mutex::default(),
            loading: SingleFlight::default(),
        }))
    }

    /// Credentials that are good at `now_ms`, milliseconds since the epoch.
    ///
    /// # Errors
    /// Where there are none and none can be loaded: the reason.
    pub async fn credentials(&self, now_ms: i64) -> Result<Arc<Credentials>, String> {
        match self.kept(now_ms) {
            Some(credentials) => Ok(credentials),
            // What is rare takes no room in what waits for an answer.
            None => Box::pin(self.load(|| self.kept(now_ms), now_ms)).await,
        }
    }

    /// Loads others than `refused`, which the server no longer takes. `None` where there are none.
    pub async fn instead_of(&self, refused: &Credentials, now_ms: i64) -> Option<Arc<Credentials>> {
        let differ = |credentials: &Arc<Credentials>| {
            credentials.access_key_id() != refused.access_key_id()
                || credentials.session_token() != refused.session_token()
                || credentials.secret_access_key() != refused.secret_access_key()
        };
        // Somebody else may have been refused too, and have loaded them.
        let there = || self.kept(now_ms).filter(differ);
        self.load(there, now_ms).await.ok().filter(differ)
    }

    /// What is there and good; where it soon will not be, others are loaded meanwhile.
    fn kept(&self, now_ms: i64) -> Option<Arc<Credentials>> {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_mut()?;
        let left = kept.expiry.saturating_sub(since_epoch(now_ms));
        if left <= RESERVE {
            return None;
        }
        if left <= AHEAD && kept.loaded_ahead.is_none_or(|tried| tried.elapsed() >= PAUSE) {
            kept.loaded_ahead = Some(Instant::now());
            let login = self.clone();
            tokio::spawn(async move {
                // A failure is told once these have expired.
                let _ = login.load(|| None, now_ms).await;
            });
        }
        Some(Arc::clone(&kept.credentials))
    }

    async fn load(
        &self,
        there: impl FnOnce() -> Option<Arc<Credentials>>,
        now_ms: i64,
    ) -> Result<Arc<Credentials>, String> {
        self.0.loading.load(there, self.load_now(now_ms)).await
    }

    async fn load_now(&self, now_ms: i64) -> Result<Arc<Credentials>, String> {
        let loaded = match timeout(self.0.load_max, self.0.provider.provide_credentials()).await {
            Ok(Ok(credentials)) => Arc::new(credentials),
            Ok(Err(error)) => return Err(fault::chain(Some(&error))),
            Err(_) => return Err("loading credentials took too long".to_owned()),
        };
        let unless_said = since_epoch(now_ms) + UNLESS_SAID;
        let expiry = loaded.expiry().and_then(|expiry| expiry.duration_since(UNIX_EPOCH).ok());
        let expiry = expiry.unwrap_or(unless_said);
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded_ahead = kept.as_ref().and_then(|kept| kept.loaded_ahead);
        *kept = Some(Kept { credentials: Arc::clone(&loaded), expiry, loaded_ahead });
        Ok(loaded)
    }
}

fn since_epoch(now_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(now_ms).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use aws_credential_types::provider::error::CredentialsError;
    use aws_credential_types::provider::future;

    use super::*;

    const NOW: i64 = 1_795_341_605_000;

    /// Gives credentials that are numbered, and hold for a time, until it is broken.
    #[derive(Debug, Default)]
    struct Numbered {
        given: AtomicU64,
        holds: Option<Duration>,
        broken_from: Option<u64>,
    }

    impl ProvideCredentials for Numbered {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let number = self.given.fetch_add(1, Ordering::Relaxed);
            future::ProvideCredentials::ready(match self.broken_from {
                Some(from) if number >= from => {
                    Err(CredentialsError::not_loaded(format!("broken at {number}")))
                }
                _ => {
                    let expiry = self.holds.map(|holds| UNIX_EPOCH + since_epoch(NOW) + holds);
                    Ok(Credentials::new(number.to_string(), "secret", None, expiry, "test"))
                }
            })
        }
    }

    fn login(numbered: Numbered) -> Login {
        Login::new(SharedCredentialsProvider::new(numbered), Duration::from_secs(1))
    }

    async fn number(login: &Login, now_ms: i64) -> Result<String, String> {
        Ok(login.credentials(now_ms).await?.access_key_id().to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn credentials_are_kept_until_they_are_about_to_expire() {
        let login = login(Numbered { holds: Some(Duration::from_hours(1)), ..Numbered::default() });
        for (minutes, wanted) in [(0, "0"), (54, "0"), (56, "0"), (56, "1"), (61, "2")] {
            assert_eq!(number(&login, NOW + minutes * 60_000).await.as_deref(), Ok(wanted));
            // What was begun ahead ends.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn good_credentials_outlast_a_provider_that_is_away() {
        let login = login(Numbered {
            holds: Some(Duration::from_hours(1)),
            broken_from: Some(1),
            ..Numbered::default()
        });
        for minutes in [0, 56, 59] {
            assert_eq!(number(&login, NOW + minutes * 60_000).await.as_deref(), Ok("0"));
            tokio::time::sleep(PAUSE).await;
        }
        let gone = number(&login, NOW + 60 * 60_000).await.expect_err("expired");
        assert!(gone.contains("broken"), "{gone}");
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_for_a_load_that_fails_fail_with_it() {
        let login = login(Numbered { broken_from: Some(0), ..Numbered::default() });
        let fails = async || number(&login, NOW).await.expect_err("broken");
        let (one, other) = tokio::join!(fails(), fails());
        assert!(one.contains("broken at 0") && other == one, "{one}; {other}");
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(fails().await.contains("broken at 1"), "who comes later tries again");
    }

    #[tokio::test(start_paused = true)]
    async fn credentials_without_an_expiry_are_asked_for_again() {
        let login = login(Numbered::default());
        assert_eq!(number(&login, NOW).await.as_deref(), Ok("0"));
        assert_eq!(number(&login, NOW + 16 * 60_000).await.as_deref(), Ok("1"));
    }

    #[tokio::test(start_paused = true)]
    async fn refused_credentials_are_replaced_once_for_all_who_had_them() {
        let login = login(Numbered::default());
        let refused = login.credentials(NOW).await.expect("some");
        let (one, other) =
            tokio::join!(login.instead_of(&refused, NOW), login.instead_of(&refused, NOW));
        assert_eq!(one.expect("others").access_key_id(), "1");
        assert_eq!(other.expect("the same").access_key_id(), "1");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_others_than_refused_ones_fails_with_the_load_that_fails() {
        let login = login(Numbered { broken_from: Some(1), ..Numbered::default() });
        let refused = login.credentials(NOW).await.expect("some");
        let (one, other) =
            tokio::join!(login.instead_of(&refused, NOW), login.instead_of(&refused, NOW));
        assert!(one.is_none() && other.is_none(), "{one:?}; {other:?}");
        tokio::time::advance(Duration::from_millis(1)).await;
        let later = number(&login, NOW + 16 * 60_000).await.expect_err("broken");
        assert!(later.contains("broken at 2"), "they loaded once: {later}");
    }
}
