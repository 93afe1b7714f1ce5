//! The replica set of three that all scenarios share, and what can be done to it: by one scenario
//! at a time, while those that leave the database alone share it.

use std::sync::Mutex;

use longshore::config::{DbConfig, Secret};
use longshore::dev::mongod::{Login, Members, Mongod, Options};
use longshore::mongo_manager::MongoManager;
use mongodb::bson::{Document, doc};
use tokio::process::Command;
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::support::mongod::{PASSWORD, program};
use crate::support::until;

use super::relay::{Line, Relay};

pub const MEMBERS: usize = 3;

/// A client that notices within a second or two what the defaults notice within ten.
const HASTY: &str = "serverSelectionTimeoutMS=2000&connectTimeoutMS=2000&heartbeatFrequencyMS=500";

/// Three members that ask for a login, each behind a relay.
pub struct ReplicaSet {
    mongod: Mongod,
    relays: Vec<Relay>,
}

async fn set() -> &'static RwLock<ReplicaSet> {
    static SET: OnceCell<RwLock<ReplicaSet>> = OnceCell::const_new();
    SET.get_or_init(|| async { RwLock::new(ReplicaSet::start().await) }).await
}

/// For a scenario that leaves the database alone. It gets a set that is well: what an earlier one
/// has hurt may still be electing.
pub async fn shared() -> RwLockReadGuard<'static, ReplicaSet> {
    let set = set().await.read().await;
    set.well().await;
    set
}

/// For a scenario that hurts the database. It gets a set that is well, whatever an earlier one left
/// behind.
pub async fn alone() -> RwLockWriteGuard<'static, ReplicaSet> {
    let mut set = set().await.write().await;
    set.mend().await;
    set
}

impl ReplicaSet {
    async fn start() -> Self {
        let login = Login { user: "root".into(), password: Secret::new(PASSWORD) };
        let options = Options {
            members: Members::Three,
            login: Some(login),
            ..Options::new(program().await)
        };
        let relays = Mutex::new(Vec::new());
        let front = |port| {
            let relay = Relay::to(port);
            let port = relay.port;
            relays.lock().unwrap().push(relay);
            port
        };
        let mongod =
            Mongod::start_behind(&options, front).await.unwrap_or_else(|error| panic!("{error}"));
        Self { mongod, relays: relays.into_inner().unwrap() }
    }

    /// The connection string for `database` as root, with timeouts for a set that is hurt.
    pub fn uri(&self, database: &str) -> String {
        format!("{}&{HASTY}", self.mongod.uri(database).expose())
    }

    /// The same as another user of the database `admin`.
    pub fn uri_as(&self, user: &str, password: &str, database: &str) -> String {
        let (_, hosts) = self
            .uri(database)
            .split_once('@')
            .map(|(login, rest)| (login.to_owned(), rest.to_owned()))
            .expect("a login");
        format!("mongodb://{user}:{password}@{hosts}")
    }

    /// Runs a command on the primary as root, in `admin`.
    pub async fn run(&self, command: Document) -> Document {
        self.admin()
            .await
            .database()
            .run_command(command.clone())
            .await
            .unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// The primary's database `admin`, as root.
    pub async fn admin(&self) -> MongoManager {
        let config =
            DbConfig { mongo_uri: Some(Secret::new(self.uri("admin"))), ..DbConfig::default() };
        MongoManager::connect(&config).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The number of the primary.
    pub async fn primary(&self) -> usize {
        let hello = self.run(doc! { "hello": 1 }).await;
        let me = hello.get_str("me").expect("its address");
        self.relays
            .iter()
            .position(|relay| me == format!("127.0.0.1:{}", relay.port))
            .expect("one of ours")
    }

    /// The numbers of the members that are not the primary.
    pub async fn secondaries(&self) -> [usize; 2] {
        let primary = self.primary().await;
        [(primary + 1) % MEMBERS, (primary + 2) % MEMBERS]
    }

    pub fn cut(&self, member: usize, line: Line) {
        self.relays[member].set(line);
    }

    /// Ends the connections to a member; new ones come through.
    pub fn reset(&self, member: usize) {
        self.relays[member].reset();
    }

    pub async fn freeze(&self, member: usize) {
        self.signal(member, "STOP").await;
    }

    /// Takes back that it was frozen or cut off.
    pub async fn release(&self, member: usize) {
        self.cut(member, Line::Open);
        self.signal(member, "CONT").await;
    }

    pub async fn kill(&self, member: usize) {
        self.signal(member, "KILL").await;
    }

    pub async fn restart(&mut self, member: usize) {
        self.mongod.restart(member).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// From now on every write of the member to a file fails, as on a full disk, until it is
    /// started again. A limit of the process (`RLIMIT_FSIZE`), so that nobody needs a small disk
    /// and the right to mount it. Linux only.
    pub async fn fill_disk(&self, member: usize) {
        let process_id = self.process_id(member).to_string();
        // The hard limit stays.
        let filled = Command::new("prlimit")
            .args(["--pid", &process_id, "--fsize=0:"])
            .status()
            .await
            .expect("start prlimit");
        assert!(filled.success(), "cannot limit the files of {process_id}");
    }

    /// Whether the member is there and not a zombie.
    async fn is_running(&self, member: usize) -> bool {
        let listed = Command::new("ps")
            .args(["-o", "stat=", "-p", &self.process_id(member).to_string()])
            .output()
            .await
            .expect("start ps");
        let state = String::from_utf8_lossy(&listed.stdout).trim().to_owned();
        !state.is_empty() && !state.starts_with('Z')
    }

    /// Takes back all that can have been done to the members, and waits until they are one set
    /// again.
    pub async fn mend(&mut self) {
        for member in 0..MEMBERS {
            if !self.is_running(member).await {
                self.restart(member).await;
            }
            self.release(member).await;
        }
        self.well().await;
    }

    /// Waits until there is a primary that two secondaries follow.
    async fn well(&self) {
        let config =
            DbConfig { mongo_uri: Some(Secret::new(self.uri("admin"))), ..DbConfig::default() };
        until("the replica set is well", async || {
            let Ok(manager) = MongoManager::connect(&config).await else { return false };
            let Ok(told) = manager.database().run_command(doc! { "replSetGetStatus": 1 }).await
            else {
                return false;
            };
            let mut states: Vec<_> = told
                .get_array("members")
                .into_iter()
                .flatten()
                .filter_map(|member| member.as_document()?.get_str("stateStr").ok())
                .collect();
            states.sort_unstable();
            states == ["PRIMARY", "SECONDARY", "SECONDARY"]
        })
        .await;
    }

    fn process_id(&self, member: usize) -> u32 {
        self.mongod.process_ids().nth(member).expect("a member")
    }

    async fn signal(&self, member: usize, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.process_id(member).to_string()])
            .status()
            .await
            .expect("start kill");
        assert!(sent.success(), "cannot send {name} to member {member}");
    }
}
