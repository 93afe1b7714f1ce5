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
            match answers {
                Answers::Away => Err(QueueFault { kind: QueueFaultKind::Missing, text: text() }),
                Answers::Never => std::future::pending().await,
                _ => Ok(messages.iter().map(|_| one()).collect()),
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
    assert_eq!(counts.dead_letter_sends_failed_total, 0);
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
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn while_it_is_away_what_is_refused_stays_hidden_and_others_are_written() {
    for answers in [Answers::Away, Answers::Failed] {
        let letters = FakeLetters::new(answers);
        let world = start(bad(5), &letters);
        sleep(VISIBILITY_TIMEOUT * 20).await;
        assert_eq!(world.store.documents("events").len(), 1);
        let remaining = world.queue.remaining();
        assert_eq!(remaining.len(), 5, "nothing is lost");
        assert!(remaining.iter().all(|(_, receives)| *receives == 1), "{remaining:?}");
        let calls = letters.calls();
        assert!(calls > 1, "it is asked again");
        assert!(calls < 200, "and not without pause: {calls} calls");
        letters.answer(Answers::Sent);
        world.until(|world| world.queue.remaining().is_empty()).await;
        let counts = world.end().await;
        assert_eq!(counts.dead_lettered.get(&Reason::BadJson), Some(&5));
        assert!(counts.dead_letter_sends_failed_total >= 5);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_sent_when_the_worker_lets_go_goes_back() {
    for answers in [Answers::Away, Answers::Never] {
        let letters = FakeLetters::new(answers);
        // More than the calls that may be in progress: some have not been tried.
        let world = start(bad(80), &letters);
        world.until(|_| letters.calls() >= 4).await;
        world.until(|world| world.store.documents("events").len() == 1).await;
        world.stop.drain();
        sleep(VISIBILITY_TIMEOUT).await;
        assert!(!world.running.is_finished(), "they are still tried");
        let queue = Arc::clone(&world.queue);
        world.stop.let_go();
        let counts = world.end().await;
        assert_eq!((counts.released_total, queue.remaining().len()), (80, 80));
        assert!(counts.dead_lettered.is_empty());
    }
}
