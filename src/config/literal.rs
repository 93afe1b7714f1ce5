//! Values as TOML writes them, on one line: what is printed can be copied into a file.

/// Text in double quotes. JSON's escapes are TOML's too; TOML wants DEL escaped besides.
pub(crate) fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string().replace('\x7f', "\\u007F")
}

/// A list of texts.
pub(crate) fn texts<S: AsRef<str>>(values: &[S]) -> String {
    let values: Vec<String> = values.iter().map(|value| text(value.as_ref())).collect();
    format!("[{}]", values.join(", "))
}
