//! A SHA-256 as hex digits.

use std::fmt;

/// Lower-case digits, without an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hex([u8; 64]);

impl Hex {
    pub fn of(sha256: impl Into<[u8; 32]>) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let (sha256, mut digits) = (sha256.into(), [b'0'; 64]);
        for (pair, byte) in digits.chunks_exact_mut(2).zip(&sha256) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Self(digits)
    }

    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn as_str(&self) -> &str {
        // Digits are UTF-8.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_two_digits() {
        let mut hash = [0; 32];
        (hash[0], hash[1], hash[31]) = (0xa5, 0x0f, 0xf0);
        assert_eq!(Hex::of(hash).to_string(), format!("a50f{}f0", "00".repeat(29)));
    }
}
