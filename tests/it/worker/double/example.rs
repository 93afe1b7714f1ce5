//! The shell script that stands in the documentation, as a producer's CI would run it.

use std::process::{ExitStatus, Stdio};

use tokio::io::AsyncWriteExt;

use super::served::three_free_ports;
use crate::support::child::{Child, command};
use crate::support::mongod::program;
use crate::support::sqs::python;

const SCRIPT: &str = include_str!("../../../../examples/producer-ci.sh");
const DOCUMENTED: &str = include_str!("../../../../docs/TESTING_PRODUCERS.md");

/// Runs the text by a POSIX shell. Gives how it ended and what it printed.
async fn run(script: &str) -> (ExitStatus, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("producer-ci.sh");
    let mut written = tokio::fs::File::create(&file).await.expect("a file");
    written.write_all(script.as_bytes()).await.expect("written");
    written.flush().await.expect("written");
    let mut shell = command("sh");
    shell.arg(&file).stdin(Stdio::null());
    shell.env("LONGSHORE_BIN", env!("CARGO_BIN_EXE_longshore"));
    shell.env("PORT", three_free_ports().to_string());
    shell.env("MONGOD", program().await).env("TMPDIR", folder.path());
    shell.env("LONGSHORE__ADMIN__LISTEN", "off");
    // The variables in the file are all that an SDK goes by.
    shell.env("AWS_PROFILE", "there is none").env_remove("AWS_DEFAULT_REGION");
    let ended = Child::start(shell).ended().await;
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
    assert_eq!(left.len(), 1, "only the script is left: {left:?}");
    ended
}

#[tokio::test]
async fn the_example_of_a_producers_ci_passes() {
    let (status, said) = run(SCRIPT).await;
    assert!(status.success(), "{said}");
    assert!(said.contains(r#""good":2,"bad":0"#) && said.contains("missing_field"), "{said}");
}

/// What a producer of one's own does in the place of `longshore send`.
const BY_BOTO3: &str = r#"import boto3, os, sys
for line in sys.stdin:
    boto3.client("sqs").send_message(QueueUrl=os.environ["LONGSHORE__QUEUE__URL"], MessageBody=line)
"#;

#[tokio::test]
async fn plain_boto3_finds_the_queue_by_the_variables_in_the_file() {
    let python = tokio::task::spawn_blocking(python).await.expect("a Python");
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("send.py");
    std::fs::write(&program, BY_BOTO3).expect("written");
    let by_boto3 = format!("{python} {}", program.display());
    let (status, said) = run(&SCRIPT.replace(r#""$longshore" send"#, &by_boto3)).await;
    assert!(status.success(), "{said}");
    assert!(said.contains(r#""good":2,"bad":0"#) && said.contains("missing_field"), "{said}");
}

#[tokio::test]
async fn the_same_ci_fails_where_the_producer_is_broken() {
    let good = r#"{"type":"event","user_id":123,"event_type":"login"}"#;
    let bad = r#"echo '{"type":"event","user_id":123}'"#;
    for (says, broken) in [
        // Refused.
        (good, r#"{"type":"event","user_id":123,"event_typ":"login"}"#),
        // Stored, but not what it should be.
        (good, r#"{"type":"event","user_id":124,"event_type":"login"}"#),
        // Stored, though it should have been refused.
        (bad, r#"echo '{"type":"event","user_id":123,"event_type":"login"}'"#),
    ] {
        assert_eq!(SCRIPT.matches(says).count(), 1, "{says}");
        let (status, said) = run(&SCRIPT.replace(says, broken)).await;
        assert_eq!(status.code(), Some(1), "{broken}: {said}");
    }
}

#[test]
fn the_documentation_shows_the_script_that_is_run_here() {
    assert!(DOCUMENTED.contains(&format!("```sh\n{SCRIPT}```")), "docs/TESTING_PRODUCERS.md");
    let code = SCRIPT.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
    assert!(code <= 20, "{code} lines");
}
