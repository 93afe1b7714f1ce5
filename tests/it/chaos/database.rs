//! A database that dies, freezes, is cut off, fills up or locks the worker out in the middle of a
//! load. None of it may cost a message, or more than time.

use std::time::Duration;

use longshore::mongo_manager::MongoManager;
use mongodb::bson::{Document, doc};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::support::until;

use super::relay::Line;
use super::replica_set::{self, MEMBERS, ReplicaSet};
use super::table::Row;
use super::world::{RECEIVES_MAX, Setting, World};

/// The workers' own login, made anew for each scenario. Workers of several scenarios never run at
/// once here.
const USER: &str = "unloader";
const PASSWORD: &str = "letmein";

/// What happens to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    PrimaryKilled,
    PrimaryStepsDown,
    PrimaryFrozen,
    /// The workers want every member's acknowledgement, so that each write runs into the timeout of
    /// its write concern.
    SecondaryFrozen,
    SecondariesFrozen,
    PrimaryCutOff,
    PrimaryRefusesConnections,
    SetFrozen,
    SetKilled,
    PrimaryDiskFull,
    SetDisksFull,
    /// And made again, with the same password. Connections that were logged in stay up.
    UserDropped,
    RolesRevoked,
    /// And connections cut, so that new ones cannot log in.
    PasswordChanged,
}

impl Fault {
    pub const ALL: [Self; 14] = [
        Self::PrimaryKilled,
        Self::PrimaryStepsDown,
        Self::PrimaryFrozen,
        Self::SecondaryFrozen,
        Self::SecondariesFrozen,
        Self::PrimaryCutOff,
        Self::PrimaryRefusesConnections,
        Self::SetFrozen,
        Self::SetKilled,
        Self::PrimaryDiskFull,
        Self::SetDisksFull,
        Self::UserDropped,
        Self::RolesRevoked,
        Self::PasswordChanged,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::PrimaryKilled => "SIGKILL of the primary",
            Self::PrimaryStepsDown => "stepdown of the primary",
            Self::PrimaryFrozen => "SIGSTOP of the primary",
            Self::SecondaryFrozen => "SIGSTOP of a secondary, w: 3",
            Self::SecondariesFrozen => "SIGSTOP of both secondaries",
            Self::PrimaryCutOff => "packets to the primary dropped",
            Self::PrimaryRefusesConnections => "connections to the primary reset",
            Self::SetFrozen => "SIGSTOP of the whole set",
            Self::SetKilled => "SIGKILL of the whole set",
            Self::PrimaryDiskFull => "disk of the primary full",
            Self::SetDisksFull => "disks of the whole set full",
            Self::UserDropped => "user dropped and made again",
            Self::RolesRevoked => "roles revoked and granted",
            Self::PasswordChanged => "password changed and restored",
        }
    }

    /// Whether this machine has what it takes.
    pub fn can_be_had(self) -> bool {
        cfg!(target_os = "linux") || !matches!(self, Self::PrimaryDiskFull | Self::SetDisksFull)
    }

    pub fn takes_the_set_down(self) -> bool {
        matches!(self, Self::SetFrozen | Self::SetKilled | Self::SetDisksFull)
    }

    /// Settings of the workers under which it hurts.
    pub fn worker_settings(self) -> Vec<(&'static str, String)> {
        match self {
            Self::SecondaryFrozen => vec![("LONGSHORE__DB__WRITE_CONCERN__W", MEMBERS.to_string())],
            _ => Vec::new(),
        }
    }

    /// Those that it happens to.
    async fn members(self, set: &ReplicaSet) -> Vec<usize> {
        match self {
            Self::SetFrozen | Self::SetKilled | Self::SetDisksFull | Self::PasswordChanged => {
                (0..MEMBERS).collect()
            }
            Self::SecondaryFrozen => vec![set.secondaries().await[0]],
            Self::SecondariesFrozen => set.secondaries().await.to_vec(),
            Self::UserDropped | Self::RolesRevoked => Vec::new(),
            _ => vec![set.primary().await],
        }
    }
}

