//! The documented file against the code, and what is printed.

use std::time::Duration;

use super::{
    DOCUMENTED, KeyPath, Setting, Source, Sources, defaults, file, load, print, read, toml_file,
    uncommented,
};

#[test]
fn the_documented_defaults_are_the_defaults() {
    let given = file("longshore.toml", &uncommented(false));
    let loaded = load(given.sources).expect("the documented file loads");
    assert_eq!(format!("{:?}", loaded.config), format!("{:?}", defaults()));
    // A line that is missing here would fall back to its default unseen.
    let left: Vec<_> = loaded
        .effective
        .iter()
        .filter(|setting| setting.source == Source::Default && setting.value != Setting::UNSET)
        .collect();
    assert!(left.is_empty(), "no `#key = value` line for {left:?}");
}

#[test]
fn the_documented_examples_are_valid() {
    let given = file("longshore.toml", &uncommented(true));
    let loaded = load(given.sources).expect("the examples load");
    assert_eq!(
        loaded.config.collections["events"].indexes[0].expire_after,
        Some(Duration::from_hours(365 * 24))
    );
    assert_eq!(loaded.config.collections["sessions"].ttl, Some(Duration::from_hours(30 * 24)));
    let order = &loaded.config.routes["order"];
    assert_eq!(
        order.fields,
        ["customer_id", "total", "shipped_at", "founded", "order_id", "changed_at", "status"]
    );
    assert_eq!(order.required, ["status", "order_id"]);
}

#[test]
fn every_known_key_is_documented() {
    // With the examples, so that each key of a route is asked for.
    let given = file("longshore.toml", &uncommented(true));
    let mut errors = Vec::new();
    let (layers, environment) = super::super::layers(given.sources, &mut errors).expect("readable");
    let (_, findings) = read(layers, &environment, errors);
    // What stands there instead of another key cannot stand beside it, and so is no example.
    let all = uncommented(true).replace("# Instead: ", "");
    let documented = toml_file::parse(&all).expect("TOML");
    for key in findings.known {
        let parts = key.parts();
        let is_table =
            ["db.connection_options", "message.types"].contains(&key.to_string().as_str());
        let is_option = parts.len() == 3 && parts[1] == "connection_options";
        if is_table || is_option {
            continue;
        }
        let in_a_route = |path: &KeyPath| {
            parts[0] == "routes" && path.parts()[0] == "routes" && path.parts()[2..] == parts[2..]
        };
        assert!(
            documented.iter().any(|(path, _, _)| *path == key || in_a_route(path)),
            "{key} is not documented"
        );
        let described =
            parts[0] != "routes" || DOCUMENTED.contains(&format!("\n# {:14} ", parts[2]));
        assert!(described, "{key} is not described");
    }
}

#[test]
fn what_is_printed_loads_to_the_same() {
    let given = file("longshore.toml", &uncommented(true));
    let first = load(given.sources).expect("valid");
    let text = print::text(&first).replace("***@", "user:password@");
    let given = file("printed.toml", &text);
    let second = load(given.sources).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    assert_eq!(format!("{:?}", first.config), format!("{:?}", second.config));
    let defaults = print::text(&load(Sources::default()).expect("valid"));
    let words: Vec<_> = defaults
        .lines()
        .take(6)
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(words[0], "# queue.url is unset # default");
    assert_eq!(words[5], "queue.wait = \"20s\" # default");
}
