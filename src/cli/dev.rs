//! `longshore dev`: the worker's real code, with a queue and a database on this machine.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;

use crate::config::Config;
use crate::dev::local::{DATABASE, Local};
use crate::dev::worker_thread::WorkerThread;
use crate::stop::Stop;
use crate::worker::{Ended, Observability, stop_on_signals};

use super::exit::EXIT_FOUND;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  longshore dev
  longshore --set log.level=debug dev

Queue and database are private and forget everything at the end. MONGO_CACHE_URI, dead_letters.queue and AWS profiles are ignored: nothing real \
is touched.")]
pub struct DevArgs {}

/// # Errors
/// Where queue, database or worker cannot start.
pub async fn dev(
    config: Config,
    _: DevArgs,
    observability: Observability,
) -> anyhow::Result<ExitCode> {
    let stop = Stop::default();
    stop_on_signals(stop.clone())?;
    eprintln!(
        "Starting a private MongoDB and an SQS endpoint; MONGO_CACHE_URI, dead_letters.queue and AWS profiles are ignored."
    );
    let Some(local) = Local::start(&stop).await? else { return Ok(ExitCode::SUCCESS) };
    let observability = Observability {
        settings: replaced(observability.settings, &local.settings()),
        ..observability
    };
    let worker = WorkerThread::start(local.point(config), stop.clone(), observability).await;
    let ended = match worker {
        Ok(worker) => {
            println!("{}", instructions(&local, worker.page));
            stop.draining().await;
            eprintln!("Draining. Ctrl-C once more does not wait.");
            worker.ended().await
        }
        Err(error) => Err(error),
    };
    local.stop().await;
    Ok(if ended? == Ended::Drained { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FOUND) })
}

/// `settings` with those of `ours` in their places.
fn replaced(settings: Vec<[String; 3]>, ours: &[[String; 3]]) -> Vec<[String; 3]> {
    let own = |setting: [String; 3]| {
        ours.iter().find(|[key, ..]| *key == setting[0]).cloned().unwrap_or(setting)
    };
    settings.into_iter().map(own).collect()
}

/// Lines to copy and paste.
fn instructions(local: &Local, page: Option<SocketAddr>) -> String {
    let (endpoint, queue, uri) =
        (local.sqs.endpoint_url(), &local.queue_url, local.mongod.uri(DATABASE));
    let uri = uri.expose();
    // As it was called: it may be on no PATH.
    let program = std::env::args().next().unwrap_or_else(|| "longshore".to_owned());
    let page = page.map(|page| format!("# Watch\n# http://{page}/\n\n")).unwrap_or_default();
    format!(
        r#"
The worker is receiving. Send it something. Each block can be pasted into a shell as it is.

# Longshore
export AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local
export LONGSHORE__QUEUE__ENDPOINT_URL={endpoint} LONGSHORE__QUEUE__URL={queue}
export MONGO_CACHE_URI='{uri}'
echo '{{"type":"event","user_id":123,"event_type":"login"}}' | {program} send
{program} stats

# Python (pip install boto3)
python3 - <<'END'
import boto3, json
sqs = boto3.client("sqs", endpoint_url="{endpoint}", region_name="us-east-1",
                   aws_access_key_id="local", aws_secret_access_key="local")
sqs.send_message(QueueUrl="{queue}", MessageBody=json.dumps(
    {{"type": "event", "user_id": 123, "event_type": "login"}}))
END

# AWS CLI
AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local aws sqs send-message --region us-east-1 \
  --endpoint-url {endpoint} --queue-url {queue} \
  --message-body '{{"type":"session","session_id":"s-81","data":{{"cart":[]}}}}'

# Look
mongosh '{uri}' --eval 'db.events.find()'

{page}Ctrl-C drains and ends, which takes as long as a receive waits; nothing is kept."#
    )
}
