//! Workers that die, stop or are replaced in the middle of a load, and documents that the database
//! refuses.

use std::time::Duration;

use longshore::message::Reason;
use mongodb::bson::{Document, doc};
use serde_json::json;
use tokio::time::{Instant, sleep};

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
    pub const ALL: [Self; 5] = [
        Self::Killed,
        Self::Stopped,
        Self::RollingRestart,
        Self::UniqueIndexRejects,
        Self::ValidatorRejects,
    ];

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

/// Lets `fault` happen `moment` after the workers have begun to write a second load, in a world of
/// its own.
pub async fn endure(fault: Fault, moment: Duration, setting: Setting) -> Row {
    let set = replica_set::shared().await;
    let mut world = World::new(&set, Setting { workers: fault.workers(), ..setting }).await;
    if matches!(fault, Fault::UniqueIndexRejects | Fault::ValidatorRejects) {
        prepare_refusals(&mut world, fault).await;
    }
    world
        .endure(fault.name(), async |world| {
            world.start_filling();
            world.under_load().await;
            sleep(moment).await;
            strike(world, fault).await;
            Instant::now()
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
        database
            .run_command(doc! { "create": VISITS, "validator": validator })
            .await
            .expect("a collection");
    } else {
        let visits = database.collection::<Document>(VISITS);
        // Number -1, which the check then expects as every other.
        visits.insert_one(doc! { "number": -1, "seat": SEAT_TAKEN }).await.expect("inserted");
        world.load.expected.visits.insert(-1);
        let partial = doc! { "seat": { "$exists": true } };
        let index = doc! { "key": { "seat": 1 }, "name": "seat", "unique": true, "partialFilterExpression": partial };
        database
            .run_command(doc! { "createIndexes": VISITS, "indexes": [index] })
            .await
            .expect("an index");
    }
    let rejected = (0..REFUSED)
        .map(|number| json!({ "type": "visit", "number": -2 - number, "seat": SEAT_TAKEN }));
    world.load.rejected(rejected, Reason::StoreRejected);
}

/// Extra receives of one message are at most `extra_receives_max`.
async fn costs_nothing(fault: Fault, extra_receives_max: u64) -> Row {
    let row = endure(fault, Duration::ZERO, Setting::default()).await;
    row.assert_promises_kept();
    row.assert_extra_receives(extra_receives_max);
    row
}

/// What it held comes back when its visibility timeout is over, once: nobody is killed with it in
/// his hands again.
#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_worker_that_is_killed_under_load_loses_and_doubles_nothing() {
    let row = costs_nothing(Fault::Killed, 1).await;
    assert!(row.extra_receives > 0, "it died with messages in its hands");
}

/// What its last receives still bring goes back, and comes to a worker that is not stopped.
#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_worker_that_is_stopped_under_load_loses_and_doubles_nothing() {
    costs_nothing(Fault::Stopped, 1).await;
}

/// Each of the three that stop may give a message back once.
#[tokio::test]
async fn a_rolling_restart_costs_nothing() {
    costs_nothing(Fault::RollingRestart, 3).await;
}

/// A rejection is decided at the first receive.
#[tokio::test]
async fn what_a_unique_index_rejects_is_dead_lettered_and_nothing_else() {
    costs_nothing(Fault::UniqueIndexRejects, 0).await;
}

/// As above.
#[tokio::test]
#[ignore = "long: make test-long"]
async fn what_a_validator_rejects_is_dead_lettered_and_nothing_else() {
    costs_nothing(Fault::ValidatorRejects, 0).await;
}
