//! A private MongoDB replica set on loopback, for `longshore dev`, the demo and the tests.
//!
//! Each member is a real mongod that picks a free port itself, keeps its data in a temporary
//! folder, and ends with this process, however that ends. Data is not kept.

mod error;
mod find;
mod member;

use std::path::PathBuf;
use std::time::Duration;

use bson::doc;
use futures_util::future::{join_all, try_join_all};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

pub use self::error::MongodError;
pub use self::find::find;
use self::member::{File, LOG, Member};
use crate::config::{DbConfig, Secret};
use crate::mongo_manager::{MongoManager, MongoManagerError};

/// The replica set's name.
pub const REPLICA_SET: &str = "longshore";

/// Names within a member's folder, beside [`LOG`].
const KEY_FILE: &str = "key";
const CERTIFICATE_AND_KEY_FILE: &str = "server.pem";
const CA_FILE: &str = "ca.pem";

/// How long a started server may take until it is found, and a set until it has a primary and all
/// members are in step.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// What kind of replica set to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// The mongod to run: see [`find()`].
    pub program: PathBuf,
    pub members: Members,
    /// Asks for this login (SCRAM); without one everybody on this machine may do everything.
    pub login: Option<Login>,
    /// Refuses connections without TLS.
    pub tls: Option<Tls>,
    /// Takes commands that are for tests alone, such as `configureFailPoint`, which holds the
    /// server at a point of its code.
    pub test_commands: bool,
    /// The port of the first member; 0 is a free one, as every other member gets.
    pub port: u16,
}

impl Options {
    /// One member, no login, no TLS.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        Self {
            program,
            members: Members::One,
            login: None,
            tls: None,
            test_commands: false,
            port: 0,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Members {
    One,
    /// A set that outlives the loss of its primary: a new one stands about a second later.
    Three,
}

/// A user with the role `root`.
#[derive(Debug, Clone)]
pub struct Login {
    pub user: String,
    pub password: Secret,
}

/// Certificates as PEM text. The server's must be valid for the IP address 127.0.0.1.
#[derive(Debug, Clone)]
pub struct Tls {
    pub ca: String,
    pub certificate_and_key: Secret,
}

/// A running replica set. Dropping it ends it soon; [`Mongod::stop`] waits until nothing is left.
#[derive(Debug)]
pub struct Mongod {
    members: Vec<Member>,
    options: Options,
}

impl Mongod {
    /// Starts the members and returns when the set takes writes that all members acknowledge.
    ///
    /// # Errors
    /// Where a member does not start, with what it said, or the set has no primary within 30 s.
    pub async fn start(options: &Options) -> Result<Self, MongodError> {
        Self::start_behind(options, |port| port).await
    }

    /// As [`Mongod::start`], with something in front of each member that a test can cut: `front` is
    /// told the port of the member on 127.0.0.1, and gives the port there at which clients and the
    /// other members are to find it.
    ///
    /// # Errors
    /// As [`Mongod::start`].
    pub async fn start_behind(
        options: &Options,
        front: impl Fn(u16) -> u16,
    ) -> Result<Self, MongodError> {
        let (arguments, files) = (arguments(options), files(options));
        let count = match options.members {
            Members::One => 1,
            Members::Three => 3,
        };
        let mut members = try_join_all((0..count).map(|member| {
            let port = if member == 0 { options.port } else { 0 };
            Member::start(&options.program, port, &arguments, &files)
        }))
        .await?;
        for member in &mut members {
            member.found_at = front(member.port);
        }
        let mongod = Self { members, options: options.clone() };
        mongod.initiate().await?;
        Ok(mongod)
    }

    /// Starts a member again that has died, or kills it first, and returns once it listens. It has
    /// its data and its place in the set; the others may take a moment to notice.
    ///
    /// # Errors
    /// Where it does not start, with what it said.
    ///
    /// # Panics
    /// Where there is no member of this number, counted from 0.
    pub async fn restart(&mut self, member: usize) -> Result<(), MongodError> {
        self.members[member].restart(&self.options.program, &arguments(&self.options)).await
    }

    /// The connection string for `database`, with the login in it where there is one.
    #[must_use]
    pub fn uri(&self, database: &str) -> Secret {
        let login = self.options.login.as_ref().map_or_else(String::new, |login| {
            format!("{}:{}@", encode(&login.user), encode(login.password.expose()))
        });
        let source = if self.options.login.is_some() { "&authSource=admin" } else { "" };
        Secret::new(format!(
            "mongodb://{login}{}/{database}?replicaSet={REPLICA_SET}{source}{}",
            self.hosts(),
            self.tls_options()
        ))
    }

    /// `127.0.0.1:PORT` of every member, with commas.
    #[must_use]
    pub fn hosts(&self) -> String {
        self.members.iter().map(host).collect::<Vec<_>>().join(",")
    }

