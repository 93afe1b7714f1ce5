//! A database that takes logins by IAM: with credentials of the URI, or those that the queue is used
//! with.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::check::found;
use super::*;
use crate::support::iam_front::{IamFront, IamUser, QUOTED};
use crate::support::until;

/// With what must be escaped in a connection string.
const SECRET_KEY: &str = "hunter2/se+cret=";
const TOKEN: &str = "hunter2/to+ken==";

const OF_PROCESS: &str = "without TLS, on this machine; login by MONGODB-AWS with credentials of this process (environment, profile or \
                          role), which the queue is used with too";

/// The widest filter that there is, of those too that hold credentials in their hands.
const ALL: &str = "trace,longshore=trace,aws_sigv4=trace,aws_config=trace,aws_credential_types=trace,aws_runtime=trace,mongodb=trace";

fn user(token: Option<&str>) -> IamUser {
    IamUser::new("AKIAPORTAL", SECRET_KEY, token)
}

/// The same database behind a login.
async fn behind(user: IamUser) -> (Surroundings, IamFront) {
    let mut here = Surroundings::start().await;
    let front = IamFront::start(&mongod::plain().await.hosts(), user).await;
    let uri = uri_at(&here, &front.address, "", "");
    here.variables.retain(|(name, _)| name != "MONGO_CACHE_URI" && !name.contains("ACCESS"));
    (here.set("MONGO_CACHE_URI", &uri), front)
}

/// Of the one server there: what it calls itself is the way past the front.
fn uri_at(here: &Surroundings, host: &str, login: &str, options: &str) -> String {
    let uri = here.db.mongo_uri.as_ref().expect("a URI").expose();
    let database = uri.rsplit('/').next().and_then(|rest| rest.split('?').next()).expect("a name");
    format!(
        "mongodb://{login}{host}/{database}?directConnection=true&authMechanism=MONGODB-AWS{options}"
    )
}

fn connection(ran: &Ran) -> (String, String) {
    found(ran, "database connection").into_iter().next().unwrap_or_else(|| panic!("{}", ran.stdout))
}

fn assert_let_in(front: &IamFront, key: &str) {
    let logins = front.logins();
    assert!(!logins.is_empty(), "nobody logged in");
    assert!(logins.iter().all(|login| *login == (key.to_owned(), true)), "{logins:?}");
}

#[tokio::test]
async fn credentials_of_the_uri_log_in_whatever_the_process_has() {
    let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    for token in [None, Some(TOKEN)] {
        let (here, front) = behind(user(token)).await;
        let options = token.map_or_else(String::new, |token| {
            format!("&authMechanismProperties=AWS_SESSION_TOKEN:{}", escaped(token))
        });
        let login = format!("AKIAPORTAL:{}@", escaped(SECRET_KEY));
        let uri = uri_at(&here, &front.address, &login, &options);
        let here = here.set("MONGO_CACHE_URI", &uri).set("AWS_ACCESS_KEY_ID", "test");
        let here = here.set("AWS_SECRET_ACCESS_KEY", "of the queue");
        let ran = here.run(&["check"]).await;
        assert_eq!(ran.status, 0, "{}", ran.stdout);
        let (status, text) = connection(&ran);
        let expected =
            "without TLS, on this machine; login by MONGODB-AWS with credentials of the URI";
        assert_eq!((status.as_str(), text.as_str()), ("ok", expected));
        assert_let_in(&front, "AKIAPORTAL");
        // Their key is as hidden as their secret.
        let printed = here.run(&["check", "--print"]).await;
        assert!(!format!("{}{}", ran.stdout, printed.stdout).contains("AKIA"), "{}", ran.stdout);
    }
}

