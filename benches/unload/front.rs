//! What stands before a server so that it is further away: a process that hands on what comes, each
//! piece of an answer later by a delay, and takes TLS off where that is asked for.
//!
//! Delayed pieces do not wait for each other: it is a longer way, not a narrower one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bytes::{Bytes, BytesMut};
use clap::Args;
use rcgen::generate_simple_self_signed;
use tempfile::NamedTempFile;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::part::{Running, stdin_ended};

/// Of one read.
const PIECE_BYTES: usize = 64 * 1024;

/// Pieces of one connection that are on their way.
const PIECES_MAX: usize = 1024;

#[derive(Debug, Args)]
pub struct Serve {
    /// Where the server listens, as ADDRESS:PORT
    server: String,
    /// How much later each piece of an answer arrives
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Speak TLS, and write the certificate into this file
    #[arg(long)]
    certificate: Option<PathBuf>,
}

impl Serve {
    /// Prints where it listens, and serves until stdin ends.
    pub async fn run(self) -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let acceptor = match &self.certificate {
            Some(file) => Some(acceptor(file).await?),
            None => None,
        };
        println!("{}", listener.local_addr()?);
        let delay = Duration::from_millis(self.delay_ms);
        let accept = async {
            loop {
                let (near, _) = listener.accept().await?;
                near.set_nodelay(true)?;
                let (acceptor, server) = (acceptor.clone(), self.server.clone());
                tokio::spawn(async move {
                    let far = TcpStream::connect(server).await?;
                    far.set_nodelay(true)?;
                    match acceptor {
                        Some(acceptor) => between(acceptor.accept(near).await?, far, delay).await,
                        None => between(near, far, delay).await,
                    }
                    Ok::<_, std::io::Error>(())
                });
            }
        };
        tokio::select! {
            accepted = accept => accepted,
            ended = stdin_ended() => ended,
        }
    }
}

async fn acceptor(file: &PathBuf) -> Result<TlsAcceptor> {
    let made = generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
    tokio::fs::write(file, made.cert.pem()).await?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder().with_no_client_auth();
    let mut config = config.with_single_cert(vec![made.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Until either side ends.
async fn between(
    near: impl AsyncRead + AsyncWrite + Send + 'static,
    far: TcpStream,
    delay: Duration,
) {
    let (from_near, to_near) = tokio::io::split(near);
    let (from_far, to_far) = far.into_split();
    tokio::select! {
        () = hand_on(from_near, to_far, Duration::ZERO) => {}
        () = hand_on(from_far, to_near, delay) => {}
    }
}

async fn hand_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: Duration,
) {
    let (pieces, mut on_their_way) = mpsc::channel::<(Instant, Bytes)>(PIECES_MAX);
    let read = async move {
        loop {
            let mut piece = BytesMut::with_capacity(PIECE_BYTES);
            let is_over = from.read_buf(&mut piece).await.map_or(true, |bytes| bytes == 0);
            let due = Instant::now() + delay;
            if is_over || pieces.send((due, piece.freeze())).await.is_err() {
                return;
            }
        }
    };
    let write = async {
        while let Some((due, piece)) = on_their_way.recv().await {
            if !delay.is_zero() {
                sleep_until(due).await;
            }
            if to.write_all(&piece).await.is_err() || to.flush().await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write);
}

/// Such a front. It ends with this value.
pub struct Front {
    part: Running,
    /// That of its TLS, if it has any.
    pub certificate: Option<NamedTempFile>,
}

impl Front {
    /// Before a server at ADDRESS:PORT.
    pub async fn start(server: &str, delay: Duration, has_tls: bool) -> Result<Self> {
        let certificate = has_tls.then(NamedTempFile::new).transpose()?;
        let delay_ms = delay.as_millis().to_string();
        let mut arguments = vec!["front", server, "--delay-ms", &delay_ms];
        let path = certificate.as_ref().map(|file| file.path().display().to_string());
        if let Some(path) = &path {
            arguments.extend(["--certificate", path]);
        }
        let part = Running::start(&arguments).await?;
        Ok(Self { part, certificate })
    }

    /// As ADDRESS:PORT.
    pub fn address(&self) -> &str {
        &self.part.address
    }
}
