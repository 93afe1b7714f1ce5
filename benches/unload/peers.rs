//! What people use today, each at its best (`benches/peers`): run as a worker is, on the same servers.

use std::path::PathBuf;

use longshore::dev::sqs::REGION;
use tokio::process::Command;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Python.
    Boto3,
    /// A route of its own, in Rust; the body as it came, into one collection.
    MqBridge,
    /// Node.
    SqsConsumer,
}

impl Peer {
    /// What `benches/run.sh` sets where it could fetch what this needs: a Python with the packages,
    /// or a folder with the modules.
    const fn needs(self) -> &'static str {
        match self {
            Self::Boto3 | Self::MqBridge => "PEERS_PYTHON",
            Self::SqsConsumer => "PEERS_NODE",
        }
    }

    /// Why it cannot run here.
    pub fn missing(self) -> Option<String> {
        let name = self.needs();
        let is_set = std::env::var_os(name).is_some_and(|value| !value.is_empty());
        (!is_set).then(|| format!("{name} is not set: see benches/run.sh"))
    }

    /// The process that unloads the queue into the database.
    pub fn command(self, endpoint: &str, queue_url: &str, uri: &str) -> Command {
        let fetched = PathBuf::from(std::env::var_os(self.needs()).unwrap_or_default());
        let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");
        let mut command = match self {
            Self::SqsConsumer => Command::new("node"),
            Self::Boto3 | Self::MqBridge => Command::new(&fetched),
        };
        match self {
            // Modules are looked for beside the script.
            Self::SqsConsumer => command.arg(fetched.join("sqs_consumer.mjs")),
            Self::Boto3 => command.arg(format!("{scripts}/boto3_pymongo.py")),
            Self::MqBridge => command.arg(format!("{scripts}/mq_bridge_route.py")),
        };
        command.args([endpoint, queue_url, uri]);
        command.envs([
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
        ]);
        command
    }
}
