//! Who may import whom. Imports run down [`LAYERS`], never up; what has no place in it fails until
//! it gets one.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Named, Source};

/// Modules that stand at one height.
struct Layer {
    name: &'static str,
    siblings: Siblings,
    /// An entry holds for the modules below it too, unless one of them has an entry of its own:
    /// then all need one.
    modules: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Siblings {
    /// They may import each other, without a circle.
    Free,
    /// They know nothing of each other: what they share stands below, and someone above joins them.
    Strangers,
}

/// From the top, which knows all, to the ground, which knows nothing of the crate.
const LAYERS: &[Layer] = &[
    Layer { name: "roots", siblings: Siblings::Free, modules: &["main", "lib"] },
    Layer { name: "commands", siblings: Siblings::Free, modules: &["cli"] },
    Layer { name: "local servers and demo", siblings: Siblings::Free, modules: &["demo", "dev"] },
    Layer {
        name: "composition roots",
        siblings: Siblings::Strangers,
        modules: &["worker", "producer"],
    },
    Layer {
        name: "pipeline and adapters",
        siblings: Siblings::Strangers,
        modules: &["pipeline", "admin", "queue/sqs", "store/mongo", "mongo_manager"],
    },
    Layer { name: "configuration", siblings: Siblings::Free, modules: &["config"] },
    Layer {
        name: "stages",
        siblings: Siblings::Strangers,
        modules: &["queue/pollers", "decode", "route", "lane"],
    },
    Layer {
        name: "the way of the rejected",
        siblings: Siblings::Strangers,
        modules: &["dead_letter"],
    },
    Layer {
        name: "what stages hand over to",
        siblings: Siblings::Strangers,
        modules: &["queue/visibility", "settle", "gate"],
    },
    Layer { name: "contracts", siblings: Siblings::Strangers, modules: &["queue"] },
    Layer {
        name: "terms",
        siblings: Siblings::Free,
        modules: &[
            "message",
            "queue/name",
            "queue/outgoing",
            "store",
            "store/collection",
            "version",
            "bson",
            "extended_json",
            "flow",
            "held",
            "gauges",
            "harmless",
            "budget",
            "flood",
            "redact",
            "retry",
            "stop",
            "time",
            "this_machine",
            "telemetry",
        ],
    },
    Layer {
        name: "ground",
        siblings: Siblings::Strangers,
        modules: &["clock", "atomic_file", "hex"],
    },
];

/// Foreign crates that belong to one place. A name that ends with `_` stands for all that begin
/// with it.
const SDKS: &[(&str, &[&str])] = &[
    ("mongodb", &["mongo_manager", "store/mongo"]),
    ("aws_config", &["queue/sqs"]),
    // The terms in which the one hands credentials to the other.
    ("aws_credential_types", &["queue/sqs", "mongo_manager"]),
    ("aws_sdk_", &["queue/sqs"]),
    ("aws_smithy_", &["queue/sqs"]),
    ("aws_types", &["queue/sqs"]),
    ("backoff", &["retry"]),
    ("rustack_", &["dev"]),
];

/// The entry that holds for `path`, with its height: the longest one that the path begins with.
fn entry(path: &[String]) -> Option<(usize, &'static str)> {
    let path = format!("{}/", path.join("/"));
    let entries = LAYERS
        .iter()
        .enumerate()
        .flat_map(|(height, layer)| layer.modules.iter().map(move |module| (height, *module)));
    entries
        .filter(|(_, module)| path.starts_with(&format!("{module}/")))
        .max_by_key(|(_, module)| module.len())
}

/// The entry of a file's own module.
fn place(source: &Source) -> Result<(usize, &'static str), String> {
    let path = source.module.join("/");
    let has_children = |module: &str| {
        LAYERS
            .iter()
            .flat_map(|layer| layer.modules)
            .any(|other| other.starts_with(&format!("{module}/")))
    };
    match entry(&source.module) {
        Some((height, module)) if module == path || !has_children(module) => Ok((height, module)),
        _ => Err(format!(
            "{}: the module {path} has no place yet: give it one in LAYERS of tests/it/tidy/order.rs",
            source.file.display()
        )),
    }
}

/// Complaints about modules without a place, imports that run up or to a stranger, and circles.
pub fn against_order(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_tests()) {
        let (height, importer) = match place(source) {
            Ok(place) => place,
            Err(complaint) => {
                complaints.push(complaint);
                continue;
            }
        };
        for named in source.named().iter().filter(|named| named.own && !named.segments.is_empty()) {
            match imported(height, importer, named) {
                Ok(module) if module != importer => {
                    edges.entry(importer).or_default().insert(module);
                }
                Ok(_) => {}
                Err(why) => complaints.push(format!("{}: {why}", source.at(named.line))),
            }
        }
    }
    complaints.extend(circles(&edges));
    complaints.dedup();
    complaints
}

