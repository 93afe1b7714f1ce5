//! Why there is no database, in one line that says what to do and never holds credentials.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mongodb::error::{Error, ErrorKind};
use mongodb::event::sdam::SdamEvent;
use mongodb::options::{ClientOptions, Tls};

use super::escapes::Escapes;
use super::options::selection_timeout;
use super::redactor::Redactor;

/// Holds no error of the driver as its source, since nothing is known of what those print.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MongoManagerError {
    #[error(
        "no MongoDB URI is set: set MONGO_CACHE_URI, or db.mongo_uri in the configuration, to mongodb://HOST/DATABASE"
    )]
    UriUnset,
    #[error("the configuration is not valid: {0}")]
    Configuration(String),
    #[error("the MongoDB URI has {found}: it must begin with mongodb:// or mongodb+srv://")]
    WrongScheme { found: String },
    #[error(
        "the MongoDB URI names no database: add one after the host, as in mongodb://HOST/DATABASE"
    )]
    NoDatabase,
    #[error("the MongoDB URI cannot be read: {detail}{escapes}")]
    UnreadableUri { detail: String, escapes: Escapes },
    #[error(
        "db.connection_options cannot be used: {detail}; see the MongoDB manual's page on connection string options"
    )]
    UnreadableOptions { detail: String },
    #[error(
        "the MongoDB URI or db.connection_options ask for w=0: remove that, since nothing counts as written without an acknowledgement"
    )]
    Unacknowledged,
    #[error(
        "authMechanism {mechanism} is not in this build: log in with a user and a password (SCRAM), or with a certificate (MONGODB-X509)"
    )]
    MechanismNotBuilt { mechanism: &'static str },
    #[error(
        "tlsInsecure or tlsAllowInvalidCertificates switch off the check of the server's certificate, so that anybody on the way can pose as \
         the server: name the authority that signed it in tlsCAFile, or set db.allow_insecure to true"
    )]
    UncheckedTls,
    #[error(
        "{hosts} is another machine, and the URI has a login and no TLS, so that anybody on the way can read and change what is written: add \
         tls=true to the URI, or set db.allow_insecure to true"
    )]
    PlainLogin { hosts: String },
    #[error(
        "the URI has a login and no TLS, and names this machine, but the replica set there names its members {hosts}, where the driver logs \
         in: that is another machine, and anybody on the way can read and change what is written; add tls=true to the URI, or \
         directConnection=true to stay with the one host in it, or set db.allow_insecure to true"
    )]
    PlainLoginAtMembers { hosts: String },
    #[error(
        "the host of the MongoDB URI cannot be resolved: {detail}; check its spelling and the name service"
    )]
    HostUnknown { detail: String },
    #[error(
        "{path}, the socket that the MongoDB URI names, does not exist: check that the server runs on this machine, and its \
         net.unixDomainSocket.pathPrefix{hint}"
    )]
    NoSocket { path: String, hint: &'static str },
    #[error(
        "{path}, which the MongoDB URI names, is not a socket: name the one that the server listens at, as in /tmp/mongodb-27017.sock"
    )]
    NotASocket { path: String },
    #[error(
        "the socket {path} may not be connected to: {detail}; let this process's user write to it and search its folder \
         (net.unixDomainSocket.filePermissions of the server)"
    )]
    SocketDenied { path: String, detail: String },
    #[error(
        "{host} is a path, and is taken for the name of a host: the name of a socket ends in .sock"
    )]
    MisnamedSocket { host: String },
    #[error(
        "MongoDB at {hosts} refused the credentials: {detail}; check user name, password and authSource"
    )]
    BadCredentials { hosts: String, detail: String },
    #[error(
        "MongoDB at {hosts} does not allow this: {detail}; grant the user the role readWrite on the database"
    )]
    NotAuthorised { hosts: String, detail: String },
    #[error(
        "MongoDB at {hosts} wants a login, and the URI has none: {detail}; add user and password to the URI, and authSource where the user is \
         of another database"
    )]
    NoLogin { hosts: String, detail: String },
    #[error(
        "MongoDB at {hosts} answers, but {found}, and the URI asks for replicaSet={wanted}: correct replicaSet"
    )]
    WrongReplicaSet { hosts: String, found: String, wanted: String },
    #[error("no TLS connection to MongoDB at {hosts}: {detail}")]
    TlsFailed { hosts: String, detail: String },
    #[error("no MongoDB server at {hosts} within {} s: {detail}; check that it runs, its address, and replicaSet", waited.as_secs_f32())]
    NoServer { hosts: String, waited: Duration, detail: String },
    #[error(
        "the connection to MongoDB at {hosts} was lost: {detail}; the client makes a new one at the next call"
    )]
    ConnectionLost { hosts: String, detail: String },
    #[error("MongoDB at {hosts} answered with an error: {detail}")]
    Failed { hosts: String, detail: String },
    #[error("the MongoDB client is there already: configure it before its first use")]
    AlreadyStarted,
}

