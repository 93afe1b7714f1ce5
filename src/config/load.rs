//! From the layers to a [`Config`]: built-in defaults, a file, the environment, flags, each over
//! the one before, and `MONGO_CACHE_URI` over all for the connection string.
//!
//! Every error is found before any is reported. What the configuration knows is what the code asks
//! for: there is no second list of keys that could differ.

use std::path::{Path, PathBuf};

use super::key_path::KeyPath;
use super::layers::Layers;
use super::left_out::LeftOut;
pub use super::provenance::{ConfigError, ConfigErrors, Setting, Source};
use super::reader::{Findings, Reader};
use super::sections::{self, URI_VARIABLE};
use super::settings::{Config, DbConfig};
use super::{collections, ini_file, left_out, misspelt, routes, rules, text_file, toml_file};

/// Begins the name of a variable; parts are joined by two underscores, since names hold single
/// ones.
const VARIABLE_PREFIX: &str = "LONGSHORE__";

const BUILTIN_ROUTES: &str = include_str!("builtin_routes.toml");

/// A configuration is kilobytes; what is larger is another file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where values come from, the weakest first.
///
/// Without `Debug`: any of it may hold a password.
#[derive(Clone, Default)]
pub struct Sources {
    /// TOML, or a web2py `appconfig.ini` where the name ends in `.ini`.
    pub file: Option<PathBuf>,
    /// Variables of the process; those that are not Longshore's are passed over.
    pub environment: Vec<(String, String)>,
    /// Keys and values of `--set` and of flags that stand for a key. The last of a key counts.
    pub flags: Vec<(String, String)>,
}

/// The variables of this process, for [`Sources`]. Lossy: a variable that is not UTF-8 is none of
/// ours, or its value is then reported as unreadable.
#[must_use]
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into(), value.to_string_lossy().into()))
        .collect()
}

/// A valid configuration, and how it came about.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    /// Every value in force, in the order of `config/longshore.toml`.
    pub effective: Vec<Setting>,
    /// Keys of an INI file that mean nothing here: it belongs to another program.
    pub ignored: Vec<(String, Source)>,
}

/// Loads a configuration.
///
/// # Errors
/// Everything that is wrong with it. Where the file cannot be read or has broken syntax, that
/// alone: what else is wrong would be guesswork.
pub fn load(sources: Sources) -> Result<Loaded, ConfigErrors> {
    let mut errors = Vec::new();
    let (layers, environment) = layers(sources, &mut errors)?;
    loaded(read(layers, &environment, errors))
}

/// Loads a configuration for a command that brings a queue and a database of its own: without what
/// points at real ones, which is not even read, and with the list of that.
///
/// # Errors
/// As [`load`].
pub fn load_local(sources: Sources) -> Result<(Loaded, LeftOut), ConfigErrors> {
    let mut errors = Vec::new();
    let (mut layers, environment) = layers(sources, &mut errors)?;
    let left_out = left_out::take(&mut layers);
    Ok((loaded(read(layers, &environment, errors))?, left_out))
}

fn loaded((config, findings): (Config, Findings)) -> Result<Loaded, ConfigErrors> {
    if !findings.errors.is_empty() {
        return Err(ConfigErrors(findings.errors));
    }
    Ok(Loaded { config, effective: findings.effective, ignored: findings.ignored })
}

/// The configuration without a file, variables or flags.
///
/// # Panics
/// Where the built-in defaults break their own bounds: a test loads them.
#[must_use]
pub fn defaults() -> Config {
    load(Sources::default()).expect("the defaults are within their bounds").config
}

impl Default for DbConfig {
    /// As the loader fills it without any source.
    fn default() -> Self {
        defaults().db
    }
}

/// Variables by name.
type Environment = Vec<(String, String)>;

/// What each source says, the stronger over the weaker, and the variables among them.
fn layers(
    sources: Sources,
    errors: &mut Vec<ConfigError>,
) -> Result<(Layers, Environment), ConfigErrors> {
    let Sources { file, environment, flags } = sources;
    let mut layers = Layers::default();
    set_defaults(&mut layers);
    if let Some(path) = &file {
        set_file(&mut layers, path).map_err(ConfigErrors)?;
    }
    set_environment(&mut layers, &environment, errors);
    set_flags(&mut layers, &flags, errors);
    if let Some((_, uri)) = environment.iter().find(|(name, _)| name == URI_VARIABLE) {
        layers.set(
            "db.mongo_uri".into(),
            uri.as_str().into(),
            &Source::Environment(URI_VARIABLE.to_owned()),
        );
    }
    Ok((layers, environment))
}

