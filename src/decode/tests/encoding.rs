//! Packed bodies: what gzip and zstd senders write, and what a hostile one may.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::super::encoding::{Encoding, Unpacked};
use super::super::undecoded::Undecoded;
use super::{decoded, rejected, route_of};
use crate::message::Reason;

const BODY: &str = r#"{"type":"event","id":"e-1","n":7}"#;
/// 3,678 bytes of JSON by `zstd -19`: compressed blocks and a checksum.
const ZSTD_LARGE: &str = "KLUv/WReDdUFAFIJHRiAzQNAEeCINAT00YTEtpBSQnbm0ZODeWnTAP+9+/b/7Je3evhce7a8FYPPtWfLWy34XHu2vJXD59qz5d3wufZseS8wMUHl0kMWchuCUaCdiWx2GpU38qwK5QVYBRvZQRqWhI3cJLMevABXOp/JG3kuUWUpPqgRUHPY/w3QS6E1ESAECMEKwf8/QugHCcMwGJBxQDKRzCSQSUwmiUgiMhEDkonJrABSXBCAAGCITfjb+i5ZFQUQNYv/JJs=";

pub fn gzip(bytes: &[u8]) -> String {
    STANDARD.encode(gzip_member(bytes))
}

fn gzip_member(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn unpack(encoding: Encoding, packed: &[u8], bytes_max: usize) -> Result<String, Reason> {
    let bounds = Unpacked { bytes_max, ratio_max: usize::MAX };
    encoding.unpack(&STANDARD.encode(packed), bounds).map_err(|rejection| rejection.reason)
}

/// A zstd frame without checksum whose blocks repeat one byte: 4 bytes for each 128 KiB.
fn zstd_bomb(window: u8, blocks: usize) -> Vec<u8> {
    let block = |last: u8| {
        let header = (128_u32 * 1024) << 3 | 1 << 1 | u32::from(last);
        [&header.to_le_bytes()[..3], b" "].concat()
    };
    [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, window][..], &block(0).repeat(blocks - 1), &block(1)].concat()
}

#[test]
fn what_gzip_and_zstd_write_is_read() {
    for (encoding, body) in [
        ("gzip", "H4sIAAAAAAACA6tWKqksSFWyUkotS80rUdJRykwBcXQNgcw8JSvzWgBjgbwCIQAAAA=="),
        ("GZIP", "H4sIAAAAAAACA6tWKqksSFWyUkotS80rUdJRykwBcXQNgcw8JSvzWgBjgbwCIQAAAA\n"),
        ("x-gzip", "H4sIAAAAAAACA6tWKqksSFWyUkotS80rUdJRykwBcXQNgcw8JSvzWgBjgbwCIQAAAA=="),
        // As `base64` breaks lines, and as Python's `encodebytes` and Windows do.
        ("gzip", "H4sIAAAAAAACA6tWKqksSFWyUkotS80r\nUdJRykwBcXQNgcw8JSvz\nWgBjgbwCIQAAAA==\n"),
        ("zstd", "KLUv/QBYCQEAeyJ0eXBlIjoiZXZlbnQi\r\n LCJpZCI6ImUtMSIsIm4iOjd9\r\n"),
        // From a file, from a pipe (size unknown: windows of 2 and 8 MiB), without a checksum.
        ("zstd", "KLUv/SQhCQEAeyJ0eXBlIjoiZXZlbnQiLCJpZCI6ImUtMSIsIm4iOjd9E8OwWg=="),
        ("zstd", "KLUv/QBYCQEAeyJ0eXBlIjoiZXZlbnQiLCJpZCI6ImUtMSIsIm4iOjd9"),
        ("zstd", "KLUv/QRoCQEAeyJ0eXBlIjoiZXZlbnQiLCJpZCI6ImUtMSIsIm4iOjd9E8OwWg=="),
        ("identity", BODY),
    ] {
        let record = decoded(body, &[("content-encoding", encoding)]);
        assert_eq!((route_of(&record), record.bytes), ("event", BODY.len()), "{encoding} {body}");
    }
    for name in ["Content-Encoding", "CONTENT-ENCODING"] {
        let packed = gzip(BODY.as_bytes());
        assert_eq!(decoded(&packed, &[(name, "GZip")]).bytes, BODY.len(), "{name}");
    }
    let both = [("Content-Encoding", "zstd"), ("content-encoding", "identity")];
    assert_eq!(decoded(BODY, &both).bytes, BODY.len(), "as it is written here");
    let large = decoded(ZSTD_LARGE, &[("content-encoding", "zstd")]);
    assert_eq!(large.bytes, 3_678);
    let document = super::json::document(&large.fields);
    assert_eq!(document.get_array("items").unwrap().len(), 60);
}

