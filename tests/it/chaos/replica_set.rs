//! The replica set of three that all scenarios share: by one that hurts it alone, by others together.

use longshore::config::Secret;
use longshore::dev::mongod::{Login, Members, Mongod, Options};
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::support::mongod::{PASSWORD, program};

/// Three members that ask for a login.
pub struct ReplicaSet {
    pub mongod: Mongod,
}

async fn set() -> &'static RwLock<ReplicaSet> {
    static SET: OnceCell<RwLock<ReplicaSet>> = OnceCell::const_new();
    SET.get_or_init(|| async { RwLock::new(ReplicaSet::start().await) }).await
}

/// For a scenario that leaves the database alone.
pub async fn shared() -> RwLockReadGuard<'static, ReplicaSet> {
    set().await.read().await
}

/// For a scenario that hurts the database.
pub async fn alone() -> RwLockWriteGuard<'static, ReplicaSet> {
    set().await.write().await
}

impl ReplicaSet {
    async fn start() -> Self {
        let login = Login { user: "root".into(), password: Secret::new(PASSWORD) };
        let options = Options { members: Members::Three, login: Some(login), ..Options::new(program().await) };
        Self { mongod: Mongod::start(&options).await.unwrap_or_else(|error| panic!("{error}")) }
    }

    /// The connection string for `database` as root, with timeouts for a set that is hurt.
    pub fn uri(&self, database: &str) -> String {
        hasty(self.mongod.uri(database).expose())
    }
}

/// A client that notices within a second or two what the defaults notice within ten.
fn hasty(uri: &str) -> String {
    format!("{uri}&serverSelectionTimeoutMS=2000&connectTimeoutMS=1000&heartbeatFrequencyMS=500")
}