/// What the layers mean. `errors` are those of the layers themselves.
fn read(
    layers: Layers,
    environment: &[(String, String)],
    errors: Vec<ConfigError>,
) -> (Config, Findings) {
    let mut reader = Reader::new(layers, errors);
    let mut config = sections::read(&mut reader);
    let declared = routes::read(&mut reader, &config.db.write_concern);
    config.collections = collections::join(&mut reader, &declared);
    config.routes = declared
        .into_iter()
        .map(|declared| {
            let mut route = declared.route;
            if let Some(collection) = config.collections.get(&route.collection) {
                route.indexed = collection.indexed();
            }
            (route.name.clone(), route)
        })
        .collect();
    config.message.routes = config.routes.keys().map(|name| name.as_str().into()).collect();
    config.db.connections = config.connections();
    rules::check(&mut reader, &config);
    for (name, meant) in misspelt::variables(environment, reader.known()) {
        let problem = format!(
            "is no setting: a variable for one begins with LONGSHORE and two underscores, and has two between its parts; did you mean {meant}?"
        );
        let key = KeyPath::new(vec![name.clone()]);
        reader.error(&key, None, problem, Source::Environment(name));
    }
    (config, reader.finish())
}

pub(super) fn set_defaults(layers: &mut Layers) {
    // A test reads it; broken, it would be no routes rather than a panic.
    for (path, value, _) in toml_file::parse(BUILTIN_ROUTES).unwrap_or_default() {
        layers.set(path, value, &Source::Default);
    }
}

fn set_file(layers: &mut Layers, path: &Path) -> Result<(), Vec<ConfigError>> {
    let at = |line: usize| Source::File { path: path.to_owned(), line };
    let error = |line: usize, problem: String| ConfigError {
        key: String::new(),
        value: None,
        problem,
        source: at(line),
    };
    let text = text_file::read(path, FILE_BYTES_MAX).map_err(|problem| {
        vec![error(0, format!("{problem}; --config takes the path of a TOML or INI file"))]
    })?;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("ini")) {
        let lines = ini_file::parse(&text);
        let lines = lines.map_err(|errors| {
            errors
                .iter()
                .map(|e| error(e.line, format!("not valid INI: {}", e.message)))
                .collect::<Vec<_>>()
        })?;
        for (key, value, line) in lines {
            layers.set_text(key, &value, &at(line), true);
        }
    } else {
        let lines = toml_file::parse(&text);
        let problem = |e: &toml_file::SyntaxError| {
            error(e.line, format!("not valid TOML, at column {}: {}", e.column, e.message))
        };
        for (key, value, line) in
            lines.map_err(|errors| errors.iter().map(problem).collect::<Vec<_>>())?
        {
            layers.set(key, value, &at(line));
        }
    }
    Ok(())
}

fn set_environment(
    layers: &mut Layers,
    environment: &[(String, String)],
    errors: &mut Vec<ConfigError>,
) {
    for (name, value) in environment {
        let prefix = name.get(..VARIABLE_PREFIX.len()).unwrap_or_default();
        if !prefix.eq_ignore_ascii_case(VARIABLE_PREFIX) {
            continue;
        }
        let parts: Vec<&str> = name[VARIABLE_PREFIX.len()..].split("__").collect();
        let error = |key: String, problem: String| ConfigError {
            key,
            value: None,
            problem,
            source: Source::Environment(name.clone()),
        };
        if parts.iter().any(|part| part.is_empty()) {
            errors.push(error(String::new(), "must be LONGSHORE__SECTION__KEY".to_owned()));
        } else if let Err(twice) = layers.set_variable(&parts, value, name) {
            let problem =
                format!("is set by {} too: keep one, since their order is not known", twice.other);
            errors.push(error(twice.path.to_string(), problem));
        }
    }
}

fn set_flags(layers: &mut Layers, flags: &[(String, String)], errors: &mut Vec<ConfigError>) {
    for (key, value) in flags {
        match KeyPath::parse(key) {
            Some(path) => layers.set_text(path, value, &Source::Flag, false),
            None => errors.push(ConfigError {
                key: String::new(),
                value: None,
                problem: "must be section.key=value, with a part that holds dots in double quotes"
                    .to_owned(),
                source: Source::Flag,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
