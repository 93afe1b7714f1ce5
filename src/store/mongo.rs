//! stub
pub struct MongoStore;
impl MongoStore {
    pub fn new(_d: mongodb::Database, _c: &crate::config::DbConfig) -> Self { Self }
    pub async fn prepare(&self, _c: &crate::config::Collection, _b: bool) -> anyhow::Result<Option<String>> { Ok(None) }
}
impl crate::store::Store for MongoStore {
    async fn write(&self, _c: &crate::config::Collection, _w: &[&crate::message::Write]) -> crate::store::WriteOutcome { unimplemented!() }
}
