//! Says what a command with a queue and a database of its own ignores.

use crate::cli::output::say;
use crate::config::left_out::LeftOut;
use crate::harmless::harmless;

/// One line for each setting that is set and ignored.
pub fn tell(left_out: &LeftOut) {
    for ignored in &left_out.settings {
        let (key, source) = (harmless(&ignored.key), harmless(&ignored.source.to_string()));
        say(&format!("longshore: ignored: {key} ({source}): {}", ignored.instead));
    }
}
