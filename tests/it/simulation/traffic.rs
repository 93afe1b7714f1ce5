//! What the producers send, and what each message means by the message contract. The meaning is
//! written down when the body is, so that nothing here reads a body as the product does.
//!
//! [`draft`] makes a message, [`habit`] is how a producer tells which is newer, [`stamp`] what of
//! that can be told.

mod draft;
mod habit;
mod stamp;
mod tests;

use longshore::message::Attribute;

use super::dice::Dice;
use super::fault::Fault;
use super::history::History;
use super::plan::Plan;

use draft::{Draft, Named};
use habit::Habit;
pub use stamp::Stamp;
use stamp::Told;

/// 2026-11-22T10:00:00Z, when every world begins.
pub const EPOCH_MS: i64 = 1_795_341_600_000;

/// The largest message of these producers: small, so that small limits bind.
pub const MESSAGE_BYTES_MAX: usize = 2_048;

/// A message that is sent twice or that conflicts follows its like at most this far behind.
const REPEATED_WITHIN: usize = 20;

/// How many messages have the millisecond of the one before.
const FOLLOWS: f64 = 0.4;

const PRODUCERS: usize = 3;

#[derive(Clone)]
pub struct Sent {
    pub body: String,
    pub attributes: Vec<(String, Attribute)>,
    pub group: String,
    pub at_ms: u64,
    pub meaning: Meaning,
    /// What the store makes of it.
    pub mark: Option<Mark>,
    /// The message out of whose dead letter somebody puts it back: with the attributes that it has here, and no others.
    pub put_back_of: Option<usize>,
    /// By what another message could be taken for this one.
    named: Named,
    producer: usize,
}

impl Sent {
    /// A message without attributes that nothing happens to.
    pub fn plain(body: String, group: String, at_ms: u64, meaning: Meaning) -> Self {
        Self {
            body,
            attributes: Vec::new(),
            group,
            at_ms,
            meaning,
            mark: None,
            put_back_of: None,
            named: Named::Nothing,
            producer: 0,
        }
    }

