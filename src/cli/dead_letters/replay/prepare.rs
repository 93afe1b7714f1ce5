//! A letter, made ready to be put back: the message with its identity, edited, and tried with the
//! configuration in force.

use bson::{Bson, Document};
use jiff::Timestamp;

use super::super::edit::Edit;
use super::letter::{Goes, Left, Ready, Why, text};
use super::outgoing::{self, Target};
use crate::config::{Config, shares};
use crate::dead_letter::{again, rename};
use crate::message::{QueueMessage, Reason, Write};
use crate::pipeline::trial::{Outcome, Trial};
use crate::queue::MESSAGE_BYTES_MAX;
use crate::queue::sqs::QueueFacts;
use crate::store::mongo::check_write;

pub(super) struct Prepare<'a> {
    config: &'a Config,
    trial: Trial<'a>,
    edit: Option<Edit>,
    /// Takes the id out, where letters are to have another one.
    without_id: Option<Edit>,
    direct: bool,
    target: Target,
}

impl<'a> Prepare<'a> {
    /// # Errors
    /// Where this build cannot edit.
    pub(super) fn new(
        config: &'a Config,
        edit: Option<Edit>,
        new_id: bool,
        direct: bool,
    ) -> anyhow::Result<Self> {
        let trial = Trial::new(config, shares::growth(config, MESSAGE_BYTES_MAX), check_write);
        let without_id = new_id.then(|| Edit::new("del(.id)")).transpose()?;
        Ok(Self { config, trial, edit, without_id, direct, target: Target::default() })
    }

    /// What is known of the queue that they go to.
    pub(super) fn goes_to(&mut self, facts: &QueueFacts, any_queue: bool) {
        self.target = Target::of(facts, any_queue);
    }

    pub(super) fn is_for_fifo(&self) -> bool {
        self.target.fifo
    }

    /// # Errors
    /// Why it stays.
    pub(super) fn of(&self, record: &Document) -> Result<Ready, Left> {
        let message_id = text(record, "message_id").to_owned();
        let left = |why, text: String| Left { message_id: message_id.clone(), why, text };
        let message = self.message(record).map_err(|(why, text)| left(why, text))?;
        let tried = self.trial.of(&message);
        match &tried.outcome {
            Outcome::Write { .. } => {}
            Outcome::Expired { collection, .. } => {
                let text = format!(
                    "it is older than the ttl of {collection}, so it would be deleted unwritten"
                );
                return Err(left(Why::Expired, text));
            }
            Outcome::Rejected(rejection) => {
                let text = format!("{}: {}", rejection.reason, rejection.text);
                return Err(left(Why::RefusedAgain, text));
            }
        }
        let goes = if self.direct {
            Goes::Direct
        } else {
            if let Some(route) =
                tried.route.as_deref().filter(|route| self.config.has_senders(route))
            {
                let text = format!(
                    "the route {route} lists its senders, and the queue would name you as the sender: --direct writes it"
                );
                return Err(left(Why::Direct, text));
            }
            let outgoing = outgoing::of(record, message, &self.target);
            Goes::ToQueue(outgoing.map_err(|(why, text)| left(why, text))?)
        };
        let id = record.get("_id").cloned().unwrap_or(Bson::Null);
        Ok(Ready { id, message_id, goes, tried })
    }

    /// The message as it goes back.
    fn message(&self, record: &Document) -> Result<QueueMessage, (Why, String)> {
        let no_message = || {
            (
                Why::NoMessage,
                "its record lacks the body, or the id and time of the message".to_owned(),
            )
        };
        let mut message = again(record).ok_or_else(no_message)?;
        // It is sent now: by this an update is past the TTL of its collection, or ahead of its time.
        (message.sent_ms, message.receive_count) = (Timestamp::now().as_millisecond(), 1);
        let is_conflict = text(record, "reason") == Reason::IdConflict.code();
        let before = if is_conflict { self.id(&message) } else { None };
        if let Some(edit) = &self.edit {
            message = edited(edit, &message, self.config)?;
        }
        if !is_conflict {
            return Ok(message);
        }
        if let Some(without_id) = &self.without_id {
            message = edited(without_id, &message, self.config)?;
            rename(&mut message, record);
        }
        // An edit may have given it another one too.
        if before.is_none() || before != self.id(&message) {
            return Ok(message);
        }
        let text = if self.without_id.is_some() {
            "its envelope gives it its id, which cannot be changed here: let the producer send it again, or purge it"
        } else {
            "another message was written under its id: --new-id makes it one of its own"
        };
        Err((Why::NewId, text.to_owned()))
    }

    /// The `_id` under which an event would be inserted.
    fn id(&self, message: &QueueMessage) -> Option<String> {
        match self.trial.of(message).outcome {
            Outcome::Write { write: Write::Insert(insert), .. } => Some(insert.id.to_string()),
            _ => None,
        }
    }
}

fn edited(
    edit: &Edit,
    message: &QueueMessage,
    config: &Config,
) -> Result<QueueMessage, (Why, String)> {
    edit.of(message, &config.message).map_err(|error| (Why::NotEdited, format!("{error:#}")))
}
