//! What a body must become: the rules for JSON in a message, applied to a tree as plainly as they
//! read.
//!
//! Both sides read the text of a `$date` by `longshore::time` and the digits of a `$numberDecimal`
//! by `bson::Decimal128`, which have tests of their own; everything else here is written a second
//! time.

use std::collections::BTreeSet;

use bson::{Binary, Bson, DateTime, Decimal128, Document, Regex, Timestamp, oid::ObjectId};

use super::reader::{Tree, read};

/// Objects and arrays in each other, and bytes of a document.
const LEVELS_MAX: usize = 100;
const BYTES_MAX: usize = 16 * 1024 * 1024;
/// 0001-01-01T00:00:00.000Z to 9999-12-31T23:59:59.999Z.
const MILLIS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// The document of a body as bytes, or none where it is rejected.
pub fn document(body: &str) -> Option<Vec<u8>> {
    let Tree::Object(entries) = read(body)? else { return None };
    let bytes = bson::serialize_to_vec(&object(&entries, 1)?).ok()?;
    (bytes.len() <= BYTES_MAX).then_some(bytes)
}

fn object(entries: &[(String, Tree)], level: usize) -> Option<Document> {
    let names: BTreeSet<_> = entries.iter().map(|(name, _)| name).collect();
    let sound = |name: &&String| !name.starts_with('$') && !name.contains('\0');
    if level > LEVELS_MAX || names.len() < entries.len() || !names.iter().all(sound) {
        return None;
    }
    entries.iter().map(|(name, tree)| Some((name.clone(), value(tree, level)?))).collect()
}

/// The value of a tree that stands in an object or array of this level.
fn value(tree: &Tree, level: usize) -> Option<Bson> {
    Some(match tree {
        Tree::Null => Bson::Null,
        Tree::Bool(value) => Bson::Boolean(*value),
        Tree::Number(literal) => number(literal)?,
        Tree::Text(text) => Bson::String(text.clone()),
        Tree::Array(_) if level == LEVELS_MAX => return None,
        Tree::Array(items) => {
            Bson::Array(items.iter().map(|item| value(item, level + 1)).collect::<Option<_>>()?)
        }
        Tree::Object(entries) => match &entries[..] {
            [(name, operand)] if name.starts_with('$') => extended(name, operand, level)?,
            [(a, first), (b, second)] if a.starts_with('$') => match (a.as_str(), b.as_str()) {
                ("$binary", "$type") => legacy_binary(first, second)?,
                ("$type", "$binary") => legacy_binary(second, first)?,
                ("$regex", "$options") => regex(first, second)?,
                ("$options", "$regex") => regex(second, first)?,
                _ => return None,
            },
            _ => Bson::Document(object(entries, level + 1)?),
        },
    })
}

/// Integers stay integers or are rejected; with a dot or an exponent it is a double, if there is
/// one.
fn number(literal: &str) -> Option<Bson> {
    if literal.contains(['.', 'e', 'E']) {
        let number: f64 = literal.parse().ok()?;
        return number.is_finite().then_some(Bson::Double(number));
    }
    let number: i64 = literal.parse().ok()?;
    Some(i32::try_from(number).map_or(Bson::Int64(number), Bson::Int32))
}

fn extended(name: &str, operand: &Tree, level: usize) -> Option<Bson> {
    match (name, operand) {
        ("$oid", Tree::Text(digits)) => {
            Some(Bson::ObjectId(ObjectId::from_bytes(hex(digits)?.try_into().ok()?)))
        }
        // `bson::DbPointer` cannot be made from outside of the crate but by reading one.
        ("$dbPointer", Tree::Object(entries)) => {
            let [Tree::Text(namespace), Tree::Object(id)] = both(entries, ["$ref", "$id"])? else {
                return None;
            };
            let [(oid, Tree::Text(digits))] = &id[..] else { return None };
            (oid == "$oid").then_some(())?;
            let id: [u8; 12] = hex(digits)?.try_into().ok()?;
            let text = namespace.as_bytes();
            let value =
                [&i32::try_from(text.len() + 1).ok()?.to_le_bytes()[..], text, &[0], &id].concat();
            let bytes = i32::try_from(value.len() + 8).ok()?.to_le_bytes();
            let document = [&bytes[..], b"\x0cv\0", &value, &[0]].concat();
            bson::deserialize_from_slice::<Document>(&document).ok()?.remove("v")
        }
        ("$date", operand) => Some(Bson::DateTime(DateTime::from_millis(millis(operand)?))),
        ("$numberLong", Tree::Text(digits)) => Some(Bson::Int64(digits.parse().ok()?)),
        ("$numberInt", Tree::Text(digits)) => Some(Bson::Int32(digits.parse().ok()?)),
        ("$numberDouble", Tree::Text(text)) => double(text).map(Bson::Double),
        ("$code", Tree::Text(text)) => Some(Bson::JavaScriptCode(text.clone())),
        ("$symbol", Tree::Text(text)) => Some(Bson::Symbol(text.clone())),
        ("$undefined", Tree::Bool(true)) => Some(Bson::Undefined),
        ("$minKey", Tree::Number(one)) if one == "1" => Some(Bson::MinKey),
        ("$maxKey", Tree::Number(one)) if one == "1" => Some(Bson::MaxKey),
        ("$regex", pattern) => regex(pattern, &Tree::Text(String::new())),
        ("$regularExpression", Tree::Object(entries)) => {
            let [pattern, options] = both(entries, ["pattern", "options"])?;
            regex(pattern, options)
        }
        ("$timestamp", Tree::Object(entries)) => {
            let [Tree::Number(time), Tree::Number(increment)] = both(entries, ["t", "i"])? else {
                return None;
            };
            let timestamp =
                Timestamp { time: time.parse().ok()?, increment: increment.parse().ok()? };
            // MongoDB puts its own time in the place of such a one in the document itself.
            let is_replaced = level == 1 && (timestamp.time, timestamp.increment) == (0, 0);
            (!is_replaced).then_some(Bson::Timestamp(timestamp))
        }
        ("$numberDecimal", Tree::Text(text)) => decimal(text).map(Bson::Decimal128),
        ("$binary", Tree::Object(entries)) => binary(entries),
        ("$uuid", Tree::Text(text)) => {
            let digits = if text.len() == 36 {
                let hyphens = text
                    .char_indices()
                    .filter(|(_, character)| *character == '-')
                    .map(|(at, _)| at);
                hyphens.eq([8, 13, 18, 23]).then(|| text.replace('-', ""))?
            } else {
                text.clone()
            };
            let bytes = hex(&digits).filter(|bytes| bytes.len() == 16)?;
            Some(Bson::Binary(Binary { subtype: 4.into(), bytes }))
        }
        _ => None,
    }
}

