//! The AWS profile that `AWS_PROFILE` names, looked at only where there are no credentials, to say
//! whether it is there.

use std::borrow::Cow;

#[expect(
    deprecated,
    reason = "its new name is in a crate that this one needs for nothing else"
)]
use aws_config::profile::profile_file::ProfileFiles;
use aws_types::os_shim_internal::{Env, Fs};

const VARIABLE: &str = "AWS_PROFILE";

/// What a profile has to do with missing credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chosen {
    /// `AWS_PROFILE` is not set.
    None,
    /// No file has it.
    Missing(String),
    /// It is there, or the files cannot be read, and gives no credentials.
    Empty(String),
}

pub(super) async fn chosen() -> Chosen {
    match std::env::var(VARIABLE) {
        Ok(name) if !name.is_empty() => look(name, &Fs::real(), &Env::real()).await,
        _ => Chosen::None,
    }
}

#[expect(deprecated, reason = "as above")]
async fn look(name: String, files: &Fs, environment: &Env) -> Chosen {
    let chosen = Some(Cow::Owned(name.clone()));
    let loaded =
        aws_config::profile::load(files, environment, &ProfileFiles::default(), chosen).await;
    match loaded {
        Ok(profiles) if profiles.get_profile(&name).is_none() => Chosen::Missing(name),
        _ => Chosen::Empty(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_profile_that_no_file_has_is_told_from_one_without_credentials() {
        let files = Fs::from_slice(&[("/config", "[profile there]\nregion = eu-west-1\n")]);
        let environment = Env::from_slice(&[
            ("AWS_CONFIG_FILE", "/config"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/absent"),
        ]);
        let of = async |name: &str| look(name.to_owned(), &files, &environment).await;
        assert_eq!(of("there").await, Chosen::Empty("there".to_owned()));
        assert_eq!(of("their").await, Chosen::Missing("their".to_owned()));
    }
}
