//! What `longshore dev` prints for pasting, pasted.

use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;

use crate::seen::web::Web;
use crate::support::child::{Child, command, longshore};
use crate::support::mongod::program;
use crate::support::ports::free_port;
use crate::support::sqs::python;
use crate::support::until;

/// Pastes a block into a shell that has nothing of Longshore in its environment. Gives what it
/// prints.
async fn paste(block: &str, path: &str) -> String {
    let mut shell = command("bash");
    shell.env("PATH", path).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut shell = shell.spawn().expect("start bash");
    let mut stdin = shell.stdin.take().expect("its standard input");
    stdin.write_all(block.as_bytes()).await.expect("pasted");
    drop(stdin);
    let output = shell.wait_with_output().await.expect("its end");
    let [printed, said] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{block}\n{printed}{said}");
    printed
}

/// Whether a shell finds a program there.
async fn has(program: &str, path: &str) -> bool {
    let mut look = command("sh");
    look.args(["-c", r#""$0" --version"#, program]).env("PATH", path);
    look.stdout(Stdio::null()).stderr(Stdio::null());
    look.status().await.is_ok_and(|status| status.success())
}

#[tokio::test]
async fn each_block_that_dev_prints_can_be_pasted_into_a_shell() {
    let python = tokio::task::spawn_blocking(python).await.expect("a Python");
    let beside = Path::new(&python).parent().expect("its folder").display();
    let path = format!("{beside}:{}", std::env::var("PATH").unwrap_or_default());
    let (folder, port) = (tempfile::tempdir().expect("a folder"), free_port());
    let mut dev = longshore();
    dev.arg("dev")
        .env("MONGOD", program().await)
        .env("TMPDIR", folder.path())
        .env("LONGSHORE__ADMIN__LISTEN", format!("127.0.0.1:{port}"));
    let mut dev = Child::start(dev);
    until("it says what to paste", async || {
        dev.assert_running();
        dev.printed().contains("Ctrl-C drains")
    })
    .await;
    let printed = dev.printed();
    let blocks: Vec<&str> = printed.split("\n\n").filter(|block| block.starts_with("# ")).collect();
    let named = |name: &str| blocks.iter().any(|block| block.starts_with(&format!("# {name}")));
    assert!(
        ["Longshore", "Python", "AWS CLI", "Ask", "Look", "Watch"].into_iter().all(named),
        "{printed}"
    );
    let mut sent = 0;
    for block in blocks {
        let tool = match block.split_once('\n').map_or(block, |(title, _)| title) {
            "# AWS CLI" => "aws",
            "# Look" => "mongosh",
            title if title.starts_with("# Ask") => "curl",
            _ => "python3",
        };
        if !has(tool, &path).await {
            println!("NOT RUN, for there is no {tool} here: {block}");
            continue;
        }
        let said = paste(block, &path).await;
        let is_sending = !["# Look", "# Watch", "# Ask"].iter().any(|name| block.starts_with(name));
        sent += u64::from(is_sending);
        let web = Web::new(port);
        until(&format!("the worker has it: {block}\n{said}"), async || {
            web.status().await["totals"]["deleted"] == sent
        })
        .await;
    }
    assert!(sent >= 2, "{sent} blocks that send");
    dev.signal("INT").await;
    let (status, printed) = dev.ended().await;
    assert!(status.success(), "{printed}");
}