#[tokio::test]
async fn credentials_of_the_process_log_in_where_the_uri_has_none() {
    let (here, front) = behind(user(Some(TOKEN))).await;
    let mut here = here
        .set("AWS_ACCESS_KEY_ID", "AKIAPORTAL")
        .set("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .set("AWS_SESSION_TOKEN", TOKEN);
    let ran = here.run(&["check"]).await;
    assert_eq!((ran.status, connection(&ran)), (0, ("ok".to_owned(), OF_PROCESS.to_owned())));
    let ran = here.run(&["stats"]).await;
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_let_in(&front, "AKIAPORTAL");
    for level in ["info", ALL] {
        let sent = here
            .run_with_input(
                &["send"],
                "{\"type\":\"event\",\"user_id\":1,\"event_type\":\"login\"}\n",
            )
            .await;
        assert_eq!(sent.status, 0, "{}", sent.stderr);
        here = here.set("LONGSHORE__LOG__LEVEL", level);
        let worker = here.worker();
        until("the queue is empty", async || here.messages().await == 0).await;
        worker.signal("TERM").await;
        let (status, printed) = worker.ended().await;
        assert!(status.success(), "{printed}");
        assert!(!printed.contains(SECRET) && !printed.contains("AWS4-HMAC"), "{printed}");
    }
    assert_let_in(&front, "AKIAPORTAL");
    let events = here.database().await.collection::<Document>("events");
    assert_eq!(events.count_documents(doc! {}).await.expect("counted"), 2);
}

#[tokio::test]
async fn queue_and_database_ask_one_chain_and_the_database_asks_it_once_for_all_its_logins() {
    let (here, front) = behind(user(None)).await;
    let (config, calls) = (here.home.path().join("config"), here.home.path().join("calls"));
    let given = json!({
        "Version": 1, "AccessKeyId": "AKIAPORTAL", "SecretAccessKey": SECRET_KEY,
        "Expiration": "2999-01-01T00:00:00Z",
    });
    let answer = here.home.path().join("answer");
    std::fs::write(&answer, given.to_string()).expect("written");
    let process = format!("sh -c \"echo x >> {}; cat {}\"", calls.display(), answer.display());
    let profile = format!("[profile portal]\ncredential_process = {process}\n");
    std::fs::write(&config, profile).expect("written");
    let here =
        here.set("AWS_PROFILE", "portal").set("AWS_CONFIG_FILE", config.to_str().expect("UTF-8"));
    let here = here.set("PATH", "/usr/bin:/bin");
    let uri = uri_at(&here, &front.address, "", "&minPoolSize=5");
    let here = here.set("MONGO_CACHE_URI", &uri);
    let mut worker = here.worker();
    until("it has logged in five times", async || {
        worker.assert_running();
        front.logins().len() >= 5
    })
    .await;
    worker.signal("TERM").await;
    let (status, printed) = worker.ended().await;
    assert!(status.success(), "{printed}");
    assert_let_in(&front, "AKIAPORTAL");
    // Once for the chain, and once by the SDK's own client, which keeps them by itself.
    let calls = std::fs::read_to_string(calls).expect("it was asked");
    assert_eq!(calls.lines().count(), 2);
}

#[tokio::test]
async fn a_login_that_is_refused_says_what_to_look_at() {
    let (here, front) = behind(user(None)).await;
    let here = here
        .set("AWS_ACCESS_KEY_ID", "AKIAOTHER")
        .set("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .set("AWS_SESSION_TOKEN", TOKEN);
    let address = &front.address;
    let expected = format!(
        "MongoDB at {address} refused the AWS credentials: Authentication failed; check that their IAM role or user is \
         a database user there, by its ARN"
    );
    for command in ["check", "stats", "dead-letters groups", "run"] {
        let ran = here.run(&words(command)).await;
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains(&expected), "{command}: {told}");
        assert_ne!(ran.status, 0, "{command}");
    }
    let logins = front.logins();
    assert!(logins.iter().all(|login| *login == ("AKIAOTHER".to_owned(), false)), "{logins:?}");
}

#[tokio::test]
async fn a_server_that_quotes_the_signed_request_is_not_quoted() {
    let (here, _front) = behind(user(None)).await;
    let here = here
        .set("AWS_ACCESS_KEY_ID", QUOTED)
        .set("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        .set("AWS_SESSION_TOKEN", TOKEN);
    for command in ["check", "stats", "dead-letters groups", "run"] {
        let ran = here.run(&words(command)).await;
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains("it quotes the signed request"), "{command}: {told}");
        assert!(!told.contains(TOKEN), "{command}: {told}");
    }
}

/// Twice the longest that it may take would be more than `check` has for each.
#[tokio::test]
async fn whoever_should_have_credentials_and_has_none_is_asked_once_for_queue_and_database() {
    let (here, _front) = behind(user(None)).await;
    let (config, calls) = (here.home.path().join("config"), here.home.path().join("calls"));
    // Slow, so that both ask before there is an answer.
    let process = format!("sh -c \"echo x >> {}; sleep 4; exit 1\"", calls.display());
    let profile = format!("[profile portal]\ncredential_process = {process}\n");
    std::fs::write(&config, profile).expect("written");
    let here =
        here.set("AWS_PROFILE", "portal").set("AWS_CONFIG_FILE", config.to_str().expect("UTF-8"));
    let here = here.set("PATH", "/usr/bin:/bin");
    let ran = here.run(&["check"]).await;
    let told = ran.stdout.matches("no AWS credentials").count();
    assert_eq!(told, 2, "{}", ran.stdout);
    let calls = std::fs::read_to_string(calls).expect("it was asked");
    assert_eq!(calls.lines().count(), 1, "{}", ran.stdout);
}

#[tokio::test]
async fn a_process_without_credentials_is_told_so_before_a_server_is_asked() {
    let (here, front) = behind(user(None)).await;
    let here = here.set("AWS_EC2_METADATA_DISABLED", "true");
    let expected = format!(
        "MONGODB-AWS has nothing to log in with at MongoDB at {}: no AWS credentials: set AWS_ACCESS_KEY_ID and",
        front.address
    );
    for command in ["check", "stats", "dead-letters groups"] {
        let ran = here.run(&words(command)).await;
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains(&expected), "{command}: {told}");
        assert_ne!(ran.status, 0, "{command}");
    }
    assert_eq!(front.logins(), []);
}

#[tokio::test]
async fn a_server_that_does_not_know_the_login_is_told_from_one_that_refuses_it() {
    let (here, _front) = behind(user(None)).await;
    let here = here.set("AWS_ACCESS_KEY_ID", "test").set("AWS_SECRET_ACCESS_KEY", SECRET);
    let hosts = mongod::plain().await.hosts();
    let uri = uri_at(&here, &hosts, "", "");
    let expected =
        format!("MongoDB at {hosts} does not know the way to log in that the URI asks for: ");
    for command in ["check", "stats", "dead-letters groups", "run"] {
        let ran = here.run_with_variables(&words(command), &[("MONGO_CACHE_URI", &uri)]).await;
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains(&expected) && told.contains("SCRAM-SHA-256"), "{command}: {told}");
        assert_ne!(ran.status, 0, "{command}");
    }
}
