//! How a client is connected: what of it others could listen to, or pose as.

use std::fmt;

use mongodb::options::{ClientOptions, ServerAddress, Tls};

use super::error::MongoManagerError;
use crate::this_machine::is_this_machine;

/// How what is said to the servers is kept from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TLS, and the server's certificate is checked.
    Tls,
    /// TLS with whoever answers.
    Unchecked,
    /// No TLS, and no network either.
    ThisMachine,
    /// No TLS, and a login goes over the network. By IAM as by password: neither secret is sent, and
    /// what proves it holds for one login; but a session token is sent as it is, and whoever is on
    /// the way reads and changes what comes after it.
    PlainLogin,
    /// No TLS and no login.
    Plain,
}

impl Transport {
    /// Of a client that goes to the hosts `reached`.
    pub(super) fn of(options: &ClientOptions, reached: &[ServerAddress]) -> Self {
        match &options.tls {
            Some(Tls::Enabled(tls)) if tls.allow_invalid_certificates == Some(true) => {
                Self::Unchecked
            }
            Some(Tls::Enabled(_)) => Self::Tls,
            _ if reached.iter().all(is_here) => Self::ThisMachine,
            _ if options.credential.is_some() => Self::PlainLogin,
            _ => Self::Plain,
        }
    }

    /// Refuses what `db.allow_insecure` is there to allow.
    pub(super) fn refuse_weak(
        options: &ClientOptions,
        reached: &[ServerAddress],
    ) -> Result<(), MongoManagerError> {
        let away = |hosts: &[ServerAddress]| {
            let away = hosts.iter().filter(|host| !is_here(host));
            away.map(ToString::to_string).collect::<Vec<_>>().join(",")
        };
        match Self::of(options, reached) {
            Self::Unchecked => Err(MongoManagerError::UncheckedTls),
            Self::PlainLogin if options.hosts.iter().all(is_here) => {
                Err(MongoManagerError::PlainLoginAtMembers { hosts: away(reached) })
            }
            Self::PlainLogin => Err(MongoManagerError::PlainLogin { hosts: away(&options.hosts) }),
            Self::Tls | Self::ThisMachine | Self::Plain => Ok(()),
        }
    }

    /// Whether others on the network could read or change what is said.
    #[must_use]
    pub const fn is_weak(self) -> bool {
        matches!(self, Self::Unchecked | Self::PlainLogin | Self::Plain)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "by TLS, and the server's certificate is checked",
            Self::Unchecked => {
                "by TLS without a check of the server's certificate, which db.allow_insecure allows: anybody on the way can pose as the \
                 server"
            }
            Self::ThisMachine => "without TLS, on this machine",
            Self::PlainLogin => {
                "without TLS, which db.allow_insecure allows: anybody on the way can read and change what is written"
            }
            Self::Plain => {
                "without TLS and without a login: anybody on the way can read and change what is written"
            }
        })
    }
}

pub(super) fn is_plain(options: &ClientOptions) -> bool {
    !matches!(options.tls, Some(Tls::Enabled(_)))
}

pub(super) fn is_here(host: &ServerAddress) -> bool {
    match host {
        ServerAddress::Tcp { host, .. } => is_this_machine(host),
        // A socket in the file system; the driver has no third kind.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(uri: &str) -> Transport {
        let options = ClientOptions::parse(uri).await.expect("a URI");
        Transport::of(&options, &options.hosts)
    }

    #[tokio::test]
    async fn what_others_could_listen_to_is_told_from_what_they_cannot() {
        for (uri, expected) in [
            ("mongodb://u:p@db.example/x?tls=true", Transport::Tls),
            ("mongodb://u:p@db.example/x?tls=true&tlsInsecure=true", Transport::Unchecked),
            (
                "mongodb://127.0.0.1/x?tls=true&tlsAllowInvalidCertificates=true",
                Transport::Unchecked,
            ),
            ("mongodb://u:p@127.0.0.1,localhost:2,[::1]:3/x", Transport::ThisMachine),
            ("mongodb://u:p@%2Ftmp%2Fmongodb.sock/x", Transport::ThisMachine),
            ("mongodb://u:p@127.0.0.1,db.example/x", Transport::PlainLogin),
            ("mongodb://u:p@db.example/x?tls=false", Transport::PlainLogin),
            ("mongodb://db.example/x", Transport::Plain),
        ] {
            assert_eq!(of(uri).await, expected, "{uri}");
        }
    }
}
