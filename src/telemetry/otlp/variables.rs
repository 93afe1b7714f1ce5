//! The `OTEL_*` variables: what they ask for, and whether they can be understood. The SDK passes
//! over what it cannot read, in silence; here it is an error that names the variable.
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>,
//! <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use http::Uri;

use crate::redact;

use crate::telemetry::sampler::ByProducers;

/// A day, in milliseconds.
const DAY_MS: u64 = 86_400_000;

/// Numbers, each with its bounds. Zero would be a loop without a pause, and a queue of a million is
/// enough.
const NUMBERS: [(&str, RangeInclusive<u64>); 9] = [
    ("OTEL_BSP_SCHEDULE_DELAY", 1..=DAY_MS),
    ("OTEL_BSP_EXPORT_TIMEOUT", 1..=DAY_MS),
    ("OTEL_BSP_MAX_QUEUE_SIZE", 1..=1_000_000),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1..=1_000_000),
    ("OTEL_METRIC_EXPORT_INTERVAL", 10..=DAY_MS),
    ("OTEL_METRIC_EXPORT_TIMEOUT", 1..=DAY_MS),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", 0..=1_000_000),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", 0..=1_000_000),
    ("OTEL_SPAN_EVENT_COUNT_LIMIT", 0..=1_000_000),
];

/// Spans that wait for the collector, unless `OTEL_BSP_MAX_QUEUE_SIZE` says otherwise; the default
/// of the specification.
const QUEUE_MAX: usize = 2_048;

/// The variables of a process; tests have their own.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub traces: Option<Target>,
    pub metrics: Option<Target>,
    pub sampler: ByProducers,
    pub queue_max: usize,
    /// Whether the number of links of a span is the SDK's to bound.
    pub bounds_links: bool,
}

/// Where something is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub protocol: Protocol,
    /// Without a user and a password.
    pub shown: String,
    pub is_tls: bool,
    pub timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    #[cfg(feature = "grpc")]
    Grpc,
    Http,
}

impl Protocol {
    pub const fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "grpc")]
            Self::Grpc => "grpc",
            Self::Http => "http/protobuf",
        }
    }

    /// The collector's, by the specification of OTLP.
    const fn port(self) -> u16 {
        match self {
            #[cfg(feature = "grpc")]
            Self::Grpc => 4317,
            Self::Http => 4318,
        }
    }
}

impl Plan {
    /// # Errors
    /// The first variable that cannot be understood, whether or not anything is sent.
    pub fn read(variable: Variables) -> Result<Self> {
        for (name, bounds) in &NUMBERS {
            number(variable, name, bounds)?;
        }
        if let Some(text) = variable("OTEL_RESOURCE_ATTRIBUTES") {
            pairs("OTEL_RESOURCE_ATTRIBUTES", &text)?;
        }
        let is_disabled = match variable("OTEL_SDK_DISABLED") {
            None => false,
            Some(text) if text.eq_ignore_ascii_case("true") => true,
            Some(text) if text.eq_ignore_ascii_case("false") => false,
            Some(text) => bail!("OTEL_SDK_DISABLED={:?}: give true or false", redact::text(&text)),
        };
        let sampler = ByProducers::from_env(variable)?;
        let (traces, metrics) =
            (Target::read(variable, "TRACES")?, Target::read(variable, "METRICS")?);
        let queue_max = number(variable, "OTEL_BSP_MAX_QUEUE_SIZE", &(1..=1_000_000))?;
        Ok(Self {
            traces: traces.filter(|_| !is_disabled),
            metrics: metrics.filter(|_| !is_disabled),
            sampler,
            queue_max: queue_max.and_then(|value| usize::try_from(value).ok()).unwrap_or(QUEUE_MAX),
            bounds_links: variable("OTEL_SPAN_LINK_COUNT_LIMIT").is_some(),
        })
    }
}

impl Target {
    /// Where `signal` is sent: where `OTEL_TRACES_EXPORTER` (or `_METRICS_`) is otlp, or an
    /// endpoint is given and nothing else is said.
    fn read(variable: Variables, signal: &str) -> Result<Option<Self>> {
        let protocol = protocol(variable, signal)?;
        let endpoint = either(variable, signal, "ENDPOINT");
        let address = match &endpoint {
            Some((name, text)) => Some(address(name, text)?),
            None => None,
        };
        let timeout = match either(variable, signal, "TIMEOUT") {
            Some((name, _)) => number(variable, &name, &(1..=DAY_MS))?.unwrap_or(10_000),
            None => 10_000,
        };
        if let Some((name, text)) = either(variable, signal, "COMPRESSION") {
            ensure!(
                ["gzip", "none"].contains(&text.as_str()),
                "{name}={:?}: give gzip or none",
                redact::text(&text)
            );
        }
        if let Some((name, text)) = either(variable, signal, "HEADERS") {
            // Their values are secrets.
            pairs(&name, &text)?;
        }
        let name = format!("OTEL_{signal}_EXPORTER");
        let is_wanted = match variable(&name).as_deref() {
            Some("otlp") => true,
            Some("none") => false,
            // `/metrics` is there in any case.
            Some("prometheus") if signal == "METRICS" => false,
            Some(other) => bail!("{name}={:?}: give otlp or none", redact::text(other)),
            None => endpoint.is_some(),
        };
        let default = || (format!("http://localhost:{}", protocol.port()), false);
        let (shown, is_tls) = address.unwrap_or_else(default);
        Ok(is_wanted.then_some(Self {
            protocol,
            shown,
            is_tls,
            timeout: Duration::from_millis(timeout),
        }))
    }
}

