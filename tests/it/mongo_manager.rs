//! The shared client against real servers: each usage that its documentation shows, one client
//! however many ask, and each error, none of which holds a password.

use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use bson::{DateTime, Document, doc};
use futures_util::TryStreamExt;
use futures_util::future::join_all;
use longshore::config::{DbConfig, Secret};
use longshore::dev::mongod::{Mongod, Options};
use longshore::mongo_manager::{
    AwsLogin, AwsLoginError, MongoManager, MongoManagerError, Transport,
};
use mongodb::IndexModel;
use mongodb::options::IndexOptions;
use tokio::time::Instant;

use crate::support::iam_front::{IamFront, IamUser};
use crate::support::mongod::{self, PASSWORD, manager};
use crate::support::ports;
use crate::support::until;

/// Long enough for a server on loopback, short enough to wait for where there is none.
const SHORT: Duration = Duration::from_secs(2);

#[tokio::test]
async fn insert_and_find_give_back_what_was_inserted() {
    let events = manager().await.database().collection::<Document>("events");
    let at = DateTime::from_millis(1_795_341_605_123);
    for (event_type, second) in [("login", 1), ("logout", 2)] {
        let timestamp = DateTime::from_millis(at.timestamp_millis() + second);
        events
            .insert_one(doc! { "user_id": 123, "event_type": event_type, "timestamp": timestamp })
            .await
            .unwrap();
    }
    let newest: Vec<Document> = events
        .find(doc! { "user_id": 123 })
        .sort(doc! { "timestamp": -1 })
        .limit(1)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(newest.len(), 1);
    assert_eq!(newest[0].get_str("event_type").unwrap(), "logout");
    assert_eq!(newest[0].get_i32("user_id").unwrap(), 123);
    assert_eq!(
        newest[0].get_datetime("timestamp").unwrap().timestamp_millis(),
        at.timestamp_millis() + 2
    );
}

#[tokio::test]
async fn update_with_upsert_makes_and_then_changes_one_document() {
    let sessions = manager().await.database().collection::<Document>("sessions");
    for cart in [vec![1], vec![1, 2]] {
        let set = doc! { "$set": { "data": { "cart": cart }, "last_accessed": DateTime::now() } };
        sessions.update_one(doc! { "session_id": "s-81" }, set).upsert(true).await.unwrap();
    }
    let found: Vec<Document> = sessions.find(doc! {}).await.unwrap().try_collect().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].get_document("data").unwrap(), &doc! { "cart": [1, 2] });
}

#[tokio::test]
async fn replace_with_upsert_makes_and_then_replaces_one_document() {
    let cache = manager().await.database().collection::<Document>("user_cache");
    for entry in
        [doc! { "user_id": 123, "old": true }, doc! { "user_id": 123, "data": { "plan": "pro" } }]
    {
        cache.replace_one(doc! { "user_id": 123 }, entry).upsert(true).await.unwrap();
    }
    let mut found: Vec<Document> = cache.find(doc! {}).await.unwrap().try_collect().await.unwrap();
    assert_eq!(found.len(), 1);
    found[0].remove("_id");
    assert_eq!(found[0], doc! { "user_id": 123, "data": { "plan": "pro" } });
}

#[tokio::test]
async fn aggregate_counts_by_type() {
    let events = manager().await.database().collection::<Document>("events");
    events
        .insert_many(["login", "view", "view"].map(|event_type| doc! { "event_type": event_type }))
        .await
        .unwrap();
    let stages = [
        doc! { "$group": { "_id": "$event_type", "n": { "$sum": 1 } } },
        doc! { "$sort": { "n": -1 } },
    ];
    let counts: Vec<Document> =
        events.aggregate(stages).await.unwrap().try_collect().await.unwrap();
    assert_eq!(counts, [doc! { "_id": "view", "n": 2 }, doc! { "_id": "login", "n": 1 }]);
}

