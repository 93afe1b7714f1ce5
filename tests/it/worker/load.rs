//! `longshore load`: lines of a file end in the database as messages of a queue do, each once.

mod bad;
mod exports;
mod stops;

use std::path::{Path, PathBuf};

use bson::{Document, doc};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::child::{Ended, fed};
use crate::support::surroundings::{Surroundings, plain};

/// A file in a folder of its own.
struct Loaded {
    folder: TempDir,
    path: PathBuf,
}

impl Loaded {
    fn new(text: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lines.ndjson");
        std::fs::write(&path, text).expect("written");
        Self { folder, path }
    }

    fn of(lines: &[Value]) -> Self {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        Self::new(lines.join("\n"))
    }

    fn name(&self) -> &str {
        self.path.to_str().expect("UTF-8")
    }

    fn progress(&self) -> PathBuf {
        self.folder.path().join("lines.ndjson.load")
    }

    /// How far a load has come by its own account.
    fn offset(&self) -> u64 {
        let text = std::fs::read_to_string(self.progress()).unwrap_or_default();
        let progress: Option<Value> = serde_json::from_str(&text).ok();
        progress.and_then(|progress| progress["offset"].as_u64()).unwrap_or_default()
    }
}

/// How a load ended: its status, its lines but for the sum, the sum, and what it said besides.
struct Ran {
    status: Option<i32>,
    lines: Vec<Value>,
    sum: Value,
    told: String,
}

async fn load(surroundings: &Surroundings, arguments: &[&str]) -> Ran {
    load_from(surroundings, arguments, "").await
}

async fn load_from(surroundings: &Surroundings, arguments: &[&str], input: &str) -> Ran {
    let mut command = surroundings.longshore(&[&["load"], arguments].concat());
    command.env_remove("LONGSHORE__QUEUE__URL").env_remove("LONGSHORE__QUEUE__ENDPOINT_URL");
    let Ended { status, mut lines, told } = fed(command, input).await;
    let sum = lines.pop().unwrap_or_default();
    Ran { status, lines, sum, told }
}

async fn surroundings() -> Surroundings {
    Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await
}

fn event(user: u64) -> Value {
    let at = format!("2026-11-22T10:00:{:02}Z", user % 60);
    json!({ "type": "event", "user_id": user, "event_type": "login", "timestamp": at })
}

/// Of one of ten sessions. Versions of neighbours are equal, so that the place in the file decides.
fn session(number: u64) -> Value {
    json!({
        "type": "session", "session_id": format!("s{}", number % 10), "data": { "number": number },
        "last_accessed": 1_795_341_600 + number / 40,
    })
}

/// Events and updates of sessions in turn.
fn mixed(count: u64) -> Vec<Value> {
    (0..count).map(|number| if number % 4 == 0 { session(number) } else { event(number) }).collect()
}

/// Each event once, and each session at the last of its lines.
async fn assert_holds_mixed(surroundings: &Surroundings, count: u64) {
    let number = |document: &Document, name: &str| match document.get(name) {
        Some(bson::Bson::Int32(number)) => u64::try_from(*number).expect("positive"),
        other => panic!("{other:?}"),
    };
    let events = surroundings.documents("events").await;
    let mut users: Vec<u64> = events.iter().map(|event| number(event, "user_id")).collect();
    users.sort_unstable();
    let expected: Vec<u64> = (0..count).filter(|number| number % 4 > 0).collect();
    let missing: Vec<_> =
        expected.iter().filter(|user| users.binary_search(user).is_err()).collect();
    assert_eq!((missing.len(), users.len()), (0, expected.len()), "missing {missing:?}");
    assert_eq!(users, expected);
    for session in surroundings.documents("sessions").await {
        let name = session.get_str("session_id").expect("a key");
        let last = (0..count).rev().find(|last| last % 4 == 0 && format!("s{}", last % 10) == name);
        let data = session.get_document("data").expect("data");
        assert_eq!(Some(number(data, "number")), last, "{name}");
    }
    assert_eq!(surroundings.documents("sessions").await.len(), 5);
}

async fn all(surroundings: &Surroundings) -> Vec<Document> {
    let mut all = Vec::new();
    for collection in ["events", "sessions", "user_cache"] {
        all.extend(surroundings.documents(collection).await);
    }
    all
}