#[test]
fn members_and_frames_in_a_row_are_one_body() {
    let (left, right) = BODY.as_bytes().split_at(9);
    let members = [gzip_member(left), gzip_member(b""), gzip_member(right)].concat();
    assert_eq!(unpack(Encoding::Gzip, &members, 1_024).as_deref(), Ok(BODY));
    let frame = |bytes: &[u8]| {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    };
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let frames = [skippable.clone(), frame(left), skippable, frame(right)].concat();
    assert_eq!(unpack(Encoding::Zstd, &frames, 1_024).as_deref(), Ok(BODY));
}

#[test]
fn the_bound_on_the_unpacked_size_is_exact() {
    let zstd = STANDARD.decode(ZSTD_LARGE).unwrap();
    let text = unpack(Encoding::Zstd, &zstd, 3_678).unwrap();
    for (encoding, packed) in
        [(Encoding::Zstd, zstd), (Encoding::Gzip, gzip_member(text.as_bytes()))]
    {
        assert_eq!(unpack(encoding, &packed, 3_678).as_ref(), Ok(&text), "{encoding:?}");
        assert_eq!(unpack(encoding, &packed, 3_677), Err(Reason::TooLarge), "{encoding:?}");
    }
}

#[test]
fn a_bomb_is_stopped_at_the_bound() {
    // 8 GiB in 256 KiB; only its first blocks are unpacked.
    assert_eq!(
        unpack(Encoding::Zstd, &zstd_bomb(0x58, 65_536), 1_024 * 1_024),
        Err(Reason::TooLarge)
    );
    assert_eq!(
        unpack(Encoding::Zstd, &zstd_bomb(0x58, 8), 1_024 * 1_024).map(|text| text.len()),
        Ok(1_024 * 1_024)
    );
    let gzip_bomb = gzip_member(&vec![b' '; 8 * 1_024 * 1_024]).repeat(100);
    assert_eq!(unpack(Encoding::Gzip, &gzip_bomb, 1_024 * 1_024), Err(Reason::TooLarge));
}

#[test]
fn what_unpacks_to_too_many_times_its_size_is_rejected_with_its_figures() {
    let bounds = Unpacked { bytes_max: 2 * 1_024 * 1_024, ratio_max: 50 };
    let spaces = |bytes: usize| gzip(&vec![b' '; bytes]);
    let (free, small, large) = (spaces(65_536), spaces(65_537), spaces(1_024 * 1_024));
    assert!(small.len() < 65_537 / 50 && large.len() > 65_536 / 50, "{}", large.len());
    assert!(Encoding::Gzip.unpack(&free, bounds).is_ok(), "so much is always read");
    let rejection = Encoding::Gzip.unpack(&small, bounds).unwrap_err();
    assert_eq!(rejection.reason, Reason::TooLarge);
    assert_eq!(
        rejection.text,
        format!(
            "the body has {} bytes and unpacks to more than 65536, the most with message.unpack_ratio_max = 50: send it plain or in smaller messages, or raise the setting, which may be 100000",
            small.len()
        )
    );
    let most = 50 * large.len();
    let text = Encoding::Gzip.unpack(&large, bounds).unwrap_err().text;
    assert!(text.contains(&format!("to more than {most}, ")), "{text}");
    let enough = Unpacked { ratio_max: (1_024 * 1_024_usize).div_ceil(large.len()), ..bounds };
    assert!(Encoding::Gzip.unpack(&large, enough).is_ok());
    let outgrown = Encoding::Gzip.unpack_within(&large, bounds, most - 1);
    assert_eq!(outgrown, Err(Undecoded::Outgrown), "there is not room enough to tell");
}

#[test]
fn a_zstd_frame_gets_no_window_beyond_the_bound() {
    // 16 MiB, 128 MiB as `zstd --long=27` writes, and 2 TiB.
    for window in [0x70, 0x88, 0xf8] {
        assert_eq!(
            unpack(Encoding::Zstd, &zstd_bomb(window, 1), 1_024 * 1_024),
            Err(Reason::TooLarge),
            "{window:#x}"
        );
    }
    // One segment of 2^63 bytes, said in the header.
    let header =
        [&[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..], &(1_u64 << 63).to_le_bytes(), &[1, 0, 0]].concat();
    assert_eq!(unpack(Encoding::Zstd, &header, 1_024 * 1_024), Err(Reason::TooLarge));
}

