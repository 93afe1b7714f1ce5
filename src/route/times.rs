//! Times of a message, with the name of the field where one cannot be read.

use crate::fields::Field;
use crate::message::{Origin, Reason, Rejection};
use crate::time::{MILLIS_MAX, MILLIS_MIN, Time, TimeError, element};

use super::Name;

/// Reads the time that `field` holds; none where it is null.
///
/// # Errors
/// `bad_time` where it cannot be read or is outside the years 1 to 9999.
pub(super) fn read(field: Field<'_>) -> Result<Option<Time>, Rejection> {
    if field.element_type() == element::NULL {
        return Ok(None);
    }
    field.time().map(Some).map_err(|error| Rejection::new(Reason::BadTime, format!("{} {error}", Name(field.name()))))
}

/// The origin's time, where it stands in for the field `name`.
///
/// # Errors
/// `bad_time` where it is outside the years 1 to 9999: an envelope or attribute may claim any.
pub(super) fn of_origin(origin: &Origin, name: &str) -> Result<Time, Rejection> {
    if (MILLIS_MIN..=MILLIS_MAX).contains(&origin.time.millis()) {
        return Ok(origin.time);
    }
    let text = format!("the message's own time, which stands in for {}, {}", Name(name), TimeError::OutOfRange);
    Err(Rejection::new(Reason::BadTime, text))
}
