//! Workers that die, stop or are replaced in the middle of a load.

use super::replica_set;
use super::world::{Setting, World};

#[tokio::test]
async fn workers_that_are_killed_under_load_lose_and_double_nothing() {
    let set = replica_set::shared().await;
    let world = World::new(&set, Setting::default()).await;
    let row = world
        .endure("SIGKILL of a worker", async |world| {
            world.kill_worker(0).await;
            world.start_worker(0);
        })
        .await;
    println!("{}", super::table::table(&[&row]));
    row.assert_promises_kept();
}
