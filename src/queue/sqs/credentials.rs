//! As whom AWS is called: by the standard chain, which is loaded once for all who need it, or with
//! credentials that are made up.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future;
use aws_sdk_sqs::config::{self, ProvideCredentials, Region, SharedCredentialsProvider};
use tokio::time::timeout;

use super::login::Login;
use super::single_flight::SingleFlight;
use super::url::ServerUrl;
use super::{fault, profile, ways, wish};
use crate::clock::{Clock, SystemClock};
use crate::queue::{QueueConfig, QueueFault, QueueFaultKind};

/// How long loading settings and credentials may take. Where no metadata service answers, the SDK
/// alone would try longer.
pub(super) const LOAD_MAX: Duration = Duration::from_secs(8);

const SLOW: &str = "loading them took too long: does the metadata service of this machine answer?";

/// Where the AWS settings come from.
#[derive(Debug, Clone)]
pub enum Credentials {
    Chain(Chain),
    /// Made up, for a server on this machine. Nothing of the user's environment or profile is read,
    /// so that nothing real can be touched; `queue.endpoint_url` is required.
    Local,
}

impl Credentials {
    /// The standard chain for this queue, which nobody has loaded yet.
    #[must_use]
    pub fn chain(settings: &QueueConfig) -> Self {
        Self::Chain(Chain::new(settings))
    }

    /// The same credentials for what is not SQS: a database that takes logins by IAM.
    #[must_use]
    pub fn provider(&self) -> SharedCredentialsProvider {
        match self {
            Self::Chain(chain) => SharedCredentialsProvider::new(chain.clone()),
            Self::Local => SharedCredentialsProvider::new(made_up()),
        }
    }
}

pub(super) fn made_up() -> config::Credentials {
    config::Credentials::new("longshore", "local", None, None, "longshore dev")
}

/// The standard chain: environment, profile with SSO, web identity, container and instance roles.
/// Loaded at its first use; clones share what was loaded, and the credentials that are kept until
/// they are about to expire.
#[derive(Debug, Clone)]
pub struct Chain(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// What the queue's settings say of it.
    region: Option<Region>,
    loaded: OnceLock<(SdkConfig, Login)>,
    loading: SingleFlight<QueueFault>,
}

impl Chain {
    fn new(settings: &QueueConfig) -> Self {
        let of = |url: &String| ServerUrl::parse(url).and_then(|url| url.region());
        let region = settings
            .region
            .clone()
            .map(Region::new)
            .or_else(|| settings.endpoint_url.as_ref().and_then(of))
            .or_else(|| settings.url.as_ref().and_then(of));
        Self(Arc::new(Inner { region, loaded: OnceLock::new(), loading: SingleFlight::default() }))
    }

    /// Loads the settings, and credentials once, so that their absence is told as what it is. Those
    /// who ask meanwhile wait for the same, and fail with it.
    ///
    /// # Errors
    /// Without credentials, and where a setting cannot be read. Who asks later tries again.
    pub(super) async fn load(&self) -> Result<(SdkConfig, Login), QueueFault> {
        let Inner { loaded, loading, .. } = &*self.0;
        let load = async {
            let whole = self.load_now().await?;
            Ok(loaded.get_or_init(|| whole).clone())
        };
        loading.load(|| loaded.get().cloned(), load).await
    }

    async fn load_now(&self) -> Result<(SdkConfig, Login), QueueFault> {
        if let Some(text) = wish::unreadable(|name| std::env::var(name).ok()) {
            return Err(QueueFault { kind: QueueFaultKind::Denied, text });
        }
        match timeout(LOAD_MAX, Box::pin(load(self.0.region.clone()))).await {
            Ok(loaded) => loaded,
            Err(_) => Err(no_credentials(SLOW).await),
        }
    }
}

impl ProvideCredentials for Chain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            let none = |fault: QueueFault| CredentialsError::not_loaded(fault.text);
            let (_, login) = Box::pin(self.load()).await.map_err(none)?;
            match login.credentials(SystemClock::default().now_ms()).await {
                Ok(credentials) => Ok(config::Credentials::clone(&credentials)),
                Err(cause) => Err(none(no_credentials(&cause).await)),
            }
        })
    }
}

async fn load(region: Option<Region>) -> Result<(SdkConfig, Login), QueueFault> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(ways::client());
    if let Some(region) = region {
        loader = loader.region(region);
    }
    let sdk = loader.load().await;
    let Some(provider) = sdk.credentials_provider() else {
        return Err(no_credentials("none are configured").await);
    };
    let login = Login::new(provider, LOAD_MAX);
    match login.credentials(SystemClock::default().now_ms()).await {
        Ok(_) => Ok((sdk, login)),
        Err(cause) => Err(no_credentials(&cause).await),
    }
}

/// The fault, with what the profile has to do with it.
async fn no_credentials(cause: &str) -> QueueFault {
    fault::no_credentials(cause, &profile::chosen().await)
}
