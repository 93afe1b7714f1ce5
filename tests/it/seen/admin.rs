//! Health, metrics and the status page of a worker that runs, fails, and is stuck.

use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::Duration;

use longshore::admin::{self, Facts, Health, View};
use longshore::config::{self, AdminConfig};
use longshore::dev::mongod::{Mongod, Options};
use longshore::held::Held;
use longshore::stop::Stop;
use longshore::telemetry::metrics::{Connections, Metrics, Sources};
use longshore::telemetry::otlp::Otlp;
use longshore::telemetry::signals::Signals;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::web::{Web, serve};
use crate::support::child::{Child, longshore};
use crate::support::mongod;
use crate::support::ports::free_port;
use crate::support::sqs::Kind;
use crate::support::surroundings::{Surroundings, plain};
use crate::support::until;

const HOSTILE: &str = "</script><script>alert(1)</script><img src=x onerror=alert(2)>";

pub struct Running {
    pub worker: Child,
    pub web: Web,
    pub port: u16,
}

impl Running {
    pub fn start(surroundings: &Surroundings, variables: &[(&str, &str)]) -> Self {
        Self::start_on(surroundings, free_port(), variables)
    }

    /// Its admin server is on `port`.
    pub fn start_on(surroundings: &Surroundings, port: u16, variables: &[(&str, &str)]) -> Self {
        let mut worker = surroundings.longshore(&["run"]);
        worker
            .env("LONGSHORE__ADMIN__LISTEN", format!("127.0.0.1:{port}"))
            .envs(variables.iter().copied());
        Self { worker: Child::start(worker), web: Web::new(port), port }
    }

    pub async fn until_unloaded(&mut self, surroundings: &Surroundings) {
        until("the queue is empty", async || {
            self.worker.assert_running();
            surroundings.left().await == 0
        })
        .await;
    }

    pub async fn end(self) {
        self.worker.signal("TERM").await;
        let (status, printed) = self.worker.ended().await;
        assert!(status.success(), "{printed}");
    }
}

#[tokio::test]
async fn what_happens_is_shown_and_hostile_words_are_only_words() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let good = (0..25)
        .map(|number| plain(&json!({ "type": "event", "user_id": number, "event_type": "login" })));
    let bad = [
        plain(&json!({ "type": HOSTILE })),
        plain(&json!({ "type": "event", "user_id": 1, "event_type": "x", "timestamp": HOSTILE })),
    ];
    surroundings.send(&good.chain(bad).collect::<Vec<_>>()).await;
    let mut running = Running::start(&surroundings, &[("LONGSHORE__ADMIN__SHOW_BODIES", "true")]);
    running.until_unloaded(&surroundings).await;
    until("rates are shown", async || running.web.status().await["totals"]["durable"] == 25).await;
    let status = running.web.status().await;
    assert_eq!(status["dead_letters"]["by_reason"], json!({ "unknown_type": 1, "bad_time": 1 }));
    let last = status["dead_letters"]["last"].as_array().expect("the last dead letters");
    assert!(
        last.iter()
            .all(|letter| letter["body"].as_str().is_some_and(|body| body.contains("alert(1)"))),
        "{last:?}"
    );
    assert_eq!((&status["gate"]["open"], &status["state"]), (&json!(true), &json!("running")));
    assert_eq!(
        (&status["totals"]["received"], &status["totals"]["deleted"]),
        (&json!(27), &json!(27))
    );
    assert!(
        status["config"]
            .as_array()
            .is_some_and(|config| config.iter().any(|setting| setting["key"] == "queue.wait"))
    );
    assert!(status["stages"].as_array().is_some_and(|stages| {
        stages.iter().all(|stage| stage["messages"].as_u64().unwrap_or(0) == 0)
    }));

    let page = running.web.get("/").await;
    let policy = page.headers["content-security-policy"].to_str().expect("text");
    assert!(
        page.status == 200
            && policy.starts_with("default-src 'none'")
            && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(
        !page.text.contains("<img src=x") && page.text.contains("&lt;img src=x"),
        "words of a message are escaped"
    );
    assert_eq!(page.text.matches("<script").count(), 1, "the page's own script alone");
    for outside in ["http://", "https://", "//cdn"] {
        let own = page.text.replace("http://www.w3.org/", "").replace("http://127.0.0.1", "");
        assert!(!own.contains(outside), "the page asks nobody else: {outside}");
    }
    for (path, text) in [("/livez", "alive\n"), ("/readyz", "ready\n")] {
        let answer = running.web.get(path).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, text));
    }
    running.end().await;
}

