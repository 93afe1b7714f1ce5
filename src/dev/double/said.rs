//! Answers, all of them JSON on one line.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::extended_json::push_escaped;

/// An answer that is true now and not later. What a sender wrote may stand in it and go to a
/// terminal, so what that obeys is escaped.
pub fn said(status: StatusCode, value: &impl Serialize) -> Response {
    let mut text = String::new();
    match serde_json::to_string(value) {
        Ok(json) => push_escaped(&mut text, &json),
        Err(error) => return failed(&error),
    }
    text.push('\n');
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, text).into_response()
}

/// What is wrong, in words.
pub fn problem(status: StatusCode, mut text: String) -> Response {
    text.truncate(text.trim_end().len());
    said(status, &Problem { error: text })
}

#[derive(Serialize)]
struct Problem {
    error: String,
}

/// What this process could not do.
pub fn failed(error: &dyn std::fmt::Display) -> Response {
    problem(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}"))
}
