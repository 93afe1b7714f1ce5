//! Where requests go, by which way, and what is said of it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::seen::collector;
use crate::support::http_proxy::HttpProxy;

use super::check::found;
use super::*;

/// A queue whose address is all that says where it is.
async fn by_url_alone() -> Surroundings {
    Surroundings::start().await.without("LONGSHORE__QUEUE__ENDPOINT_URL")
}

fn of_queue(ran: &Ran) -> (String, String) {
    found(ran, "queue connection").into_iter().next().unwrap_or_else(|| panic!("{}", ran.stdout))
}

#[tokio::test]
async fn the_host_of_the_queues_url_is_where_requests_go() {
    let here = by_url_alone().await;
    let ran = here.run(&["check", "--set", &format!("queue.url= {} ", here.queue_url)]).await;
    assert_eq!(ran.status, 0, "{}", ran.stdout);
    let (status, text) = of_queue(&ran);
    let expected = format!(
        "{} (by queue.url), region us-east-1, without TLS, on this machine, by the lean transport",
        here.sqs.endpoint()
    );
    assert_eq!((status.as_str(), text.as_str()), ("ok", expected.as_str()));
    let ran = here.run(&["check", "--set", "queue.transport=sdk"]).await;
    assert!(of_queue(&ran).1.ends_with(", by the sdk transport"), "{}", ran.stdout);
    // Sending goes there too.
    let sent = here.run_with_input(&["send"], "{\"type\":\"event\"}\n").await;
    assert_eq!(sent.status, 0, "{}", sent.stderr);
}

#[tokio::test]
async fn each_form_of_an_address_of_aws_is_asked_for_as_it_is() {
    let proxy = HttpProxy::start(None).await;
    let here = by_url_alone().await.set("HTTPS_PROXY", &proxy.url);
    let hosts = [
        "vpce-0a-1b.sqs.eu-west-1.vpce.amazonaws.com",
        "sqs-fips.us-east-1.amazonaws.com",
        "sqs.eu-west-1.api.aws",
        "eu-west-1.queue.amazonaws.com",
        "sqs.cn-north-1.amazonaws.com.cn",
        "sqs.eu-west-1.amazonaws.com",
    ];
    for host in hosts {
        let url = format!("queue.url=https://{host}/123456789012/portal");
        let ran = here.run(&["send", "--set", &url]).await;
        assert_eq!(ran.status, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("https://{host} ")), "{}", ran.stderr);
    }
    assert_eq!(proxy.asked(), hosts.map(|host| format!("CONNECT {host}:443")));
}

#[tokio::test]
async fn a_wish_for_fips_is_met_where_the_address_is_a_regions_plain_one() {
    let proxy = HttpProxy::start(None).await;
    let here = by_url_alone().await.set("HTTPS_PROXY", &proxy.url);
    let here = here.set("AWS_USE_FIPS_ENDPOINT", "true");
    let ran =
        here.run(&["send", "--set", "queue.url=https://sqs.us-east-1.amazonaws.com/1/q"]).await;
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert_eq!(proxy.asked(), ["CONNECT sqs-fips.us-east-1.amazonaws.com:443"], "{}", ran.stderr);
    let ran = here.run(&["send"]).await;
    assert!(ran.stderr.contains("asks for a FIPS endpoint"), "{}", ran.stderr);
    let ran = here.run_with_variables(&["send"], &[("AWS_USE_FIPS_ENDPOINT", "maybe")]).await;
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("AWS_USE_FIPS_ENDPOINT is neither true nor"), "{}", ran.stderr);
}

