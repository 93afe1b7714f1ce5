//! Keeps credentials out of texts that others wrote: the driver quotes what it cannot read, and
//! that may be a password.

use mongodb::options::Credential;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::options::options_in;
use crate::redact;

/// Stands in for a text that repeats a part of the credentials. Cutting the part out would still
/// tell where it was.
const WITHHELD: &str = "details are withheld because they repeat a part of the credentials";

/// Options of the connection string whose values are secret.
const SECRET_OPTIONS: [&str; 3] =
    ["authmechanismproperties", "proxypassword", "tlscertificatekeyfilepassword"];

/// Knows the secrets of one connection string, in lower case: the driver changes the case of what
/// it quotes.
#[derive(Clone, Default)]
pub(super) struct Redactor {
    secrets: Vec<String>,
}

impl Redactor {
    /// For a connection string that may be malformed: takes everything for secret that may be a
    /// part of the password. With an unescaped `@`, `/` or `?` in a password, the driver reads a
    /// part of it as host, database or option.
    pub(super) fn of_text(uri: &str) -> Self {
        let mut redactor = Self::default();
        let after_scheme = uri.split_once("://").map_or(uri, |(_, rest)| rest);
        if let Some((user_info, _)) = after_scheme.rsplit_once('@')
            && let Some((_, password)) = user_info.split_once(':')
        {
            redactor.add(password);
            password
                .split(['@', '/', '?', ':', '&', '=', ','])
                .for_each(|piece| redactor.add(piece));
        }
        redactor.add_options_of(uri);
        redactor
    }

    /// For a connection string that the driver could read, with the credentials that it found
    /// there.
    pub(super) fn of_credential(uri: &str, credential: Option<&Credential>) -> Self {
        let mut redactor = Self::default();
        if let Some(password) = credential.and_then(|credential| credential.password.as_deref()) {
            redactor.add(password);
            redactor.add(&utf8_percent_encode(password, NON_ALPHANUMERIC).to_string());
        }
        redactor.add_options_of(uri);
        redactor
    }

    fn add_options_of(&mut self, uri: &str) {
        for (name, value) in options_in(uri) {
            self.add_option(name, value);
        }
    }

    /// Takes the value for secret if the option of this name is one that holds secrets.
    pub(super) fn add_option(&mut self, name: &str, value: &str) {
        if SECRET_OPTIONS.contains(&name.to_ascii_lowercase().as_str()) {
            self.add(value);
            let decoded = percent_decode_str(value).decode_utf8_lossy();
            for form in [value, &*decoded] {
                form.split([',', ':']).for_each(|piece| self.add(piece));
            }
        }
    }

    /// Knows the secrets of `other` too.
    pub(super) fn learn(&mut self, other: Self) {
        for secret in other.secrets {
            if !self.secrets.contains(&secret) {
                self.secrets.push(secret);
            }
        }
    }

    fn add(&mut self, secret: &str) {
        for form in [secret.to_owned(), percent_decode_str(secret).decode_utf8_lossy().into_owned()]
        {
            let form = form.to_lowercase();
            if !form.is_empty() && !self.secrets.contains(&form) {
                self.secrets.push(form);
            }
        }
    }

    /// The text on one line, or a note in its place.
    pub(super) fn clean(&self, text: &str) -> String {
        let lower = text.to_lowercase();
        if self.secrets.iter().any(|secret| lower.contains(secret)) {
            return WITHHELD.to_owned();
        }
        redact::unless_signed(text).split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_repeats_a_part_of_the_password_is_withheld() {
        for (uri, text) in [
            ("mongodb://u:pass%20word@host/db", "bad: pass word"),
            ("mongodb://u:pass%20word@host/db", "bad: PASS%20word"),
            ("mongodb://u:first@second@host/db", "invalid port second"),
            ("mongodb://u:first?Second@host/db", "second is an invalid option"),
            ("mongodb://u:first/second@host/db", "illegal character in database name second"),
            ("u:naked@host/db", "naked"),
            ("mongodb://h/?authMechanismProperties=AWS_SESSION_TOKEN:tok%2Fen", "got tok/en"),
        ] {
            assert_eq!(Redactor::of_text(uri).clean(text), WITHHELD, "{uri} {text}");
        }
    }

    #[test]
    fn other_texts_are_kept_on_one_line() {
        let uri = "mongodb://admin:secret@host/db?appName=shop@home";
        let credential = Credential::builder()
            .username("admin".to_owned())
            .password("secret".to_owned())
            .build();
        let redactor = Redactor::of_credential(uri, Some(&credential));
        assert_eq!(redactor.clean("no host\n  for admin at home"), "no host for admin at home");
        assert_eq!(redactor.clean("it is Secret"), WITHHELD);
    }
}
