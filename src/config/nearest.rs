//! The known name that was meant by another one.

/// Between a name and the one that was meant.
const CHANGES_MAX: usize = 2;

/// A longer name is no slip of the pen, and the comparison takes the square of it.
const LENGTH_MAX: usize = 64;

/// A word of a longer name, such as the `version` of `version_field`.
const BEGUN_MIN: usize = 3;

/// The one of `names` that was meant by `given`, if it is near enough; upper and lower case are one.
pub(crate) fn name<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if given.len() > LENGTH_MAX {
        return None;
    }
    let given = given.to_lowercase();
    let names: Vec<_> = names.collect();
    let near = names.iter().filter_map(|name| {
        let changes = strsim::damerau_levenshtein(&given, &name.to_lowercase());
        (changes <= CHANGES_MAX.min(name.len() / 2)).then_some((changes, *name))
    });
    let nearest = near.min();
    if let Some((0 | 1, name)) = nearest {
        return Some(name);
    }
    // What was begun and not ended is meant by nothing else that is further away.
    let mut begun = names.iter().filter(|name| {
        given.len() >= BEGUN_MIN
            && name.to_lowercase().strip_prefix(&given).is_some_and(|rest| rest.starts_with('_'))
    });
    if let (Some(name), None) = (begun.next(), begun.next()) {
        return Some(name);
    }
    nearest.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_the_name_and_another_word_or_a_long_one_finds_none() {
        let long = "x".repeat(65);
        let names = ["journal", "w", "ssl", "version_field", "partials", &long];
        for (given, expected) in [
            ("jornal", Some("journal")),
            ("JUORNAL", Some("journal")),
            ("slsl", Some("ssl")),
            ("version", Some("version_field")),
            ("q", None),
            ("sealing", None),
            (&*long, None),
        ] {
            assert_eq!(name(given, names.into_iter()), expected, "{given}");
        }
    }

    #[test]
    fn a_slip_of_one_letter_is_nearer_than_a_word_that_was_begun_and_that_nearer_than_two() {
        for (names, expected) in [
            (["users", "user_cache"], "users"),
            (["user_cache", "users"], "users"),
            (["ulcer", "user_cache"], "user_cache"),
        ] {
            assert_eq!(name("user", names.into_iter()), Some(expected), "{names:?}");
        }
    }
}
