//! The connections of one listener: one request each, and a deadline for everything that a peer may
//! be slow at, because whoever reaches the address may open them and then say, send or read nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_io_timeout::TimeoutWriter;

use super::places::{Lost, Place, Places};

/// How long a request's head may take, and so how long a connection may say nothing.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// What a head may hold at most. A browser's has hundreds of bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// How long the peer may read nothing of an answer that waits for it.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// From the connection to the end of its answer, however steadily the peer sends or reads; so also
/// how long a body may take, which nothing here asks for. A status of 100 KiB has room in it at 5
/// KiB a second.
pub(super) const REQUEST_WITHIN: Duration = Duration::from_secs(30);

/// After the system gave no connection, which is for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until it is dropped. Each request has its end `within` so long.
pub(super) async fn serve(listener: TcpListener, routes: Router, within: Duration) {
    let places = Places::default();
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let (place, lost) = places.take(peer.ip());
        tokio::spawn(one(stream, routes.clone(), within, Arc::new(place), lost));
        // Whoever lost its place closes its descriptor before another one is opened.
        tokio::task::yield_now().await;
    }
}

/// Serves one connection to its end.
async fn one<IO>(io: IO, routes: Router, within: Duration, place: Arc<Place>, lost: Lost)
where
    IO: AsyncRead + AsyncWrite + Send + 'static,
{
    let routes = TowerToHyperService::new(routes);
    let of_request = Arc::clone(&place);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&of_request));
        routes.call(request)
    });
    let mut io = TimeoutWriter::new(io);
    io.set_timeout(Some(WRITE_WITHIN));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES_MAX)
        // Whoever sends many requests at once waits for a place for each.
        .keep_alive(false);
    let whole = async {
        sleep(within).await;
        // Whoever reads it keeps it, and nobody else is kept out by it: pages have bounds.
        if place.is_page() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        // What breaks is the other side's to notice.
        _ = http.serve_connection(TokioIo::new(Box::pin(io)), service) => {}
        () = lost.lost() => {}
        () = whole => {}
    }
}

#[cfg(test)]
mod tests;