/// The entry that `named` leads to, where `importer` may go there.
fn imported(height: usize, importer: &str, named: &Named) -> Result<&'static str, String> {
    let path = named.segments.join("::");
    // The roots hold no items of their own but modules, and those of `main` and `lib` may be named
    // by neither.
    let Some((there, module)) = entry(&named.segments) else {
        if height == 0 {
            return Ok("lib");
        }
        return Err(format!(
            "crate::{path} is in no module that has a place: name it where it is made, or give its module a place in LAYERS"
        ));
    };
    let (from, to) = (&LAYERS[height], &LAYERS[there]);
    if there < height {
        return Err(format!(
            "{importer} ({}) imports {module} ({}), which stands above it: move what both need down, or hand it in from above",
            from.name, to.name
        ));
    }
    if there == height && module != importer && from.siblings == Siblings::Strangers {
        return Err(format!(
            "{importer} imports {module}, but {} do not know each other: join them above, or share what stands below",
            from.name
        ));
    }
    Ok(module)
}

/// Complaints about files that import each other in a circle: neither can be read before the other.
/// That a file declares the modules below it, and says what of them is seen outside, is no import.
pub fn file_circles(sources: &[Source]) -> Vec<String> {
    let files: BTreeMap<String, &Source> = sources
        .iter()
        .filter(|source| !source.is_tests())
        .map(|source| (source.module.join("/"), source))
        .collect();
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (importer, source) in &files {
        for named in source.named().iter().filter(|named| named.own) {
            // The file that the longest part of the path leads to.
            let imported = (1..=named.segments.len())
                .rev()
                .find_map(|length| files.get_key_value(&named.segments[..length].join("/")));
            if let Some((path, _)) = imported
                && path != importer
            {
                edges.entry(importer).or_default().insert(path);
            }
        }
    }
    circles(&edges)
}

/// Each group of modules that reach each other, once.
fn circles(edges: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<String> {
    let reachable = |start: &str| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&str> = edges.get(start).into_iter().flatten().copied().collect();
        while let Some(module) = next.pop() {
            if seen.insert(module) {
                next.extend(edges.get(module).into_iter().flatten());
            }
        }
        seen
    };
    let reaches: BTreeMap<&str, BTreeSet<&str>> =
        edges.keys().map(|module| (*module, reachable(module))).collect();
    let mut groups: BTreeSet<Vec<&str>> = BTreeSet::new();
    for (module, reached) in reaches.iter().filter(|(module, reached)| reached.contains(*module)) {
        let back = |other: &&&str| reaches.get(**other).is_some_and(|from| from.contains(module));
        groups.insert(reached.iter().filter(back).copied().collect());
    }
    let told = |group: &Vec<&str>| {
        format!("these modules import each other in a circle: {}", group.join(", "))
    };
    groups.iter().map(told).collect()
}

