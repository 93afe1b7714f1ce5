//! A proxy as companies have it: tunnels by CONNECT, and plain requests with a whole URL in their
//! first line. It keeps what it was asked for, and passes everything on to one server.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub struct HttpProxy {
    /// What a variable names it by.
    pub url: String,
    asked: Arc<Mutex<Vec<String>>>,
    logins: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
}

impl HttpProxy {
    /// Passes on to `to`, as `host:port`, whatever a client wants; refuses where that is none.
    pub async fn start(to: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (asked, to) = (Arc::<Mutex<Vec<String>>>::default(), to.map(str::to_owned));
        let (log, logins) = (Arc::clone(&asked), Arc::<Mutex<Vec<String>>>::default());
        let seen = Arc::clone(&logins);
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, to.clone(), Arc::clone(&log), Arc::clone(&seen)));
            }
        });
        Self { url, asked, logins, server }
    }

    /// What each connection logged in with, where it did: `Basic dXNlcjpwYXNz`.
    pub fn logins(&self) -> Vec<String> {
        self.logins.lock().expect("no panic").clone()
    }

    /// The first lines of all requests: `CONNECT host:port` and `POST http://host:port/`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

impl Drop for HttpProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(
    mut client: TcpStream,
    to: Option<String>,
    log: Arc<Mutex<Vec<String>>>,
    logins: Arc<Mutex<Vec<String>>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = client.read_u8().await else { return };
        head.push(byte);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let headers = text.lines().filter_map(|line| line.split_once(": "));
    let login = headers.filter(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"));
    logins.lock().expect("no panic").extend(login.map(|(_, value)| value.to_owned()));
    let first = text.lines().next().unwrap_or_default();
    let line = first.rsplit_once(' ').map_or(first, |(line, _)| line).to_owned();
    let is_tunnel = line.starts_with("CONNECT ");
    log.lock().expect("no panic").push(line);
    let server = match to {
        Some(to) => TcpStream::connect(to).await.ok(),
        None => None,
    };
    let Some(mut server) = server else {
        let _ = client.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").await;
        return;
    };
    if is_tunnel {
        let _ = client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await;
    } else {
        // Servers take a whole URL in the first line, too.
        let _ = server.write_all(&head).await;
    }
    let _ = copy_bidirectional(&mut client, &mut server).await;
}
