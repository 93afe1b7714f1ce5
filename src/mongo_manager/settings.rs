//! From the configuration to the driver's options. What can be seen to be wrong without a server is
//! refused here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use mongodb::options::{Acknowledgment, ClientOptions, ConnectionString, Credential};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::aws_login;
use super::error::{self, MongoManagerError};
use super::escapes::Escapes;
use super::options::options_in;
use super::redactor::Redactor;
use super::sockets;
use super::transport::Transport;
use crate::config::connection_options::complaint;
use crate::config::{self, DbConfig};

/// What the server's log and `currentOp` call our connections, unless the connection string has
/// another name.
const APP_NAME: &str = "longshore";

/// A way to log in that the driver is built without: it would need Kerberos's libraries on the machine.
const NOT_BUILT: &str = "GSSAPI";

/// Options for a client, and what keeps its errors clean.
pub(super) struct Settings {
    pub(super) options: ClientOptions,
    pub(super) database: String,
    pub(super) redactor: Redactor,
}

fn uri_of(config: &DbConfig) -> Result<&str, MongoManagerError> {
    let uri = config.mongo_uri.as_ref().map(|uri| uri.expose().trim());
    uri.filter(|uri| !uri.is_empty()).ok_or(MongoManagerError::UriUnset)
}

/// The database that the connection string names. Nobody is asked, and no name resolved.
///
/// # Errors
/// Where there is no connection string, it cannot be read, or it names none.
pub fn database_name(config: &DbConfig) -> Result<String, MongoManagerError> {
    let uri = uri_of(config)?;
    let parsed = ConnectionString::parse(uri).map_err(|error| {
        let detail = Redactor::of_text(uri).clean(&error::text(&error));
        MongoManagerError::UnreadableUri { detail, escapes: Escapes::of(uri) }
    })?;
    parsed.default_database.ok_or(MongoManagerError::NoDatabase)
}

/// Reads the connection string, with `connection_options` under the options in it. Resolves
/// `mongodb+srv` names, for as long as a server is looked for.
pub(super) async fn read(config: &DbConfig) -> Result<Settings, MongoManagerError> {
    let uri = uri_of(config)?;
    let with_options = |mut redactor: Redactor| {
        config.connection_options.iter().for_each(|(name, value)| redactor.add_option(name, value));
        redactor
    };
    let redactor = with_options(Redactor::of_text(uri));
    if !uri.starts_with("mongodb://") && !uri.starts_with("mongodb+srv://") {
        return Err(MongoManagerError::WrongScheme { found: scheme(uri, &redactor) });
    }
    if cfg!(not(feature = "srv")) && uri.starts_with("mongodb+srv://") {
        return Err(MongoManagerError::SrvNotBuilt);
    }
    let merged = merge(uri, &config.connection_options);
    refuse_mechanism(&merged)?;
    aws_login::refuse_unusable(&merged)?;
    refuse_options(uri, &config.connection_options, &redactor)?;
    let unreadable = |error: &mongodb::error::Error| {
        let detail = redactor.clean(&error::text(error));
        // The connection string alone tells whose fault it is.
        match ConnectionString::parse(uri) {
            Ok(_) if !config.connection_options.is_empty() => {
                MongoManagerError::UnreadableOptions { detail }
            }
            _ => MongoManagerError::UnreadableUri { detail, escapes: Escapes::of(uri) },
        }
    };
    let parsed = ConnectionString::parse(&merged).map_err(|error| unreadable(&error))?;
    let resolved =
        tokio::time::timeout(config.server_selection_timeout, ClientOptions::parse(parsed)).await;
    let mut options = match resolved {
        Ok(Ok(options)) => options,
        Ok(Err(error)) if error::is_dns(&error) => {
            return Err(MongoManagerError::HostUnknown {
                detail: redactor.clean(&error::text(&error)),
            });
        }
        Ok(Err(error)) => return Err(unreadable(&error)),
        Err(_) => {
            let seconds = config.server_selection_timeout.as_secs_f32();
            return Err(MongoManagerError::HostUnknown {
                detail: format!("no answer to the SRV query within {seconds} s"),
            });
        }
    };
    if let Some(credential) = &mut options.credential {
        aws_login::put_into_external(credential);
    }
    let database = options.default_database.clone().ok_or(MongoManagerError::NoDatabase)?;
    if options
        .write_concern
        .as_ref()
        .is_some_and(|concern| concern.w == Some(Acknowledgment::Nodes(0)))
    {
        return Err(MongoManagerError::Unacknowledged);
    }
    if !config.allow_insecure {
        Transport::refuse_weak(&options, &options.hosts)?;
    }
    sockets::refuse_absent(&options.hosts, &redactor)?;
    options.app_name.get_or_insert_with(|| APP_NAME.to_owned());
    // Whether and when to ask again is decided in one place, and that is not the driver.
    options.max_adaptive_retries = Some(0);
    options.server_selection_timeout.get_or_insert(config.server_selection_timeout);
    // The driver's own ten are fewer than all lanes may use: who asks how the server is would wait
    // behind their writes. It refuses a pool whose most is less than its least.
    let connections = u32::try_from(config.connections).unwrap_or(u32::MAX);
    options.max_pool_size.get_or_insert(connections.max(options.min_pool_size.unwrap_or_default()));
    let redactor = with_options(Redactor::of_credential(uri, options.credential.as_ref()));
    Ok(Settings { options, database, redactor })
}