#[tokio::test]
async fn a_closed_gate_is_told_with_its_cause_and_what_to_do() {
    let mongod = Mongod::start(&Options::new(mongod::program().await)).await.expect("a database");
    let surroundings =
        Surroundings::on(Kind::Embedded, &json!({ "VisibilityTimeout": "600" }), &mongod).await;
    let mut running = Running::start(
        &surroundings,
        &[
            ("LONGSHORE__RETRY__BUDGET", "1s"),
            ("LONGSHORE__DB__SERVER_SELECTION_TIMEOUT", "1s"),
            ("LONGSHORE__WORKER__DRAIN_TIMEOUT", "6s"),
        ],
    );
    assert_eq!(running.web.status().await["gate"]["open"], true);
    mongod.stop().await;
    surroundings
        .send(&[plain(&json!({ "type": "event", "user_id": 1, "event_type": "login" }))])
        .await;
    until("the gate is closed", async || {
        running.worker.assert_running();
        running.web.status().await["gate"]["open"] == false
    })
    .await;
    let status = running.web.status().await;
    assert!(
        status["gate"]["cause"].as_str().is_some_and(|cause| !cause.is_empty()),
        "{}",
        status["gate"]
    );
    assert!(
        status["gate"]["advice"]
            .as_str()
            .is_some_and(|advice| advice.starts_with("Bring the database back")),
        "{}",
        status["gate"]
    );
    assert_eq!(status["last_errors"][0]["what"], "write not confirmed");
    assert_eq!(
        (
            running.web.metric("longshore_gate_open").await,
            running.web.metric("longshore_gate_closed_total").await
        ),
        (0, 1)
    );
    assert!(running.web.metric("longshore_writes_failed_total").await > 0);
    assert_eq!(
        running.web.get("/livez").await.status,
        200,
        "a restart would not mend the database"
    );
    assert_eq!(running.web.get("/readyz").await.status, 200);
    let age =
        async || running.web.status().await["queue"]["oldest_age_s"].as_f64().expect("an age");
    let first = age().await;
    assert!(first > 0.0, "a message waits");
    until("it grows older, although nothing is received", async || age().await > first + 1.0).await;
    until("it says that nothing is received", async || {
        running.web.status().await["queue"]["oldest"] == "nothing_received"
    })
    .await;
    running.worker.signal("TERM").await;
    until("it is not ready while it drains", async || {
        running.web.get("/readyz").await.status == 503
    })
    .await;
    assert_eq!(running.worker.ended().await.0.code(), Some(1), "it had to let go");
}

#[tokio::test]
async fn a_queue_that_is_gone_is_the_first_thing_that_is_said() {
    let surroundings = Surroundings::new(&json!({})).await;
    let running = Running::start(&surroundings, &[]);
    assert_eq!(running.web.status().await["headline"]["kind"], "idle");
    surroundings.server.call("DeleteQueue", &json!({ "QueueUrl": surroundings.queue_url })).await;
    let said = async || running.web.status().await["headline"].clone();
    until("the headline says it", async || {
        said().await["text"].as_str().is_some_and(|text| text.contains("does not exist"))
    })
    .await;
    assert_eq!(said().await["word"], "Receives fail");
    assert!(running.web.get("/").await.text.contains("Receives fail"), "without a script, too");
    assert_eq!(running.web.get("/livez").await.status, 200, "a restart would not bring it back");
    running.end().await;
}

