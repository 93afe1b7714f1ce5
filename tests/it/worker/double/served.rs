//! A `longshore dev` with ports of its own, and how its answers are asked for.

use std::path::Path;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use longshore::queue::sqs::SqsQueue;
use longshore::queue::{BATCH_MAX, Outgoing, SendOutcome};
use serde_json::Value;
use tokio::process::Command;

use crate::support::child::{Child, longshore};
use crate::support::mongod::program;
use crate::support::ports::free_port;
use crate::support::sqs::connect;
use crate::support::until;

/// The first of three ports at which nothing listens.
pub fn three_free_ports() -> u16 {
    let mut first = free_port();
    loop {
        let (second, third) = (free_port(), free_port());
        if (second, third) == (first + 1, first + 2) {
            return first;
        }
        first = third;
    }
}

/// `longshore dev` with these arguments behind it, in a folder for what it keeps.
pub async fn command(before: &[&str], behind: &[&str], folder: &Path) -> Command {
    let mut dev = longshore();
    dev.args(before).arg("dev").args(behind);
    dev.env("MONGOD", program().await).env("TMPDIR", folder);
    dev.env("LONGSHORE__ADMIN__LISTEN", "off");
    dev
}

pub struct Served {
    pub dev: Child,
    pub port: u16,
    pub queue: SqsQueue,
    client: Client<HttpConnector, Empty<Bytes>>,
    _folder: tempfile::TempDir,
}

/// A status, and the JSON that came with it.
pub type Answer = (u16, Value);

impl Served {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With arguments before the command.
    pub async fn start_with(before: &[&str]) -> Self {
        let (port, folder) = (three_free_ports(), tempfile::tempdir().expect("a folder"));
        let behind = ["--port", &port.to_string()];
        let mut dev = Child::start(command(before, &behind, folder.path()).await);
        let client = Client::builder(TokioExecutor::new()).build_http();
        let address = format!("http://127.0.0.1:{port}/");
        until("it is ready", async || {
            dev.assert_running();
            let request = Request::get(&address).body(Empty::new()).expect("a request");
            client.request(request).await.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        let told = ask(&client, Method::GET, &address, &[]).await.1;
        let text = |name: &str| told[name].as_str().expect(name).to_owned();
        let (queue, _) = connect(&text("sqs_endpoint_url"), &text("queue_url")).await.expect("it");
        Self { dev, port, queue, client, _folder: folder }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[]).await
    }

    pub async fn post(&self, path: &str) -> Answer {
        self.ask(Method::POST, path, &[]).await
    }

    pub async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        ask(&self.client, method, &url, headers).await
    }

    /// Sends these bodies, ten at once.
    pub async fn send(&self, bodies: &[String]) {
        let bodies =
            bodies.iter().map(|body| Outgoing { body: body.clone(), ..Default::default() });
        self.send_all(&bodies.collect::<Vec<_>>()).await;
    }

    pub async fn send_all(&self, messages: &[Outgoing]) {
        for batch in messages.chunks(BATCH_MAX) {
            let outcomes = self.queue.send_batch(batch).await.expect("sent");
            let is_sent = |outcome: &SendOutcome| matches!(outcome, SendOutcome::Sent { .. });
            assert!(outcomes.iter().all(is_sent), "{outcomes:?}");
        }
    }

    pub async fn end(self) -> String {
        self.dev.signal("INT").await;
        let (status, printed) = self.dev.ended().await;
        assert!(status.success(), "{printed}");
        printed
    }
}

async fn ask(
    client: &Client<HttpConnector, Empty<Bytes>>,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response =
        client.request(request.body(Empty::new()).expect("a request")).await.expect("an answer");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("all of it").to_bytes();
    assert_eq!(head.headers["content-type"], "application/json", "{url}");
    let shares = head.headers.keys().any(|name| name.as_str().starts_with("access-control-"));
    assert!(!shares, "{url}: {:?}", head.headers);
    let body = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{url}: {error}"));
    (head.status.as_u16(), body)
}