/// The login in the file of the connection string as it is now, and what keeps it hidden; the rest of
/// the file counts from the start on, as the database of the user does, unless the file says it.
pub(super) fn login_in_file(
    config: &DbConfig,
    first: Option<&Credential>,
) -> Result<Option<(Credential, Redactor)>, String> {
    let Some(path) = &config.mongo_uri_file else { return Ok(None) };
    let uri = config::read_uri(path)?;
    let merged = merge(&uri, &config.connection_options);
    refuse_mechanism(&merged).map_err(|error| error.to_string())?;
    aws_login::refuse_unusable(&merged).map_err(|error| error.to_string())?;
    let parsed = ConnectionString::parse(merged)
        .map_err(|error| Redactor::of_text(&uri).clean(&error::text(&error)))?;
    let redactor = Redactor::of_credential(&uri, parsed.credential.as_ref());
    let Some(mut credential) = parsed.credential else { return Ok(None) };
    // The driver fills it in only where it resolves hosts.
    let first = first.filter(|first| first.mechanism == credential.mechanism);
    let source = credential.source.take().or_else(|| first?.source.clone());
    credential.source = source.or(parsed.default_database);
    aws_login::put_into_external(&mut credential);
    Ok(Some((credential, redactor)))
}

/// Refuses options that the driver does not take, in words of our own, and two that contradict each
/// other.
fn refuse_options(
    uri: &str,
    options: &BTreeMap<String, String>,
    redactor: &Redactor,
) -> Result<(), MongoManagerError> {
    let of_uri: Vec<_> = options_in(uri)
        .map(|(name, value)| (percent_decode_str(name).decode_utf8_lossy(), value))
        .collect();
    let mut tls =
        of_uri.iter().filter(|(name, _)| canonical(name) == "tls").map(|(_, value)| *value);
    let first = tls.next();
    let differs = tls.any(|other| Some(other) != first);
    let is_of_tls =
        |name: &str| name.to_ascii_lowercase().starts_with("tls") && canonical(name) != "tls";
    let detail = if differs {
        Some(
            "tls and ssl are two names of one option, and say different things: keep tls=true"
                .to_owned(),
        )
    } else if first == Some("false")
        && let Some((name, _)) = of_uri.iter().find(|(name, _)| is_of_tls(name))
    {
        Some(format!("tls=false contradicts {name}: make it tls=true"))
    } else {
        of_uri.iter().find_map(|(name, value)| complaint(name, value))
    };
    if let Some(detail) = detail {
        let detail = redactor.clean(&detail);
        return Err(MongoManagerError::UnreadableUri { detail, escapes: Escapes::of(uri) });
    }
    match options.iter().find_map(|(name, value)| complaint(name, value)) {
        Some(detail) => {
            Err(MongoManagerError::UnreadableOptions { detail: redactor.clean(&detail) })
        }
        None => Ok(()),
    }
}

