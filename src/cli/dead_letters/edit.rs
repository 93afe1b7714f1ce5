//! STUB until the merge.
use crate::decode::MessageConfig;
use crate::message::QueueMessage;
pub struct Edit;
impl Edit {
    pub fn new(_: &str) -> anyhow::Result<Self> {
        Ok(Self)
    }
    pub fn of(&self, message: &QueueMessage, _: &MessageConfig) -> anyhow::Result<QueueMessage> {
        Ok(message.clone())
    }
}
