//! Instructions of a message, stage by stage, held against those that were accepted last
//! (`accepted.toml`): a count that a busy machine does not change, so that CI can refuse a change
//! that costs more.
//!
//! Without a subcommand it conducts, and starts itself again under callgrind.

mod accepted;
mod callgrind;
mod pipeline;
mod stages;
mod transport;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use accepted::Accepted;
use stages::Stage;

#[derive(Debug, Parser)]
struct Instructions {
    #[command(subcommand)]
    part: Option<Part>,
    /// Accept what is counted
    #[arg(long, env = "UPDATE")]
    update: bool,
    /// `cargo bench` says so to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Do what is counted, so many times
    #[command(hide = true)]
    Stage { stage: Stage, rounds: usize },
}

fn main() -> Result<ExitCode> {
    let Instructions { part, update, .. } = Instructions::parse();
    if let Some(Part::Stage { stage, rounds }) = part {
        stage.run(rounds)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut accepted = Accepted::read()?;
    println!("{:10} {:>12} {:>12} {:>8}", "a message", "instructions", "accepted", "change");
    let mut costlier = Vec::new();
    for stage in Stage::ALL {
        let counted = callgrind::each_message(stage)?;
        let change = accepted.change(stage.name(), counted);
        let (before, percent) = match change {
            Some((before, percent)) => (before.to_string(), format!("{percent:+.1} %")),
            None => ("none".to_owned(), String::new()),
        };
        println!("{:10} {counted:>12} {before:>12} {percent:>8}", stage.name());
        if accepted.is_more(stage.name(), counted) {
            costlier.push(stage.name());
        }
        if update {
            accepted.accept(stage.name(), counted);
        }
    }
    if update {
        accepted.write()?;
        println!("accepted: {}", accepted::FILE);
        return Ok(ExitCode::SUCCESS);
    }
    let compiler = accepted::compiler()?;
    if compiler != accepted.compiler {
        println!(
            "NOT HELD against what was accepted: that was {}, this is {compiler}",
            accepted.compiler
        );
        return Ok(ExitCode::SUCCESS);
    }
    if costlier.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "more than {} % above what was accepted: {}. Find out why (benches/README.md, \"Instructions\"); where it is worth it, `UPDATE=true make instructions` accepts it, and the commit says what for",
        accepted.tolerance_percent,
        costlier.join(", ")
    );
    Ok(ExitCode::FAILURE)
}
