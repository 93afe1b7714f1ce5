//! The ports of 127.0.0.1 that the local servers take.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context, Result, bail};
use tokio::net::TcpSocket;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 128;

/// Where the local servers listen; 0 is a free port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ports {
    /// The test double's answers.
    pub double: u16,
    pub sqs: u16,
    pub mongod: u16,
}

impl Ports {
    /// The highest first port: there are two behind it.
    pub const FIRST_MAX: u16 = u16::MAX - 2;

    /// `first` and the two behind it.
    #[must_use]
    pub fn from(first: u16) -> Self {
        Self { double: first, sqs: first.saturating_add(1), mongod: first.saturating_add(2) }
    }

    /// Refuses where one of them is taken, before anything is started.
    ///
    /// # Errors
    /// Which, for what, and who may hold it.
    pub fn refuse_taken(self) -> Result<()> {
        let all = [
            (self.double, "the test double's answers"),
            (self.sqs, "SQS"),
            (self.mongod, "MongoDB"),
        ];
        for (port, what) in all {
            if let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                bail!(
                    "port {port} of 127.0.0.1, which --port gives to {what}, cannot be taken ({error}): another `longshore dev` may still run, or \
                     another program holds it (`ss -ltnp sport = :{port}` says which); end that, or give another --port"
                );
            }
        }
        Ok(())
    }
}

/// A port that is taken, and at which nothing answers yet: whoever connects is refused.
#[derive(Debug)]
pub struct Silent(TcpSocket);

impl Silent {
    /// Takes the port; 0 is a free one.
    ///
    /// # Errors
    /// Where it is taken by another.
    pub fn take(port: u16) -> Result<Self> {
        let what = || format!("cannot take port {port} of 127.0.0.1 for the test double's answers");
        let socket = TcpSocket::new_v4().with_context(what)?;
        // As every listener here: connections of an earlier run that are not quite over hold nobody up.
        socket.set_reuseaddr(true).with_context(what)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).with_context(what)?;
        Ok(Self(socket))
    }

    /// Which one it is.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn address(&self) -> Result<SocketAddr> {
        self.0.local_addr().context("cannot tell the address of the test double's answers")
    }

    /// Listens from now on.
    ///
    /// # Errors
    /// Where another program was faster.
    pub fn listen(self) -> Result<tokio::net::TcpListener> {
        self.0.listen(BACKLOG).context("cannot listen at the port of the test double's answers")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_named_with_what_it_is_for() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = taken.local_addr().expect("its address").port();
        for (ports, what) in [
            (Ports { double: port, ..Ports::default() }, "the test double's answers"),
            (Ports { sqs: port, ..Ports::default() }, "SQS"),
            (Ports { mongod: port, ..Ports::default() }, "MongoDB"),
        ] {
            let error = ports.refuse_taken().expect_err("taken").to_string();
            assert!(error.contains(&format!("port {port} ")) && error.contains(what), "{error}");
        }
        drop(taken);
        assert!(Ports { sqs: port, ..Ports::default() }.refuse_taken().is_ok());
        assert_eq!(Ports::from(8_787), Ports { double: 8_787, sqs: 8_788, mongod: 8_789 });
    }

    #[tokio::test]
    async fn nobody_can_connect_before_it_listens() {
        let silent = Silent::take(0).expect("a free port");
        let address = silent.0.local_addr().expect("its address");
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
        let _listener = silent.listen().expect("it listens");
        assert!(tokio::net::TcpStream::connect(address).await.is_ok());
    }
}
