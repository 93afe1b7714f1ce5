//! Times of a message, with the name of the field where one cannot be read.

use crate::bson::{Field, element};
use crate::message::{Origin, Reason, Rejection};
use crate::time::{self, Time};

use super::rules::Name;

/// Reads the time that `field` holds; none where it is null.
///
/// # Errors
/// `bad_time` where it cannot be read or is outside the years 1 to 9999.
pub(super) fn read(field: Field<'_>) -> Result<Option<Time>, Rejection> {
    if field.element_type() == element::NULL {
        return Ok(None);
    }
    field
        .time()
        .map(Some)
        .map_err(|error| Rejection::new(Reason::BadTime, format!("{} {error}", Name(field.name()))))
}

/// The origin's time, where it stands in for the field `name`.
///
/// # Errors
/// `bad_time` where it is outside the years 1 to 9999: an envelope or attribute may claim any.
pub(super) fn of_origin(origin: &Origin, name: &str) -> Result<Time, Rejection> {
    time::in_range(origin.time.millis()).map(|_| origin.time).map_err(|error| {
        let text = format!("the message's own time, which stands in for {}, {error}", Name(name));
        Rejection::new(Reason::BadTime, text)
    })
}
