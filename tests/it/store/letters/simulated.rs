//! The simulated store makes of letters what the server does: worlds with somebody who puts letters back show no more
//! than that.

use fastrand::Rng;

use super::*;
use crate::simulation::letters as simulated;

/// What comes to one letter, in its order.
enum Step {
    Refused(Write),
    Marked(Document),
}

/// Steps of a letter; of the last one more than a record keeps ids and replays.
const LETTERS: [usize; 9] = [20, 20, 20, 20, 20, 20, 20, 20, 400];

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_store_makes_the_same_record() {
    let database = database("letters_simulated").await;
    let (store, collection) = (store(&database), letters_collection());
    let things = database.collection::<Document>("things");
    for (seed, steps) in (0..).zip(LETTERS) {
        let mut rng = Rng::with_seed(seed);
        things.delete_many(doc! {}).await.expect("deleted");
        let mut expected: Option<Document> = None;
        for number in 0..steps {
            expected = Some(match (step(&mut rng, number), expected.take()) {
                (Step::Marked(replay), Some(stored)) => {
                    things.update_one(doc! {}, statement::mark(&replay)).await.expect("marked");
                    simulated::marked(&stored, &replay)
                }
                // Nothing is put back before it is refused.
                (Step::Marked(_), None) => continue,
                (Step::Refused(letter), stored) => {
                    write(&store, &collection, std::slice::from_ref(&letter)).await;
                    let record = &letter.letter().expect("a letter").document;
                    let record: Document = bson::deserialize_from_slice(record).expect("BSON");
                    stored
                        .map_or_else(|| record.clone(), |stored| simulated::join(&stored, &record))
                }
            });
            let stored = in_order(one(&database).await);
            let expected = in_order(expected.clone().expect("it was refused"));
            assert_eq!(stored, expected, "after step {number} of letter {seed}");
        }
    }
}

/// A message is refused for the first time or again, the later one first it may be, or it is put back, and the mark comes before its
/// refusal, after it, or without one.
fn step(rng: &mut Rng, number: usize) -> Step {
    let message_id = format!("m-{}", rng.usize(number.saturating_sub(5)..number + 5));
    if rng.u8(..4) == 0 {
        let message_id = if rng.u8(..5) == 0 { Bson::Null } else { message_id.into() };
        let at = bson::DateTime::from_millis(NOON + 1_000 * i64::try_from(number).expect("few"));
        return Step::Marked(doc! { "at": at, "by": "$ada", "message_id": message_id });
    }
    let sender = [None, Some("$a"), Some("$b")][rng.usize(..3)].map(Arc::from);
    let reason = [Reason::BadTime, Reason::StoreRejected][rng.usize(..2)];
    let after_s = i64::try_from(number + rng.usize(..10)).expect("few");
    let mut record = refused(reason, after_s);
    let of = |rng: &mut Rng, text: &str| rng.bool().then(|| format!("{text}{}", rng.u8(..3)));
    record.route = of(rng, "$route").map(Arc::from);
    record.server_code = rng.bool().then(|| rng.i32(0..3));
    record.place = record.place.filter(|_| rng.bool());
    record.glimpse = Glimpse {
        kind: of(rng, "$type"),
        key: of(rng, "$key").map(Key::Text),
        users: of(rng, "$user").map(Key::Text).into_iter().chain([Key::Integer(7)]).collect(),
    };
    let message = QueueMessage { sender, receive_count: rng.u32(1..9), ..message(&message_id) };
    Step::Refused(Write::Letter(record.insert(&message)))
}

/// The server keeps users as a set, in an order of its own.
fn in_order(mut record: Document) -> Document {
    record.get_array_mut("users").expect("a list").sort_by_key(|user| format!("{user:?}"));
    record
}
