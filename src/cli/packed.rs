//! Inputs that are not text of lines, told by how they begin.

/// What it is, and what to do with it.
pub(super) fn packed(start: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 4] = [
        (b"\x1f\x8b", "packed by gzip: `zcat FILE | longshore ... -` reads it"),
        (b"\x28\xb5\x2f\xfd", "packed by zstd: `zstdcat FILE | longshore ... -` reads it"),
        (b"\xff\xfe", UTF_16),
        (b"\xfe\xff", UTF_16),
    ];
    KINDS.iter().find(|(begins, _)| start.starts_with(begins)).map(|(_, what)| *what)
}

const UTF_16: &str =
    "UTF-16, and lines are UTF-8: `iconv -f UTF-16 -t UTF-8 FILE | longshore ... -` reads it";