#[tokio::test]
async fn the_proxy_variables_are_obeyed_in_both_cases() {
    let here = by_url_alone().await;
    let server = here.sqs.endpoint().trim_start_matches("http://").to_owned();
    let proxy = HttpProxy::start(Some(&server)).await;
    let here = elsewhere(here);
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        for transport in ["lean", "sdk"] {
            let before = proxy.asked().len();
            let variables =
                [(variable, proxy.url.as_str()), ("LONGSHORE__QUEUE__TRANSPORT", transport)];
            let ran = here.run_with_variables(&["check"], &variables).await;
            assert_eq!(ran.status, 0, "{}", ran.stdout);
            let (_, text) = of_queue(&ran);
            let through = format!(", through the proxy {} of {variable}", proxy.url);
            assert!(text.contains(&through), "{text}");
            // Each transport has a connection of its own, whose first line the proxy keeps.
            let wanted = if transport == "lean" { 2 } else { 1 };
            let asked = proxy.asked().split_off(before);
            assert!(asked.len() >= wanted, "{variable} {transport}: {asked:?}");
            assert!(asked.iter().all(|asked| asked.starts_with("POST http://")), "{asked:?}");
        }
    }
    // A password is shown to the proxy, on each connection, and to nobody else.
    let with_password = proxy.url.replace("http://", &format!("http://user:{SECRET}@"));
    for transport in ["lean", "sdk"] {
        let (asked, logins) = (proxy.asked().len(), proxy.logins().len());
        let variables =
            [("HTTP_PROXY", with_password.as_str()), ("LONGSHORE__QUEUE__TRANSPORT", transport)];
        let ran = here.run_with_variables(&["check"], &variables).await;
        assert_eq!(ran.status, 0, "{}", ran.stdout);
        let logins = proxy.logins().split_off(logins);
        assert_eq!(logins.len(), proxy.asked().len() - asked, "{transport}");
        assert!(logins.iter().all(|login| login == "Basic dXNlcjpodW50ZXIy"), "{logins:?}");
    }
    let before = proxy.asked().len();
    for no in ["NO_PROXY", "no_proxy"] {
        let variables = [("HTTP_PROXY", proxy.url.as_str()), (no, "localhost,sqs.example")];
        let ran = here.run_with_variables(&["send"], &variables).await;
        assert_eq!((ran.status, proxy.asked().len()), (2, before), "{no}: {}", ran.stderr);
    }
    // As the client reads them: an empty one hides the other of its pair, and not ALL_PROXY.
    let hidden = [("HTTP_PROXY", ""), ("http_proxy", proxy.url.as_str())];
    let ran = here.run_with_variables(&["send"], &hidden).await;
    assert_eq!((ran.status, proxy.asked().len()), (2, before), "{}", ran.stderr);
    assert!(!ran.stderr.contains("proxy"), "{}", ran.stderr);
}

/// The queue by a name that only a proxy leads to it.
fn elsewhere(here: Surroundings) -> Surroundings {
    let path = here.queue_url.rsplit('/').next().expect("a name").to_owned();
    here.set("LONGSHORE__QUEUE__URL", &format!("http://sqs.example:1/000000000000/{path}"))
        .set("LONGSHORE__QUEUE__ALLOW_INSECURE", "true")
}

#[tokio::test]
async fn this_machine_is_asked_without_a_proxy() {
    let proxy = HttpProxy::start(None).await;
    let here = by_url_alone().await;
    for (variable, value) in [
        ("HTTP_PROXY", proxy.url.as_str()),
        ("ALL_PROXY", proxy.url.as_str()),
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
    ] {
        let ran = here.run_with_variables(&["check"], &[(variable, value)]).await;
        assert_eq!(ran.status, 0, "{variable}: {}", ran.stdout);
        let (_, text) = of_queue(&ran);
        assert!(text.ends_with("without TLS, on this machine, by the lean transport"), "{text}");
    }
    assert_eq!(proxy.asked(), [""; 0]);
}

