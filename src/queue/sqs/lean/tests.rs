//! What needs credentials that change, which no server on this machine gives: the transport alone,
//! before a server that looks at who asks.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_credential_types::provider::future;
use aws_sdk_sqs::config::{ProvideCredentials, SharedCredentialsProvider};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::super::calls::Operation;
use super::super::endpoint::{Endpoint as Said, SaidBy};
use super::super::url::ServerUrl;
use super::super::wire::Delete;
use super::*;
use crate::clock::SystemClock;
use crate::queue::QueueFaultKind;

const LIMIT: Duration = Duration::from_secs(5);

const BOUNDS: Bounds = Bounds { connect: Duration::from_secs(5), idle: Duration::from_secs(20) };

/// Each loading gives the next access key, with a session token, and the last one again and again.
#[derive(Debug)]
struct Keys(&'static [&'static str], AtomicUsize);

impl ProvideCredentials for Keys {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let number = self.1.fetch_add(1, Ordering::Relaxed).min(self.0.len() - 1);
        let key = self.0[number];
        let token = format!("token-of-{key}");
        let credentials = Credentials::new(key, "secret", Some(token), None, "test");
        future::ProvideCredentials::ready(Ok(credentials))
    }
}

/// A server that takes one access key and refuses others with `code`. It keeps the access key and
/// the token of each request, and each connection.
async fn server(good: &'static str, code: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            log.lock().expect("no panic").push("connection".to_owned());
            tokio::spawn(serve(stream, good, code, Arc::clone(&log)));
        }
    });
    (url, seen)
}

async fn serve(
    stream: TcpStream,
    good: &'static str,
    code: &'static str,
    log: Arc<Mutex<Vec<String>>>,
) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut token, mut key, mut length) = (String::new(), String::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            match line.trim_end().split_once(": ") {
                Some(("x-amz-security-token", value)) => value.clone_into(&mut token),
                Some(("content-length", value)) => length = value.parse().expect("a length"),
                Some(("authorization", value)) => {
                    let credential = value.split_once("Credential=").expect("a credential").1;
                    credential.split('/').next().expect("a key").clone_into(&mut key);
                    assert!(value.contains(";x-amz-security-token;"), "it is signed: {value}");
                }
                None if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.expect("a body");
        let (status, answer) = if key == good {
            (200, "{}".to_owned())
        } else {
            (403, format!(r#"{{"__type":"{code}"}}"#))
        };
        log.lock().expect("no panic").push(format!("{key} {token}"));
        let length = answer.len();
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{answer}");
        stream.write_all(answer.as_bytes()).await.expect("answered");
    }
}

fn address(url: &str) -> QueueAddress {
    let url = ServerUrl::parse(url).expect("a URL");
    QueueAddress {
        url: "http://h/0/portal".to_owned(),
        setting: "queue.url",
        region: "us-east-1".to_owned(),
        endpoint: Said { url, said_by: SaidBy::QueueUrl },
        proxy: None,
    }
}

fn client(url: &str, keys: &'static [&'static str]) -> Lean {
    let keys = SharedCredentialsProvider::new(Keys(keys, AtomicUsize::new(0)));
    let (login, clock) = (Login::new(keys, LIMIT), Arc::new(SystemClock::default()));
    Lean::new(&address(url), login, clock, None, BOUNDS).expect("a client")
}

/// One call, whose answer is read.
async fn make(client: &Lean) -> Result<Bytes, Failure> {
    let delete = Delete { queue_url: "http://h/0/portal", entries: &[] };
    let answer = client.call(&delete, LIMIT).await?;
    client.pool.read_all(answer, 1_000).await
}

#[tokio::test]
async fn credentials_that_have_expired_are_loaded_anew_and_the_call_made_again() {
    for code in ["ExpiredToken", "com.amazonaws.sqs#ExpiredTokenException", "InvalidClientTokenId"]
    {
        let (url, seen) = server("NEW", code).await;
        let client = client(&url, &["OLD", "NEW"]);
        make(&client).await.expect("done");
        make(&client).await.expect("done");
        let wanted = ["connection", "OLD token-of-OLD", "NEW token-of-NEW", "NEW token-of-NEW"];
        assert_eq!(*seen.lock().expect("no panic"), wanted, "{code}");
    }
}

#[tokio::test]
async fn credentials_that_are_refused_again_are_not_tried_for_ever() {
    for (code, keys, asked) in [
        ("ExpiredToken", &["A", "B", "C"][..], 2),
        ("ExpiredToken", &["A"], 1),
        ("AccessDenied", &["A", "NEW"], 1),
    ] {
        let (url, seen) = server("NEW", code).await;
        let failure = make(&client(&url, keys)).await.expect_err("refused");
        let fault = failure.into_fault(Operation::Delete, &address(&url));
        assert_eq!(fault.kind, QueueFaultKind::Denied, "{fault}");
        assert_eq!(seen.lock().expect("no panic").len(), 1 + asked, "{code} {keys:?}");
    }
}

#[tokio::test]
async fn credentials_that_no_header_can_hold_are_told_and_not_shown() {
    let (url, _) = server("NEW", "x").await;
    let failure = make(&client(&url, &["ke\ny"])).await.expect_err("no header");
    let fault = failure.into_fault(Operation::Delete, &address(&url));
    assert!(
        fault.text.contains("hold what no header can") && !fault.text.contains("ke\ny"),
        "{fault}"
    );
}

/// AWS, or a gateway on the way, drops such a connection unseen.
#[tokio::test]
async fn a_connection_that_was_idle_for_long_is_not_used_again() {
    let (url, seen) = server("KEY", "x").await;
    let client = client(&url, &["KEY"]);
    for (idle, connections) in [(0, 1), (19, 1), (21, 2), (1, 2)] {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(idle)).await;
        tokio::time::resume();
        make(&client).await.expect("done");
        let seen = seen.lock().expect("no panic");
        let made = seen.iter().filter(|line| *line == "connection").count();
        assert_eq!(made, connections, "after {idle} s");
    }
}

#[test]
fn a_host_is_named_with_its_port_unless_it_is_the_schemes_own() {
    for (url, host, path) in [
        ("https://sqs.example:443", "sqs.example", "/"),
        ("http://sqs.example:80/", "sqs.example", "/"),
        ("http://sqs.example:443/a/b/", "sqs.example:443", "/a/b/"),
        ("http://[::1]:9324", "[::1]:9324", "/"),
        ("https://[::1]:443", "[::1]", "/"),
    ] {
        let made = endpoint(&address(url)).expect("an endpoint");
        assert_eq!((made.host.as_str(), made.path.as_str()), (host, path), "{url}");
    }
}
