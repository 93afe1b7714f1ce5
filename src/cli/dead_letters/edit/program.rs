//! A jq program, as jaq reads and runs it.

use std::iter::once;

use anyhow::{Result, anyhow, bail};
use jaq_core::compile::Undefined;
use jaq_core::data::JustLut;
use jaq_core::load::lex::Expect as LexExpect;
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::native::{bome, run, v};
use jaq_core::{Compiler, Ctx, Cv, Exn, Filter, ValXs, Vars};
use jaq_json::{Error, Val};

use super::value::from_json;

type Data = JustLut<Val>;

/// Characters of an error that jq gives: it holds the value that it is about, which may be the message.
const ERROR_CHARS_MAX: usize = 300;

/// Characters that are shown of the place where a program is wrong.
const PLACE_CHARS_MAX: usize = 30;

pub(super) struct Program(Filter<Data>);

impl Program {
    /// # Errors
    /// What is wrong with it and where.
    pub(super) fn new(program: &str) -> Result<Self> {
        let wrong = |text: String| anyhow!("the jq program cannot be used: {text}");
        let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        // The first one of a name is the one that is called.
        let funs = once(run::<Data>(("fromjson", v(0), fromjson)))
            .chain(jaq_core::funs())
            .chain(jaq_std::funs())
            .chain(jaq_json::funs());
        let arena = Arena::default();
        let modules = Loader::new(defs)
            .load(&arena, File { code: program, path: () })
            .map_err(|errors| wrong(unread(program, &errors)))?;
        // A file of data is asked for by nobody else, and jaq panics where its variable is used.
        load::import(&modules, |_| Err(String::new()))
            .map_err(|errors| wrong(unread(program, &errors)))?;
        let filter = Compiler::default()
            .with_funs(funs)
            .compile(modules)
            .map_err(|errors| wrong(undefined(program, &errors)))?;
        Ok(Self(filter))
    }

    /// The one value that it gives for this one.
    ///
    /// # Errors
    /// Where it fails, or gives no value or several.
    pub(super) fn run(&self, value: Val) -> Result<Val> {
        let context = Ctx::<Data>::new(&self.0.lut, Vars::new([]));
        let mut values = self.0.id.run((context, value)).map(|value| value.map_err(failed));
        let Some(value) = values.next().transpose()? else {
            bail!("the program gives no value: it has to give one");
        };
        if values.next().transpose()?.is_some() {
            bail!("the program gives more than one value: it has to give one");
        }
        Ok(value)
    }
}

fn fromjson((_, value): Cv<'_, Data>) -> ValXs<'_, Val> {
    let parsed = value.try_as_utf8_bytes_owned().and_then(|text| {
        from_json(&text)
            // The text comes last, because it is what is long.
            .map_err(|error| Error::str(format_args!("cannot parse as JSON, {error}: {value}")))
    });
    bome(parsed)
}

fn failed(exception: Exn<'_, Val>) -> anyhow::Error {
    // `halt` would end the whole command, were it left to jaq.
    let Ok(error) = exception.get_err() else {
        return anyhow!("the program halts: it has to give a value");
    };
    let text = match error.into_val() {
        Val::TStr(text) => String::from_utf8_lossy(&text).into_owned(),
        other => other.to_string(),
    };
    anyhow!("the program fails: {}", shown(&text, ERROR_CHARS_MAX))
}

/// The first thing that is wrong with how a program is written.
fn unread(program: &str, errors: &load::Errors<&str, ()>) -> String {
    let first = errors.first().and_then(|(_, error)| match error {
        load::Error::Lex(errors) => errors.first().map(|(what, found)| match what {
            LexExpect::Token => format!("it says nothing in jq: {}", place(program, found)),
            _ => format!("expected {}, found {}", what.as_str(), place(program, found)),
        }),
        load::Error::Parse(errors) => errors.first().map(|(what, found)| {
            let expected = shown(what.as_str(), PLACE_CHARS_MAX);
            format!("expected {expected}, found {}", place(program, found))
        }),
        load::Error::Io(errors) => errors.first().map(|(path, _)| {
            format!("it may not read other files, such as {}", place(program, path))
        }),
    });
    first.unwrap_or_else(|| "it is no jq".to_owned())
}

fn undefined(program: &str, errors: &jaq_core::compile::Errors<&str, ()>) -> String {
    let first = errors.first().and_then(|(_, errors)| errors.first());
    first.map_or_else(
        || "it is no jq".to_owned(),
        |(name, what)| {
            let arity = match what {
                Undefined::Filter(arity) if *arity > 0 => format!(" with {arity} arguments"),
                _ => String::new(),
            };
            format!("there is no {}{arity} named {}", what.as_str(), place(program, name))
        },
    )
}

/// A part of the program, and where in it that stands.
fn place(program: &str, part: &str) -> String {
    let at = part.as_ptr().addr().checked_sub(program.as_ptr().addr());
    let Some(before) = at.and_then(|at| program.get(..at)) else {
        return format!("`{}`", shown(part, PLACE_CHARS_MAX));
    };
    if before.len() == program.len() {
        return "its end".to_owned();
    }
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("`{}` at line {line}, column {column}", shown(part, PLACE_CHARS_MAX))
}

/// The text in one line, cut, with what is no printable character escaped. Its quotes and backslashes are
/// mostly those of JSON, and stay.
fn shown(text: &str, chars_max: usize) -> String {
    let mut shown = String::new();
    for char in text.chars().take(chars_max) {
        match char {
            '"' | '\'' | '\\' => shown.push(char),
            _ => shown.extend(char.escape_debug()),
        }
    }
    if text.chars().nth(chars_max).is_some() {
        shown.push_str("...");
    }
    shown
}
