//! Lines that cannot be loaded, and loads that cannot start.

use std::process::Stdio;

use super::*;
use crate::support::child::Child;
use crate::support::until;

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
    let of_dry_run = file.folder.path().join("of_dry_run");
    let arguments = [file.name(), "--dry-run", "--bad", of_dry_run.to_str().expect("UTF-8")];
    assert_eq!(load(&here, &arguments).await.status, Some(1));
    let lines: Vec<_> = bad[..9].iter().map(|(_, line)| [&line[..], b"\n"].concat()).collect();
    assert_eq!(std::fs::read(&of_dry_run).expect("read"), lines.concat());
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
async fn bad_lines_that_are_alike_are_told_a_few_times_and_all_are_kept() {
    let here = surroundings().await;
    let without_type = |user: u64| json!({ "user_id": user, "event_type": "login" });
    let lines: Vec<Value> = (0..300).map(without_type).chain([event(1), json!({})]).collect();
    let file = Loaded::of(&lines);
    let kept = file.folder.path().join("bad.ndjson");
    let kept_name = kept.to_str().expect("UTF-8");
    for more in [&["--dry-run"][..], &["--bad", kept_name]] {
        let ran = load(&here, &[&[file.name()], more].concat()).await;
        assert_eq!((ran.status, &ran.sum["bad"]), (Some(1), &json!(301)), "{}", ran.told);
        let (rest, told) = ran.lines.split_last().expect("some lines");
        assert_eq!(told.len(), 5, "{told:?}");
        assert!(told.iter().all(|line| line["line"].is_u64() && line["reason"] == "missing_type"));
        let expected =
            json!({ "more": 296, "outcome": "bad", "reason": "missing_type", "place": "type" });
        assert_eq!(*rest, expected);
    }
    assert_eq!(std::fs::read_to_string(&kept).expect("read").lines().count(), 301);
}

#[tokio::test]
async fn a_sum_that_cannot_be_printed_loses_nothing_that_was_loaded() {
    let here = surroundings().await;
    let file = Loaded::of(&[event(1), event(2)]);
    let full = std::fs::File::options().write(true).open("/dev/full").expect("a device");
    let (reader, closed) = std::io::pipe().expect("a pipe");
    drop(reader);
    for (output, status, told) in [
        (Stdio::from(full), 2, "2 loaded, 0 bad"),
        // As of every command: a reader that has gone has seen enough.
        (Stdio::from(closed), 0, ""),
    ] {
        let mut command = here.longshore(&["load", file.name()]);
        command.stdin(Stdio::null()).stdout(output).stderr(Stdio::piped());
        let ran = command.spawn().expect("it runs").wait_with_output().await.expect("it ends");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.code() == Some(status) && said.contains(told), "{said}");
        assert_eq!(said.contains("cannot write to standard output"), status == 2, "{said}");
        assert!(!exists(&file.progress()), "all lines have their end");
        assert_eq!(here.documents("events").await.len(), 2);
    }
}

