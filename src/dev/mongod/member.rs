//! One mongod process in a folder of its own, neither of which outlives this process: `guard.sh`
//! sees to that.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use super::error::MongodError;

/// The server's log in its folder. The arguments must send it there: the port is read from it.
pub(super) const LOG: &str = "mongod.log";

const GUARD: &str = include_str!("guard.sh");

/// Half a second is usual; a machine that builds at the same time may take twenty times that.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// How often the log is looked at for the port, while the server starts.
const LOG_INTERVAL: Duration = Duration::from_millis(10);

/// The id of "Waiting for connections" in the structured log of MongoDB 4.4 and later; it names the
/// port.
const WAITING_FOR_CONNECTIONS: u64 = 23_016;

/// A file that the server needs in its folder: name and content. Readable by the owner alone, as a
/// key file must be.
pub(super) type File = (&'static str, String);

#[derive(Debug)]
pub(super) struct Member {
    guard: Guard,
    pub(super) process_id: u32,
    pub(super) port: u16,
    /// The port at which clients and other members find it: its own, or that of a relay in front of
    /// it.
    pub(super) found_at: u16,
}

/// The process that sees to it that server and folder end with this process.
#[derive(Debug)]
struct Guard {
    process: Child,
    /// It ends the server when this end of its stdin closes.
    hold: OwnedFd,
    stdout: BufReader<ChildStdout>,
    folder: PathBuf,
}

impl Member {
    /// Starts `program` at `port`, and returns once it listens. `arguments` name paths relative to the
    /// folder.
    pub(super) async fn start(
        program: &Path,
        port: u16,
        arguments: &[&str],
        files: &[File],
    ) -> Result<Self, MongodError> {
        let failed = |reason: String| MongodError::Start { program: program.to_owned(), reason };
        // For port 0 the server picks a free one itself, which no other program can take in between; the
        // log says which.
        let mut guard = Guard::start(program, None, port, arguments).await.map_err(failed)?;
        for (name, content) in files {
            write_private(&guard.folder.join(name), content)
                .map_err(|error| failed(error.to_string()))?;
        }
        let (process_id, port) = guard.run().await.map_err(failed)?;
        Ok(Self { guard, process_id, port, found_at: port })
    }

    /// Starts it again in its folder and at its port, and returns once it listens. Where it still
    /// runs it is killed.
    pub(super) async fn restart(
        &mut self,
        program: &Path,
        arguments: &[&str],
    ) -> Result<(), MongodError> {
        let failed = |reason: String| MongodError::Start { program: program.to_owned(), reason };
        // First the new guard, then away with the old one: the folder is never without.
        let guard = Guard::start(program, Some(self.folder()), self.port, arguments)
            .await
            .map_err(failed)?;
        let old = std::mem::replace(&mut self.guard, guard);
        old.leave().await.map_err(|error| failed(error.to_string()))?;
        // It names the port of a server that is gone.
        std::fs::remove_file(self.folder().join(LOG)).map_err(|error| failed(error.to_string()))?;
        self.process_id = self.guard.run().await.map_err(failed)?.0;
        Ok(())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.guard.folder
    }

    /// Kills the server and returns when its folder is gone.
    pub(super) async fn stop(self) {
        let Guard { mut process, hold, .. } = self.guard;
        drop(hold);
        if let Err(error) = process.wait().await {
            tracing::warn!(%error, "cannot wait for the end of mongod");
        }
    }
}

impl Guard {
    /// Starts the guard alone: the server waits until [`Guard::run`], so that files can be put into
    /// the folder. Without a `folder` a new one is made.
    async fn start(
        program: &Path,
        folder: Option<&Path>,
        port: u16,
        arguments: &[&str],
    ) -> Result<Self, String> {
        let text = |error: std::io::Error| error.to_string();
        // The guard changes the folder; a bare name is looked for in the PATH.
        let absolute = if program.components().count() > 1 {
            std::path::absolute(program).map_err(text)?
        } else {
            program.to_owned()
        };
        let mut process = Command::new("sh")
            .args(["-c", GUARD, "longshore-mongod"])
            .arg(folder.unwrap_or(Path::new("")))
            .arg(absolute)
            .args(arguments)
            .args(["--port", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Ctrl-C goes to the terminal's whole group: the server must outlive it until the
            // worker has drained.
            .process_group(0)
            .spawn()
            .map_err(text)?;
        let (Some(stdin), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("its guard has no pipes".into());
        };
        let hold = stdin.into_owned_fd().map_err(text)?;
        let mut stdout = BufReader::new(stdout);
        let folder = PathBuf::from(line(&mut stdout).await.map_err(text)?);
        Ok(Self { process, hold, stdout, folder })
    }

    /// Lets the server start. Gives its process id and its port.
    async fn run(&mut self) -> Result<(u32, u16), String> {
        self.tell("start").map_err(|error| error.to_string())?;
        let process_id = line(&mut self.stdout)
            .await
            .ok()
            .and_then(|line| line.parse().ok())
            .ok_or("its guard gave no process id")?;
        let port = tokio::time::timeout(
            START_TIMEOUT,
            listening(&self.folder.join(LOG), &mut self.stdout),
        )
        .await
        .map_err(|_| format!("it did not listen within {START_TIMEOUT:?}"))??;
        Ok((process_id, port))
    }

    /// Kills the server, and leaves the folder to another guard.
    async fn leave(mut self) -> std::io::Result<()> {
        self.tell("leave")?;
        self.process.wait().await.map(|_| ())
    }

    fn tell(&self, word: &str) -> std::io::Result<()> {
        std::fs::File::from(self.hold.try_clone()?).write_all(format!("{word}\n").as_bytes())
    }
}

async fn line(stdout: &mut BufReader<ChildStdout>) -> std::io::Result<String> {
    let mut line = String::new();
    stdout.read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}

fn write_private(path: &Path, content: &str) -> std::io::Result<()> {
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(content.as_bytes())
}

/// Waits until the log names the port, or fails with what the server said when its stdout ends.
async fn listening(log: &Path, stdout: &mut BufReader<ChildStdout>) -> Result<u16, String> {
    let mut printed = String::new();
    let ended = stdout.read_to_string(&mut printed);
    tokio::pin!(ended);
    loop {
        tokio::select! {
            biased;
            _ = &mut ended => break,
            () = tokio::time::sleep(LOG_INTERVAL) => {
                // Not there in the first moments.
                if let Some(port) = std::fs::read_to_string(log).ok().as_deref().and_then(port_in) {
                    return Ok(port);
                }
            }
        }
    }
    let logged = std::fs::read_to_string(log).unwrap_or_default();
    Err(format!("it ended: {} {}", printed.trim(), last_error_in(&logged).unwrap_or_default())
        .trim_end()
        .to_owned())
}

fn entries(log: &str) -> impl Iterator<Item = serde_json::Value> {
    // The last line may be half written.
    log.lines().filter_map(|line| serde_json::from_str(line).ok())
}

fn port_in(log: &str) -> Option<u16> {
    entries(log)
        .find(|entry| entry["id"].as_u64() == Some(WAITING_FOR_CONNECTIONS))
        .and_then(|entry| u16::try_from(entry["attr"]["port"].as_u64()?).ok())
}

/// The last entry of severity error or fatal.
fn last_error_in(log: &str) -> Option<String> {
    entries(log)
        .filter(|entry| matches!(entry["s"].as_str(), Some("E" | "F")))
        .last()
        .map(|entry| format!("{} {}", entry["msg"].as_str().unwrap_or_default(), entry["attr"]))
}
