//! stub
pub fn decode(
    _m: &crate::message::QueueMessage,
    _s: &crate::config::MessageConfig,
) -> Result<crate::message::Record, crate::message::Rejection> {
    unimplemented!()
}
