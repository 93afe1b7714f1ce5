//! The layers and their errors, by example, and the documented file against the code.

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
        ["customer_id", "total", "shipped_at", "order_id", "changed_at", "status"]
    );
    assert_eq!(order.required, ["status", "order_id"]);
}

#[test]
fn every_known_key_is_documented() {
    // With the examples, so that each key of a route is asked for.
    let given = file("longshore.toml", &uncommented(true));
    let (_, findings) = read(given.sources).expect("readable");
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
fn a_portals_file_is_read_and_what_is_the_portals_own_is_passed_over() {
    let given = file("appconfig.ini", PORTAL);
    let loaded = load(given.sources).expect("a portal's file loads");
    let uri = loaded.config.db.mongo_uri.as_ref().map(|uri| uri.expose().to_owned());
    assert_eq!(
        uri.as_deref(),
        Some("mongodb://portal:p%40ssword@db1.example.net,db2.example.net/portal?replicaSet=rs0")
    );
    assert_eq!(
        setting(&loaded, "db.mongo_uri").value,
        r#""mongodb://***@db1.example.net,db2.example.net/portal?replicaSet=rs0""#
    );
    let options: Vec<_> = loaded
        .config
        .db
        .connection_options
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        options,
        ["maxIdleTimeMS=60000", "maxPoolSize=50", "minPoolSize=5", "retryWrites=true"]
    );
    let ignored: Vec<_> = loaded.ignored.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        ignored,
        [
            "app.name",
            "app.production",
            "db.connection_options.tz_aware",
            "db.migrate",
            "db.pool_size",
            "db.uri",
            "host.names",
            "smtp.sender",
            "smtp.server"
        ]
    );
}

#[test]
fn each_layer_beats_the_one_before_and_says_where_a_value_came_from() {
    let given = file(
        "longshore.toml",
        "[queue]\nwait = \"5s\"\npollers_max = 2\n\n[batch]\ndocs_max = 10\nlinger = 1\n",
    );
    let mut sources = given.sources.clone();
    sources.environment = pairs(&[
        ("longshore__queue__POLLERS_MAX", "3"),
        ("LONGSHORE__BATCH__DOCS_MAX", "20"),
        ("PATH", "/bin"),
    ]);
    sources.flags = pairs(&[("batch.docs_max", "25"), ("batch.docs_max", "30")]);
    let loaded = load(sources).expect("valid");
    let shown = |key: &str| {
        let setting = setting(&loaded, key);
        let source = setting.source.to_string();
        (setting.value.clone(), source.rsplit('/').next().unwrap_or_default().to_owned())
    };
    let pair = |value: &str, source: &str| (value.to_owned(), source.to_owned());
    assert_eq!(shown("queue.wait"), pair("\"5s\"", "longshore.toml:2"));
    assert_eq!(shown("queue.pollers_max"), pair("3", "longshore__queue__POLLERS_MAX"));
    assert_eq!(shown("batch.linger"), pair("\"1s\"", "longshore.toml:7"));
    assert_eq!(shown("batch.docs_max"), pair("30", "--set"));
    assert_eq!(shown("batch.writers_max"), pair("2", "default"));
    assert_eq!(shown("queue.url"), pair("unset", "default"));
    assert_eq!(loaded.config.batch.docs_max, 30);
}

#[test]
fn the_portals_variable_beats_everything_for_the_uri() {
    let loaded = load(Sources {
        file: None,
        environment: pairs(&[
            ("LONGSHORE__DB__MONGO_URI", "mongodb://b/b"),
            ("MONGO_CACHE_URI", "mongodb://a/a"),
        ]),
        flags: pairs(&[("db.mongo_uri", "mongodb://c/c")]),
    })
    .expect("valid");
    assert_eq!(
        loaded.config.db.mongo_uri.as_ref().map(crate::config::Secret::expose),
        Some("mongodb://a/a")
    );
    assert_eq!(
        setting(&loaded, "db.mongo_uri").source,
        Source::Environment("MONGO_CACHE_URI".to_owned())
    );
}