#[tokio::test]
async fn the_same_content_changes_nothing_under_whatever_name() {
    let here = surroundings().await;
    let mut lines = mixed(200);
    lines.push(json!({ "type": "event", "id": "own", "user_id": 1, "event_type": "a" }));
    lines.push(json!({ "type": "cache", "user_id": 7, "data": { "plan": "pro" } }));
    lines.push(json!({ "user_id": 8, "data": [1] }));
    let first = Loaded::of(&lines);
    let arguments =
        |file: &str| [file, "--time", "2026-11-22T09:00:00Z", "--type", "cache"].map(str::to_owned);
    let run = async |file: &str| {
        let arguments = arguments(file);
        load(&here, &arguments.each_ref().map(String::as_str)).await
    };
    let ran = run(first.name()).await;
    assert_eq!(
        (ran.status, &ran.sum["loaded"]),
        (Some(0), &json!(203)),
        "{:?} {}",
        ran.lines,
        ran.told
    );
    assert!(!first.progress().exists());
    let before = all(&here).await;
    assert_eq!(before.len(), 150 + 1 + 5 + 2);
    let other = Loaded::new(std::fs::read(&first.path).expect("read"));
    let moved = other.folder.path().join("another name.json");
    std::fs::rename(&other.path, &moved).expect("renamed");
    for ran in [run(first.name()).await, run(moved.to_str().expect("UTF-8")).await] {
        assert_eq!((ran.status, &ran.sum["already_there"]), (Some(0), &json!(151)));
        assert_eq!(all(&here).await, before);
    }
    let text = std::fs::read_to_string(&first.path).expect("read");
    let piped = arguments("-");
    let ran = load_from(&here, &piped.each_ref().map(String::as_str), &text).await;
    assert_eq!((ran.status, &ran.sum["already_there"]), (Some(0), &json!(151)), "{}", ran.told);
    assert_eq!(all(&here).await, before);
    // Nor does another time that stands in: it is no part of an event's id.
    let ran =
        load(&here, &[first.name(), "--time", "2026-11-23T09:00:00Z", "--type", "cache"]).await;
    assert_eq!((ran.status, here.documents("events").await.len()), (Some(0), 151));
}

#[tokio::test]
async fn what_is_newer_wins_whether_it_came_by_a_file_or_by_the_queue() {
    let here = surroundings().await;
    let session = |name: &str, second: u32, from: &str| {
        let at = format!("2026-11-22T10:00:{second:02}Z");
        json!({ "type": "session", "session_id": name, "last_accessed": at, "data": { "from": from } })
    };
    let live = [
        session("older", 30, "queue"),
        session("newer", 10, "queue"),
        session("equal", 20, "queue"),
    ];
    let file = Loaded::of(&["older", "newer", "equal"].map(|name| session(name, 20, "file")));
    for file_first in [true, false] {
        here.manager.database().drop().await.expect("dropped");
        if file_first {
            assert_eq!(load(&here, &[file.name()]).await.status, Some(0));
        }
        here.send(&live.each_ref().map(plain)).await;
        here.unload(here.config()).await;
        if !file_first {
            // A time that stands in decides nothing where there is a version.
            let ran = load(&here, &[file.name(), "--time", "2030-01-01T00:00:00Z"]).await;
            assert_eq!((ran.status, &ran.sum["stale"]), (Some(0), &json!(2)), "{}", ran.told);
        }
        for (name, from) in [("older", "queue"), ("newer", "file"), ("equal", "queue")] {
            let sessions = here.manager.database().collection::<Document>("sessions");
            let found = sessions.find_one(doc! { "session_id": name }).await.expect("an answer");
            let data = found.expect("a session").get_document("data").expect("data").clone();
            assert_eq!(data.get_str("from").ok(), Some(from), "{name}, file first: {file_first}");
        }
    }
}

#[tokio::test]
async fn a_route_that_lists_senders_takes_lines_from_who_may_write_to_the_database() {
    let here = surroundings().await;
    let file = Loaded::of(&[event(1)]);
    let ran = load(&here, &[file.name(), "--set", "routes.event.senders=[\"nobody\"]"]).await;
    assert_eq!((ran.status, here.documents("events").await.len()), (Some(0), 1), "{}", ran.told);
}

fn exists(path: &Path) -> bool {
    path.try_exists().expect("an answer")
}
