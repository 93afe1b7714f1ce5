//! What a worker costs that has nothing to do: its admin server on, its queue empty.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::measure;
use crate::subject::Subject;

/// Between its start and what is measured.
const SETTLING: Duration = Duration::from_secs(20);

const MEASURED: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy)]
pub struct Idle {
    /// Of one core, in per cent.
    cpu_percent: f64,
    receives_per_minute: f64,
}

impl Idle {
    pub async fn of(command: Command) -> Result<Self> {
        let begun = Instant::now();
        let subject = Subject::start(command).await?;
        sleep(SETTLING).await;
        let (settled, before) = (Instant::now(), measure::of(subject.process_id)?);
        sleep(MEASURED).await;
        let after = measure::of(subject.process_id)?;
        let cpu_seconds = after.cpu_seconds - before.cpu_seconds;
        let measured = settled.elapsed().as_secs_f64();
        let ended = subject.end().await?;
        let receives = ended["calls.receive"].as_f64().context("it tells no receives")?;
        Ok(Self {
            cpu_percent: 100.0 * cpu_seconds / measured,
            receives_per_minute: receives / begun.elapsed().as_secs_f64() * 60.0,
        })
    }

    pub fn json(self) -> Value {
        json!({"cpu_percent": self.cpu_percent, "receives_per_minute": self.receives_per_minute})
    }
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cpu_percent, receives_per_minute } = self;
        write!(
            f,
            "idle, admin server on: {cpu_percent:.2} % of a core, {receives_per_minute:.1} receives a minute"
        )
    }
}
