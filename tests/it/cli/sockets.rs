//! A database behind a socket in the file system that is not there, or at which nobody listens.

use std::os::unix::net::UnixListener;
use std::path::Path;

use super::*;

/// As it stands in a connection string, found within a second or told.
fn uri_of(socket: &Path) -> String {
    let host = socket.to_str().expect("UTF-8").replace('/', "%2F");
    format!("mongodb://{host}/portal?serverSelectionTimeoutMS=1000")
}

#[tokio::test]
async fn a_socket_that_leads_nowhere_is_told_by_each_command() {
    let here = Surroundings::start().await;
    let (absent, file) = (here.home.path().join("absent.sock"), here.home.path().join("file.sock"));
    std::fs::write(&file, "").expect("a file");
    // Bound and let go: the file stays, and nobody listens.
    let left = here.home.path().join("left.sock");
    drop(UnixListener::bind(&left).expect("a socket"));
    let silent = here.home.path().join("silent.sock");
    let _listens = UnixListener::bind(&silent).expect("a socket");
    for (socket, expected) in [
        (&absent, "absent.sock, the socket that the MongoDB URI names, does not exist"),
        (&file, "file.sock, which the MongoDB URI names, is not a socket"),
        (&left, "Connection refused"),
        (&silent, "takes connections but does not answer"),
    ] {
        let uri = uri_of(socket);
        for command in ["check", "stats", "dead-letters groups", "run"] {
            let ran = here.run_with_variables(&words(command), &[("MONGO_CACHE_URI", &uri)]).await;
            let told = format!("{}{}", ran.stdout, ran.stderr);
            assert!(told.contains(expected), "{command}: {told}");
            assert_ne!(ran.status, 0, "{command}: {told}");
        }
    }
}