/// The address to show, and whether it is encrypted.
fn address(name: &str, text: &str) -> Result<(String, bool)> {
    let shown = redact::text(text.trim());
    let uri: Option<Uri> = text.trim().parse().ok();
    let scheme = uri
        .as_ref()
        .filter(|uri| uri.host().is_some_and(|host| !host.is_empty()))
        .and_then(|uri| uri.scheme_str());
    match scheme {
        Some(scheme @ ("http" | "https")) => Ok((shown, scheme == "https")),
        _ => bail!(
            "{name}={shown:?}: give an address that begins with http:// or https://, such as http://collector:4318"
        ),
    }
}

fn protocol(variable: Variables, signal: &str) -> Result<Protocol> {
    match either(variable, signal, "PROTOCOL") {
        None => Ok(Protocol::Http),
        Some((name, text)) => match text.as_str() {
            #[cfg(feature = "grpc")]
            "grpc" => Ok(Protocol::Grpc),
            #[cfg(not(feature = "grpc"))]
            "grpc" => bail!(
                "{name}=\"grpc\": this build speaks http/protobuf alone: set that, with the collector's port for it (4318), or build with the feature `grpc`"
            ),
            "http/protobuf" => Ok(Protocol::Http),
            _ => bail!("{name}={:?}: give grpc or http/protobuf", redact::text(&text)),
        },
    }
}

/// A variable of one signal, otherwise that of all signals, with its name.
fn either(variable: Variables, signal: &str, name: &str) -> Option<(String, String)> {
    let names =
        [format!("OTEL_EXPORTER_OTLP_{signal}_{name}"), format!("OTEL_EXPORTER_OTLP_{name}")];
    names.into_iter().find_map(|name| variable(&name).map(|value| (name, value)))
}

fn number(variable: Variables, name: &str, bounds: &RangeInclusive<u64>) -> Result<Option<u64>> {
    let Some(text) = variable(name) else { return Ok(None) };
    match text.trim().parse() {
        Ok(value) if bounds.contains(&value) => Ok(Some(value)),
        _ => bail!(
            "{name}={:?}: give a whole number from {} to {}",
            redact::text(&text),
            bounds.start(),
            bounds.end()
        ),
    }
}

fn pairs(name: &str, text: &str) -> Result<()> {
    let is_pair = |pair: &str| pair.split_once('=').is_some_and(|(key, _)| !key.trim().is_empty());
    let are_pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty()).all(is_pair);
    ensure!(are_pairs, "{name}: give names and values, name=value, with commas between them");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Plan> {
        Plan::read(&|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_is_sent_follows_the_endpoint_and_the_exporter() {
        let plan = read(&[]).expect("nothing is asked for");
        assert!(plan.traces.is_none() && plan.metrics.is_none() && plan.queue_max == QUEUE_MAX);
        let plan = read(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://u:hunter22@c:4317"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ])
        .expect("valid");
        let traces = plan.traces.expect("sent");
        assert_eq!(
            (traces.protocol, traces.shown.as_str(), traces.is_tls),
            (Protocol::Grpc, "https://***@c:4317", true)
        );
        let plan = read(&[("OTEL_TRACES_EXPORTER", "otlp")]).expect("valid");
        assert_eq!(plan.traces.expect("to the default").shown, "http://localhost:4318");
        assert!(plan.metrics.is_none());
        let plan =
            read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1"), ("OTEL_SDK_DISABLED", "TRUE")])
                .expect("valid");
        assert!(plan.traces.is_none() && plan.metrics.is_none());
    }

    #[test]
    fn what_cannot_be_understood_is_named_and_no_secret_with_it() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://u:hunter22<@c:4318"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grcp"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
            ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "Authorization Bearer hunter22"),
            ("OTEL_TRACES_EXPORTER", "jaeger"),
            ("OTEL_TRACES_SAMPLER", "ratio"),
            ("OTEL_RESOURCE_ATTRIBUTES", "nonsense"),
            ("OTEL_BSP_SCHEDULE_DELAY", "0"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "18446744073709551615"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "5s"),
            ("OTEL_SPAN_LINK_COUNT_LIMIT", "abc"),
            ("OTEL_SDK_DISABLED", "maybe"),
        ] {
            let error = read(&[(name, value)]).expect_err(name).to_string();
            assert!(error.starts_with(name) && !error.contains("hunter22"), "{error}");
        }
    }
}
