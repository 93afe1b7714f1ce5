//! One connection under paused time, on a pipe that holds little: what a socket's buffers would
//! take in is not in the way.

use axum::Extension;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::*;

const LARGE_BYTES: usize = 1 << 20;

/// No test waits for so long, because time is paused: what takes it never ends.
const NEVER: Duration = Duration::from_hours(1);

async fn open(Extension(place): Extension<Arc<Place>>) -> String {
    place.open_page().expect("room for a page");
    "x".repeat(LARGE_BYTES)
}

/// A client's end, and the connection that serves the other.
fn connected(places: &Places) -> (DuplexStream, JoinHandle<()>) {
    let (client, other_end) = duplex(1_024);
    let routes = Router::new()
        .route("/small", get(async || "small\n"))
        .route("/body", post(async |body: String| body))
        .route("/large", get(async || "x".repeat(LARGE_BYTES)))
        .route("/page", get(open));
    let (place, lost) = places.take([127, 0, 0, 1].into());
    let served = tokio::spawn(one(other_end, routes, REQUEST_WITHIN, Arc::new(place), lost));
    (client, served)
}

/// How long the connection was served, if it ended.
async fn served_for(served: JoinHandle<()>) -> Option<Duration> {
    let from = Instant::now();
    timeout(NEVER, served).await.ok()?.expect("no panic");
    Some(from.elapsed())
}

/// Sends `head`, then a byte a second for as long as it is taken.
async fn drip(mut client: DuplexStream, head: &[u8]) {
    client.write_all(head).await.expect("taken");
    while client.write_all(b"x").await.is_ok() {
        sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_never_ends_has_a_deadline() {
    let (client, served) = connected(&Places::default());
    tokio::spawn(async move { drip(client, b"GET /small HTTP/1.1\r\nx-long: ").await });
    assert!(served_for(served).await.is_some_and(|took| took <= HEAD_WITHIN));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_has_a_deadline() {
    let (client, served) = connected(&Places::default());
    let head = b"POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
    tokio::spawn(async move { drip(client, head).await });
    assert!(served_for(served).await.is_some_and(|took| took <= REQUEST_WITHIN));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_closed() {
    let (mut client, served) = connected(&Places::default());
    client.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("taken");
    assert!(served_for(served).await.is_some_and(|took| took <= WRITE_WITHIN));
    drop(client);
}

/// Reads a little every five seconds, so that no single write takes too long.
async fn sip(mut client: DuplexStream, request: &[u8]) -> DuplexStream {
    client.write_all(request).await.expect("taken");
    let mut little = [0; 16];
    while client.read(&mut little).await.is_ok_and(|bytes| bytes > 0) {
        sleep(Duration::from_secs(5)).await;
    }
    client
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_a_little_now_and_then_has_a_deadline() {
    let (client, served) = connected(&Places::default());
    tokio::spawn(async move { sip(client, b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await });
    let took = served_for(served).await.expect("it ends");
    assert!(WRITE_WITHIN < took && took <= REQUEST_WITHIN, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_open_page_stays_as_long_as_somebody_reads_it() {
    let (client, served) = connected(&Places::default());
    let reader =
        tokio::spawn(async move { sip(client, b"GET /page HTTP/1.1\r\nhost: x\r\n\r\n").await });
    sleep(10 * REQUEST_WITHIN).await;
    assert!(!served.is_finished());
    reader.abort();
    assert!(served_for(served).await.is_some_and(|took| took <= WRITE_WITHIN));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_nobody_reads_is_closed() {
    let (mut client, served) = connected(&Places::default());
    client.write_all(b"GET /page HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("taken");
    assert!(served_for(served).await.is_some_and(|took| took <= WRITE_WITHIN));
    drop(client);
}

/// All that the client is told until the connection is closed.
async fn told(mut client: DuplexStream, requests: &[u8]) -> String {
    let mut text = Vec::new();
    let sent = client.write_all(requests).await;
    let read = timeout(NEVER, client.read_to_end(&mut text)).await;
    assert!(sent.is_ok() && read.is_ok_and(|read| read.is_ok()));
    String::from_utf8(text).expect("text")
}

#[tokio::test(start_paused = true)]
async fn a_connection_has_one_request_however_many_are_sent() {
    let (client, served) = connected(&Places::default());
    let from = Instant::now();
    let answers = told(client, "GET /small HTTP/1.1\r\nhost: x\r\n\r\n".repeat(3).as_bytes()).await;
    assert_eq!(answers.matches("small\n").count(), 1, "{answers}");
    assert!(answers.contains("connection: close"), "{answers}");
    served.await.expect("no panic");
    assert_eq!(from.elapsed(), Duration::ZERO, "and is closed at once");
}

#[tokio::test(start_paused = true)]
async fn a_head_has_a_bound() {
    let (mut client, served) = connected(&Places::default());
    let long = "x".repeat(2 * HEAD_BYTES_MAX);
    let request = format!("GET /small HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n");
    // What does not fit into the pipe any more is not taken.
    let _ = client.write_all(request.as_bytes()).await;
    let mut text = String::new();
    let _ = client.read_to_string(&mut text).await;
    assert!(text.starts_with("HTTP/1.1 431"), "{text}");
    assert!(served_for(served).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn who_loses_its_place_is_closed() {
    let places = Places::default();
    let (client, served) = connected(&places);
    // As many as there may be, and one more.
    let later: Vec<_> = (0..1_000).map(|_| places.take([127, 0, 0, 1].into())).collect();
    let from = Instant::now();
    assert!(served_for(served).await.is_some());
    assert_eq!(from.elapsed(), Duration::ZERO);
    drop((client, later));
}