/// Codes of the server: `Unauthorized` and `AuthenticationFailed`.
const UNAUTHORISED: i32 = 13;
const AUTHENTICATION_FAILED: i32 = 18;

/// The text of a driver error without its frame of labels and kinds, and without a full stop.
pub(super) fn text(error: &Error) -> String {
    let text = match error.kind.as_ref() {
        ErrorKind::InvalidArgument { message, .. } => message.clone(),
        ErrorKind::Command(command) => {
            let message = without_operands(&command.message);
            format!("{message} ({}, code {})", command.code_name, command.code)
        }
        ErrorKind::Io(io) => io.to_string(),
        kind => kind.to_string(),
    };
    text.trim_end_matches('.').to_owned()
}

/// What is refused as "not authorized on portal to execute command { find: .., and a page more" names
/// its command alone.
fn without_operands(message: &str) -> String {
    let Some((who, command)) = message.split_once(" to execute command {") else {
        return message.to_owned();
    };
    let name = command.split(':').next().unwrap_or_default().trim();
    format!("{who} to execute {name}")
}

pub(super) fn is_dns(error: &Error) -> bool {
    matches!(error.kind.as_ref(), ErrorKind::DnsResolve { .. })
}

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
    pub(super) fn new(options: &ClientOptions, redactor: Redactor) -> Self {
        Self {
            hosts: options.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
            tls: matches!(options.tls, Some(Tls::Enabled(_))),
            has_login: options.credential.is_some(),
            wanted_set: options.repl_set_name.clone(),
            selection_timeout: selection_timeout(options),
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

    /// `at_first_contact`: the error is of a heartbeat, and no server has answered one yet.
    fn explain_directly(&self, error: &Error, at_first_contact: bool) -> MongoManagerError {
        let (hosts, detail) = (self.hosts.clone(), self.redactor().clean(&text(error)));
        match error.kind.as_ref() {
            ErrorKind::Authentication { .. } => MongoManagerError::BadCredentials { hosts, detail },
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
        let diagnosis = Diagnosis::new(&options, Redactor::default());
        let told = |kind: io::ErrorKind| {
            diagnosis.explain_directly(&io::Error::from(kind).into(), true).to_string()
        };
        let text = told(io::ErrorKind::PermissionDenied);
        assert!(text.starts_with("the socket /tmp/a.sock may not be connected to: "), "{text}");
        let text = told(io::ErrorKind::ConnectionRefused);
        assert!(text.starts_with("no MongoDB server at /tmp/a.sock within"), "{text}");
    }

    #[test]
    fn a_command_that_is_not_allowed_is_named_without_what_stood_in_it() {
        for (message, expected) in [
            (
                "not authorized on portal to execute command { listCollections: 1, filter: {} }",
                "not authorized on portal to execute listCollections",
            ),
            ("command find requires authentication", "command find requires authentication"),
        ] {
            assert_eq!(without_operands(message), expected);
        }
    }
}
