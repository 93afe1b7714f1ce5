//! What all routes of one collection agree in, and its indexes.

use std::collections::{BTreeMap, BTreeSet};

use super::indexes::{self, INDEXES_MAX};
use super::key_path::KeyPath;
use super::provenance::Source;
use super::reader::Reader;
use super::routes::{self, Declared};
use super::{literal, units};
use crate::store::{Acknowledgement, Collection, Extent, Index, Keyed, WriteConcern, WriteKind};

/// Joins the routes by collection and reports where two of one do not agree.
pub(crate) fn join(reader: &mut Reader, declared: &[Declared]) -> BTreeMap<String, Collection> {
    let mut by_name: BTreeMap<&str, Vec<&Declared>> = BTreeMap::new();
    for one in declared {
        by_name.entry(&one.route.collection).or_default().push(one);
    }
    by_name
        .into_iter()
        .filter_map(|(name, members)| Some((name.to_owned(), collection(reader, name, &members)?)))
        .collect()
}

fn collection(reader: &mut Reader, name: &str, members: &[&Declared]) -> Option<Collection> {
    let (first, others) = members.split_first()?;
    for other in others {
        for (what, left, right) in disagreements(first, other) {
            report(reader, first, other, &what, &left, &right);
        }
    }
    let kind = first.route.kind.clone();
    let indexes = merge_indexes(reader, &kind, members);
    if indexes.len() > INDEXES_MAX {
        reader.error_at(
            collection_key(first),
            format!("must have at most {INDEXES_MAX} indexes, not {}", indexes.len()),
        );
    }
    let ttl = routes::ttl_of(&kind, &indexes);
    let write_concern = first.write_concern.clone();
    Some(Collection {
        name: name.to_owned(),
        declared: declared_fields(first),
        kind,
        write_concern,
        indexes,
        ttl,
        default_times: default_times(members),
    })
}

/// Each once, as routes of one collection may have different ones.
fn default_times(members: &[&Declared]) -> Vec<String> {
    let times: BTreeSet<_> =
        members.iter().filter_map(|member| member.route.default_time.clone()).collect();
    times.into_iter().collect()
}

/// Sorted, without the key: what a `set` writes or removes.
fn declared_fields(declared: &Declared) -> Vec<String> {
    let mut fields = declared.route.fields.clone();
    fields.retain(|field| Some(field.as_str()) != declared.route.kind.key());
    fields.sort();
    fields
}

/// What the two say differently, and what each says. Two kinds of write have nothing else to
/// compare.
fn disagreements(left: &Declared, right: &Declared) -> Vec<(String, String, String)> {
    let (a, b) = (&left.route.kind, &right.route.kind);
    let mut pairs = vec![("write", literal::text(write(a)), literal::text(write(b)))];
    if write(a) == write(b) {
        let field = |name: Option<&str>| name.map(literal::text).unwrap_or_default();
        pairs.push(("key", field(a.key()), field(b.key())));
        pairs.push(("version_field", field(a.version_field()), field(b.version_field())));
        pairs.push(("partial", partial(a).to_string(), partial(b).to_string()));
        if !partial(a) {
            // One writes all its fields at once and removes the absent ones: those of the other
            // route too.
            pairs.push((
                "fields",
                literal::texts(&declared_fields(left)),
                literal::texts(&declared_fields(right)),
            ));
        }
    }
    pairs.push(("write_concern", show(&left.write_concern), show(&right.write_concern)));
    let different = pairs.into_iter().filter(|(_, left, right)| left != right);
    different.map(|(what, left, right)| (what.to_owned(), left, right)).collect()
}

/// Reported at the route whose collection was configured, where the other's is a default.
fn report(
    reader: &mut Reader,
    first: &Declared,
    other: &Declared,
    what: &str,
    left: &str,
    right: &str,
) {
    let by_default = reader.source_of(&collection_key(other)) == Source::Default;
    let (blamed, its, against, theirs) =
        if by_default { (first, left, other, right) } else { (other, right, first, left) };
    let against = &against.route.name;
    let problem = format!(
        "this route has {what} = {its}, routes.{against} writes there with {what} = {theirs}: routes of one collection agree"
    );
    reader.error_at(collection_key(blamed), problem);
}

/// The unique index on the key first: a keyed collection is wrong without it. `_id` has one anyway.
fn merge_indexes(reader: &mut Reader, kind: &WriteKind, members: &[&Declared]) -> Vec<Index> {
    let unique_key = kind.key().filter(|key| *key != "_id").map(|key| Index {
        keys: vec![(key.to_owned(), 1)],
        unique: true,
        expire_after: None,
    });
    let mut merged: Vec<Index> = unique_key.into_iter().collect();
    for member in members {
        for index in &member.indexes {
            match merged.iter().find(|other| other.keys == index.keys) {
                None => merged.push(index.clone()),
                Some(other) if other == index => {}
                Some(_) => {
                    let keys = indexes::show_keys(index);
                    let problem = format!(
                        "the index {keys} is declared a second time with another unique or expire_after: the key of a keyed route has a \
                         unique one, ttl makes one, or another route of the collection declares it"
                    );
                    reader.error_at(
                        KeyPath::from("routes").child(&member.route.name).child("indexes"),
                        problem,
                    );
                }
            }
        }
    }
    merged
}

fn collection_key(declared: &Declared) -> KeyPath {
    KeyPath::from("routes").child(&declared.route.name).child("collection")
}

fn write(kind: &WriteKind) -> &'static str {
    match kind {
        WriteKind::Insert | WriteKind::Letter => "insert",
        WriteKind::Keyed(Keyed { extent: Extent::Set | Extent::Partial, .. }) => "set",
        WriteKind::Keyed(Keyed { extent: Extent::Replace, .. }) => "replace",
    }
}

fn partial(kind: &WriteKind) -> bool {
    kind.keyed().is_some_and(|keyed| keyed.extent == Extent::Partial)
}

fn show(concern: &WriteConcern) -> String {
    let w = match &concern.w {
        Acknowledgement::Majority => literal::text("majority"),
        Acknowledgement::Members(members) => members.to_string(),
        Acknowledgement::Tag(name) => literal::text(name),
    };
    format!(
        "{{ w = {w}, journal = {}, timeout = \"{}\" }}",
        concern.journal,
        units::show_duration(concern.timeout)
    )
}
