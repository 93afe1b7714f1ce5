//! The login MONGODB-AWS: a request to STS, signed with AWS credentials, which the server sends on to
//! learn whose they are. They stand in the connection string, or the process has them.
//! <https://github.com/mongodb/specifications/blob/master/source/auth/auth.md#mongodb-aws>

use std::error::Error as _;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use mongodb::options::{AuthMechanism, Credential};
use percent_encoding::percent_decode_str;

use super::options::options_in;

pub(super) const MECHANISM: &str = "MONGODB-AWS";

/// The one property that the mechanism has.
const TOKEN: &str = "AWS_SESSION_TOKEN";

/// The database of all users whom the server does not keep itself.
const EXTERNAL: &str = "$external";

/// Why nobody can log in by MONGODB-AWS. Of what stands in the connection string, nothing is
/// repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AwsLoginError {
    #[error(
        "the MongoDB URI asks for MONGODB-AWS with half a pair of credentials: give the access key as its user and the secret access key as \
         its password, or neither, to log in with the AWS credentials that the queue is used with"
    )]
    HalfAPair,
    #[error(
        "the MongoDB URI has an AWS_SESSION_TOKEN and no access key that it belongs to: give the access key as its user and the secret \
         access key as its password, or remove the token, to log in with the AWS credentials that the queue is used with"
    )]
    TokenAlone,
    #[error(
        "authMechanismProperties of MONGODB-AWS can be AWS_SESSION_TOKEN:TOKEN and nothing else: correct or remove them"
    )]
    OtherProperty,
    #[error(
        "authSource says another database than $external, where all users of MONGODB-AWS are: remove authSource, or make it \
         authSource=%24external"
    )]
    OtherSource,
    #[error("MONGODB-AWS has nothing to log in with at MongoDB at {hosts}: {detail}")]
    NoCredentials { hosts: String, detail: String },
    #[error(
        "MongoDB at {hosts} refused the AWS credentials: {detail}; check that their IAM role or user is a database user there, by its ARN \
         (in Atlas: authentication method AWS IAM), that they have not expired, and that this machine's clock is right"
    )]
    Refused { hosts: String, detail: String },
}

/// Refuses what the driver would take and not act upon, or refuse at each login. `uri` has all
/// options.
pub(super) fn refuse_unusable(uri: &str) -> Result<(), AwsLoginError> {
    if option(uri, "authMechanism").as_deref() != Some(MECHANISM) {
        return Ok(());
    }
    let properties = option(uri, "authMechanismProperties").unwrap_or_default();
    let mut names = properties
        .split(',')
        .filter(|property| !property.is_empty())
        .map(|property| property.split_once(':'));
    if !names.all(|property| matches!(property, Some((TOKEN, token)) if !token.is_empty())) {
        return Err(AwsLoginError::OtherProperty);
    }
    match pair(uri) {
        None if !properties.is_empty() => return Err(AwsLoginError::TokenAlone),
        Some((key, secret)) if key.is_empty() || secret.is_empty() => {
            return Err(AwsLoginError::HalfAPair);
        }
        _ => {}
    }
    match option(uri, "authSource") {
        Some(source) if source != EXTERNAL => Err(AwsLoginError::OtherSource),
        _ => Ok(()),
    }
}

