//! What a server says about itself.

use bson::{Document, doc};

use super::error::MongoManagerError;
use super::manager::MongoManager;

/// A server and what it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// As it writes it: `6.0.5`.
    pub version: String,
    /// Major and minor.
    pub release: (u32, u32),
    pub topology: Topology,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// One server: what its disk loses is lost.
    Standalone,
    ReplicaSet {
        name: String,
        /// Members that hold data and can be seen: neither arbiters nor hidden ones.
        members: usize,
    },
    Sharded,
}

impl MongoManager {
    /// Asks the primary, or the router of a sharded cluster, what it is.
    /// <https://www.mongodb.com/docs/manual/reference/command/hello/>
    ///
    /// # Errors
    /// Where the server cannot be reached.
    pub async fn facts(&self) -> Result<ServerFacts, MongoManagerError> {
        let build = self.run(doc! { "buildInfo": 1 }).await?;
        let hello = self.run(doc! { "hello": 1 }).await?;
        Ok(read(&build, &hello))
    }

    /// Whether the database has a collection, a view or a time-series collection of this name.
    ///
    /// # Errors
    /// Where the server cannot be reached, or does not allow it.
    pub async fn has_collection(&self, name: &str) -> Result<bool, MongoManagerError> {
        // Names alone, of what the user may see: any user may ask for that.
        let ask = doc! { "listCollections": 1, "filter": { "name": name }, "nameOnly": true, "authorizedCollections": true };
        let reply = self.run(ask).await?;
        let found = reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
        Ok(found.is_ok_and(|found| !found.is_empty()))
    }
}

fn read(build: &Document, hello: &Document) -> ServerFacts {
    let version = build.get_str("version").unwrap_or("of an unknown version").to_owned();
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let release = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    let listed = |name: &str| hello.get_array(name).map_or(0, Vec::len);
    let topology = match (hello.get_str("setName"), hello.get_str("msg")) {
        (Ok(name), _) => Topology::ReplicaSet {
            name: name.to_owned(),
            members: listed("hosts") + listed("passives"),
        },
        (Err(_), Ok("isdbgrid")) => Topology::Sharded,
        (Err(_), _) => Topology::Standalone,
    };
    ServerFacts { version, release, topology }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_topology_is_told_from_the_others() {
        let build = doc! { "version": "6.0.5" };
        let set = doc! { "setName": "rs0", "hosts": ["a:1", "b:1"], "passives": ["c:1"], "arbiters": ["d:1"] };
        let of = |hello: &Document| read(&build, hello).topology;
        assert_eq!(of(&set), Topology::ReplicaSet { name: "rs0".to_owned(), members: 3 });
        assert_eq!(of(&doc! { "msg": "isdbgrid" }), Topology::Sharded);
        assert_eq!(of(&doc! {}), Topology::Standalone);
    }

    #[test]
    fn a_release_compares_by_number() {
        let of = |version: &str| read(&doc! { "version": version }, &doc! {}).release;
        assert_eq!(of("4.4.29"), (4, 4));
        assert!(of("10.0.0-rc1") > of("4.4.0"));
        assert_eq!(of("unknown"), (0, 0));
    }
}
