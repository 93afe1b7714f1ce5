//! The built program, run as a user runs it: what it prints and how it exits, against real servers.

mod aws_login;
mod check;
mod connection;
mod indexes;
mod send;
mod sockets;
mod start;
mod try_one;

use std::fs::File;
use std::process::{Output, Stdio};
use std::time::Duration;

use bson::{Document, doc};
use longshore::config::DbConfig;
use longshore::mongo_manager::MongoManager;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};

use crate::support::mongod;
use crate::support::sqs::{Kind, SqsServer};

/// Planted where no output may show it.
const SECRET: &str = "hunter2";

/// Longer than any command here may take.
const COMMAND_MAX: Duration = Duration::from_mins(1);

/// How a command ended. Its output holds no secret and no stack trace: looked at in every test.
struct Ran {
    status: i32,
    stdout: String,
    stderr: String,
    took: Duration,
}

impl Ran {
    fn new(output: Output, begun: Instant) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let status = output.status.code().expect("an exit status");
        let ran = Self {
            status,
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            took: begun.elapsed(),
        };
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            !all.contains(SECRET) && !all.contains("stack backtrace") && !all.contains("panicked"),
            "{all}"
        );
        ran
    }

    /// Standard output as JSON lines.
    fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
            })
            .collect()
    }
}

/// A command line as it is typed.
fn words(command: &str) -> Vec<&str> {
    command.split(' ').collect()
}

/// A queue, a database, and the variables that point at them.
struct Surroundings {
    sqs: SqsServer,
    queue_url: String,
    /// In place of a home: no AWS profile, no configuration.
    home: TempDir,
    db: DbConfig,
    variables: Vec<(String, String)>,
}

impl Surroundings {
    async fn start() -> Self {
        Self::with_queue(&json!({"VisibilityTimeout": "60"})).await
    }

