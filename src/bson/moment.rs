//! The time that a field says, of any type that can hold one.

use ::bson::Decimal128;

use super::element;
use super::fields::Field;
use crate::time::{MILLISECONDS_FROM, Time, TimeError, Unit, in_range};

impl Field<'_> {
    /// Reads the field as a time; a number counts what `unit` says.
    ///
    /// # Errors
    /// Where it cannot be read or is outside the years of the unit.
    pub fn time(&self, unit: Unit) -> Result<Time, TimeError> {
        let value = self.value();
        if let Some(time) = self.exact_time
            && self.is_exact_in(unit)
        {
            return Ok(time);
        }
        match self.element_type() {
            element::DATE => date(i64::from_le_bytes(fixed(value)?), unit),
            element::INT64 => unit.integer(i64::from_le_bytes(fixed(value)?)),
            element::INT32 => unit.integer(i32::from_le_bytes(fixed(value)?).into()),
            element::DOUBLE => unit.double(f64::from_le_bytes(fixed(value)?)),
            element::DECIMAL128 => unit.number(&Decimal128::from_bytes(fixed(value)?).to_string()),
            element::STRING => {
                self.text().ok_or(TimeError::Unreadable).and_then(|text| unit.text(text))
            }
            _ => Err(TimeError::Unreadable),
        }
    }

    /// Whether the exact time, which was read by the size of the number, is that of this unit too.
    #[expect(clippy::cast_precision_loss, reason = "10^11 is a double")]
    fn is_exact_in(&self, unit: Unit) -> bool {
        if self.element_type() != element::DOUBLE || unit == Unit::BySize {
            return true;
        }
        let is_seconds = fixed(self.value())
            .is_ok_and(|bytes| f64::from_le_bytes(bytes) < MILLISECONDS_FROM as f64);
        is_seconds == (unit == Unit::Seconds)
    }
}

/// A date that no text was noted of stood there as a number: of seconds it makes a day of 1970,
/// which a TTL deletes at once. Where the route declares a unit, any year is taken of a number.
fn date(millis: i64, unit: Unit) -> Result<Time, TimeError> {
    let time = in_range(millis)?;
    if unit == Unit::BySize && !time.can_be_a_version() {
        return Err(TimeError::DateUnlikely);
    }
    Ok(time)
}

fn fixed<const LENGTH: usize>(value: &[u8]) -> Result<[u8; LENGTH], TimeError> {
    value.try_into().map_err(|_| TimeError::Unreadable)
}
