//! SHA-256 of all that an input holds.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

const BUFFER_BYTES: usize = 256 * 1024;

/// Reads all of it, and hands on each part. Gives how much it was, and its hash, to be gone on with.
///
/// # Errors
/// Where it cannot be read, or of `each`.
pub(super) fn hashed(
    mut input: impl Read,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<(u64, Sha256)> {
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; BUFFER_BYTES]);
    loop {
        let read = match input.read(&mut buffer) {
            Ok(0) => return Ok((bytes, hash)),
            Ok(read) => &buffer[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(read);
        each(read)?;
        bytes += read.len() as u64;
    }
}