#[test]
fn a_uri_can_stand_in_a_file_of_its_own() {
    let holds = |text: &str| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        file
    };
    let with = |path: &str, more: &[(&str, &str)]| {
        with_variables(&[&[("LONGSHORE__DB__MONGO_URI_FILE", path)], more].concat())
    };
    let secret = holds("mongodb://u:hunter22@a/a\n");
    let path = secret.path().to_str().expect("UTF-8");

    let loaded = with(path, &[]).expect("valid");
    assert_eq!(
        loaded.config.db.mongo_uri.as_ref().map(crate::config::Secret::expose),
        Some("mongodb://u:hunter22@a/a")
    );
    let shown = setting(&loaded, "db.mongo_uri");
    assert_eq!(
        (shown.value.as_str(), shown.source.to_string().as_str()),
        ("\"mongodb://***@a/a\"", path)
    );

    let loaded = with(path, &[("MONGO_CACHE_URI", "mongodb://b/b")])
        .expect("the portal's variable beats both");
    assert_eq!(
        loaded.config.db.mongo_uri.as_ref().map(crate::config::Secret::expose),
        Some("mongodb://b/b")
    );

    let both = with(path, &[("LONGSHORE__DB__MONGO_URI", "mongodb://b/b")])
        .expect_err("two databases")
        .to_string();
    assert_eq!(
        both,
        "db.mongo_uri: is set, and db.mongo_uri_file too: keep one (LONGSHORE__DB__MONGO_URI)"
    );
    let empty = holds(" \n");
    let large = holds(&"x".repeat(70_000));
    for (path, problem) in [
        (
            empty.path().to_str().expect("UTF-8"),
            "names a file that is empty: put the connection string into it",
        ),
        (large.path().to_str().expect("UTF-8"), "the file must have at most 65536 bytes"),
        ("/nowhere/at/all", "cannot read the file: No such file or directory (os error 2)"),
        (" ", "must be the path of a file that holds the connection string"),
    ] {
        let error = with(path, &[]).expect_err(problem).to_string();
        assert!(
            error.starts_with("db.mongo_uri_file")
                && error.contains(problem)
                && error.contains("LONGSHORE__DB__MONGO_URI_FILE"),
            "{error}"
        );
    }
}

