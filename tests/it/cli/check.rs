//! `longshore check`.

use longshore::queue::sqs::Operation;
use mongodb::IndexModel;
use mongodb::options::IndexOptions;
use tokio::io::AsyncReadExt;

use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::ports::free_port;
use crate::support::until;

use super::*;

/// Status and text of the findings of one check.
pub(super) fn found(ran: &Ran, check: &str) -> Vec<(String, String)> {
    let text = |line: &Value, name: &str| {
        line[name].as_str().unwrap_or_else(|| panic!("{line}")).to_owned()
    };
    ran.lines()
        .iter()
        .filter(|line| line["check"] == check)
        .map(|line| (text(line, "status"), text(line, "text")))
        .collect()
}

fn statuses(ran: &Ran, check: &str) -> Vec<String> {
    found(ran, check).into_iter().map(|(status, _)| status).collect()
}

#[tokio::test]
async fn all_is_looked_at_and_nothing_is_changed() {
    let here = Surroundings::start().await.set("LONGSHORE__ADMIN__LISTEN", "127.0.0.1:0");
    let ran = here.run(&["check"]).await;
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    for (check, expected) in [
        ("configuration", vec!["ok"]),
        ("database", vec!["ok"]),
        ("write concern", vec!["ok"]),
        // They are people's data, and nothing says how long they are kept.
        ("dead letters", vec!["warn"]),
        ("indexes", vec!["ok"; 4]),
        ("queue", vec!["ok"]),
        ("visibility timeout", vec!["ok"]),
        ("redrive policy", vec!["warn"]),
        ("message retention", vec!["ok"]),
        ("permissions", vec!["ok", "note", "ok", "ok"]),
        ("producers", vec!["note"; 3]),
        ("admin", vec!["ok"]),
        ("telemetry", vec!["note"]),
    ] {
        assert_eq!(statuses(&ran, check), expected, "{check}: {}", ran.stdout);
    }
    assert!(
        found(&ran, "database")[0].1.contains("replica set longshore, 1 data-bearing"),
        "{}",
        ran.stdout
    );
    assert!(found(&ran, "queue")[0].1.contains("standard: 0 waiting"), "{}", ran.stdout);
    let kept = here.run(&["check", "--set", "dead_letters.ttl=90d"]).await;
    assert_eq!((kept.status, statuses(&kept, "dead letters").len()), (0, 0), "{}", kept.stdout);
    assert_eq!(
        here.database().await.list_collection_names().await.expect("names"),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn a_queue_of_dead_letters_is_looked_at_too() {
    const CHECK: &str = "dead-letter queue";
    let here = Surroundings::start().await;
    for (retention, expected) in
        [("1209600", vec!["ok", "note"]), ("86400", vec!["ok", "note", "warn"])]
    {
        let url = here.sqs.create_queue(&json!({ "MessageRetentionPeriod": retention })).await;
        let ran = here.run(&["check", "--set", &format!("dead_letters.queue={url}")]).await;
        assert_eq!((ran.status, statuses(&ran, CHECK)), (0, to_texts(&expected)), "{}", ran.stdout);
    }
    let absent = format!("dead_letters.queue={}-absent", here.queue_url);
    let ran = here.run(&["check", "--set", &absent]).await;
    assert_eq!((ran.status, statuses(&ran, CHECK)), (1, to_texts(&["fail"])), "{}", ran.stdout);
}

fn to_texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn a_pool_that_is_smaller_than_what_the_lanes_may_use_is_noted() {
    const CHECK: &str = "database connection";
    let here = Surroundings::start().await;
    let before = found(&here.run(&["check"]).await, CHECK);
    assert!(before.iter().all(|(_, text)| !text.contains("maxPoolSize")), "{before:?}");
    let here = here.set("LONGSHORE__DB__CONNECTION_OPTIONS__MAXPOOLSIZE", "19");
    let said = found(&here.run(&["check"]).await, CHECK);
    let is_noted = |(status, text): &(String, String)| {
        status == "note"
            && text.starts_with("maxPoolSize is 19, and a worker may use 20 connections at once")
    };
    assert!(said.iter().any(is_noted), "{said:?}");
}

#[tokio::test]
async fn one_server_that_is_not_there_does_not_hide_the_other() {
    let here = Surroundings::start().await;
    let ran = here.run(&["check", "--set", &format!("queue.url={}-absent", here.queue_url)]).await;
    assert_eq!(
        (ran.status, statuses(&ran, "database"), statuses(&ran, "queue")),
        (1, vec!["ok".to_owned()], vec!["fail".to_owned()])
    );
    assert!(found(&ran, "queue")[0].1.contains("check queue.url"), "{}", ran.stdout);

    let here =
        here.set("MONGO_CACHE_URI", &format!("mongodb://portal:{SECRET}@127.0.0.1:1/portal"));
    let ran = here.run(&["check"]).await;
    assert_eq!(
        (ran.status, statuses(&ran, "database"), statuses(&ran, "queue")),
        (1, vec!["fail".to_owned()], vec!["ok".to_owned()])
    );
    assert!(ran.took < Duration::from_secs(15), "{:?}", ran.took);
}

#[tokio::test]
async fn a_write_concern_that_the_set_cannot_meet_fails() {
    let here = Surroundings::start().await;
    for w in ["2", "elsewhere"] {
        let ran = here.run(&["check", "--set", &format!("db.write_concern.w={w}")]).await;
        assert_eq!(
            (ran.status, statuses(&ran, "write concern")),
            (1, vec!["fail".to_owned()]),
            "{}",
            ran.stdout
        );
        assert!(found(&ran, "write concern")[0].1.contains("db.write_concern.w"), "{}", ran.stdout);
    }
    assert_eq!(
        here.database().await.list_collection_names().await.expect("names"),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn indexes_are_made_when_asked_once_nothing_stands_in_the_way() {
    let here = Surroundings::start().await;
    let twice = doc! { "session_id": "s-1", "data": {} };
    here.insert("sessions", &[twice.clone(), twice, doc! { "data": {} }, doc! { "data": {} }])
        .await;

    let ran = here.run(&["check"]).await;
    assert_eq!(ran.status, 1);
    let of_sessions = |ran: &Ran| {
        found(ran, "indexes")
            .into_iter()
            .filter(|(_, text)| text.contains("sessions"))
            .collect::<Vec<_>>()
    };
    assert!(of_sessions(&ran)[0].1.contains("longshore check --create-indexes"), "{}", ran.stdout);

    let ran = here.run(&["check", "--create-indexes"]).await;
    assert_eq!(ran.status, 1);
    let texts: Vec<String> = of_sessions(&ran).into_iter().map(|(_, text)| text).collect();
    assert!(
        texts
            .iter()
            .any(|text| text.contains("2 documents of sessions have the same session_id, \"s-1\"")),
        "{texts:?}"
    );
    assert!(
        texts.iter().any(|text| text.contains("2 documents of sessions have no session_id")),
        "{texts:?}"
    );

    let sessions = here.database().await.collection::<Document>("sessions");
    sessions.delete_many(doc! { "session_id": null }).await.expect("deleted");
    sessions.delete_one(doc! { "session_id": "s-1" }).await.expect("deleted");
    let ran = here.run(&["check", "--create-indexes"]).await;
    assert_eq!((ran.status, of_sessions(&ran)[0].0.as_str()), (0, "ok"), "{}", ran.stdout);
    let names = sessions.list_index_names().await.expect("names");
    assert!(names.contains(&"session_id_1".to_owned()), "{names:?}");
}

#[tokio::test]
async fn an_index_that_is_not_the_declared_one_is_named() {
    let here = Surroundings::start().await;
    let sparse = IndexOptions::builder().unique(true).sparse(true).build();
    let index = IndexModel::builder().keys(doc! { "user_id": 1 }).options(sparse).build();
    here.database()
        .await
        .collection::<Document>("user_cache")
        .create_index(index)
        .await
        .expect("an index");
    let ran = here.run(&["check"]).await;
    assert_eq!(ran.status, 1);
    let texts: Vec<String> = found(&ran, "indexes").into_iter().map(|(_, text)| text).collect();
    assert!(texts.iter().any(|text| text.contains("user_id_1 is sparse")), "{texts:?}");
}

#[tokio::test]
async fn what_the_start_would_refuse_of_telemetry_and_address_is_found() {
    let here = Surroundings::start()
        .await
        .set("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("http://u:{SECRET}@127.0.0.1:1"));
    let ran = here.run(&["check"]).await;
    assert_eq!(
        found(&ran, "telemetry")[0].1,
        "traces to http://***@127.0.0.1:1 by http/protobuf, metrics to http://***@127.0.0.1:1 by http/protobuf"
    );
    let here =
        here.set("OTEL_TRACES_SAMPLER", "ratio").set("LONGSHORE__ADMIN__LISTEN", "192.0.2.1:9690");
    let ran = here.run(&["check"]).await;
    assert_eq!(
        (ran.status, statuses(&ran, "telemetry"), statuses(&ran, "admin")),
        (1, vec!["fail".to_owned()], vec!["fail".to_owned()])
    );
    assert!(found(&ran, "telemetry")[0].1.starts_with("OTEL_TRACES_SAMPLER"), "{}", ran.stdout);
    assert!(found(&ran, "admin")[0].1.contains("give another address"), "{}", ran.stdout);
    let here = here
        .set("LONGSHORE__ADMIN__LISTEN", "off")
        .set("LONGSHORE__ADMIN__PROBES", "192.0.2.1:9691");
    let ran = here.run(&["check"]).await;
    assert_eq!(statuses(&ran, "admin"), ["note", "fail"], "{}", ran.stdout);
    assert!(found(&ran, "admin")[1].1.contains("admin.probes = "), "{}", ran.stdout);
}

#[tokio::test]
async fn beside_a_running_worker_its_own_addresses_are_no_fault() {
    let here = Surroundings::start()
        .await
        .set("LONGSHORE__ADMIN__LISTEN", &format!("0.0.0.0:{}", free_port()))
        .set("LONGSHORE__ADMIN__PROBES", &format!("0.0.0.0:{}", free_port()));
    let _worker = here.spawn(&["run"], &[]);
    until("the worker answers", async || here.run(&["check", "--live"]).await.status == 0).await;
    let ran = here.run(&["check"]).await;
    assert_eq!(
        (ran.status, statuses(&ran, "admin")),
        (0, to_texts(&["ok", "ok"])),
        "{}",
        ran.stdout
    );
    for (_, text) in found(&ran, "admin") {
        assert!(text.contains("is that of a worker that runs here"), "{text}");
    }

    // Another server, that says yes to everything, and a worker that hangs.
    for (answer, told) in [
        ("200 OK\r\ncontent-length: 2\r\n\r\nok", "does not answer as a worker"),
        (
            "503 Service Unavailable\r\ncontent-length: 14\r\n\r\nstuck: poller\n",
            "is that of a worker that runs here, but it does not move (stuck: poller): restart it",
        ),
    ] {
        let taken = answering(answer).await;
        let ran = here.run(&["check", "--set", &format!("admin.listen={taken}")]).await;
        assert_eq!(
            (ran.status, statuses(&ran, "admin")),
            (0, to_texts(&["warn", "ok"])),
            "{}",
            ran.stdout
        );
        assert!(found(&ran, "admin")[0].1.contains(told), "{}", ran.stdout);
    }
}

/// The address of a server that answers each request so.
async fn answering(answer: &'static str) -> String {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = server.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = server.accept().await.expect("a connection");
            // What is closed with something unread is reset, and the answer may be lost with it.
            _ = client.read(&mut [0; 4096]).await.expect("a request");
            let answer = format!("HTTP/1.1 {answer}");
            client.write_all(answer.as_bytes()).await.expect("sent");
        }
    });
    address
}

#[tokio::test]
async fn a_call_that_is_denied_is_told_with_the_permission_that_it_needs() {
    for (operation, permission) in [
        (Operation::GetAttributes, "sqs:GetQueueAttributes"),
        (Operation::Delete, "sqs:DeleteMessage"),
        (Operation::ChangeVisibility, "sqs:ChangeMessageVisibility"),
    ] {
        let here = Surroundings::start().await;
        let proxy = FaultProxy::start(here.sqs.endpoint(), 7).await;
        proxy.always(&[operation], Fault::Denied);
        let here = here.set("LONGSHORE__QUEUE__ENDPOINT_URL", proxy.endpoint());
        let ran = here.run(&["check"]).await;
        let failed: Vec<Value> =
            ran.lines().into_iter().filter(|line| line["status"] == "fail").collect();
        assert_eq!((ran.status, failed.len()), (1, 1), "{}", ran.stdout);
        let text = failed[0]["text"].as_str().unwrap_or_default();
        assert!(
            text.contains(&format!("allow {permission} on the queue to this identity")),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_short_visibility_timeout_and_a_hasty_redrive_policy_are_warned_about() {
    let attributes = json!({"VisibilityTimeout": "10"});
    let here = Surroundings::with_queue(&attributes).await;
    let dead_letters = here.sqs.create_queue(&json!({})).await;
    let arn = here.sqs.connect(&dead_letters).await.1.arn;
    let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": 3}).to_string();
    here.sqs
        .call(
            "SetQueueAttributes",
            &json!({"QueueUrl": here.queue_url, "Attributes": {"RedrivePolicy": policy}}),
        )
        .await;
    let ran = here.run(&["check"]).await;
    assert_eq!(ran.status, 0, "{}", ran.stdout);
    assert!(
        found(&ran, "visibility timeout")[0].1.contains("set queue.visibility_timeout to 40s"),
        "{}",
        ran.stdout
    );
    assert!(found(&ran, "redrive policy")[0].1.contains("maxReceiveCount is 3"), "{}", ran.stdout);
}

#[tokio::test]
async fn the_printed_settings_say_where_they_come_from_and_hide_secrets() {
    let here = Surroundings::start().await.set(
        "MONGO_CACHE_URI",
        &format!("mongodb://portal:{SECRET}@db.example/portal?maxPoolSize=7"),
    );
    let ran = here.run(&["check", "--print", "--set", "queue.wait=5s"]).await;
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    let lines = ran.lines();
    let of = |key: &str| {
        lines.iter().find(|line| line["key"] == key).unwrap_or_else(|| panic!("{lines:?}"))
    };
    assert_eq!(of("queue.wait"), &json!({"key": "queue.wait", "value": "5s", "source": "--set"}));
    assert_eq!(of("queue.url")["source"], "LONGSHORE__QUEUE__URL");
    assert_eq!(
        of("queue.region"),
        &json!({"key": "queue.region", "value": null, "source": "default"})
    );
    let uri = of("db.mongo_uri");
    assert_eq!(uri["source"], "MONGO_CACHE_URI");
    assert!(
        uri["value"]
            .as_str()
            .is_some_and(|uri| uri.contains("db.example/portal") && uri.contains("***")),
        "{uri}"
    );
}

#[tokio::test]
async fn a_user_who_may_not_write_a_collection_is_told_which() {
    let db = mongod::settings(mongod::secured().await);
    let manager = MongoManager::connect(&db).await.expect("a server");
    let (database, name) = (manager.database(), manager.database().name());
    let on = |collection: &str| doc! { "resource": { "db": name, "collection": collection }, "actions": ["insert", "update", "find", "listIndexes"] };
    let written = ["events", "sessions", "user_cache"].map(on).to_vec();
    database
        .run_command(doc! { "createRole": "writer", "privileges": written, "roles": [] })
        .await
        .expect("a role");
    database
        .run_command(doc! { "createUser": "narrow", "pwd": SECRET, "roles": ["writer"] })
        .await
        .expect("a user");

    let uri = db.mongo_uri.as_ref().expect("a URI").expose();
    let (_, rest) = uri.split_once('@').expect("a login");
    let uri = format!(
        "mongodb://narrow:{SECRET}@{}",
        rest.replace("authSource=admin", &format!("authSource={name}"))
    );
    let here = Surroundings::start().await.set("MONGO_CACHE_URI", &uri);
    let ran = here.run(&["check"]).await;
    assert_eq!(ran.status, 1);
    let (failed, warned): (Vec<_>, Vec<_>) =
        found(&ran, "privileges").into_iter().partition(|(status, _)| status == "fail");
    let [(_, of_database), (_, text)] = &failed[..] else { panic!("{}", ran.stdout) };
    let expected = format!("the database {name}: the user may not listCollections; grant it");
    assert!(of_database.starts_with(&expected), "{of_database}");
    let of = |action: &str| warned.iter().filter(|(_, text)| text.contains(action)).count();
    assert_eq!((of("may not createIndex"), of("may not collStats")), (4, 4), "{warned:?}");
    assert!(
        text.starts_with(
            "dead_letters: the user may not insert, update, find, listIndexes; grant it the role readWrite"
        ),
        "{text}"
    );
}
