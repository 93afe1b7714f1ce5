//! What a worker would say of a message, by the worker's own code.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::config::{Config, defaults, shares};
use crate::decode::{MessageConfig, decode};
use crate::message::{QueueMessage, Rejection};
use crate::pipeline::trial::{Outcome, Trial};
use crate::queue::MESSAGE_BYTES_MAX;
use crate::store::mongo::check_write;

use super::settings::Checks;

/// But for how far a version may be ahead: a worker measures that by the queue's clock, and ours may be behind, by a day
/// where a time zone was taken for another.
static DEFAULTS: LazyLock<Config> = LazyLock::new(|| {
    let mut config = defaults();
    config.message.version_skew_max += Duration::from_hours(24);
    config
});

static TRIAL: LazyLock<Trial<'static>> = LazyLock::new(|| {
    Trial::new(&DEFAULTS, shares::growth(&DEFAULTS, MESSAGE_BYTES_MAX), check_write)
});

/// A clone of it allocates nothing.
static WITHOUT_ROUTES: LazyLock<MessageConfig> =
    LazyLock::new(|| MessageConfig { routes: BTreeSet::new(), ..DEFAULTS.message.clone() });

/// Bytes of a body that is not packed, or not any more.
pub fn unpacked_bytes_max(checks: Checks) -> usize {
    match checks {
        Checks::Defaults => DEFAULTS.message.decompressed_bytes_max,
        Checks::AnyRoutes { body_bytes_max } => body_bytes_max,
    }
}

/// # Errors
/// Where a worker with the built-in routes would refuse it.
pub fn by_built_in_routes(message: &QueueMessage) -> Result<(), Rejection> {
    match TRIAL.of(message).outcome {
        Outcome::Write { .. } | Outcome::Expired { .. } => Ok(()),
        Outcome::Rejected(rejection) => Err(rejection),
    }
}

/// # Errors
/// Where a worker would refuse it, whatever its routes. One of them has the name `route`.
pub fn by_any_routes(
    message: &QueueMessage,
    route: Option<&str>,
    checks: Checks,
) -> Result<(), Rejection> {
    let routes = route.map(Arc::from).into_iter().collect();
    let mut settings = MessageConfig { routes, ..WITHOUT_ROUTES.clone() };
    if let Checks::AnyRoutes { body_bytes_max } = checks {
        settings.decompressed_bytes_max = body_bytes_max;
        // Numbers and names take more as BSON than as text, and what a worker has for them is not said.
        settings.document_bytes_max = body_bytes_max.saturating_mul(4);
    }
    decode(message, &settings)?;
    Ok(())
}
