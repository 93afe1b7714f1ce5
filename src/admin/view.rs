//! What the admin server sees of a worker.

use std::sync::Arc;
use std::time::Duration;

use crate::held::Held;
use crate::stop::Stop;
use crate::telemetry::metrics::{Metrics, Sources};
use crate::telemetry::signals::Signals;

use super::health::Health;
use super::letters::Letters;

/// All that is shown of a worker.
#[derive(Clone)]
pub struct View {
    pub signals: Signals,
    pub metrics: Arc<Metrics>,
    pub sources: Sources,
    pub held: Held,
    pub stop: Stop,
    pub facts: Arc<Facts>,
    /// Inside one step a task may be so long before it counts as stuck.
    pub step_max: Duration,
    /// The dead letters of the database, where they can be asked for.
    pub letters: Option<Arc<dyn Letters>>,
}

impl View {
    pub(super) fn health(&self) -> Health {
        Health { signals: self.signals.clone(), held: self.held.clone(), step_max: self.step_max }
    }
}

/// What does not change while the worker runs.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub queue_arn: String,
    pub visibility_timeout: Duration,
    pub database: String,
    /// The collection of dead letters.
    pub dead_letters: String,
    /// Whether bodies of dead letters, and what else is of people, may be shown (`admin.show_bodies`).
    pub show_bodies: bool,
    /// The names of the routes.
    pub routes: Vec<String>,
    /// Every setting in force: key, value with secrets as stars, and where it came from.
    pub settings: Vec<[String; 3]>,
}
