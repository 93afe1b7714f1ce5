//! That the producers' order is what the stamps say: what the judge decides by is worth no more
//! than this.

#![cfg(test)]

use super::*;

/// Without a clock that is wrong, what a producer sends later for a key is never told as older, and
/// nearly always as newer.
#[tokio::test(start_paused = true)]
async fn what_a_producer_sends_later_is_newer_by_its_stamp() {
    let (mut pairs, mut told) = (0, 0);
    for seed in 0..200 {
        let dice = Dice::new(seed);
        let plan = Plan::draw(&dice).without_faults();
        let sent = draw(&plan, &dice, &History::new(false));
        for (number, later) in sent.iter().enumerate() {
            let Some((collection, key, stamp)) = later.place() else { continue };
            let is_like = |earlier: &&Sent| {
                earlier.producer == later.producer
                    && earlier
                        .place()
                        .is_some_and(|earlier| (earlier.0, earlier.1) == (collection, key))
            };
            for earlier in sent[..number].iter().filter(is_like) {
                let before = earlier.place().expect("an update").2;
                assert!(
                    !before.is_newer_than(stamp),
                    "seed {seed}: {} was sent before {}",
                    earlier.body,
                    later.body
                );
                pairs += 1;
                told += u64::from(stamp.is_newer_than(before));
            }
        }
    }
    assert!(pairs > 2_000 && told > pairs * 8 / 10 && told < pairs, "{told} of {pairs}");
}

#[test]
fn versions_are_written_as_finely_as_they_are_meant() {
    let moment_ns = i128::from(EPOCH_MS) * 1_000_000 + 7_000_123_456_789;
    for (form, value, cut_ns) in [
        (habit::Form::Millis, "1795348600123", 456_789),
        (habit::Form::Rfc3339, r#""2026-11-22T11:56:40.123456Z""#, 789),
        (habit::Form::Python, r#""2026-11-22 11:56:40.123456""#, 789),
        (habit::Form::Number, "1795348600.123456789", 0),
        (habit::Form::Text, r#""1795348600.123456789""#, 0),
    ] {
        assert_eq!(form.say(moment_ns), Some((value.to_owned(), moment_ns - cut_ns)));
    }
    assert_eq!(habit::Form::Absent.say(moment_ns), None);
}
