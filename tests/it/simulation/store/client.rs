//! The store as a worker sees it: over a network, through a driver that gives up after a while.

use std::sync::Arc;
use std::time::Duration;

use longshore::message::Write;
use longshore::store::mongo::MongoStore;
use longshore::store::{Collection, StoreFaultKind, WriteOutcome, Writes};

use crate::simulation::conduct;
use crate::simulation::fault::Fault;
use crate::simulation::judge::DEAD_LETTERS;
use crate::simulation::life::Life;
use crate::simulation::wire::{Fate, Kill, ask};

use super::{HANGS, Store, unconfirmed};

/// How long the driver waits for a server and its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A write that is applied though nobody waits for it any more comes at most this much later.
const LATE_MS: u64 = 120_000;

/// The collection that [`Fault::CollectionDenied`] strikes.
pub const DENIED: &str = "sessions";

pub struct StoreClient {
    pub store: Arc<Store>,
    pub who: Arc<Life>,
}

/// What the server does with the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Acknowledged,
    /// Applied, and no majority said so in time.
    Unacknowledged,
    Half,
    /// Applied in part, and given up.
    TimedOut,
    /// Applied, and the primary steps down before the majority has it.
    SteppedDown,
}

impl StoreClient {
    /// What becomes of the next command, and how it is told where it has no answer.
    fn fate(&self, collection: &str, is_write: bool) -> (Fate, Deed, StoreFaultKind) {
        let conditions = self.who.conditions();
        let (dice, history) = (&conditions.dice, &conditions.history);
        // Of what strikes writes, a question is no case.
        let strikes =
            |fault| if is_write { conditions.strikes(fault) } else { conditions.draws(fault) };
        let mut fate = Fate {
            before: dice.between_ms(0, 10),
            after: dice.between_ms(0, 30),
            acts: true,
            answers: true,
            kill: None,
        };
        let (mut deed, mut kind) = (Deed::Acknowledged, StoreFaultKind::Unavailable);
        if let Some(outage) = conditions.outage() {
            history.saw(outage.fault);
            if outage.fault == Fault::NotAuthorised {
                kind = StoreFaultKind::Denied;
            } else if dice.chance(0.2) {
                (fate.before, kind) = (PATIENCE, StoreFaultKind::NoAnswer);
            }
            fate.acts = false;
        } else if collection == DEAD_LETTERS && conditions.spell(Fault::DeadLettersDenied)
            || collection == DENIED && conditions.spell(Fault::CollectionDenied)
        {
            (fate.acts, kind) = (false, StoreFaultKind::Collection);
        } else if strikes(Fault::StoreUnavailable) {
            fate.acts = false;
        } else if strikes(Fault::ConnectionLost) {
            (deed, kind, fate.answers) = (Deed::Half, StoreFaultKind::ConnectionLost, false);
        } else if strikes(Fault::HalfApplied) {
            (deed, kind, fate.answers) = (Deed::Half, StoreFaultKind::NoAnswer, false);
            fate.before = PATIENCE;
        } else if strikes(Fault::CommandTimedOut) {
            deed = Deed::TimedOut;
        } else if strikes(Fault::WriteAnswerLost) {
            (deed, kind, fate.answers) =
                (Deed::Acknowledged, StoreFaultKind::ConnectionLost, false);
        } else if strikes(Fault::WriteConcernUnmet) {
            deed = Deed::Unacknowledged;
        } else if strikes(Fault::SteppedDown) {
            deed = Deed::SteppedDown;
        } else if strikes(Fault::AppliedLate) {
            fate.before = PATIENCE + dice.between_ms(1, LATE_MS);
            kind = StoreFaultKind::NoAnswer;
        } else if conditions.draws(Fault::StoreSlow) {
            let hidden_for = conditions.plan.visibility_timeout;
            let visible = u64::try_from(hidden_for.as_millis()).expect("minutes");
            fate.before = dice.between_ms(500, (2 * visible).min(29_000));
            if is_write && fate.before > hidden_for {
                history.saw(Fault::StoreSlow);
            }
        } else if strikes(Fault::KilledBeforeAct) {
            fate.kill = Some(Kill::BeforeAct);
        } else if strikes(Fault::KilledAfterAct) {
            fate.kill = Some(Kill::AfterAct);
        }
        (fate, deed, kind)
    }
}

