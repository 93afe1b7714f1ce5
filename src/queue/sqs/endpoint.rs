//! Where requests go, and who said so: `queue.endpoint_url`, else the AWS settings of this machine,
//! else the host of the queue's own URL.
//!
//! The SDK alone would make an endpoint of the region and pass over the URL's host. That would take
//! a FIPS address, a VPC endpoint or a server on this machine for AWS's public endpoint.

use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;

use super::region::is_localstack;
use super::url::ServerUrl;
use super::wish::Wish;
use crate::queue::{QueueConfig, QueueFault, QueueFaultKind};

/// The variables of the AWS SDKs, for one service and for all; the first wins.
const VARIABLES: [&str; 2] = ["AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL"];

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Scheme and host; of a setting, all that it says but user and password.
    pub url: ServerUrl,
    pub said_by: SaidBy,
}

/// What an endpoint is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SaidBy {
    EndpointUrl,
    Variable(&'static str),
    Profile,
    QueueUrl,
    /// The host of `queue.url` lacks what the AWS settings ask for; this one beside it has it.
    Wish(Wish),
}

impl SaidBy {
    /// As it stands in a sentence.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EndpointUrl => "queue.endpoint_url",
            Self::Variable(name) => name,
            Self::Profile => "endpoint_url in the AWS profile",
            Self::QueueUrl => "queue.url",
            Self::Wish(wish) => wish.setting(),
        }
    }
}

/// Where requests to `queue_url` go.
///
/// # Errors
/// Where what was asked for contradicts itself, or is weaker than it may be.
pub(super) fn resolve(
    settings: &QueueConfig,
    queue_url: &str,
    sdk: &SdkConfig,
) -> Result<Endpoint, QueueFault> {
    let named = named(settings, queue_url, sdk)?;
    let (url, name) = (&named.url, named.said_by.name());
    if url.is_plain() && !url.is_this_machine() && !settings.allow_insecure {
        return Err(refused(match astray(url.host()) {
            Some(why) => format!(
                "{url} of {name} has no TLS, and {why}: set queue.endpoint_url to http://127.0.0.1 with the same port, or set \
                 queue.allow_insecure to true"
            ),
            None => format!(
                "{url} of {name} is another machine and has no TLS: use https://, or set queue.allow_insecure to true where nobody can \
                 listen in"
            ),
        }));
    }
    if let (Some(set), Some(region)) = (&settings.region, url.region())
        && set != region.as_ref()
    {
        return Err(refused(format!(
            "queue.region is {set}, and {url} of {name} is in {region}, which takes no request that is signed for another region: remove \
             queue.region, or make both the same"
        )));
    }
    as_wished(named, Wish::of(sdk))
}

/// Why a name that is meant for this machine may lead to another.
fn astray(host: &str) -> Option<&'static str> {
    if is_localstack(host) {
        Some("its name is in public DNS, where its owner can point it to another machine")
    } else if host.ends_with(".localhost") {
        Some("the resolver of this machine may ask others where a name below localhost is")
    } else {
        None
    }
}

fn refused(text: String) -> QueueFault {
    QueueFault { kind: QueueFaultKind::Denied, text }
}

/// What the first of those who may say it says.
fn named(settings: &QueueConfig, queue_url: &str, sdk: &SdkConfig) -> Result<Endpoint, QueueFault> {
    let configured = settings.endpoint_url.clone().map(|url| (url, SaidBy::EndpointUrl));
    let (url, said_by) = configured
        .or_else(|| of_aws_settings(sdk))
        .unwrap_or_else(|| (queue_url.to_owned(), SaidBy::QueueUrl));
    let read = ServerUrl::parse(&url).ok_or_else(|| {
        refused(format!(
            "{} cannot be read as a URL: it must be http:// or https:// with a host",
            said_by.name()
        ))
    })?;
    Ok(match said_by {
        SaidBy::QueueUrl => Endpoint { url: read.without_path(), said_by },
        _ => Endpoint { url: read, said_by },
    })
}

/// By the variables or the profile, as the SDK weighs them; it also knows when to pass them over.
fn of_aws_settings(sdk: &SdkConfig) -> Option<(String, SaidBy)> {
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
    Some((url, variable.map_or(SaidBy::Profile, |name| SaidBy::Variable(name))))
}

