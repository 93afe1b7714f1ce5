//! Lines that cannot be loaded, and loads that cannot start.

use super::*;

#[tokio::test]
async fn bad_lines_of_each_kind_are_named_by_number_and_the_rest_is_loaded() {
    let here = surroundings().await;
    let database = here.manager.database();
    let validator = doc! { "event_type": { "$ne": "forbidden" } };
    database.create_collection("events").validator(validator).await.expect("made");
    let event = |more: Value| {
        let mut event = json!({ "type": "event", "user_id": 1, "event_type": "login", "timestamp": "2026-11-22T10:00:00Z" });
        event.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        event.to_string().into_bytes()
    };
    let bad: [(&str, Vec<u8>); 11] = [
        ("bad_json", b"{\"type\":".to_vec()),
        ("bad_json", b"{\"a\":\"\xff\"}".to_vec()),
        ("too_large", format!("{{\"a\":\"{}\"}}", "x".repeat(3 << 20)).into_bytes()),
        ("missing_type", b"{\"user_id\":1}".to_vec()),
        ("unknown_type", event(json!({ "type": "click" }))),
        ("missing_field", event(json!({ "user_id": null }))),
        ("bad_key", b"{\"type\":\"cache\",\"data\":1,\"updated\":1795341605}".to_vec()),
        ("bad_time", b"{\"type\":\"event\",\"user_id\":1,\"event_type\":\"a\"}".to_vec()),
        ("bad_time", b"{\"type\":\"session\",\"session_id\":\"s\",\"data\":1}".to_vec()),
        ("store_rejected", event(json!({ "event_type": "forbidden" }))),
        ("id_conflict", event(json!({ "id": "twice", "user_id": 2 }))),
    ];
    let mut text = event(json!({ "id": "twice" }));
    text.extend(b"\n\n");
    for (_, line) in &bad {
        for part in [line, &b"\n"[..], &event(json!({}))[..], b"\n"] {
            text.extend(part);
        }
    }
    let file = Loaded::new(&text);
    let kept = file.folder.path().join("bad.ndjson");
    let kept_name = kept.to_str().expect("UTF-8");
    // What a database is needed for is not known without one.
    let ran = load(&here, &[file.name(), "--dry-run"]).await;
    assert_eq!((ran.status, ran.lines.len()), (Some(1), 9), "{:?} {}", ran.lines, ran.told);
    assert_eq!(ran.sum["by_collection"], json!({ "events": 14 }));
    assert!(here.documents("events").await.is_empty() && !exists(&file.progress()));
    // One after the other, or either of two of one id could be the first.
    let arguments = [file.name(), "--bad", kept_name, "--rate", "100"];
    let ran = load(&here, &arguments).await;
    assert_eq!(ran.status, Some(1), "{:?} {}", ran.lines, ran.told);
    let mut named: Vec<(u64, &str)> = ran
        .lines
        .iter()
        .map(|line| {
            (line["line"].as_u64().expect("a number"), line["reason"].as_str().expect("a code"))
        })
        .collect();
    named.sort_unstable();
    let expected: Vec<(u64, &str)> = bad
        .iter()
        .enumerate()
        .map(|(index, (reason, _))| (3 + 2 * index as u64, *reason))
        .collect();
    assert_eq!(named, expected);
    assert!(ran.lines.iter().all(|line| line["outcome"] == "bad" && line["text"].is_string()));
    assert_eq!((&ran.sum["loaded"], &ran.sum["bad"]), (&json!(12), &json!(11)));
    assert_eq!(here.documents("events").await.len(), 12);
    assert!(here.documents("dead_letters").await.is_empty());
    let lines: Vec<_> = bad.iter().map(|(_, line)| [&line[..], b"\n"].concat()).collect();
    assert_eq!(std::fs::read(&kept).expect("read"), lines.concat());
    assert!(!exists(&file.progress()), "all lines have their end");
    // Lines that are not there are not written over.
    let ran = load(&here, &arguments).await;
    assert!(ran.status == Some(2) && ran.told.contains("is not empty"), "{}", ran.told);
}

#[tokio::test]
async fn what_cannot_be_loaded_is_refused_with_what_to_do() {
    let here = surroundings().await;
    let array = Loaded::new(b"[\n{\"type\":\"event\"}\n]");
    let one = Loaded::of(&[event(1)]);
    for (arguments, told) in [
        (&[array.name()][..], "export without --jsonArray"),
        (
            &[one.name(), "--type", "evnet"],
            "--type evnet names no route: there are cache, event, session",
        ),
        (&["/no/such/file"], "cannot read /no/such/file"),
        (&[one.name(), "--progress", "/no/such/folder/p"], "cannot keep the progress"),
        (&[one.name(), "--set", "in_flight.bytes_max=1MiB"], "in_flight.bytes_max"),
    ] {
        let ran = load(&here, arguments).await;
        assert_eq!(ran.status, Some(2), "{arguments:?}");
        assert!(ran.told.contains(told), "{}", ran.told);
    }
    assert!(all(&here).await.is_empty());
}

#[tokio::test]
async fn another_content_does_not_go_on_by_the_progress_of_an_older_one() {
    let here = surroundings().await;
    let file = Loaded::of(&mixed(40));
    let stopped = super::stops::stopped(&here, &file, &["--rate", "20"]).await;
    assert!(stopped.offset < std::fs::metadata(&file.path).expect("it is there").len());
    let mut text = std::fs::read(&file.path).expect("read");
    text.extend(format!("\n{}", event(1_000)).as_bytes());
    std::fs::write(&file.path, text).expect("written");
    let ran = load(&here, &[file.name()]).await;
    assert_eq!(ran.status, Some(2));
    assert!(ran.told.contains("another content") && ran.told.contains("--restart"), "{}", ran.told);
    let ran = load(&here, &[file.name(), "--restart"]).await;
    assert_eq!((ran.status, &ran.sum["loaded"]), (Some(0), &json!(41)), "{}", ran.told);
}
