//! What points at somebody's real queue and database, or holds only there: taken out before it is read,
//! for commands that bring a queue and a database of their own.

use super::key_path::KeyPath;
use super::layers::Layers;
use super::provenance::Source;
use crate::queue::name;

/// The longest name of a queue (AWS: `CreateQueue`).
const QUEUE_NAME_MAX: usize = 80;

/// What was set and is ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// In the order of their keys.
    pub settings: Vec<Ignored>,
    /// The name in `queue.url`, where it is one that a queue can have.
    pub queue_name: Option<String>,
}

/// A setting that is ignored. Its value may be a secret and is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// As TOML writes it.
    pub key: String,
    pub source: Source,
    /// What holds instead.
    pub instead: &'static str,
}

/// Takes out of `layers` what a command with a queue and a database of its own ignores.
pub(super) fn take(layers: &mut Layers) -> LeftOut {
    let mut left_out = LeftOut::default();
    for (path, entry) in layers.take_where(|path| instead(path).is_some()) {
        if path == KeyPath::from("queue.url") {
            left_out.queue_name = entry.value.as_str().and_then(queue_name);
        }
        if let Some(instead) = instead(&path) {
            let key = path.to_string();
            left_out.settings.push(Ignored { key, source: entry.source, instead });
        }
    }
    left_out
}

/// What holds instead of the setting, if it is ignored.
fn instead(path: &KeyPath) -> Option<&'static str> {
    let parts: Vec<&str> = path.parts().iter().map(String::as_str).collect();
    Some(match parts[..] {
        ["queue", "url"] => "its name and whether it is FIFO are taken over for the private queue",
        ["queue", "endpoint_url" | "region"] => "the queue is a private one",
        ["queue", "wait"] => "a receive waits for 1 s, because the end waits for it",
        ["db", "mongo_uri" | "mongo_uri_file"] | ["db", "connection_options", ..] => {
            "the database is a private one"
        }
        ["db", "create_indexes"] => "indexes are made, because the private database has none",
        ["db", "write_concern", "w"] | ["routes", _, "write_concern", "w"] => {
            "the private database has one member"
        }
        ["dead_letters", "queue"] => "dead letters go to the private database",
        ["routes", _, "senders"] => {
            "everybody may use the route, because the private queue names one sender for all"
        }
        _ => return None,
    })
}

/// The last part of a queue's URL.
fn queue_name(url: &str) -> Option<String> {
    let name = name::of_url(url.trim());
    let bare = name::bare(name).unwrap_or(name);
    let is_char = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_name = !bare.is_empty() && name.len() <= QUEUE_NAME_MAX && bare.bytes().all(is_char);
    is_name.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::load::{Sources, load_local};
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_points_at_what_is_real_is_not_even_read() {
        // None of these values could be used: that none is an error shows that none is read.
        let environment = pairs(&[
            ("MONGO_CACHE_URI", "mongodb://user:secret@db.example/portal"),
            ("longshore__queue__url", "${QUEUE_URL}"),
            ("LONGSHORE__QUEUE__ENDPOINT_URL", "none"),
            ("LONGSHORE__DB__MONGO_URI_FILE", "/nowhere/uri"),
            ("LONGSHORE__DB__CONNECTION_OPTIONS", r#"{"tlsCAFile":"/nowhere/ca.pem"}"#),
        ]);
        let flags = pairs(&[
            ("dead_letters.queue", "none"),
            ("db.write_concern.w", "dc1"),
            ("db.create_indexes", "maybe"),
            ("queue.region", "?"),
            ("queue.wait", "1h"),
            ("routes.event.senders", "[\"AIDAEXAMPLE\"]"),
            ("routes.event.write_concern.w", "3"),
            ("batch.docs_max", "7"),
        ]);
        let sources = Sources { environment, flags, ..Sources::default() };
        let (loaded, left_out) = load_local(sources).expect("all that is read is valid");
        let told: Vec<String> = left_out
            .settings
            .iter()
            .map(|ignored| format!("{} ({})", ignored.key, ignored.source))
            .collect();
        assert_eq!(
            told,
            [
                "db.connection_options.tlsCAFile (LONGSHORE__DB__CONNECTION_OPTIONS)",
                "db.create_indexes (--set)",
                "db.mongo_uri (MONGO_CACHE_URI)",
                "db.mongo_uri_file (LONGSHORE__DB__MONGO_URI_FILE)",
                "db.write_concern.w (--set)",
                "dead_letters.queue (--set)",
                "queue.endpoint_url (LONGSHORE__QUEUE__ENDPOINT_URL)",
                "queue.region (--set)",
                "queue.url (longshore__queue__url)",
                "queue.wait (--set)",
                "routes.event.senders (--set)",
                "routes.event.write_concern.w (--set)",
            ]
        );
        let config = loaded.config;
        assert_eq!(config.batch.docs_max, 7, "all else holds");
        assert!(config.db.mongo_uri.is_none() && config.queue.url.is_none());
        assert!(config.routes["event"].senders.is_empty() && config.db.create_indexes);
        assert_eq!(left_out.queue_name, None);
    }

    #[test]
    fn what_is_wrong_elsewhere_is_still_an_error() {
        let flags = pairs(&[("queue.urll", "none"), ("queue.pollers_max", "0")]);
        let errors = load_local(Sources { flags, ..Sources::default() }).expect_err("two errors");
        assert_eq!(errors.0.len(), 2, "{errors}");
    }

    #[test]
    fn a_queue_is_named_as_in_its_url() {
        for (url, name) in [
            ("https://sqs.eu-west-1.amazonaws.com/123456789012/portal.fifo", Some("portal.fifo")),
            (" http://127.0.0.1:9324/q/orders-1_a/ ", Some("orders-1_a")),
            ("https://sqs.eu-west-1.amazonaws.com/123456789012/", Some("123456789012")),
            ("${QUEUE_URL}", None),
            ("https://host/.fifo", None),
            ("https://host/a.b", None),
            ("", None),
        ] {
            assert_eq!(queue_name(url).as_deref(), name, "{url}");
        }
        assert_eq!(queue_name(&format!("https://host/{}", "a".repeat(81))), None);
    }
}
