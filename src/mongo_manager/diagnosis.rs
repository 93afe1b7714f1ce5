//! What an error of the driver means to whoever must act.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mongodb::error::{Error, ErrorKind};
use mongodb::event::sdam::SdamEvent;
use mongodb::options::{ClientOptions, Tls};

use super::aws_login::{self, AwsCredentials, AwsLoginError};
use super::error::{MongoManagerError, text};
use super::options::selection_timeout;
use super::redactor::Redactor;

/// Codes of the server: `Unauthorized`, `AuthenticationFailed` and `MechanismUnavailable`.
const UNAUTHORISED: i32 = 13;
const AUTHENTICATION_FAILED: i32 = 18;
const MECHANISM_UNAVAILABLE: i32 = 334;
/// `AtlasError`, with which Atlas refuses logins.
const OF_ATLAS: i32 = 8_000;

/// What turns the driver's errors into ours: where it wanted to go, and why it last failed to get
/// there. An error of the driver says only that no server was found in time; the reason is in the
/// failed heartbeats before it.
pub(super) struct Diagnosis {
    hosts: String,
    tls: bool,
    has_login: bool,
    /// The replica set that the URI asks for.
    wanted_set: Option<String>,
    selection_timeout: Duration,
    aws: Option<AwsCredentials>,
    redactor: Mutex<Redactor>,
    heartbeats: Mutex<Heartbeats>,
}

#[derive(Default)]
struct Heartbeats {
    /// Some server answered one.
    any_succeeded: bool,
    /// Unless the last one succeeded.
    last_failure: Option<Error>,
    last_answer: Option<Answer>,
}

/// Of a server that answered a heartbeat.
struct Answer {
    /// The replica set that it is of.
    set: Option<String>,
}

impl Diagnosis {
    pub(super) fn new(
        options: &ClientOptions,
        aws: Option<AwsCredentials>,
        redactor: Redactor,
    ) -> Self {
        Self {
            hosts: options.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
            tls: matches!(options.tls, Some(Tls::Enabled(_))),
            has_login: options.credential.is_some(),
            wanted_set: options.repl_set_name.clone(),
            selection_timeout: selection_timeout(options),
            aws,
            redactor: Mutex::new(redactor),
            heartbeats: Mutex::default(),
        }
    }

    pub(super) fn hosts(&self) -> &str {
        &self.hosts
    }

    /// Hides what `redactor` knows too, from now on.
    pub(super) fn learn(&self, redactor: Redactor) {
        self.redactor().learn(redactor);
    }

    fn redactor(&self) -> MutexGuard<'_, Redactor> {
        self.redactor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called by the driver when it looks at its servers.
    pub(super) fn record(&self, event: SdamEvent) {
        match event {
            SdamEvent::ServerHeartbeatFailed(event) => {
                self.heartbeats().last_failure = Some(event.failure);
            }
            SdamEvent::ServerHeartbeatSucceeded(event) => {
                let set = event.reply.get_str("setName").ok().map(str::to_owned);
                *self.heartbeats() = Heartbeats {
                    any_succeeded: true,
                    last_failure: None,
                    last_answer: Some(Answer { set }),
                }
            }
            _ => {}
        }
    }

    fn heartbeats(&self) -> MutexGuard<'_, Heartbeats> {
        self.heartbeats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a driver's error means to whoever must act.
    pub(super) fn explain(&self, error: &Error) -> MongoManagerError {
        if !matches!(error.kind.as_ref(), ErrorKind::ServerSelection { .. }) {
            return self.explain_directly(error, false);
        }
        let heartbeats = self.heartbeats();
        match &heartbeats.last_failure {
            Some(failure) => self.explain_directly(failure, !heartbeats.any_succeeded),
            None if answers(error) => self.no_server(
                "servers answer, but none of them is a primary of the wanted replica set".into(),
            ),
            None => self.wrong_set(&heartbeats).unwrap_or_else(|| self.silent()),
        }
    }

    /// A server of another set than the wanted one is left out by the driver, as if it were not
    /// there.
    fn wrong_set(&self, heartbeats: &Heartbeats) -> Option<MongoManagerError> {
        let wanted = self.wanted_set.clone()?;
        let found = match &heartbeats.last_answer.as_ref()?.set {
            Some(set) if *set == wanted => return None,
            Some(set) => format!("is of the replica set {set}"),
            None => "is of no replica set".to_owned(),
        };
        Some(MongoManagerError::WrongReplicaSet { hosts: self.hosts.clone(), found, wanted })
    }

    /// The server was found but did not answer in time.
    pub(super) fn silent(&self) -> MongoManagerError {
        self.no_server("it takes connections but does not answer".into())
    }

    fn no_server(&self, detail: String) -> MongoManagerError {
        MongoManagerError::NoServer {
            hosts: self.hosts.clone(),
            waited: self.selection_timeout,
            detail,
        }
    }

