//! A database that dies, freezes, is cut off or fills up in the middle of a load. None of it may cost a message, or more than
//! time.

use std::time::Duration;

use mongodb::bson::doc;

use super::relay::Line;
use super::replica_set::{self, ReplicaSet};
use super::table::{Row, table};
use super::world::{Setting, World};

/// What happens to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    PrimaryKilled,
    PrimaryStepsDown,
    PrimaryFrozen,
    SecondaryFrozen,
    SecondariesFrozen,
    PrimaryCutOffSilently,
    PrimaryRefusesConnections,
    SetFrozen,
    SetKilled,
    PrimaryDiskFull,
    SetDisksFull,
}

/// Lets it happen for `duration`, and ends it. Returns when the fault is over; the set may still have to find itself.
pub async fn strike(set: &mut ReplicaSet, fault: Fault, duration: Duration) {
    let primary = set.primary().await;
    let secondaries = set.secondaries().await;
    let all = [primary, secondaries[0], secondaries[1]];
    let hurt: &[usize] = match fault {
        Fault::SetFrozen | Fault::SetKilled | Fault::SetDisksFull => &all,
        Fault::SecondaryFrozen => &secondaries[..1],
        Fault::SecondariesFrozen => &secondaries,
        _ => &all[..1],
    };
    for &member in hurt {
        match fault {
            Fault::PrimaryKilled | Fault::SetKilled => set.kill(member).await,
            Fault::PrimaryFrozen | Fault::SecondaryFrozen | Fault::SecondariesFrozen | Fault::SetFrozen => set.freeze(member).await,
            Fault::PrimaryCutOffSilently => set.cut(member, Line::Silent),
            Fault::PrimaryRefusesConnections => set.cut(member, Line::Refused),
            Fault::PrimaryDiskFull | Fault::SetDisksFull => set.fill_disk(member).await,
            // It would not stand for election again for so long.
            Fault::PrimaryStepsDown => drop(set.run(doc! { "replSetStepDown": 5, "secondaryCatchUpPeriodSecs": 2, "force": true }).await),
        }
    }
    tokio::time::sleep(duration).await;
    for member in 0..replica_set::MEMBERS {
        set.cut(member, Line::Open);
        if !set.is_running(member).await {
            set.restart(member).await;
        } else if matches!(fault, Fault::PrimaryDiskFull | Fault::SetDisksFull) && hurt.contains(&member) {
            set.restart(member).await;
        } else {
            set.thaw(member).await;
        }
    }
}

async fn row_of(fault: Fault, duration: Duration, setting: Setting) -> Row {
    let mut set = replica_set::alone().await;
    let world = World::new(&set, setting).await;
    let row = world.endure(&format!("{fault:?}"), async |_| strike(&mut set, fault, duration).await).await;
    set.mend().await;
    println!("{}", table(&[&row]));
    row
}
macro_rules! t {
    ($n:ident, $f:ident, $s:expr) => {
        #[tokio::test]
        async fn $n() {
            row_of(Fault::$f, Duration::from_secs($s), Setting::default()).await.assert_promises_kept();
        }
    };
}
t!(pk, PrimaryKilled, 3);
t!(psd, PrimaryStepsDown, 3);
t!(pf, PrimaryFrozen, 3);
t!(sf, SecondaryFrozen, 3);
t!(ssf, SecondariesFrozen, 5);
t!(pcs, PrimaryCutOffSilently, 5);
t!(prc, PrimaryRefusesConnections, 3);
t!(setf, SetFrozen, 6);
t!(setk, SetKilled, 6);
t!(pdf, PrimaryDiskFull, 3);
t!(sdf, SetDisksFull, 3);
