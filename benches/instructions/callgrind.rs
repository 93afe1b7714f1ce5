//! Counts by valgrind's callgrind, which counts what a program executes and not how long it takes.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::stages::{MESSAGES, Stage};

/// What both counts hold, start and end of the process, cancels out.
const ROUNDS: [usize; 2] = [1, 3];

/// How many instructions a stage executes for each message.
pub fn each_message(stage: Stage) -> Result<u64> {
    let [few, many] = ROUNDS.map(|rounds| count(stage, rounds));
    let messages = (ROUNDS[1] - ROUNDS[0]) * MESSAGES;
    Ok((many? - few?) / messages as u64)
}

/// All instructions of a process that does so many rounds.
fn count(stage: Stage, rounds: usize) -> Result<u64> {
    let told = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["stage", &stage.name(), &rounds.to_string()])
        .output()
        .context("cannot run valgrind: install it (Debian: valgrind)")?;
    let said = String::from_utf8_lossy(&told.stderr);
    ensure!(told.status.success(), "{} failed: {said}", stage.name());
    let collected = said.lines().find_map(|line| line.split("Collected : ").nth(1));
    let collected = collected.with_context(|| format!("callgrind tells no count: {said}"))?;
    collected.trim().parse().with_context(|| format!("callgrind tells no number: {collected}"))
}
