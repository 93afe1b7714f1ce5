//! How a command ended, for scripts: statuses beside 0, which says that all is in order.

/// Something the user must fix before the command can do its work: configuration, credentials, a
/// server that is not there.
pub const EXIT_START: u8 = 2;

/// The command ran and what it found or left is not in order.
pub const EXIT_FOUND: u8 = 1;
