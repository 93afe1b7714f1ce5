//! Where exports are sent from: a thread with a runtime of its own, so that they get through also
//! when a task of the worker is stuck.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry_http::{HttpClient, HttpError, hyper::HyperClient};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The thread; it ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    runtime: Handle,
    _end: Arc<oneshot::Sender<()>>,
}

impl Sender {
    /// # Errors
    /// Where the system gives no thread.
    pub fn start() -> Result<Self> {
        let runtime =
            Builder::new_current_thread().enable_all().build().context("cannot set up OTLP")?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let run = move || {
            // Dropped with the last that sends.
            let _ = runtime.block_on(ended);
            runtime.shutdown_background();
        };
        std::thread::Builder::new()
            .name("otlp".to_owned())
            .spawn(run)
            .context("cannot set up OTLP")?;
        Ok(Self { runtime: handle, _end: Arc::new(end) })
    }

    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// A client whose calls run on the thread: those who export have threads of their own, without
    /// a runtime.
    ///
    /// # Errors
    /// Where this machine's root certificates cannot be read.
    pub fn http(&self, timeout: Duration) -> Result<OnSender> {
        let builder = HttpsConnectorBuilder::new()
            .with_native_roots()
            .context("cannot read this machine's root certificates")?;
        let client =
            HyperClient::new(builder.https_or_http().enable_http1().build(), timeout, None);
        Ok(OnSender { sender: self.clone(), client: Arc::new(client) })
    }
}

#[derive(Debug, Clone)]
pub(super) struct OnSender {
    sender: Sender,
    client: Arc<HyperClient<HttpsConnector<HttpConnector>>>,
}

#[async_trait]
impl HttpClient for OnSender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = Arc::clone(&self.client);
        self.sender.runtime.spawn(async move { client.send_bytes(request).await }).await?
    }
}