/// Complaints about foreign crates that are named outside their place.
pub fn sdk_outside_adapter(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources.iter().filter(|source| !source.is_tests()) {
        let importer = entry(&source.module).map_or("", |(_, module)| module);
        for named in source.named().iter().filter(|named| !named.own) {
            let name = &named.segments[0];
            let sdk = SDKS
                .iter()
                .find(|(sdk, _)| name == sdk || (sdk.ends_with('_') && name.starts_with(sdk)));
            if let Some((_, homes)) = sdk
                && !homes.contains(&importer)
            {
                complaints.push(format!(
                    "{}: {name} is named outside of {}",
                    source.at(named.line),
                    homes.join(" and ")
                ));
            }
        }
    }
    complaints.dedup();
    complaints
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn complaints(check: fn(&[Source]) -> Vec<String>, files: &[(&str, &str)]) -> Vec<String> {
        check(
            &files
                .iter()
                .map(|(file, text)| Source::parse(Path::new(file), text))
                .collect::<Vec<_>>(),
        )
    }

    #[track_caller]
    fn assert_refused(check: fn(&[Source]) -> Vec<String>, files: &[(&str, &str)], why: &str) {
        let complaints = complaints(check, files);
        assert!(
            complaints.len() == 1 && complaints[0].contains(why),
            "{files:?} gave {complaints:?}"
        );
    }

    #[test]
    fn what_runs_down_is_welcome() {
        let files = [
            ("src/main.rs", "fn main() { longshore::cli::main() }"),
            ("src/lib.rs", "pub mod cli; pub use cli::main;"),
            ("src/cli/run.rs", "use crate::worker::Worker; use super::Output;"),
            (
                "src/worker.rs",
                "use crate::{pipeline::Pipeline, queue::sqs::SqsQueue, mongo_manager::MongoManager};",
            ),
            ("src/queue/sqs.rs", "use super::{Queue, QueueFault};"),
            ("src/lane.rs", "use crate::dead_letter::DeadLetters;"),
            ("src/queue.rs", "pub mod sqs; use crate::message::QueueMessage;"),
            ("src/message.rs", "use crate::budget::Permit;"),
            ("src/config/load.rs", "use super::Config;"),
            ("src/config.rs", "mod load; pub use load::load;"),
            ("src/decode/tests.rs", "use crate::worker::Worker;"),
        ];
        assert_eq!(complaints(against_order, &files), Vec::<String>::new());
    }

    #[test]
    fn an_import_that_runs_up_is_refused() {
        assert_refused(
            against_order,
            &[("src/message.rs", "\nuse crate::queue::Queue;")],
            "src/message.rs:2: message (terms) imports queue",
        );
        assert_refused(
            against_order,
            &[("src/clock.rs", "use crate::time;")],
            "clock (ground) imports time",
        );
        assert_refused(
            against_order,
            &[("src/queue.rs", "pub mod sqs; pub use sqs::SqsQueue;")],
            "queue (contracts) imports queue/sqs",
        );
        assert_refused(
            against_order,
            &[("src/store/mongo.rs", "fn f() { crate::worker::stop() }")],
            "store/mongo",
        );
    }

    #[test]
    fn strangers_do_not_import_each_other() {
        assert_refused(
            against_order,
            &[("src/store/mongo.rs", "use crate::queue::sqs::SqsQueue;")],
            "do not know each other",
        );
        assert_refused(
            against_order,
            &[("src/store/mongo/plan.rs", "use crate::mongo_manager;")],
            "do not know each other",
        );
        assert_refused(
            against_order,
            &[("src/pipeline.rs", "use crate::store::mongo::MongoStore;")],
            "do not know each other",
        );
        assert_refused(
            against_order,
            &[("src/gate.rs", "use crate::settle;")],
            "do not know each other",
        );
    }

    #[test]
    fn a_circle_is_refused() {
        let files = [
            ("src/message.rs", "use crate::version::Version;"),
            ("src/version.rs", "use crate::message::Key;"),
        ];
        assert_refused(against_order, &files, "circle: message, version");
    }

    #[test]
    fn a_circle_of_files_is_refused_and_a_declaration_is_none() {
        let child = ("src/lane/item.rs", "use super::Lane;");
        let parent = "mod item; use item::Item; pub struct Lane;";
        assert_refused(file_circles, &[("src/lane.rs", parent), child], "circle: lane, lane/item");
        let declares = ("src/lane.rs", "mod item; pub struct Lane;");
        assert_eq!(complaints(file_circles, &[declares, child]), Vec::<String>::new());
    }

    #[test]
    fn a_module_without_a_place_is_refused_with_advice() {
        assert_refused(
            against_order,
            &[("src/utils.rs", "")],
            "the module utils has no place yet: give it one in LAYERS",
        );
        assert_refused(
            against_order,
            &[("src/queue/redis.rs", "")],
            "the module queue/redis has no place yet",
        );
        assert_refused(
            against_order,
            &[("src/lane.rs", "use crate::VERSION;")],
            "crate::VERSION is in no module",
        );
    }

    #[test]
    fn an_sdk_outside_its_adapter_is_refused() {
        for (file, text) in [
            ("src/lane.rs", "use mongodb::Collection;"),
            ("src/lane.rs", "use mongodb as database;"),
            ("src/worker.rs", "async fn f() { aws_config::load().await }"),
            ("src/queue/pollers.rs", "use aws_sdk_sqs::Client;"),
            ("src/store/mongo.rs", "use aws_smithy_types::error::Metadata;"),
            ("src/worker.rs", "use aws_credential_types::Credentials;"),
            ("src/gate.rs", "use backoff::ExponentialBackoff;"),
            ("src/cli/dev.rs", "use rustack_sqs_core::Server;"),
        ] {
            assert_refused(sdk_outside_adapter, &[(file, text)], "is named outside of");
        }
        let files = [
            (
                "src/queue/sqs/errors.rs",
                "use aws_sdk_sqs::Client; use aws_smithy_types::body::SdkBody;",
            ),
            ("src/mongo_manager/options.rs", "use mongodb::options::ClientOptions;"),
            ("src/lane.rs", "use bson::doc; // mongodb::bson would be the driver"),
            ("src/retry.rs", "use backoff::backoff::Backoff;"),
        ];
        assert_eq!(complaints(sdk_outside_adapter, &files), Vec::<String>::new());
    }
}
