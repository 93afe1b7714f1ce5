//! How a connection to the endpoint is made: plain, by TLS, through the proxy that the environment
//! names, or as whoever stands in for the network has it. Names are resolved anew for each, so an
//! endpoint may move.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::rt::{Read, Write};
use hyper::service::Service;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::time::timeout;

use crate::queue::sqs::connects::Connects;

/// The most that is read ahead of an answer, for each connection.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// The most of an answer that the kernel takes for each connection, before anybody reads it; Linux
/// keeps as much again for what belongs to it. Without it a fast connection gets many megabytes, which
/// no budget counts and a container's limit does. At 20 ms to the queue this is 6 MB a second each.
const KERNEL_BUFFER_BYTES: usize = 128 * 1024;

pub(super) type Connection = SendRequest<Full<Bytes>>;
pub(super) type AnyError = Box<dyn Error + Send + Sync>;

/// The way to one endpoint.
pub(super) struct Way {
    endpoint: Uri,
    connector: Connector,
    connect_max: Duration,
}

enum Connector {
    Plain(TowerToHyperService<HttpConnector>),
    Tls(TowerToHyperService<HttpsConnector<HttpConnector>>),
    /// Requests without TLS go to the proxy, which passes them on.
    Forward(Intercept, TowerToHyperService<HttpsConnector<HttpConnector>>),
    Tunnel(TowerToHyperService<HttpsConnector<Tunnel<HttpsConnector<HttpConnector>>>>),
    Given(Box<dyn Connects>),
}

impl Way {
    /// # Errors
    /// Where this machine's root certificates cannot be read.
    pub fn new(
        endpoint: Uri,
        proxy: Option<Intercept>,
        connect_max: Duration,
    ) -> Result<Self, io::Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_recv_buffer_size(Some(KERNEL_BUFFER_BYTES));
        // Shared by the addresses of a name: one that does not answer leaves time to the others.
        tcp.set_connect_timeout(Some(connect_max));
        let is_plain = endpoint.scheme_str() == Some("http");
        let connector = match (proxy, is_plain) {
            (None, true) => Connector::Plain(TowerToHyperService::new(tcp)),
            (None, false) => Connector::Tls(tls(tcp)?),
            (Some(proxy), true) => Connector::Forward(proxy, tls(tcp)?),
            (Some(proxy), false) => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), https(tcp)?);
                if let Some(login) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(login.clone());
                }
                Connector::Tunnel(tls(tunnel)?)
            }
        };
        Ok(Self { endpoint, connector, connect_max })
    }

    /// Over connections that `connects` makes.
    pub fn given(endpoint: Uri, connects: Box<dyn Connects>, connect_max: Duration) -> Self {
        Self { endpoint, connector: Connector::Given(connects), connect_max }
    }

    /// The proxy that reads the requests and passes them on, if there is one: they name the whole
    /// URL, and show it who asks.
    pub fn forward(&self) -> Option<&Intercept> {
        match &self.connector {
            Connector::Forward(proxy, _) => Some(proxy),
            Connector::Plain(_)
            | Connector::Tls(_)
            | Connector::Tunnel(_)
            | Connector::Given(_) => None,
        }
    }

    /// A connection that takes a request.
    ///
    /// # Errors
    /// Where there is none within the bound.
    pub async fn connect(&self) -> Result<Connection, AnyError> {
        let connecting = async {
            let to = self.endpoint.clone();
            match &self.connector {
                Connector::Plain(tcp) => handshake(tcp.call(to).await?).await,
                Connector::Tls(tls) => handshake(tls.call(to).await?).await,
                Connector::Forward(proxy, tls) => {
                    handshake(tls.call(proxy.uri().clone()).await?).await
                }
                Connector::Tunnel(tunnel) => handshake(tunnel.call(to).await?).await,
                Connector::Given(connects) => {
                    handshake(TokioIo::new(connects.connect().await?)).await
                }
            }
        };
        timeout(self.connect_max, connecting).await.unwrap_or_else(|_| {
            Err(format!("no connection within {} s", self.connect_max.as_secs()).into())
        })
    }
}

async fn handshake<T>(stream: T) -> Result<Connection, AnyError>
where
    T: Read + Write + Send + Unpin + 'static,
{
    let (sender, connection) =
        http1::Builder::new().max_buf_size(READ_AHEAD_BYTES).handshake(stream).await?;
    // How it ends is told to whoever waits for an answer.
    tokio::spawn(connection);
    Ok(sender)
}

/// Against the roots of this machine, or those in the file that `SSL_CERT_FILE` names.
fn tls<C>(connector: C) -> Result<TowerToHyperService<HttpsConnector<C>>, io::Error> {
    Ok(TowerToHyperService::new(https(connector)?))
}

fn https<C>(connector: C) -> Result<HttpsConnector<C>, io::Error> {
    let roots = HttpsConnectorBuilder::new().with_native_roots()?;
    Ok(roots.https_or_http().enable_http1().wrap_connector(connector))
}
