//! The attribute `content-encoding`: base64 around gzip or zstd. What comes out is bounded while it
//! comes out.
//!
//! A few hundred bytes can ask for gigabytes, so nothing here trusts a size that the sender names.
//! A zstd frame also names the window that its decoder has to keep; it may be no larger than the
//! bound on the body or 8 MiB.

mod pack;

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;
use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::undecoded::Undecoded;
use crate::message::{Reason, Rejection, shown_name};

/// The attribute that names the encoding.
pub const ATTRIBUTE: &str = "content-encoding";

/// What a packed body begins with (RFC 1952, 2.3.1; RFC 8878, 3.1.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Without its optional parts.
const GZIP_HEADER_BYTES: usize = 10;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

const BEHIND: &str = "something stands behind the packed bytes: send them alone";
const CUT: &str = "it ends in the middle: it was cut off";

/// The window that every zstd decoder is asked to support (RFC 8878, 3.1.1.1.2); encoders use up to
/// it unless told otherwise, however small the body is.
const WINDOW_BYTES: usize = 8 * 1024 * 1024;

/// What a body may unpack to however few bytes it has: as much as is read right after a receive.
const UNPACKED_ALWAYS: usize = 64 * 1024;

/// How much may come out of a body: the settings of the section `message`.
#[derive(Debug, Clone, Copy)]
pub struct Unpacked {
    pub bytes_max: usize,
    /// So many times the bytes of the packed text.
    pub ratio_max: usize,
}

impl Unpacked {
    /// Of a packed text of so many bytes.
    fn bytes_max_of(self, packed: usize) -> usize {
        self.bytes_max.min(packed.saturating_mul(self.ratio_max).max(UNPACKED_ALWAYS))
    }

    fn passed_by(self, packed: usize) -> Rejection {
        let Self { bytes_max, ratio_max } = self;
        let most = self.bytes_max_of(packed);
        let text = if most < bytes_max {
            format!(
                "the body has {packed} bytes and unpacks to more than {most}, the most with message.unpack_ratio_max = {ratio_max}: send it plain or in smaller messages, or raise the setting, which may be 100000"
            )
        } else {
            format!(
                "the body unpacks to more than {bytes_max} bytes: send less, or raise message.decompressed_bytes_max, which may be 16MiB"
            )
        };
        Rejection::new(Reason::TooLarge, text)
    }
}

/// Reads base64 of the standard alphabet, padded or not. Line breaks and spaces in it say nothing:
/// the command `base64` and Python's `encodebytes` break the line every 76 characters (RFC 2045).
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    // Without a copy, as nearly all are.
    if let Ok(bytes) = STANDARD_PAD_INDIFFERENT.decode(text.trim_ascii()) {
        return Some(bytes);
    }
    if !text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        return None;
    }
    let packed: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD_PAD_INDIFFERENT.decode(packed).ok()
}

/// How a body was packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// Reads the attribute's value. Its case does not matter (RFC 9110, 8.4.1).
    ///
    /// # Errors
    /// Where it names another encoding.
    pub fn named(name: &str) -> Result<Self, Rejection> {
        match name.trim_ascii().to_ascii_lowercase().as_str() {
            "identity" => Ok(Self::Identity),
            // The old name of it (RFC 9110, 8.4.1.3).
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => Err(Rejection::new(
                Reason::BadEncoding,
                format!(
                    "attribute {ATTRIBUTE} names `{}`: gzip, zstd and identity are read",
                    shown_name(name)
                ),
            )),
        }
    }

    /// Unpacks a body to at most so many bytes of text.
    ///
    /// # Errors
    /// Where it is not what the encoding says, is larger than the bound, or is not UTF-8.
    pub fn unpack(self, body: &str, bounds: Unpacked) -> Result<String, Rejection> {
        Ok(self.unpack_within(body, bounds, usize::MAX)?)
    }

    /// The same with at most `room` bytes of memory for the text.
    ///
    /// # Errors
    /// As [`Encoding::unpack`], or where it needs more room.
    pub fn unpack_within(
        self,
        body: &str,
        bounds: Unpacked,
        room: usize,
    ) -> Result<String, Undecoded> {
        if self == Self::Identity {
            return if body.len() <= room { Ok(body.to_owned()) } else { Err(Undecoded::Outgrown) };
        }
        let packed = base64(body).ok_or_else(|| self.not_base64(body))?;
        let bytes_max = bounds.bytes_max_of(body.len());
        let mut bounded =
            Bounded { bytes: Vec::new(), bytes_max: bytes_max.min(room), is_passed: false };
        let outcome = if self == Self::Gzip {
            gunzip(&packed, &mut bounded)
        } else {
            unzstd(&packed, &mut bounded, bounds.bytes_max)
        };
        if bounded.is_passed && room < bytes_max {
            return Err(Undecoded::Outgrown);
        }
        if bounded.is_passed {
            return Err(bounds.passed_by(body.len()).into());
        }
        outcome.map_err(|problem| match problem {
            Problem::Broken(text) => {
                let text = self.mistaken(&packed).map_or(text, str::to_owned);
                Rejection::new(Reason::BadEncoding, format!("the body is not {} in base64: {text}", self.name()))
            }
            Problem::Window { bytes, bytes_max } => Rejection::new(
                Reason::TooLarge,
                format!("the body's zstd window is {bytes} bytes, and at most {bytes_max} are given: pack less, or without long windows"),
            ),
        })?;
        Ok(String::from_utf8(bounded.bytes)
            .map_err(|error| {
                let at = error.utf8_error().valid_up_to() + 1;
                Rejection::new(
                    Reason::BadJson,
                    format!("the unpacked body is not UTF-8 at byte {at}: encode the text as UTF-8 before it is packed"),
                )
            })?)
    }

    fn not_base64(self, body: &str) -> Rejection {
        let is_for_urls = body.contains(['-', '_'])
            && base64(&body.replace('-', "+").replace('_', "/")).is_some();
        let name = self.name();
        let text = if is_for_urls {
            "the body is not base64 as it must be: it is base64 of the alphabet for URLs (- and _): use the standard one (+ and /)".to_owned()
        } else {
            format!(
                "the body is not base64, though attribute {ATTRIBUTE} names {name}: send the packed bytes in base64, or leave the attribute out"
            )
        };
        Rejection::new(Reason::BadEncoding, text)
    }

    /// What bytes are that are not packed as the attribute says.
    fn mistaken(self, bytes: &[u8]) -> Option<&'static str> {
        if self != Self::Gzip && bytes.starts_with(&GZIP_MAGIC) {
            Some("it is gzip: name that in the attribute")
        } else if self != Self::Zstd && bytes.starts_with(&ZSTD_MAGIC) {
            Some("it is zstd: name that in the attribute")
        } else if bytes.trim_ascii_start().starts_with(b"{") {
            Some("it is not packed: pack it, or send the JSON as it is and leave the attribute out")
        } else {
            None
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Why a body cannot be unpacked.
enum Problem {
    /// The libraries' texts name positions and sizes, no contents.
    Broken(String),
    /// A zstd frame asks for more memory than it gets.
    Window { bytes: u64, bytes_max: u64 },
}

impl<E: std::error::Error> From<E> for Problem {
    fn from(error: E) -> Self {
        Self::Broken(shown_name(&error.to_string()))
    }
}

/// Takes bytes up to a bound, and never holds room for more.
struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
    /// More was to be written.
    is_passed: bool,
}

