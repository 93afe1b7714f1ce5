//! `longshore try`: one message, and no server.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use longshore::cli::output;
use longshore::cli::try_one::told;
use longshore::config::load::{Sources, load};
use longshore::message::{Attribute, QueueMessage, Reason};

use super::*;

/// Runs the program with nothing but these arguments.
async fn run_with(arguments: &[&str], input: &str) -> Ran {
    let child = Command::new(env!("CARGO_BIN_EXE_longshore"))
        .arg("try")
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program");
    Surroundings::ended(child, input).await
}

async fn run(arguments: &[&str]) -> Ran {
    run_with(arguments, "").await
}

/// The one line that it printed, and its exit status.
async fn line(arguments: &[&str]) -> (Value, i32) {
    let ran = run(arguments).await;
    assert_eq!(ran.stderr, "", "{}", ran.stdout);
    let mut lines = ran.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    (lines.remove(0), ran.status)
}

const EVENT: &str = r#"{"type":"event","z":1,"user_id":5,"event_type":"login","a":1.5}"#;
const SESSION: &str =
    r#"{"type":"session","session_id":"s","last_accessed":"2026-11-22T10:00:00Z","data":{"b":1}}"#;

#[tokio::test]
async fn a_good_message_is_told_with_route_document_and_command() {
    let (told, status) = line(&["--body", EVENT, "--sent", "2026-11-22T10:00:00Z"]).await;
    assert_eq!((status, &told["outcome"]), (0, &json!("write")), "{told}");
    assert_eq!((&told["route"], &told["collection"]), (&json!("event"), &json!("events")));
    assert_eq!(told["document"]["user_id"], json!({"$numberInt": "5"}));
    let command = &told["command"];
    assert_eq!((&command["insert"], &command["ordered"]), (&json!("events"), &json!(false)));
    assert_eq!(command["documents"], json!([told["document"]]));
    assert_eq!(command["writeConcern"]["w"], json!("majority"));

    let (told, status) = line(&["--body", SESSION, "--sent", "1795341600"]).await;
    assert_eq!((status, &told["key"]), (0, &json!("\"s\"")), "{told}");
    let update = &told["command"]["updates"][0];
    assert_eq!(update["q"]["session_id"]["$eq"], json!("s"), "{update}");
    assert!(update["u"].is_array() && update["upsert"] == json!(true), "{update}");
    let date = json!({"$date": {"$numberLong": "1795341600000"}});
    assert_eq!(told["document"]["last_accessed"], date);
}

#[tokio::test]
async fn the_order_of_fields_is_kept() {
    let ran = run(&["--body", EVENT]).await;
    let places =
        [r#""document":{"_id""#, r#""z":"#, r#""user_id":"#, r#""event_type":"#, r#""a":"#];
    let places: Vec<usize> = places
        .iter()
        .map(|part| ran.stdout.find(part).unwrap_or_else(|| panic!("{part}: {}", ran.stdout)))
        .collect();
    assert!(places.is_sorted(), "{}", ran.stdout);
}

#[tokio::test]
async fn a_message_comes_from_a_file_from_standard_input_or_from_the_command_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("message.json");
    fs::write(&file, format!("{EVENT}\n")).expect("written");
    let from_file = run(&[file.to_str().expect("UTF-8"), "--sent", "1795341600"]).await;
    let from_input = run_with(&["--sent", "1795341600"], EVENT).await;
    let from_dash = run_with(&["-", "--sent", "1795341600"], EVENT).await;
    let given = run(&["--body", EVENT, "--sent", "1795341600"]).await;
    for ran in [&from_file, &from_input, &from_dash] {
        assert_eq!((ran.status, &ran.stdout), (0, &given.stdout), "{}", ran.stderr);
    }
    fs::write(&file, b"{\"a\": \"\xff\"}").expect("written");
    let odd = run(&[file.to_str().expect("UTF-8")]).await;
    assert_eq!(odd.status, 2);
    assert!(odd.stderr.contains("is not UTF-8 from byte 7 on"), "{}", odd.stderr);
    assert_eq!(run(&["/no/such/file"]).await.status, 2);
    assert_eq!(run_with(&[], &"x".repeat((1 << 20) + 1)).await.status, 2);
}

