//! Where everything is, as JSON and as lines that a shell reads.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::atomic_file::{AtomicFile, folder};
use crate::dev::sqs::REGION;

/// What a request may ask for.
pub const PATHS: [&str; 5] = ["GET /", "GET /good", "GET /bad", "GET /wait?count=N", "POST /reset"];

/// The variable that says that others were written here.
pub const DEV_URL: &str = "LONGSHORE_DEV_URL";

/// Those of them that Longshore reads as settings.
pub const WRITTEN: [&str; 3] =
    ["LONGSHORE__QUEUE__ENDPOINT_URL", "LONGSHORE__QUEUE__URL", "MONGO_CACHE_URI"];

/// The embedded SQS takes any credentials, but clients want some.
const KEY: &str = "local";

/// Addresses on this machine.
#[derive(Debug, Clone, Serialize)]
pub struct Addresses {
    /// Where this is told.
    pub double: String,
    pub sqs_endpoint_url: String,
    pub queue_url: String,
    pub mongo_uri: String,
    pub status_page: Option<String>,
    /// Those that routes write to.
    pub collections: Vec<String>,
}

impl Addresses {
    /// For `GET /`.
    pub fn json(&self) -> impl Serialize {
        #[derive(Serialize)]
        struct Told {
            #[serde(flatten)]
            addresses: Addresses,
            region: &'static str,
            access_key_id: &'static str,
            secret_access_key: &'static str,
            paths: [&'static str; PATHS.len()],
        }
        Told {
            addresses: self.clone(),
            region: REGION,
            access_key_id: KEY,
            secret_access_key: KEY,
            paths: PATHS,
        }
    }

    /// Variables by which Longshore, every AWS SDK and a portal's own code find this machine's
    /// servers; none holds a quote.
    fn variables(&self) -> [(&'static str, &str); 9] {
        [
            (DEV_URL, &self.double),
            ("AWS_REGION", REGION),
            // boto3 reads no other.
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", KEY),
            ("AWS_ENDPOINT_URL_SQS", &self.sqs_endpoint_url),
            (WRITTEN[0], &self.sqs_endpoint_url),
            (WRITTEN[1], &self.queue_url),
            (WRITTEN[2], &self.mongo_uri),
        ]
    }

    /// Lines that a POSIX shell reads with `.`.
    pub fn exports(&self) -> String {
        // A profile comes before keys in some SDKs, and need not be there.
        let mut lines = "unset AWS_PROFILE AWS_SESSION_TOKEN\n".to_owned();
        for (name, value) in self.variables() {
            // Writing to a text does not fail.
            let _ = writeln!(lines, "export {name}='{value}'");
        }
        lines
    }

    /// Whether a file can be written there, as far as that is told before.
    ///
    /// # Errors
    /// Where its folder is not there, or it is one itself.
    pub fn check(path: &Path) -> Result<()> {
        if path.is_dir() || !folder(path).is_dir() {
            bail!("cannot write --env {}: name a file in a folder that is there", path.display());
        }
        Ok(())
    }

    /// Writes these lines to a file, which is there as a whole or not at all; to what is no plain file (a link, a pipe,
    /// a device) it just writes.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let what = || format!("cannot write --env {}", path.display());
        if std::fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
            return std::fs::write(path, self.exports()).with_context(what);
        }
        let mut file = AtomicFile::beside(path).with_context(what)?;
        file.write_all(self.exports().as_bytes()).with_context(what)?;
        file.put_over().with_context(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_what_is_written_for_it() {
        let addresses = Addresses {
            double: "http://127.0.0.1:1".to_owned(),
            sqs_endpoint_url: "http://127.0.0.1:2".to_owned(),
            queue_url: "http://127.0.0.1:2/000000000000/portal".to_owned(),
            mongo_uri: "mongodb://127.0.0.1:3/portal?a=b&c=d".to_owned(),
            status_page: None,
            collections: Vec::new(),
        };
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("env");
        addresses.write(&file).expect("written");
        addresses.write(&file).expect("written over");
        let read = std::process::Command::new("sh")
            .args(["-c", r#". "$0" && printf '%s %s' "$MONGO_CACHE_URI" "$AWS_REGION""#])
            .arg(&file)
            .output()
            .expect("a shell");
        let read = String::from_utf8_lossy(&read.stdout).into_owned();
        assert_eq!(read, "mongodb://127.0.0.1:3/portal?a=b&c=d us-east-1");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        std::fs::write(&file, "old").expect("written");
        addresses.write(&link).expect("written through it");
        assert!(
            link.is_symlink() && std::fs::read_to_string(&file).is_ok_and(|text| text != "old")
        );
        let error = addresses.write(Path::new("/nowhere/env")).expect_err("no folder");
        assert!(error.to_string().contains("--env /nowhere/env"), "{error}");
    }
}