impl Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        let length = self.bytes.len() + more.len();
        if length > self.bytes_max {
            self.is_passed = true;
            return Err(io::Error::other("larger than the bound"));
        }
        if length > self.bytes.capacity() {
            // Doubles as a Vec does, but not beyond the bound.
            let capacity = self.bytes.capacity().saturating_mul(2).clamp(length, self.bytes_max);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gunzip(packed: &[u8], out: &mut Bounded) -> Result<(), Problem> {
    // Several members one after another are one body (RFC 1952, 2.2). One decoder for all: it has
    // tens of kilobytes, and a member may have twenty bytes.
    let mut decoder = MultiGzDecoder::new(packed);
    let has_begun = decoder.header().is_some();
    let Err(error) = io::copy(&mut decoder, out) else { return Ok(()) };
    // Behind a whole member it expects another one.
    let is_behind = has_begun && decoder.header().is_none();
    let is_short = error.kind() == io::ErrorKind::UnexpectedEof;
    // What is shorter than a header is one that was cut off only where it begins as one.
    let tail = &packed[packed.len().saturating_sub(GZIP_HEADER_BYTES - 1)..];
    if is_behind && !(is_short && tail.contains(&GZIP_MAGIC[0])) {
        return Err(Problem::Broken(BEHIND.to_owned()));
    }
    Err(if is_short { Problem::Broken(CUT.to_owned()) } else { error.into() })
}

/// `bytes_max` is the bound on the body, whatever room there is for it now: the window is part of
/// the message's form.
fn unzstd(mut packed: &[u8], out: &mut Bounded, bytes_max: usize) -> Result<(), Problem> {
    let window_max = bytes_max.max(WINDOW_BYTES) as u64;
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(window_max);
    let all = packed.len();
    // Several frames one after another are one body, and some say nothing (RFC 8878, 3).
    while !packed.is_empty() {
        let is_behind = packed.len() < all;
        match decoder.reset(&mut packed) {
            Ok(()) => unzstd_frame(&mut decoder, &mut packed, out)?,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let length = usize::try_from(length)?;
                packed = packed.get(length..).ok_or_else(|| Problem::Broken(CUT.to_owned()))?;
            }
            // A frame in one segment needs a window as large as itself.
            Err(FrameDecoderError::WindowSizeTooBig { requested, max }) => {
                return Err(Problem::Window { bytes: requested, bytes_max: max });
            }
            Err(_) if is_behind => return Err(Problem::Broken(BEHIND.to_owned())),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn unzstd_frame(
    decoder: &mut FrameDecoder,
    packed: &mut &[u8],
    out: &mut Bounded,
) -> Result<(), Problem> {
    loop {
        // A block is 128 KiB at most, so the decoder holds its window and little more.
        decoder.decode_blocks(&mut *packed, BlockDecodingStrategy::UptoBlocks(1))?;
        decoder.collect_to_writer(&mut *out)?;
        if decoder.is_finished() {
            break;
        }
    }
    match (decoder.get_checksum_from_data(), decoder.get_calculated_checksum()) {
        (Some(sent), Some(found)) if sent != found => Err(Problem::Broken(
            "the checksum does not match: pack it again, something changed it on its way"
                .to_owned(),
        )),
        _ => Ok(()),
    }
}
