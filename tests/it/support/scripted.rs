//! A server that does what a test's script says, byte by byte, and keeps what it was asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Connections are numbered as they come.
    pub connection: usize,
    /// `POST / HTTP/1.1`
    pub line: String,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn action(&self) -> &str {
        self.header("x-amz-target").trim_start_matches("AmazonSQS.")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// What is done about a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Written as it is; the connection stays.
    Bytes(Vec<u8>),
    /// Written as it is, and then the connection is closed.
    LastBytes(Vec<u8>),
    /// Closed without a byte.
    Close,
    Silence,
}

impl Reply {
    pub fn with(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Bytes(
            format!("HTTP/1.1 {status} Scripted\r\nContent-Type: application/x-amz-json-1.0\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
                .into_bytes(),
        )
    }

    pub fn json(body: &Value) -> Self {
        Self::with(200, "", &body.to_string())
    }

    /// A queue that is as a worker wants it.
    fn attributes() -> Self {
        let attributes =
            json!({ "QueueArn": "arn:aws:sqs:us-east-1:0:portal", "VisibilityTimeout": "30" });
        Self::json(&json!({ "Attributes": attributes }))
    }
}

type Script = dyn Fn(usize, &Asked) -> Reply + Send + Sync;

/// Ends with it, its connections too.
pub struct Scripted {
    pub endpoint: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    written: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

/// Small, so that what is written is with the other end, or almost.
const SEND_BUFFER_BYTES: u32 = 64 * 1024;

/// Of one write.
const PIECE_BYTES: usize = 16 * 1024;

impl Scripted {
    /// `script` gets each request with its number, from 0 on. Questions for the queue's attributes
    /// are answered here and do not count.
    pub fn start(script: impl Fn(usize, &Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1:0", script).expect("a port")
    }

    pub fn at(
        address: &str,
        script: impl Fn(usize, &Asked) -> Reply + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let address: SocketAddr = address.parse().expect("an address");
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.bind(address)?;
        let listener = socket.listen(1_024)?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (script, log): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&asked));
        let written = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&written);
        let server = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let number = connections.len();
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                connections.spawn(serve(number, stream, script, log, Arc::clone(&counter)));
            }
        });
        Ok(Self { endpoint, asked, written, server })
    }

    /// All requests but those for attributes.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    /// Bytes that the kernel took of all answers so far.
    pub fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }

    /// The same, once no more are taken.
    pub async fn written_at_a_standstill(&self) -> usize {
        let mut before = self.written();
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let written = self.written();
            if written == before {
                return written;
            }
            before = written;
        }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(
    number: usize,
    stream: TcpStream,
    script: Arc<Script>,
    log: Arc<Mutex<Vec<Asked>>>,
    written: Arc<AtomicUsize>,
) {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = read(number, &mut stream).await {
        let reply = if asked.action() == "GetQueueAttributes" {
            Reply::attributes()
        } else {
            let mut log = log.lock().expect("no panic");
            log.push(asked.clone());
            script(log.len() - 1, &asked)
        };
        match reply {
            Reply::Bytes(bytes) => {
                for piece in bytes.chunks(PIECE_BYTES) {
                    if stream.write_all(piece).await.is_err() {
                        return;
                    }
                    written.fetch_add(piece.len(), Ordering::Relaxed);
                }
            }
            Reply::LastBytes(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
            Reply::Close => return,
            Reply::Silence => std::future::pending().await,
        }
    }
}

async fn read(connection: usize, stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).expect("text");
    let mut lines = head.trim_end().lines();
    let line = lines.next().expect("a first line").to_owned();
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length =
        headers.get("content-length").map_or(0, |length| length.parse().expect("a length"));
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked { connection, line, headers, body })
}
