//! A one-node replica set, shared by all tests and gone with them. For now: the full one is on its way.

use std::io::{BufRead, BufReader};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use mongodb::bson::doc;

static SERVER: OnceLock<Server> = OnceLock::new();
static INITIATED: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();

struct Server {
    port: u16,
    /// The shell around the server waits for this to close, which the end of the tests does, however they end.
    _stdin: Mutex<Option<ChildStdin>>,
}

/// The URI of the shared server, without a database.
pub async fn uri() -> String {
    let port = SERVER.get_or_init(start).port;
    INITIATED
        .get_or_init(|| async {
            let uri = format!("mongodb://127.0.0.1:{port}/?directConnection=true");
            let client = mongodb::Client::with_uri_str(uri).await.expect("a client");
            let member = doc! { "_id": 0, "host": format!("127.0.0.1:{port}") };
            let set = doc! { "replSetInitiate": { "_id": "rs0", "members": [member] } };
            client.database("admin").run_command(set).await.expect("a replica set");
        })
        .await;
    format!("mongodb://127.0.0.1:{port}/?replicaSet=rs0")
}

fn start() -> Server {
    let program = std::env::var("MONGOD").expect("MONGOD names the path of a mongod");
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
    let script = format!(
        "{program} --dbpath $dir --bind_ip 127.0.0.1 --port {port} --replSet rs0 --nounixsocket \
         --wiredTigerCacheSizeGB 0.25 --logpath $dir/log >/dev/null & server=$!; echo started; cat >/dev/null; kill -9 $server; \
         wait $server; rm -rf $dir"
    );
    let mut shell = Command::new("bash")
        .args(["-c", &script])
        .env("dir", scratch())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    let mut line = String::new();
    BufReader::new(shell.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    Server { port, _stdin: Mutex::new(shell.stdin.take()) }
}

fn scratch() -> String {
    tempfile::tempdir().expect("a directory").keep().display().to_string()
}