    fn login_failed(&self, error: &Error, message: &str) -> MongoManagerError {
        let hosts = self.hosts.clone();
        let clean = |text: &str| self.redactor().clean(text.trim_end_matches('.'));
        // "MONGODB-AWS failure: Authentication failed."
        let (mechanism, said) = message.split_once(" failure: ").unwrap_or(("", message));
        match code_of(error) {
            Some(MECHANISM_UNAVAILABLE) => {
                MongoManagerError::MechanismUnknown { hosts, detail: clean(said) }
            }
            _ if mechanism != aws_login::MECHANISM => {
                MongoManagerError::BadCredentials { hosts, detail: clean(&text(error)) }
            }
            Some(AUTHENTICATION_FAILED | OF_ATLAS) => {
                AwsLoginError::Refused { hosts, detail: clean(said) }.into()
            }
            // It could not ask, or ends.
            Some(code) => {
                let detail = format!("{} (code {code})", clean(said));
                MongoManagerError::Failed { hosts, detail }
            }
            // What has no code is no answer of a server: the driver says it by itself.
            None => match self.aws.as_ref().and_then(AwsCredentials::failure) {
                Some(detail) => AwsLoginError::NoCredentials { hosts, detail }.into(),
                None if aws_login::has_no_credentials(said) => {
                    let detail = format!("{}; {}", clean(said), aws_login::WHERE_FROM);
                    AwsLoginError::NoCredentials { hosts, detail }.into()
                }
                None => MongoManagerError::Failed { hosts, detail: clean(said) },
            },
        }
    }

    /// `at_first_contact`: the error is of a heartbeat, and no server has answered one yet.
    fn explain_directly(&self, error: &Error, at_first_contact: bool) -> MongoManagerError {
        let (hosts, detail) = (self.hosts.clone(), self.redactor().clean(&text(error)));
        match error.kind.as_ref() {
            ErrorKind::Authentication { message, .. } => self.login_failed(error, message),
            ErrorKind::Command(command) if command.code == AUTHENTICATION_FAILED => {
                MongoManagerError::BadCredentials { hosts, detail }
            }
            ErrorKind::Command(command) if command.code == UNAUTHORISED && !self.has_login => {
                MongoManagerError::NoLogin { hosts, detail }
            }
            ErrorKind::Command(command) if command.code == UNAUTHORISED => {
                MongoManagerError::NotAuthorised { hosts, detail }
            }
            ErrorKind::InvalidTlsConfig { .. } => {
                let detail = format!("{detail}; check tlsCAFile and tlsCertificateKeyFile");
                MongoManagerError::TlsFailed { hosts, detail }
            }
            ErrorKind::DnsResolve { .. } => MongoManagerError::HostUnknown { detail },
            ErrorKind::Io(io) if self.tls && io.kind() == io::ErrorKind::InvalidData => {
                let detail = format!(
                    "{detail}; check tlsCAFile, and that the server's certificate names the host"
                );
                MongoManagerError::TlsFailed { hosts, detail }
            }
            ErrorKind::Io(io) if self.tls && at_first_contact && is_hang_up(io.kind()) => {
                let detail = format!(
                    "it closes the connection at once ({detail}): if it has no TLS, remove tls from the URI; if it asks for a certificate, \
                     name yours in tlsCertificateKeyFile"
                );
                MongoManagerError::TlsFailed { hosts, detail }
            }
            ErrorKind::Io(io) if at_first_contact && is_hang_up(io.kind()) => {
                // What a server that insists on TLS does with a client that speaks none.
                let detail = format!(
                    "it closes the connection at once ({detail}): if it requires TLS, add tls=true to the URI"
                );
                MongoManagerError::TlsFailed { hosts, detail }
            }
            // What a firewall refuses has the same kind.
            ErrorKind::Io(io)
                if io.kind() == io::ErrorKind::PermissionDenied && hosts.starts_with('/') =>
            {
                MongoManagerError::SocketDenied { path: hosts, detail }
            }
            ErrorKind::Io(_) if at_first_contact => self.no_server(detail),
            ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } => {
                MongoManagerError::ConnectionLost { hosts, detail }
            }
            _ => MongoManagerError::Failed { hosts, detail },
        }
    }
}

/// The code in a server's answer to a login, which the driver keeps behind an error of its own.
fn code_of(error: &Error) -> Option<i32> {
    let cause = std::error::Error::source(error)?;
    match cause.downcast_ref::<Box<Error>>()?.kind.as_ref() {
        ErrorKind::Command(command) => Some(command.code),
        _ => None,
    }
}

/// Whether the driver has learned of any server what it is.
fn answers(error: &Error) -> bool {
    let text = error.to_string();
    ["Type: RS", "Type: Standalone", "Type: Mongos", "Type: LoadBalancer"]
        .iter()
        .any(|kind| text.contains(kind))
}

/// How a server ends a handshake that it does not want. What is wrong with its certificate, rustls
/// reports as `InvalidData`.
fn is_hang_up(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_that_may_not_be_connected_to_is_told_from_one_where_nobody_listens() {
        let options = ClientOptions::parse("mongodb://%2Ftmp%2Fa.sock/db").await.expect("a URI");
        let diagnosis = Diagnosis::new(&options, None, Redactor::default());
        let told = |kind: io::ErrorKind| {
            diagnosis.explain_directly(&io::Error::from(kind).into(), true).to_string()
        };
        let text = told(io::ErrorKind::PermissionDenied);
        assert!(text.starts_with("the socket /tmp/a.sock may not be connected to: "), "{text}");
        let text = told(io::ErrorKind::ConnectionRefused);
        assert!(text.starts_with("no MongoDB server at /tmp/a.sock within"), "{text}");
    }
}
