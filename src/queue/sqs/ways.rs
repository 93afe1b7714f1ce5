//! The HTTP client of all that is asked of AWS, credentials too: by the proxy of the environment, or
//! straight to what no proxy is there for.
//!
//! The client that the SDK brings would take this machine's own servers and the metadata services, with
//! the role's credentials in their answers, to a proxy as well.

use std::time::Duration;

use aws_sdk_sqs::config::http::HttpRequest;
use aws_sdk_sqs::config::{
    ConfigBag, HttpClient, RuntimeComponents, RuntimeComponentsBuilder, SharedHttpClient,
};
use aws_sdk_sqs::error::BoxError;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder as HttpClientBuilder, ConnectorBuilder};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};

use super::proxy;
use super::url::ServerUrl;

/// Idle connections are dropped before AWS or a NAT gateway drops them unseen.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(20);

/// A client that chooses the way by the request.
pub(super) fn client() -> SharedHttpClient {
    SharedHttpClient::new(Ways {
        by_proxy: with(ProxyConfig::from_env),
        straight: with(ProxyConfig::disabled),
    })
}

fn with(proxy: fn() -> ProxyConfig) -> SharedHttpClient {
    HttpClientBuilder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = ConnectorBuilder::default()
            .tls_provider(Provider::rustls(CryptoMode::AwsLc))
            .pool_idle_timeout(IDLE_MAX)
            .proxy_config(proxy());
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.build()
    })
}

/// Two clients or two connectors, of which a request takes one.
#[derive(Debug)]
struct Ways<T> {
    by_proxy: T,
    straight: T,
}

impl HttpClient for Ways<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Ways {
            by_proxy: self.by_proxy.http_connector(settings, components),
            straight: self.straight.http_connector(settings, components),
        })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        bag: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.by_proxy.validate_base_client_config(components, bag)
    }

    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        bag: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.by_proxy.validate_final_config(components, bag)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.by_proxy.connector_metadata()
    }
}

impl HttpConnector for Ways<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match ServerUrl::parse(request.uri()) {
            Some(url) if proxy::is_passed_over_for(url.host()) => self.straight.call(request),
            _ => self.by_proxy.call(request),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_smithy_runtime_api::client::result::ConnectorError;

    use super::*;

    /// Keeps its own name at each call, and answers none.
    #[derive(Debug)]
    struct Recorder {
        name: &'static str,
        asked: Arc<Mutex<Vec<&'static str>>>,
    }

    impl HttpConnector for Recorder {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            self.asked.lock().expect("no panic").push(self.name);
            let none = ConnectorError::other("no answer".into(), None);
            HttpConnectorFuture::ready(Err(none))
        }
    }

    #[tokio::test]
    async fn a_request_goes_by_the_proxy_unless_it_is_to_this_machine_or_a_metadata_service() {
        let asked = Arc::<Mutex<Vec<_>>>::default();
        let by = |name| SharedHttpConnector::new(Recorder { name, asked: Arc::clone(&asked) });
        let ways = Ways { by_proxy: by("by proxy"), straight: by("straight") };
        for (url, way) in [
            ("https://sqs.eu-west-1.amazonaws.com/", "by proxy"),
            ("http://sqs:9324/", "by proxy"),
            ("http://127.0.0.1:4566/0/q", "straight"),
            ("http://localhost:4566", "straight"),
            ("http://169.254.169.254/latest/api/token", "straight"),
            ("http://169.254.170.2/role", "straight"),
            ("http://[fd00:ec2::254]/latest/api/token", "straight"),
        ] {
            let request = HttpRequest::get(url).expect("a request");
            ways.call(request).await.expect_err("no answer");
            assert_eq!(asked.lock().expect("no panic").pop(), Some(way), "{url}");
        }
    }
}
