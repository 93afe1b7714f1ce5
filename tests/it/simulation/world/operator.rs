//! Somebody who puts dead letters back while workers run, as `longshore dead-letters replay` does: with the attributes
//! that the product makes of a record, and out of records that a stepdown may still take back. The letter is marked after that: the message may be refused before the mark comes.
//! The command may also be killed in between, so that the letter stands and is put back once more. Now and then what
//! refused the message is mended before.

use std::collections::BTreeSet;
use std::sync::Arc;

use longshore::dead_letter::again;
use mongodb::bson::Document as Record;
use tokio::time::sleep;

use crate::simulation::dice::Dice;
use crate::simulation::fault::Fault;
use crate::simulation::traffic::message_id;

use super::World;

/// One world in so many has one.
const ONE_IN: u64 = 3;

/// Messages that are put back in one world at most: what cannot be taken comes again and again.
const PUT_BACK_MAX: usize = 40;

/// How probable it is, of each letter at each look, that it is put back; that it is marked then; and that what
/// refused it is mended before.
const PUTS_BACK: f64 = 0.3;
const MARKS: f64 = 0.6;
const MENDS: f64 = 0.5;

/// How long the mark takes at most: time enough for a worker to refuse the message before.
const MARKED_WITHIN_MS: u64 = 3_000;

impl World {
    pub async fn operator(self: Arc<Self>, seed: u64) {
        let plan = &self.conditions.plan;
        // Where nothing fails each message comes once, and a trial says what is to be in the queue.
        if !seed.is_multiple_of(ONE_IN) || plan.is_faultless() || plan.trial.is_some() {
            return;
        }
        // Dice of its own: nothing else is drawn otherwise for it.
        let dice = Dice::new(!seed);
        let (mut mended, mut put_back) = (BTreeSet::new(), 0);
        while put_back < PUT_BACK_MAX {
            sleep(dice.between_ms(1_000, 20_000)).await;
            for (name, record) in self.store.letters() {
                if self.conditions.is_calm() {
                    return;
                }
                if !record.get_bool("stands").expect("a boolean") || !dice.chance(PUTS_BACK) {
                    continue;
                }
                put_back += 1;
                let sent = self.put_back(&record, &mut mended, dice.chance(MENDS));
                if dice.chance(MARKS) {
                    sleep(dice.between_ms(0, MARKED_WITHIN_MS)).await;
                    self.store.they_mark(&name, &message_id(sent));
                } else {
                    self.conditions.history.saw(Fault::PutBackUnmarked);
                }
            }
        }
    }

    /// Gives the number of the message that is sent.
    fn put_back(&self, record: &Record, mended: &mut BTreeSet<usize>, mends: bool) -> usize {
        let id = record.get_str("message_id").expect("an id");
        let all = self.judge.all_sent();
        let first = (0..all.len()).find(|number| message_id(*number) == id).expect("it was sent");
        let message = again(record).expect("it has a body");
        assert_eq!(message.body, all[first].body, "a record has the message as it came");
        let group = message.fifo.map(|fifo| fifo.group);
        assert!(group.is_none_or(|group| group == all[first].group), "and its group");
        let history = &self.conditions.history;
        let mut sent = all[first].again(first, message.attributes, history.now_ms());
        history.note(|| format!("m{first} is put back as m{}", all.len()));
        history.saw(Fault::PutBack);
        if let Some(content) = sent.content().filter(|_| sent.is_rejected()) {
            if mends && mended.insert(content) {
                history.note(|| format!("the content {content} is refused no more"));
                history.saw(Fault::Mended);
                self.store.they_mend(content);
            }
            if mended.contains(&content) {
                sent.mark = None;
            }
        }
        self.send(sent);
        all.len()
    }
}
