//! What routes and message types come to, and what is wrong with them.

use std::collections::BTreeMap;

use super::{Loaded, Sources, errors_in, file, load};
use crate::decode::Envelopes;
use crate::time::Unit;

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
    let field =
        "a top-level field's name: 1 to 255 bytes, without $, dots or control characters, not";
    let key = format!("{field} type or _ingest");
    let field = format!("{field} _ingest, and _id only as the key");
    assert_eq!(
        route("write = \"set\"\nkey = \"type\"\nfields = [\"a.b\"]\n"),
        [
            format!("routes.order.key = \"type\": must be {key} (a.toml:4)"),
            "routes.order.version_field: is missing: give the time field by which one message is newer than another (a.toml:2)".to_owned(),
            format!(
                "routes.order.fields = [\"a.b\"]: must be a list of at most 256 different items, each {field} (a.toml:5)"
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
fn a_route_may_declare_the_unit_of_a_time_in_every_layer() {
    let units = |loaded: &Loaded| {
        let route = &loaded.config.routes["event"];
        (route.times.clone(), route.units.clone())
    };
    let born = BTreeMap::from([("born".to_owned(), Unit::Millis)]);
    let listed = vec!["seen".to_owned(), "born".to_owned(), "timestamp".to_owned()];
    for text in [
        "[routes.event]\ntimes = [\"seen\", { born = \"ms\" }]\n",
        "[routes.event]\ntimes = ['seen', { 'born' = 'ms' }]\n",
    ] {
        let loaded = load(file("a.toml", text).sources).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(units(&loaded), (listed.clone(), born.clone()), "{text}");
        let shown = loaded.effective.iter().find(|setting| setting.key == "routes.event.times");
        assert_eq!(
            shown.map(|setting| setting.value.as_str()),
            Some(r#"["seen", { "born" = "ms" }, "timestamp"]"#)
        );
    }
    // A table of units adds to the list that is there.
    let added = vec!["timestamp".to_owned(), "born".to_owned()];
    let table =
        load(file("a.toml", "[routes.event.times]\nborn = \"ms\"\n").sources).expect("valid");
    assert_eq!(units(&table), (added.clone(), born.clone()));
    for (value, wanted) in [(r#"["seen", {"born": "ms"}]"#, &listed), (r#"{"born": "ms"}"#, &added)]
    {
        let environment = vec![("LONGSHORE__ROUTES__EVENT__TIMES".to_owned(), value.to_owned())];
        let loaded = load(Sources { environment, ..Sources::default() }).expect("valid");
        assert_eq!(units(&loaded), (wanted.clone(), born.clone()), "{value}");
    }
    for (text, wanted) in [
        ("times = [{ born = \"us\" }]\n", "must be a list of at most 256"),
        ("times = { born = \"us\" }\n", "must be one of \"s\", \"ms\""),
        ("times = { \"a.b\" = \"ms\" }\n", "must be a top-level field's name"),
        ("times = [{ id = \"ms\" }]\n", "must not hold type or id"),
        ("times = [\"a\", { a = \"ms\" }]\n", "different items"),
        ("required = [\"type\"]\n", "must not hold type"),
    ] {
        let errors = errors_in(&format!("[routes.event]\n{text}"));
        assert!(errors.len() == 1 && errors[0].contains(wanted), "{text}: {errors:?}");
    }
    let off = "[routes.event]\nenabled = false\ntimes = { born = \"ms\" }\n";
    assert!(load(file("a.toml", off).sources).is_ok());
}

#[test]
fn the_envelopes_that_are_opened_are_a_list() {
    let opened = |text: &str| {
        load(file("a.toml", &format!("[message]\n{text}\n")).sources)
            .map(|loaded| loaded.config.message.envelopes)
            .map_err(|errors| errors.to_string())
    };
    let none = Envelopes { sns: false, eventbridge: false, cloudevents: false };
    assert_eq!(opened(""), Ok(Envelopes::ALL));
    assert_eq!(opened("envelopes = []"), Ok(none));
    assert_eq!(opened("envelopes = [\"sns\"]"), Ok(Envelopes { sns: true, ..none }));
    assert!(opened("envelopes = [\"sqs\"]").is_err_and(|text| text.contains("\"eventbridge\"")));
}

#[test]
fn the_names_of_the_routes_are_known_where_types_are_read() {
    let text = "[routes.cache]\nenabled = false\n[routes.order]\ncollection = \"orders\"\nwrite = \"insert\"\n";
    let loaded = load(file("a.toml", text).sources).expect("valid");
    let names: Vec<_> = loaded.config.message.routes.iter().map(|name| &**name).collect();
    assert_eq!(names, ["event", "order", "session"]);
}

#[test]
fn the_senders_of_a_route_are_ids_without_a_session() {
    let senders = |text: &str| {
        load(file("a.toml", &format!("[routes.event]\nsenders = {text}\n")).sources)
            .map(|loaded| loaded.config.routes["event"].senders.clone())
            .map_err(|errors| errors.to_string())
    };
    assert_eq!(senders("[\"AROAEXAMPLE\"]"), Ok(vec!["AROAEXAMPLE".to_owned()]));
    assert_eq!(senders("[]"), Ok(Vec::new()));
    // An account's, and those of other servers.
    for other in ["123456789012", "127.0.0.1", "portal-worker_7"] {
        assert_eq!(senders(&format!("[\"{other}\"]")), Ok(vec![other.to_owned()]));
    }
    for bad in [
        "[\"AROAEXAMPLE:pod-7\"]",
        "[\"\"]",
        "[\"arn:aws:iam::1:role/a\"]",
        "[\"two words\"]",
        "[\"u@h\"]",
    ] {
        assert!(senders(bad).is_err_and(|text| text.contains("before the colon")), "{bad}");
    }
}

#[test]
fn a_route_that_lacks_something_is_told_of_all_else_that_is_wrong_with_it() {
    let errors = errors_in(
        "[routes.a]\nwrite = \"set\"\nkey = \"k\"\nrequired = [\"_id\"]\nindexes = [{keys = [\"x\"], expire_after = \"5m\"}]\n\
         [routes.b]\ncollection = \"b\"\nttl = \"nonsense\"\nwrite_concern.w = 0\nrequired = 5\n\
         [routes.c]\ncollection = \"c\"\nwrite = \"replace\"\nkey = 5\nversion_field = \"v\"\nttl = \"1d\"\n\
         indexes = [{keys = [\"x\"], expire_after = \"5m\"}]\n",
    );
    let has = |text: &str| errors.iter().any(|error| error.starts_with(text));
    for expected in [
        "routes.a.collection: is missing",
        "routes.a.version_field: is missing",
        "routes.a.required = [\"_id\"]: must not hold _id",
        "routes.a.indexes = [{ keys = [\"x\"], expire_after = \"5m\" }]: expire_after needs a time: \"x\" is none of [], and version_field, \
         which is one too, is not known yet",
        "routes.b.write: is missing",
        "routes.b.ttl = \"nonsense\": must be",
        "routes.b.write_concern.w = 0: must be",
        "routes.b.required = 5: must be",
        "routes.c.key = 5: must be",
        "routes.c.indexes = [{ keys = [\"x\"], expire_after = \"5m\" }]: expire_after needs a time: \"x\" is none of [\"v\"]",
    ] {
        assert!(has(expected), "{expected}: {errors:#?}");
    }
    assert_eq!(errors.len(), 10, "{errors:#?}");
}

#[test]
fn a_setting_of_a_route_that_nobody_declared_is_refused() {
    let meant = "no route of this name is declared (one of its own needs collection and write), did you mean";
    for (text, expected) in [
        ("[routes.sesion]\nenabled = false\n", vec![format!("routes.sesion: {meant} routes.session? (a.toml:2)")]),
        ("[routes.Cache]\nttl = \"1d\"\n", vec![format!("routes.Cache: {meant} routes.cache? (a.toml:2)")]),
        (
            "[routes.order]\nenabled = false\nttl = \"1d\"\n",
            vec!["routes.order: no route of this name is declared (one of its own needs collection and write): remove it (a.toml:2)".to_owned()],
        ),
    ] {
        assert_eq!(errors_in(text), expected, "{text}");
    }
    // Whoever declares a route whole may switch it off, and name it as he likes.
    let whole = "collection = \"a\"\nwrite = \"insert\"\n";
    for text in [
        format!("[routes.order]\nenabled = false\n{whole}"),
        format!("[routes.events]\n{whole}"),
        format!("[routes.sesion]\nenabled = false\n{whole}"),
        "[routes.session]\nenabled = false\n".to_owned(),
    ] {
        let loaded = load(file("a.toml", &text).sources);
        assert!(loaded.is_ok(), "{text}: {:?}", loaded.err());
    }
}

#[test]
fn the_section_that_was_meant_is_named() {
    let errors = errors_in("[route.order]\ncollection = \"orders\"\n");
    assert_eq!(
        errors,
        ["route.order.collection: unknown key, did you mean routes.order.collection? (a.toml:2)"]
    );
}