#[test]
fn a_body_that_is_not_what_its_encoding_says_is_rejected() {
    let gzip = gzip_member(BODY.as_bytes());
    let zstd = STANDARD.decode(ZSTD_LARGE).unwrap();
    let changed =
        |bytes: &[u8]| [&bytes[..bytes.len() - 1], &[bytes[bytes.len() - 1] ^ 1]].concat();
    for (encoding, packed) in [
        (Encoding::Gzip, gzip[..gzip.len() - 1].to_vec()),
        (Encoding::Gzip, gzip[..20].to_vec()),
        (Encoding::Gzip, changed(&gzip)),
        (Encoding::Gzip, [&gzip[..], b"junk"].concat()),
        (Encoding::Gzip, zstd.clone()),
        (Encoding::Gzip, Vec::new()),
        (Encoding::Zstd, zstd[..zstd.len() - 1].to_vec()),
        (Encoding::Zstd, zstd[..30].to_vec()),
        (Encoding::Zstd, changed(&zstd)),
        (Encoding::Zstd, [&zstd[..], b"junk"].concat()),
        (Encoding::Zstd, vec![0x50, 0x2a, 0x4d, 0x18, 255, 0, 0, 0]),
        (Encoding::Zstd, gzip),
    ] {
        assert_eq!(
            unpack(encoding, &packed, 10_000),
            Err(Reason::BadEncoding),
            "{encoding:?} {packed:x?}"
        );
    }
    assert_eq!(
        unpack(Encoding::Zstd, &[], 10_000).as_deref(),
        Ok(""),
        "no frame at all is an empty body, which is no JSON"
    );
    assert_eq!(unpack(Encoding::Gzip, &gzip_member(b"\xff"), 10_000), Err(Reason::BadJson));
    assert_eq!(
        rejected(BODY, &[("content-encoding", "gzip")]).0,
        Reason::BadEncoding,
        "not base64"
    );
    for unknown in ["br", "gzip, zstd", "aws-chunked", "base64"] {
        let (reason, text) = rejected(BODY, &[("content-encoding", unknown)]);
        assert_eq!(
            (reason, text.contains("gzip, zstd and identity")),
            (Reason::BadEncoding, true),
            "{unknown}: {text}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_packed_body_is_told_with_what_to_do() {
    use base64::engine::general_purpose::URL_SAFE;
    let told = |encoding: &str, body: &str| rejected(body, &[("content-encoding", encoding)]).1;
    let junk = [&gzip_member(BODY.as_bytes())[..], b"junk"].concat();
    // Such bytes have a character of each alphabet.
    let odd = [&gzip_member(BODY.as_bytes())[..], &[0xff, 0xfe, 0xfb, 0xef]].concat();
    for (encoding, body, expected) in [
        (
            "gzip",
            STANDARD.encode(junk),
            "something stands behind the packed bytes: send them alone",
        ),
        (
            "gzip",
            URL_SAFE.encode(odd),
            "it is base64 of the alphabet for URLs (- and _): use the standard one (+ and /)",
        ),
        (
            "gzip",
            gzip(b"{\"type\":\"event\",\"n\":\"caf\xe9\"}"),
            "is not UTF-8 at byte 25: encode the text as UTF-8 before it is packed",
        ),
        ("gzip", STANDARD.encode(&gzip_member(BODY.as_bytes())[..20]), "it was cut off"),
        ("gzip", STANDARD.encode(BODY), "it is not packed: pack it, or send the JSON as it is"),
        ("zstd", gzip(BODY.as_bytes()), "it is gzip: name that in the attribute"),
        ("gzip", ZSTD_LARGE.to_owned(), "it is zstd: name that in the attribute"),
    ] {
        let text = told(encoding, &body);
        assert!(text.contains(expected), "{encoding}: {text}");
    }
}

proptest! {
    #[test]
    fn bytes_that_were_never_packed_do_not_panic(packed in proptest::collection::vec(any::<u8>(), 0..200)) {
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let _ = unpack(encoding, &packed, 10_000);
        }
    }

    #[test]
    fn a_damaged_frame_neither_panics_nor_passes_the_bound(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), is_zstd in any::<bool>(),
    ) {
        let (encoding, mut packed) = if is_zstd {
            (Encoding::Zstd, STANDARD.decode(ZSTD_LARGE).unwrap())
        } else {
            (Encoding::Gzip, gzip_member(BODY.as_bytes()))
        };
        for (index, byte) in damage {
            let at = index.index(packed.len());
            packed[at] = byte;
        }
        if let Ok(text) = unpack(encoding, &packed, 10_000) {
            prop_assert!(text.len() <= 10_000);
        }
    }

    #[test]
    fn any_text_survives_packing(text in any::<String>()) {
        prop_assert_eq!(unpack(Encoding::Gzip, &gzip_member(text.as_bytes()), 100_000), Ok(text.clone()));
        let zstd = ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
        prop_assert_eq!(unpack(Encoding::Zstd, &zstd, 100_000), Ok(text));
    }
}