/// Strikes until a write met the fault: with bad luck all workers stand between two writes for as
/// long as the driver needs to find another primary. Returns when the fault was over; the set may
/// still have to find itself.
async fn strike(
    set: &mut ReplicaSet,
    world: &mut World,
    fault: Fault,
    mut duration: Duration,
) -> Instant {
    const STRIKES_MAX: usize = 8;
    let failed_before = world.writes_failed();
    for _ in 0..STRIKES_MAX {
        // Nothing stands between the look at the workers and the fault: no login, no search for the
        // primary.
        let (members, admin) = (fault.members(set).await, set.admin().await);
        world.start_filling();
        world.under_load().await;
        begin(set, &admin, fault, &members).await;
        let ends = Instant::now() + duration;
        let noticed = until("a write fails", async || world.writes_failed() > failed_before);
        let is_noticed = timeout_at(ends, noticed).await.is_ok();
        if is_noticed {
            world.stop_filling().await;
            sleep_until(ends).await;
        }
        end(set, fault, &members).await;
        let over = Instant::now();
        if is_noticed {
            return over;
        }
        // A write that hung is answered only now.
        set.mend().await;
        if world.writes_failed() > failed_before {
            return over;
        }
        duration = duration.max(SHORTEST) * 2;
    }
    panic!("no write met {} in {STRIKES_MAX} strikes", fault.name());
}

/// From where on a duration is doubled.
const SHORTEST: Duration = Duration::from_millis(200);

async fn begin(set: &ReplicaSet, admin: &MongoManager, fault: Fault, members: &[usize]) {
    let command = match fault {
        Fault::UserDropped => Some(doc! { "dropUser": USER }),
        Fault::RolesRevoked => Some(doc! { "updateUser": USER, "roles": [] }),
        Fault::PasswordChanged => Some(doc! { "updateUser": USER, "pwd": "another" }),
        // It does not stand for election again before.
        Fault::PrimaryStepsDown => {
            Some(doc! { "replSetStepDown": 5, "secondaryCatchUpPeriodSecs": 2, "force": true })
        }
        _ => None,
    };
    if let Some(command) = command {
        admin
            .database()
            .run_command(command.clone())
            .await
            .unwrap_or_else(|error| panic!("{command}: {error}"));
    }
    for &member in members {
        match fault {
            Fault::PrimaryKilled | Fault::SetKilled => set.kill(member).await,
            Fault::PrimaryFrozen
            | Fault::SecondaryFrozen
            | Fault::SecondariesFrozen
            | Fault::SetFrozen => set.freeze(member).await,
            Fault::PrimaryCutOff => set.cut(member, Line::Silent),
            Fault::PrimaryRefusesConnections => set.cut(member, Line::Refused),
            Fault::PrimaryDiskFull | Fault::SetDisksFull => set.fill_disk(member).await,
            Fault::PasswordChanged => set.reset(member),
            Fault::PrimaryStepsDown | Fault::UserDropped | Fault::RolesRevoked => {}
        }
    }
}

async fn end(set: &mut ReplicaSet, fault: Fault, members: &[usize]) {
    for &member in members {
        match fault {
            // A server does not outlive that; where it wrote nothing meanwhile, it is ended here.
            Fault::PrimaryKilled
            | Fault::SetKilled
            | Fault::PrimaryDiskFull
            | Fault::SetDisksFull => set.restart(member).await,
            _ => set.release(member).await,
        }
    }
    match fault {
        Fault::UserDropped => drop(set.run(user("createUser")).await),
        Fault::RolesRevoked | Fault::PasswordChanged => drop(set.run(user("updateUser")).await),
        _ => {}
    }
}

/// Makes the workers' user, or restores it.
fn user(command: &str) -> Document {
    doc! { command: USER, "pwd": PASSWORD, "roles": [{ "role": "readWriteAnyDatabase", "db": "admin" }] }
}