/// The values of two names, where no other is there.
fn both<'t>(entries: &'t [(String, Tree)], names: [&str; 2]) -> Option<[&'t Tree; 2]> {
    match entries {
        [(a, first), (b, second)] if [a.as_str(), b.as_str()] == names => Some([first, second]),
        [(a, first), (b, second)] if [b.as_str(), a.as_str()] == names => Some([second, first]),
        _ => None,
    }
}

fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        // Rust reads the names of these in more ways.
        _ if text.starts_with(|first: char| "+-.0123456789".contains(first)) => {
            text.parse::<f64>().ok().filter(|number| number.is_finite())
        }
        _ => None,
    }
}

fn regex(pattern: &Tree, options: &Tree) -> Option<Bson> {
    let (Tree::Text(pattern), Tree::Text(options)) = (pattern, options) else { return None };
    let letters: BTreeSet<char> = options.chars().collect();
    if !letters.iter().all(|letter| "ilmsux".contains(*letter)) {
        return None;
    }
    let options: String = letters.into_iter().collect();
    Some(Bson::RegularExpression(Regex {
        pattern: pattern.clone().try_into().ok()?,
        options: options.try_into().ok()?,
    }))
}

/// The subtype in hex, as a number, or from 80 on as a negative number of 32 bits in hex.
fn legacy_binary(bytes: &Tree, subtype: &Tree) -> Option<Bson> {
    let Tree::Text(text) = bytes else { return None };
    let subtype = match subtype {
        Tree::Number(literal) => literal.parse().ok()?,
        Tree::Text(digits) => {
            let low = digits.to_lowercase();
            let low = low.strip_prefix("ffffff").unwrap_or(&low);
            one_byte(low)?
        }
        _ => return None,
    };
    binary_of(subtype, text)
}

/// One or two digits.
fn one_byte(digits: &str) -> Option<u8> {
    let digits = if digits.len() == 1 { format!("0{digits}") } else { digits.to_owned() };
    let [byte] = hex(&digits)?[..] else { return None };
    Some(byte)
}

fn binary_of(subtype: u8, text: &str) -> Option<Bson> {
    // Lines are broken by whoever likes to.
    let text: String =
        text.chars().filter(|character| !" \t\r\n\u{c}".contains(*character)).collect();
    let bytes = base64(&text)?;
    let is_uuid = subtype == 3 || subtype == 4;
    (!is_uuid || bytes.len() == 16).then(|| Bson::Binary(Binary { subtype: subtype.into(), bytes }))
}

fn millis(operand: &Tree) -> Option<i64> {
    let millis = match operand {
        // Digits as a text may count anything.
        Tree::Text(text) if text.chars().all(|character| "+-.eE0123456789".contains(character)) => {
            return None;
        }
        Tree::Text(text) => longshore::time::from_text(text).ok()?.millis(),
        Tree::Number(literal) => literal.parse().ok()?,
        Tree::Object(entries) => match &entries[..] {
            [(name, Tree::Text(digits))] if name == "$numberLong" => digits.parse().ok()?,
            _ => return None,
        },
        _ => return None,
    };
    MILLIS.contains(&millis).then_some(millis)
}

fn decimal(text: &str) -> Option<Decimal128> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text).to_ascii_lowercase();
    let significand = unsigned.split('e').next()?;
    let is_number = significand.contains(|character: char| character.is_ascii_digit());
    (is_number || ["nan", "inf", "infinity"].contains(&unsigned.as_str()))
        .then(|| text.parse().ok())?
}

fn binary(entries: &[(String, Tree)]) -> Option<Bson> {
    let [Tree::Text(text), Tree::Text(subtype)] = both(entries, ["base64", "subType"])? else {
        return None;
    };
    binary_of(one_byte(subtype)?, text)
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = digits
        .chars()
        .map(|digit| u8::try_from(digit.to_digit(16)?).ok())
        .collect::<Option<_>>()?;
    digits
        .len()
        .is_multiple_of(2)
        .then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// The standard alphabet; padding may be left out, what is left over must be zero (RFC 4648, 3.5).
fn base64(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.trim_end_matches('=');
    let padding_max = (4 - digits.len() % 4) % 4;
    if text.len() - digits.len() > padding_max || digits.len() % 4 == 1 {
        return None;
    }
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    for digit in digits.chars() {
        bits = bits << 6 | u32::try_from(ALPHABET.find(digit)?).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
            bits &= (1 << held) - 1;
        }
    }
    (bits == 0).then_some(bytes)
}
