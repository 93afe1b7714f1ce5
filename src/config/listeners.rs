//! The section `admin`: where a worker listens, and to whom it answers there.

use std::net::SocketAddr;

use super::kinds::{Switch, Text, Texts};
use super::names;
use super::reader::Reader;
use super::settings::AdminConfig;

/// Loopback: the status page has no login.
const LISTEN_DEFAULT: &str = "127.0.0.1:9690";

const LISTEN: Text = Text {
    expected: "an address and a port such as 127.0.0.1:9690 or 0.0.0.0:9690, or off",
    accepts: |text| text == "off" || text.parse::<SocketAddr>().is_ok(),
};

const PROBES: Text = Text {
    expected: "an address and a port such as 0.0.0.0:9691, or off",
    accepts: LISTEN.accepts,
};

/// A worker has a name or two, and those of its Service.
const HOSTS: Texts =
    Texts { expected: "a host name without a port", accepts: names::is_host, max: 64 };

pub(crate) fn read(reader: &mut Reader) -> AdminConfig {
    let listen = reader.or("admin.listen", &LISTEN, LISTEN_DEFAULT.to_owned());
    AdminConfig {
        // What is no address is "off".
        listen: listen.parse().ok(),
        is_chosen: listen != LISTEN_DEFAULT,
        probes: reader.or("admin.probes", &PROBES, "off".to_owned()).parse().ok(),
        hosts: reader.or("admin.hosts", &HOSTS, Vec::new()),
        show_bodies: reader.or("admin.show_bodies", &Switch, false),
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::{Sources, load};

    /// What is wrong with settings given as flags, and where it is not, the admin's.
    fn told(flags: &[(&str, &str)]) -> String {
        let flags = flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        match load(Sources { flags: flags.collect(), ..Sources::default() }) {
            Ok(loaded) => {
                let admin = loaded.config.admin;
                format!("{:?} {:?} {:?}", admin.listen, admin.probes, admin.hosts)
            }
            Err(errors) => errors.to_string(),
        }
    }

    #[test]
    fn probes_have_another_port_than_the_page() {
        let page = ("admin.listen", "0.0.0.0:9690");
        assert_eq!(
            told(&[page, ("admin.probes", "127.0.0.1:9690")]),
            "admin.probes = \"127.0.0.1:9690\": must have another port than admin.listen = \"0.0.0.0:9690\" (--set): a listener that the \
             page fills would answer no probe (--set)"
        );
        assert_eq!(
            told(&[page, ("admin.probes", "0.0.0.0:9691")]),
            "Some(0.0.0.0:9690) Some(0.0.0.0:9691) []"
        );
        assert_eq!(
            told(&[("admin.listen", "off"), ("admin.probes", "[::]:9690")]),
            "None Some([::]:9690) []"
        );
        assert_eq!(told(&[page]), "Some(0.0.0.0:9690) None []");
        assert!(told(&[("admin.probes", "9691")]).contains("must be an address and a port"));
    }

    #[test]
    fn hosts_are_names_without_a_port() {
        let listen = ("admin.listen", "off");
        assert_eq!(
            told(&[listen, ("admin.hosts", "longshore, portal-longshore.events.svc")]),
            "None None [\"longshore\", \"portal-longshore.events.svc\"]"
        );
        for wrong in ["longshore:9690", "http://longshore", "*", "a..b", "a b", "[::1]"] {
            let said = told(&[listen, ("admin.hosts", &format!("[{wrong:?}]"))]);
            assert!(said.contains("each a host name without a port"), "{wrong}: {said}");
        }
    }
}