#[tokio::test]
async fn credentials_of_this_machine_are_asked_for_without_a_proxy() {
    let proxy = HttpProxy::start(None).await;
    let given = role_server().await;
    let here = by_url_alone().await.without("AWS_").set("AWS_REGION", "us-east-1");
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", given.as_str()),
        ("HTTP_PROXY", proxy.url.as_str()),
    ];
    let ran = here.run_with_variables(&["check"], &variables).await;
    assert_eq!(ran.status, 0, "{}", ran.stdout);
    assert_eq!(proxy.asked(), [""; 0]);
}

/// A server on this machine that gives a role's credentials to whoever asks. Its URL.
async fn role_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/role", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = client.read(&mut head).await;
            let body = r#"{"AccessKeyId":"a","SecretAccessKey":"s","Token":"t","Expiration":"2100-01-01T00:00:00Z"}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = client.write_all(answer.as_bytes()).await;
        }
    });
    url
}

#[tokio::test]
async fn tls_is_checked_against_an_authority_of_ones_own_and_a_tunnel_carries_it() {
    let here = by_url_alone().await;
    let tls = mongod::certificates();
    let authority = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(authority.path(), &tls.ca).expect("written");
    let front = collector::by_tls(&tls, here.sqs.endpoint(), b"http/1.1").await;
    let proxy = HttpProxy::start(Some(front.trim_start_matches("https://"))).await;
    let proxied = front;
    let (front, address) = ("https://sqs.example:1", "sqs.example:1");
    let name = here.queue_url.rsplit('/').next().expect("a name").to_owned();
    let here = here.set("LONGSHORE__QUEUE__URL", &format!("{front}/000000000000/{name}"));
    let direct = format!("{}/000000000000/{name}", proxied.trim_end_matches('/'));
    let authority = authority.path().to_str().expect("UTF-8");
    // Connections of each: the SDK's for the attributes, and the transport's own.
    for (transport, connections) in [("lean", 2), ("sdk", 1)] {
        let before = proxy.asked().len();
        let variables = [
            ("LONGSHORE__QUEUE__TRANSPORT", transport),
            ("SSL_CERT_FILE", authority),
            ("HTTPS_PROXY", &proxy.url),
        ];
        let ran = here.run_with_variables(&["check"], &variables).await;
        assert_eq!(ran.status, 0, "{}", ran.stdout);
        assert!(of_queue(&ran).1.contains("by TLS, through the proxy"), "{}", ran.stdout);
        let asked = proxy.asked().split_off(before);
        assert!(asked.len() >= connections, "{transport}: {asked:?}");
        assert!(asked.iter().all(|line| *line == format!("CONNECT {address}")), "{asked:?}");
        // And without a proxy, where the authority is known and where it is not.
        let url = ("LONGSHORE__QUEUE__URL", direct.as_str());
        let ran = here.run_with_variables(&["check"], &[variables[0], variables[1], url]).await;
        assert_eq!(ran.status, 0, "{}", ran.stdout);
        let ran = here.run_with_variables(&["check"], &[variables[0], url]).await;
        assert!(ran.stdout.contains("certificate"), "{}", ran.stdout);
    }
}

#[tokio::test]
async fn whoever_said_where_requests_go_is_blamed_where_nobody_answers() {
    let here = by_url_alone().await;
    let profile = here.home.path().join("aws");
    let text = "[default]\nendpoint_url = http://127.0.0.1:1\n";
    std::fs::write(&profile, text).expect("written");
    let profile = profile.to_str().expect("UTF-8").to_owned();
    for (variable, value, blamed) in [
        ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1", "and AWS_ENDPOINT_URL_SQS"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1", "and AWS_ENDPOINT_URL"),
        ("AWS_CONFIG_FILE", profile.as_str(), "and endpoint_url in the AWS profile"),
        ("LONGSHORE__QUEUE__ENDPOINT_URL", "http://127.0.0.1:1", "and queue.endpoint_url"),
        ("LONGSHORE__QUEUE__URL", "http://127.0.0.1:1/0/q", "and queue.url"),
    ] {
        let ran = here.run_with_variables(&["send"], &[(variable, value)]).await;
        assert_eq!(ran.status, 2, "{variable}: {}", ran.stderr);
        let line = ran.stderr.trim_end();
        assert!(line.contains("check the network") && line.ends_with(blamed), "{line}");
    }
    let variables = [("HTTP_PROXY", "http://127.0.0.1:1")];
    let ran = elsewhere(here).run_with_variables(&["send"], &variables).await;
    let blamed = "check the network, the proxy (HTTP_PROXY) and queue.url";
    assert!(ran.stderr.trim_end().ends_with(blamed), "{}", ran.stderr);
}