#[tokio::test]
async fn attributes_count_as_those_of_a_message() {
    let body = r#"{"user_id":5,"event_type":"login"}"#;
    assert_eq!(line(&["--body", body]).await.0["reason"], "missing_type");
    assert_eq!(line(&["--body", body, "--attribute", "type=event"]).await.1, 0);
    let both = ["--body", EVENT, "--attribute", "type=cache"];
    let (told, status) = line(&both).await;
    assert_eq!((status, &told["types_disagree"]), (0, &json!(["event", "cache"])), "{told}");
    assert_eq!(run(&["--body", body, "--attribute", "type"]).await.status, 2);
    let twice = ["--body", body, "--attribute", "a=1", "--attribute", "a=2"];
    assert!(run(&twice).await.stderr.contains("given twice"));
}

#[tokio::test]
async fn the_sender_counts_where_a_route_lists_its_senders() {
    let cache = r#"{"type":"cache","user_id":5,"data":{}}"#;
    let listed = ["--set", r#"routes.cache.senders=["AROAPORTAL"]"#, "--body", cache];
    let (told, status) = line(&listed).await;
    assert_eq!(
        (status, &told["reason"], &told["place"]),
        (1, &json!("sender_denied"), &Value::Null)
    );
    let by = [&listed[..], &["--sender", "AROAPORTAL:pod-1"]].concat();
    assert_eq!(line(&by).await.1, 0);
}

#[tokio::test]
async fn a_message_older_than_its_ttl_would_be_deleted_unwritten() {
    let old =
        ["--set", "routes.session.ttl=1d", "--body", SESSION, "--sent", "2026-11-24T10:00:00Z"];
    let (told, status) = line(&old).await;
    assert_eq!((status, &told["outcome"]), (0, &json!("expired")), "{told}");
    assert!(told.get("command").is_none(), "{told}");
}

#[tokio::test]
async fn a_rejected_message_is_told_with_its_place() {
    let body = "{\"type\":\"cache\",\n \"user_id\": 5.0, \"data\": {}}";
    let (told, status) = line(&["--body", body]).await;
    assert_eq!((status, &told["outcome"]), (1, &json!("dead_letter")));
    assert_eq!((&told["reason"], &told["route"]), (&json!("bad_key"), &json!("cache")));
    assert_eq!(told["fix"], Reason::BadKey.fix());
    let place = json!({"path": ["user_id"], "inside": [], "of": "body", "line": 2, "column": 13, "bytes": [29, 32]});
    assert_eq!(told["place"], place, "{told}");
    let large = format!(
        r#"{{"type":"event","user_id":5,"event_type":"login","data":"{}"}}"#,
        "x".repeat(2_000)
    );
    let (told, status) =
        line(&["--set", "message.document_bytes_max=1KiB", "--body", &large]).await;
    assert_eq!((status, &told["reason"]), (1, &json!("too_large")), "{told}");
}

/// What is told to people of a body with these attributes, and the text that is marked in it.
fn people(body: &str, attributes: &[(&str, &str)]) -> String {
    let mut message = QueueMessage {
        body: body.to_owned(),
        sent_ms: 1_795_341_600_000,
        ..QueueMessage::default()
    };
    let attribute =
        |(name, text): &(&str, &str)| ((*name).to_owned(), Attribute::Text((*text).to_owned()));
    message.attributes = attributes.iter().map(attribute).collect();
    of(&message)
}

fn of(message: &QueueMessage) -> String {
    let config = load(Sources::default()).expect("the defaults").config;
    told(&config, message, output::Output::People).expect("told").text
}

/// What stands above the carets of what is told.
fn marked(told: &str) -> String {
    let lines: Vec<&str> = told.lines().collect();
    let at = lines
        .iter()
        .position(|line| line.contains('^'))
        .unwrap_or_else(|| panic!("no mark: {told}"));
    let chars = |line: &str| line.chars().collect::<Vec<_>>();
    let (source, carets) = (chars(lines[at - 1]), chars(lines[at]));
    source
        .into_iter()
        .zip(carets)
        .filter(|(_, caret)| *caret == '^')
        .map(|(char, _)| char)
        .collect()
}

#[test]
fn the_mark_is_where_the_body_is_wrong() {
    for (body, wanted) in [
        ("{'type': 'event'}", "'"),
        (r#"{"type":"event","user_id":NaN}"#, "NaN"),
        (r#"{"type":"event","user_id":5,"event_type":"lo"#, r#""event_type":"lo"#),
        (r#"{"type":"cache","user_id":5,"data":{"a":1,"b":2,"a":3}}"#, r#""a""#),
        (r#"{"type":"cache","user_id":5,"data":{"$where":1}}"#, r#""$where""#),
        (
            r#"{"type":"cache","user_id":5,"data":[0,{"t":{"$date":"soon"}}]}"#,
            r#"{"$date":"soon"}"#,
        ),
        (r#"{"type":"event","user_id":12345678901234567890}"#, "12345678901234567890"),
        (r#"{"type":"event","user_id":5}"#, r#"{"type":"event","user_id":5}"#),
        (r#"{"type":"event","user_id":null,"event_type":"a"}"#, "null"),
        (r#"{"type":"evnet","user_id":5}"#, r#""evnet""#),
        (r#"{"type":"session","session_id":"s","data":{},"device":"tv"}"#, r#""device""#),
        (r#"{"type":"session","session_id":"s","data":{},"last_accessed":"now"}"#, r#""now""#),
        (r#"{"type":"event","user_id":5,"event_type":"a","_ingest":1}"#, r#""_ingest""#),
        (r#"{"specversion":"1.0","type":"event","source":"","id":"1","data":{}}"#, r#""""#),
        ("[1]", "[1]"),
        ("<xml/>", "<"),
        (r#"{"type":"event","user_id":tru}"#, "tru"),
        (r#"{"type":"event","user_id":0x1F}"#, "0x1F"),
        (r#"{"type":"event","user_id":1.}"#, "1."),
        (r#"{"type":"event","user_id":"a\qb"}"#, r"\q"),
        (r#"{"type":"event","user_id":"a\ud800"}"#, r"\ud800"),
        (r#"{"type":"event","user_id":5,}"#, ","),
    ] {
        assert_eq!(marked(&people(body, &[])), wanted, "{body}");
    }
}

#[tokio::test]
async fn what_sqs_never_delivers_is_no_message() {
    for ran in [run(&[]).await, run(&["--body", ""]).await] {
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
        assert!(ran.stderr.contains("SQS takes no empty body"), "{}", ran.stderr);
    }
    let odd = run(&["--body", "{\"a\": \"\u{1}\"}"]).await;
    assert!(odd.status == 2 && odd.stderr.contains("U+0001 at line 1 column 8"), "{}", odd.stderr);
    let early = run(&["--body", EVENT, "--sent", "-5"]).await;
    assert!(!early.stderr.contains("unexpected argument"), "{}", early.stderr);
}

#[tokio::test]
async fn a_line_of_json_has_nothing_that_a_terminal_obeys() {
    let name = "$\u{9b}\u{7f}\u{202e}";
    let body = format!(r#"{{"type":"cache","user_id":5,"data":{{"{name}":1}}}}"#);
    let ran = run(&["--json", "--body", &body]).await;
    assert!(!ran.stdout.trim_end().contains(output::is_obeyed), "{:?}", ran.stdout);
    assert_eq!(ran.lines()[0]["place"]["path"], json!(["data", name]));
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_a_reader_that_has_gone_is_none() {
    let ended = |output: Stdio| {
        Command::new(env!("CARGO_BIN_EXE_longshore"))
            .args(["try", "--body", EVENT])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program")
            .wait_with_output()
    };
    let full = fs::File::options().write(true).open("/dev/full").expect("a device");
    let ran = ended(full.into()).await.expect("it ran");
    let told = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{told}");
    assert!(told.contains("cannot write to standard output: No space left"), "{told}");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let ran = ended(writer.into()).await.expect("it ran");
    assert_eq!((ran.status.code(), ran.stderr.as_slice()), (Some(0), &b""[..]));
}

#[tokio::test]
async fn the_text_and_the_place_tell_one_column() {
    let body = "\u{feff}{\"type\":\"event\",\n\"é😀\":NaN}";
    let (told, _) = line(&["--body", body]).await;
    assert!(told["text"].as_str().expect("a text").ends_with("(line 2 column 6)"), "{told}");
    assert_eq!((&told["place"]["line"], &told["place"]["column"]), (&json!(2), &json!(6)));
    let (told, _) = line(&["--body", "\u{feff}{\"é\":NaN}"]).await;
    assert!(told["text"].as_str().expect("a text").ends_with("(line 1 column 6)"), "{told}");
    assert_eq!(told["place"]["column"], json!(6), "{told}");
}

#[tokio::test]
async fn of_a_place_that_is_cut_what_is_left_is_marked() {
    let name = format!("${}", "x".repeat(600));
    let body = format!(r#"{{"type":"cache","user_id":5,"data":{{"{name}":1}}}}"#);
    assert_eq!(marked(&people(&body, &[])), "{");
    let (told, _) = line(&["--body", &body]).await;
    assert_eq!(told["place"]["path"], json!(["data", null]), "{told}");
    assert_eq!(told["place"]["column"], json!(36), "{told}");
    let (told, _) = line(&["--body", &format!(r#"{{"type":"cache","{name}":1}}"#)]).await;
    assert_eq!(told["place"]["path"], json!([null]), "{told}");
}

#[test]
fn the_mark_goes_through_envelopes_and_into_what_was_packed() {
    let own = r#"{"type":"cache","user_id":5.0,"data":{"é":"\n"}}"#;
    let sns = json!({"Type": "Notification", "MessageId": "m", "TopicArn": "a:b", "Timestamp": "2026-11-22T10:00:00Z", "Message": own});
    let told = people(&sns.to_string(), &[]);
    assert_eq!(marked(&told), "5.0", "{told}");
    assert!(told.contains("of the body"), "{told}");
    let event = json!({"specversion": "1.0", "type": "cache", "source": "s", "id": "1", "data_base64": STANDARD.encode(own)});
    let told = people(&event.to_string(), &[]);
    assert_eq!(marked(&told), "5.0", "{told}");
    assert!(told.contains("of the text inside (cloudevents.data_base64)"), "{told}");
    let empty = sns.to_string().replace(&serde_json::to_string(own).expect("JSON"), "\"\"");
    assert_eq!(marked(&people(&empty, &[])), "\"", "{empty}");
    let told = people("bm8gZ3ppcA==", &[("content-encoding", "gzip")]);
    assert_eq!(marked(&told), "bm8gZ3ppcA==", "{told}");
}

/// The message of a file of the corpus. One for `envelope` has attributes, as `checks::message` reads
/// them.
fn of_corpus(target: &str, bytes: &[u8]) -> QueueMessage {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let parts = bytes.windows(2).position(|pair| pair == b"\n\n").filter(|_| target == "envelope");
    let (head, body) = parts.map_or((&[][..], bytes), |at| (&bytes[..at], &bytes[at + 2..]));
    let head = text(head);
    let attribute = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        Some((name.to_owned(), Attribute::Text(value.to_owned())))
    };
    QueueMessage {
        message_id: "m".to_owned(),
        body: if head.lines().any(|line| line == "raw") {
            STANDARD.encode(body)
        } else {
            text(body)
        },
        attributes: head.lines().filter_map(attribute).collect(),
        sent_ms: 1_795_341_600_000,
        ..QueueMessage::default()
    }
}

/// What is wrong with these is no part of a body: it is empty, or the fault is in an attribute.
const UNMARKED: [&str; 8] = [
    "attribute_empty_body",
    "attribute_origin_half",
    "cloudevent_binary",
    "cloudevent_binary_around_sns",
    "cloudevent_binary_without_data",
    "cloudevent_binary_without_id",
    "empty_text",
    "encoding_unknown",
];

#[test]
fn each_file_of_the_corpus_is_told_with_a_route_or_with_a_reason_and_its_place() {
    let codes: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    let mut unmarked = Vec::new();
    for target in ["decode", "envelope"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        for entry in fs::read_dir(folder).expect("a corpus") {
            let entry = entry.expect("a file");
            let name = entry.file_name().to_string_lossy().into_owned();
            let bytes = fs::read(entry.path()).expect("readable");
            let told = of(&of_corpus(target, &bytes));
            let is_obeyed = |char: char| {
                char != '\n' && char.is_control()
                    || matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}')
            };
            assert!(!told.contains(is_obeyed), "{name}: {told:?}");
            let Some((_, rejected)) = told.split_once("rejected    ") else {
                assert!(
                    told.starts_with("route       ") && told.contains("\ncommand\n{"),
                    "{name}: {told}"
                );
                continue;
            };
            let (code, text) = rejected.split_once(": ").expect("a reason");
            assert!(codes.contains(code) && text.len() > 20, "{name}: {told}");
            if !told.contains('^') {
                unmarked.push(name);
            }
        }
    }
    unmarked.sort();
    unmarked.dedup();
    assert_eq!(unmarked, UNMARKED);
}
