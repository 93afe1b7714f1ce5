//! What is wrong with routes.

use super::errors_in;

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