/// Lets `fault` happen for `duration` in a world of its own.
pub async fn endure(fault: Fault, duration: Duration, mut setting: Setting) -> Row {
    let mut set = replica_set::alone().await;
    setting.worker_settings.extend(fault.worker_settings());
    let mut world = World::new(&set, setting).await;
    // A scenario that failed left it behind.
    let _ = set.admin().await.database().run_command(doc! { "dropUser": USER }).await;
    set.run(user("createUser")).await;
    let uri = set.uri_as(USER, PASSWORD, world.manager.database().name());
    world.worker_settings.push(("MONGO_CACHE_URI", uri));
    let row = world
        .endure(fault.name(), async |world| strike(&mut set, world, fault, duration).await)
        .await;
    set.mend().await;
    set.run(doc! { "dropUser": USER }).await;
    assert!(row.writes_failed > 0, "{}: no worker noticed", fault.name());
    // A worker gives what it holds back when its gate closes, and at no other time while it runs.
    row.assert_extra_receives(row.gate_closed);
    row
}

async fn costs_nothing_but_time(fault: Fault, duration: Duration) -> Row {
    let row = endure(fault, duration, Setting::default()).await;
    row.assert_promises_kept();
    // An outage must not come near to where the queue gives a message up.
    row.assert_extra_receives(u64::from(RECEIVES_MAX) / 2 - 1);
    row
}

/// As [`costs_nothing_but_time`], and long enough that the workers notice.
async fn closes_the_gate_and_costs_nothing_but_time(fault: Fault, duration: Duration) {
    let row = costs_nothing_but_time(fault, duration).await;
    assert!(row.gate_closed > 0, "no worker stopped receiving");
}

/// Long enough for an election.
const SHORT: Duration = Duration::from_secs(2);

/// Longer than the retry budget, and than it takes the driver to notice.
const LONG: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_primary_that_is_killed_costs_nothing_but_time() {
    costs_nothing_but_time(Fault::PrimaryKilled, SHORT).await;
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_primary_that_steps_down_costs_nothing_but_time() {
    costs_nothing_but_time(Fault::PrimaryStepsDown, Duration::ZERO).await;
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_frozen_primary_costs_nothing_but_time() {
    costs_nothing_but_time(Fault::PrimaryFrozen, SHORT).await;
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn an_acknowledgement_that_does_not_come_costs_nothing_but_time() {
    closes_the_gate_and_costs_nothing_but_time(Fault::SecondaryFrozen, LONG).await;
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_primary_without_its_secondaries_costs_nothing_but_time() {
    closes_the_gate_and_costs_nothing_but_time(Fault::SecondariesFrozen, LONG).await;
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_network_cut_to_the_primary_costs_nothing_but_time() {
    costs_nothing_but_time(Fault::PrimaryCutOff, SHORT).await;
    costs_nothing_but_time(Fault::PrimaryRefusesConnections, SHORT).await;
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_frozen_set_closes_the_gate_and_costs_nothing_but_time() {
    closes_the_gate_and_costs_nothing_but_time(Fault::SetFrozen, LONG).await;
}

#[tokio::test]
async fn a_set_that_is_killed_closes_the_gate_and_costs_nothing_but_time() {
    closes_the_gate_and_costs_nothing_but_time(Fault::SetKilled, LONG).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "long: make test-long"]
async fn full_disks_cost_nothing_but_time() {
    costs_nothing_but_time(Fault::PrimaryDiskFull, SHORT).await;
    closes_the_gate_and_costs_nothing_but_time(Fault::SetDisksFull, LONG).await;
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_user_that_is_dropped_and_made_again_costs_nothing_but_time() {
    closes_the_gate_and_costs_nothing_but_time(Fault::UserDropped, LONG).await;
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn rights_that_are_revoked_and_granted_cost_nothing_but_time() {
    closes_the_gate_and_costs_nothing_but_time(Fault::RolesRevoked, LONG).await;
}

#[tokio::test]
#[ignore = "long: make test-long"]
async fn a_password_that_is_changed_and_restored_costs_nothing_but_time() {
    closes_the_gate_and_costs_nothing_but_time(Fault::PasswordChanged, LONG).await;
}