/// The endpoint that is named where it is what is wished for; otherwise, where the queue's own URL
/// has the public address of a region, the one beside it that is.
fn as_wished(endpoint: Endpoint, wish: Wish) -> Result<Endpoint, QueueFault> {
    let unmet = wish.unmet_by(&endpoint.url);
    if unmet.is_none() {
        return Ok(endpoint);
    }
    if endpoint.said_by == SaidBy::QueueUrl
        && let Some(url) = wish.endpoint_beside(&endpoint.url)
    {
        return Ok(Endpoint { url, said_by: SaidBy::Wish(wish) });
    }
    let (variable, key, kind) = if unmet.fips {
        ("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint", "FIPS")
    } else {
        ("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint", "dual-stack")
    };
    let (url, name) = (&endpoint.url, endpoint.said_by.name());
    Err(refused(format!(
        "{variable}, or {key} in the AWS profile, asks for a {kind} endpoint, and {url} of {name} is none: name a {kind} host there, or \
         take that back"
    )))
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
        Some(resolve(&settings, url, &sdk().build()).ok()?.url.to_string())
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
        let by =
            |settings: &QueueConfig, sdk: &SdkConfig| resolve(settings, url, sdk).expect("allowed");
        let set = by(&settings(Some("http://u:hunter2@127.0.0.1:1/x@y")), &aws);
        assert_eq!(
            (set.url.as_str(), set.said_by),
            ("http://127.0.0.1:1/x@y", SaidBy::EndpointUrl)
        );
        assert_eq!(by(&settings(None), &aws).said_by, SaidBy::Profile);
        assert_eq!(by(&settings(None), &sdk().build()).said_by, SaidBy::QueueUrl);
    }

    /// Where requests go under a wish, or the refusal.
    fn wished(fips: bool, dual_stack: bool, settings: &QueueConfig, url: &str) -> String {
        let sdk = sdk().use_fips(fips).use_dual_stack(dual_stack).build();
        match resolve(settings, url, &sdk) {
            Ok(endpoint) => format!("{} by {}", endpoint.url, endpoint.said_by.name()),
            Err(fault) => fault.text,
        }
    }

    #[test]
    fn a_wish_is_met_by_what_is_named_or_by_the_endpoint_beside_it() {
        let (plain, fips) =
            ("https://sqs.us-east-1.amazonaws.com", "https://sqs-fips.us-east-1.amazonaws.com");
        let (dual, both) = ("https://sqs.us-east-1.api.aws", "https://sqs-fips.us-east-1.api.aws");
        let gov = "https://sqs.us-gov-west-1.amazonaws.com";
        let vpce = "https://vpce-1.sqs.us-east-1.vpce.amazonaws.com";
        let (of_fips, of_dual, of_both) = (
            "the AWS setting for FIPS",
            "the AWS setting for dual stack",
            "the AWS settings for FIPS and dual stack",
        );
        for (wish, url, expected, by) in [
            ((true, false), plain, fips, of_fips),
            ((true, false), fips, fips, "queue.url"),
            ((true, false), dual, both, of_fips),
            ((true, false), gov, gov, "queue.url"),
            ((true, true), plain, both, of_both),
            ((true, true), both, both, "queue.url"),
            ((true, true), gov, "https://sqs-fips.us-gov-west-1.api.aws", of_both),
            ((false, true), plain, dual, of_dual),
            ((false, true), fips, both, of_dual),
            ((false, true), dual, dual, "queue.url"),
            ((false, true), vpce, vpce, "queue.url"),
            ((false, true), "http://localhost:4566", "http://localhost:4566", "queue.url"),
            ((false, false), fips, fips, "queue.url"),
        ] {
            let found = wished(wish.0, wish.1, &settings(None), &format!("{url}/1/q"));
            assert_eq!(found, format!("{expected} by {by}"), "{wish:?} {url}");
        }
    }

    #[test]
    fn a_wish_that_what_is_named_cannot_meet_is_refused() {
        for (wish, endpoint, says) in [
            ((true, false), "https://vpce-1.sqs.us-east-1.vpce.amazonaws.com", "a FIPS endpoint"),
            ((true, false), "http://localhost:4566", "a FIPS endpoint"),
            ((true, true), "https://sqs.us-east-1.amazonaws.com", "a FIPS endpoint"),
            ((false, true), "https://sqs-fips.us-east-1.amazonaws.com", "a dual-stack endpoint"),
        ] {
            let settings = settings(Some(endpoint));
            let text = wished(wish.0, wish.1, &settings, "https://sqs.us-east-1.amazonaws.com/1/q");
            let expected = format!("asks for {says}, and {endpoint} of queue.endpoint_url is none");
            assert!(text.contains(&expected), "{wish:?}: {text}");
        }
        let gov = settings(Some("https://sqs.us-gov-east-1.amazonaws.com"));
        assert!(
            wished(true, false, &gov, "https://h/1/q").starts_with("https://sqs.us-gov-east-1.")
        );
    }

    #[test]
    fn a_name_that_is_meant_for_this_machine_needs_leave_and_is_told_why() {
        let below = "http://sqs.localhost:4566/000000000000/q";
        let fault = resolve(&settings(None), below, &sdk().build()).expect_err("plain");
        assert!(fault.text.contains("may ask others"), "{fault}");
        let url = "http://sqs.eu-west-1.localhost.localstack.cloud:4566/000000000000/q";
        let fault = resolve(&settings(None), url, &sdk().build()).expect_err("plain");
        assert!(fault.text.contains("its name is in public DNS"), "{fault}");
        assert!(fault.text.contains("queue.endpoint_url to http://127.0.0.1"), "{fault}");
        assert!(resolved(url).is_some());
        assert!(resolve(&settings(Some("http://127.0.0.1:4566")), url, &sdk().build()).is_ok());
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
        let fips = sdk().use_fips(true).build();
        let fault = resolve(&settings, "https://sqs.us-east-2.amazonaws.com/1/q", &fips);
        let fault = fault.expect_err("another region, where AWS makes the endpoint too");
        assert!(fault.text.contains("sqs.us-east-2.amazonaws.com of queue.url is in"), "{fault}");
        assert!(of("http://localhost:4566/0/q").is_ok());
    }
}
