//! `--edit` and `--new-id` of a build without the feature `edit`: refused, before anything is read.

use std::convert::Infallible;

use anyhow::{Result, bail};

use crate::decode::MessageConfig;
use crate::message::QueueMessage;

/// No program of jq: this build has none.
pub struct Edit(Infallible);

impl Edit {
    /// # Errors
    /// Always.
    pub fn new(_program: &str) -> Result<Self> {
        bail!(
            "this build cannot edit messages, as --edit and --new-id do: build longshore with the feature `edit`"
        )
    }

    /// # Errors
    /// None: there is no program.
    pub fn of(&self, _: &QueueMessage, _: &MessageConfig) -> Result<QueueMessage> {
        match self.0 {}
    }
}
