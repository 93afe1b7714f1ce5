//! Why there is no database, in one line that says what to do and never holds credentials.

use std::time::Duration;

use mongodb::error::{Error, ErrorKind};

use super::aws_login::AwsLoginError;
use super::escapes::Escapes;

/// The server's code where it gave up, because it was told to after a time.
const MAX_TIME_EXPIRED: i32 = 50;

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
        "the MongoDB URI begins with mongodb+srv://, and this build resolves no SRV names: name the hosts, as in mongodb://HOST1,HOST2/DATABASE?tls=true, \
         or build with the feature `srv`"
    )]
    SrvNotBuilt,
    #[error(transparent)]
    AwsLogin(#[from] AwsLoginError),
    #[error(
        "MongoDB at {hosts} does not know the way to log in that the URI asks for: {detail}; take another authMechanism: SCRAM-SHA-256 with user \
         and password, or MONGODB-X509 with a certificate (MONGODB-AWS is one of MongoDB Atlas)"
    )]
    MechanismUnknown { hosts: String, detail: String },
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
        "MongoDB at {hosts} does not allow this: {detail}; grant the user the role readWrite on the database, or the one that \
         `longshore check --print-role` prints (`--print-role operator` for dead-letters and check --create-indexes)"
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

impl MongoManagerError {
    /// Whether the server does not take the login, or no longer knows it: then a new one may help.
    #[must_use]
    pub fn is_about_login(&self) -> bool {
        matches!(self, Self::NotAuthorised { .. } | Self::BadCredentials { .. } | Self::AwsLogin(_))
    }

    /// Whether the server worked on it for as long as it was told to, and gave up (`MaxTimeMSExpired`).
    #[must_use]
    pub fn is_about_time(&self) -> bool {
        matches!(self, Self::Failed { detail, .. } if detail.ends_with(&code(MAX_TIME_EXPIRED)))
    }
}

fn code(code: i32) -> String {
    format!(", code {code})")
}

/// The text of a driver error without its frame of labels and kinds, and without a full stop.
pub(super) fn text(error: &Error) -> String {
    let text = match error.kind.as_ref() {
        ErrorKind::InvalidArgument { message, .. } => message.clone(),
        ErrorKind::Command(command) => {
            let message = without_operands(&command.message);
            format!("{message} ({}{}", command.code_name, code(command.code))
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

#[cfg(test)]
mod tests {
    use super::*;

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