#[tokio::test]
async fn a_unique_index_refuses_a_second_document_of_its_key() {
    let sessions = manager().await.database().collection::<Document>("sessions");
    let unique = IndexOptions::builder().unique(true).build();
    sessions
        .create_index(IndexModel::builder().keys(doc! { "session_id": 1 }).options(unique).build())
        .await
        .unwrap();
    sessions.insert_one(doc! { "session_id": "s-81" }).await.unwrap();
    let error = sessions.insert_one(doc! { "session_id": "s-81" }).await.unwrap_err();
    assert!(error.to_string().contains("E11000"), "{error}");
}

#[tokio::test]
async fn ping_and_coll_stats_answer() {
    let manager = manager().await;
    manager.ping().await.unwrap();
    manager
        .database()
        .collection("events")
        .insert_many([doc! { "a": 1 }, doc! { "a": 2 }])
        .await
        .unwrap();
    let stats = manager.coll_stats("events").await.unwrap();
    assert_eq!(stats.get_i32("count").unwrap(), 2);
    assert_eq!(
        manager.coll_stats("no_such_collection").await.unwrap().get_i32("count").unwrap(),
        0
    );
}

#[tokio::test]
async fn a_replica_set_with_credentials_and_tls_takes_reads_and_writes() {
    let mut config = mongod::settings(mongod::secured().await);
    config.connection_options =
        [("authMechanism".into(), "SCRAM-SHA-256".into()), ("maxPoolSize".into(), "3".into())]
            .into();
    let manager = MongoManager::connect(&config).await.unwrap();
    let events = manager.database().collection::<Document>("events");
    events.insert_one(doc! { "user_id": 123 }).await.unwrap();
    assert_eq!(events.count_documents(doc! { "user_id": 123 }).await.unwrap(), 1);
    let status = manager.database().run_command(doc! { "connectionStatus": 1 }).await.unwrap();
    let users = status.get_document("authInfo").unwrap().get_array("authenticatedUsers").unwrap();
    assert_eq!(users[0].as_document().unwrap().get_str("user").unwrap(), "portal");
    assert_without_password(&format!("{manager:?} {config:?}"));
}

/// The only test of this process that may start the shared client: it lives in this test's runtime.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_tasks_that_ask_at_once_make_one_client() {
    const POOL_MAX: u64 = 4;
    let ask = || join_all((0..1_000).map(|_| tokio::spawn(MongoManager::get())));

    // First a start that fails: all share its error, and do not queue up to fail one after the
    // other.
    let begun = Instant::now();
    MongoManager::configure(DbConfig { server_selection_timeout: SHORT, ..nowhere() }).unwrap();
    for asked in ask().await {
        assert!(matches!(asked.unwrap(), Err(MongoManagerError::NoServer { .. })));
    }
    assert!(begun.elapsed() < SHORT * 10, "{:?}", begun.elapsed());

    // It is not remembered: the next start succeeds, and is one.
    let mut config = mongod::settings(mongod::plain().await);
    config.connection_options =
        [("maxPoolSize".into(), POOL_MAX.to_string()), ("appName".into(), "one-client".into())]
            .into();
    MongoManager::configure(config).unwrap();
    let databases: Vec<_> = ask().await.into_iter().map(|asked| asked.unwrap().unwrap()).collect();
    join_all(
        databases
            .iter()
            .map(async |database| database.run_command(doc! { "ping": 1 }).await.unwrap()),
    )
    .await;
    assert_eq!(databases.len(), 1_000);

    let manager = MongoManager::shared().await.unwrap();
    assert!((1..=POOL_MAX).contains(&manager.pool_counts().created_total), "{manager:?}");
    assert!(manager.pool_counts().checked_out_total >= 1_001, "{manager:?}");
    // The server's own count: besides its pool, a client has two connections to each server to
    // watch it.
    let stages = [
        doc! { "$currentOp": { "allUsers": true, "idleConnections": true } },
        doc! { "$match": { "appName": "one-client" } },
    ];
    let connections: Vec<Document> = manager
        .client()
        .database("admin")
        .aggregate(stages)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert!((1..=POOL_MAX + 2).contains(&(connections.len() as u64)), "{connections:?}");
    assert_eq!(
        MongoManager::configure(DbConfig::default()),
        Err(MongoManagerError::AlreadyStarted)
    );
}