#[tokio::test]
async fn a_profile_that_is_nowhere_is_named() {
    let here = by_url_alone().await.without("AWS_ACCESS").set("AWS_PROFILE", "portl");
    let ran = here.run(&["send"]).await;
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("no AWS configuration file has the profile portl"),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn a_read_preference_does_not_bend_what_the_worker_asks() {
    for preference in ["secondary", "secondaryPreferred", "nearest"] {
        let here = Surroundings::start().await;
        let uri = here.db.mongo_uri.as_ref().expect("a URI").expose().to_owned();
        let separator = if uri.contains('?') { '&' } else { '?' };
        here.insert("events", &[doc! { "_id": "e" }]).await;
        let uri = format!("{uri}{separator}readPreference={preference}");
        let ran = here.set("MONGO_CACHE_URI", &uri).run(&["check"]).await;
        assert_eq!(ran.status, 0, "{preference}: {}", ran.stdout);
        let events = found(&ran, "indexes").into_iter().find(|(_, text)| text.contains("events"));
        let (status, text) = events.expect("a line");
        assert!(status == "warn" && text.contains("lacks"), "{preference}: {status} {text}");
    }
}

#[tokio::test]
async fn a_login_without_tls_to_another_machine_needs_leave() {
    let here = Surroundings::start().await;
    let uri = format!("mongodb://portal:{SECRET}@db.example:1/portal");
    let here = here.set("MONGO_CACHE_URI", &uri);
    let ran = here.run(&["stats"]).await;
    assert!(ran.stderr.contains("db.allow_insecure"), "{}", ran.stderr);
    let ran = here.run(&["stats", "--set", "db.allow_insecure=true"]).await;
    assert!(!ran.stderr.contains("db.allow_insecure"), "{}", ran.stderr);
    let plain = "queue.url=http://sqs.example:1/0/q";
    let ran = here
        .run(&["send", "--set", plain, "--set", "queue.endpoint_url=http://sqs.example:1"])
        .await;
    assert!(ran.stderr.contains("queue.allow_insecure"), "{}", ran.stderr);
}

#[tokio::test]
async fn check_says_how_the_database_is_connected() {
    let here = Surroundings::start().await;
    let way = |ran: &Ran| found(ran, "database connection");
    let ran = here.run(&["check"]).await;
    assert_eq!(way(&ran), [("ok".to_owned(), "without TLS, on this machine".to_owned())]);
    let secured = mongod::settings(mongod::secured().await).mongo_uri.expect("a URI");
    let here = here.set("MONGO_CACHE_URI", secured.expose());
    let ran = here.run(&["check"]).await;
    assert_eq!(way(&ran)[0].1, "by TLS, and the server's certificate is checked", "{}", ran.stdout);
}

#[tokio::test]
async fn a_replica_set_of_another_name_is_told_from_silence() {
    let here = Surroundings::start().await;
    let uri = here.db.mongo_uri.as_ref().expect("a URI").expose();
    let uri = uri.replace("replicaSet=longshore", "replicaSet=wrong");
    let ran = here.set("MONGO_CACHE_URI", &uri).run(&["stats"]).await;
    assert!(
        ran.stderr
            .contains("is of the replica set longshore, and the URI asks for replicaSet=wrong"),
        "{}",
        ran.stderr
    );
}

/// A URI of the server that wants a login, for this user or for none.
async fn secured_as(login: Option<&str>) -> String {
    let uri = mongod::settings(mongod::secured().await).mongo_uri.expect("a URI");
    let (_, rest) = uri.expose().split_once('@').expect("a login");
    match login {
        Some(login) => format!("mongodb://{login}@{rest}"),
        None => format!("mongodb://{}", rest.replace("authSource=admin", "appName=x")),
    }
}

#[tokio::test]
async fn a_login_that_is_missing_is_asked_for() {
    let here = Surroundings::start().await.set("MONGO_CACHE_URI", &secured_as(None).await);
    for command in ["run", "stats"] {
        let ran = here.run(&[command]).await;
        assert_eq!(ran.status, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("add user and password to the URI"), "{}", ran.stderr);
    }
    let ran = here.run(&["check"]).await;
    let text = found(&ran, "database").pop().expect("a line").1;
    assert!(text.contains("wants a login"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("readWrite"), "{}", ran.stdout);
}

#[tokio::test]
async fn a_user_who_may_only_read_is_told_what_to_be_granted() {
    let admin = MongoManager::connect(&mongod::settings(mongod::secured().await)).await;
    let admin = admin.expect("a server").client().database("admin");
    let make = doc! { "createUser": "reader", "pwd": "reads", "roles": ["readAnyDatabase"] };
    admin.run_command(make).await.expect("made");
    let here = Surroundings::start().await;
    let here = here.set("MONGO_CACHE_URI", &secured_as(Some("reader:reads")).await);
    let ran = here.run(&["run"]).await;
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("events: the user may not insert; grant it the role readWrite"),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn a_validator_that_lets_no_document_have_ingest_fails_the_check() {
    let here = Surroundings::start().await;
    let schema = doc! { "$jsonSchema": { "additionalProperties": false, "properties": { "_id": {}, "session_id": {}, "data": {}, "last_accessed": {} } } };
    here.database().await.create_collection("sessions").validator(schema).await.expect("made");
    let ran = here.run(&["check"]).await;
    assert_eq!(ran.status, 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("lets no document have _ingest"), "{}", ran.stdout);
    let ran = here.run(&["run"]).await;
    assert!(ran.stderr.contains("lets no document have _ingest"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_validator_that_refuses_dead_letters_fails_the_check() {
    let here = Surroundings::start().await;
    let make = async |validator: Document| {
        let database = here.database().await;
        database.collection::<Document>("dead_letters").drop().await.expect("dropped");
        database.create_collection("dead_letters").validator(validator).await.expect("made");
        here.run(&["check"]).await
    };
    for validator in [
        doc! { "owner": { "$exists": true } },
        doc! { "$jsonSchema": { "properties": { "route": { "bsonType": "string" } } } },
        doc! { "$expr": { "$lt": [{ "$strLenCP": "$text" }, 3] } },
    ] {
        let ran = make(validator.clone()).await;
        assert_eq!(ran.status, 1, "{validator}: {}", ran.stdout);
        let told = "dead_letters has a validator that refuses a dead letter";
        assert!(ran.stdout.contains(told), "{validator}: {}", ran.stdout);
    }
    let ran = make(doc! { "$jsonSchema": { "required": ["reason", "body"] } }).await;
    assert_eq!(ran.status, 0, "{}", ran.stdout);
    let letters = here.database().await.collection::<Document>("dead_letters");
    assert_eq!(letters.count_documents(doc! {}).await.expect("counted"), 0, "nothing is written");
}

#[tokio::test]
async fn a_variable_with_an_underscore_too_few_is_told() {
    let here = Surroundings::start().await.set("LONGSHORE_QUEUE__WAIT", "5s");
    let ran = here.run(&["check"]).await;
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("did you mean LONGSHORE__QUEUE__WAIT?"), "{}", ran.stderr);
}
