//! A process to be measured. It logs JSON lines to stderr: `started`, and at its end, which SIGTERM
//! asks for, `ended`.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// From its start until it says that it has started.
const START_MAX: Duration = Duration::from_mins(1);

/// From SIGTERM to its end.
const END_MAX: Duration = Duration::from_mins(1);

pub struct Subject {
    pub process_id: u32,
    process: Child,
    /// Reads on all the time, so that a full pipe never holds up the process. Gives the line
    /// `ended`.
    reader: JoinHandle<Result<Value>>,
}

impl Subject {
    /// Starts it and returns when it says that it has.
    pub async fn start(mut command: Command) -> Result<Self> {
        let mut process = command
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start")?;
        let (Some(process_id), Some(stderr)) = (process.id(), process.stderr.take()) else {
            bail!("it has no id or no stderr")
        };
        let (started, has_started) = oneshot::channel();
        let reader = tokio::spawn(read(stderr, started));
        match timeout(START_MAX, has_started).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => bail!("it ended before it had started, with {}", process.wait().await?),
            Err(_) => bail!("it has not started within {} s", START_MAX.as_secs()),
        }
        Ok(Self { process_id, process, reader })
    }

    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.process.try_wait()?.is_none())
    }

    pub async fn signal(&self, signal: &str) -> Result<()> {
        let arguments = ["-s", signal, &self.process_id.to_string()];
        let status = Command::new("kill").args(arguments).status().await;
        ensure!(status.context("cannot run kill")?.success(), "cannot send it SIG{signal}");
        Ok(())
    }

    /// Asks it to end, and returns what it said at its end.
    pub async fn end(mut self) -> Result<Value> {
        self.signal("TERM").await?;
        let status = timeout(END_MAX, self.process.wait()).await;
        let status = status.context("it does not end")??;
        ensure!(status.success(), "it ended with {status}");
        self.reader.await?
    }
}

/// Reads all lines. Those that are not JSON and those of level ERROR are passed on: they tell why a
/// run is void.
async fn read(stderr: ChildStderr, started: oneshot::Sender<()>) -> Result<Value> {
    let (mut lines, mut started) = (BufReader::new(stderr).lines(), Some(started));
    let mut ended = None;
    while let Some(text) = lines.next_line().await? {
        let Ok(line) = serde_json::from_str::<Value>(&text) else {
            eprintln!("{text}");
            continue;
        };
        match line["message"].as_str() {
            Some("started") => drop(started.take().map(|started| started.send(()))),
            Some("ended") => ended = Some(line),
            _ if line["level"] == "ERROR" => eprintln!("{text}"),
            _ => {}
        }
    }
    ended.context("it ended without a word")
}
