//! Which layer a value comes from: the file, a portal's file, a variable or a flag.

use std::time::Duration;

use super::{
    Acknowledgement, Index, PORTAL, Source, Sources, file, load, pairs, setting, with_flags,
    with_variables,
};

#[test]
fn a_portals_file_is_read_and_what_is_the_portals_own_is_passed_over() {
    let given = file("appconfig.ini", PORTAL);
    let loaded = load(given.sources).expect("a portal's file loads");
    let uri = loaded.config.db.mongo_uri.as_ref().map(|uri| uri.expose().to_owned());
    assert_eq!(
        uri.as_deref(),
        Some(
            "mongodb://portal:p%40ssword@db1.example.net,db2.example.net/portal?replicaSet=rs0&tls=true"
        )
    );
    assert_eq!(
        setting(&loaded, "db.mongo_uri").value,
        r#""mongodb://***@db1.example.net,db2.example.net/portal?replicaSet=rs0&tls=true""#
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
fn a_variable_sets_its_key_however_a_file_writes_the_sections_name() {
    let given = file("a.toml", "[Queue]\nWait = \"5s\"\n");
    let mut sources = given.sources.clone();
    sources.environment = pairs(&[
        ("LONGSHORE__QUEUE__URL", "https://sqs.eu-west-1.amazonaws.com/1/a"),
        ("LONGSHORE__QUEUE__WAIT", "1s"),
    ]);
    let errors = load(sources).expect_err("an unknown section").to_string();
    assert!(errors.starts_with("Queue.Wait: unknown key, did you mean queue.wait? ("), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
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
    let expected = "db.mongo_uri: must be a connection string such as mongodb://host/database, or be left out (MONGO_CACHE_URI)";
    assert_eq!(error, expected);
}
