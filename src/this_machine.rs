//! Which hosts are this machine: what is said to them crosses no network.

use std::net::{IpAddr, Ipv6Addr};

/// Whether a host, by name or address, is this machine: loopback, and `localhost`. A name that only
/// resolves to loopback may resolve to something else tomorrow. The names below `localhost` are
/// such: RFC 6761 keeps them for loopback, but the system's resolver may ask DNS for them.
pub(crate) fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    if let Ok(ip) = host.parse::<IpAddr>() {
        return match ip {
            IpAddr::V4(ip) => ip.is_loopback(),
            IpAddr::V6(ip) => is_loopback(ip),
        };
    }
    host.eq_ignore_ascii_case("localhost")
}

fn is_loopback(ip: Ipv6Addr) -> bool {
    ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_localhost_are_this_machine() {
        for host in ["localhost", "LocalHost.", "127.0.0.1", "127.9.9.9", "::1", "[::1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "",
            "sqs",
            "sqs.localhost",
            "10.0.0.1",
            "0.0.0.0",
            "fe80::1",
            "localhost.example.org",
            "mongo",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
        assert!(is_this_machine("::ffff:127.0.0.1"));
    }
}
