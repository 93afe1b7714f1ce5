//! A collector for OTLP over HTTP: `oteltap`, a Python package, which prints each span as a line of
//! JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use longshore::dev::mongod::Tls;
use serde_json::Value;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::support::child::{Child, command};
use crate::support::ports::free_port;
use crate::support::sqs::python;
use crate::support::until;

pub struct Collector {
    child: Child,
    pub endpoint: String,
}

impl Collector {
    pub async fn start() -> Self {
        let python = tokio::task::spawn_blocking(python).await.expect("a Python");
        let port = free_port();
        let mut tap = command(&python);
        tap.args(["-m", "oteltap", "--port", &port.to_string()]).env("PYTHONUNBUFFERED", "1");
        let mut child = Child::start(tap);
        until("the collector listens", async || {
            child.assert_running();
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
        Self { child, endpoint: format!("http://127.0.0.1:{port}") }
    }

    /// All that was sent so far, as it was printed.
    pub fn printed(&self) -> String {
        self.child.printed()
    }

    pub fn spans(&self) -> Vec<Span> {
        let lines = self.printed();
        let values = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        values.filter(|value| value["spanId"].is_string()).map(|value| Span::of(&value)).collect()
    }

    /// The names of all metrics that were sent so far.
    pub fn names(&self) -> Vec<String> {
        let lines = self.printed();
        let values = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        values.filter_map(|value| value["name"].as_str().map(str::to_owned)).collect()
    }
}

/// Another collector, `rotel`, that takes OTLP over gRPC and prints what it takes as text.
pub async fn by_grpc() -> (Child, String) {
    let python = tokio::task::spawn_blocking(python).await.expect("a Python");
    let (grpc, http) = (free_port(), free_port());
    let mut agent = command(&python);
    // The package has the program, but nothing that starts it and waits.
    let start = "import os, sys, rotel; os.execv(os.path.join(os.path.dirname(rotel.__file__), 'rotel-agent'), ['rotel', *sys.argv[1:]])";
    agent.args([
        "-c",
        start,
        "start",
        "--exporter",
        "blackhole",
        "--debug-log",
        "traces",
        "--debug-log-verbosity",
        "detailed",
    ]);
    agent.args([
        "--otlp-grpc-endpoint",
        &format!("127.0.0.1:{grpc}"),
        "--otlp-http-endpoint",
        &format!("127.0.0.1:{http}"),
    ]);
    let mut child = Child::start(agent);
    until("the agent listens", async || {
        child.assert_running();
        tokio::net::TcpStream::connect(("127.0.0.1", grpc)).await.is_ok()
    })
    .await;
    (child, format!("http://127.0.0.1:{grpc}"))
}

/// TLS before a collector that speaks none, by `protocol` alone.
pub async fn by_tls(tls: &Tls, endpoint: &str, protocol: &[u8]) -> String {
    let pem = tls.certificate_and_key.expose().as_bytes();
    let chain =
        CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().expect("certificates");
    let key = PrivateKeyDer::from_pem_slice(pem).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(
        tokio_rustls::rustls::crypto::aws_lc_rs::default_provider(),
    ));
    let config =
        config.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    let mut config = config.with_single_cert(chain, key).expect("a certificate");
    config.alpn_protocols = vec![protocol.to_vec()];
    let (acceptor, behind) =
        (TlsAcceptor::from(Arc::new(config)), endpoint.trim_start_matches("http://").to_owned());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                let mut near = acceptor.accept(stream).await.expect("a handshake");
                let mut far = tokio::net::TcpStream::connect(behind).await.expect("the collector");
                // Either side may end it.
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    format!("https://{address}")
}

/// Trace and span.
pub type SpanContext = (String, String);

#[derive(Debug, Clone)]
pub struct Span {
    pub name: String,
    pub context: SpanContext,
    pub parent: String,
    /// 3 is CLIENT, 5 is CONSUMER.
    pub kind: i64,
    pub attributes: BTreeMap<String, String>,
    /// Where a link points, and the message it is for.
    pub links: Vec<(SpanContext, Option<String>)>,
    /// 2 is an error.
    pub status: i64,
}

impl Span {
    fn of(value: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let context = |value: &Value| (text(&value["traceId"]), text(&value["spanId"]));
        let link = |link: &Value| {
            (context(link), attributes(&link["attributes"]).remove("messaging.message.id"))
        };
        Self {
            name: text(&value["name"]),
            context: context(value),
            parent: text(&value["parentSpanId"]),
            kind: value["kind"].as_i64().unwrap_or_default(),
            attributes: attributes(&value["attributes"]),
            links: value["links"].as_array().into_iter().flatten().map(link).collect(),
            status: value["status"]["code"].as_i64().unwrap_or_default(),
        }
    }
}

fn attributes(list: &Value) -> BTreeMap<String, String> {
    let plain = |value: &Value| match value.as_object().and_then(|object| object.values().next()) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    list.as_array()
        .into_iter()
        .flatten()
        .map(|entry| (entry["key"].as_str().unwrap_or_default().to_owned(), plain(&entry["value"])))
        .collect()
}