fn option(uri: &str, wanted: &str) -> Option<String> {
    let (_, value) = options_in(uri).find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

/// User and password as they stand there. A `/` that is not escaped is part of them: the driver says
/// what is wrong with it.
fn pair(uri: &str) -> Option<(&str, &str)> {
    let (_, rest) = uri.split_once("://")?;
    let (user, _) = rest.split('?').next()?.rsplit_once('@')?;
    Some(user.split_once(':').unwrap_or((user, "")))
}

/// Users of these mechanisms are all in `$external`. The driver takes another database for theirs
/// where the TXT record of a `mongodb+srv` name says one for users with passwords, as Atlas's do.
pub(super) fn put_into_external(credential: &mut Credential) {
    let mechanism = credential.mechanism.as_ref();
    if matches!(
        mechanism,
        Some(AuthMechanism::MongoDbAws | AuthMechanism::MongoDbX509 | AuthMechanism::MongoDbOidc)
    ) {
        credential.source = Some(EXTERNAL.to_owned());
    }
}

/// Whether it is the process that has the credentials.
pub(super) fn wants_provider(credential: &Credential) -> bool {
    credential.mechanism == Some(AuthMechanism::MongoDbAws) && credential.username.is_none()
}

/// With whose credentials a client logs in by MONGODB-AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwsLogin {
    OfUri,
    OfProcess,
}

impl AwsLogin {
    pub(super) fn of(credential: Option<&Credential>) -> Option<Self> {
        let credential = credential.filter(|it| it.mechanism == Some(AuthMechanism::MongoDbAws))?;
        Some(if wants_provider(credential) { Self::OfProcess } else { Self::OfUri })
    }
}

impl fmt::Display for AwsLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OfUri => "login by MONGODB-AWS with credentials of the URI",
            Self::OfProcess => {
                "login by MONGODB-AWS with credentials of this process (environment, profile or role), which the queue is used with too"
            }
        })
    }
}

/// The credentials of the process, asked for at each login, and why there were none at the last: of
/// that, the driver says nothing.
#[derive(Debug, Clone)]
pub(super) struct AwsCredentials {
    provider: SharedCredentialsProvider,
    failure: Arc<Mutex<Option<String>>>,
}

impl AwsCredentials {
    pub(super) fn new(provider: SharedCredentialsProvider) -> Self {
        Self { provider, failure: Arc::default() }
    }

    pub(super) fn give_to(&self, credential: &mut Credential) {
        if wants_provider(credential) {
            let provider = SharedCredentialsProvider::new(self.clone());
            credential.aws_credential_provider = Some(provider);
        }
    }

    /// Why there are none for a login that wants them. Asked before the server is, so that it is not
    /// blamed for it, and told by whoever asks.
    pub(super) async fn lack_for(&self, credential: &Credential) -> Option<String> {
        if !wants_provider(credential) {
            return None;
        }
        let provided = self.provider.provide_credentials().await;
        provided.err().map(|error| cause(&error))
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ProvideCredentials for AwsCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let provided = self.provider.provide_credentials().await;
            let failure = provided.as_ref().err().map(cause);
            let mut last = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            // A worker tries again and again, and asks each time.
            if let Some(problem) = failure.as_ref().filter(|_| last.is_none()) {
                tracing::warn!(problem, "no AWS credentials for a login at the database");
            }
            *last = failure;
            provided
        })
    }
}

/// The last cause: what is before it only says that something happened.
fn cause(error: &CredentialsError) -> String {
    let mut cause = error.source();
    while let Some(next) = cause.and_then(std::error::Error::source) {
        cause = Some(next);
    }
    cause.map_or_else(|| error.to_string(), ToString::to_string)
}

/// Whether the driver, which had no provider, found nothing in the standard chain by itself.
pub(super) fn has_no_credentials(said: &str) -> bool {
    said.starts_with("failed to get creds") || said == "no credential provider configured"
}

/// Where credentials are asked for and nobody answers.
pub(super) const SILENT: &str = "the source of this process's AWS credentials (profile, role or metadata service) does not answer";

