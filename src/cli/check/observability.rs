//! How a worker would be observed: the address of its status page, and the collector of its traces
//! and metrics.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use crate::config::Config;
use crate::telemetry::otlp;

use super::finding::Findings;
use super::live::{self, Worker};

const CHECK: &str = "admin";

pub(super) async fn check(config: &Config) -> Findings {
    let mut findings = Findings::default();
    admin(config, &mut findings).await;
    telemetry(&mut findings);
    findings
}

async fn admin(config: &Config, findings: &mut Findings) {
    match config.admin.listen {
        Some(address) => is_free("admin.listen", address, findings).await,
        None if config.admin.probes.is_some() => {
            findings.note(CHECK, "admin.listen is \"off\": no status page, no /metrics");
        }
        None => {
            findings.note(CHECK, "admin.listen is \"off\": no status page, no /metrics, no health");
        }
    }
    if let Some(address) = config.admin.probes {
        is_free("admin.probes", address, findings).await;
    }
}

/// Whether a worker could listen there, or does: this may run beside it, in its own container.
async fn is_free(key: &str, address: SocketAddr, findings: &mut Findings) {
    match TcpListener::bind(address) {
        Ok(_) => findings.ok(CHECK, format!("http://{address}/ is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            taken(key, address, live::worker(address).await, findings);
        }
        Err(error) => {
            findings.fail(CHECK, format!("cannot listen on {key} = \"{address}\": {error}; give another address, or \"off\""));
        }
    }
}

fn taken(key: &str, address: SocketAddr, by: Option<Worker>, findings: &mut Findings) {
    let own = format!("http://{address}/ is that of a worker that runs here");
    match by {
        Some(Worker::Alive) => {
            findings.ok(CHECK, format!("{own}; another one needs an {key} of its own"));
        }
        Some(Worker::Stuck(text)) => {
            findings.warn(CHECK, format!("{own}, but it does not move ({text}): restart it, and see its log for why"));
        }
        // One that is stopped, or whose listener is full, does not answer either.
        None => findings.warn(
            CHECK,
            format!("http://{address}/ is taken, and what listens there does not answer as a worker: where it is something else, give {key} another address"),
        ),
    }
}

/// The collector is not asked: one that is away is no reason not to start.
fn telemetry(findings: &mut Findings) {
    const CHECK: &str = "telemetry";
    match otlp::look() {
        Ok(Some(said)) => findings.ok(CHECK, said),
        Ok(None) => {
            findings.note(CHECK, "no OTLP endpoint is named (OTEL_EXPORTER_OTLP_ENDPOINT): no traces, and metrics by /metrics alone");
        }
        Err(error) => findings.fail(CHECK, format!("{error:#}")),
    }
}
