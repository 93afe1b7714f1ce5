//! Clients that hold the admin server up: they pipeline and never read, send slowly, or say
//! nothing. Whoever else asks is answered, and they are closed.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::admin::{Running, check_live};
use super::web::Web;
use crate::support::ports::free_port;
use crate::support::surroundings::Surroundings;
use crate::support::until;

/// As many as the admin server serves at once.
const SOCKETS: usize = 128;

/// Small, so that what is not read soon fills it.
const RECEIVE_BUFFER_BYTES: u32 = 4_096;

async fn connect(port: u16) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES).expect("a small buffer");
    socket.connect(([127, 0, 0, 1], port).into()).await.expect("a connection")
}

/// Sockets that ask for all they can, one request behind the other, and read nothing.
async fn pipelining(port: u16) -> Vec<TcpStream> {
    let request = format!("GET /status.json HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    let requests = request.repeat(200);
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        let mut socket = connect(port).await;
        // Those that the worker has closed by now take no more.
        let _ = tokio::time::timeout(Duration::from_secs(1), socket.write_all(requests.as_bytes()))
            .await;
        sockets.push(socket);
    }
    sockets
}

/// The status of an answer on a connection of its own, or why there is none.
async fn asked(port: u16, path: &str) -> Result<u16, String> {
    let asked = Web::new(port).ask(path, &format!("127.0.0.1:{port}")).await;
    asked.map(|answer| answer.status)
}

/// Whether the worker has closed it. Nothing is read for it: a client that reads is another client.
fn is_closed(socket: &TcpStream) -> bool {
    socket.try_write(b"GET ").is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock)
}

#[tokio::test]
async fn clients_that_pipeline_and_never_read_keep_no_probe_from_an_answer() {
    let surroundings = Surroundings::new(&json!({})).await;
    let mut running = Running::start(&surroundings, &[]);
    assert_eq!(running.web.get("/livez").await.status, 200);
    let sockets = pipelining(running.port).await;
    for path in ["/livez", "/readyz", "/metrics", "/status.json", "/"] {
        assert_eq!(asked(running.port, path).await, Ok(200), "{path}");
        running.worker.assert_running();
    }
    until("all that never read are closed", async || sockets.iter().all(is_closed)).await;
    running.end().await;
}

#[tokio::test]
async fn silent_clients_at_every_place_keep_nobody_from_an_answer() {
    let surroundings = Surroundings::new(&json!({})).await;
    let mut running = Running::start(&surroundings, &[]);
    assert_eq!(running.web.get("/livez").await.status, 200);
    let mut silent = Vec::new();
    for _ in 0..2 * SOCKETS {
        silent.push(connect(running.port).await);
    }
    assert_eq!(asked(running.port, "/livez").await, Ok(200));
    running.worker.assert_running();
    until("all that say nothing are closed", async || silent.iter().all(is_closed)).await;
    running.end().await;
}

/// All of 127.0.0.0/8 is this machine on Linux alone.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_client_that_takes_every_place_costs_another_client_none() {
    let surroundings = Surroundings::new(&json!({})).await;
    let running = Running::start(&surroundings, &[]);
    assert_eq!(running.web.get("/livez").await.status, 200);
    let mut slow = connect(running.port).await;
    slow.write_all(b"GET /livez HTTP/1.1\r\nHost: ").await.expect("sent");
    let mut greedy = Vec::new();
    for _ in 0..4 * SOCKETS {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 2], 0).into()).expect("another address of this machine");
        let connected = socket.connect(([127, 0, 0, 1], running.port).into());
        greedy.push(connected.await.expect("a connection"));
    }
    until("it has lost places", async || is_closed(&greedy[0])).await;
    slow.write_all(b"localhost\r\n\r\n").await.expect("sent");
    let mut said = String::new();
    slow.read_to_string(&mut said).await.expect("an answer");
    assert!(said.starts_with("HTTP/1.1 200 OK"), "{said}");
    running.end().await;
}

