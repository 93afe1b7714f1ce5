//! That each fault of the endpoint does what its name says, to the real adapter.

use longshore::queue::AnyRoom;

use super::*;
use crate::simulation::conditions::Conditions;
use crate::simulation::dice::Dice;
use crate::simulation::history::History;
use crate::simulation::life::SimulatedClock;
use crate::simulation::plan::Plan;
use crate::simulation::traffic::{Meaning, Sent};

const VISIBILITY_TIMEOUT: Duration = Duration::from_mins(2);

/// The body of the one message; long enough that an answer can end anywhere.
const BODY: &str = "caf\u{e9} \"in\" a \\ body, \u{1f6a2}";

struct Case {
    conditions: Arc<Conditions>,
    clock: Arc<SimulatedClock>,
    queue: Arc<Queue>,
    wired: Wired,
}

/// A queue with one message, on which nothing fails unless `only` does, always.
fn case(only: Option<Fault>, seed: u64) -> Case {
    let mut plan = Plan::draw(&Dice::new(1));
    plan.set_rates(only);
    let conditions = Arc::new(Conditions::new(Dice::new(seed), History::new(true), plan));
    let queue = Arc::new(Queue::new(Arc::clone(&conditions), VISIBILITY_TIMEOUT, false));
    queue.send(Sent::plain(BODY.to_owned(), String::new(), 0, Meaning::Poison("bad_json")));
    let clock = Arc::new(SimulatedClock::new(Arc::clone(&conditions)));
    let who = Arc::new(Life::new("w0.0".to_owned(), Arc::clone(&conditions)));
    let here = Arc::clone(&clock) as Arc<dyn Clock>;
    let wired = Wired::new(Arc::clone(&queue), who, here, false);
    Case { conditions, clock, queue, wired }
}

impl Case {
    async fn receive(&self) -> Result<Brought, QueueFault> {
        let received = self.wired.receive(10, Duration::ZERO, None, &mut AnyRoom).await;
        received.map(|(brought, _)| brought)
    }

    fn assert_clean(&self) {
        assert_eq!(self.conditions.history.violations(), Vec::<String>::new());
    }
}

/// The worlds of one fault, each with other chance.
async fn meet(only: Option<Fault>) -> Vec<(Result<Brought, QueueFault>, u32)> {
    let mut met = Vec::new();
    for seed in 0..30 {
        let case = case(only, seed);
        let received = case.receive().await;
        case.assert_clean();
        if let Some(fault) = only {
            assert!(case.conditions.history.coverage().times(fault) > 0, "{fault:?} strikes");
        }
        met.push((received, case.queue.receive_counts()[0]));
    }
    met
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_late_or_in_pieces_comes_as_it_was() {
    let harmless = [Fault::AnswerUntold, Fault::AnswerSlow, Fault::AnswerInPieces];
    for only in harmless.map(Some).into_iter().chain([None]) {
        for (received, _) in meet(only).await {
            let brought = received.unwrap_or_else(|fault| panic!("{only:?}: {fault}"));
            assert_eq!(brought.messages[0].body, BODY, "{only:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_whole_answer_brings_nothing_though_the_queue_has_acted() {
    let broken = [
        Fault::AnswerCut,
        Fault::AnswerHalf,
        Fault::AnswerMisstated,
        Fault::AnswerReplaced,
        Fault::AnswerStalls,
    ];
    for only in broken {
        for (received, receives) in meet(Some(only)).await {
            assert!(received.is_err(), "{only:?}: {received:?}");
            assert_eq!(receives, 1, "{only:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_not_let_in_has_asked_for_nothing() {
    for only in [Fault::QueueUnreachable, Fault::KeysReplaced] {
        for (received, receives) in meet(Some(only)).await {
            assert!(received.is_err(), "{only:?}: {received:?}");
            assert_eq!(receives, 0, "{only:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_signed_for_another_time_is_refused_until_it_is_signed_for_the_servers() {
    let case = case(None, 1);
    case.clock.jump(3_600_000);
    let brought = case.receive().await.expect("it is signed anew");
    assert_eq!(brought.messages.len(), 1);
    assert_eq!(case.conditions.history.coverage().times(Fault::SignedAtWrongTime), 1);
    case.receive().await.expect("and for the right time from then on");
    assert_eq!(case.conditions.history.coverage().times(Fault::SignedAtWrongTime), 1);
    case.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_closed_while_idle_costs_no_call() {
    for seed in 0..30 {
        let case = case(Some(Fault::IdleClosed), seed);
        for _ in 0..10 {
            case.receive().await.unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
            sleep(Duration::from_secs(3)).await;
        }
        case.assert_clean();
    }
}

#[tokio::test(start_paused = true)]
async fn what_becomes_of_each_handle_is_what_the_queue_did() {
    let case = case(None, 1);
    let brought = case.receive().await.expect("a message");
    let handles = [Arc::clone(&brought.messages[0].receipt_handle)];
    for (request, hide) in [(Request::Hide, 30), (Request::Release, 0), (Request::Delete, 0)] {
        let outcomes = case.wired.call(&handles, request, Duration::from_secs(hide)).await;
        assert_eq!(outcomes.expect("an answer"), [EntryOutcome::Done], "{request:?}");
    }
    assert_eq!(case.queue.left(), Vec::<usize>::new());
    case.assert_clean();
}