#[tokio::test]
async fn a_bad_deploy_of_a_producer_is_the_first_thing_that_is_said() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let bad = (0..1_500).map(|number| plain(&json!({ "type": "event", "user_id": number })));
    surroundings.send(&bad.collect::<Vec<_>>()).await;
    let mut running = Running::start(&surroundings, &[]);
    until("a flood is told", async || {
        running.worker.assert_running();
        running.web.status().await["headline"]["word"] == "Flood of rejected messages"
    })
    .await;
    let status = running.web.status().await;
    assert!(
        status["headline"]["text"].as_str().is_some_and(|text| text.contains("missing_field")),
        "{}",
        status["headline"]
    );
    let last = &status["dead_letters"]["last"];
    assert!(
        last.as_array().is_some_and(|last| last.len() == 1)
            && last[0]["times"].as_u64() > Some(500),
        "{last}"
    );
    running.worker.signal("TERM").await;
    running.worker.ended().await;
}

#[tokio::test]
async fn what_is_rejected_is_never_shown_as_what_flows() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let bad = (0..30).map(|number| plain(&json!({ "type": "event", "user_id": number })));
    surroundings.send(&bad.collect::<Vec<_>>()).await;
    let mut running = Running::start(&surroundings, &[]);
    until("the headline says so", async || {
        running.worker.assert_running();
        running.web.status().await["headline"]["word"] == "All messages are rejected"
    })
    .await;
    let status = running.web.status().await;
    let rates = &status["rates"];
    assert_eq!((&rates["durable_per_s"], &rates["rejected_share"]), (&json!(0.0), &json!(1.0)));
    assert!(rates["dead_letters_per_s"].as_f64() > Some(0.0), "{rates}");
    assert_eq!(rates["latency_p50_s"], json!(null), "nothing but dead letters");
    running.until_unloaded(&surroundings).await;
    until("all are told", async || running.web.status().await["totals"]["dead_lettered"] == 30)
        .await;
    assert_eq!(running.web.status().await["totals"]["durable"], 0);
    running.end().await;
}

#[tokio::test]
async fn an_idle_worker_says_what_its_stop_waits_for_and_a_second_signal_does_not_wait() {
    let surroundings = Surroundings::new(&json!({})).await;
    let mut running = Running::start(
        &surroundings,
        &[("LONGSHORE__QUEUE__WAIT", "20s"), ("LONGSHORE__LOG__FORMAT", "text")],
    );
    until("it asks the queue", async || {
        running.worker.assert_running();
        running.web.status().await["stages"][0]["calls"] == 1
    })
    .await;
    running.worker.signal("TERM").await;
    until("it says what it waits for", async || {
        running
            .worker
            .printed()
            .contains("a receive is open at the queue and waited for, up to 20s")
    })
    .await;
    running.worker.assert_running();
    running.worker.signal("TERM").await;
    let (status, printed) = running.worker.ended().await;
    assert_eq!(status.code(), Some(1), "it did not wait: {printed}");
    assert!(
        printed.contains("ended after ")
            && printed.contains("calls to the queue: ")
            && !printed.contains("received_total"),
        "few lines for people: {printed}"
    );
}

#[tokio::test]
async fn a_page_that_listens_everywhere_answers_to_its_own_names_only() {
    let mut config = config::defaults().admin;
    config.listen = Some(([0, 0, 0, 0], 0).into());
    config.hosts = vec!["longshore.example.com".to_owned()];
    let view = view(&Signals::default(), Duration::from_secs(30));
    let admin = admin::serve(admin::bind(&config).expect("bound"), view).expect("served");
    let web = Web::new(admin.page.expect("an address").port());
    for path in
        ["/", "/status.json", "/dead-letters.json", "/metrics", "/events", "/livez", "/readyz"]
    {
        let status = web.ask(path, "evil.example").await.expect("an answer").status;
        assert_eq!(status, 421, "{path}");
    }
    for host in ["longshore.example.com", "10.1.2.3:9690", "localhost"] {
        let status = web.ask("/status.json", host).await.expect("an answer").status;
        assert_eq!(status, 200, "{host}");
    }
}

