//! The stage of a whole write: all fields by one version.

use super::own::{OWN, write_newer, write_version};
use super::target::{Form, Target, under};
use crate::bson::{Doc, Fields, List};
use crate::message::Key;
use crate::version::Version;

impl Target<'_> {
    /// A last-writer-wins register: newer than what is stored, and not older than what another
    /// program wrote.
    pub(super) fn whole(
        &self,
        stage: &mut Doc<'_>,
        key: &Key,
        version: &Version,
        fields: &Fields,
        form: Form,
    ) {
        stage.doc("$replaceWith", |replace| {
            replace.list("$cond", |cond| {
                cond.doc(|newer| {
                    newer.list("$and", |both| {
                        both.doc(|newer| write_newer(newer, version, "$_ingest.v"));
                        both.doc(|newer| self.not_older_than_theirs(newer, version, form));
                    });
                });
                cond.doc(|changed| {
                    changed.list("$mergeObjects", |merge| {
                        self.kept(merge, self.made_id(key, form).as_ref(), fields);
                        merge.doc(|literal| {
                            literal.doc("$literal", |document| {
                                fields.iter().for_each(|field| document.field(field));
                                document.doc(OWN, |own| write_version(own, "v", version));
                            });
                        });
                    });
                });
                cond.text("$$ROOT");
            });
        });
    }

    /// Whether the version is not older than what another program wrote at the version field.
    fn not_older_than_theirs(&self, condition: &mut Doc<'_>, version: &Version, form: Form) {
        let gte = |condition: &mut Doc<'_>| {
            condition.list("$gte", |gte| {
                gte.int64(version.time.millis());
                gte.encoded(self.foreign.of(form));
            });
        };
        match form {
            Form::Short => condition.list("$or", |or| {
                or.doc(gte);
                or.encoded(self.beyond.as_bytes());
            }),
            Form::Long | Form::OfServersId => gte(condition),
        }
    }

    /// What stays of the stored document under the new fields: the identity only (`replace`), or
    /// all but the declared fields that are absent now (`set`), among which another program's
    /// fields remain.
    fn kept(&self, merge: &mut List<'_>, made_id: Option<&Key>, fields: &Fields) {
        if self.replace {
            return merge.doc(|identity| {
                match made_id {
                    Some(made_id) => identity.doc("_id", |id| {
                        id.list("$ifNull", |id| {
                            id.text("$_id");
                            id.value(made_id);
                        });
                    }),
                    None => identity.text("_id", "$_id"),
                }
                if self.key != "_id" {
                    identity.text(self.key, &self.key_path);
                }
            });
        }
        under(merge, made_id);
        let absent: Vec<&str> = self
            .declared
            .iter()
            .map(String::as_str)
            .filter(|name| fields.get(name).is_none())
            .collect();
        if absent.is_empty() {
            return merge.text("$$ROOT");
        }
        // By names as data, not as paths: `$unset` would read a dot.
        merge.doc(|rest| {
            rest.doc("$arrayToObject", |rest| {
                rest.doc("$filter", |filter| {
                    filter.doc("input", |input| input.text("$objectToArray", "$$ROOT"));
                    filter.doc("cond", |cond| {
                        cond.list("$not", |not| {
                            not.doc(|not| {
                                not.list("$in", |within| {
                                    within.text("$$this.k");
                                    within.doc(|literal| {
                                        literal.list("$literal", |names| {
                                            for name in &absent {
                                                names.text(name);
                                            }
                                        });
                                    });
                                });
                            });
                        });
                    });
                });
            });
        });
    }
}
