//! "Did you mean": the nearest known key.

use std::collections::BTreeSet;

use super::connection_options;
use super::key_path::KeyPath;
use super::nearest;

/// What is said of a key that nothing asked for.
pub(crate) fn unknown(path: &KeyPath, known: &[KeyPath]) -> String {
    if let [db, options, name] = path.parts()
        && (db.as_str(), options.as_str()) == ("db", "connection_options")
    {
        return connection_options::unknown(&KeyPath::new(vec![name.clone()]).to_string());
    }
    match nearest_key(path, known) {
        Some(key) => format!("unknown key, did you mean {key}?"),
        None => "unknown key, config/longshore.toml has all of them".to_owned(),
    }
}

/// The key beside one that nothing asked for, if that one is a slip of the pen: in a file of another
/// program the same section may hold keys of its own.
pub(crate) fn slip(path: &KeyPath, known: &[KeyPath]) -> Option<String> {
    let (last, section) = path.parts().split_last()?;
    let section = KeyPath::new(section.to_vec());
    let beside = || known.iter().filter_map(|key| Some((key, key.below(&section)?)));
    let names = beside().filter(|(_, below)| below.len() == 1).map(|(_, below)| below[0].as_str());
    let names = names.filter(|name| !connection_options::is_weakening(name));
    nearest::name(last, names).map(|meant| section.child(meant).to_string())
}

/// The known key with the fewest changes between them, if they are few for its length or the last
/// part is the same.
fn nearest_key(path: &KeyPath, known: &[KeyPath]) -> Option<String> {
    /// Longer keys are no slips of the pen; the comparison takes the square of it.
    const LENGTH_MAX: usize = 128;
    let text = path.to_string();
    if text.len() > LENGTH_MAX {
        return None;
    }
    if let Some(key) = in_the_section_meant(path, known) {
        return Some(key);
    }
    let near = known.iter().filter_map(|key| {
        let name = key.to_string();
        let changes = strsim::damerau_levenshtein(&text, &name);
        (changes * 4 <= name.len() || key.last() == path.last()).then_some((changes, name))
    });
    near.min().map(|(_, name)| name)
}

/// The key in the section whose name is the nearest to an unknown one, if it is a key there: the
/// names of routes and of what the operator names himself are free.
fn in_the_section_meant(path: &KeyPath, known: &[KeyPath]) -> Option<String> {
    const FREE: [&str; 1] = ["routes"];
    let (first, rest) = path.parts().split_first()?;
    let sections: BTreeSet<&str> =
        known.iter().filter_map(|key| key.parts().first()).map(String::as_str).collect();
    if sections.contains(first.as_str()) || rest.is_empty() {
        return None;
    }
    let meant = nearest::name(first, sections.into_iter())?;
    let mut parts = vec![meant.to_owned()];
    parts.extend(rest.iter().cloned());
    let renamed = KeyPath::new(parts);
    (FREE.contains(&meant) || known.contains(&renamed)).then(|| renamed.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_the_name_of_a_section_finds_the_section() {
        let known: Vec<KeyPath> =
            ["queue.url", "routes.event.write", "db.mongo_uri"].map(KeyPath::from).to_vec();
        let nearest = |text: &str| nearest_key(&text.into(), &known);
        assert_eq!(nearest("route.x.collection").as_deref(), Some("routes.x.collection"));
        assert_eq!(nearest("route.x").as_deref(), Some("routes.x"));
        assert_eq!(nearest("queu.url").as_deref(), Some("queue.url"));
        assert_eq!(nearest("dbs.colour"), None);
    }

    #[test]
    fn an_option_of_the_connection_is_compared_with_options_alone() {
        let known = ["db.connection_options.maxPoolSize".into(), "queue.pollers_max".into()];
        for (key, expected) in [
            ("db.connection_options.maxPolSize", "did you mean maxPoolSize?"),
            ("db.connection_options.compressors", "does not compress"),
            ("db.connection_options.pollers_max", "the MongoDB manual's page"),
        ] {
            let text = unknown(&key.into(), &known);
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn a_slip_in_a_section_of_another_program_is_told_and_none_leads_to_weaker_tls() {
        let known: Vec<KeyPath> = [
            "queue.wait",
            "db.mongo_uri",
            "db.connection_options.maxPoolSize",
            "db.connection_options.tlsInsecure",
        ]
        .map(KeyPath::from)
        .to_vec();
        for (key, expected) in [
            ("queue.wiat", Some("queue.wait")),
            ("db.connection_options.maxpolsize", Some("db.connection_options.maxPoolSize")),
            ("db.connection_options.tlsinsecur", None),
            ("db.migrate", None),
            ("wait", None),
        ] {
            assert_eq!(slip(&key.into(), &known).as_deref(), expected, "{key}");
        }
    }

    #[test]
    fn a_slip_and_a_wrong_section_find_the_key_and_nonsense_finds_none() {
        let known: Vec<KeyPath> =
            ["queue.wait", "batch.linger", "db.mongo_uri"].into_iter().map(KeyPath::from).collect();
        let nearest = |text: &str| nearest_key(&text.into(), &known);
        assert_eq!(nearest("queue.wiat").as_deref(), Some("queue.wait"));
        assert_eq!(nearest("queue.linger").as_deref(), Some("batch.linger"));
        assert_eq!(nearest("db.mongodb_url").as_deref(), Some("db.mongo_uri"));
        assert_eq!(nearest("colour.of_the_boat"), None);
    }
}
