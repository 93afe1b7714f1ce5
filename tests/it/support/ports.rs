//! Ports for servers that cannot pick one themselves and say which.
//!
//! The kernel gives ports of its own range to whoever asks for any: every connection and every
//! server of the tests beside. One that is only free at the moment is soon another's, so these come
//! from below that range, and each once in a process.

use std::net::TcpListener;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range of Linux (32768) and of macOS (49152).
const PORTS: std::ops::Range<u16> = 12_000..32_768;

/// Another beginning in each process: two may run at once.
static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new(fastrand::u16(PORTS)));

/// A port at which nothing listens, on any address of this machine.
pub fn free_port() -> u16 {
    loop {
        let (Ok(port) | Err(port)) =
            NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |port| {
                Some(if PORTS.contains(&(port + 1)) { port + 1 } else { PORTS.start })
            });
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
}

/// An address where nothing listens.
pub fn nowhere() -> String {
    format!("127.0.0.1:{}", free_port())
}
