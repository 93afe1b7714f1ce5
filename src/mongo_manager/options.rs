//! Options of a connection: as they stand in its connection string, and as the driver has read them.
//! Whoever makes a client, keeps its secrets or explains its errors asks for them here.

use std::time::Duration;

use mongodb::options::ClientOptions;

/// How long the client looks for a server: by the connection string, otherwise by the
/// configuration.
pub(super) fn selection_timeout(options: &ClientOptions) -> Duration {
    options.server_selection_timeout.unwrap_or_default()
}

/// The options in a connection string as they stand there: the driver takes the first `?` for their
/// start.
pub(super) fn options_in(uri: &str) -> impl Iterator<Item = (&str, &str)> {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter_map(|pair| pair.split_once('='))
}
