//! Messages that need much: many, large, of many keys, packed, deep.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use longshore::message::Attribute;
use longshore::queue::Outgoing;

const MIB: usize = 1024 * 1024;

/// Levels of a body that are taken.
const LEVELS_MAX: usize = 100;

pub fn small(number: usize) -> Outgoing {
    Outgoing {
        body: event(number, r#""ip":"10.0.0.1","agent":"Mozilla/5.0 (X11; Linux x86_64)""#),
        ..Outgoing::default()
    }
}

/// An event of so many bytes, nearly all of it one string.
pub fn of_size(number: usize, bytes: usize) -> Outgoing {
    let frame = event(number, r#""text":"""#).len();
    Outgoing {
        body: event(number, &format!(r#""text":"{}""#, "x".repeat(bytes - frame))),
        ..Outgoing::default()
    }
}

/// A session of its own for each number.
pub fn session(number: usize) -> Outgoing {
    session_with(number, r#""cart":[{"sku":"a","qty":1}]"#)
}

/// The same of so many bytes, nearly all of it one string.
pub fn session_of_size(number: usize, bytes: usize) -> Outgoing {
    let frame = session_with(number, r#""text":"""#).body.len();
    session_with(number, &format!(r#""text":"{}""#, "x".repeat(bytes - frame)))
}

fn session_with(number: usize, data: &str) -> Outgoing {
    let body = format!(
        r#"{{"type":"session","session_id":"s-{number}","last_accessed":"2026-11-22T10:00:00Z","data":{{{data}}}}}"#
    );
    Outgoing { body, ..Outgoing::default() }
}

/// What a load of [`hostile`] messages must come to.
pub const HOSTILE_KINDS: usize = 7;
pub const HOSTILE_REJECTED: usize = 3;

/// In turns: a body that unpacks to a document of nearly 16 MiB, a bomb, a packed array of zeros
/// that makes 13 MiB of BSON and one that would make 100, the deepest body that is taken, one level
/// more, and a small one.
pub fn hostile(number: usize) -> Outgoing {
    match number % HOSTILE_KINDS {
        0 => packed(number, r#""text":""#, "x", 15 * MIB, r#"""#),
        1 => packed(number, "", " ", 100 * MIB, ""),
        2 => packed(number, r#""zeros":[0"#, ",0", 2 * MIB, "]"),
        3 => packed(number, r#""zeros":[0"#, ",0", 15 * MIB, "]"),
        4 => Outgoing { body: nested(number, LEVELS_MAX), ..Outgoing::default() },
        5 => Outgoing { body: nested(number, LEVELS_MAX + 1), ..Outgoing::default() },
        _ => small(number),
    }
}

fn event(number: usize, metadata: &str) -> String {
    format!(
        r#"{{"type":"event","id":"e{number}","user_id":{number},"event_type":"login","metadata":{{{metadata}}}}}"#
    )
}

/// The body and its metadata are the first two levels.
fn nested(number: usize, levels: usize) -> String {
    event(number, &format!(r#""deep":{}{}"#, "[".repeat(levels - 2), "]".repeat(levels - 2)))
}

/// An event whose metadata are `head`, `bytes` of `filler` and `tail`, packed. The filler is packed
/// once and repeated, as gzip takes several members for one text.
fn packed(number: usize, head: &str, filler: &str, bytes: usize, tail: &str) -> Outgoing {
    const SEAM: &str = "\u{1}";
    let frame = event(number, SEAM);
    let (before, after) = frame.split_once(SEAM).expect("the seam");
    let mut packed = gzip(&format!("{before}{head}"));
    packed.extend(gzip(&filler.repeat(MIB / filler.len())).repeat(bytes / MIB));
    packed.extend(gzip(&format!("{tail}{after}")));
    let attributes = vec![("content-encoding".to_owned(), Attribute::Text("gzip".to_owned()))];
    Outgoing { body: STANDARD.encode(packed), attributes, ..Outgoing::default() }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes()).expect("in memory");
    encoder.finish().expect("in memory")
}
