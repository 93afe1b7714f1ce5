//! Where dead letters are kept.

use crate::message::Receipt;

use super::record::Record;

/// Where dead letters are kept. It settles the message once the record is durable there.
pub trait Home: Send + Sync {
    fn keep(&self, receipt: Receipt, record: Record);
}
