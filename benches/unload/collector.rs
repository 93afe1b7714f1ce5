//! A collector that takes whatever is sent by OTLP over HTTP, and counts the requests. It runs in
//! the conductor's process, which is not measured.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use longshore::dev::portal::Load;
use tokio::net::TcpListener;

/// One message in so many has a producer that is recorded.
const SAMPLED_OF: usize = 100;

pub struct Collector {
    pub endpoint: String,
    pub requests: Arc<AtomicUsize>,
}

impl Collector {
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let counted = Arc::clone(&counted);
                let take = service_fn(move |request: Request<Incoming>| {
                    let counted = Arc::clone(&counted);
                    async move {
                        let _ = request.into_body().collect().await;
                        counted.fetch_add(1, Ordering::Relaxed);
                        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), take),
                );
            }
        });
        Ok(Self { endpoint, requests })
    }
}

/// Gives every message a producer.
pub fn trace(load: &mut Load) {
    for (number, message) in load.messages.iter_mut().enumerate() {
        let flags = u8::from(number.is_multiple_of(SAMPLED_OF));
        let traceparent = format!("00-{:032x}-{:016x}-{flags:02x}", number + 1, number + 1);
        message.attributes.push(("traceparent".to_owned(), traceparent));
    }
}
