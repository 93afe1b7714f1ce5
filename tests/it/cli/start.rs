//! Commands that cannot start: one line that says what to do, in time, with exit status 2.

use super::*;
use crate::support::ports::nowhere;

/// The longest that a command may take to say that it cannot start.
const START_MAX: Duration = Duration::from_secs(15);

/// Runs a command that must fail to start, and returns the one line that it says.
async fn refusal(here: &Surroundings, arguments: &[&str]) -> String {
    let ran = here.run(arguments).await;
    assert_eq!(
        (ran.status, ran.stdout.as_str(), ran.stderr.lines().count()),
        (2, "", 1),
        "{arguments:?}: {}",
        ran.stderr
    );
    assert!(ran.took < START_MAX, "{arguments:?} took {:?}", ran.took);
    ran.stderr
        .trim_end()
        .strip_prefix("longshore: ")
        .unwrap_or_else(|| panic!("{}", ran.stderr))
        .to_owned()
}

#[tokio::test]
async fn without_a_database_the_address_is_named() {
    let address = nowhere();
    let here = Surroundings::start()
        .await
        .set("MONGO_CACHE_URI", &format!("mongodb://portal:{SECRET}@{address}/portal"));
    for command in ["run", "stats"] {
        let line = refusal(&here, &[command]).await;
        assert!(
            line.contains(&format!("no MongoDB server at {address}"))
                && line.contains("check that it runs"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn without_a_database_uri_the_variable_is_named() {
    let here = Surroundings::start().await.without("MONGO_CACHE_URI");
    let line = refusal(&here, &["run"]).await;
    assert!(line.contains("set MONGO_CACHE_URI"), "{line}");
}

#[tokio::test]
async fn a_queue_and_a_database_that_nobody_named_are_told_at_once() {
    let here = Surroundings::start().await.without("MONGO_CACHE_URI");
    let here = here.without("LONGSHORE__QUEUE__URL");
    let ran = here.run(&["run"]).await;
    assert_eq!((ran.status, ran.stderr.lines().count()), (2, 2), "{}", ran.stderr);
    for expected in ["longshore: no queue: set queue.url", "longshore: no MongoDB URI is set"] {
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
    // Before a queue is asked that is named and not there.
    let ran = here.run(&["run", "--set", &format!("queue.url={}-absent", here.queue_url)]).await;
    assert!(ran.stderr.contains("no MongoDB URI is set"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_user_without_a_role_is_told_what_to_ask_for() {
    let db = mongod::settings(mongod::secured().await);
    let manager = MongoManager::connect(&db).await.expect("a server");
    let name = manager.database().name();
    let user = doc! { "createUser": "nobody", "pwd": SECRET, "roles": [] };
    manager.database().run_command(user).await.expect("a user");
    let uri = db.mongo_uri.as_ref().expect("a URI").expose();
    let (_, rest) = uri.split_once('@').expect("a login");
    let rest = rest.replace("authSource=admin", &format!("authSource={name}"));
    let here = Surroundings::start()
        .await
        .set("MONGO_CACHE_URI", &format!("mongodb://nobody:{SECRET}@{rest}"));
    let line = refusal(&here, &["run"]).await;
    let expected = format!("not authorized on {name} to execute listCollections (Unauthorized");
    assert!(
        line.contains(&expected) && line.contains("the role readWrite on the database"),
        "{line}"
    );
    let ran = here.run(&["check"]).await;
    let expected = "the user may not look at events and its indexes";
    assert!(ran.stdout.contains(expected), "{}", ran.stdout);
}

#[tokio::test]
async fn a_wrong_password_is_told_from_an_absent_database() {
    let secured = mongod::settings(mongod::secured().await).mongo_uri.expect("a URI");
    let (_, rest) = secured.expose().split_once('@').expect("a login");
    let here = Surroundings::start()
        .await
        .set("MONGO_CACHE_URI", &format!("mongodb://portal:{SECRET}@{rest}"));
    let line = refusal(&here, &["run"]).await;
    assert!(
        line.contains("refused the credentials")
            && line.contains("check user name, password and authSource"),
        "{line}"
    );
}

#[tokio::test]
async fn without_a_queue_what_is_missing_is_named() {
    let address = nowhere();
    let here = Surroundings::start().await;
    let absent = format!("{}-absent", here.queue_url);
    let cases = [
        (format!("queue.url={absent}"), "does not exist"),
        (
            format!("queue.endpoint_url=http://{address}"),
            "check the network and queue.endpoint_url",
        ),
    ];
    for (set, expected) in &cases {
        for command in ["run", "send"] {
            let line = refusal(&here, &[command, "--set", set]).await;
            assert!(line.contains(expected), "{line}");
        }
    }
    let here = here.without("LONGSHORE__QUEUE__URL");
    let line = refusal(&here, &["run"]).await;
    assert!(line.contains("set queue.url"), "{line}");
}

#[tokio::test]
async fn without_aws_credentials_it_says_where_they_can_come_from() {
    let here = Surroundings::start().await.without("AWS_");
    for set in ["queue.region=eu-west-1", "log.level=info"] {
        let line = refusal(&here, &["run", "--set", set]).await;
        assert!(line.contains("AWS_ACCESS_KEY_ID") || line.contains("AWS_REGION"), "{line}");
    }
}

#[tokio::test]
async fn every_error_of_the_configuration_is_a_line() {
    let here = Surroundings::start().await;
    for (arguments, expected) in [
        (["run", "--set", "queue.wait=50s"], "queue.wait = \"50s\": must be"),
        (["check", "--set", "queue.wiat=5s"], "queue.wiat"),
        (["stats", "--config", "no-such-file.toml"], "cannot read the file"),
        (["send", "--set", "db.write_concern.w=0"], "db.write_concern.w"),
    ] {
        let line = refusal(&here, &arguments).await;
        assert!(line.contains(expected), "{line}");
    }
    let ran = here.run(&["run", "--set", "queue.wait=50s", "--set", "retry.max=0s"]).await;
    assert_eq!((ran.status, ran.stderr.lines().count()), (2, 2), "{}", ran.stderr);
    assert!(ran.stderr.lines().all(|line| line.starts_with("longshore: ")), "{}", ran.stderr);
}

#[tokio::test]
async fn an_input_that_cannot_be_read_is_named() {
    let here = Surroundings::start().await;
    let line = refusal(&here, &["send", "no-such-file.ndjson"]).await;
    assert!(line.contains("cannot read no-such-file.ndjson"), "{line}");
    // What clap refuses is no start either.
    assert_eq!(here.run(&["send", "--rate", "0"]).await.status, 2);
    assert_eq!(here.run(&["no-such-command"]).await.status, 2);
}
