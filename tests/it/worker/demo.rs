//! The demo at its edges: interrupted at any moment, and twice at once.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};

use crate::support::child::{Child, command, longshore};
use crate::support::mongod::program;

/// Enough to be caught sending, unloading and comparing.
const MESSAGES: &str = "400";

const INTERRUPTIONS: u32 = 10;

/// What a shell reports for a process that SIGINT ended.
const INTERRUPTED: i32 = 130;

const SIGINT: i32 = 2;

/// A demo starts a mongod of its own: one test with demos at a time.
async fn turn() -> SemaphorePermit<'static> {
    static TURN: Semaphore = Semaphore::const_new(1);
    TURN.acquire().await.expect("never closed")
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn an_interrupted_demo_leaves_no_process_and_no_file() {
    let _turn = turn().await;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);

    let started = Instant::now();
    let (demo, folder) = start().await;
    let (status, printed) = demo.ended().await;
    assert!(
        status.success() && printed.contains("The database holds what was sent"),
        "{status}:\n{printed}"
    );
    assert_nothing_left(&folder, "at its end");
    let mut whole = started.elapsed();

    let mut interrupted = 0;
    // One moment in each tenth of a whole run.
    for tenth in 0..INTERRUPTIONS {
        let moment = whole.mul_f64((f64::from(tenth) + random.f64()) / f64::from(INTERRUPTIONS));
        let started = Instant::now();
        let status = interrupt_after(moment).await;
        interrupted += u32::from(!status.success());
        if status.success() {
            // It had ended by then: the first one was slower, perhaps for what ran beside it.
            whole = whole.min(started.elapsed());
        }
    }
    assert!(
        interrupted >= INTERRUPTIONS / 2,
        "{interrupted} of {INTERRUPTIONS} runs were interrupted within {whole:?}"
    );
}

/// Starts a demo, interrupts it as a terminal does, and looks for what it left.
async fn interrupt_after(moment: Duration) -> ExitStatus {
    let (demo, folder) = start().await;
    sleep(moment).await;
    demo.signal_group("INT").await;
    let (status, printed) = demo.ended().await;
    // Before it listens for signals, the signal itself ends it. Too late, it has ended or ends as
    // if nothing had come.
    let is_expected =
        status.signal() == Some(SIGINT) || matches!(status.code(), Some(INTERRUPTED | 0));
    assert!(is_expected, "interrupted after {moment:?}, it ended with {status}:\n{printed}");
    assert_nothing_left(&folder, &format!("interrupted after {moment:?}, it ended with {status}"));
    status
}

#[tokio::test]
async fn two_demos_at_once_do_not_disturb_each_other() {
    let _turn = turn().await;
    let (one, two) = tokio::join!(start(), start());
    for (demo, folder) in [one, two] {
        let (status, printed) = demo.ended().await;
        assert!(status.success(), "{status}:\n{printed}");
        assert_nothing_left(&folder, "at its end");
    }
}

/// A demo in a process group of its own, and the folder for temporary files that is its alone.
async fn start() -> (Child, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    // It ends by the signal from its first moment on, also where this process ignores it, as what a
    // shell runs in the background does.
    let mut command = command("env");
    command
        .arg("--default-signal=INT")
        .arg(longshore().as_std().get_program())
        .args(["demo", "--messages", MESSAGES])
        .env("MONGOD", program().await)
        .env("TMPDIR", folder.path())
        .process_group(0);
    (Child::start(command), folder)
}

/// Looks at once: whoever presses Ctrl-C and sees the prompt again has everything behind them.
fn assert_nothing_left(folder: &TempDir, when: &str) {
    let files: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert!(files.is_empty(), "{when}: {files:?}");
    let processes = processes_of(folder.path());
    assert!(processes.is_empty(), "{when}: {processes:?}");
}

/// The command lines of all processes that have the folder in their command line or environment.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.as_os_str().as_bytes();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("Linux").flatten() {
        // Processes end while one looks, and those of others are not for us to read.
        let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
        let command_line = read("cmdline");
        if [&command_line, &read("environ")]
            .iter()
            .any(|text| text.windows(folder.len()).any(|part| part == folder))
        {
            found.push(String::from_utf8_lossy(&command_line).replace('\0', " "));
        }
    }
    found
}
