//! Where requests go, and who said so: `queue.endpoint_url`, else the AWS settings of this machine,
//! else the host of the queue's own URL.
//!
//! The SDK alone would make an endpoint of the region and pass over the URL's host. That would take
//! a FIPS address, a VPC endpoint or a server on this machine for AWS's public endpoint.

use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;

use super::region::{host_of, region_of};
use crate::queue::{QueueConfig, QueueFault, QueueFaultKind};
use crate::this_machine::is_this_machine;

/// The variables of the AWS SDKs, for one service and for all; the first wins.
const VARIABLES: [&str; 2] = ["AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL"];

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Scheme and host; of a setting, all that it says but user and password.
    pub url: String,
    pub said_by: SaidBy,
}

/// What an endpoint is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SaidBy {
    EndpointUrl,
    Variable(&'static str),
    Profile,
    QueueUrl,
}

impl SaidBy {
    /// As it stands in a sentence.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EndpointUrl => "queue.endpoint_url",
            Self::Variable(name) => name,
            Self::Profile => "endpoint_url in the AWS profile",
            Self::QueueUrl => "queue.url",
        }
    }
}

impl Endpoint {
    fn new(url: &str, said_by: SaidBy) -> Self {
        Self { url: without_user_info(url), said_by }
    }

    /// Whether requests go there without TLS.
    pub fn is_plain(&self) -> bool {
        self.url.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"))
    }

    pub fn is_this_machine(&self) -> bool {
        host_of(&self.url).is_some_and(is_this_machine)
    }

    fn is_fips(&self) -> bool {
        let host = host_of(&self.url).unwrap_or_default().to_ascii_lowercase();
        host.split(['.', '-']).any(|label| label == "fips")
    }
}

/// Where requests to `queue_url` go. `None` where the SDK is to make it of the region: somebody
/// asked for FIPS or dual stack, and the URL has the plain address of a region.
///
/// # Errors
/// Where what was asked for contradicts itself, or is weaker than it may be.
pub(super) fn resolve(
    settings: &QueueConfig,
    queue_url: &str,
    sdk: &SdkConfig,
) -> Result<Option<Endpoint>, QueueFault> {
    let (fips, dual_stack) = (sdk.use_fips() == Some(true), sdk.use_dual_stack() == Some(true));
    let configured = settings.endpoint_url.as_deref();
    let found = configured
        .map(|url| Endpoint::new(url, SaidBy::EndpointUrl))
        .or_else(|| of_aws_settings(sdk))
        .or_else(|| of_queue_url(queue_url));
    let Some(endpoint) = found else { return Ok(None) };
    let refused = |text: String| QueueFault { kind: QueueFaultKind::Denied, text };
    let (url, name) = (&endpoint.url, endpoint.said_by.name());
    if endpoint.said_by == SaidBy::QueueUrl
        && is_plain_address(queue_url)
        && (dual_stack || (fips && !endpoint.is_fips()))
    {
        return Ok(None);
    }
    if fips && !endpoint.is_fips() {
        return Err(refused(format!(
            "AWS_USE_FIPS_ENDPOINT, or use_fips_endpoint in the AWS profile, asks for a FIPS endpoint, and {url} of {name} is none: name a \
             FIPS host there, or take that back"
        )));
    }
    if endpoint.is_plain() && !endpoint.is_this_machine() && !settings.allow_insecure {
        return Err(refused(format!(
            "{url} of {name} is another machine and has no TLS: use https://, or set queue.allow_insecure to true where nobody can listen \
             in"
        )));
    }
    if let (Some(set), Some(region)) = (&settings.region, region_of(url))
        && set != region.as_ref()
    {
        return Err(refused(format!(
            "queue.region is {set}, and {url} of {name} is in {region}, which takes no request that is signed for another region: remove \
             queue.region, or make both the same"
        )));
    }
    Ok(Some(endpoint))
}

/// By the variables or the profile, as the SDK weighs them; it also knows when to pass them over.
fn of_aws_settings(sdk: &SdkConfig) -> Option<Endpoint> {
    let key = ServiceConfigKey::builder()
        .service_id("SQS")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let url = sdk
        .service_config()
        .and_then(|settings| settings.load_config(key))
        .or_else(|| sdk.endpoint_url().map(str::to_owned))?;
    let is_it = |name: &&&str| std::env::var(name).is_ok_and(|value| value == url);
    let variable = VARIABLES.iter().find(is_it);
    Some(Endpoint::new(&url, variable.map_or(SaidBy::Profile, |name| SaidBy::Variable(name))))
}

/// Scheme and host of the queue's URL.
fn of_queue_url(url: &str) -> Option<Endpoint> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().filter(|authority| !authority.is_empty())?;
    Some(Endpoint::new(&format!("{scheme}://{authority}"), SaidBy::QueueUrl))
}

/// Whether a URL has the public address of a region, which has others for FIPS and dual stack.
fn is_plain_address(url: &str) -> bool {
    let host = host_of(url).unwrap_or_default().to_ascii_lowercase();
    region_of(url).is_some()
        && !host.split('.').any(|label| label == "vpce")
        && !host.ends_with("localhost.localstack.cloud")
}

