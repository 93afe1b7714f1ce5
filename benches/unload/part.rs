//! A part of this program in a process of its own, which says in its first line where it listens.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The process. It ends with this value, or with the process that started it, however that ends.
pub struct Running {
    /// Where it listens.
    pub address: String,
    _process: Child,
}

impl Running {
    /// Starts this program with these arguments, and waits for its first line.
    pub async fn start(arguments: &[&str]) -> Result<Self> {
        let name = arguments.join(" ");
        let mut process = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let stdout = process.stdout.take().with_context(|| format!("{name} has no stdout"))?;
        let mut address = String::new();
        BufReader::new(stdout).read_line(&mut address).await?;
        ensure!(!address.trim().is_empty(), "{name} did not start");
        Ok(Self { address: address.trim().to_owned(), _process: process })
    }
}

/// Resolves when stdin ends: the process that started this part is gone or done with it.
pub async fn stdin_ended() -> Result<()> {
    tokio::task::spawn_blocking(|| {
        std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink())
    })
    .await??;
    Ok(())
}