#[tokio::test]
async fn the_uri_is_taken_from_the_environment() {
    let config = mongod::settings(mongod::plain().await);
    let uri = config.mongo_uri.unwrap();
    let name = uri.expose().rsplit_once('/').unwrap().1.split_once('?').unwrap().0.to_owned();
    assert_eq!(child(&[("MONGO_CACHE_URI", uri.expose())]), format!("database {name}"));
    assert_eq!(child(&[]), format!("error {}", MongoManagerError::UriUnset));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_without_a_provider_logs_in_by_the_standard_chain() {
    let user = IamUser::new("AKIAPORTAL", "hunter2", None);
    let front = IamFront::start(&mongod::plain().await.hosts(), user).await;
    let uri = behind(&front, "");
    let (uri, key) = (("MONGO_CACHE_URI", uri.as_str()), ("AWS_ACCESS_KEY_ID", "AKIAPORTAL"));
    let text = child(&[uri]);
    let expected = format!(
        "error MONGODB-AWS has nothing to log in with at MongoDB at {}: failed to get creds: the credential provider was not enabled; set \
         AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile in AWS_PROFILE, or run where a role is attached",
        front.address
    );
    assert_eq!(text, expected);
    assert_eq!(child(&[uri, key, ("AWS_SECRET_ACCESS_KEY", "hunter2")]), "database db");
}

/// What a process with these variables prints, whose only test is the next one.
fn child(variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command
        .args(["--exact", "mongo_manager::child_of_the_environment", "--ignored", "--nocapture"])
        .env_remove("MONGO_CACHE_URI")
        .envs([
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ])
        .envs(variables.iter().copied());
    let output = command.output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    printed
        .lines()
        .find_map(|line| line.split_once("child: "))
        .unwrap_or_else(|| panic!("{printed}"))
        .1
        .to_owned()
}

#[tokio::test]
#[ignore = "runs in a process of its own, started by the test before"]
async fn child_of_the_environment() {
    match MongoManager::get().await {
        Ok(database) => println!("child: database {}", database.name()),
        Err(error) => println!("child: error {error}"),
    }
}

#[tokio::test]
async fn without_a_server_the_error_names_the_address_in_time() {
    let begun = Instant::now();
    let error = connect_error(&nowhere()).await;
    assert!(matches!(error, MongoManagerError::NoServer { .. }), "{error}");
    assert!(error.to_string().contains("Connection refused"), "{error}");
    assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_server_that_takes_connections_and_says_nothing_is_no_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let error =
        connect_error(&short(&format!("mongodb://{}/db", listener.local_addr().unwrap()))).await;
    assert!(matches!(error, MongoManagerError::NoServer { .. }), "{error}");
}

#[tokio::test]
async fn another_replica_set_s_name_is_told_with_the_one_that_is_there() {
    let uri = format!("mongodb://{}/db?replicaSet=another", mongod::plain().await.hosts());
    let error = connect_error(&short(&uri)).await;
    assert!(matches!(error, MongoManagerError::WrongReplicaSet { .. }), "{error}");
}

#[tokio::test]
async fn an_unknown_host_is_named() {
    let error = connect_error(&short("mongodb://no-such-host.invalid/db")).await;
    assert!(
        matches!(error, MongoManagerError::HostUnknown { .. } | MongoManagerError::NoServer { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
}

#[tokio::test]
async fn wrong_credentials_are_told_from_an_absent_server() {
    let good = mongod::settings(mongod::secured().await).mongo_uri.unwrap();
    let (login, rest) = good.expose().strip_prefix("mongodb://").unwrap().split_once('@').unwrap();
    for bad in [format!("portal:wrong-{}", "hunter2"), login.replace("portal", "stranger")] {
        let error = connect_error(&short(&format!("mongodb://{bad}@{rest}"))).await;
        assert!(matches!(error, MongoManagerError::BadCredentials { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_command_without_a_login_says_that_one_is_wanted() {
    let good = mongod::settings(mongod::secured().await).mongo_uri.unwrap();
    let uri = format!("mongodb://{}", good.expose().split_once('@').unwrap().1);
    let manager = MongoManager::connect(&short(&uri)).await.unwrap();
    let error = manager.coll_stats("events").await.unwrap_err();
    assert!(matches!(error, MongoManagerError::NoLogin { .. }), "{error}");
}

#[tokio::test]
async fn each_failure_of_tls_is_told_as_such() {
    let (secured, plain) = (mongod::secured().await, mongod::plain().await);
    let login = "portal:hunter2";
    for (uri, expected) in [
        (format!("mongodb://{login}@{}/db?tls=true", secured.hosts()), "certificate"),
        (format!("mongodb://{login}@{}/db", secured.hosts()), "add tls=true"),
        (format!("mongodb://{login}@{}/db?tls=true", plain.hosts()), "if it has no TLS"),
        (
            format!(
                "mongodb://{login}@{}/db?tls=true&tlsCAFile=%2Fno%2Fsuch%2Ffile",
                secured.hosts()
            ),
            "/no/such/file",
        ),
    ] {
        let error = connect_error(&short(&uri)).await;
        assert!(matches!(error, MongoManagerError::TlsFailed { .. }), "{uri}: {error}");
        let text = error.to_string();
        assert!(text.contains(expected), "{uri}: {text}");
        // The certificate is blamed where it is to blame.
        assert_eq!(text.contains("names the host"), expected == "certificate", "{uri}: {text}");
    }
}

/// A replica set on this machine, whose one member is named there as a host that could be anywhere:
/// what resolves to loopback is not loopback by name.
async fn member_elsewhere() -> (Mongod, String) {
    let options = Options::new(mongod::program().await);
    let mongod = Mongod::start(&options).await.expect("a server");
    let here = name_the_member_elsewhere(&mongod).await;
    (mongod, here)
}

/// Gives the address that the member had until then.
async fn name_the_member_elsewhere(mongod: &Mongod) -> String {
    let db = DbConfig { mongo_uri: Some(mongod.uri("admin")), ..DbConfig::default() };
    let admin = MongoManager::connect(&db).await.expect("a server");
    let reply = admin.database().run_command(doc! { "replSetGetConfig": 1 }).await.expect("a set");
    let mut config = reply.get_document("config").expect("a configuration").clone();
    let member = config.get_array("members").expect("members")[0].as_document().expect("one");
    let here = member.get_str("host").expect("a name").to_owned();
    let there = here.replace("127.0.0.1", "127.1");
    let mut member = member.clone();
    member.insert("host", there);
    config.insert("members", vec![member]);
    config.insert("version", config.get_i32("version").expect("a number") + 1);
    let rename = doc! { "replSetReconfig": config, "force": true };
    admin.database().run_command(rename).await.expect("renamed");
    here
}

#[tokio::test]
async fn a_member_elsewhere_that_comes_later_counts_from_then_on() {
    let mongod = Mongod::start(&Options::new(mongod::program().await)).await.expect("a server");
    let file = tempfile::NamedTempFile::new().expect("a file");
    let uri = mongod.uri("db").expose().to_owned();
    let often = format!("{uri}&heartbeatFrequencyMS=500");
    let db = DbConfig { mongo_uri_file: Some(file.path().to_owned()), ..short(&often) };
    let manager = MongoManager::connect(&db).await.expect("no login");
    assert_eq!(manager.transport(), Transport::ThisMachine);
    name_the_member_elsewhere(&mongod).await;
    until("the driver knows the member", async || manager.transport() == Transport::Plain).await;
    // A login that comes later still obeys the same rule: the client goes on without one.
    std::fs::write(file.path(), uri.replace("://", "://u:hunter2@")).expect("written");
    let anew = manager.database_anew().expect("a client");
    anew.run_command(doc! { "ping": 1 }).await.expect("no login");
    mongod.stop().await;
}

#[tokio::test]
async fn no_password_goes_without_tls_to_members_that_are_elsewhere() {
    let (mongod, seed) = member_elsewhere().await;
    let with_login = |options: &str| format!("mongodb://u:hunter2@{seed}/db{options}");
    for options in ["", "?replicaSet=longshore"] {
        let error = connect_error(&short(&with_login(options))).await;
        assert!(
            matches!(&error, MongoManagerError::PlainLoginAtMembers { hosts } if hosts.starts_with("127.1:")),
            "{options}: {error}"
        );
    }
    // What stays with the seed, or is allowed, gets as far as the login.
    let error = connect_error(&short(&with_login("?directConnection=true"))).await;
    assert!(matches!(error, MongoManagerError::BadCredentials { .. }), "{error}");
    let allowed = DbConfig { allow_insecure: true, ..short(&with_login("")) };
    let error = connect_error(&allowed).await;
    assert!(matches!(error, MongoManagerError::BadCredentials { .. }), "{error}");
    // Without a login there is none to lose, and what is said of the way is true.
    let manager = MongoManager::connect(&short(&format!("mongodb://{seed}/db"))).await;
    assert_eq!(manager.expect("no login").transport(), Transport::Plain);
    mongod.stop().await;
}

#[tokio::test]
async fn members_on_this_machine_are_asked_for_a_login_without_a_flag() {
    let uri = mongod::plain().await.uri("db").expose().replace("://", "://u:hunter2@");
    let error = connect_error(&short(&uri)).await;
    assert!(matches!(error, MongoManagerError::BadCredentials { .. }), "{error}");
}

#[tokio::test]
async fn a_login_that_is_read_again_obeys_the_rule_of_the_first() {
    let (mongod, seed) = member_elsewhere().await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), format!("mongodb://u:hunter2@{seed}/db")).expect("written");
    let without_login = DbConfig {
        mongo_uri_file: Some(file.path().to_owned()),
        ..short(&format!("mongodb://{seed}/db"))
    };
    let manager = MongoManager::connect(&without_login).await.expect("no login");
    let anew = manager.database_anew().expect("a client");
    anew.run_command(doc! { "ping": 1 }).await.expect("the login stays what it was: none");

    let allowed = DbConfig { allow_insecure: true, ..without_login };
    let manager = MongoManager::connect(&allowed).await.expect("no login");
    let anew = manager.database_anew().expect("a client");
    anew.run_command(doc! { "ping": 1 }).await.expect_err("a login that nobody knows");
    mongod.stop().await;
}

#[tokio::test]
async fn a_password_that_is_read_again_is_shown_as_little_as_the_first() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let plain = mongod::settings(mongod::plain().await);
    let uri = plain.mongo_uri.as_ref().expect("a URI").expose();
    std::fs::write(file.path(), uri.replace("://", "://u:hunter2@")).expect("written");
    let db = DbConfig { mongo_uri_file: Some(file.path().to_owned()), ..plain };
    let manager = MongoManager::connect(&db).await.expect("a server");
    manager.database_anew().expect("a client");
    let error = std::io::Error::other("no such host: hunter2");
    let text = manager.explain(&error.into()).to_string();
    assert!(text.contains("withheld") && !text.contains("hunter2"), "{text}");
}

/// With credentials that a test changes, as a role's change.
#[derive(Debug, Clone)]
struct Changing(Arc<Mutex<Credentials>>);

impl Changing {
    fn new(user: &IamUser) -> Self {
        Self(Arc::new(Mutex::new(Self::of(user))))
    }

    fn change(&self, user: &IamUser) {
        *self.0.lock().expect("no panic") = Self::of(user);
    }

    fn of(user: &IamUser) -> Credentials {
        Credentials::new(&user.access_key, &user.secret, user.token.clone(), None, "test")
    }
}

impl ProvideCredentials for Changing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Ok(self.0.lock().expect("no panic").clone()))
    }
}

fn behind(front: &IamFront, login: &str) -> String {
    format!("mongodb://{login}{}/db?directConnection=true&authMechanism=MONGODB-AWS", front.address)
}

#[tokio::test]
async fn each_login_is_made_with_the_credentials_that_there_are_by_then() {
    let first = IamUser::new("ASIAFIRST", "hunter2", Some("token"));
    let second = IamUser::new("ASIASECOND", "hunter2", Some("another"));
    let front = IamFront::start(&mongod::plain().await.hosts(), first.clone()).await;
    let role = Changing::new(&first);
    let provider = SharedCredentialsProvider::new(role.clone());
    let db = short(&behind(&front, ""));
    let manager = MongoManager::connect_with(&db, provider).await.expect("the first");
    assert_eq!(manager.aws_login(), Some(AwsLogin::OfProcess));
    front.take(second.clone());
    role.change(&second);
    manager.ping().await.expect("what is connected stays so");
    let anew = manager.database_anew().expect("a client");
    anew.run_command(doc! { "ping": 1 }).await.expect("the second");
    let taken: Vec<_> = front
        .logins()
        .into_iter()
        .map(|(key, is_let_in)| {
            assert!(is_let_in, "{key}");
            key
        })
        .collect();
    assert!(taken.first().is_some_and(|key| key == "ASIAFIRST"), "{taken:?}");
    assert!(taken.last().is_some_and(|key| key == "ASIASECOND"), "{taken:?}");
}

#[tokio::test]
async fn an_access_key_that_was_changed_in_its_file_is_taken_at_the_next_login() {
    let [first, second] = ["AKIAFIRST", "AKIASECOND"].map(|key| IamUser::new(key, "hunter2", None));
    let front = IamFront::start(&mongod::plain().await.hosts(), first.clone()).await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    let uri = |user: &IamUser| behind(&front, &format!("{}:{}@", user.access_key, user.secret));
    std::fs::write(file.path(), uri(&first)).expect("written");
    let db = DbConfig { mongo_uri_file: Some(file.path().to_owned()), ..short(&uri(&first)) };
    let manager = MongoManager::connect(&db).await.expect("the first");
    assert_eq!(manager.aws_login(), Some(AwsLogin::OfUri));
    front.take(second.clone());
    let anew = manager.database_anew().expect("a client");
    let refused = anew.run_command(doc! { "ping": 1 }).await.expect_err("the first is gone");
    let error = manager.explain(&refused);
    assert!(matches!(error, MongoManagerError::AwsLogin(AwsLoginError::Refused { .. })), "{error}");
    std::fs::write(file.path(), uri(&second)).expect("written");
    let anew = manager.database_anew().expect("a client");
    anew.run_command(doc! { "ping": 1 }).await.expect("the second");
    assert_eq!(front.logins().last(), Some(&("AKIASECOND".to_owned(), true)));
}

/// A database where no server is.
fn nowhere() -> DbConfig {
    short(&format!("mongodb://portal:hunter2@{}/db", ports::nowhere()))
}

fn short(uri: &str) -> DbConfig {
    DbConfig {
        mongo_uri: Some(Secret::new(uri)),
        server_selection_timeout: SHORT,
        ..DbConfig::default()
    }
}

/// The error of a start, which comes in time, on one line, and without the password.
async fn connect_error(config: &DbConfig) -> MongoManagerError {
    let begun = Instant::now();
    let error = MongoManager::connect(config).await.expect_err("no client");
    assert!(begun.elapsed() < SHORT * 5, "{:?}", begun.elapsed());
    assert!(!error.to_string().contains('\n'), "{error}");
    assert_without_password(&format!("{error} {error:?}"));
    error
}

fn assert_without_password(text: &str) {
    let encoded =
        percent_encoding::utf8_percent_encode(PASSWORD, percent_encoding::NON_ALPHANUMERIC)
            .to_string();
    for password in [PASSWORD, encoded.as_str(), "hunter2"] {
        assert!(!text.contains(password), "leaks: {text}");
    }
}
