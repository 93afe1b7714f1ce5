//! What the URL of a queue tells of it.

/// How the name of a FIFO queue ends, and of no other (SQS).
const FIFO: &str = ".fifo";

/// The queue's own name: what stands behind the last slash.
#[must_use]
pub fn of_url(url: &str) -> &str {
    let url = url.trim_end_matches('/');
    url.rsplit_once('/').map_or(url, |(_, name)| name)
}

/// Whether the queue of this name or URL is a FIFO queue.
#[must_use]
pub fn is_fifo(name: &str) -> bool {
    bare(name).is_some()
}

/// The name of a FIFO queue without its end.
#[must_use]
pub fn bare(name: &str) -> Option<&str> {
    name.trim_end_matches('/').strip_suffix(FIFO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_named_by_what_stands_behind_the_last_slash() {
        for (url, name, fifo) in [
            ("http://h/0/portal.fifo", "portal.fifo", true),
            ("http://h/0/portal.fifo/", "portal.fifo", true),
            ("http://h.fifo/0/portal/", "portal", false),
            ("portal.fifo", "portal.fifo", true),
            ("http://h/0/portal.fifos", "portal.fifos", false),
            ("", "", false),
        ] {
            assert_eq!((of_url(url), is_fifo(url)), (name, fifo), "{url}");
        }
    }
}
