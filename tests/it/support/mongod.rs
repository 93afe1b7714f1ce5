//! The databases of the tests: one plain replica set and one with login and TLS, each started at
//! its first use and ended with the test process, and a database of its own for each test.

use std::sync::atomic::{AtomicU32, Ordering};

use longshore::config::{DbConfig, Secret};
use longshore::dev::mongod::{self, Login, Mongod, Options, Tls};
use longshore::mongo_manager::MongoManager;
use mongodb::bson::doc;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};
use tokio::sync::OnceCell;

/// The password holds what must be escaped in a connection string.
pub const PASSWORD: &str = "corr:ect/h@rse?%";

/// A replica set of one member. Statics are never dropped: the guard of each member ends it when
/// this process is gone.
pub async fn plain() -> &'static Mongod {
    static PLAIN: OnceCell<Mongod> = OnceCell::const_new();
    PLAIN.get_or_init(|| async { start(Options::new(program().await)).await }).await
}

/// A replica set of one member that requires TLS and the login `portal` with [`PASSWORD`].
pub async fn secured() -> &'static Mongod {
    static SECURED: OnceCell<Mongod> = OnceCell::const_new();
    let options = || async {
        let login = Login { user: "portal".into(), password: Secret::new(PASSWORD) };
        Options { login: Some(login), tls: Some(certificates()), ..Options::new(program().await) }
    };
    SECURED.get_or_init(|| async { start(options().await).await }).await
}

/// Settings for a database of `mongod` that no other test uses.
pub fn settings(mongod: &Mongod) -> DbConfig {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let database = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    DbConfig { mongo_uri: Some(mongod.uri(&database)), ..DbConfig::default() }
}

/// A client of the plain replica set, with a database that no other test uses.
pub async fn manager() -> MongoManager {
    MongoManager::connect(&settings(plain().await)).await.expect("a plain replica set")
}

/// A server of the test's own that holds every build of an index, from now on or until
/// [`let_builds_end`].
pub async fn holding_builds() -> Mongod {
    let mongod = start(Options { test_commands: true, ..Options::new(program().await) }).await;
    hold_builds(&mongod, "alwaysOn").await;
    mongod
}

pub async fn let_builds_end(mongod: &Mongod) {
    hold_builds(mongod, "off").await;
}

async fn hold_builds(mongod: &Mongod, mode: &str) {
    let admin = MongoManager::connect(&DbConfig {
        mongo_uri: Some(mongod.uri("admin")),
        ..DbConfig::default()
    })
    .await
    .expect("a server");
    let hold = doc! { "configureFailPoint": "hangAfterStartingIndexBuild", "mode": mode };
    admin.database().run_command(hold).await.expect("a server that takes test commands");
}

pub async fn program() -> std::path::PathBuf {
    mongod::find().await.unwrap_or_else(|error| panic!("{error}"))
}

async fn start(options: Options) -> Mongod {
    Mongod::start(&options).await.unwrap_or_else(|error| panic!("{error}"))
}

/// A certificate authority, and a certificate of it for 127.0.0.1 and for a name that a proxy leads
/// anywhere.
pub fn certificates() -> Tls {
    let key = || KeyPair::generate().expect("a key");
    let named = |name: &str, addresses: Vec<String>| {
        let mut params = CertificateParams::new(addresses).expect("an address");
        // Two certificates of one name are taken for one that signed itself.
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let mut authority = named("test authority", Vec::new());
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, key()).expect("a certificate");
    let server = named("test server", vec!["127.0.0.1".to_owned(), "sqs.example".to_owned()]);
    let server_key = key();
    let certificate = server.signed_by(&server_key, &authority).expect("a certificate");
    Tls {
        ca: authority.pem(),
        certificate_and_key: Secret::new(certificate.pem() + &server_key.serialize_pem()),
    }
}