#[test]
fn the_environment_can_say_everything_that_a_file_can() {
    let loaded = with_variables(&[
        ("LONGSHORE__ROUTES__ORDER__COLLECTION", "orders"),
        ("LONGSHORE__ROUTES__ORDER__WRITE", "set"),
        ("LONGSHORE__ROUTES__ORDER__KEY", "order_id"),
        ("LONGSHORE__ROUTES__ORDER__VERSION_FIELD", "at"),
        ("LONGSHORE__ROUTES__ORDER__FIELDS", "status, total"),
        ("LONGSHORE__ROUTES__ORDER__REQUIRED", r#"["status"]"#),
        ("LONGSHORE__ROUTES__ORDER__INDEXES", r#"[{"keys": "-at", "expire_after": "1d"}]"#),
        ("LONGSHORE__ROUTES__ORDER__WRITE_CONCERN__W", "2"),
        ("LONGSHORE__ROUTES__CACHE__ENABLED", "False"),
        ("LONGSHORE__MESSAGE__TYPES", r#"{"com.example.Order": "order"}"#),
        ("LONGSHORE__DB__CONNECTION_OPTIONS__MAXPOOLSIZE", "7"),
    ])
    .expect("valid");
    assert_eq!(loaded.config.routes["order"].fields, ["status", "total", "order_id", "at"]);
    let orders = &loaded.config.collections["orders"];
    assert_eq!(orders.write_concern.w, Acknowledgement::Members(2));
    assert_eq!(orders.declared, ["at", "status", "total"]);
    assert_eq!(
        orders.indexes[1],
        Index {
            keys: vec![("at".to_owned(), -1)],
            unique: false,
            expire_after: Some(Duration::from_hours(24))
        }
    );
    assert_eq!(orders.ttl, Some(Duration::from_hours(24)));
    assert!(
        !loaded.config.routes.contains_key("cache")
            && !loaded.config.collections.contains_key("user_cache")
    );
    assert_eq!(loaded.config.message.types["com.example.Order"], "order");
    assert_eq!(loaded.config.db.connection_options["maxPoolSize"], "7");
}

#[test]
fn all_errors_are_reported_at_once() {
    let given = file(
        "a.toml",
        "[queue]\nwait = \"90s\"\nwiat = 3\n[db.write_concern]\nw = 0\n[batch]\ndocs_max = 20_000\nbytes_max = \"15MB\"\n",
    );
    let mut sources = given.sources.clone();
    sources.environment = pairs(&[("LONGSHORE__LOG__FORMAT", "xml")]);
    sources.flags = pairs(&[("retry.multiplier", "1"), ("db.create_indexes", "maybe")]);
    let errors = errors_of(&Given { sources, ..given });
    assert_eq!(
        errors,
        [
            "queue.wait = \"90s\": must be a time from 0s to 20s, in whole seconds, written as 250ms, 30s, 5m, 11h or 30d (a.toml:2)",
            "db.create_indexes = \"maybe\": must be true or false (--set)",
            "db.write_concern.w = 0: must be \"majority\", a number from 1 to 50 or the name of a tag set; 0 asks for no acknowledgement, \
             and a message is deleted only after one (a.toml:5)",
            "batch.docs_max = 20000: must be a whole number from 1 to 10000 (a.toml:7)",
            "batch.bytes_max = \"15MB\": must be a size from 64KiB to 15MiB, written as 64KiB, 15MiB or 1GiB (a.toml:8)",
            "retry.multiplier = \"1\": must be a number from 1.1 to 10 (--set)",
            "log.format = \"xml\": must be one of \"auto\", \"text\", \"json\", \"journal\" (LONGSHORE__LOG__FORMAT)",
            "queue.wiat: unknown key, did you mean queue.wait? (a.toml:3)",
        ]
    );
}

#[test]
fn an_unknown_key_names_the_nearest_known_one() {
    let errors = errors_in(
        "queue = 5\ncolour = \"red\"\n[indexs]\n[routes.order]\ncolection = \"a\"\n[db.connection_options]\nmaxPoolSzie = 5\n",
    );
    assert_eq!(
        errors,
        [
            "routes.order.collection: is missing: the route needs it (a.toml:5)",
            "routes.order.write: is missing: the route needs it (a.toml:5)",
            "colour: unknown key, config/longshore.toml has all of them (a.toml:2)",
            "db.connection_options.maxPoolSzie: unknown key, did you mean db.connection_options.maxPoolSize? (a.toml:7)",
            "indexs: unknown key, config/longshore.toml has all of them (a.toml:3)",
            "queue: is a section: set a key in it, such as queue.url (a.toml:1)",
            "routes.order.colection: unknown key, did you mean routes.order.collection? (a.toml:5)",
        ]
    );
    let error = with_variables(&[("LONGSHORE__QUEUE__LINGER", "1s"), ("LONGSHORE__", "x")])
        .expect_err("unknown")
        .to_string();
    assert_eq!(
        error,
        "must be LONGSHORE__SECTION__KEY (LONGSHORE__)\nqueue.linger: unknown key, did you mean batch.linger? (LONGSHORE__QUEUE__LINGER)"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("missing.toml");
    let error = load(Sources { file: Some(path.clone()), ..Sources::default() })
        .expect_err("missing")
        .to_string();
    let expected = "cannot read the file: No such file or directory (os error 2); --config takes the path of a TOML or INI file";
    assert_eq!(error, format!("{expected} ({})", path.display()));
    assert_eq!(
        errors_in("[queue]\nwait = 5s\n"),
        [
            "not valid TOML, at column 8: string values must be quoted, expected literal string (a.toml:2)"
        ]
    );
    assert_eq!(
        errors_of(&file("a.ini", "url = x\n[db]\nmongo_uri\n")),
        [
            "not valid INI: a key needs a section above it, such as [db] (a.ini:1)",
            "not valid INI: expected [section], key = value or a comment (a.ini:3)"
        ]
    );
    let options = errors_of(&file("a.ini", "[db]\nconnection_options = {\"maxPoolSize\": 5,}\n"));
    let expected = "db.connection_options: must be a table, in text a JSON object such as {\"name\": \"value\"} (a.ini:2)";
    assert_eq!(options, [expected]);
}

#[test]
fn rules_over_several_keys_name_both() {
    let errors = errors_in(
        "[worker]\ndrain_timeout = \"10s\"\n[retry]\ninitial = \"5s\"\nmax = \"1s\"\n[in_flight]\nbytes_max = \"32MiB\"\n\
         [message.types]\n\"a.b\" = \"orders\"\n[dead_letters]\ncollection = \"events\"\n",
    );
    assert_eq!(
        errors,
        [
            "queue.wait = \"20s\": must be at most 5s, which is worker.drain_timeout = \"10s\" (a.toml:2) less 5s: a receive in progress is \
             not cancelled at shutdown (default)",
            "retry.initial = \"5s\": must be at most retry.max = \"1s\" (a.toml:5) (a.toml:4)",
            "in_flight.bytes_max = \"32MiB\": must be at least 39040KiB to hold one message, for message.decompressed_bytes_max = \"16MiB\" \
             (default): raise this or lower that (a.toml:7)",
            "message.types.\"a.b\" = \"orders\": must be one of the routes [\"cache\", \"event\", \"session\"] (a.toml:9)",
            "dead_letters.collection = \"events\": must not be the collection of routes.event: dead letters have one of their own (a.toml:11)",
        ]
    );
}

#[test]
fn a_rule_says_nothing_where_one_of_its_values_is_a_stand_in() {
    let errors = errors_in("[worker]\ndrain_timeout = \"6s\"\n[queue]\nwait = \"1ms\"\n");
    assert_eq!(errors.len(), 1, "{errors:?}");
}

#[test]
fn routes_of_one_collection_must_agree() {
    let errors = errors_in(
        "[routes.login]\ncollection = \"sessions\"\nwrite = \"insert\"\n\
         [routes.plan]\ncollection = \"user_cache\"\nwrite = \"replace\"\nkey = \"account\"\nversion_field = \"updated\"\nwrite_concern.w = 1\n\
         [routes.zone]\ncollection = \"sessions\"\nwrite = \"set\"\nkey = \"session_id\"\nversion_field = \"last_accessed\"\nfields = [\"zone\"]\n",
    );
    assert_eq!(
        errors,
        [
            "routes.login.collection = \"sessions\": this route has write = \"insert\", routes.session writes there with write = \"set\": \
             routes of one collection agree (a.toml:2)",
            "routes.zone.collection = \"sessions\": this route has write = \"set\", routes.login writes there with write = \"insert\": \
             routes of one collection agree (a.toml:11)",
            "routes.plan.collection = \"user_cache\": this route has key = \"account\", routes.cache writes there with key = \"user_id\": \
             routes of one collection agree (a.toml:5)",
            "routes.plan.collection = \"user_cache\": this route has write_concern = { w = 1, journal = true, timeout = \"10s\" }, \
             routes.cache writes there with write_concern = { w = \"majority\", journal = true, timeout = \"10s\" }: routes of one \
             collection agree (a.toml:5)",
        ]
    );
    let errors = errors_in(
        "[routes.zone]\ncollection = \"sessions\"\nwrite = \"set\"\nkey = \"session_id\"\nversion_field = \"last_accessed\"\nfields = [\"zone\"]\n",
    );
    assert_eq!(
        errors,
        [
            "routes.zone.collection = \"sessions\": this route has fields = [\"last_accessed\", \"zone\"], routes.session writes there with \
          fields = [\"data\", \"last_accessed\"]: routes of one collection agree (a.toml:2)"
        ]
    );
}

#[test]
fn a_route_that_cannot_be_is_refused_with_its_reason() {
    let route = |text: &str| errors_in(&format!("[routes.order]\ncollection = \"orders\"\n{text}"));
    let field = "a top-level field's name: 1 to 255 bytes, without $, dots or control characters, not type, id or _ingest, and _id only as \
                 the key";
    assert_eq!(
        route("write = \"set\"\nkey = \"id\"\nfields = [\"a.b\"]\n"),
        [
            format!("routes.order.key = \"id\": must be {field} (a.toml:4)"),
            "routes.order.version_field: is missing: the route needs it (a.toml:2)".to_owned(),
            format!(
                "routes.order.fields = [\"a.b\"]: must be a list of at most 256, each another and each {field} (a.toml:5)"
            ),
        ]
    );
    assert_eq!(
        route("write = \"insert\"\nkey = \"a\"\nttl = \"1d\"\nrequired = [\"_id\"]\n"),
        [
            "routes.order.key: has a meaning only where write = \"set\" or \"replace\", not \"insert\" (a.toml:4)",
            "routes.order.required = [\"_id\"]: must not hold _id, which is not the key here (a.toml:6)",
            "routes.order.ttl = \"1d\": needs ttl_field or default_time: the time that it is counted from (a.toml:5)",
        ]
    );
    assert_eq!(
        route("write = \"replace\"\nkey = \"a\"\nversion_field = \"v\"\nvolatile = [\"b\"]\n"),
        [
            "routes.order.volatile: has a meaning only where write = \"insert\", not \"replace\" (a.toml:6)"
        ]
    );
    assert_eq!(
        route(
            "write = \"replace\"\nkey = \"a\"\nversion_field = \"a\"\npartial = true\nttl = \"1500ms\"\n"
        ),
        [
            "routes.order.partial: has a meaning only where write = \"set\", not \"replace\" (a.toml:6)",
            "routes.order.version_field = \"a\": must be another field than the key of routes.order (a.toml:5)",
            "routes.order.ttl = \"1500ms\": must be a time from 1s to 2147483647s, in whole seconds, written as 250ms, 30s, 5m, 11h or 30d \
             (a.toml:7)",
        ]
    );
    assert_eq!(
        route(
            "write = \"replace\"\nkey = \"a\"\nversion_field = \"v\"\nindexes = [{ keys = [\"a\"] }, { keys = [\"b\"], expire_after = \"1d\" }]\n"
        ),
        [
            "routes.order.indexes = [{ keys = [\"a\"] }, { keys = [\"b\"], expire_after = \"1d\" }]: expire_after needs a time: \"b\" is none \
             of [\"v\"] (a.toml:6)",
            "routes.order.indexes = [{ keys = [\"a\"] }, { keys = [\"b\"], expire_after = \"1d\" }]: the index [\"a\"] is declared a second \
             time with another unique or expire_after: the key of a keyed route has a unique one, ttl makes one, or another route of the \
             collection declares it (a.toml:6)",
        ]
    );
    assert_eq!(
        errors_in(
            "[routes.order]\nwrite = \"insert\"\ncollection = \"system.users\"\nindexes = [{ keys = [\"$a\"] }]\n"
        ),
        [
            "routes.order.collection = \"system.users\": must be a collection's name: 1 to 120 bytes, without $ or control characters, not \
             starting with \"system.\" (a.toml:3)",
            "routes.order.indexes = [{\"keys\":[\"$a\"]}]: must be a list of at most 63 tables with keys = [\"field\", \"-field\"] (other than \
             _id), and where wanted unique = true or expire_after = \"30d\" (1s to 2147483647s, one key only) (a.toml:4)",
        ]
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

#[test]
fn a_slip_of_the_pen_does_not_silence_the_log() {
    for level in ["warning", "chatty", "longshore=debug,chatty", "longshore::queue"] {
        let error = with_flags(&[("log.level", level)]).expect_err(level).to_string();
        assert!(error.contains("must be off, error, warn, info, debug or trace, or a filter such as longshore=debug,warn"), "{error}");
    }
    for level in ["INFO", "warn", "longshore=debug,warn", "info,aws_config=debug", "off"] {
        assert!(with_flags(&[("log.level", level)]).is_ok(), "{level}");
    }
}

#[test]
fn two_variables_for_one_key_are_refused() {
    let error =
        with_variables(&[("LONGSHORE__QUEUE__WAIT", "1s"), ("longshore__queue__wait", "2s")])
            .expect_err("twice")
            .to_string();
    let expected = "queue.wait: is set by LONGSHORE__QUEUE__WAIT too: keep one, since their order is not known (longshore__queue__wait)";
    assert_eq!(error, expected);
    let error = with_flags(&[("a..b", "1")]).expect_err("no key").to_string();
    assert_eq!(
        error,
        "must be section.key=value, with a part that holds dots in double quotes (--set)"
    );
    let error = with_variables(&[("MONGO_CACHE_URI", "")]).expect_err("empty").to_string();
    let expected = "db.mongo_uri: must be a connection string such as mongodb://host/database, or not be there (MONGO_CACHE_URI)";
    assert_eq!(error, expected);
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
        .take(4)
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(words[0], "# queue.url is unset # default");
    assert_eq!(words[3], "queue.wait = \"20s\" # default");
}

/// Every way in, with a password in a good place and in wrong ones.
#[test]
fn a_planted_password_is_never_shown() {
    const PASSWORD: &str = "hunter22";
    let uri = format!(
        "mongodb://portal:{PASSWORD}@h/portal?authMechanismProperties=AWS_SESSION_TOKEN:{PASSWORD}"
    );
    let options = format!(
        r#"{{"authMechanismProperties": "TOKEN:{PASSWORD}", "tlsCertificateKeyFile": "{PASSWORD}"}}"#
    );
    let broken_options = format!(r#"{{"password": "{PASSWORD}""#);
    let shown = |result: Result<Loaded, ConfigErrors>| match result {
        Ok(loaded) => format!("{}{loaded:?}", print::text(&loaded)),
        Err(errors) => format!("{errors}{errors:?}"),
    };
    let keys = [
        "db.mongo_uri",
        "db.mongo_url",
        "queue.url",
        "queue.wait",
        "log.level",
        "db",
        "routes",
        "routes.event.required",
        "routes.event.collection",
    ];
    let mut all = Vec::new();
    for key in keys {
        all.push(shown(with_flags(&[(key, &uri)])));
        all.push(shown(with_variables(&[(
            &format!("LONGSHORE__{}", key.replace('.', "__")),
            &uri,
        )])));
        all.push(shown(load(file("a.toml", &format!("{key} = [\"{uri}\"]\n")).sources)));
    }
    for text in [&options, &broken_options, &uri] {
        all.push(shown(with_flags(&[("db.connection_options", text)])));
        all.push(shown(with_flags(&[("db.mongo_uri", text)])));
        all.push(shown(load(
            file("a.ini", &format!("[db]\nconnection_options = {text}\n")).sources,
        )));
    }
    all.push(shown(with_variables(&[("MONGO_CACHE_URI", &uri)])));
    all.push(shown(with_flags(&[(&uri, "x")])));
    all.push(shown(with_flags(&[
        ("db.connection_options.password", PASSWORD),
        ("db.connection_options.w", "0"),
    ])));
    all.push(shown(load(file("b.toml", &format!("[db]\nmongo_uri = '{uri}\n")).sources)));
    all.push(shown(load(file("c.toml", &format!("[db]\nmongo_uri = {uri}\n")).sources)));
    all.push(shown(load(file("d.toml", &format!("[db]\n\"{uri}\" = 1\n\"{uri}\" = 2\n")).sources)));
    all.push(shown(load(file("e.ini", &format!("[db]\n{uri}\n")).sources)));
    for text in all {
        assert!(!text.contains(PASSWORD), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_in_a_variable_or_flag_panics(
        key in "(queue|db|routes|message|batch)(\\.[a-z_\"]{0,8}){0,3}",
        value in "[\\PC\\[\\]{}\":,0-9]{0,24}",
    ) {
        let variable = format!("LONGSHORE__{}", key.replace('.', "__"));
        let _ = with_flags(&[(&key, &value)]);
        let _ = with_variables(&[(&variable, &value)]);
    }

    #[test]
    fn no_value_of_a_known_key_panics(index in 0_usize..60, value in "[\\PC\\[\\]{}\":,0-9a-z]{0,24}") {
        let known = load(Sources::default()).expect("valid").effective;
        let key = &known[index % known.len()].key;
        let _ = with_flags(&[(key, &value)]);
    }
}
