//! From settings to a queue that has answered once.

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{
    self, AppName, IdentityCache, Region, SharedCredentialsProvider, StalledStreamProtectionConfig,
};
use aws_sdk_sqs::{Client, Config};
use aws_smithy_http_client::Builder as HttpClientBuilder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

use super::address::QueueAddress;
use super::client::SqsQueue;
use super::credentials::{self, Credentials, LOAD_MAX};
use super::facts::QueueFacts;
use super::lean::{Bounds, Lean};
use super::login::Login;
use super::profile::Chosen;
use super::{endpoint, fault, proxy, ways};
use crate::clock::SystemClock;
use crate::queue::{QueueConfig, QueueFault, QueueFaultKind, Transport};

/// How long the first answer of the queue may take: with the settings together less than 15 s.
const FIRST_ANSWER_MAX: Duration = Duration::from_secs(6);

pub(super) const CONNECT_MAX: Duration = Duration::from_secs(5);

/// The setting that names the queue.
const URL: &str = "queue.url";

/// Said where nobody named a queue.
pub const URL_UNSET: &str =
    "no queue: set queue.url, or the variable LONGSHORE__QUEUE__URL, to the URL of an SQS queue";

impl SqsQueue {
    /// Connects as `credentials` says. `queue.endpoint_url` and `queue.region` win over the AWS
    /// settings. The host of the queue's URL is the endpoint where neither names one, and its region
    /// wins over that of the AWS settings.
    ///
    /// # Errors
    /// Within 15 s: without queue URL, region or credentials, and where the queue does not answer
    /// or refuses.
    pub async fn connect(
        settings: &QueueConfig,
        credentials: Credentials,
    ) -> Result<(Self, QueueFacts), QueueFault> {
        Self::connect_named(URL, settings, credentials).await
    }

    /// The same, where another setting or argument than `queue.url` named the queue: texts say so.
    ///
    /// # Errors
    /// As [`SqsQueue::connect`].
    pub async fn connect_named(
        setting: &'static str,
        settings: &QueueConfig,
        credentials: Credentials,
    ) -> Result<(Self, QueueFacts), QueueFault> {
        let mut queue = Self::unasked(setting, settings, credentials).await?;
        let facts = queue.facts_within(FIRST_ANSWER_MAX).await?;
        queue.fifo = facts.fifo;
        Ok((queue, facts))
    }

    /// The same without asking it anything.
    ///
    /// # Errors
    /// Without queue URL, region or credentials.
    pub async fn unasked(
        setting: &'static str,
        settings: &QueueConfig,
        credentials: Credentials,
    ) -> Result<Self, QueueFault> {
        let url = settings.url.as_deref().ok_or_else(|| QueueFault {
            kind: QueueFaultKind::Missing,
            text: URL_UNSET.to_owned(),
        })?;
        let (sdk, login) = match &credentials {
            Credentials::Local => {
                let sdk = local(settings)?;
                let made_up = SharedCredentialsProvider::new(credentials::made_up());
                (sdk, Login::new(made_up, LOAD_MAX))
            }
            Credentials::Chain(chain) => chain.load().await?,
        };
        let address = QueueAddress { setting, ..address(settings, url, &sdk, &credentials)? };
        let mut queue = Self::at(address, &sdk);
        queue.visibility_timeout = settings.visibility_timeout;
        if settings.transport == Transport::Lean {
            let bounds = Bounds { connect: CONNECT_MAX, idle: ways::IDLE_MAX };
            let clock = Arc::new(SystemClock::default());
            queue.lean = Some(Lean::new(&queue.address, login, clock, None, bounds)?);
        }
        Ok(queue)
    }

    fn at(address: QueueAddress, sdk: &SdkConfig) -> Self {
        let mut settings = config::Builder::from(sdk)
            .region(Region::new(address.region.clone()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_MAX).build())
            // Watches the pace of each body; ours are small and every call is bounded as a whole.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .identity_cache(IdentityCache::lazy().load_timeout(LOAD_MAX).build());
        settings.set_app_name(AppName::new(concat!("longshore-", env!("CARGO_PKG_VERSION"))).ok());
        settings = settings.endpoint_url(address.endpoint.url.as_str());
        // The endpoint is one already where these are asked for; the SDK refuses both at once.
        settings.set_use_fips(None).set_use_dual_stack(None);
        let settings: Config = settings.build();
        Self::new(address, Client::from_conf(settings))
    }
}

