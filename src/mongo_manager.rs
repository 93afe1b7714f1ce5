//! One MongoDB client per process, made at its first use however many tasks ask at once.
//!
//! [`MongoManager::get`] gives the default database of the connection string from anywhere in a
//! program. The connection string is that of [`MongoManager::configure`], otherwise that of the
//! environment variable `MONGO_CACHE_URI`, otherwise `db.mongo_uri` of the file that
//! `LONGSHORE_CONFIG` names.
//! Programs that want a client of their own, as tests do, make one with [`MongoManager::connect`].
//!
//! What a Python program does with a helper of this name reads here as follows. Each example is a
//! test of the same name in `tests/it/mongo_manager.rs`, against a real server.
//!
//! # Collections
//! `db = MongoManager.get(); events = db.events`
//! ```no_run
//! # use longshore::mongo_manager::{MongoManager, MongoManagerError};
//! # async fn example() -> Result<(), MongoManagerError> {
//! use bson::Document;
//! let db = MongoManager::get().await?;
//! let events = db.collection::<Document>("events");
//! # Ok(()) }
//! ```
//!
//! # Insert and find
//! `events.insert_one({...})`, `events.find({"user_id": 123}).sort("timestamp", -1).limit(10)`
//! ```no_run
//! # async fn example(events: mongodb::Collection<bson::Document>) -> mongodb::error::Result<()> {
//! use bson::{DateTime, Document, doc};
//! use futures_util::TryStreamExt;
//! events.insert_one(doc! { "user_id": 123, "event_type": "login", "timestamp": DateTime::now() }).await?;
//! let newest: Vec<Document> =
//!     events.find(doc! { "user_id": 123 }).sort(doc! { "timestamp": -1 }).limit(10).await?.try_collect().await?;
//! # Ok(()) }
//! ```
//!
//! # Update with upsert
//! `sessions.update_one({"session_id": s}, {"$set": {...}}, upsert=True)`
//! ```no_run
//! # async fn example(sessions: mongodb::Collection<bson::Document>) -> mongodb::error::Result<()> {
//! use bson::{DateTime, doc};
//! let set = doc! { "$set": { "data": { "cart": [1, 2] }, "last_accessed": DateTime::now() } };
//! sessions.update_one(doc! { "session_id": "s-81" }, set).upsert(true).await?;
//! # Ok(()) }
//! ```
//!
//! # Replace with upsert
//! `cache.replace_one({"user_id": 123}, {...}, upsert=True)`
//! ```no_run
//! # async fn example(cache: mongodb::Collection<bson::Document>) -> mongodb::error::Result<()> {
//! use bson::{DateTime, doc};
//! let entry = doc! { "user_id": 123, "data": { "plan": "pro" }, "updated": DateTime::now() };
//! cache.replace_one(doc! { "user_id": 123 }, entry).upsert(true).await?;
//! # Ok(()) }
//! ```
//!
//! # Aggregate
//! `events.aggregate([{"$group": {"_id": "$event_type", "n": {"$sum": 1}}}])`
//! ```no_run
//! # async fn example(events: mongodb::Collection<bson::Document>) -> mongodb::error::Result<()> {
//! use bson::{Document, doc};
//! use futures_util::TryStreamExt;
//! let stages = [doc! { "$group": { "_id": "$event_type", "n": { "$sum": 1 } } }, doc! { "$sort": { "n": -1 } }];
//! let counts: Vec<Document> = events.aggregate(stages).await?.try_collect().await?;
//! # Ok(()) }
//! ```
//!
//! # Create an index
//! `sessions.create_index("session_id", unique=True)`
//! ```no_run
//! # async fn example(sessions: mongodb::Collection<bson::Document>) -> mongodb::error::Result<()> {
//! use bson::doc;
//! use mongodb::IndexModel;
//! use mongodb::options::IndexOptions;
//! let unique = IndexOptions::builder().unique(true).build();
//! sessions.create_index(IndexModel::builder().keys(doc! { "session_id": 1 }).options(unique).build()).await?;
//! # Ok(()) }
//! ```
//!
//! # Ping and collStats
//! `MongoManager.ping()`, `MongoManager.coll_stats("events")`
//! ```no_run
//! # use longshore::mongo_manager::{MongoManager, MongoManagerError};
//! # async fn example() -> Result<(), MongoManagerError> {
//! let manager = MongoManager::shared().await?;
//! manager.ping().await?;
//! let stats = manager.coll_stats("events").await?;
//! println!("{:?} documents in {:?} bytes", stats.get("count"), stats.get("size"));
//! # Ok(()) }
//! ```
//!
//! # Replica sets, credentials, TLS
//! All of these stand in the connection string. Options beside it (`db.connection_options`) apply
//! unless it has them too.
//! ```no_run
//! # use longshore::config::{DbConfig, Secret};
//! # use longshore::mongo_manager::{MongoManager, MongoManagerError};
//! # async fn example() -> Result<(), MongoManagerError> {
//! let uri = "mongodb://portal:s%40fe@db1:27017,db2:27017,db3:27017/portal\
//!            ?replicaSet=rs0&authSource=admin&authMechanism=SCRAM-SHA-256&tls=true&tlsCAFile=/etc/ssl/db-ca.pem";
//! let config = DbConfig {
//!     mongo_uri: Some(Secret::new(uri)),
//!     connection_options: [("maxPoolSize".into(), "50".into()), ("retryWrites".into(), "true".into())].into(),
//!     ..DbConfig::default()
//! };
//! let manager = MongoManager::connect(&config).await?;
//! # Ok(()) }
//! ```
//!
//! # A login by IAM
//! `authMechanism=MONGODB-AWS` without a user logs in with the standard chain of AWS credentials, or
//! with those of a provider that a program has ([`MongoManager::connect_with`]): the worker gives the
//! ones that its queue is used with.
//! ```no_run
//! # use longshore::config::{DbConfig, Secret};
//! # use longshore::mongo_manager::{MongoManager, MongoManagerError};
//! # async fn example() -> Result<(), MongoManagerError> {
//! let uri = "mongodb+srv://cluster0.example.mongodb.net/portal?authMechanism=MONGODB-AWS";
//! let config = DbConfig { mongo_uri: Some(Secret::new(uri)), ..DbConfig::default() };
//! let manager = MongoManager::connect(&config).await?;
//! # Ok(()) }
//! ```

mod aws_login;
mod diagnosis;
mod documents;
mod error;
mod escapes;
mod facts;
mod groups;
mod manager;
mod members;
mod options;
mod pool;
mod privileges;
mod redactor;
pub mod rights;
mod settings;
mod shared;
mod sockets;
mod transport;

pub use self::aws_login::{AwsLogin, AwsLoginError};
pub use self::documents::Documents;
pub use self::error::MongoManagerError;
pub use self::facts::{ServerFacts, Topology};
pub use self::groups::NoGroup;
pub use self::manager::MongoManager;
pub use self::pool::PoolCounts;
pub use self::privileges::Privileges;
pub use self::settings::database_name;
pub use self::transport::Transport;