impl longshore::store::Store for StoreClient {
    async fn write(&self, collection: &Collection, writes: Writes<'_>) -> WriteOutcome {
        conduct::counts_call(&self.who);
        let conditions = self.who.conditions();
        let (fate, mut deed, kind) = self.fate(&collection.name, true);
        if writes.len() > 1 && conditions.spell(Fault::LargeTimesOut) {
            deed = Deed::TimedOut;
        }
        let store = Arc::clone(&self.store);
        let (collection, writes) = (collection.name.clone(), owned(&writes));
        let history = &conditions.history;
        history.note(|| {
            format!("{} writes to {collection}: {} ({deed:?})", self.who.name, names(&writes))
        });
        if self.who.is_alive() {
            conduct::writes(&self.who, &collection, &writes);
        }
        let act = {
            let (collection, writes) = (collection.clone(), writes.clone());
            let conditions = Arc::clone(conditions);
            async move {
                let applied = store.apply(&collection, &writes, || {
                    !matches!(deed, Deed::Half | Deed::TimedOut) || conditions.dice.chance(0.5)
                });
                match deed {
                    Deed::Acknowledged => {}
                    Deed::SteppedDown => store.step_down(),
                    Deed::TimedOut => {
                        return unconfirmed(StoreFaultKind::TimedOut, "it took too long");
                    }
                    Deed::Half | Deed::Unacknowledged => {
                        return unconfirmed(StoreFaultKind::Unavailable, "no majority in time");
                    }
                }
                // The majority takes a moment, in which a stepdown may come.
                tokio::time::sleep(Duration::from_millis(5)).await;
                store.acknowledge(applied)
            }
        };
        let outcome = ask(&self.who, fate, PATIENCE, act).await;
        let outcome =
            outcome.unwrap_or_else(|| unconfirmed(kind, "nothing was heard of the write"));
        if matches!(&outcome, WriteOutcome::Unconfirmed(fault) if fault.text.contains(HANGS)) {
            tokio::time::sleep(PATIENCE).await;
        }
        history.note(|| format!("{} hears of its write: {outcome:?}", self.who.name));
        conduct::wrote(&self.who, &collection, &writes, &outcome);
        outcome
    }

    fn command_bytes(write: &Write) -> usize {
        MongoStore::command_bytes(write)
    }

    async fn is_well(&self, collection: &Collection) -> bool {
        conduct::counts_call(&self.who);
        let (fate, deed, _) = self.fate(&collection.name, false);
        let question = conduct::Question::new(&self.who);
        let is_well = ask(&self.who, fate, PATIENCE, async move { deed == Deed::Acknowledged })
            .await
            .unwrap_or(false);
        self.who
            .conditions()
            .history
            .note(|| format!("{} asks whether the store takes writes: {is_well}", self.who.name));
        question.answer(is_well);
        is_well
    }
}

/// The writes, for a command that may run on when nobody waits for it any more.
fn owned(writes: &Writes<'_>) -> Vec<Write> {
    match writes {
        Writes::Inserts(inserts) => inserts.iter().copied().cloned().map(Write::Insert).collect(),
        Writes::Letters(letters) => letters.iter().copied().cloned().map(Write::Letter).collect(),
        Writes::Updates(_, updates) => {
            updates.iter().copied().cloned().map(Write::Update).collect()
        }
    }
}

fn names(writes: &[Write]) -> String {
    let name = |write: &Write| match write {
        Write::Insert(insert) => format!("insert {}", insert.id),
        Write::Letter(letter) => format!("letter {}", letter.id),
        Write::Update(update) => format!("update {}", update.key),
    };
    writes.iter().map(name).collect::<Vec<_>>().join(", ")
}
