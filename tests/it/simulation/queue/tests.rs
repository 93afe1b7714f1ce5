//! That the simulated queue does what SQS does: what the worlds show is worth no more than this.

use std::collections::BTreeSet;
use std::slice;

use longshore::queue::EntryOutcome;

use super::*;
use crate::simulation::dice::Dice;
use crate::simulation::history::History;
use crate::simulation::plan::Plan;
use crate::simulation::traffic::Meaning;

const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);

/// A queue with these messages, of one group each, on which nothing fails unless `only` does,
/// always.
fn queue(groups: &[&str], only: Option<Fault>) -> Queue {
    let mut plan = Plan::draw(&Dice::new(1));
    plan.set_rates(only);
    let fifo = groups.iter().any(|group| !group.is_empty());
    let conditions = Arc::new(Conditions::new(Dice::new(2), History::new(true), plan));
    let queue = Queue::new(conditions, VISIBILITY_TIMEOUT, fifo);
    for group in groups {
        queue.send(Sent::plain(String::new(), (*group).to_owned(), 0, Meaning::Poison("bad_json")));
    }
    queue
}

async fn receive(queue: &Queue, wait_s: u64) -> Vec<(String, Arc<str>, u32)> {
    let brought = queue.receive(10, Duration::from_secs(wait_s), None).await;
    brought
        .into_iter()
        .map(|one| (one.message.message_id, one.message.receipt_handle, one.message.receive_count))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_received_message_is_hidden_for_its_timeout_and_comes_back_under_another_handle() {
    let queue = queue(&[""], None);
    let first = receive(&queue, 0).await;
    assert_eq!((&first[0].0, first[0].2), (&message_id(0), 1));
    let asked = Instant::now();
    let second = receive(&queue, 60).await;
    assert!(asked.elapsed() >= VISIBILITY_TIMEOUT, "it was hidden");
    assert_eq!((&second[0].0, second[0].2), (&message_id(0), 2));
    assert_ne!(first[0].1, second[0].1);
    assert_eq!(
        queue.delete(&[Arc::clone(&first[0].1)]),
        [EntryOutcome::Stale],
        "the earlier handle deletes nothing"
    );
    assert_eq!(queue.left(), [0]);
    assert_eq!(queue.delete(&[Arc::clone(&second[0].1)]), [EntryOutcome::Done]);
    assert!(queue.left().is_empty());
    assert!(receive(&queue, 60).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn visibility_is_extended_and_given_up_from_the_moment_of_the_call() {
    let queue = queue(&[""], None);
    let handle = [Arc::clone(&receive(&queue, 0).await[0].1)];
    sleep(Duration::from_secs(20)).await;
    assert_eq!(queue.change_visibility(&handle, VISIBILITY_TIMEOUT), [EntryOutcome::Done]);
    assert!(receive(&queue, 20).await.is_empty(), "extended beyond its first timeout");
    assert_eq!(queue.change_visibility(&handle, Duration::ZERO), [EntryOutcome::Done]);
    assert_eq!(receive(&queue, 0).await.len(), 1, "given back at once");
    assert_eq!(queue.change_visibility(&handle, VISIBILITY_TIMEOUT), [EntryOutcome::Stale]);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_ends_with_the_first_message() {
    let queue = Arc::new(queue(&[], None));
    let waiting = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { receive(&queue, 20).await.len() }
    });
    sleep(Duration::from_secs(5)).await;
    queue.send(Sent::plain(String::new(), String::new(), 0, Meaning::Poison("bad_json")));
    let asked = Instant::now();
    assert_eq!(waiting.await.expect("no panic"), 1);
    assert!(asked.elapsed() < Duration::from_secs(1), "not at the end of its wait");
}

#[tokio::test(start_paused = true)]
async fn a_group_is_delivered_in_order_and_nothing_of_it_while_some_is_in_flight() {
    let queue = queue(&["a", "a", "b"], None);
    let brought = queue.receive(1, Duration::ZERO, None).await;
    assert_eq!(brought[0].message.message_id, message_id(0));
    let others = receive(&queue, 0).await;
    assert_eq!(
        others.into_iter().map(|one| one.0).collect::<Vec<_>>(),
        [message_id(2)],
        "the group a is in flight"
    );
    queue.delete(&[Arc::clone(&brought[0].message.receipt_handle)]);
    assert_eq!(receive(&queue, 0).await[0].0, message_id(1));
}

#[tokio::test(start_paused = true)]
async fn a_sequence_number_grows_within_its_group_and_is_as_long_as_aws_makes_it() {
    let queue = queue(&["a", "b", "a", "a"], None);
    let brought = queue.receive(10, Duration::ZERO, None).await;
    let of = |group: &str| {
        brought
            .iter()
            .filter_map(|one| one.message.fifo.clone())
            .filter(|fifo| fifo.group == group)
            .map(|fifo| fifo.sequence)
            .collect::<Vec<_>>()
    };
    assert!(
        of("a").is_sorted_by(|earlier, later| earlier < later) && of("a").len() == 3,
        "{:?}",
        of("a")
    );
    assert!(
        of("a")
            .iter()
            .chain(&of("b"))
            .all(|sequence| *sequence > u64::MAX.into() && sequence.to_string().len() == 20)
    );
}

#[tokio::test(start_paused = true)]
async fn a_shuffled_fifo_queue_brings_a_later_message_of_a_group_first() {
    let queue = queue(&["a"; 8], None);
    queue.shuffle();
    let brought: Vec<_> = receive(&queue, 0).await.into_iter().map(|one| parse(&one.1).0).collect();
    assert!(brought.len() == 8 && !brought.is_sorted(), "{brought:?}");
}

#[tokio::test(start_paused = true)]
async fn the_same_attempt_brings_the_same_messages_and_another_does_not() {
    let queue = queue(&["a", "b"], None);
    let handles = |brought: Vec<Delivery>| {
        brought.into_iter().map(|one| one.message.receipt_handle).collect::<Vec<_>>()
    };
    let first = handles(queue.receive(10, Duration::ZERO, Some("x")).await);
    assert_eq!(first.len(), 2);
    assert!(queue.receive(10, Duration::ZERO, Some("y")).await.is_empty());
    assert_eq!(handles(queue.receive(10, Duration::ZERO, Some("x")).await), first);
    queue.delete(&first[..1]);
    assert!(
        queue.receive(10, Duration::ZERO, Some("x")).await.is_empty(),
        "something was done with them since"
    );
}

#[tokio::test(start_paused = true)]
async fn messages_come_in_any_order_and_sometimes_fewer_than_there_are() {
    let queue = queue(&[""; 10], Some(Fault::ShortAnswer));
    let (mut sizes, mut orders) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..20 {
        let brought = receive(&queue, 0).await;
        sizes.insert(brought.len());
        orders.insert(brought.iter().map(|one| one.0.clone()).collect::<Vec<_>>());
        let handles: Vec<_> = brought.into_iter().map(|one| one.1).collect();
        queue.change_visibility(&handles, Duration::ZERO);
    }
    assert!(sizes.len() > 3 && sizes.iter().all(|size| *size < 10), "{sizes:?}");
    assert!(orders.len() > 10);
}

#[tokio::test(start_paused = true)]
async fn entries_fail_one_by_one_and_do_nothing_then() {
    for (fault, outcome) in [
        (Fault::EntryFailed, EntryOutcome::Failed("InternalError".to_owned())),
        (Fault::HandleRefused, EntryOutcome::Stale),
    ] {
        let queue = queue(&[""], Some(fault));
        let handle = [Arc::clone(&receive(&queue, 0).await[0].1)];
        assert_eq!(queue.delete(&handle), slice::from_ref(&outcome));
        assert_eq!(queue.change_visibility(&handle, Duration::ZERO), [outcome]);
        assert_eq!(queue.left(), [0], "it is still there");
        assert!(receive(&queue, 0).await.is_empty(), "and still hidden");
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_is_said_to_have_failed_may_have_been_done() {
    let queue = queue(&[""], Some(Fault::EntryFailedDone));
    let failed = [EntryOutcome::Failed("InternalError".to_owned())];
    let handle = [Arc::clone(&receive(&queue, 0).await[0].1)];
    assert_eq!(queue.change_visibility(&handle, Duration::ZERO), failed);
    let handle = [Arc::clone(&receive(&queue, 0).await[0].1)];
    assert_eq!(queue.delete(&handle), failed);
    assert!(queue.left().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_old_handle_deletes_the_message_or_says_so_as_the_queue_pleases() {
    for (fault, left) in [(Fault::DeletedByOldHandle, vec![]), (Fault::DeleteForgotten, vec![0])] {
        let queue = queue(&[""], Some(fault));
        let first = receive(&queue, 0).await;
        receive(&queue, 60).await;
        assert_eq!(queue.delete(&[Arc::clone(&first[0].1)]), [EntryOutcome::Done]);
        assert_eq!(queue.left(), left);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_queue_would_refuse_is_a_violation() {
    let queue = queue(&["", ""], None);
    let is_clean = || queue.conditions.history.is_clean();
    let handle =
        [Arc::clone(&queue.receive(1, Duration::ZERO, None).await[0].message.receipt_handle)];
    queue.change_visibility(&handle, Duration::from_hours(11));
    assert!(is_clean());
    queue.change_visibility(&handle, Duration::from_hours(13));
    assert!(!is_clean());
    for (max, wait_s) in [(0, 0), (11, 0), (10, 21)] {
        let queue = super::tests::queue(&[""], None);
        queue.receive(max, Duration::from_secs(wait_s), None).await;
        assert!(!queue.conditions.history.is_clean(), "{max} messages, {wait_s} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hidden_and_a_deleted_message_may_come_once_more() {
    for fault in [Fault::DeliveredWhileHidden, Fault::DeliveredAfterDelete] {
        let queue = queue(&[""], Some(fault));
        let first = receive(&queue, 0).await;
        if fault == Fault::DeliveredAfterDelete {
            assert_eq!(queue.delete(&[Arc::clone(&first[0].1)]), [EntryOutcome::Done]);
        }
        let mut again = Vec::new();
        for _ in 0..200 {
            again.extend(queue.receive(10, Duration::ZERO, None).await);
        }
        assert!(!again.is_empty() && again.iter().all(|one| !one.regular), "{fault:?}");
        assert_eq!(again[0].message.receive_count, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_call_may_hide_a_message_that_came_back_and_nobody_has_received() {
    for (only, outcome, brought) in
        [(Some(Fault::HiddenWhileVisible), EntryOutcome::Done, 0), (None, EntryOutcome::Stale, 1)]
    {
        let queue = queue(&[""], only);
        let handle = [Arc::clone(&receive(&queue, 0).await[0].1)];
        assert_eq!(queue.change_visibility(&handle, Duration::ZERO), [EntryOutcome::Done]);
        assert_eq!(queue.change_visibility(&handle, VISIBILITY_TIMEOUT), [outcome]);
        assert_eq!(receive(&queue, 0).await.len(), brought, "{only:?}");
        receive(&queue, 60).await;
        assert_eq!(
            queue.change_visibility(&handle, VISIBILITY_TIMEOUT),
            [EntryOutcome::Stale],
            "it is with another receiver"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_overtook_another_is_noticed() {
    let queue = queue(&[""], None);
    let handle = [Arc::clone(&receive(&queue, 0).await[0].1)];
    let times = || queue.conditions.history.coverage().times(Fault::AppliedOutOfOrder);
    let (first, second) = (queue.call_sent(), queue.call_sent());
    queue.call_applied(&handle, second);
    assert_eq!(times(), 0);
    queue.call_applied(&handle, first);
    assert_eq!(times(), 1);
}
