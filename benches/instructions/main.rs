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
use clap::builder::FalseyValueParser;
use clap::{Parser, Subcommand, ValueEnum};

use accepted::Accepted;
use stages::Stage;

#[derive(Debug, Parser)]
struct Instructions {
    #[command(subcommand)]
    part: Option<Part>,
    /// Accept what is counted
    #[arg(long, env = "UPDATE", value_parser = FalseyValueParser::new())]
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
    let mut changed = Vec::new();
    for &stage in Stage::value_variants() {
        let name = stage.name();
        let counted = callgrind::each_message(stage)?;
        let change = accepted.change(&name, counted);
        let (before, percent) = match change {
            Some((before, percent)) => (before.to_string(), format!("{percent:+.1} %")),
            None => ("none".to_owned(), String::new()),
        };
        println!("{name:10} {counted:>12} {before:>12} {percent:>8}");
        if !accepted.is_held(&name, counted) {
            changed.push(name.clone());
        }
        if update {
            accepted.accept(name, counted);
        }
    }
    if update {
        accepted.write()?;
        println!("accepted: {}", accepted::FILE);
        return Ok(ExitCode::SUCCESS);
    }
    let by = accepted::by()?;
    if by != accepted.by {
        println!(
            "NOT HELD against what was accepted: that was by {:?}, this is by {by:?}",
            accepted.by
        );
        return Ok(ExitCode::SUCCESS);
    }
    if changed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "not within {} % of what was accepted: {}. Find out why, or accept it knowingly: CONTRIBUTING.md, \"Cost\"",
        accepted.tolerance_percent,
        changed.join(", ")
    );
    Ok(ExitCode::FAILURE)
}
