//! Rules over several keys.

use std::time::Duration;

use super::key_path::KeyPath;
use super::reader::Reader;
use super::settings::Config;
use super::shares::bytes_min;
use super::{literal, units};
use crate::queue::MESSAGE_BYTES_MAX;

/// What a drain needs besides the last long poll: to write what is held, to delete it, to give back
/// the rest.
const DRAIN_AFTER_WAIT: Duration = Duration::from_secs(5);

/// What is wrong with a queue for dead letters that is the queue itself: by its URL, or as it says of itself.
pub const ANOTHER_QUEUE: &str = "must be another queue than queue.url: a dead letter would be received, refused and sent again without end";

/// Reports what does not fit together.
pub(crate) fn check(reader: &mut Reader, config: &Config) {
    let wait_max = config.worker.drain_timeout.saturating_sub(DRAIN_AFTER_WAIT);
    if reader.all_sound(&["queue.wait", "worker.drain_timeout"]) && config.queue.wait > wait_max {
        let (wait_max, source) =
            (units::show_duration(wait_max), reader.source_of(&"worker.drain_timeout".into()));
        let drain = units::show_duration(config.worker.drain_timeout);
        let problem = format!(
            "must be at most {wait_max}, which is worker.drain_timeout = \"{drain}\" ({source}) less 5s: a receive in progress is not \
             cancelled at shutdown"
        );
        reader.error_at("queue.wait", problem);
    }
    if reader.all_sound(&["retry.initial", "retry.max"]) && config.retry.initial > config.retry.max
    {
        let (max, source) =
            (units::show_duration(config.retry.max), reader.source_of(&"retry.max".into()));
        reader
            .error_at("retry.initial", format!("must be at most retry.max = \"{max}\" ({source})"));
    }
    let [unpacked, document] = ["message.decompressed_bytes_max", "message.document_bytes_max"];
    let bytes_min = bytes_min(config, MESSAGE_BYTES_MAX);
    if reader.all_sound(&[unpacked, document, "in_flight.bytes_max"])
        && config.in_flight.bytes_max < bytes_min
    {
        let bytes_min = units::show_size(bytes_min);
        let [unpacked, document] = [
            (unpacked, config.message.decompressed_bytes_max),
            (document, config.message.document_bytes_max),
        ]
        .map(|(key, max)| {
            let (max, source) = (units::show_size(max), reader.source_of(&key.into()));
            format!("{key} = \"{max}\" ({source})")
        });
        let problem = format!(
            "must be at least {bytes_min} to hold one message, for {unpacked} and {document}: raise this or lower those"
        );
        reader.error_at("in_flight.bytes_max", problem);
    }
    let listeners = ["admin.listen", "admin.probes"];
    if reader.all_sound(&listeners)
        && let (Some(page), Some(probes)) = (config.admin.listen, config.admin.probes)
        && page.port() == probes.port()
        && page.port() != 0
    {
        let source = reader.source_of(&"admin.listen".into());
        let problem = format!(
            "must have another port than admin.listen = \"{page}\" ({source}): a listener that the page fills would answer no probe"
        );
        reader.error_at("admin.probes", problem);
    }
    check_names(reader, config);
}

fn check_names(reader: &mut Reader, config: &Config) {
    for (envelope_type, route) in &config.message.types {
        let key = KeyPath::from("message.types").child(envelope_type);
        // A route in error is not in the configuration, but it is known.
        let in_error = !reader.section_sound(&KeyPath::from("routes").child(route));
        if !config.routes.contains_key(route) && !in_error {
            let names: Vec<&String> = config.routes.keys().collect();
            reader.error_at(&key, format!("must be one of the routes {}", literal::texts(&names)));
        }
    }
    let dead_letters = &config.dead_letters.collection;
    if let Some(route) = config.routes.values().find(|route| route.collection == *dead_letters) {
        let problem = format!(
            "must not be the collection of routes.{}: dead letters have one of their own",
            route.name
        );
        reader.error_at("dead_letters.collection", problem);
    }
    if config.dead_letters.queue.is_some() && config.dead_letters.queue == config.queue.url {
        reader.error_at("dead_letters.queue", ANOTHER_QUEUE.to_owned());
    }
}
