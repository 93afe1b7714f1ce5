//! What a configuration comes to, by example. The files below hold the rest by subject.

mod documented;
mod errors;
mod layers;
mod properties;
mod routes;
mod secrets;

use std::fmt::Write as _;
use std::time::Duration;

use super::*;
use crate::config::print;
use crate::store::{Acknowledgement, Extent, Index, Keyed, WriteKind};

const DOCUMENTED: &str = include_str!("../../../config/longshore.toml");
const PORTAL: &str = include_str!("../../../config/appconfig.ini.example");

/// Keeps the folder while the sources name a file in it.
struct Given {
    _folder: tempfile::TempDir,
    sources: Sources,
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn file(name: &str, text: &str) -> Given {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("written");
    Given { _folder: folder, sources: Sources { file: Some(path), ..Sources::default() } }
}

/// What is wrong, with the folder's path left out.
fn errors_of(given: &Given) -> Vec<String> {
    let folder = given
        .sources
        .file
        .as_ref()
        .and_then(|path| path.parent())
        .map(|path| format!("{}/", path.display()));
    let errors = load(given.sources.clone()).expect_err("refused").to_string();
    errors.lines().map(|line| line.replace(folder.as_deref().unwrap_or("\0"), "")).collect()
}

fn errors_in(toml: &str) -> Vec<String> {
    errors_of(&file("a.toml", toml))
}

fn with_flags(flags: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
    load(Sources { flags: pairs(flags), ..Sources::default() })
}

fn with_variables(variables: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
    load(Sources { environment: pairs(variables), ..Sources::default() })
}

fn setting<'a>(loaded: &'a Loaded, key: &str) -> &'a Setting {
    loaded
        .effective
        .iter()
        .find(|setting| setting.key == key)
        .unwrap_or_else(|| panic!("{key} is in force"))
}

/// The file with what `# Example:` or `#key = value` hides.
fn uncommented(examples: bool) -> String {
    let mut text = String::new();
    for line in DOCUMENTED.lines() {
        let example = line.strip_prefix("# Example: ").filter(|_| examples);
        let default = line
            .strip_prefix('#')
            .filter(|rest| rest.starts_with(|first: char| first.is_ascii_lowercase()));
        let _ = writeln!(text, "{}", example.or(default).unwrap_or(line));
    }
    text
}

#[test]
fn the_defaults_are_those_of_the_design() {
    let config = defaults();
    assert_eq!(config.queue.wait, Duration::from_secs(20));
    assert_eq!((config.batch.docs_max, config.batch.bytes_max), (1_000, 15 << 20));
    assert_eq!(config.db.write_concern.w, Acknowledgement::Majority);
    assert!(
        config.db.write_concern.journal
            && config.db.create_indexes
            && config.db.mongo_uri.is_none()
    );
    assert_eq!(config.worker.drain_timeout, Duration::from_secs(25));
    assert_eq!(config.routes.keys().collect::<Vec<_>>(), ["cache", "event", "session"]);

    let session = &config.collections["sessions"];
    assert_eq!(session.declared, ["data", "last_accessed"]);
    assert_eq!(
        session.indexes,
        [Index { keys: vec![("session_id".to_owned(), 1)], unique: true, expire_after: None }]
    );
    let event = &config.collections["events"];
    assert_eq!((event.kind.clone(), event.declared.len()), (WriteKind::Insert, 0));
    let by_user = vec![("user_id".to_owned(), 1), ("timestamp".to_owned(), -1)];
    assert_eq!(event.indexes, [Index { keys: by_user, unique: false, expire_after: None }]);
    let cache = &config.routes["cache"];
    assert_eq!(
        cache.kind,
        WriteKind::Keyed(Keyed {
            key: "user_id".to_owned(),
            version_field: "updated".to_owned(),
            extent: Extent::Replace,
        })
    );
    assert_eq!(
        (cache.required.clone(), cache.times.clone()),
        (vec!["user_id".to_owned(), "data".to_owned()], vec!["updated".to_owned()])
    );
}

#[test]
fn a_built_in_route_can_be_changed_key_by_key() {
    let given = file(
        "a.toml",
        "[routes.session]\nwrite = \"replace\"\n[routes.event]\ncollection = \"log\"\n[routes.cache]\nkey = \"_id\"\n",
    );
    let config = load(given.sources).expect("valid").config;
    let replace = WriteKind::Keyed(Keyed {
        key: "session_id".to_owned(),
        version_field: "last_accessed".to_owned(),
        extent: Extent::Replace,
    });
    assert_eq!(config.routes["session"].kind, replace);
    assert!(config.collections["sessions"].declared.is_empty());
    assert_eq!(config.collections["log"].indexes.len(), 1);
    assert_eq!(config.collections["user_cache"].indexes, [], "_id has its index");
}