#[tokio::test]
async fn connections_that_say_nothing_and_pages_without_end_are_bounded() {
    let signals = Signals::default();
    let (_served, address) = serve(view(&signals, Duration::from_secs(30)));
    let web = Web::new(address.port());
    let mut pages = Vec::new();
    for _ in 0..32 {
        let mut page = tokio::net::TcpStream::connect(address).await.expect("a connection");
        page.write_all(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.expect("sent");
        let mut head = [0; 12];
        page.read_exact(&mut head).await.expect("an answer");
        assert_eq!(&head, b"HTTP/1.1 200");
        pages.push(page);
    }
    assert_eq!(web.get("/events").await.status, 503);
    assert_eq!(web.get("/livez").await.status, 200, "probes have room");
    // More than there is room for: they are closed, because they say nothing.
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(tokio::net::TcpStream::connect(address).await.expect("a connection"));
    }
    until("the first that said nothing is closed", async || {
        let mut byte = [0; 1];
        matches!(silent[0].try_read(&mut byte), Ok(0) | Err(_))
            && silent[0].peek(&mut byte).await.is_ok_and(|bytes| bytes == 0)
    })
    .await;
    assert_eq!(web.get("/livez").await.status, 200);
    drop((pages, silent));
}

/// A view of a worker that has nothing but signals.
pub fn view(signals: &Signals, step_max: Duration) -> View {
    let health = Health { signals: signals.clone(), held: Held::default(), step_max };
    let sources = Sources {
        destination: "portal".into(),
        fifo: false,
        held: Held::default(),
        api_requests: Arc::new(Vec::new),
        connections: Arc::new(Connections::default),
        spans_dropped: Arc::new(|| 0),
        metric_exports_failed: Arc::new(|| 0),
        is_stuck: Arc::new(move || !health.stuck().is_empty()),
    };
    let metrics = Metrics::new(Otlp::default().resource(), None).expect("metrics");
    metrics.observe(signals.counters(), signals.gauges(), &sources);
    let (held, stop, facts) = (sources.held.clone(), Stop::default(), Arc::new(Facts::default()));
    View {
        signals: signals.clone(),
        metrics: Arc::new(metrics),
        sources,
        held,
        stop,
        facts,
        step_max,
        letters: None,
    }
}

/// How `longshore check --live` ends with a setting, and what it says.
pub async fn check_live(setting: &str) -> (i32, String) {
    let mut command = longshore();
    let output =
        command.args(["check", "--live", "--set", setting]).output().await.expect("it runs");
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a line of JSON");
    assert_eq!(said["check"], "live");
    (output.status.code().expect("a status"), said["text"].as_str().expect("text").to_owned())
}

