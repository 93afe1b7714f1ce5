//! What a worker does not start without: a queue and a database, the right to write, and a unique index on
//! each key.

use anyhow::{Context, bail};

use crate::config::Config;
use crate::mongo_manager::{MongoManager, MongoManagerError};
use crate::queue::sqs::URL_UNSET;
use crate::store::mongo::MongoStore;
use crate::store::mongo::indexes::{Contents, IndexReport};
use crate::store::{CURE, Collection};

/// Refuses to run where nobody named a queue or a database, and says both at once.
pub(super) fn refuse_unset(config: &Config) -> anyhow::Result<()> {
    let mut unset = Vec::new();
    if config.queue.url.is_none() {
        unset.push(URL_UNSET.to_owned());
    }
    if config.db.mongo_uri.as_ref().is_none_or(|uri| uri.expose().trim().is_empty()) {
        unset.push(MongoManagerError::UriUnset.to_string());
    }
    if !unset.is_empty() {
        bail!("{}", unset.join("\n"));
    }
    Ok(())
}

/// All collections that a worker writes to.
pub(super) fn collections(config: &Config) -> Vec<Collection> {
    config.collections.values().cloned().chain([config.dead_letter_collection()]).collect()
}

/// Refuses to run as a user who may not write: each message would wait for ever.
pub(super) async fn refuse_without_rights(
    config: &Config,
    collections: &[Collection],
    manager: &MongoManager,
) -> anyhow::Result<()> {
    // Any user may ask that; without a login nobody may, where the server wants one.
    manager.has_collection(&config.dead_letters.collection).await?;
    let granted = manager.privileges().await?;
    let refusals: Vec<String> =
        collections.iter().filter_map(|collection| granted.refusal(collection)).collect();
    if !refusals.is_empty() {
        bail!("{}", refusals.join("; "));
    }
    Ok(())
}

/// Makes missing indexes on empty and missing collections, and refuses to run without a key's
/// unique index: two workers could make one document twice.
pub(super) async fn prepare_indexes(
    config: &Config,
    collections: &[Collection],
    store: &MongoStore,
) -> anyhow::Result<Vec<(Collection, IndexReport)>> {
    let (mut refusals, mut reports) = (Vec::new(), Vec::new());
    for collection in collections {
        let mut report = store.indexes(collection).await?;
        if config.db.create_indexes
            && !report.missing.is_empty()
            && matches!(report.contents, Contents::Missing | Contents::Empty)
        {
            store.create_indexes(&report).await.with_context(|| {
                format!(
                    "cannot make the indexes of {}: where the user may not, {CURE}, or set db.create_indexes to false and \
                     make them by `longshore check --create-indexes`",
                    collection.name
                )
            })?;
            tracing::info!(
                collection = collection.name,
                indexes = report.missing.len(),
                "indexes made"
            );
            report = store.indexes(collection).await?;
        }
        refusals.extend(report.refusals());
        reports.push((collection.clone(), report));
    }
    if !refusals.is_empty() {
        bail!("{}", refusals.join("; "));
    }
    Ok(reports)
}