    async fn with_queue(attributes: &Value) -> Self {
        let sqs = SqsServer::start(Kind::Embedded).await;
        let queue_url = sqs.create_queue(attributes).await;
        let db = mongod::settings(mongod::plain().await);
        let uri = db.mongo_uri.as_ref().expect("a URI").expose();
        let variables = [
            ("MONGO_CACHE_URI", uri),
            ("LONGSHORE__QUEUE__URL", &queue_url),
            ("LONGSHORE__QUEUE__ENDPOINT_URL", sqs.endpoint()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { queue_url, db, variables, home: tempfile::tempdir().expect("a folder"), sqs }
    }

    /// The same with another value.
    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn without(mut self, begins: &str) -> Self {
        self.variables.retain(|(name, _)| !name.starts_with(begins));
        self
    }

    async fn database(&self) -> mongodb::Database {
        MongoManager::connect(&self.db).await.expect("a database").database().clone()
    }

    async fn insert(&self, collection: &str, documents: &[Document]) {
        self.database()
            .await
            .collection::<Document>(collection)
            .insert_many(documents)
            .await
            .expect("inserted");
    }

    async fn messages(&self) -> u64 {
        self.sqs.connect(&self.queue_url).await.1.messages
    }

    fn spawn(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Child {
        self.command(arguments, variables).spawn().expect("the program")
    }

    /// The program with nothing of this process's environment.
    fn command(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            // So that a stack trace would show.
            .env("RUST_BACKTRACE", "1")
            .envs(self.variables.iter().cloned())
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, "").await
    }

    /// With variables of this run alone.
    async fn run_with_variables(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        Self::ended(self.spawn(arguments, variables), "").await
    }

    async fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        Self::ended(self.spawn(arguments, &[]), input).await
    }

    async fn ended(mut child: Child, input: &str) -> Ran {
        let begun = Instant::now();
        let mut stdin = child.stdin.take().expect("its standard input");
        let write = async {
            // A command that does not read may be gone by now.
            let _ = stdin.write_all(input.as_bytes()).await;
            drop(stdin);
        };
        let (output, ()) = tokio::join!(timeout(COMMAND_MAX, child.wait_with_output()), write);
        Ran::new(output.expect("in time").expect("its output"), begun)
    }
}

#[tokio::test]
async fn stats_count_what_is_there_and_name_what_is_missing() {
    let here = Surroundings::start().await;
    here.insert("events", &[doc! { "a": 1 }, doc! { "a": 2 }]).await;

    let all = here.run(&["stats"]).await;
    assert_eq!((all.status, all.stderr.as_str()), (0, ""));
    let lines = all.lines();
    let of = |name: &str| {
        lines.iter().find(|line| line["collection"] == name).unwrap_or_else(|| panic!("{lines:?}"))
    };
    assert_eq!((&of("events")["documents"], &of("events")["indexes"]), (&json!(2), &json!(1)));
    assert!(of("events")["size_bytes"].as_u64() > Some(0), "{lines:?}");
    for name in ["sessions", "user_cache", "dead_letters"] {
        assert_eq!(of(name), &json!({"collection": name, "missing": true}));
    }

    let one = here.run(&["stats", "events", "--json"]).await;
    assert_eq!((one.status, one.lines().len()), (0, 1));
    let none = here.run(&["stats", "no_such_collection"]).await;
    assert_eq!(none.status, 1);
    assert_eq!(none.lines(), [json!({"collection": "no_such_collection", "missing": true})]);
}

#[tokio::test]
async fn where_standard_error_cannot_be_written_a_command_ends_as_it_would() {
    for is_full in [true, false] {
        let here = Surroundings::start().await;
        here.insert("events", &[doc! { "user_id": 1 }]).await;
        let stderr = || {
            if is_full {
                return File::options().write(true).open("/dev/full").expect("a device").into();
            }
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            Stdio::from(writer)
        };
        for (arguments, wanted) in [
            // A line of the log, one of the command, and one of `main`.
            (&["check", "--create-indexes"][..], 0),
            (&["dead-letters", "export"], 0),
            (&["stats", "--set", "queue.wait=soon"], 2),
        ] {
            let child = here.command(arguments, &[]).stderr(stderr()).spawn().expect("the program");
            let ran = Surroundings::ended(child, "").await;
            assert_eq!(ran.status, wanted, "{arguments:?}: {}", ran.stdout);
            if arguments.contains(&"--create-indexes") {
                // It was made, which the log tells.
                assert!(
                    ran.stdout.contains("events: {user_id: 1, timestamp: -1}"),
                    "{}",
                    ran.stdout
                );
            }
        }
    }
}

#[tokio::test]
async fn completions_and_man_pages_need_no_configuration() {
    let here = Surroundings::start().await.set("LONGSHORE__QUEUE__WAIT", "not a time");
    for shell in ["bash", "zsh", "fish"] {
        let ran = here.run(&["completions", shell]).await;
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{shell}");
        for word in ["create-indexes", "group-by", "completions"] {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
    }
    let page = here.run(&["man"]).await;
    assert!(page.status == 0 && page.stdout.contains(".TH longshore 1"), "{}", page.stdout);
    let page = here.run(&["man", "check"]).await;
    assert!(
        page.status == 0
            && page.stdout.contains(".TH longshore-check 1")
            && page.stdout.contains("create"),
        "{}",
        page.stdout
    );
    assert_eq!(here.run(&["man", "no-such-command"]).await.status, 2);

    let folder = here.home.path().join("share/man1");
    assert_eq!(here.run(&["man", "--out", folder.to_str().expect("UTF-8")]).await.status, 0);
    for name in [
        "longshore.1",
        "longshore-run.1",
        "longshore-check.1",
        "longshore-send.1",
        "longshore-stats.1",
        "longshore-try.1",
        "longshore-dead-letters.1",
    ] {
        assert!(folder.join(name).is_file(), "{name}");
    }
}
