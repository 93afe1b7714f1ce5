//! The way back: a text that was changed is packed again as it came.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::Encoding;

impl Encoding {
    /// Packs a text, so that [`Encoding::unpack`] gives it again. The bytes are not those that another
    /// encoder made of it.
    ///
    /// # Errors
    /// None that is known: it writes to memory.
    pub fn pack(self, text: &str) -> io::Result<String> {
        let packed = match self {
            Self::Identity => return Ok(text.to_owned()),
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(text.as_bytes())?;
                encoder.finish()?
            }
            Self::Zstd => compress_to_vec(text.as_bytes(), CompressionLevel::Fastest),
        };
        Ok(STANDARD.encode(packed))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Unpacked;
    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_unpacks_to_the_same(text in any::<String>(), times in 0_usize..1_000) {
            let text = text.repeat(times);
            let bounds = Unpacked { bytes_max: text.len(), ratio_max: 100_000 };
            for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
                let packed = encoding.pack(&text).expect("packed");
                let unpacked = encoding.unpack(&packed, bounds);
                prop_assert!(unpacked.is_ok_and(|unpacked| unpacked == text), "{encoding:?}");
            }
        }
    }
}