#[tokio::test]
async fn where_no_worker_answers_its_health_check_says_so() {
    let (status, text) = check_live(&format!("admin.listen=127.0.0.1:{}", free_port())).await;
    assert!(
        status == 1 && text.contains("see that a worker runs here, with the same admin.listen"),
        "{text}"
    );
    let (status, text) = check_live("admin.listen=off").await;
    assert!(status == 1 && text.contains("give it an address"), "{text}");
    // It answers, but not as a worker does, and never ends.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    let (status, text) = check_live(&format!("admin.listen={address}")).await;
    assert!(status == 1 && text.contains("did not answer within 4 s"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wedged_task_makes_livez_fail() {
    let signals = Signals::default();
    let (_served, address) = serve(view(&signals, Duration::from_millis(200)));
    let web = Web::new(address.port());
    let (end, until_ended) = std::sync::mpsc::channel::<()>();
    let (wedge, wedged) = tokio::sync::oneshot::channel::<()>();
    let task = signals.watchdog().watch("lane events", async move {
        wedged.await.expect("the test says when");
        // A thread that blocks, as a lock that is never let go would.
        let _ = until_ended.recv();
    });
    let task = tokio::spawn(task);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(web.get("/livez").await.status, 200, "a task that waits is not stuck");
    assert_eq!(
        check_live(&format!("admin.listen={address}")).await,
        (0, format!("the worker at {address} is alive"))
    );
    wedge.send(()).expect("it waits");
    until("livez fails", async || web.get("/livez").await.status == 503).await;
    assert_eq!(web.get("/livez").await.text, "stuck: lane events\n");
    assert_eq!(
        check_live(&format!("admin.listen={address}")).await,
        (1, format!("{address} answered 503: stuck: lane events"))
    );
    assert_eq!(
        (web.status().await["stuck"].clone(), web.metric("longshore_task_stuck").await),
        (json!(["lane events"]), 1)
    );
    for (host, status) in [
        ("localhost:9690", 200),
        ("[::1]:9690", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example:9690", 421),
    ] {
        assert_eq!(
            web.ask("/status.json", host).await.expect("an answer").status,
            status,
            "a page of {host} in a browser of this machine"
        );
    }
    drop(end);
    task.await.expect("it ends");
    until("it is alive again", async || web.get("/livez").await.status == 200).await;
}

#[tokio::test]
async fn a_taken_address_is_an_error_only_where_it_was_chosen() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = Some(taken.local_addr().expect("an address"));
    let chosen = AdminConfig { listen, is_chosen: true, ..config::defaults().admin };
    let error = admin::bind(&chosen).expect_err("it is taken");
    assert!(format!("{error:#}").contains("give another address, or \"off\""), "{error:#}");
    let not_chosen = AdminConfig { is_chosen: false, ..chosen.clone() };
    assert_eq!(admin::bind(&not_chosen).expect("a warning").page(), None);
    let off = AdminConfig { listen: None, ..chosen.clone() };
    assert_eq!(admin::bind(&off).expect("off").page(), None);
    let probes = AdminConfig { listen: None, probes: listen, ..chosen };
    let error = admin::bind(&probes).expect_err("it is taken");
    assert!(format!("{error:#}").starts_with("cannot listen on admin.probes"), "{error:#}");
}

#[tokio::test]
async fn systemd_is_told_what_the_worker_does() {
    let surroundings = Surroundings::new(&json!({})).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_nonblocking(true).expect("a socket that does not wait");
    let running = Running::start(
        &surroundings,
        &[("NOTIFY_SOCKET", path.to_str().expect("a path")), ("WATCHDOG_USEC", "200000")],
    );
    let mut told = BTreeSet::new();
    let hear = |told: &mut BTreeSet<String>| {
        let mut buffer = [0; 256];
        while let Ok(bytes) = socket.recv(&mut buffer) {
            told.extend(String::from_utf8_lossy(&buffer[..bytes]).lines().map(str::to_owned));
        }
    };
    until("READY and WATCHDOG are told", async || {
        hear(&mut told);
        told.contains("READY=1") && told.contains("WATCHDOG=1")
    })
    .await;
    assert!(!told.contains("STOPPING=1"));
    running.end().await;
    hear(&mut told);
    assert!(told.contains("STOPPING=1"), "{told:?}");
}

#[tokio::test]
async fn the_journal_gets_priorities_and_other_readers_get_json() {
    let surroundings = Surroundings::new(&json!({})).await;
    let command = || {
        let mut command = surroundings.longshore(&["run"]);
        command
            .env("LONGSHORE__ADMIN__LISTEN", format!("127.0.0.1:{}", free_port()))
            .env("JOURNAL_STREAM", "1:1");
        command
    };
    for (is_journal, child) in
        [(true, Child::start_in_journal(command())), (false, Child::start(command()))]
    {
        until("it says that it has started", async || child.printed().contains("started")).await;
        child.signal("TERM").await;
        let (status, printed) = child.ended().await;
        assert!(status.success() && printed.lines().count() > 1, "{printed}");
        for line in printed.lines() {
            assert!(!line.contains("ended after"), "words are for a terminal: {line}");
            let is_for_the_journal =
                line.starts_with("<6>") && !line.contains('\u{1b}') && !line.contains("INFO");
            assert_eq!(
                (is_for_the_journal, serde_json::from_str::<serde_json::Value>(line).is_ok()),
                (is_journal, !is_journal),
                "{line}"
            );
        }
    }
}

/// The labels that metrics may have.
const LABELS: &[&str] = &[
    "le",
    "reason",
    "route",
    // Of the first ten since the start.
    "sender",
    // Of the last hundred that were new, by a hash.
    "group",
    "cause",
    "state",
    "index",
    "stage",
    "version",
    "error_type",
    "db_collection_name",
    "db_operation_name",
    "db_system_name",
    "db_client_connection_state",
    "messaging_system",
    "messaging_destination_name",
    "messaging_operation_name",
    "messaging_operation_type",
    "service_name",
    "service_version",
    "telemetry_sdk_language",
    "telemetry_sdk_name",
    "telemetry_sdk_version",
];

/// The name of a metric, and neither a label nor a part of one.
fn is_metric(word: &str) -> bool {
    let is_ours = word.starts_with("longshore_")
        || word.starts_with("messaging_")
        || word.starts_with("db_client_");
    let is_measured = ["_total", "_seconds", "_bytes", "_bucket", "_sum", "_count"]
        .iter()
        .any(|suffix| word.ends_with(suffix));
    is_ours && (is_measured || word.starts_with("longshore_")) && !word.ends_with('_')
}

/// Of the metrics that `text` has, dashboard, alerts and page ask for no other.
fn asks_for_nothing_else(text: &str) {
    let families: BTreeSet<_> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for file in [
        "deploy/grafana/longshore.json",
        "deploy/prometheus/alerts.yaml",
        "deploy/prometheus/alerts_test.yaml",
        "docs/seeing.md",
    ] {
        let asked =
            std::fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).expect(file);
        let names: BTreeSet<_> = asked
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .filter(|word| is_metric(word))
            .collect();
        assert!(names.len() > 10, "{file} asks for {names:?}");
        for name in names {
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix))
                .filter(|name| families.contains(name));
            assert!(
                family.is_some() || families.contains(name),
                "{file} asks for {name}, which is not in /metrics"
            );
        }
    }
}

