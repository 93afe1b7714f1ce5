//! How long a check waits for a server. Those of the database and of the queue run at the same time,
//! so this is also how long someone at a terminal waits for the whole.

use std::time::Duration;

/// The longest that the checks of one server take together, but for the building of indexes.
pub(super) const SERVER_MAX: Duration = Duration::from_secs(15);