fn without_user_info(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or(authority);
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_sqs::config::Region;

    use super::*;
    use crate::queue::Transport;

    fn settings(endpoint_url: Option<&str>) -> QueueConfig {
        QueueConfig {
            url: None,
            endpoint_url: endpoint_url.map(str::to_owned),
            region: None,
            allow_insecure: false,
            transport: Transport::Sdk,
            wait: Duration::ZERO,
            pollers_max: 1,
            visibility_timeout: None,
        }
    }

    fn sdk() -> aws_types::sdk_config::Builder {
        SdkConfig::builder().region(Region::new("us-east-1"))
    }

    fn resolved(url: &str) -> Option<String> {
        let settings = QueueConfig { allow_insecure: true, ..settings(None) };
        resolve(&settings, url, &sdk().build()).expect("allowed").map(|endpoint| endpoint.url)
    }

    #[test]
    fn the_host_of_the_queue_url_is_the_endpoint() {
        for (url, endpoint) in [
            (
                "https://vpce-0a-1b.sqs.eu-west-1.vpce.amazonaws.com/123/q",
                "https://vpce-0a-1b.sqs.eu-west-1.vpce.amazonaws.com",
            ),
            (
                "https://sqs-fips.us-east-1.amazonaws.com/123/q",
                "https://sqs-fips.us-east-1.amazonaws.com",
            ),
            ("https://sqs.eu-west-1.api.aws/123/q", "https://sqs.eu-west-1.api.aws"),
            (
                "https://eu-west-1.queue.amazonaws.com/123/q",
                "https://eu-west-1.queue.amazonaws.com",
            ),
            (
                "https://sqs.cn-north-1.amazonaws.com.cn/123/q",
                "https://sqs.cn-north-1.amazonaws.com.cn",
            ),
            ("http://localhost:4566/000000000000/q", "http://localhost:4566"),
            ("http://[::1]:9324/000000000000/q", "http://[::1]:9324"),
            ("https://sqs.example.org?a=b", "https://sqs.example.org"),
        ] {
            assert_eq!(resolved(url).as_deref(), Some(endpoint), "{url}");
        }
        assert_eq!(resolved("portal"), None);
    }

    #[test]
    fn a_setting_beats_the_aws_settings_and_those_beat_the_url() {
        let url = "https://sqs.us-east-1.amazonaws.com/1/q";
        let aws = sdk().endpoint_url("http://127.0.0.1:2").build();
        let by = |settings: &QueueConfig, sdk: &SdkConfig| {
            resolve(settings, url, sdk).expect("allowed").expect("an endpoint")
        };
        let set = by(&settings(Some("http://u:hunter2@127.0.0.1:1/x@y")), &aws);
        assert_eq!(set, Endpoint::new("http://127.0.0.1:1/x@y", SaidBy::EndpointUrl));
        assert_eq!(by(&settings(None), &aws).said_by, SaidBy::Profile);
        assert_eq!(by(&settings(None), &sdk().build()).said_by, SaidBy::QueueUrl);
    }

    #[test]
    fn a_wish_for_fips_is_met_or_refused() {
        let fips = sdk().use_fips(true).build();
        let of = |url: &str| resolve(&settings(None), url, &fips);
        // The SDK makes it.
        assert_eq!(of("https://sqs.us-east-1.amazonaws.com/1/q").expect("allowed"), None);
        let named = of("https://sqs-fips.us-east-1.amazonaws.com/1/q").expect("allowed");
        assert_eq!(named.map(|endpoint| endpoint.said_by), Some(SaidBy::QueueUrl));
        for url in
            ["https://vpce-1.sqs.us-east-1.vpce.amazonaws.com/1/q", "http://localhost:4566/1/q"]
        {
            let fault = of(url).expect_err("no FIPS");
            assert!(fault.text.contains("is none"), "{fault}");
        }
    }

    #[test]
    fn an_endpoint_without_tls_off_this_machine_is_refused_unless_allowed() {
        let plain = "http://sqs:9324/000000000000/q";
        let fault = resolve(&settings(None), plain, &sdk().build()).expect_err("plain");
        assert_eq!(
            fault.text,
            "http://sqs:9324 of queue.url is another machine and has no TLS: use https://, or set queue.allow_insecure to true where nobody \
             can listen in"
        );
        assert_eq!(resolved(plain).as_deref(), Some("http://sqs:9324"));
        for here in ["http://127.0.0.1:1/0/q", "http://localhost/0/q", "http://[::1]:1/0/q"] {
            assert!(resolve(&settings(None), here, &sdk().build()).is_ok(), "{here}");
        }
    }

    #[test]
    fn a_region_that_is_not_the_endpoints_is_refused() {
        let settings = QueueConfig { region: Some("us-east-1".to_owned()), ..settings(None) };
        let of = |url: &str| resolve(&settings, url, &sdk().build());
        let fault = of("https://sqs.eu-west-1.amazonaws.com/1/q").expect_err("another region");
        assert!(fault.text.contains("is in eu-west-1"), "{fault}");
        assert!(of("https://sqs.us-east-1.amazonaws.com/1/q").is_ok());
        assert!(of("http://localhost:4566/0/q").is_ok());
    }
}