    /// What comes with it as the `number`th message of its queue: to every third small one something
    /// that is none of Longshore's, and is written with escapes. It has one quote: of two, the second
    /// would make good what a reader loses at the first.
    pub fn attached(&self, number: usize) -> Vec<(String, Attribute)> {
        let mut attributes = self.attributes.clone();
        if self.put_back_of.is_some() {
            return attributes;
        }
        if number.is_multiple_of(3) && self.body.len() < MESSAGE_BYTES_MAX / 2 {
            attributes.push(text_attribute("note", r#"1" is 2.54 cm }],{\#"#));
            attributes.sort_by(|a, b| a.0.cmp(&b.0));
        }
        attributes
    }

    /// Whose the `number`th message of its queue is: of one of two who take turns, or of whoever puts messages back.
    pub fn sender(&self, number: usize) -> String {
        match self.put_back_of {
            Some(_) => "operator".to_owned(),
            None => format!("producer {}", number % 2),
        }
    }

    /// The same, put back now with the attributes that were made of its dead letter. It means what it meant.
    pub fn again(&self, number: usize, attributes: Vec<(String, Attribute)>, at_ms: u64) -> Self {
        Self { attributes, at_ms, put_back_of: Some(number), ..self.clone() }
    }

    /// What its documents are known by.
    pub fn content(&self) -> Option<usize> {
        match self.meaning {
            Meaning::Event { content, .. }
            | Meaning::Whole { content, .. }
            | Meaning::Partial { content, .. } => Some(content),
            Meaning::Poison(_) => None,
        }
    }

    /// Where it stands among the updates of its key, which are those of one collection.
    pub fn place(&self) -> Option<(&'static str, &str, &Stamp)> {
        match &self.meaning {
            Meaning::Whole { collection, key, stamp, expired: false, .. }
            | Meaning::Partial { collection, key, stamp, .. } => Some((collection, key, stamp)),
            _ => None,
        }
    }

    /// Whether the store will never take it.
    pub fn is_rejected(&self) -> bool {
        self.mark.is_some_and(|mark| !mark.is_taken_in_the_end())
    }
}

#[derive(Debug, Clone)]
pub enum Meaning {
    /// A document of its own with this content. Where the producer gives an identity, of all that
    /// have it one is stored.
    Event { content: usize, identity: Option<String> },
    /// All of the document `key`, at `stamp`.
    Whole {
        collection: &'static str,
        key: String,
        stamp: Stamp,
        content: usize,
        extra: bool,
        badge: Option<usize>,
        expired: bool,
    },
    /// Some fields of the document `key`, at `stamp`.
    Partial {
        collection: &'static str,
        key: String,
        stamp: Stamp,
        content: usize,
        fields: Vec<&'static str>,
    },
    /// Nothing: it is to be dead-lettered for this reason.
    Poison(&'static str),
}

/// What makes the store refuse an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Refused,
    UnknownCode,
    ReplyTooLarge,
    CommandRefused,
    /// While faults last; then it is taken.
    Unconfirmed,
    /// The same.
    BreaksConnection,
    /// The same.
    Hangs,
}

impl Mark {
    pub const ALL: [(Self, Fault); 7] = [
        (Self::Refused, Fault::ItemRefused),
        (Self::UnknownCode, Fault::ItemUnknownCode),
        (Self::ReplyTooLarge, Fault::ReplyTooLarge),
        (Self::CommandRefused, Fault::CommandRefused),
        (Self::Unconfirmed, Fault::ItemUnconfirmed),
        (Self::BreaksConnection, Fault::ItemBreaksConnection),
        (Self::Hangs, Fault::ItemHangs),
    ];

    pub fn fault(self) -> Fault {
        Self::ALL.iter().find(|(mark, _)| *mark == self).expect("all are there").1
    }

    /// Whether it strikes what stands beside it in a command, and alone is like another.
    pub fn is_of_commands(self) -> bool {
        matches!(self, Self::CommandRefused | Self::ReplyTooLarge)
    }

    /// Whether the store takes the item in the end.
    pub fn is_taken_in_the_end(self) -> bool {
        matches!(self, Self::Unconfirmed | Self::BreaksConnection | Self::Hangs)
    }

    /// The text in the body by which the store knows it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Refused => "mark:refused",
            Self::UnknownCode => "mark:unknown",
            Self::ReplyTooLarge => "mark:reply",
            Self::CommandRefused => "mark:command",
            Self::Unconfirmed => "mark:unconfirmed",
            Self::BreaksConnection => "mark:breaks",
            Self::Hangs => "mark:hangs",
        }
    }
}

/// The id that the queue gives to the message with this number. At AWS it is a random UUID: it
/// tells no order.
pub fn message_id(number: usize) -> String {
    format!("{:04x}-m{number:06}", number.wrapping_mul(40_503) & 0xffff)
}

/// The place that a FIFO queue gives to the message with this number: it grows within a group, has
/// 20 digits, and is more than 64 bits hold, as at AWS. Nothing is said of two groups.
pub fn sequence(group: &str, number: usize) -> u128 {
    let of_group: u128 = group.bytes().map(u128::from).sum::<u128>() % 7 * 1_000_000_000;
    18_849_496_460_467_696_128 + of_group + 256 * number as u128
}

