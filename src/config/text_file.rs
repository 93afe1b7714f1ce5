//! A small text file, read whole.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A connection string with a hundred hosts has a fraction of it.
const URI_BYTES_MAX: u64 = 64 << 10;

/// The connection string in a file that holds nothing else.
///
/// # Errors
/// What is wrong with the file, without its name.
pub(crate) fn read_uri(path: &Path) -> Result<String, String> {
    match read(path, URI_BYTES_MAX)?.trim() {
        "" => Err("names a file that is empty: put the connection string into it".to_owned()),
        uri => Ok(uri.to_owned()),
    }
}

/// The text of a file of at most `bytes_max`, without a byte order mark.
///
/// # Errors
/// What is wrong with the file, without its name.
pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<String, String> {
    let mut bytes = Vec::new();
    let opened = File::open(path).and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes));
    let length = opened.map_err(|error| format!("cannot read the file: {error}"))?;
    if u64::try_from(length).is_ok_and(|length| length > bytes_max) {
        return Err(format!("the file must have at most {bytes_max} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "the file must be UTF-8".to_owned())?;
    // A mark that some editors write.
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}
