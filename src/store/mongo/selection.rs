//! Why no server was found, in as few words as the driver's own text holds.

/// `Server selection timeout: No available servers. Topology: { Type: .., Servers: [ { Address:
/// a:1, Type: Unknown, Error: Kind: I/O error: timed out, labels: {} .. } ] }` as `no server takes
/// the write: a:1: I/O error: timed out`. What does not look like it stays.
pub(super) fn brief(message: &str) -> String {
    let servers: Vec<_> = message.split("{ Address: ").skip(1).filter_map(server).collect();
    if servers.is_empty() {
        message.to_owned()
    } else {
        format!("no server takes the write: {}", servers.join("; "))
    }
}

fn server(text: &str) -> Option<String> {
    let (address, rest) = text.split_once(", Type: ")?;
    let kind = rest.split([',', ' ']).next()?;
    let why = match rest.split_once("Error: ") {
        Some((_, error)) => {
            let error = error
                .split(", labels:")
                .next()
                .unwrap_or(error)
                .trim_end_matches([' ', '}', ']', ',']);
            error.strip_prefix("Kind: ").unwrap_or(error)
        }
        None if kind == "Unknown" => "no answer yet",
        None => kind,
    };
    Some(format!("{address}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_says_why_it_is_none() {
        let message = "Server selection timeout: No available servers. Topology: { Type: ReplicaSetNoPrimary, Set Name: rs0, Max Set Version: 1, \
            Max Election ID: 7fffffff0000000000000001, Servers: [ { Address: 127.0.0.1:1, Type: Unknown, Error: Kind: I/O error: timed out, \
            labels: {\"A\"}, source: None }, { Address: b:2, Type: RSSecondary, Average RTT: 1ms, Replica Set Name: rs0 }, { Address: c:3, Type: Unknown } ] }";
        let expected = "no server takes the write: 127.0.0.1:1: I/O error: timed out; b:2: RSSecondary; c:3: no answer yet";
        assert_eq!(brief(message), expected);
        assert_eq!(brief("something else"), "something else");
        assert_eq!(brief("{ Address: a"), "{ Address: a");
    }
}
