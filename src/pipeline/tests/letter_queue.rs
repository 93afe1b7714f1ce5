//! Dead letters go to a queue, and what that does not take goes to the collection.

use std::sync::Mutex;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::*;
use crate::dead_letter;
use crate::queue::{
    Outgoing, QueueFault, QueueFaultKind, SEND_BYTES_MAX, SendOutcome, Sends, Sent,
};

/// What a call answers of all of its messages.
#[derive(Debug, Clone, Copy)]
enum Answers {
    Sent,
    /// One by one: it would refuse them again.
    Refused,
    /// One by one: it may take them the next time.
    Failed,
    /// The call fails as a whole.
    Away,
    /// It does where it has this message, and is answered otherwise.
    AwayFor(&'static str),
    /// The call is given up.
    Never,
}

#[derive(Debug)]
struct FakeLetters {
    answers: Mutex<Answers>,
    /// The bodies of each call.
    calls: Mutex<Vec<Vec<String>>>,
}

impl FakeLetters {
    fn new(answers: Answers) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers), calls: Mutex::default() })
    }

    fn answer(&self, answers: Answers) {
        *self.answers.lock().expect("no panic") = answers;
    }

    fn calls(&self) -> usize {
        self.calls.lock().expect("no panic").len()
    }

    /// The ids of the messages whose records it was given in a call that said so, in that order.
    fn kept(&self) -> Vec<String> {
        let calls = self.calls.lock().expect("no panic");
        let bodies = calls.iter().flatten();
        let records = bodies.map(|body| dead_letter::read(body).expect("a record"));
        records.map(|record| record.get_str("message_id").expect("a text").to_owned()).collect()
    }
}