#[tokio::test]
async fn probes_have_a_listener_of_their_own_that_no_page_fills() {
    let surroundings = Surroundings::new(&json!({})).await;
    let probes = free_port();
    let mut running = Running::start(
        &surroundings,
        &[("LONGSHORE__ADMIN__PROBES", &format!("127.0.0.1:{probes}"))],
    );
    let web = Web::new(probes);
    for (path, status, text) in [
        ("/livez", 200, "alive\n"),
        ("/readyz", 200, "ready\n"),
        ("/metrics", 404, "there are /livez /readyz\n"),
        ("/", 404, "there are /livez /readyz\n"),
    ] {
        let answer = web.get(path).await;
        assert_eq!((answer.status, answer.text.as_str()), (status, text), "{path}");
    }
    let sockets = pipelining(running.port).await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(asked(probes, path).await, Ok(200), "{path}");
    }
    assert_eq!(
        check_live(&format!("admin.probes=127.0.0.1:{probes}")).await,
        (0, format!("the worker at 127.0.0.1:{probes} is alive"))
    );
    running.worker.assert_running();
    drop(sockets);
    running.end().await;
}

/// What the worker answers to `request` as it stands, until it closes the connection.
async fn said_to(port: u16, request: &str) -> String {
    let mut socket = connect(port).await;
    socket.write_all(request.as_bytes()).await.expect("sent");
    let mut said = Vec::new();
    let read = socket.read_to_end(&mut said);
    tokio::time::timeout(Duration::from_mins(1), read)
        .await
        .expect("the worker closes it")
        .expect("read");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn a_head_and_a_body_that_do_not_come_are_not_waited_for() {
    let surroundings = Surroundings::new(&json!({})).await;
    let running = Running::start(&surroundings, &[]);
    assert_eq!(running.web.get("/livez").await.status, 200);
    let head = said_to(running.port, "GET /livez HTTP/1.1\r\nHost: 127.0").await;
    assert!(!head.contains("200 OK"), "{head}");
    let body = "GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nslow";
    let answer = said_to(running.port, body).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("alive\n"), "{answer}");
    running.end().await;
}

#[tokio::test]
async fn a_name_that_is_not_the_workers_own_is_refused_wherever_it_listens() {
    let surroundings = Surroundings::new(&json!({})).await;
    let (port, probes) = (free_port(), free_port());
    let running = Running::start_on(
        &surroundings,
        port,
        &[
            ("LONGSHORE__ADMIN__LISTEN", &format!("0.0.0.0:{port}")),
            ("LONGSHORE__ADMIN__PROBES", &format!("0.0.0.0:{probes}")),
            ("LONGSHORE__ADMIN__HOSTS", "longshore.example.com,longshore"),
        ],
    );
    assert_eq!(running.web.get("/livez").await.status, 200);
    let at_probes = Web::new(probes);
    for (host, status) in [
        ("localhost:9690", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1", 200),
        ("[::1]:9690", 200),
        ("10.1.2.3:9691", 200),
        ("longshore.example.com:9690", 200),
        ("Longshore", 200),
        ("longshore.", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example:9690", 421),
        ("localhost.evil.example", 421),
        ("longshore@evil.example", 400),
    ] {
        for web in [&running.web, &at_probes] {
            let answer = web.ask("/livez", host).await.expect("an answer");
            assert_eq!(answer.status, status, "{host}: {}", answer.text);
            assert_eq!(answer.text.contains("admin.hosts"), status == 421, "{}", answer.text);
        }
    }
    running.end().await;
}

#[tokio::test]
async fn a_request_names_one_host() {
    let surroundings = Surroundings::new(&json!({})).await;
    let running = Running::start(&surroundings, &[]);
    assert_eq!(running.web.get("/livez").await.status, 200);
    for (request, status) in [
        ("GET /livez HTTP/1.1\r\n\r\n", "HTTP/1.1 400"),
        ("GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 400"),
        ("GET http://evil.example/livez HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 421"),
        // Older health checks of load balancers name none, and a browser is none of them.
        ("GET /livez HTTP/1.0\r\n\r\n", "HTTP/1.0 200"),
    ] {
        let said = said_to(running.port, request).await;
        assert!(said.starts_with(status), "{request}: {said}");
    }
    running.end().await;
}