/// What to do then.
pub(super) const WHERE_FROM: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile in AWS_PROFILE, or run where a role is \
                                     attached";

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(rest: &str) -> Result<(), AwsLoginError> {
        refuse_unusable(&format!("mongodb://{rest}"))
    }

    #[test]
    fn what_nobody_could_log_in_with_is_refused_before_a_server_is_asked() {
        let with = |user: &str, options: &str| {
            refused(&format!("{user}host/db?authMechanism=MONGODB-AWS{options}"))
        };
        for user in ["AKIA@", "AKIA:@", ":secret@", "@", ":@"] {
            assert_eq!(with(user, ""), Err(AwsLoginError::HalfAPair), "{user}");
        }
        let token = "&authMechanismProperties=AWS_SESSION_TOKEN:tok%2Fen";
        assert_eq!(with("", token), Err(AwsLoginError::TokenAlone));
        for properties in ["AWS_SESSION_TOKN:a", "AWS_SESSION_TOKEN", "AWS_SESSION_TOKEN:", "a:b"] {
            let options = format!("&authMechanismProperties={properties}");
            assert_eq!(with("a:b@", &options), Err(AwsLoginError::OtherProperty), "{properties}");
        }
        for source in ["admin", "db", "external", "%24External"] {
            let options = format!("&authSource={source}");
            assert_eq!(with("", &options), Err(AwsLoginError::OtherSource), "{source}");
        }
        for (user, options) in [
            ("", ""),
            ("", "&authSource=%24external"),
            ("", "&AUTHSOURCE=$external"),
            ("AKIA:sec%2Fret@", token),
            // For the driver to say.
            ("AKIA:sec/ret@", ""),
        ] {
            assert_eq!(with(user, options), Ok(()), "{user} {options}");
        }
    }

    #[test]
    fn other_mechanisms_are_not_looked_at() {
        for rest in [
            "u@host/db?authMechanism=MONGODB-X509",
            "u:p@host/db?authSource=admin",
            "u@h/db?authMechanism=PLAIN&authMechanismProperties=a:b",
        ] {
            assert_eq!(refused(rest), Ok(()), "{rest}");
        }
    }

    #[test]
    fn a_record_for_users_with_passwords_says_nothing_of_users_without_one() {
        let of = |mechanism| {
            let mut credential =
                Credential::builder().mechanism(mechanism).source("admin".to_owned()).build();
            put_into_external(&mut credential);
            credential.source.expect("a database")
        };
        assert_eq!(of(AuthMechanism::MongoDbAws), "$external");
        assert_eq!(of(AuthMechanism::MongoDbX509), "$external");
        assert_eq!(of(AuthMechanism::MongoDbOidc), "$external");
        assert_eq!(of(AuthMechanism::ScramSha256), "admin");
    }

    #[tokio::test]
    async fn why_there_are_no_credentials_is_known_until_there_are() {
        #[derive(Debug, Default)]
        struct Once(std::sync::atomic::AtomicBool);

        impl ProvideCredentials for Once {
            fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
            where
                Self: 'a,
            {
                let is_there = self.0.swap(true, std::sync::atomic::Ordering::Relaxed);
                let given = aws_credential_types::Credentials::new("a", "b", None, None, "test");
                let none = CredentialsError::not_loaded("no profile has any");
                future::ProvideCredentials::ready(if is_there { Ok(given) } else { Err(none) })
            }
        }

        let credentials = AwsCredentials::new(SharedCredentialsProvider::new(Once::default()));
        let of_uri = Credential::builder()
            .mechanism(AuthMechanism::MongoDbAws)
            .username("AKIA".to_owned())
            .build();
        assert_eq!(credentials.lack_for(&of_uri).await, None, "nobody is asked");
        let login = Credential::builder().mechanism(AuthMechanism::MongoDbAws).build();
        let lack = credentials.lack_for(&login).await;
        assert_eq!(lack.as_deref(), Some("no profile has any"));
        assert_eq!(credentials.lack_for(&login).await, None);
        let credentials = AwsCredentials::new(SharedCredentialsProvider::new(Once::default()));
        credentials.provide_credentials().await.expect_err("none at the first login");
        assert_eq!(credentials.failure().as_deref(), Some("no profile has any"));
        credentials.provide_credentials().await.expect("at the second");
        assert_eq!(credentials.failure(), None);
    }
}
