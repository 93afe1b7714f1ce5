//! "Did you mean": the nearest known key.

use super::key_path::KeyPath;

/// What is said of a key that nothing asked for.
pub(crate) fn unknown(path: &KeyPath, known: &[KeyPath]) -> String {
    match nearest(path, known) {
        Some(key) => format!("unknown key, did you mean {key}?"),
        None => "unknown key, config/longshore.toml has all of them".to_owned(),
    }
}

/// The known key with the fewest changes between them, if they are few for its length or the last
/// part is the same.
fn nearest(path: &KeyPath, known: &[KeyPath]) -> Option<String> {
    /// Longer keys are no slips of the pen; the comparison takes the square of it.
    const LENGTH_MAX: usize = 128;
    let text = path.to_string();
    if text.len() > LENGTH_MAX {
        return None;
    }
    let near = known.iter().filter_map(|key| {
        let name = key.to_string();
        let changes = strsim::damerau_levenshtein(&text, &name);
        (changes * 4 <= name.len() || key.last() == path.last()).then_some((changes, name))
    });
    near.min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_and_a_wrong_section_find_the_key_and_nonsense_finds_none() {
        let known: Vec<KeyPath> =
            ["queue.wait", "batch.linger", "db.mongo_uri"].into_iter().map(KeyPath::from).collect();
        let nearest = |text: &str| nearest(&text.into(), &known);
        assert_eq!(nearest("queue.wiat").as_deref(), Some("queue.wait"));
        assert_eq!(nearest("queue.linger").as_deref(), Some("batch.linger"));
        assert_eq!(nearest("db.mongodb_url").as_deref(), Some("db.mongo_uri"));
        assert_eq!(nearest("colour.of_the_boat"), None);
    }
}
