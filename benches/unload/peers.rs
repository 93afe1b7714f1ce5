//! What people use today, each at its best (`benches/peers`): run as a worker is, on the same servers.

use std::process::Stdio;

use longshore::dev::sqs::REGION;
use tokio::process::Command;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// Python.
    Boto3(Wins),
    /// A route of its own, in Rust; the body as it came, into one collection.
    MqBridge,
    /// Node.
    SqsConsumer(Wins),
}

/// Which of two updates of a document holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wins {
    /// The newer one, by a guard in the filter.
    Newer,
    /// The last to come.
    Last,
}

impl Wins {
    const fn argument(self) -> &'static str {
        match self {
            Self::Newer => "guarded",
            Self::Last => "last",
        }
    }
}

impl Peer {
    /// Where `benches/run.sh` says what it fetched for this, and where it says why it could not.
    const fn variables(self) -> [&'static str; 2] {
        match self {
            Self::Boto3(_) => ["PEERS_BOTO3", "PEERS_BOTO3_MISSING"],
            Self::MqBridge => ["PEERS_MQ_BRIDGE", "PEERS_MQ_BRIDGE_MISSING"],
            Self::SqsConsumer(_) => ["PEERS_NODE", "PEERS_NODE_MISSING"],
        }
    }

    fn fetched(self) -> Option<String> {
        std::env::var(self.variables()[0]).ok().filter(|value| !value.is_empty())
    }

    /// Why it cannot run here.
    pub fn missing(self) -> Option<String> {
        if self.fetched().is_some() {
            return None;
        }
        let said = std::env::var(self.variables()[1]).ok().filter(|value| !value.is_empty());
        Some(said.unwrap_or_else(|| format!("{} is not set", self.variables()[0])))
    }

    /// How many of its receivers unload the queue: with more of them it is not faster here. Python
    /// runs one thread at a time, and mq-bridge has one receiver for each route.
    const fn receivers(self, is_away: bool) -> &'static str {
        match (self, is_away) {
            (Self::Boto3(_) | Self::MqBridge, false) => "4",
            (Self::Boto3(_), true) => "16",
            (Self::SqsConsumer(_), false) => "8",
            (Self::MqBridge | Self::SqsConsumer(_), true) => "32",
        }
    }

    /// The process that unloads the queue into the database. Nothing of the environment is its: what
    /// is real must not be touched, and a proxy or an option would falsify figures.
    pub fn command(self, endpoint: &str, queue_url: &str, uri: &str, is_away: bool) -> Command {
        let fetched = self.fetched().unwrap_or_default();
        let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");
        let mut command = match self {
            Self::SqsConsumer(_) => Command::new("node"),
            Self::Boto3(_) | Self::MqBridge => Command::new(&fetched),
        };
        match self {
            // Modules are looked for beside the script.
            Self::SqsConsumer(_) => command.arg(format!("{fetched}/sqs_consumer.mjs")),
            Self::Boto3(_) => command.args(["-B", &format!("{scripts}/boto3_pymongo.py")]),
            Self::MqBridge => command.args(["-B", &format!("{scripts}/mq_bridge_route.py")]),
        };
        command.args([endpoint, queue_url, uri, self.receivers(is_away)]);
        if let Self::Boto3(wins) | Self::SqsConsumer(wins) = self {
            command.arg(wins.argument());
        }
        command.env_clear().stdout(Stdio::null());
        command
            .envs(std::env::vars().filter(|(name, _)| ["PATH", "HOME"].contains(&name.as_str())));
        command.envs([
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ]);
        command
    }
}