#[tokio::test]
async fn what_cannot_be_loaded_is_refused_with_what_to_do() {
    let here = surroundings().await;
    let array = Loaded::new(b"[\n{\"type\":\"event\"}\n]");
    let packed = Loaded::new(b"\x1f\x8b\x08\x00\n\n");
    let one = Loaded::of(&[event(1)]);
    for (arguments, told) in [
        (&[array.name()][..], "export without --jsonArray"),
        (
            &[one.name(), "--type", "evnet"],
            "--type evnet names no route, did you mean event? (routes: cache, event, session)",
        ),
        (&[packed.name()], "is packed by gzip: `zcat FILE"),
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
async fn a_load_writes_over_no_file_but_its_own() {
    let here = surroundings().await;
    let file = Loaded::of(&[event(1), json!({ "type": "no route" })]);
    let text = std::fs::read(&file.path).expect("read");
    let link = file.folder.path().join("link");
    std::os::unix::fs::symlink(&file.path, &link).expect("a link");
    let (link, progress) = (link.to_str().expect("UTF-8"), file.progress());
    for (arguments, told) in [
        (["--bad", file.name()], "is the file that is loaded"),
        (["--bad", link], "is the file that is loaded"),
        (["--progress", file.name()], "is the file that is loaded"),
        (["--progress", "/dev/null"], "no plain file"),
        (["--bad", progress.to_str().expect("UTF-8")], "is where the progress is kept"),
    ] {
        let dry_run = &["--dry-run"][..];
        let more = [&[], &["--restart"][..], dry_run];
        // A dry run has no progress.
        for more in more.iter().filter(|more| **more != dry_run || arguments[0] == "--bad") {
            let ran = load(&here, &[&[file.name()], &arguments[..], more].concat()).await;
            assert!(
                ran.status == Some(2) && ran.told.contains(told),
                "{arguments:?}: {}",
                ran.told
            );
        }
    }
    assert_eq!(std::fs::read(&file.path).expect("read"), text);
    assert!(all(&here).await.is_empty());
}

#[tokio::test]
async fn a_dry_run_that_cannot_keep_a_bad_line_says_where_and_what_it_saw_until_then() {
    let here = surroundings().await;
    let file = Loaded::of(&vec![json!({ "user_id": 1 }); 10]);
    let kept = file.folder.path().join("bad.ndjson");
    let kept = kept.to_str().expect("UTF-8");
    let command = here.longshore(&["load", file.name(), "--dry-run", "--bad", kept]);
    let command = command.as_std();
    // As on a disk that is full: no file may have a byte.
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""]);
    limited.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let ran = limited.stdin(Stdio::null()).output().expect("it runs");
    let told = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(1), "{told}");
    let said = String::from_utf8(ran.stdout).expect("UTF-8");
    let said: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [.., broken, rest, sum] = &said[..] else { panic!("{said:?}") };
    let reason = broken["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with(&format!("cannot keep bad lines in {kept}: ")), "{broken}");
    assert_eq!(
        (&rest["more"], &sum["bad"], &sum["stopped"]),
        (&json!(5), &json!(10), &json!(true))
    );
}

#[tokio::test]
async fn a_file_that_changes_meanwhile_is_not_said_to_be_loaded() {
    let here = surroundings().await;
    // Lines that end where a read of the file does: nothing else shows that it became shorter.
    let line = |user: u64| format!("{:<511}\n", event(user).to_string());
    let text: String = (0..2_000).map(line).collect();
    for shortened in [true, false] {
        let file = Loaded::new(&text);
        let child = Child::start(here.longshore(&["load", file.name(), "--rate", "400"]));
        until("some lines have their end", async || file.offset() > 0).await;
        let again = load(&here, &[file.name()]).await;
        assert!(
            again.status == Some(2) && again.told.contains("is being loaded"),
            "{}",
            again.told
        );
        if shortened {
            let open = std::fs::OpenOptions::new().write(true).open(&file.path).expect("open");
            open.set_len(1_600 * 512).expect("shorter");
        } else {
            std::fs::write(&file.path, text.replace("login", "LOGIN")).expect("written");
        }
        let (status, said) = child.ended().await;
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains("changed while it was loaded"), "{said}");
        assert!(exists(&file.progress()));
    }
}

#[tokio::test]
async fn another_document_under_an_id_is_told_and_not_taken_for_the_one_that_is_there() {
    let here = surroundings().await;
    let event = |id: &str, user: u64| {
        let at = "2026-11-22T10:00:00Z";
        json!({ "_id": id, "user_id": user, "event_type": "login", "timestamp": at })
    };
    let first = Loaded::of(&[event("a", 1)]);
    let ran = load(&here, &[first.name(), "--type", "event"]).await;
    assert_eq!(ran.status, Some(0), "{}", ran.told);
    let second = Loaded::of(&[event("a", 2), event("b", 1), event("b", 2)]);
    let ran = load(&here, &[second.name(), "--type", "event"]).await;
    assert_eq!((ran.status, ran.lines.len()), (Some(1), 2), "{:?} {}", ran.lines, ran.told);
    assert!(ran.lines.iter().all(|line| line["reason"] == "id_conflict"), "{:?}", ran.lines);
    assert_eq!(load(&here, &[first.name(), "--type", "event"]).await.status, Some(0));
    assert_eq!(here.documents("events").await.len(), 2);
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
