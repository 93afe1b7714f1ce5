//! The line to one member of the replica set: its address for clients and for the other members,
//! and so what is cut.
//!
//! What the member itself sends to others runs over their lines. A cut is thus one-sided for the
//! member, as a broken inbound rule of a firewall is: it hears nobody and is outvoted.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::LazyLock;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// Relays outlive the test that first asked for the replica set, and with it that test's runtime.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("relays")
        .enable_all()
        .build()
        .expect("a runtime")
});

/// How a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    Open,
    /// Nothing comes through and nobody is told, as where packets are dropped.
    Silent,
    /// Connections end, and new ones end at once.
    Refused,
}

pub struct Relay {
    pub port: u16,
    line: watch::Sender<Line>,
    resets: watch::Sender<()>,
}

impl Relay {
    /// To this port of 127.0.0.1. It lives as long as the process.
    pub fn to(port: u16) -> Self {
        let ((line, state), (resets, reset)) = (watch::channel(Line::Open), watch::channel(()));
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let own = listener.local_addr().expect("an address").port();
        RUNTIME.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((near, _)) = listener.accept().await {
                let (line, mut reset) = (state.clone(), reset.clone());
                // Those before this connection are not meant for it.
                reset.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = reset.changed() => {}
                        () = relay(near, (Ipv4Addr::LOCALHOST, port).into(), line) => {}
                    }
                });
            }
        });
        Self { port: own, line, resets }
    }

    /// Ends the connections that stand. A line that is refused and at once open again may end none:
    /// its state is looked at only now and then.
    pub fn reset(&self) {
        self.resets.send_replace(());
    }

    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

/// Until one side ends or the line is refused.
async fn relay(near: TcpStream, to: SocketAddr, mut line: watch::Receiver<Line>) {
    let carried = line.clone();
    let carry = async {
        // Not even the handshake of a new connection gets through a silent line; the kernel has
        // made it, so hold it here.
        opened(carried.clone()).await;
        let Ok(far) = TcpStream::connect(to).await else { return };
        let _ = (near.set_nodelay(true), far.set_nodelay(true));
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        tokio::select! {
            () = copy(near_in, far_out, carried.clone()) => {}
            () = copy(far_in, near_out, carried.clone()) => {}
        }
    };
    tokio::select! {
        _ = line.wait_for(|line| *line == Line::Refused) => {}
        () = carry => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, line: watch::Receiver<Line>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        opened(line.clone()).await;
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
}

async fn opened(mut line: watch::Receiver<Line>) {
    let _ = line.wait_for(|line| *line == Line::Open).await;
}
