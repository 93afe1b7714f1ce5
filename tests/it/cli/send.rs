//! `longshore send`.

use std::collections::BTreeSet;

use longshore::message::{QueueMessage, attribute_text};
use longshore::queue::Queue;
use tokio::process::Command;

use super::*;

/// Receives all messages of the queue, each once.
async fn received(here: &Surroundings) -> Vec<QueueMessage> {
    let (queue, _) = here.sqs.connect(&here.queue_url).await;
    let mut all = Vec::new();
    loop {
        let some = queue.receive(10, Duration::ZERO, None).await.expect("a receive");
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

#[tokio::test]
async fn a_bad_line_is_named_and_the_rest_is_sent() {
    let here = Surroundings::start().await;
    let good = |number: u32| {
        json!({"type": "event", "user_id": number, "event_type": "login"}).to_string()
    };
    let mut lines: Vec<String> = (1..=25).map(good).collect();
    lines[12] = r#"{"type":"event","user_id":"#.to_owned();
    lines[17] = String::new();
    lines[20] = format!("{{\"a\":\"{}\"}}", "x".repeat(2 << 20));
    let ran = here.run_with_input(&["send"], &lines.join("\r\n")).await;

    assert_eq!((ran.status, ran.stderr.as_str()), (1, ""));
    let told = ran.lines();
    assert_eq!(told.len(), 3, "{told:?}");
    for (told, (line, reason)) in told.iter().zip([(13, "is not JSON"), (21, "2097162 bytes")]) {
        assert_eq!((&told["line"], &told["outcome"]), (&json!(line), &json!("bad")));
        assert!(told["reason"].as_str().is_some_and(|text| text.contains(reason)), "{told}");
    }
    assert_eq!(told[2], json!({"sent": 22, "bad": 2, "failed": 0, "stopped_after_line": null}));

    let received = received(&here).await;
    let bodies: BTreeSet<String> = received.iter().map(|message| message.body.clone()).collect();
    let expected = (1..=25).filter(|number| ![13, 18, 21].contains(number)).map(good).collect();
    assert_eq!(bodies, expected);
    let ids: BTreeSet<&str> = received
        .iter()
        .filter_map(|message| attribute_text(&message.attributes, "longshore-id"))
        .collect();
    assert_eq!((received.len(), ids.len()), (22, 22));
    assert!(received.iter().all(|message| {
        let time: Option<i64> = attribute_text(&message.attributes, "longshore-time")
            .and_then(|time| time.parse().ok());
        // Sent within a minute of its reading.
        time.is_some_and(|time| (0..60_000).contains(&(message.sent_ms - time)))
    }));
}

#[tokio::test]
async fn a_file_is_sent_with_its_attributes_at_its_rate() {
    let here = Surroundings::start().await;
    let file = here.home.path().join("events.ndjson");
    let line = json!({"user_id": 1, "event_type": "login"}).to_string() + "\n";
    std::fs::write(&file, line.repeat(21)).expect("written");
    let arguments = [
        "send",
        file.to_str().expect("UTF-8"),
        "--rate",
        "20",
        "--attribute",
        "type=event",
        "--no-identity",
    ];
    let ran = here.run(&arguments).await;
    assert_eq!(ran.status, 0, "{}", ran.stdout);
    assert_eq!(
        ran.lines(),
        [json!({"sent": 21, "bad": 0, "failed": 0, "stopped_after_line": null})]
    );
    assert!(ran.took >= Duration::from_secs(1), "{:?}", ran.took);
    let received = received(&here).await;
    assert_eq!(received.len(), 21);
    assert!(
        received
            .iter()
            .all(|message| message.attributes.len() == 1 && message.text("type") == Some("event"))
    );
}

#[tokio::test]
async fn a_fifo_queue_gets_its_groups_in_the_order_of_the_file() {
    let here = Surroundings::with_queue(&json!({"FifoQueue": "true"})).await;
    let lines: Vec<String> =
        (0..30).map(|number| json!({"user_id": number % 2, "n": number}).to_string()).collect();
    let refused = here.run_with_input(&["send"], &lines.join("\n")).await;
    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("--group-id TEXT or --group-by FIELD"), "{}", refused.stderr);

    let ran = here.run_with_input(&["send", "--group-by", "user_id"], &lines.join("\n")).await;
    assert_eq!((ran.status, &ran.lines()[0]["sent"]), (0, &json!(30)), "{}", ran.stdout);
    let received = received(&here).await;
    for (group, first) in [("0", 0), ("1", 1)] {
        let of_group =
            |message: &&QueueMessage| message.fifo.as_ref().is_some_and(|fifo| fifo.group == group);
        let bodies: Vec<&str> =
            received.iter().filter(of_group).map(|message| message.body.as_str()).collect();
        let expected: Vec<&String> = lines.iter().skip(first).step_by(2).collect();
        assert!(
            !bodies.is_empty() && bodies.iter().zip(expected).all(|(body, line)| body == line),
            "{bodies:?}"
        );
    }
}

#[tokio::test]
async fn an_interrupt_says_how_far_it_came() {
    let here = Surroundings::start().await;
    let begun = Instant::now();
    let mut child = here.spawn(&["send"], &[]);
    let mut stdin = child.stdin.take().expect("its standard input");
    stdin.write_all(b"{\"n\":1}\n{\"n\":2}\n").await.expect("written");
    let both_are_there = async {
        while here.messages().await < 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(COMMAND_MAX, both_are_there).await.expect("sent although the input is still open");
    let id = child.id().expect("running").to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().await.expect("kill").success());
    let output =
        timeout(COMMAND_MAX, child.wait_with_output()).await.expect("in time").expect("its output");
    let ran = Ran::new(output, begun);
    assert_eq!(ran.status, 1);
    assert_eq!(ran.lines(), [json!({"sent": 2, "bad": 0, "failed": 0, "stopped_after_line": 2})]);
    drop(stdin);
}
