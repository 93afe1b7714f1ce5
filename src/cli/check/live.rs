//! Whether a worker on this machine is alive, by its own `/livez`: for the health check of an image
//! that has no shell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use crate::config::Config;

use super::finding::Findings;

/// Below what supervisors wait for a health check, so that it can still say why.
const WITHIN: Duration = Duration::from_secs(4);

/// The names of all tasks have room in it.
const BODY_MAX: usize = 64 << 10;

pub(super) async fn check(config: &Config) -> Findings {
    const CHECK: &str = "live";
    let mut findings = Findings::default();
    let Some(listen) = config.admin.probes.or(config.admin.listen) else {
        findings.fail(
            CHECK,
            "admin.listen and admin.probes are \"off\", so a worker cannot be asked: give it an address by one of them",
        );
        return findings;
    };
    let key = if config.admin.probes.is_some() { "admin.probes" } else { "admin.listen" };
    let address = reachable(listen);
    match timeout(WITHIN, ask(address)).await {
        Ok(Ok((200, _))) => findings.ok(CHECK, format!("the worker at {address} is alive")),
        Ok(Ok((status, text))) => {
            findings.fail(CHECK, format!("{address} answered {status}: {}", text.trim()));
        }
        Ok(Err(error)) => {
            findings.fail(
                CHECK,
                format!("{error:#}: see that a worker runs here, with the same {key}"),
            );
        }
        Err(_) => {
            findings.fail(CHECK, format!("{address} did not answer within {} s", WITHIN.as_secs()));
        }
    }
    findings
}

/// How a worker is that was asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Worker {
    Alive,
    /// In its own words.
    Stuck(String),
}

/// The worker that listens there, told from anything else by the words that its `/livez` has.
pub(super) async fn worker(listen: SocketAddr) -> Option<Worker> {
    let (status, text) = timeout(WITHIN, ask(reachable(listen))).await.ok()?.ok()?;
    told(status, &text)
}

fn told(status: u16, text: &str) -> Option<Worker> {
    match status {
        200 if text == "alive\n" => Some(Worker::Alive),
        503 if text.starts_with("stuck: ") => Some(Worker::Stuck(text.trim().to_owned())),
        _ => None,
    }
}

/// Where a server that listens everywhere is found from this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn ask(address: SocketAddr) -> Result<(u16, String)> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let answer = client
        .get(format!("http://{address}/livez").parse()?)
        .await
        .with_context(|| format!("no answer from {address}"))?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), BODY_MAX)
        .collect()
        .await
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_told_from_other_servers() {
        for (status, text, expected) in [
            (200, "alive\n", Some(Worker::Alive)),
            (503, "stuck: poller\n", Some(Worker::Stuck("stuck: poller".to_owned()))),
            (200, "ok", None),
            (200, "<html>", None),
            (404, "alive\n", None),
            (200, "stuck: poller\n", None),
        ] {
            assert_eq!(told(status, text), expected, "{status} {text}");
        }
    }

    #[test]
    fn a_server_that_listens_everywhere_is_asked_on_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:9690", "127.0.0.1:9690"),
            ("[::]:1", "[::1]:1"),
            ("127.0.0.1:9690", "127.0.0.1:9690"),
            ("10.1.2.3:8", "10.1.2.3:8"),
        ] {
            assert_eq!(reachable(listen.parse().expect("an address")).to_string(), asked);
        }
    }
}