#[tokio::test]
async fn every_query_is_answered_every_metric_has_a_help_text_and_no_label_of_a_message() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    surroundings
        .send(
            &(0..30)
                .map(|number| {
                    plain(&json!({ "type": "event", "user_id": number, "event_type": "login" }))
                })
                .collect::<Vec<_>>(),
        )
        .await;
    let mut running = Running::start(&surroundings, &[]);
    running.until_unloaded(&surroundings).await;
    assert_eq!(running.web.metric("longshore_enqueue_to_durable_duration_seconds_count").await, 30);
    assert_eq!(running.web.metric("longshore_deleted_total").await, 30);
    // Some metrics have no series before something was rejected.
    surroundings.send(&[plain(&json!({ "type": "event" }))]).await;
    until("a new group is told", async || {
        running.web.metric("longshore_dead_letter_group_new_timestamp_seconds").await > 0
    })
    .await;
    let text = running.web.get("/metrics").await.text;
    let mut series = 0;
    asks_for_nothing_else(&text);
    for line in text.lines() {
        if let Some(typed) = line.strip_prefix("# TYPE ") {
            let name = typed.split(' ').next().expect("a name");
            assert!(text.contains(&format!("# HELP {name} ")), "{name} has no help text");
            continue;
        }
        if line.starts_with('#') {
            continue;
        }
        series += 1;
        if let Some((_, labels)) = line.split_once('{') {
            for label in labels.split("\",").filter_map(|label| label.split_once('=')) {
                assert!(LABELS.contains(&label.0), "a label that is not of a closed list: {line}");
            }
        }
    }
    assert!(series < 500, "{series} series");
    running.end().await;
}