/// Refuses what the driver knows and this build does not have. The driver's own word for it would be
/// that the connection string cannot be read.
fn refuse_mechanism(uri: &str) -> Result<(), MongoManagerError> {
    let asked = options_in(uri).find(|(name, _)| name.eq_ignore_ascii_case("authMechanism"));
    if asked.is_some_and(|(_, value)| value.eq_ignore_ascii_case(NOT_BUILT)) {
        return Err(MongoManagerError::MechanismNotBuilt { mechanism: NOT_BUILT });
    }
    Ok(())
}

/// Appends the options that the connection string does not have. Names count without case, as in
/// the driver.
fn merge<'a>(uri: &str, options: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let present: BTreeSet<String> = options_in(uri).map(|(name, _)| canonical(name)).collect();
    let mut merged = uri.to_owned();
    for (name, value) in options {
        if present.contains(&canonical(name)) {
            continue;
        }
        let separator = match merged.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        let (name, value) = (
            utf8_percent_encode(name, NON_ALPHANUMERIC),
            utf8_percent_encode(value, NON_ALPHANUMERIC),
        );
        let _ = write!(merged, "{separator}{name}={value}");
    }
    merged
}

/// `ssl` is the old name of `tls`.
fn canonical(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    if name == "ssl" { "tls".to_owned() } else { name }
}

