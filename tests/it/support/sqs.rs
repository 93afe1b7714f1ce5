//! SQS servers for the tests: the embedded one, moto, and answers made to order.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use longshore::config::defaults;
use longshore::dev::sqs::EmbeddedSqs;
use longshore::queue::sqs::{Credentials, QueueFacts, SqsQueue};
use longshore::queue::{QueueConfig, QueueFault, Transport};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Embedded,
    Moto,
}

/// A running server that hands out fresh queues.
pub struct SqsServer {
    pub kind: Kind,
    /// What its queues are called by.
    transport: Transport,
    endpoint: String,
    /// Ends with it. Moto is one for all tests and ends with the process.
    _embedded: Option<EmbeddedSqs>,
}

impl SqsServer {
    pub async fn start(kind: Kind) -> Self {
        let (endpoint, embedded) = match kind {
            Kind::Embedded => {
                let server = EmbeddedSqs::start().await.expect("start the embedded SQS");
                (server.endpoint_url(), Some(server))
            }
            Kind::Moto => (tokio::task::spawn_blocking(moto).await.expect("start moto"), None),
        };
        Self { kind, transport: defaults().queue.transport, endpoint, _embedded: embedded }
    }

    /// The same, called by another transport.
    pub fn by(self, transport: Transport) -> Self {
        Self { transport, ..self }
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Makes a queue that no other test uses and returns its URL; a FIFO queue where the attributes
    /// say so.
    pub async fn create_queue(&self, attributes: &Value) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let suffix = if attributes.get("FifoQueue").is_some() { ".fifo" } else { "" };
        let name = format!(
            "test-{}-{}{suffix}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let answer =
            self.call("CreateQueue", &json!({ "QueueName": name, "Attributes": attributes })).await;
        answer["QueueUrl"].as_str().expect("a queue URL").to_owned()
    }

    /// Makes a request as any producer would, without the SDK that is under test.
    pub async fn call(&self, action: &str, input: &Value) -> Value {
        call(&self.endpoint, action, input).await
    }

    pub async fn connect(&self, url: &str) -> (SqsQueue, QueueFacts) {
        connect_by(self.transport, &self.endpoint, url).await.expect("connect")
    }
}

/// Makes a request of a server as any producer would.
pub async fn call(endpoint: &str, action: &str, input: &Value) -> Value {
    let address = endpoint.trim_start_matches("http://");
    let body = input.to_string();
    // Nobody checks the signature; moto reads the service from it.
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: AmazonSQS.{action}\r\nContent-Length: {}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0\r\n\
         \r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.expect("connect");
    stream.write_all(request.as_bytes()).await.expect("send the request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("read the answer");
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200"), "{action} {input}: {answer}");
    if body.is_empty() { Value::Null } else { serde_json::from_str(body).expect("JSON") }
}

/// Connects with made-up credentials, so that nothing of the environment is read.
pub async fn connect(endpoint: &str, url: &str) -> Result<(SqsQueue, QueueFacts), QueueFault> {
    connect_by(defaults().queue.transport, endpoint, url).await
}

/// The same by a transport of one's choice.
pub async fn connect_by(
    transport: Transport,
    endpoint: &str,
    url: &str,
) -> Result<(SqsQueue, QueueFacts), QueueFault> {
    let settings = QueueConfig { transport, ..settings(Some(endpoint), url) };
    SqsQueue::connect(&settings, Credentials::Local).await
}

pub fn settings(endpoint: Option<&str>, url: &str) -> QueueConfig {
    QueueConfig {
        url: Some(url.to_owned()),
        endpoint_url: endpoint.map(str::to_owned),
        region: None,
        allow_insecure: false,
        transport: defaults().queue.transport,
        wait: Duration::from_secs(20),
        pollers_max: 1,
        visibility_timeout: None,
    }
}

/// One moto for the whole test process; returns its endpoint.
fn moto() -> String {
    static MOTO: OnceLock<(String, Child)> = OnceLock::new();
    MOTO.get_or_init(|| {
        let mut server = start_moto();
        let mut lines = BufReader::new(server.stderr.take().expect("its stderr")).lines();
        let mut said = String::new();
        let endpoint = loop {
            let Some(Ok(line)) = lines.next() else { panic!("moto did not start:\n{said}") };
            if let Some(start) = line.find("http://") {
                break line[start..].trim().to_owned();
            }
            said.push_str(&line);
            said.push('\n');
        };
        // It logs every request, and would wait for ever on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        (endpoint, server)
    })
    .0
    .clone()
}

/// Starts moto under a shell that ends it as soon as its own stdin ends. That happens with this
/// process, however it dies: the other end of the pipe is here alone, for Rust opens it with
/// close-on-exec. Only if the shell itself is killed does moto stay.
fn start_moto() -> Child {
    const UNTIL_STDIN_ENDS: &str = r#"
        exec 3<&0
        "$@" </dev/null 3<&- &
        server=$!
        { cat <&3 >/dev/null; kill "$server"; } 2>/dev/null >&2 &
        watcher=$!
        wait "$server"
        kill "$watcher" 2>/dev/null
    "#;
    // As a module: the environment was moved to its place after it was made, and its console
    // scripts name the old one.
    Command::new("sh")
        .args([
            "-c",
            UNTIL_STDIN_ENDS,
            "sh",
            &python(),
            "-m",
            "moto.server",
            "-H",
            "127.0.0.1",
            "-p",
            "0",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start sh")
}

/// The path of a Python with moto, boto3 and pymongo. The first call on a machine installs them.
pub fn python() -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/python.sh");
    let mut made = Command::new("sh")
        .arg(script)
        .stdout(Stdio::piped())
        .spawn()
        .expect("start scripts/python.sh");
    let mut path = String::new();
    made.stdout.take().expect("its stdout").read_to_string(&mut path).expect("a path");
    assert!(made.wait().expect("its end").success(), "scripts/python.sh failed: see above");
    path.trim().to_owned()
}

/// A server that gives the same answer to every request, or none where there is no answer to give.
pub struct Canned {
    pub endpoint: String,
    server: JoinHandle<()>,
}

impl Canned {
    /// `code` is sent as SQS does, in a header and as the type of the body.
    pub async fn error(status: u16, code: &str, message: &str) -> Self {
        let body = json!({ "__type": format!("com.amazonaws.sqs#{code}"), "message": message })
            .to_string();
        Self::start(Some(answer(status, &format!("x-amzn-query-error: {code};Sender\r\n"), &body)))
            .await
    }

    pub async fn body(status: u16, body: &str) -> Self {
        Self::start(Some(answer(status, "", body))).await
    }

    pub async fn silent() -> Self {
        Self::start(None).await
    }

    async fn start(answer: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let server = tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(answer) = &answer else {
                    held.push(stream);
                    continue;
                };
                // Requests here are small: one read has it all, or enough to answer.
                let mut request = [0; 16_384];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { endpoint, server }
    }
}

impl Drop for Canned {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} Canned\r\nContent-Type: application/x-amz-json-1.0\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
