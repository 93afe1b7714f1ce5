//! The built binary, and other programs, as child processes that see nothing of the settings around
//! the tests.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::process::{ExitStatus, Stdio};

use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::DEADLINE;

/// The built `longshore`, or the one that `LONGSHORE_PROGRAM` names: that of an image.
pub fn longshore() -> Command {
    let other = std::env::var("LONGSHORE_PROGRAM");
    command(other.as_deref().unwrap_or(env!("CARGO_BIN_EXE_longshore")))
}

/// A program without what this process's environment and this machine's files would set for
/// Longshore and AWS. Its end is also that of the value that runs it.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let is_setting = [
            "AWS_",
            "LONGSHORE_",
            "MONGO_CACHE_URI",
            "OTEL_",
            "NOTIFY_SOCKET",
            "WATCHDOG_",
            "JOURNAL_STREAM",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "NO_PROXY",
        ]
        .iter()
        .any(|prefix| name.to_string_lossy().to_uppercase().starts_with(prefix));
        if is_setting {
            command.env_remove(name);
        }
    }
    command.envs([
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// How a command ended that prints a line of JSON for each thing that it says.
pub struct Ended {
    pub status: Option<i32>,
    pub lines: Vec<Value>,
    /// What it told on standard error.
    pub told: String,
}

/// Runs it with this as its standard input.
pub async fn fed(mut command: Command, input: &str) -> Ended {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("piped");
    // It may end without reading.
    _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let ended = child.wait_with_output().await.expect("it ends");
    let told = String::from_utf8(ended.stderr).expect("UTF-8");
    let said = String::from_utf8(ended.stdout).expect("UTF-8");
    let line = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    Ended { status: ended.status.code(), lines: said.lines().map(line).collect(), told }
}

/// A child that runs beside the test. What it prints goes to a file, so that it never waits for a
/// reader.
pub struct Child {
    process: tokio::process::Child,
    printed: NamedTempFile,
}

impl Child {
    pub fn start(command: Command) -> Self {
        Self::printing_to(NamedTempFile::new().expect("a file"), command)
    }

    /// Starts it as systemd would whose journal is what it prints to.
    pub fn start_in_journal(mut command: Command) -> Self {
        let printed = NamedTempFile::new().expect("a file");
        let metadata = printed.as_file().metadata().expect("its device and inode");
        command.env("JOURNAL_STREAM", format!("{}:{}", metadata.dev(), metadata.ino()));
        Self::printing_to(printed, command)
    }

    fn printing_to(printed: NamedTempFile, mut command: Command) -> Self {
        let writer = || printed.as_file().try_clone().expect("the same file");
        let process = command.stdout(writer()).stderr(writer()).spawn().expect("start the program");
        Self { process, printed }
    }

    /// Fails where it has ended by itself: what the test waits for will not come.
    pub fn assert_running(&mut self) {
        if let Some(status) = self.process.try_wait().expect("a state") {
            panic!("ended with {status}:\n{}", self.printed());
        }
    }

    pub async fn signal(&self, name: &str) {
        send(name, &self.process_id().to_string()).await;
    }

    /// To its whole process group, as a terminal sends Ctrl-C. The child must have been started in
    /// one of its own.
    pub async fn signal_group(&self, name: &str) {
        send(name, &format!("-{}", self.process_id())).await;
    }

    /// Waits for its end. Gives how it ended and what it printed.
    pub async fn ended(mut self) -> (ExitStatus, String) {
        let Ok(status) = tokio::time::timeout(DEADLINE, self.process.wait()).await else {
            panic!("does not end:\n{}", self.printed());
        };
        (status.expect("a status"), self.printed())
    }

    pub fn process_id(&self) -> u32 {
        // It keeps its id until its end was asked for.
        self.process.id().expect("a process that was not waited for")
    }

    /// All that it printed so far.
    pub fn printed(&self) -> String {
        let mut text = Vec::new();
        // Opened once more: where it writes next must not move.
        self.printed.reopen().expect("the same file").read_to_end(&mut text).expect("read");
        String::from_utf8_lossy(&text).into_owned()
    }
}

async fn send(signal: &str, to: &str) {
    let sent = Command::new("sh")
        .args(["-c", r#"kill -s "$0" -- "$1""#, signal, to])
        .status()
        .await
        .expect("start sh");
    assert!(sent.success(), "cannot send {signal} to {to}");
}
