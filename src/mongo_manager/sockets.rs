//! Hosts of the connection string that are sockets in the file system. Whether one is there can be seen
//! without a server, and at once.

use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use mongodb::options::ServerAddress;

use super::error::MongoManagerError;
use super::redactor::Redactor;

/// Refuses hosts of which none can be connected to. One of several may be a member that is down.
///
/// # Errors
/// Where no host is more than a socket that is not there.
pub(super) fn refuse_absent(
    hosts: &[ServerAddress],
    redactor: &Redactor,
) -> Result<(), MongoManagerError> {
    if let Some(host) = hosts.iter().find_map(misnamed) {
        return Err(MongoManagerError::MisnamedSocket { host: redactor.clean(&host) });
    }
    let mut problems = hosts.iter().map(|host| problem(host, redactor));
    let first = problems.next().flatten();
    if problems.all(|problem| problem.is_some()) { first.map_or(Ok(()), Err) } else { Ok(()) }
}

fn problem(host: &ServerAddress, redactor: &Redactor) -> Option<MongoManagerError> {
    let ServerAddress::Unix { path } = host else { return None };
    let shown = || redactor.clean(&path.display().to_string());
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => None,
        Ok(_) => Some(MongoManagerError::NotASocket { path: shown() }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Some(MongoManagerError::NoSocket { path: shown(), hint: hint(path) })
        }
        // What else is wrong, such as a folder that may not be looked into, the driver meets too.
        Err(_) => None,
    }
}

/// A relative path is one of wherever the program was started.
fn hint(path: &Path) -> &'static str {
    if path.is_absolute() { "" } else { "; begin the path with %2F, so that it is absolute" }
}

/// A path that the driver takes for the name of a host, because it does not end in `.sock`.
fn misnamed(host: &ServerAddress) -> Option<String> {
    match host {
        ServerAddress::Tcp { host, .. } if host.contains("%2f") => Some(host.replace("%2f", "/")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn refused(hosts: &[&str]) -> Option<String> {
        let hosts: Vec<_> =
            hosts.iter().map(|host| ServerAddress::parse(host).expect("an address")).collect();
        refuse_absent(&hosts, &Redactor::default()).err().map(|error| error.to_string())
    }

    #[test]
    fn a_socket_that_is_not_there_is_refused_unless_another_host_may_be() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| {
            let path = folder.path().join(name);
            path.to_str().expect("UTF-8").replace('/', "%2F")
        };
        let (absent, file, socket) = (at("absent.sock"), at("file.sock"), at("socket.sock"));
        std::fs::write(folder.path().join("file.sock"), "").expect("a file");
        let _listener = UnixListener::bind(folder.path().join("socket.sock")).expect("a socket");
        for (hosts, expected) in [
            (
                vec![absent.as_str()],
                "absent.sock, the socket that the MongoDB URI names, does not exist",
            ),
            (vec![&file], "file.sock, which the MongoDB URI names, is not a socket"),
            (vec![&absent, &file], "absent.sock, the socket"),
            (vec!["no%2Fslash.sock"], "begin the path with %2F"),
            (vec!["%2Ftmp%2Fmongodb"], "/tmp/mongodb is a path"),
        ] {
            let text = refused(&hosts).unwrap_or_default();
            assert!(text.contains(expected), "{hosts:?}: {text}");
        }
        for hosts in [vec![socket.as_str()], vec![&absent, &socket], vec![&absent, "db.example"]] {
            assert_eq!(refused(&hosts), None, "{hosts:?}");
        }
    }
}
