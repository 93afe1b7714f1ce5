//! Times of a message, with the name of the field where one cannot be read.

use crate::bson::{Field, element};
use crate::message::origin::NO_TIME;
use crate::message::{Name, Origin, Place, Reason, Rejection};
use crate::time::{self, Time, TimeError};

use super::definition::Route;

/// Reads the time that `field` holds, a number in the unit that `route` declares; none where it is
/// null.
///
/// # Errors
/// `bad_time` where it cannot be read, or is outside the years that are taken of it.
pub(super) fn read(route: &Route, field: Field<'_>) -> Result<Option<Time>, Rejection> {
    if field.element_type() == element::NULL {
        return Ok(None);
    }
    let name = field.name();
    field.time(route.unit(name)).map(Some).map_err(|error| {
        let is_version = route.kind.version_field() == Some(name);
        let is_of_unit = matches!(error, TimeError::UnknownUnit | TimeError::DateUnlikely);
        let more = if is_of_unit && !is_version {
            ", or declare its unit in `times` of the route"
        } else {
            ""
        };
        let text = format!("{} {error}{more}", Name(name));
        Rejection::new(Reason::BadTime, text).at(Place::value(name.to_owned()))
    })
}

/// The origin's time, where it stands in for the field `name`.
///
/// # Errors
/// `bad_time` where it is outside the years 1 to 9999: an envelope or attribute may claim any.
pub(super) fn of_origin(origin: &Origin, name: &str) -> Result<Time, Rejection> {
    if origin.time == NO_TIME {
        let text = format!(
            "{} is missing, and a line of a file has no time of its own: give the field a value, or --time TIME for all lines that lack one",
            Name(name)
        );
        return Err(Rejection::new(Reason::BadTime, text));
    }
    time::in_range(origin.time.millis()).map(|_| origin.time).map_err(|error| {
        let text = format!("the message's own time, which stands in for {}, {error}", Name(name));
        Rejection::new(Reason::BadTime, text)
    })
}
