//! Between the text of a message and the value that a jq program works on.
//!
//! A number that the program does not touch stays as it is written: jaq keeps a whole number in all its
//! digits, int64 or longer, and any other as the text that it is. Only `-0` comes out as `0`, as which the
//! decoder reads it too. What a program computes with a number that is not whole is a double.
//!
//! Of a name that stands twice in one object the last value comes out, at the place of the first. The
//! decoder refuses such an object, so `.` mends it.

use std::mem::take;

use anyhow::{Result, anyhow, bail};
use jaq_json::{Rc, Val, read as jaq, write};
use serde::de::IgnoredAny;

/// How deep a text may be nested: twice as deep as a message may. jaq reads, edits and writes by
/// recursion, and a text of nothing but brackets would have more levels than there is stack.
pub(super) const LEVELS_MAX: usize = 200;

/// Digits that may stand in a row. jaq reads a whole number in all its digits, and the time that this
/// takes grows with their square: a megabyte of digits would take seconds.
pub(super) const DIGITS_MAX: usize = 10_000;

/// What a program gets: the JSON that the text is, or else the text.
///
/// # Errors
/// Where it is JSON of more than [`LEVELS_MAX`] levels, or with a number of more than [`DIGITS_MAX`]
/// digits.
pub(super) fn read(text: &str) -> Result<Val> {
    if !is_json(text) {
        return Ok(text.to_owned().into());
    }
    bounded(text).map_err(|why| anyhow!("the message cannot be edited: {why}"))?;
    // What serde_json lets pass and jaq does not is an escape of half a character.
    Ok(jaq::parse_single(text.as_bytes()).unwrap_or_else(|_| text.to_owned().into()))
}

/// The filter `fromjson`: jaq's own, which takes more than JSON, within the same bounds.
///
/// # Errors
/// Where it is no such text, or passes the bounds.
pub(super) fn from_json(text: &[u8]) -> Result<Val, String> {
    // Those in comments and strings are counted here too. Where that is too many, it has to be JSON, of
    // which is known what is a string.
    let brackets = text.iter().filter(|byte| matches!(byte, b'{' | b'[')).count();
    let digits = text.split(|byte| !byte.is_ascii_digit()).map(<[u8]>::len).max();
    if brackets > LEVELS_MAX || digits > Some(DIGITS_MAX) {
        let text = str::from_utf8(text).map_err(|error| error.to_string())?;
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| error.to_string())?;
        bounded(text)?;
    }
    jaq::parse_single(text).map_err(|error| error.to_string())
}

/// The text of what a program gave for the value that came.
///
/// # Errors
/// Where it is neither an object nor a string, or holds what JSON or UTF-8 cannot.
pub(super) fn text(value: Val, came: &Val) -> Result<String> {
    let bytes = match in_order(value, came) {
        Val::TStr(text) => text.to_vec(),
        object @ Val::Obj(_) => {
            let mut bytes = Vec::new();
            write::write(&mut bytes, &write::Pp::default(), 0, &object)?;
            if !str::from_utf8(&bytes).is_ok_and(is_json) {
                bail!(
                    "the program gives an object that is no JSON: it holds NaN, an infinite number, bytes, or a name that is no text"
                );
            }
            bytes
        }
        other => bail!(
            "the program gives {}: it has to give an object, or a string that is the new text",
            kind(&other)
        ),
    };
    String::from_utf8(bytes).map_err(|_| anyhow!("the program gives a text that is not UTF-8"))
}

const fn kind(value: &Val) -> &'static str {
    match value {
        Val::Null => "null",
        Val::Bool(_) => "a boolean",
        Val::Num(_) => "a number",
        Val::BStr(_) => "bytes",
        Val::TStr(_) => "a string",
        Val::Arr(_) => "an array",
        Val::Obj(_) => "an object",
    }
}

/// The value with its names in the order in which they came, where a name is gone: jaq deletes one by
/// putting the last one in its place. New names stay behind the others. Where no name is gone, the order
/// is the program's.
fn in_order(value: Val, came: &Val) -> Val {
    match (value, came) {
        (Val::Obj(object), Val::Obj(came)) => {
            let mut object = Rc::unwrap_or_clone(object);
            for (name, value) in &mut object {
                if let Some(came) = came.get(name) {
                    *value = in_order(take(value), came);
                }
            }
            if came.keys().any(|name| !object.contains_key(name)) {
                let place = |name: &Val| came.get_index_of(name).unwrap_or(usize::MAX);
                object.sort_by_cached_key(|name, _| place(name));
            }
            Val::obj(object)
        }
        (Val::Arr(items), Val::Arr(came)) => {
            let mut items = Rc::unwrap_or_clone(items);
            for (item, came) in items.iter_mut().zip(came.iter()) {
                *item = in_order(take(item), came);
            }
            Val::Arr(Rc::new(items))
        }
        (value, _) => value,
    }
}

/// Whether it is JSON to the letter: jaq reads more.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Holds a text that is JSON against [`LEVELS_MAX`] and [`DIGITS_MAX`].
fn bounded(text: &str) -> Result<(), String> {
    let (mut level, mut digits) = (0_usize, 0_usize);
    let (mut is_text, mut is_escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b'{' | b'[' => level += 1,
            b'}' | b']' => level = level.saturating_sub(1),
            _ => {}
        }
        digits = if byte.is_ascii_digit() && !is_text { digits + 1 } else { 0 };
        if level > LEVELS_MAX {
            return Err(format!("it is nested more than {LEVELS_MAX} levels deep"));
        }
        if digits > DIGITS_MAX {
            return Err(format!("it holds a number of more than {DIGITS_MAX} digits"));
        }
    }
    Ok(())
}
