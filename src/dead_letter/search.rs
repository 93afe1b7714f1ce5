//! Which dead letters are meant.

use bson::oid::ObjectId;
use bson::{Bson, DateTime, Document, doc};

use super::alike::Alike;
use crate::message::Reason;

/// Those of which all that is given here is true; all, where nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    pub reason: Option<Reason>,
    /// The place of the fault, with `[]` for any item of an array.
    pub place: Option<String>,
    pub route: Option<String>,
    pub kind: Option<String>,
    pub sender: Option<String>,
    /// Whose data it is, as text: a number, an [`ObjectId`] or a UUID too.
    pub user: Option<String>,
    /// Dead-lettered then or later, milliseconds since the epoch.
    pub since_ms: Option<i64>,
    /// Dead-lettered before then.
    pub until_ms: Option<i64>,
    pub alike: Option<Alike>,
    pub standing: Standing,
}

/// Whether a letter waits for somebody to do something about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    #[default]
    Stands,
    /// It was replayed, and was not refused again since.
    Replayed,
    Either,
}

impl Search {
    /// Whether all are meant, or all that stand.
    #[must_use]
    pub fn is_for_all(&self) -> bool {
        let standing =
            if self.standing == Standing::Either { Standing::Stands } else { self.standing };
        Self { standing, ..self.clone() } == Self::default()
    }

    /// Leaves out what is dead-lettered from now on, and says until when that is, in milliseconds since
    /// the epoch.
    pub fn before_now(&mut self) -> i64 {
        let now_ms = DateTime::now().timestamp_millis();
        let until_ms = self.until_ms.map_or(now_ms, |until_ms| until_ms.min(now_ms));
        self.until_ms = Some(until_ms);
        until_ms
    }

    /// The same whether it stands or not.
    #[must_use]
    pub fn either(self) -> Self {
        Self { standing: Standing::Either, ..self }
    }

    /// Whether the index of the groups has all that is looked for.
    #[must_use]
    pub fn is_of_group_index(&self) -> bool {
        self.route.is_none() && self.user.is_none() && self.place.is_none()
    }

    /// As a filter of the collection.
    #[must_use]
    pub fn filter(&self) -> Document {
        let mut filter = self.alike.as_ref().map(Alike::filter).unwrap_or_default();
        let texts = [
            ("reason", self.reason.map(Reason::code)),
            ("route", self.route.as_deref()),
            ("type", self.kind.as_deref()),
            ("sender", self.sender.as_deref()),
        ];
        let mut all = Vec::new();
        for (name, text) in texts {
            all.extend(text.map(|text| doc! { name: text }));
        }
        all.extend(self.place.as_deref().map(|place| {
            // As a group shows it, or as one letter does.
            doc! { "$or": [{ "place_pattern": place }, { "place": place }] }
        }));
        all.extend(self.user.as_deref().map(|user| doc! { "users": { "$in": named_by(user) } }));
        let date = |ms: i64| DateTime::from_millis(ms);
        all.extend(self.since_ms.map(|ms| doc! { "dead_lettered": { "$gte": date(ms) } }));
        all.extend(self.until_ms.map(|ms| doc! { "dead_lettered": { "$lt": date(ms) } }));
        match self.standing {
            // A record of an earlier schema version lacks the field.
            Standing::Stands => all.push(doc! { "stands": { "$ne": false } }),
            Standing::Replayed => all.push(doc! { "stands": false }),
            Standing::Either => {}
        }
        if !all.is_empty() {
            filter.insert("$and", all);
        }
        filter
    }
}

/// One letter, by the `_id` of its record or by the id of a message that was refused.
#[must_use]
pub fn of_id(id: &str) -> Document {
    doc! { "$or": [{ "_id": id }, { "message_ids": id }] }
}

/// The stages that find the same among records of an earlier schema version, which have one message alone and
/// no index by it: `most` at most, the newest, without the fields of `without`.
#[must_use]
pub fn of_earlier_id(id: &str, most: u32, without: &[&str]) -> Vec<Document> {
    let (found, most) = (doc! { "message_id": id }, i64::from(most));
    let mut stages =
        vec![doc! { "$match": found }, doc! { "$sort": newest_first() }, doc! { "$limit": most }];
    // The server refuses one that leaves out nothing.
    if !without.is_empty() {
        stages.push(doc! { "$unset": without });
    }
    stages
}

