//! The statement of a partial update: each field by its own version.

use super::own::{OWN, write_newer, write_version};
use super::target::{Form, Target, under};
use crate::bson::{Doc, Fields, List};
use crate::message::Key;
use crate::version::Version;

impl Target<'_> {
    /// A last-writer-wins map: each field on its own, against its own version and the document's
    /// base.
    ///
    /// `_ingest.v` is the base: the version at which a document stood that another program wrote.
    /// Partial writes never raise it by their own version (a late write of another field would be
    /// lost), but keep it, because they overwrite the field that it was read from.
    pub(super) fn partial(
        &self,
        stage: &mut Doc<'_>,
        key: &Key,
        fields: &[(String, Version, Fields)],
        form: Form,
    ) {
        let made_id = self.made_id(key, form);
        let newer = |index: usize| format!("n{index}");
        let is_newer = |index: usize| format!("$$n{index}");
        let changed = |merge: &mut List<'_>| {
            under(merge, made_id.as_ref());
            merge.text("$$ROOT");
            for (index, (_, _, value)) in fields.iter().enumerate() {
                merge.doc(|cond| {
                    write_if(cond, &is_newer(index), |literal| {
                        value.iter().for_each(|field| literal.field(field));
                    });
                });
            }
            merge.doc(|document| {
                document.doc(OWN, |own| {
                    own.doc("v", |base| {
                        base.list("$ifNull", |base| {
                            base.text("$$base");
                            base.text("$$REMOVE");
                        });
                    });
                    own.doc("f", |versions| {
                        versions.list("$mergeObjects", |merge| {
                            merge.encoded(self.kept_versions.as_bytes());
                            for (index, (name, version, _)) in fields.iter().enumerate() {
                                merge.doc(|cond| {
                                    write_if(cond, &is_newer(index), |literal| {
                                        write_version(literal, name, version);
                                    });
                                });
                            }
                        });
                    });
                });
            });
        };
        stage.doc("$replaceWith", |replace| {
            replace.doc("$let", |outer| {
                outer.doc("vars", |vars| vars.encoded("base", self.base.of(form)));
                outer.doc("in", |outer| {
                    outer.doc("$let", |inner| {
                        inner.doc("vars", |vars| {
                            for (index, (name, version, _)) in fields.iter().enumerate() {
                                vars.doc(&newer(index), |newer| {
                                    is_newer_than_both(newer, name, version);
                                });
                            }
                        });
                        inner.doc("in", |inner| {
                            inner.list("$cond", |cond| {
                                cond.doc(|any| {
                                    any.list("$or", |any| {
                                        (0..fields.len())
                                            .for_each(|index| any.text(&is_newer(index)));
                                    });
                                });
                                cond.doc(|document| document.list("$mergeObjects", changed));
                                cond.text("$$ROOT");
                            });
                        });
                    });
                });
            });
        });
    }
}

/// `{$and: [version > base, version > the field's own]}`.
fn is_newer_than_both(newer: &mut Doc<'_>, name: &str, version: &Version) {
    newer.list("$and", |both| {
        both.doc(|gt| {
            gt.list("$gt", |gt| {
                gt.doc(|literal| write_version(literal, "$literal", version));
                gt.text("$$base");
            });
        });
        both.doc(|newer| write_newer(newer, version, &format!("$_ingest.f.{name}")));
    });
}

/// `{$cond: [condition, {$literal: {..}}, null]}`; `$mergeObjects` passes over null.
fn write_if(cond: &mut Doc<'_>, condition: &str, literal: impl FnOnce(&mut Doc<'_>)) {
    cond.list("$cond", |cond| {
        cond.text(condition);
        cond.doc(|doc| doc.doc("$literal", literal));
        cond.null();
    });
}
