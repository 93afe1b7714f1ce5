//! The time that a field says, of any type that can hold one.

use ::bson::Decimal128;

use super::element;
use super::fields::Field;
use crate::time::{self, Time, TimeError};

impl Field<'_> {
    /// Reads the field as a time.
    ///
    /// # Errors
    /// Where it cannot be read or is outside the years 1 to 9999.
    pub fn time(&self) -> Result<Time, TimeError> {
        if let Some(time) = self.exact_time {
            return Ok(time);
        }
        let value = self.value();
        match self.element_type() {
            element::DATE => time::in_range(i64::from_le_bytes(fixed(value)?)),
            element::INT64 => time::from_integer(i64::from_le_bytes(fixed(value)?)),
            element::INT32 => time::from_integer(i32::from_le_bytes(fixed(value)?).into()),
            element::DOUBLE => time::from_double(f64::from_le_bytes(fixed(value)?)),
            element::DECIMAL128 => {
                time::from_number(&Decimal128::from_bytes(fixed(value)?).to_string())
            }
            element::STRING => self.text().ok_or(TimeError::Unreadable).and_then(time::from_text),
            _ => Err(TimeError::Unreadable),
        }
    }
}

fn fixed<const LENGTH: usize>(value: &[u8]) -> Result<[u8; LENGTH], TimeError> {
    value.try_into().map_err(|_| TimeError::Unreadable)
}
