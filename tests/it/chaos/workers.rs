//! Workers that die, stop or are replaced in the middle of a load, and documents that the database refuses.

use std::time::Duration;

use longshore::message::Reason;
use mongodb::bson::{Document, doc};
use serde_json::json;
use tokio::time::sleep;

use super::load::VISITS;
use super::replica_set;
use super::table::Row;
use super::world::{Setting, World};

/// What happens to workers, or to single documents. The set stays well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Killed,
    Stopped,
    /// One after the other, each only when the one before it has started again.
    RollingRestart,
    UniqueIndexRejects,
    ValidatorRejects,
}

/// Messages that the database will refuse, in one load.
const REFUSED: i64 = 12;

/// The seat that another program's document holds.
const SEAT_TAKEN: i32 = 1;

impl Fault {
    pub const ALL: [Self; 5] = [Self::Killed, Self::Stopped, Self::RollingRestart, Self::UniqueIndexRejects, Self::ValidatorRejects];

    pub fn name(self) -> &'static str {
        match self {
            Self::Killed => "SIGKILL of a worker",
            Self::Stopped => "SIGTERM of a worker",
            Self::RollingRestart => "rolling restart of three workers",
            Self::UniqueIndexRejects => "a unique index rejects",
            Self::ValidatorRejects => "a validator rejects",
        }
    }

    fn workers(self) -> usize {
        if self == Self::RollingRestart { 3 } else { 2 }
    }
}

/// Lets `fault` happen `moment` after a third of the load is sent, in a world of its own.
pub async fn endure(fault: Fault, moment: Duration, setting: Setting) -> Row {
    let set = replica_set::shared().await;
    let mut world = World::new(&set, Setting { workers: fault.workers(), ..setting }).await;
    if matches!(fault, Fault::UniqueIndexRejects | Fault::ValidatorRejects) {
        prepare_refusals(&mut world, fault).await;
    }
    world
        .endure(fault.name(), async |world| {
            sleep(moment).await;
            strike(world, fault).await;
        })
        .await
}

async fn strike(world: &mut World, fault: Fault) {
    match fault {
        Fault::Killed => {
            world.kill_worker(0).await;
            world.start_worker(0);
        }
        Fault::Stopped => {
            world.stop_worker(0).await;
            world.start_worker(0);
        }
        Fault::RollingRestart => {
            for number in 0..fault.workers() {
                world.stop_worker(number).await;
                world.start_worker(number);
                world.started(number).await;
            }
        }
        Fault::UniqueIndexRejects | Fault::ValidatorRejects => {}
    }
}

/// Gives the database a rule that some visits break, and adds such visits to the load.
async fn prepare_refusals(world: &mut World, fault: Fault) {
    let database = world.manager.database();
    if fault == Fault::ValidatorRejects {
        let validator = doc! { "seat": { "$ne": SEAT_TAKEN } };
        database.run_command(doc! { "create": VISITS, "validator": validator }).await.expect("a collection");
    } else {
        let visits = database.collection::<Document>(VISITS);
        // Number -1, which the check then expects as every other.
        visits.insert_one(doc! { "number": -1, "seat": SEAT_TAKEN }).await.expect("inserted");
        world.load.expected.visits.insert(-1);
        let partial = doc! { "seat": { "$exists": true } };
        let index = doc! { "key": { "seat": 1 }, "name": "seat", "unique": true, "partialFilterExpression": partial };
        database.run_command(doc! { "createIndexes": VISITS, "indexes": [index] }).await.expect("an index");
    }
    let refused = (0..REFUSED).map(|number| json!({ "type": "visit", "number": -2 - number, "seat": SEAT_TAKEN }));
    world.load.refused(refused, Reason::StoreRejected);
}

/// Enough for the second third of the load to have begun.
const MOMENT: Duration = Duration::from_millis(100);

async fn costs_nothing(fault: Fault) {
    endure(fault, MOMENT, Setting::default()).await.assert_promises_kept();
}

#[tokio::test]
async fn a_worker_that_is_killed_under_load_loses_and_doubles_nothing() {
    costs_nothing(Fault::Killed).await;
}

#[tokio::test]
async fn a_worker_that_is_stopped_under_load_loses_and_doubles_nothing() {
    costs_nothing(Fault::Stopped).await;
}

#[tokio::test]
async fn a_rolling_restart_costs_nothing() {
    costs_nothing(Fault::RollingRestart).await;
}

#[tokio::test]
async fn what_a_unique_index_rejects_is_dead_lettered_and_nothing_else() {
    costs_nothing(Fault::UniqueIndexRejects).await;
}

#[tokio::test]
async fn what_a_validator_rejects_is_dead_lettered_and_nothing_else() {
    costs_nothing(Fault::ValidatorRejects).await;
}
