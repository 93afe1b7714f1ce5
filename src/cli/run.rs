//! `longshore run`: the worker.

use std::process::ExitCode;

use clap::Args;

use crate::config::Config;
use crate::pipeline::dry_run::{self, Forecast, Looking, Report};
use crate::pipeline::trial::Outcome;
use crate::queue::sqs::{Credentials, SqsQueue};
use crate::stop::Stop;
use crate::store::mongo::check_write;
use crate::worker::{Ended, Observability, Worker, shares_for, stop_on_signals};

use super::exit::EXIT_FOUND;
use super::output::Output;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  export MONGO_CACHE_URI=mongodb://db.example/portal
  longshore run --set queue.url=https://sqs.eu-west-1.amazonaws.com/123456789012/portal
  longshore --config /etc/longshore.toml run
  longshore --config /etc/longshore.toml run --dry-run")]
pub struct RunArgs {
    /// Decode and route the messages in the queue, write and delete nothing, and give every message back
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: look at this many messages at most
    #[arg(long, value_name = "N", default_value_t = 1_000, requires = "dry_run")]
    messages_max: usize,
}

/// # Errors
/// Where the worker cannot start.
pub async fn run(
    config: Config,
    args: RunArgs,
    observability: Observability,
) -> anyhow::Result<ExitCode> {
    let stop = Stop::default();
    stop_on_signals(stop.clone())?;
    if args.dry_run {
        return dry_run(config, args.messages_max, &stop).await;
    }
    // A signal during the start ends it: nothing is held yet.
    let credentials = Credentials::chain(&config.queue);
    let worker = tokio::select! {
        worker = Worker::start(config, credentials, observability) => worker?,
        () = stop.draining() => return Ok(ExitCode::SUCCESS),
    };
    Ok(match worker.run(stop).await {
        Ended::Drained => ExitCode::SUCCESS,
        Ended::LetGo => ExitCode::from(EXIT_FOUND),
    })
}

async fn dry_run(config: Config, messages_max: usize, stop: &Stop) -> anyhow::Result<ExitCode> {
    let (queue, facts) =
        SqsQueue::connect(&config.queue, Credentials::chain(&config.queue)).await?;
    let (output, growth) = (Output::of_stdout(), shares_for(&config, &facts)?.growth);
    let looking =
        Looking { queue: &queue, config: &config, growth, messages_max, check: check_write };
    let report = dry_run::run(looking, stop, |forecast| print(output, &forecast)).await?;
    print_report(output, &report);
    let is_clean = report.rejected == 0 && report.not_given_back == 0;
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FOUND) })
}

/// A line for each message.
pub(super) fn print(output: Output, forecast: &Forecast) {
    let id = &forecast.message_id;
    let tried = &forecast.tried;
    let (routes, also) = match (&tried.route, &tried.other_route) {
        (Some(route), Some(other)) => (
            serde_json::json!([&**route, &**other]),
            format!(
                "; its type is named twice, for the routes {route} and {other}: the first is taken"
            ),
        ),
        _ => (serde_json::Value::Null, String::new()),
    };
    match &tried.outcome {
        Outcome::Expired { collection, key } => output.line(
            || format!("{id}  would be deleted and not written: when it was sent, its version was older than the ttl of {collection}; key {key}{also}"),
            || serde_json::json!({"message_id": id, "outcome": "expired", "collection": collection, "key": key.to_string(), "types_disagree": routes}),
        ),
        Outcome::Write { collection, write } => output.line(
            || format!("{id}  would be written to {collection}, key {}{also}", write.key()),
            || serde_json::json!({"message_id": id, "outcome": "write", "collection": collection, "key": write.key().to_string(), "types_disagree": routes}),
        ),
        Outcome::Rejected(rejection) => output.line(
            || format!("{id}  would be dead-lettered, {}: {}{also}", rejection.reason, rejection.text),
            || serde_json::json!({"message_id": id, "outcome": "dead_letter", "reason": rejection.reason.code(), "text": rejection.text, "types_disagree": routes}),
        ),
    }
}

pub(super) fn print_report(output: Output, report: &Report) {
    output.line(
        || {
            let counts = report.by_collection.iter().map(|(collection, count)| format!("{count} for {collection}"));
            let counts: Vec<_> = counts.chain([format!("{} for the dead letters", report.rejected)]).collect();
            let left = match report.not_given_back {
                0 => String::new(),
                left => format!("; {left} could not be given back, and are visible again after their visibility timeout"),
            };
            let disagreed = match report.types_disagreed {
                0 => String::new(),
                count => format!("; {count} name their type twice, for two routes"),
            };
            let expired = match report.expired {
                0 => String::new(),
                count => format!("; {count} are older than the ttl of their collection"),
            };
            format!("{} messages looked at and given back, nothing written or deleted: {}{expired}{disagreed}{left}", report.messages, counts.join(", "))
        },
        || {
            serde_json::json!({"messages": report.messages, "by_collection": report.by_collection, "dead_letters": report.rejected, "expired": report.expired,
                "types_disagreed": report.types_disagreed, "not_given_back": report.not_given_back})
        },
    );
}
