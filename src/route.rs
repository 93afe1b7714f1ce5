//! stub
pub struct Router;
impl Router {
    pub fn new(_c: &crate::config::Config) -> Self {
        Router
    }
    pub fn route(&self, _r: crate::message::Record) -> Result<Routed, crate::message::Rejection> {
        unimplemented!()
    }
}
pub struct Routed {
    pub route: std::sync::Arc<str>,
    pub collection: std::sync::Arc<str>,
    pub write: crate::message::Write,
}
