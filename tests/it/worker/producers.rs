//! A producer in Python in front, a reader in Python behind.

use serde_json::json;
use tokio::process::Command;

use crate::support::child::command;
use crate::support::sqs::python;
use crate::support::surroundings::Surroundings;

#[tokio::test]
async fn a_web2py_producer_in_python_lands_as_the_old_helper_wrote_it() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    let python = tokio::task::spawn_blocking(python).await.expect("a Python");
    let mut producer = script(&python, "producer.py");
    succeed(producer.args([surroundings.server.endpoint(), &surroundings.queue_url])).await;
    let counts = surroundings.unload(surroundings.config()).await;
    assert_eq!(counts.dead_lettered, [].into());
    let mut reader = script(&python, "reader.py");
    succeed(reader.env("MONGO_CACHE_URI", surroundings.uri())).await;
}

fn script(python: &str, name: &str) -> Command {
    let mut command = command(python);
    // -B: leaves no __pycache__ in the checkout.
    command.arg("-B").arg(format!("{}/tests/python/{name}", env!("CARGO_MANIFEST_DIR")));
    command
}

async fn succeed(command: &mut Command) {
    let output = command.output().await.expect("start Python");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
