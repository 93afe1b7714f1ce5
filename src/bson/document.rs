//! Whole documents, by their elements in the order in which they are written.

use super::fields::Field;
use super::{element, layout, subtype};

/// Bytes of a document that MongoDB stores at most: 16 MiB (MongoDB manual, "MongoDB Limits and
/// Thresholds").
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The elements of a document.
pub struct Doc<'a> {
    out: &'a mut Vec<u8>,
    /// Where the document begins.
    start: usize,
}

/// The items of an array.
pub struct List<'a> {
    out: &'a mut Vec<u8>,
    /// The index of the next item.
    next: usize,
}

/// A value that another module defines and a document can hold.
pub trait Value {
    /// Appends the value's bytes, without type and name. Returns its type, one of [`element`].
    fn append_to(&self, buffer: &mut Vec<u8>) -> u8;
}

/// Writes a document at the end of `out`, and returns what `body` does. Where that is an error, what
/// was written is of no use.
pub fn document<T>(out: &mut Vec<u8>, body: impl FnOnce(&mut Doc<'_>) -> T) -> T {
    let start = layout::open(out);
    let returned = body(&mut Doc { out, start });
    layout::close(out, start);
    returned
}

fn array(out: &mut Vec<u8>, body: impl FnOnce(&mut List<'_>)) {
    let start = layout::open(out);
    body(&mut List { out, next: 0 });
    layout::close(out, start);
}

/// What both hold: in a document under a name, in an array under the next index.
macro_rules! values {
    ($($(#[$doc:meta])* $method:ident($value:ident: $type:ty) = $append:expr;)*) => {
        impl Doc<'_> {
            $($(#[$doc])* pub fn $method(&mut self, name: &str, $value: $type) {
                layout::element(self.out, name, $append);
            })*
        }

        impl List<'_> {
            $($(#[$doc])* pub fn $method(&mut self, $value: $type) {
                self.item($append);
            })*
        }
    };
}

values! {
    text(text: &str) = |out| layout::text(out, text);
    boolean(value: bool) = |out| layout::boolean(out, value);
    int32(number: i32) = |out| layout::int32(out, number);
    int64(number: i64) = |out| layout::int64(out, number);
    /// Milliseconds since the epoch.
    date(millis: i64) = |out| layout::date(out, millis);
    /// Bytes of the generic subtype.
    binary(bytes: &[u8]) = |out| layout::binary(out, subtype::GENERIC, bytes);
    value(value: &impl Value) = |out| value.append_to(out);
    doc(body: impl FnOnce(&mut Doc<'_>)) = |out| { document(out, body); element::DOCUMENT };
    list(body: impl FnOnce(&mut List<'_>)) = |out| { array(out, body); element::ARRAY };
    /// A document that is encoded already.
    encoded(document: &[u8]) = |out| { out.extend_from_slice(document); element::DOCUMENT };
}

impl Doc<'_> {
    pub fn null(&mut self, name: &str) {
        layout::element(self.out, name, |_| element::NULL);
    }

    /// Copies a field as it is.
    pub fn field(&mut self, field: Field<'_>) {
        self.out.extend_from_slice(field.element);
    }

    /// Copies the value of a field, under another name.
    pub fn field_as(&mut self, name: &str, field: Field<'_>) {
        layout::element(self.out, name, |out| {
            out.extend_from_slice(field.value());
            field.element_type()
        });
    }

    /// Bytes of the document, if it ended here.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.out.len() - self.start + 1
    }
}

impl List<'_> {
    pub fn null(&mut self) {
        self.item(|_| element::NULL);
    }

    fn item(&mut self, value: impl FnOnce(&mut Vec<u8>) -> u8) {
        let type_at = layout::begin_item(self.out, self.next);
        layout::end(self.out, type_at, value);
        self.next += 1;
    }

    /// Writes what `body` does, unless the buffer has more than `bytes_max` bytes then: in that case
    /// it is taken back. Returns whether it stayed.
    pub fn within(&mut self, bytes_max: usize, body: impl FnOnce(&mut Self)) -> bool {
        let (bytes, next) = (self.out.len(), self.next);
        body(self);
        let fits = self.out.len() <= bytes_max;
        if !fits {
            self.out.truncate(bytes);
            self.next = next;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use bson::{Binary, Bson, DateTime, doc, spec::BinarySubtype};

    use super::super::Fields;
    use super::*;

    #[test]
    fn documents_are_laid_out_as_drivers_lay_them_out() {
        let inner = bson::serialize_to_vec(&doc! { "a": 1 }).expect("BSON");
        let mut out = b"before".to_vec();
        document(&mut out, |doc| {
            doc.text("text", "a\0é");
            doc.boolean("boolean", true);
            doc.int32("int32", -1);
            doc.int64("int64", 1);
            doc.date("date", -1);
            doc.binary("binary", &[1, 2]);
            doc.null("null");
            doc.encoded("encoded", &inner);
            doc.doc("doc", |doc| doc.doc("empty", |_| ()));
            doc.list("list", |list| {
                list.null();
                (0..10).for_each(|number| list.int64(number));
                list.list(|_| ());
            });
        });
        let numbers = (0_i64..10).map(Bson::from);
        let list = [Bson::Null].into_iter().chain(numbers).chain([Bson::Array(Vec::new())]);
        let expected = doc! {
            "text": "a\0é", "boolean": true, "int32": -1, "int64": 1_i64,
            "date": DateTime::from_millis(-1),
            "binary": Binary { subtype: BinarySubtype::Generic, bytes: vec![1, 2] },
            "null": null, "encoded": { "a": 1 }, "doc": { "empty": {} },
            "list": list.collect::<Vec<_>>(),
        };
        assert_eq!(out[6..], bson::serialize_to_vec(&expected).expect("BSON"));
    }

    #[test]
    fn a_field_is_copied_as_it_is_or_under_another_name() {
        let mut fields = Fields::default();
        fields.push_date("at", 7);
        let field = fields.get("at").expect("just pushed");
        let mut out = b"before".to_vec();
        let bytes = document(&mut out, |doc| {
            doc.field(field);
            doc.field_as("then", field);
            doc.bytes()
        });
        let at = DateTime::from_millis(7);
        assert_eq!(out[6..], bson::serialize_to_vec(&doc! { "at": at, "then": at }).expect("BSON"));
        assert_eq!(out.len() - 6, bytes, "said before the end");
    }

    #[test]
    fn an_item_beyond_the_bound_is_taken_back() {
        let mut out = Vec::new();
        document(&mut out, |doc| {
            doc.list("v", |list| {
                list.int32(1);
                assert!(!list.within(20, |list| list.text("more than there is room for")));
                assert!(list.within(1_000, |list| list.int32(2)));
            });
        });
        assert_eq!(out, bson::serialize_to_vec(&doc! { "v": [1, 2] }).expect("BSON"));
    }
}