/// Where the queue is, and what requests to it go through.
fn address(
    settings: &QueueConfig,
    url: &str,
    sdk: &SdkConfig,
    credentials: &Credentials,
) -> Result<QueueAddress, QueueFault> {
    let endpoint = endpoint::resolve(settings, url, sdk)?;
    let region = settings
        .region
        .clone()
        .map(Region::new)
        .or_else(|| endpoint.url.region())
        .or_else(|| sdk.region().cloned())
        .ok_or_else(|| QueueFault {
            kind: QueueFaultKind::Denied,
            text: "no AWS region: set queue.region or AWS_REGION; an AWS queue URL also tells it"
                .to_owned(),
        })?;
    let proxy = match credentials {
        Credentials::Local => None,
        Credentials::Chain(_) => proxy::of_environment(&endpoint.url)?,
    };
    Ok(QueueAddress {
        url: url.to_owned(),
        setting: URL,
        region: region.to_string(),
        endpoint,
        proxy,
    })
}

/// Settings that read nothing from the machine, not even its root certificates.
fn local(settings: &QueueConfig) -> Result<SdkConfig, QueueFault> {
    if settings.endpoint_url.is_none() {
        return Err(fault::no_credentials(
            "made-up ones are for a local queue only: set queue.endpoint_url",
            &Chosen::None,
        ));
    }
    let tls = TlsContext::builder()
        .with_trust_store(TrustStore::empty())
        .build()
        .map_err(|error| fault::unusable(format!("cannot set up the HTTP client: {error}")))?;
    let http = HttpClientBuilder::new()
        .pool_idle_timeout(ways::IDLE_MAX)
        .tls_provider(Provider::rustls(CryptoMode::AwsLc))
        .tls_context(tls)
        .build_https();
    let region = settings.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
    Ok(SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials::made_up()))
        .http_client(http)
        .build())
}

#[cfg(test)]
mod tests {
    use aws_config::imds;
    use aws_config::imds::credentials::ImdsCredentialsProvider;
    use aws_config::provider_config::ProviderConfig;

    use super::*;

    fn at(endpoint: &str) -> QueueConfig {
        QueueConfig {
            url: Some(format!("{endpoint}/0/portal")),
            endpoint_url: Some(endpoint.to_owned()),
            region: None,
            allow_insecure: false,
            transport: Transport::Sdk,
            wait: Duration::ZERO,
            pollers_max: 1,
            visibility_timeout: None,
        }
    }

    async fn connect(settings: &QueueConfig, sdk: &SdkConfig) -> QueueFault {
        let address = address(settings, "portal", sdk, &Credentials::Local).expect("an address");
        SqsQueue::at(address, sdk).facts_within(FIRST_ANSWER_MAX).await.unwrap_err()
    }

    /// Settings of an instance whose metadata service does not answer.
    fn without_credentials(settings: &QueueConfig) -> SdkConfig {
        let sdk = local(settings).unwrap();
        let provider =
            ProviderConfig::without_region().with_http_client(sdk.http_client().unwrap());
        let client = imds::Client::builder()
            .configure(&provider)
            .endpoint("http://127.0.0.1:1")
            .unwrap()
            .max_attempts(1)
            .build();
        let imds =
            ImdsCredentialsProvider::builder().configure(&provider).imds_client(client).build();
        sdk.into_builder().credentials_provider(SharedCredentialsProvider::new(imds)).build()
    }

    #[tokio::test]
    async fn credentials_that_cannot_be_loaded_are_told_from_a_queue_that_does_not_answer() {
        let settings = at("http://127.0.0.1:1");
        let fault = connect(&settings, &without_credentials(&settings)).await;
        assert_eq!(fault.kind, QueueFaultKind::Denied, "{fault}");
        assert!(fault.text.starts_with("no AWS credentials: set AWS_ACCESS_KEY_ID"), "{fault}");
        let fault = connect(&settings, &local(&settings).unwrap()).await;
        assert_eq!(fault.kind, QueueFaultKind::Unavailable, "{fault}");
    }
}
