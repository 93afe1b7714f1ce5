//! Loads that are stopped and killed, and a database that goes away.

use std::os::unix::fs::MetadataExt;
use std::process::Stdio;
use std::time::Duration;

use longshore::dev::mongod::{Mongod, Options};

use super::*;
use crate::support::child::Child;
use crate::support::{mongod, until};

/// What a stopped load had done.
pub(super) struct Stopped {
    pub offset: u64,
}

/// Starts a load, and stops it once its progress says that some lines have their end.
pub(super) async fn stopped(here: &Surroundings, file: &Loaded, arguments: &[&str]) -> Stopped {
    let child = Child::start(here.longshore(&[&["load", file.name()], arguments].concat()));
    until("some lines have their end", async || file.offset() > 0).await;
    child.signal("TERM").await;
    let (status, printed) = child.ended().await;
    assert_eq!(status.code(), Some(1), "{printed}");
    let sum: Value =
        printed.lines().last().and_then(|line| serde_json::from_str(line).ok()).expect("a sum");
    assert!(sum["stopped_after_line"].as_u64() > Some(0), "{sum}");
    Stopped { offset: file.offset() }
}

#[tokio::test]
async fn a_load_that_is_stopped_goes_on_where_it_was() {
    let here = surroundings().await;
    let file = Loaded::of(&mixed(400));
    let bytes = std::fs::metadata(&file.path).expect("it is there").len();
    let offset = stopped(&here, &file, &["--rate", "100"]).await.offset;
    assert!((1..bytes).contains(&offset), "{offset} of {bytes}");
    let loaded = here.documents("events").await.len();
    assert!(loaded < 300, "{loaded}");
    let ran = load(&here, &[file.name()]).await;
    assert_eq!((ran.status, &ran.sum["loaded"]), (Some(0), &json!(400)), "{}", ran.told);
    assert!(ran.told.contains("going on after line "), "{}", ran.told);
    assert!(ran.sum["already_there"].as_u64() < Some(10), "what had its end was not loaded again");
    assert_holds_mixed(&here, 400).await;
    assert!(!exists(&file.progress()));
}

/// How often the command is killed; `KILLS` says otherwise.
const KILLS: u64 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_load_may_be_killed_at_any_moment() {
    const LINES: u64 = 4_000;
    let kills = std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let here = surroundings().await;
    let file = Loaded::of(&mixed(LINES));
    let (mut killed, mut went_on) = (0, 0);
    // One that goes on may load all that is left before it is killed, and the next begins anew.
    while killed < kills || went_on == 0 && killed < 10 * KILLS {
        let begins = file.offset();
        let rate = fastrand::u64(100..2_000).to_string();
        let mut command = here.longshore(&["load", file.name(), "--rate", &rate]);
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
        if begins == 0 && went_on == 0 {
            until("some lines have their end", async || file.offset() > 0).await;
        }
        let alive = Duration::from_millis(fastrand::u64(0..2_500));
        if tokio::time::timeout(alive, child.wait()).await.is_err() {
            child.kill().await.expect("killed");
            killed += 1;
            went_on += u64::from(begins > 0);
        }
    }
    let ran = load(&here, &[file.name()]).await;
    assert_eq!((ran.status, &ran.sum["loaded"]), (Some(0), &json!(LINES)), "{}", ran.told);
    assert!(ran.lines.is_empty(), "{:?}", ran.lines);
    assert_holds_mixed(&here, LINES).await;
    assert!(went_on > 0);
    eprintln!("killed {killed} times, of which {went_on} times after it had gone on");
}

#[tokio::test]
async fn a_database_that_goes_away_and_comes_back_has_all_lines() {
    let mut mongod = Mongod::start(&Options::new(mongod::program().await)).await.expect("a server");
    let here = Surroundings::on(
        crate::support::sqs::Kind::Embedded,
        &json!({ "VisibilityTimeout": "600" }),
        &mongod,
    )
    .await;
    let file = Loaded::of(&mixed(1_000));
    let child = Child::start(here.longshore(&[
        "load",
        file.name(),
        "--rate",
        "200",
        "--set",
        "retry.budget=1s",
    ]));
    until("some lines have their end", async || file.offset() > 0).await;
    signal("KILL", &mongod.process_ids().next().expect("one").to_string()).await;
    until("it is told", async || child.printed().contains("gate closed")).await;
    // Longer than the budget, so that lines are given back and read once more.
    kept_again(&file, 4).await;
    mongod.restart(0).await.expect("it comes back");
    let (status, printed) = child.ended().await;
    assert_eq!(status.code(), Some(0), "{printed}");
    assert_holds_mixed(&here, 1_000).await;
    mongod.stop().await;
}

/// What was read and is not written stands in memory alone: no progress may say that it has its end.
#[tokio::test]
async fn a_load_that_is_killed_while_the_database_stands_still_loses_nothing() {
    let mongod = Mongod::start(&Options::new(mongod::program().await)).await.expect("a server");
    let here = Surroundings::on(
        crate::support::sqs::Kind::Embedded,
        &json!({ "VisibilityTimeout": "600" }),
        &mongod,
    )
    .await;
    let file = Loaded::of(&mixed(4_000));
    let server = mongod.process_ids().next().expect("one").to_string();
    let child = Child::start(here.longshore(&["load", file.name(), "--rate", "400"]));
    until("some lines have their end", async || file.offset() > 0).await;
    signal("STOP", &server).await;
    kept_again(&file, 3).await;
    child.signal("KILL").await;
    child.ended().await;
    signal("CONT", &server).await;
    let ran = load(&here, &[file.name()]).await;
    assert_eq!((ran.status, &ran.sum["loaded"]), (Some(0), &json!(4_000)), "{}", ran.told);
    assert_holds_mixed(&here, 4_000).await;
    mongod.stop().await;
}

/// Waits until the progress was kept so often: once a second, each time as another file.
async fn kept_again(file: &Loaded, times: usize) {
    let kept = || std::fs::metadata(file.progress()).map(|file| file.ino()).unwrap_or_default();
    for _ in 0..times {
        let last = kept();
        until("the progress is kept once more", async || kept() != last).await;
    }
}

async fn signal(name: &str, process: &str) {
    let sent = tokio::process::Command::new("kill").args(["-s", name, process]).status().await;
    assert!(sent.expect("it runs").success());
}
