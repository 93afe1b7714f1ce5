//! What is wrong with keys, values and files, and how it is said.

use super::{Given, Sources, errors_in, errors_of, file, load, pairs, with_flags, with_variables};

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
            "db.write_concern.w = 0: must be \"majority\", a number from 1 to 50 or the name of a tag set (inf and nan are numbers); 0 asks for no acknowledgement, \
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
fn a_number_that_is_none_is_no_tag_set_of_a_write_concern() {
    let errors = errors_in("[db]\nwrite_concern.w = inf\n[routes.event]\nwrite_concern.w = nan\n");
    let said = [
        "db.write_concern.w = \"inf\": must be",
        "routes.event.write_concern.w = \"nan\": must be",
    ];
    assert_eq!(errors.len(), said.len(), "{errors:?}");
    for (error, said) in errors.iter().zip(said) {
        assert!(error.starts_with(said) && error.contains("(inf and nan are numbers)"), "{error}");
    }
}

#[test]
fn an_unknown_key_names_the_nearest_known_one() {
    let errors = errors_in(
        "queue = 5\ncolour = \"red\"\n[indexs]\n[routes.order]\ncolection = \"a\"\n[db.connection_options]\nmaxPoolSzie = 5\n",
    );
    assert_eq!(
        errors,
        [
            "routes.order.collection: is missing: give the collection to write to (a.toml:5)",
            "routes.order.write: is missing: give one of \"insert\", \"set\", \"replace\"; set and replace need key and version_field as well (a.toml:5)",
            "colour: unknown key, config/longshore.toml has all of them (a.toml:2)",
            "db.connection_options.maxPoolSzie: maxPoolSzie is not an option here, did you mean maxPoolSize? (a.toml:7)",
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
         [message]\ndecompressed_bytes_max = \"16MiB\"\ndocument_bytes_max = \"16MiB\"\n\
         [message.types]\n\"a.b\" = \"orders\"\n[dead_letters]\ncollection = \"events\"\n",
    );
    assert_eq!(
        errors,
        [
            "queue.wait = \"20s\": must be at most 5s, which is worker.drain_timeout = \"10s\" (a.toml:2) less 5s: a receive in progress is \
             not cancelled at shutdown (default)",
            "retry.initial = \"5s\": must be at most retry.max = \"1s\" (a.toml:5) (a.toml:4)",
            "in_flight.bytes_max = \"32MiB\": must be at least 39040KiB to hold one message, for message.decompressed_bytes_max = \"16MiB\" \
             (a.toml:9) and message.document_bytes_max = \"16MiB\" (a.toml:10): raise this or lower those (a.toml:7)",
            "message.types.\"a.b\" = \"orders\": must be one of the routes [\"cache\", \"event\", \"session\"] (a.toml:12)",
            "dead_letters.collection = \"events\": must not be the collection of routes.event: dead letters have one of their own (a.toml:14)",
        ]
    );
}

#[test]
fn fields_that_name_a_user_are_fields_that_a_message_can_have() {
    let many: Vec<_> = (0..17).map(|number| format!("\"f{number}\"")).collect();
    for fields in ["\"type\"", "\"_ingest\"", "\"a.b\"", "\"a\", \"a\"", &many.join(",")] {
        let errors = errors_in(&format!("[dead_letters]\nuser_fields = [{fields}]\n"));
        let [error] = &errors[..] else { panic!("{fields}: {errors:?}") };
        assert!(error.contains("must be a list of at most 16 different items"), "{error}");
    }
    let flags = vec![("dead_letters.user_fields".to_owned(), "[]".to_owned())];
    let loaded = load(Sources { flags, ..Sources::default() }).expect("valid");
    assert_eq!(loaded.config.dead_letters.user_fields, Vec::<String>::new());
}

#[test]
fn a_rule_says_nothing_where_one_of_its_values_is_a_stand_in() {
    let errors = errors_in("[worker]\ndrain_timeout = \"6s\"\n[queue]\nwait = \"1ms\"\n");
    assert_eq!(errors.len(), 1, "{errors:?}");
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
fn an_address_that_cannot_be_a_queues_says_how_one_looks() {
    let queue = "must be the URL of a queue as SQS gives it, such as https://sqs.eu-west-1.amazonaws.com/123456789012/portal, without quotes \
                 and without a login";
    for url in [
        "https://user:hunter22@sqs.eu-west-1.amazonaws.com/1/q",
        "\\\"https://sqs.eu-west-1.amazonaws.com/1/q\\\"",
        "https://sqs.eu-west-1.amazonaws.com",
        "https://sqs.eu-west-1.amazonaws.com/",
        "arn:aws:sqs:eu-west-1:1:q",
    ] {
        let errors = errors_in(&format!("[queue]\nurl = \"{url}\"\n"));
        assert!(errors.len() == 1 && errors[0].contains(queue), "{url}: {errors:?}");
        assert!(!errors[0].contains("hunter22"), "{errors:?}");
    }
    let errors = errors_in("[queue]\nendpoint_url = \"https://u:p@h\"\n");
    assert!(errors[0].contains("without quotes and without a login"), "{errors:?}");
}

#[test]
fn a_slip_in_a_key_of_a_portals_file_is_told() {
    let given = file(
        "appconfig.ini",
        "[queue]\nwiat = 5s\n[app]\nname = x\n[db]\nmongo_url = x\nmigrate = 1\n",
    );
    let errors = load(given.sources.clone()).expect_err("slips").to_string();
    let lines: Vec<_> =
        errors.lines().map(|line| line.split(" (").next().unwrap_or_default()).collect();
    assert_eq!(
        lines,
        [
            "db.mongo_url: unknown key, did you mean db.mongo_uri?",
            "queue.wiat: unknown key, did you mean queue.wait?"
        ]
    );
}
