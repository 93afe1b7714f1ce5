//! The configuration: that it is valid, and what it comes to.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cli::output::{self, Output};
use crate::config;
use crate::config::load::{Loaded, Setting, Source};

use super::finding::Findings;

const CHECK: &str = "configuration";

/// Says where the settings come from. They are valid, or nothing would have been checked.
pub(super) fn check(loaded: &Loaded) -> Findings {
    let mut findings = Findings::default();
    let config = &loaded.config;
    let set: Vec<&Source> = loaded
        .effective
        .iter()
        .map(|setting| &setting.source)
        .filter(|source| !matches!(source, Source::Default))
        .collect();
    let places: BTreeSet<String> = set.iter().map(|source| place(source)).collect();
    let from = match places.len() {
        0 => "all defaults".to_owned(),
        _ => format!(
            "{} setting{} from {}, the rest defaults",
            set.len(),
            if set.len() == 1 { "" } else { "s" },
            places.into_iter().collect::<Vec<_>>().join(" and ")
        ),
    };
    let (routes, collections) = (config.routes.len(), config.collections.len());
    findings.ok(CHECK, format!("{from}; {routes} routes into {collections} collections; `longshore check --print` shows each value"));
    if !loaded.ignored.is_empty() {
        let count = loaded.ignored.len();
        findings.note(CHECK, format!("{count} keys of the INI file mean nothing here; `longshore check --print` lists them"));
    }
    findings
}

/// Where a value comes from, without the line.
fn place(source: &Source) -> String {
    match source {
        Source::File { path, .. } => path.display().to_string(),
        Source::Environment(_) => "the environment".to_owned(),
        Source::Default | Source::Flag => source.to_string(),
    }
}

/// Prints every value in force: TOML with comments for people, otherwise a line of JSON for each
/// key.
pub(super) fn print(loaded: &Loaded, output: Output) {
    match output {
        Output::People => output::print(config::print::text(loaded).trim_end()),
        Output::Json => {
            for setting in &loaded.effective {
                let line = json!({"key": setting.key, "value": value(setting), "source": setting.source.to_string()});
                output::print(&line.to_string());
            }
            for (key, source) in &loaded.ignored {
                output::print(
                    &json!({"key": key, "ignored": true, "source": source.to_string()}).to_string(),
                );
            }
        }
    }
}

/// A setting's value as JSON, null where it is unset. It is kept as TOML writes it.
fn value(setting: &Setting) -> Value {
    if setting.value == Setting::UNSET {
        return Value::Null;
    }
    let parsed: Option<Value> = toml::from_str(&format!("value = {}", setting.value)).ok();
    parsed
        .and_then(|mut parsed| Some(parsed.get_mut("value")?.take()))
        .unwrap_or_else(|| setting.value.as_str().into())
}

#[cfg(test)]
mod tests {
    use crate::config::load::{Sources, load};

    use super::super::finding::Status;
    use super::*;

    #[test]
    fn values_are_json_of_their_own_type() {
        let set = |value: &str| value_of(value);
        assert_eq!(set("\"a\\\"b\""), json!("a\"b"));
        assert_eq!(set("true"), json!(true));
        assert_eq!(set("[\"a\", \"b\"]"), json!(["a", "b"]));
        assert_eq!(
            set("[{ keys = [\"a\"], unique = true }]"),
            json!([{"keys": ["a"], "unique": true}])
        );
        assert_eq!(set(Setting::UNSET), Value::Null);
        assert_eq!(set("no TOML"), json!("no TOML"));
    }

    fn value_of(text: &str) -> Value {
        value(&Setting {
            key: "section.key".to_owned(),
            value: text.to_owned(),
            source: Source::Default,
        })
    }

    #[test]
    fn where_settings_come_from_is_told_in_one_line() {
        let environment = vec![("LONGSHORE__QUEUE__WAIT".to_owned(), "5s".to_owned())];
        let flags = vec![("log.level".to_owned(), "debug".to_owned())];
        let findings =
            check(&load(Sources { environment, flags, ..Sources::default() }).expect("valid"));
        let (status, text) = findings.of(CHECK)[0];
        assert_eq!(status, Status::Ok);
        assert!(
            text.starts_with(
                "2 settings from --set and the environment, the rest defaults; 3 routes into 3"
            ),
            "{text}"
        );
    }
}
