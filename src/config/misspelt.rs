//! Variables that look like a setting and are none, because an underscore is missing:
//! `LONGSHORE_QUEUE__URL`. Kubernetes makes variables of its own that begin with `LONGSHORE_`, for a
//! Service of that name, so only what has the words of a key is told.

use super::key_path::KeyPath;

/// Each with the name that was meant.
pub(crate) fn variables(
    environment: &[(String, String)],
    known: &[KeyPath],
) -> Vec<(String, String)> {
    environment.iter().filter_map(|(name, _)| Some((name.clone(), meant(name, known)?))).collect()
}

fn meant(name: &str, known: &[KeyPath]) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let rest = lower.strip_prefix("longshore")?.strip_prefix('_')?;
    if rest.starts_with('_') || rest.is_empty() {
        return None;
    }
    let words = |text: &str| {
        text.split(['_', '.']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
    };
    let is_meant = |key: &&KeyPath| words(&key.to_string().to_ascii_lowercase()) == words(rest);
    if let Some(key) = known.iter().find(is_meant) {
        return Some(variable(&key.parts().join("__")));
    }
    // A key below a name that the operator has chosen: routes.NAME.key.
    let (section, below) = rest.split_once("__")?;
    let is_section = |key: &KeyPath| key.parts().first().is_some_and(|first| first == section);
    known.iter().any(is_section).then(|| variable(&format!("{section}__{below}")))
}

fn variable(key: &str) -> String {
    format!("LONGSHORE__{}", key.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_underscore_is_told_and_the_variables_of_kubernetes_are_not() {
        let known: Vec<KeyPath> =
            ["queue.url", "db.mongo_uri", "db.write_concern.w", "admin.listen", "routes.event.key"]
                .map(KeyPath::from)
                .to_vec();
        for (name, expected) in [
            ("LONGSHORE_QUEUE__URL", "LONGSHORE__QUEUE__URL"),
            ("LONGSHORE_QUEUE_URL", "LONGSHORE__QUEUE__URL"),
            ("longshore_db_mongo_uri", "LONGSHORE__DB__MONGO_URI"),
            ("LONGSHORE_DB__WRITE_CONCERN__W", "LONGSHORE__DB__WRITE_CONCERN__W"),
            ("LONGSHORE_ROUTES__ORDER__KEY", "LONGSHORE__ROUTES__ORDER__KEY"),
        ] {
            assert_eq!(meant(name, &known).as_deref(), Some(expected), "{name}");
        }
        for name in [
            "LONGSHORE__QUEUE__URL",
            "LONGSHORE_SERVICE_HOST",
            "LONGSHORE_PORT_9690_TCP_ADDR",
            "LONGSHORE_QUEUE_SERVICE_HOST",
            "LONGSHORE_ADMIN_PORT",
            "LONGSHORE_",
            "LONGSHOREMAN__QUEUE__URL",
            "PATH",
        ] {
            assert_eq!(meant(name, &known), None, "{name}");
        }
    }
}
