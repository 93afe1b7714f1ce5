//! No way in shows a password.

use super::{ConfigErrors, Loaded, file, load, print, with_flags, with_variables};

/// Every way in, with a password in a good place and in wrong ones.
#[test]
fn a_planted_password_is_never_shown() {
    const PASSWORD: &str = "hunter22";
    let uri = format!(
        "mongodb://portal:{PASSWORD}@h/portal?authMechanismProperties=AWS_SESSION_TOKEN:{PASSWORD}"
    );
    let options = format!(
        r#"{{"authMechanismProperties": "TOKEN:{PASSWORD}", "tlsCertificateKeyFile": "{PASSWORD}"}}"#
    );
    let broken_options = format!(r#"{{"password": "{PASSWORD}""#);
    let shown = |result: Result<Loaded, ConfigErrors>| match result {
        Ok(loaded) => format!("{}{loaded:?}", print::text(&loaded)),
        Err(errors) => format!("{errors}{errors:?}"),
    };
    let keys = [
        "db.mongo_uri",
        "db.mongo_url",
        "queue.url",
        "queue.wait",
        "log.level",
        "db",
        "routes",
        "routes.event.required",
        "routes.event.collection",
    ];
    let mut all = Vec::new();
    for key in keys {
        all.push(shown(with_flags(&[(key, &uri)])));
        all.push(shown(with_variables(&[(
            &format!("LONGSHORE__{}", key.replace('.', "__")),
            &uri,
        )])));
        all.push(shown(load(file("a.toml", &format!("{key} = [\"{uri}\"]\n")).sources)));
    }
    for text in [&options, &broken_options, &uri] {
        all.push(shown(with_flags(&[("db.connection_options", text)])));
        all.push(shown(with_flags(&[("db.mongo_uri", text)])));
        all.push(shown(load(
            file("a.ini", &format!("[db]\nconnection_options = {text}\n")).sources,
        )));
    }
    all.push(shown(with_variables(&[("MONGO_CACHE_URI", &uri)])));
    all.push(shown(with_flags(&[(&uri, "x")])));
    all.push(shown(with_flags(&[
        ("db.connection_options.password", PASSWORD),
        ("db.connection_options.w", "0"),
    ])));
    all.push(shown(load(file("b.toml", &format!("[db]\nmongo_uri = '{uri}\n")).sources)));
    all.push(shown(load(file("c.toml", &format!("[db]\nmongo_uri = {uri}\n")).sources)));
    all.push(shown(load(file("d.toml", &format!("[db]\n\"{uri}\" = 1\n\"{uri}\" = 2\n")).sources)));
    all.push(shown(load(file("e.ini", &format!("[db]\n{uri}\n")).sources)));
    for text in all {
        assert!(!text.contains(PASSWORD), "{text}");
    }
}