/// What stands before `://`, if it looks like a scheme and not like a password.
fn scheme(uri: &str, redactor: &Redactor) -> String {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte);
    if uri.starts_with(['\'', '"']) {
        return "quotes around it".to_owned();
    }
    match uri.split_once("://") {
        Some((scheme, _))
            if !scheme.is_empty() && scheme.len() <= 20 && scheme.bytes().all(allowed) =>
        {
            redactor.clean(&format!("the scheme {scheme}://"))
        }
        _ => "no scheme".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::config::Secret;
    use crate::mongo_manager::options::selection_timeout;

    fn config(uri: &str, options: &[(&str, &str)]) -> DbConfig {
        let connection_options: BTreeMap<_, _> =
            options.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        DbConfig { mongo_uri: Some(Secret::new(uri)), connection_options, ..DbConfig::default() }
    }

    async fn options(uri: &str, options: &[(&str, &str)]) -> ClientOptions {
        read(&config(uri, options)).await.unwrap_or_else(|error| panic!("{error}")).options
    }

    async fn error(uri: &str, options: &[(&str, &str)]) -> String {
        match read(&config(uri, options)).await {
            Ok(_) => panic!("{uri} was accepted"),
            Err(error) => {
                assert!(
                    !format!("{error} {error:?}").to_lowercase().contains("hunter2"),
                    "leaks: {error:?}"
                );
                error.to_string()
            }
        }
    }

    #[tokio::test]
    async fn options_apply_under_those_in_the_connection_string() {
        let both =
            [("maxPoolSize", "7"), ("RETRYWRITES", "false"), ("tls", "true"), ("appName", "a&b=c")];
        let read = options("mongodb://host/db?maxpoolsize=3&ssl=false", &both).await;
        assert_eq!(read.max_pool_size, Some(3));
        assert_eq!(read.retry_writes, Some(false));
        assert_eq!(read.tls, Some(mongodb::options::Tls::Disabled));
        assert_eq!(read.app_name.as_deref(), Some("a&b=c"));
        assert_eq!(
            options("mongodb://host/db?", &[("maxPoolSize", "7")]).await.max_pool_size,
            Some(7)
        );
    }

    #[tokio::test]
    async fn what_nobody_set_has_our_defaults() {
        let read = options("mongodb://host/db", &[]).await;
        assert_eq!(read.app_name.as_deref(), Some("longshore"));
        assert_eq!(
            read.server_selection_timeout,
            Some(DbConfig::default().server_selection_timeout)
        );
        // Three lanes and that of the dead letters, with four writes each; and four more.
        assert_eq!(read.max_pool_size, Some(20));
        let read = options("mongodb://host/db?minPoolSize=30", &[]).await;
        assert_eq!(read.max_pool_size, Some(30));
        let read = options("mongodb://host/db?serverSelectionTimeoutMS=1500", &[]).await;
        assert_eq!(selection_timeout(&read), Duration::from_millis(1_500));
    }

    #[tokio::test]
    async fn each_unreadable_setting_is_an_error_that_says_what_to_do() {
        let unset = DbConfig::default();
        assert!(matches!(read(&unset).await, Err(MongoManagerError::UriUnset)));
        for (uri, given, expected) in [
            (" ", vec![], "no MongoDB URI is set: set MONGO_CACHE_URI"),
            (
                "postgres://u:hunter2@host/db",
                vec![],
                "has the scheme postgres://: it must begin with mongodb://",
            ),
            ("u:hunter2@host/db", vec![], "has no scheme"),
            ("mongodb://u:hunter2@host", vec![], "names no database"),
            ("mongodb://u:hunter2@host/", vec![], "names no database"),
            ("mongodb://u:hunter2@host/?tls=true", vec![], "names no database"),
            ("mongodb://host:99999/db", vec![], "the MongoDB URI cannot be read: "),
            ("mongodb://host/db", vec![("authMechanism", "gssapi")], "GSSAPI is not in this build"),
            (
                "mongodb://u:hunter2@host/db",
                vec![],
                "host:27017 is another machine, and the URI has a login and no TLS",
            ),
            ("mongodb://host/db?tls=true&tlsInsecure=true", vec![], "tlsCAFile"),
            (
                "mongodb://host/db?tls=true",
                vec![("tlsAllowInvalidCertificates", "true")],
                "db.allow_insecure",
            ),
            ("mongodb://u:hunter2@x@host/db", vec![], "percent-encoded"),
            ("mongodb://u:hun/hunter2@host/db", vec![], "percent-encoded"),
            ("mongodb://u:a?Hunter2=b@host/db", vec![], "percent-encoded"),
            ("mongodb://u:12?hunter2@host/db", vec![], "percent-encoded"),
            ("mongodb://u:h@un/hunter2@host/db", vec![], "percent-encoded"),
            ("mongodb://u:h@un?hunter2@host/db", vec![], "percent-encoded"),
            ("'mongodb://u:hunter2@host/db'", vec![], "has quotes around it"),
            ("\"mongodb://host/db", vec![], "has quotes around it"),
            ("mongodb://%2Fjust%2Fnope.sock/db", vec![], "/just/nope.sock, the socket"),
            (
                "mongodb://host/db?maxPolSize=3",
                vec![],
                "maxPolSize is not an option here, did you mean maxPoolSize?",
            ),
            ("mongodb://host/db?tls=true&compressors=zstd", vec![], "this build does not compress"),
            ("mongodb://host/db?tls=true&tlsAllowInvalidHostnames=true", vec![], "always checked"),
            ("mongodb://host/db?uuidRepresentation=standard", vec![], "subtype 4"),
            ("mongodb://host/db?ssl=true&tls=false", vec![], "two names of one option"),
            ("mongodb://host/db?tls=false&tlsCAFile=/a", vec![], "make it tls=true"),
            ("mongodb://host/db?tlsInsecure=false&ssl=false", vec![], "make it tls=true"),
            ("mongodb://host/db", vec![("tz_aware", "true")], "changes nothing here"),
            (
                "mongodb://host/db",
                vec![("maxPolSize", "3")],
                "db.connection_options cannot be used: maxPolSize is not an option here",
            ),
            (
                "mongodb://host/db",
                vec![("maxPoolSize", "many")],
                "`maxpoolsize` argument must be a positive integer",
            ),
            ("mongodb://host/db", vec![("socketTimeoutMS", "5")], "socketTimeoutMS"),
            ("mongodb://host/db", vec![("authMechanismProperties", "hunter2")], "withheld"),
            ("mongodb://host/db", vec![("x&tls", "true")], "x&tls is not an option here"),
            ("mongodb://host/db?w=0", vec![], "w=0"),
        ] {
            let text = error(uri, &given).await;
            assert!(text.contains(expected), "{uri} {given:?}: {text}");
            assert!(!text.contains('\n'), "{text}");
            let advises = text.contains("percent-encoded");
            assert_eq!(advises, expected == "percent-encoded", "{uri}: {text}");
        }
    }

    #[tokio::test]
    async fn a_login_by_iam_that_cannot_be_is_told_without_what_it_has() {
        for (uri, given, expected) in [
            (
                "mongodb://u@host/db?authMechanism=MONGODB-AWS&tls=true",
                vec![],
                "half a pair of credentials",
            ),
            (
                "mongodb://host/db?authMechanism=MONGODB-AWS",
                vec![("authMechanismProperties", "AWS_SESSION_TOKEN:hunter2")],
                "no access key that it belongs to",
            ),
            (
                "mongodb://u:hunter2@host/db?tls=true&authSource=admin",
                vec![("authMechanism", "MONGODB-AWS")],
                "authSource=%24external",
            ),
            // What is signed is good for one login, and all that comes after it is for anybody to read.
            (
                "mongodb://u:hunter2@host/db?authMechanism=MONGODB-AWS",
                vec![],
                "another machine, and the URI has a login and no TLS",
            ),
            (
                "mongodb://host/db?authMechanism=MONGODB-AWS",
                vec![],
                "another machine, and the URI has a login and no TLS",
            ),
        ] {
            let text = error(uri, &given).await;
            assert!(text.contains(expected), "{uri} {given:?}: {text}");
        }
    }

    #[tokio::test]
    async fn a_login_by_iam_is_of_no_database_and_leaves_the_default_one_alone() {
        let uri = "mongodb://AKIA:hunt%2Fer2@host/db?authMechanism=MONGODB-AWS&tls=true\
                   &authMechanismProperties=AWS_SESSION_TOKEN:to%2Fk%2Ben%3D%3D";
        let read = options(uri, &[]).await;
        assert_eq!(read.default_database.as_deref(), Some("db"));
        let credential = read.credential.expect("a login");
        assert_eq!(credential.source.as_deref(), Some("$external"));
        assert_eq!(credential.password.as_deref(), Some("hunt/er2"));
        let properties = credential.mechanism_properties.expect("a token");
        assert_eq!(properties.get_str("AWS_SESSION_TOKEN").ok(), Some("to/k+en=="));
        let read = options("mongodb://host/db?authMechanism=MONGODB-AWS&tls=true", &[]).await;
        assert_eq!(read.credential.and_then(|login| login.username), None);
    }

    #[tokio::test]
    async fn a_login_that_is_read_again_is_of_the_database_that_it_was_of() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        for (uri, source) in [
            ("mongodb://u:hunter2@127.0.0.1/db", "db"),
            ("mongodb://u:hunter2@127.0.0.1/db?authSource=admin", "admin"),
            ("mongodb://127.0.0.1/db?authMechanism=MONGODB-AWS", "$external"),
        ] {
            std::fs::write(file.path(), uri).expect("written");
            let config =
                DbConfig { mongo_uri_file: Some(file.path().to_owned()), ..config(uri, &[]) };
            let first = options(uri, &[]).await.credential;
            for first in [first.as_ref(), None] {
                let (login, _) = login_in_file(&config, first).expect("readable").expect("a login");
                assert_eq!(login.source.as_deref(), Some(source), "{uri} {first:?}");
            }
        }
        // What a TXT record said of the first: Atlas's have authSource=admin.
        std::fs::write(file.path(), "mongodb://u:hunter2@127.0.0.1/db").expect("written");
        let config = DbConfig {
            mongo_uri_file: Some(file.path().to_owned()),
            ..config("mongodb://127.0.0.1/db", &[])
        };
        let first = Credential::builder().username("u".to_owned()).source("admin".to_owned());
        let (login, _) =
            login_in_file(&config, Some(&first.build())).expect("readable").expect("a login");
        assert_eq!(login.source.as_deref(), Some("admin"));
    }

    #[tokio::test]
    async fn weak_transport_is_taken_where_it_is_allowed() {
        for uri in ["mongodb://u:hunter2@host/db", "mongodb://host/db?tls=true&tlsInsecure=true"] {
            let config = DbConfig { allow_insecure: true, ..config(uri, &[]) };
            assert!(read(&config).await.is_ok(), "{uri}");
        }
        for uri in ["mongodb://u:hunter2@localhost/db", "mongodb://host/db"] {
            assert!(read(&config(uri, &[])).await.is_ok(), "{uri}");
        }
    }
}