/// The order in which they are looked at, as keys of an index: the newest first.
#[must_use]
pub fn newest() -> Vec<(String, i32)> {
    vec![("dead_lettered".to_owned(), -1), ("_id".to_owned(), -1)]
}

/// The same, as a sort.
#[must_use]
pub fn newest_first() -> Document {
    newest().into_iter().map(|(field, way)| (field, Bson::Int32(way))).collect()
}

/// The keys that are written so, and in no other way: 007 is not 7.
fn named_by(text: &str) -> Vec<Bson> {
    let mut keys = vec![Bson::from(text)];
    let is_so = |written: &dyn ToString| written.to_string() == text;
    // The server takes numbers of all widths for one.
    keys.extend(text.parse::<i64>().ok().filter(|key| is_so(key)).map(Bson::from));
    keys.extend(ObjectId::parse_str(text).ok().filter(|key| is_so(key)).map(Bson::from));
    keys.extend(bson::Uuid::parse_str(text).ok().filter(|key| is_so(key)).map(Bson::from));
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_given_means_all() {
        assert!(Search::default().is_for_all());
        let either = Search { standing: Standing::Either, ..Search::default() };
        assert!(either.is_for_all());
        assert_eq!(either.filter(), doc! {});
        assert_eq!(Search::default().filter(), doc! { "$and": [{ "stands": { "$ne": false } }] });
        let replayed = Search { standing: Standing::Replayed, ..Search::default() };
        assert!(!replayed.is_for_all());
        assert_eq!(replayed.filter(), doc! { "$and": [{ "stands": false }] });
    }

    #[test]
    fn all_that_is_given_must_be_true() {
        let search = Search {
            reason: Some(Reason::BadTime),
            kind: Some("event".to_owned()),
            since_ms: Some(5),
            ..Search::default()
        };
        let since = doc! { "dead_lettered": { "$gte": DateTime::from_millis(5) } };
        let stands = doc! { "stands": { "$ne": false } };
        let expected =
            doc! { "$and": [{ "reason": "bad_time" }, { "type": "event" }, since, stands] };
        assert_eq!(search.filter(), expected);
    }

    #[test]
    fn a_group_and_what_else_is_given_must_both_be_true() {
        let alike = Alike { reason: "bad_time".to_owned(), ..Alike::default() };
        let search =
            Search { alike: Some(alike), user: Some("ada".to_owned()), ..Search::default() };
        let expected = doc! {
            "reason": "bad_time", "place_pattern": null, "type": null, "sender": null,
            "$and": [{ "users": { "$in": ["ada"] } }, { "stands": { "$ne": false } }],
        };
        assert_eq!(search.filter(), expected);
    }

    #[test]
    fn what_comes_later_is_left_out_and_an_earlier_end_stays() {
        let (mut search, before) = (Search::default(), DateTime::now().timestamp_millis());
        let now_ms = search.before_now();
        let after = DateTime::now().timestamp_millis();
        assert!((before..=after).contains(&now_ms) && search.until_ms == Some(now_ms));
        let mut search = Search { until_ms: Some(5), ..Search::default() };
        assert_eq!((search.before_now(), search.until_ms), (5, Some(5)));
    }

    #[test]
    fn a_user_is_found_by_whatever_type_the_producer_writes() {
        assert_eq!(named_by("ada"), [Bson::from("ada")]);
        assert_eq!(named_by("123"), [Bson::from("123"), Bson::from(123_i64)]);
        assert_eq!(named_by("0123456789abcdef01234567").len(), 2);
        assert_eq!(named_by("936da01f-9abd-4d9d-80c7-02af85c822a8").len(), 2);
        for other in
            ["007", "+7", "7 ", "0123456789ABCDEF01234567", "936da01f9abd4d9d80c702af85c822a8"]
        {
            assert_eq!(named_by(other), [Bson::from(other)], "it is another text of the same key");
        }
    }
}