    /// The process ids of the members, for tests that stop or kill one.
    pub fn process_ids(&self) -> impl Iterator<Item = u32> {
        self.members.iter().map(|member| member.process_id)
    }

    /// The folders of the members, with data and log. They are removed at the end.
    pub fn folders(&self) -> impl Iterator<Item = &std::path::Path> {
        self.members.iter().map(Member::folder)
    }

    /// The certificate authority to trust, where the set speaks TLS.
    #[must_use]
    pub fn ca_file(&self) -> Option<PathBuf> {
        self.options.tls.is_some().then(|| self.members[0].folder().join(CA_FILE))
    }

    /// Kills the members and returns when their processes and folders are gone.
    pub async fn stop(self) {
        join_all(self.members.into_iter().map(Member::stop)).await;
    }

    /// Makes the members a set. Until the first user exists, the server lets local connections do
    /// what this needs. <https://www.mongodb.com/docs/manual/core/localhost-exception/>
    async fn initiate(&self) -> Result<(), MongodError> {
        let first = host(&self.members[0]);
        let direct =
            connect(format!("mongodb://{first}/admin?directConnection=true{}", self.tls_options()))
                .await?;
        let members: Vec<_> = (0..)
            .zip(&self.members)
            .map(|(id, member): (i32, _)| doc! { "_id": id, "host": host(member) })
            .collect();
        // The default election timeout of 10 s is for networks; loopback needs no such patience.
        let settings = doc! { "electionTimeoutMillis": 1_000, "heartbeatIntervalMillis": 200 };
        direct.run(doc! { "replSetInitiate": { "_id": REPLICA_SET, "members": members, "settings": settings } }).await?;
        if let Some(login) = &self.options.login {
            let stranger = connect(format!(
                "mongodb://{}/admin?replicaSet={REPLICA_SET}{}",
                self.hosts(),
                self.tls_options()
            ))
            .await?;
            stranger.run(doc! { "createUser": &login.user, "pwd": login.password.expose(), "roles": ["root"] }).await?;
        }
        // A write that leaves no document, and is acknowledged by a member only when its initial
        // sync is over.
        let count = i32::try_from(self.members.len()).unwrap_or(i32::MAX);
        let timeout = i64::try_from(READY_TIMEOUT.as_millis()).unwrap_or(i64::MAX);
        connect(self.uri("admin").expose().to_owned())
            .await?
            .run(doc! { "appendOplogNote": 1, "data": { "longshore": "ready" }, "writeConcern": { "w": count, "wtimeout": timeout } })
            .await?;
        Ok(())
    }

    fn tls_options(&self) -> String {
        self.ca_file().map_or_else(String::new, |file| {
            format!("&tls=true&tlsCAFile={}", encode(&file.to_string_lossy()))
        })
    }
}

fn host(member: &Member) -> String {
    format!("127.0.0.1:{}", member.found_at)
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

async fn connect(uri: String) -> Result<MongoManager, MongoManagerError> {
    let config = DbConfig {
        mongo_uri: Some(Secret::new(uri)),
        server_selection_timeout: READY_TIMEOUT,
        ..DbConfig::default()
    };
    MongoManager::connect(&config).await
}

fn arguments(options: &Options) -> Vec<&'static str> {
    let mut arguments = vec!["--bind_ip", "127.0.0.1", "--nounixsocket"];
    arguments.extend(["--dbpath", "data", "--logpath", LOG, "--quiet", "--replSet", REPLICA_SET]);
    // 256 MB of cache is the smallest that the server takes, 512 MB of oplog bounds the disk.
    arguments.extend(["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "512"]);
    arguments.extend(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
    if options.test_commands {
        arguments.extend(["--setParameter", "enableTestCommands=1"]);
    }
    if options.login.is_some() {
        arguments.extend(["--keyFile", KEY_FILE]);
        // The fewest rounds that the server takes: each login costs a client 15,000 otherwise, a
        // second in a debug build.
        arguments.extend(["--setParameter", "scramSHA256IterationCount=5000"]);
    }
    if options.tls.is_some() {
        arguments.extend([
            "--tlsMode",
            "requireTLS",
            "--tlsCertificateKeyFile",
            CERTIFICATE_AND_KEY_FILE,
        ]);
        arguments.extend(["--tlsCAFile", CA_FILE, "--tlsAllowConnectionsWithoutCertificates"]);
    }
    arguments
}

fn files(options: &Options) -> Vec<File> {
    let mut files = Vec::new();
    if options.login.is_some() {
        // The members' own shared secret: 6 to 1024 characters of base64, here 64 of 244 random
        // bits.
        files.push((
            KEY_FILE,
            format!("{}{}", bson::Uuid::new(), bson::Uuid::new()).replace('-', ""),
        ));
    }
    if let Some(tls) = &options.tls {
        files.push((CERTIFICATE_AND_KEY_FILE, tls.certificate_and_key.expose().to_owned()));
        files.push((CA_FILE, tls.ca.clone()));
    }
    files
}
