//! The places that a FIFO queue gives to its messages.

use crate::simulation::traffic::{Sent, sequence};

/// The place of the next message. Producers' messages have the places that they were drawn for, whatever is put back between
/// them: that comes after the one before it and before the next.
pub fn of<'a>(before: impl DoubleEndedIterator<Item = &'a Sent> + Clone, next: &Sent) -> u128 {
    let is_put_back = |sent: &&Sent| sent.put_back_of.is_some();
    let drawn = before.clone().filter(|sent| !is_put_back(sent)).count();
    if next.put_back_of.is_none() {
        return sequence(&next.group, drawn);
    }
    let put_back_since = before.rev().take_while(is_put_back).count();
    sequence(&next.group, drawn - 1) + 1 + put_back_since as u128
}
