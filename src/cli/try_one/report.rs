//! What is told of one message, as text and as JSON.

use anyhow::Result;
use serde::Serialize;

use super::rejected::Rejected;
use super::written::Written;
use crate::config::Config;
use crate::extended_json::push_escaped;
use crate::message::QueueMessage;
use crate::pipeline::trial::{Outcome, Tried};

/// A message that was tried. The words of its JSON are those of the queue's dry run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The route that it takes, as far as that was found out.
    route: Option<String>,
    /// The route that it takes and another one, where its types name both.
    types_disagree: Option<[String; 2]>,
    #[serde(flatten)]
    became: Became,
}

#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Became {
    Write(Written),
    Expired { collection: String, key: String },
    DeadLetter(Rejected),
}

/// # Errors
/// Where what would be sent is no BSON, which cannot be.
pub(super) fn of(config: &Config, message: &QueueMessage, tried: Tried) -> Result<Report> {
    let Tried { route, other_route, outcome, .. } = tried;
    let route = route.map(|route| route.to_string());
    let types_disagree =
        route.clone().zip(other_route).map(|(one, other)| [one, other.to_string()]);
    let rejected = |rejection| Became::DeadLetter(Rejected::new(message, rejection, config));
    let became = match outcome {
        Outcome::Write { collection, write } => {
            Became::Write(Written::new(config, collection, &write)?)
        }
        Outcome::Expired { collection, key } => {
            Became::Expired { collection, key: key.to_string() }
        }
        Outcome::Rejected(rejection) => rejected(&rejection),
    };
    Ok(Report { route, types_disagree, became })
}

impl Report {
    pub(super) const fn is_rejected(&self) -> bool {
        matches!(self.became, Became::DeadLetter(_))
    }

    pub(super) fn json(&self) -> Result<String> {
        let mut line = String::new();
        push_escaped(&mut line, &serde_json::to_string(self)?);
        Ok(line)
    }

    pub(super) fn people(&self) -> String {
        let mut lines = Vec::new();
        if let Some(route) = &self.route {
            lines.push(format!("route       {route}"));
        }
        if let Some([one, other]) = &self.types_disagree {
            lines.push(format!(
                "note        its type is named twice, for the routes {one} and {other}: the first is taken"
            ));
        }
        match &self.became {
            Became::Write(written) => lines.push(written.people()),
            Became::Expired { collection, key } => lines.push(format!(
                "expired     it would be deleted and not written: when it was sent, its version was older than the ttl of {collection}; key {key}"
            )),
            Became::DeadLetter(rejected) => lines.push(rejected.people()),
        }
        lines.join("\n")
    }
}