impl Sends for FakeLetters {
    fn send<'a>(&'a self, messages: &'a [Outgoing]) -> BoxFuture<'a, Sent> {
        assert!(messages.len() <= 10, "{}", messages.len());
        assert!(messages.iter().map(Outgoing::bytes).sum::<usize>() <= SEND_BYTES_MAX);
        async move {
            let bodies = messages.iter().map(|message| message.body.clone()).collect();
            self.calls.lock().expect("no panic").push(bodies);
            let answers = *self.answers.lock().expect("no panic");
            let text = || "as the test wants".to_owned();
            let one = || match answers {
                Answers::Refused => SendOutcome::Refused(text()),
                Answers::Failed => SendOutcome::Failed(text()),
                _ => SendOutcome::Sent { message_id: "sent".to_owned() },
            };
            let id = |id: &str| format!(r#""message_id":"{id}""#);
            let is_away = match answers {
                Answers::AwayFor(one) => messages.iter().any(|other| other.body.contains(&id(one))),
                Answers::Never => {
                    sleep(Duration::from_secs(10)).await;
                    true
                }
                other => matches!(other, Answers::Away),
            };
            if is_away {
                Err(QueueFault { kind: QueueFaultKind::Unavailable, text: text() })
            } else {
                Ok(messages.iter().map(|_| one()).collect())
            }
        }
        .boxed()
    }
}

fn start(queue: FakeQueue, letters: &Arc<FakeLetters>) -> World {
    let letter_queue = LetterQueue {
        queue: Arc::clone(letters) as Arc<dyn Sends>,
        name: "refused".into(),
        fifo: false,
        message_bytes_max: MESSAGE_BYTES_MAX,
        has_answered: true,
    };
    World::start_with(FakeClock::default(), queue, queue_traits(), Some(letter_queue), |_| {})
}

fn bad(count: usize) -> FakeQueue {
    let queue = queue();
    (0..count).for_each(|id| queue.send(&format!("bad{id}"), "{not json"));
    queue.send("good", &event(1));
    queue
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_sent_there_and_leaves_the_queue() {
    let letters = FakeLetters::new(Answers::Sent);
    let world = start(bad(25), &letters);
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(letters.kept().len(), 25);
    assert!(world.store.documents("dead_letters").is_empty());
    assert_eq!(world.store.documents("events").len(), 1);
    let counts = world.end().await;
    assert_eq!(counts.dead_lettered.get(&Reason::BadJson), Some(&25));
    assert_eq!(counts.dead_letters_not_sent_total, 0);
}

#[tokio::test(start_paused = true)]
async fn what_it_does_not_take_goes_to_the_collection() {
    let letters = FakeLetters::new(Answers::Refused);
    let queue = bad(1);
    // With what its record says of it, it is larger than any message.
    queue.send("large", &"x".repeat(MESSAGE_BYTES_MAX - 100));
    let world = start(queue, &letters);
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(letters.kept(), ["bad0"], "asked once, and not of what is too large");
    assert_eq!(world.store.documents("dead_letters").len(), 2);
    assert_eq!(world.end().await.dead_letters_not_sent_total, 1);
}

#[tokio::test(start_paused = true)]
async fn while_it_is_away_it_is_tried_for_the_retry_budget_and_then_the_collection_is_there() {
    for answers in [Answers::Away, Answers::Failed, Answers::Never] {
        let letters = FakeLetters::new(answers);
        let world = start(bad(5), &letters);
        world.until(|world| world.store.documents("events").len() == 1).await;
        assert!(world.store.documents("dead_letters").is_empty(), "not before its time");
        world.until(|world| world.queue.remaining().is_empty()).await;
        assert_eq!(world.store.documents("dead_letters").len(), 5);
        let calls = letters.calls();
        assert!((2..100).contains(&calls), "{calls} calls with {answers:?}");
        // From then on once for each call, until it takes one.
        world.queue.send("bad5", "{not json");
        world.until(|world| world.queue.remaining().is_empty()).await;
        assert_eq!((letters.calls(), world.store.documents("dead_letters").len()), (calls + 1, 6));
        letters.answer(Answers::Sent);
        world.queue.send("bad6", "{not json");
        world.until(|world| world.queue.remaining().is_empty()).await;
        assert_eq!(world.store.documents("dead_letters").len(), 6);
        let counts = world.end().await;
        assert_eq!(counts.dead_lettered.get(&Reason::BadJson), Some(&7));
        assert_eq!(counts.redelivered_total, 0);
        assert_eq!(counts.dead_letters_not_sent_total, 6);
    }
}

/// From when it is known to be away, one call at a time asks for it, and what comes meanwhile waits for none.
#[tokio::test(start_paused = true)]
async fn while_it_is_away_one_call_asks_and_the_rest_goes_to_the_collection() {
    let letters = FakeLetters::new(Answers::Never);
    let world = start(bad(1), &letters);
    world.until(|world| world.queue.remaining().is_empty()).await;
    let calls = letters.calls();
    world.queue.send("asks", "{not json");
    world.until(|_| letters.calls() == calls + 1).await;
    (0..300).for_each(|id| world.queue.send(&format!("more{id}"), "{not json"));
    world.until(|world| world.store.documents("dead_letters").len() == 301).await;
    assert_eq!(letters.calls(), calls + 1, "it is still asked");
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.end().await.dead_letters_not_sent_total, 302);
}

#[tokio::test(start_paused = true)]
async fn one_that_spoils_its_call_does_not_keep_its_neighbours_out() {
    let letters = FakeLetters::new(Answers::AwayFor("bad3"));
    let world = start(bad(10), &letters);
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.store.documents("dead_letters").len(), 1);
    // Nor is the queue away: the next two are tried for as long.
    letters.answer(Answers::AwayFor("bad11"));
    world.queue.send("bad11", "{not json");
    world.queue.send("bad12", "{not json");
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.store.documents("dead_letters").len(), 2);
    assert_eq!(world.end().await.dead_lettered.get(&Reason::BadJson), Some(&12));
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_queue_that_is_away() {
    for answers in [Answers::Away, Answers::Never] {
        let letters = FakeLetters::new(answers);
        // More than the calls that may be in progress: some have not been tried.
        let world = start(bad(80), &letters);
        world.until(|_| letters.calls() >= 4).await;
        let store = Arc::clone(&world.store);
        let counts = world.end().await;
        assert_eq!((store.documents("dead_letters").len(), counts.redelivered_total), (80, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_nowhere_when_the_worker_lets_go_goes_back() {
    let letters = FakeLetters::new(Answers::Never);
    let world = start(bad(80), &letters);
    world.until(|_| letters.calls() >= 4).await;
    world.until(|world| world.store.documents("events").len() == 1).await;
    world.stop.drain();
    let queue = Arc::clone(&world.queue);
    world.stop.let_go();
    let counts = world.end().await;
    assert_eq!((counts.released_total, queue.remaining().len()), (80, 80));
    assert!(counts.dead_lettered.is_empty());
}