/// Draws all messages of a world, in the order of sending.
pub fn draw(plan: &Plan, dice: &Dice, history: &History) -> Vec<Sent> {
    let span = u64::try_from(plan.sending.as_millis()).expect("minutes");
    let mut at: Vec<u64> = (0..plan.messages)
        .map(|_| u64::try_from(dice.between_ms(0, span).as_millis()).expect("minutes"))
        .collect();
    at.sort_unstable();
    if plan.small_first > 0 {
        // All at once, while receives wait for more.
        at[plan.small_first..].iter_mut().for_each(|at_ms| *at_ms = span + 2_000);
    }
    let mut sent: Vec<Sent> = Vec::with_capacity(plan.messages);
    // What was dead-lettered before the world began, or so it seems, and is replayed.
    let mut replays: Vec<Sent> = Vec::new();
    let draws = |fault: Fault| dice.chance(plan.rate(fault));
    let saw = |fault: Fault| history.saw(fault);
    let strikes = |fault: Fault| {
        let strikes = draws(fault);
        if strikes {
            saw(fault);
        }
        strikes
    };
    let habits: Vec<Habit> =
        (0..PRODUCERS * plan.keys).map(|_| Habit::draw(dice, plan.fifo)).collect();
    let mut moment_ns = 0;
    for (number, at_ms) in at.into_iter().enumerate() {
        let last = sent.last().filter(|_| dice.chance(FOLLOWS));
        let at_ms = last.map_or(at_ms, |last| last.at_ms);
        let before = (number > 0).then(|| number - 1 - dice.below(number.min(REPEATED_WITHIN)));
        if let Some(before) = before
            && draws(Fault::SentTwice)
            && let Some(again) = again(&sent[before], at_ms)
        {
            saw(Fault::SentTwice);
            sent.push(again);
            continue;
        }
        if let Some(replay) = replays.pop_if(|_| dice.chance(0.3)) {
            saw(Fault::Replayed);
            sent.push(Sent { at_ms, ..replay });
            continue;
        }
        moment_ns = (i128::from(sent_ms(at_ms)) * 1_000_000)
            .max(moment_ns + dice.pick(&[1, 400, 1_000, 7_000]));
        let mut draft = Draft {
            number,
            at_ms,
            moment_ns,
            dice,
            plan,
            habits: &habits,
            is_replay: false,
            draws: &draws,
            saw: &saw,
            strikes: &strikes,
        };
        let before = before.map(|before| &sent[before]);
        if draws(Fault::Replayed) {
            let replay = Draft { is_replay: true, ..draft.clone() }.message(None, last);
            if replay.place().is_some() {
                replays.push(replay);
            }
            moment_ns += 1_000;
            draft.moment_ns = moment_ns;
        }
        sent.push(draft.message(before, last));
    }
    look_at_ties(&sent, history);
    sent
}

/// Counts how little tells the next update of a key from the one before.
fn look_at_ties(sent: &[Sent], history: &History) {
    for (number, next) in sent.iter().enumerate() {
        let Some((collection, key, stamp)) = next.place() else { continue };
        let before = sent[..number]
            .iter()
            .rev()
            .filter_map(Sent::place)
            .find(|before| (before.0, before.1) == (collection, key));
        match before.map(|before| stamp.told_from(before.2)) {
            Some(Told::BelowMilliseconds) => history.saw(Fault::TiedToTheMillisecond),
            Some(Told::BySequence) => history.saw(Fault::TiedToTheSequence),
            Some(Told::ById) => history.saw(Fault::TiedToTheId),
            Some(Told::NotAtAll) => history.saw(Fault::Tied),
            Some(Told::Plainly) | None => {}
        }
    }
}

/// The same message sent once more by its producer. Only one that says who it is can be recognised.
fn again(message: &Sent, at_ms: u64) -> Option<Sent> {
    let is_named = match &message.named {
        Named::Update(said) => said.given.is_some(),
        Named::Event(_) => true,
        Named::Nothing => false,
    };
    is_named.then(|| Sent { at_ms, ..message.clone() })
}

/// Of a moment of the world, the time of day.
fn sent_ms(at_ms: u64) -> i64 {
    EPOCH_MS + i64::try_from(at_ms).expect("minutes")
}

fn text_attribute(name: &str, value: &str) -> (String, Attribute) {
    (name.to_owned(), Attribute::Text(value.to_owned()))
}
