//! One type per state of a message, and the [`Receipt`] that owns it all the way.
//!
//! ```text
//! QueueMessage --receive--> Receipt --decode--> Record --route--> Write --lane--> Part --settle--> (gone)
//! ```
//!
//! A [`Receipt`] cannot be cloned and only [`crate::settle`] consumes it. Dropping one unsettled is a bug: it is
//! counted, logged as an error, and fails the tests.

use std::fmt;
use std::sync::Arc;

use bson::oid::ObjectId;
use tokio::time::Instant;

use crate::budget::Permit;
use crate::held::Held;
use crate::version::Version;

/// What the queue hands over for one message, before anyone looked inside.
#[derive(Debug, Clone)]
pub struct QueueMessage {
    /// The queue's own id of the message. AWS gives a redriven message a new one.
    pub message_id: String,
    /// Valid for this receive only; a later receive of the same message makes it stale.
    pub receipt_handle: Arc<str>,
    pub body: String,
    /// Message attributes, at most ten (SQS). Sorted by name.
    pub attributes: Vec<(String, Attribute)>,
    /// `SentTimestamp`, milliseconds since the epoch.
    pub sent_ms: i64,
    /// `ApproximateReceiveCount`: 1 at the first receive.
    pub receive_count: u32,
    /// `MessageGroupId` and `SequenceNumber`, of FIFO queues only.
    pub fifo: Option<Fifo>,
    /// `AWSTraceHeader`, the X-Ray context of the producer.
    pub trace_header: Option<String>,
}

/// Where a message stands in its FIFO group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fifo {
    pub group: String,
    /// 20 digits at AWS, growing within a group; compared by number.
    pub sequence: u128,
}

/// The value of a message attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// `String` or `Number`: SQS sends both as text.
    Text(String),
    Binary(Vec<u8>),
}

/// The text of the attribute `name`, if it is there and is text.
#[must_use]
pub fn attribute_text<'a>(attributes: &'a [(String, Attribute)], name: &str) -> Option<&'a str> {
    attributes.iter().find_map(|(n, value)| match value {
        Attribute::Text(text) if n == name => Some(text.as_str()),
        _ => None,
    })
}

impl QueueMessage {
    /// The text of the attribute `name`, if it is there and is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        attribute_text(&self.attributes, name)
    }

    /// What the message costs in memory, and so in the in-flight budget: body, names and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let attributes: usize = self
            .attributes
            .iter()
            .map(|(name, value)| {
                name.len()
                    + match value {
                        Attribute::Text(text) => text.len(),
                        Attribute::Binary(bytes) => bytes.len(),
                    }
            })
            .sum();
        self.body.len() + attributes
    }
}

/// The identity of a message, the same at every redelivery: who sent it when, under which id.
///
/// Taken from the envelope, else from the attributes `longshore-time` and `longshore-id`, else from `SentTimestamp` and
/// `MessageId`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Milliseconds since the epoch.
    pub time_ms: i64,
    pub id: Arc<[u8]>,
}

/// A held message. It owns the message, its place in the in-flight budget and the duty to be settled exactly once.
pub struct Receipt {
    /// Grows with every message that this process received; names the receipt in logs and tables.
    pub number: u64,
    pub message: Box<QueueMessage>,
    /// When the receive that brought it returned.
    pub received_at: Instant,
    /// Returned to the budget when the receipt is settled.
    pub permit: Permit,
    held: Held,
    settled: bool,
}

impl Receipt {
    /// Takes the message into the table of what is held; its visibility is to be extended at `due`.
    #[must_use]
    pub fn new(message: QueueMessage, received_at: Instant, due: Instant, permit: Permit, held: &Held) -> Self {
        let number = held.enter(Arc::clone(&message.receipt_handle), due);
        Self { number, message: Box::new(message), received_at, permit, held: held.clone(), settled: false }
    }

    /// The number of the message that was received last.
    #[must_use]
    pub fn latest_number(&self) -> u64 {
        self.held.latest_number()
    }

    /// Ends the receipt. Only [`crate::settle`] calls this, after the queue has answered.
    pub(crate) fn settled(mut self) {
        self.settled = true;
        self.held.settle(self.number);
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").field("number", &self.number).field("message_id", &self.message.message_id).finish()
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if !self.settled {
            self.held.forget(self.number);
            tracing::error!(message.id = %self.message.message_id, "receipt dropped unsettled: the message comes back after its visibility timeout");
        }
    }
}

/// A message whose body was understood: which route it names, who sent it, and its fields as BSON.
#[derive(Debug, Clone)]
pub struct Record {
    /// The message's type, which names its route.
    pub kind: String,
    pub origin: Origin,
    /// `SentTimestamp` of the queue, milliseconds: the clock that `version_skew_max` is measured against.
    pub sent_ms: i64,
    /// All top-level fields in the order of the body, `type` and `id` included, with nothing converted but JSON to BSON.
    pub fields: Fields,
    /// Bytes of the decoded body, after decompression.
    pub bytes: usize,
}

/// Top-level fields as encoded BSON elements in one buffer, in order, each name once.
///
/// An element is laid out as in a BSON document: type byte, name, NUL, value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    buffer: Vec<u8>,
    /// Where each element begins, and how long its name is.
    starts: Vec<(usize, usize)>,
}

impl Fields {
    /// The buffer to append the value to, after [`Fields::begin`] wrote type and name.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Starts an element: writes a placeholder type byte, the name and its NUL, and returns where the type byte is, to be
    /// set once the value is known. The caller has refused names with a NUL and names that are there already.
    pub fn begin(&mut self, name: &str) -> usize {
        let start = self.buffer.len();
        self.starts.push((start, name.len()));
        self.buffer.push(0);
        self.buffer.extend_from_slice(name.as_bytes());
        self.buffer.push(0);
        start
    }

    /// Appends an element whole.
    pub fn push(&mut self, name: &str, element_type: u8, value: &[u8]) {
        let start = self.begin(name);
        self.buffer[start] = element_type;
        self.buffer.extend_from_slice(value);
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Bytes of all elements together: a document of them is 5 longer.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.starts.iter().enumerate().map(|(index, &(start, name_len))| {
            let end = self.starts.get(index + 1).map_or(self.buffer.len(), |next| next.0);
            Field { element: &self.buffer[start..end], name_len }
        })
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<Field<'_>> {
        self.iter().find(|field| field.name() == name)
    }
}

/// One element of [`Fields`].
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    /// The element as a BSON document holds it.
    pub element: &'a [u8],
    name_len: usize,
}

impl<'a> Field<'a> {
    /// # Panics
    /// Never: the name was written from a `str`.
    #[must_use]
    pub fn name(&self) -> &'a str {
        std::str::from_utf8(&self.element[1..=self.name_len]).expect("written from a str")
    }

    /// The BSON element type, as in the BSON specification.
    #[must_use]
    pub fn element_type(&self) -> u8 {
        self.element[0]
    }

    /// The value's bytes, without type and name.
    #[must_use]
    pub fn value(&self) -> &'a [u8] {
        &self.element[self.name_len + 2..]
    }

    /// The text of a string.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        const STRING: u8 = 0x02;
        // Length, text, NUL.
        let text = self.value().get(4..self.value().len().checked_sub(1)?)?;
        if self.element_type() == STRING { std::str::from_utf8(text).ok() } else { None }
    }
}

/// A key or a document id: one of the values that name exactly one document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// Compared as one number whatever its width: the server holds 1 and `NumberLong(1)` to be equal.
    Integer(i64),
    Text(String),
    ObjectId(ObjectId),
    /// A UUID, binary subtype 4.
    Uuid([u8; 16]),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::ObjectId(id) => write!(f, "ObjectId({id})"),
            Self::Uuid(bytes) => write!(f, "UUID({})", bson::Uuid::from_bytes(*bytes)),
        }
    }
}

/// What one message asks of the store.
#[derive(Debug, Clone)]
pub enum Write {
    Insert(Insert),
    Update(Update),
}

impl Write {
    /// Upper bound of the bytes this takes in an encoded command, its share of statement and array overhead included.
    #[must_use]
    pub fn command_bytes(&self) -> usize {
        match self {
            Self::Insert(insert) => insert.document.len() + Self::INSERT_OVERHEAD,
            Self::Update(update) => update.command_bytes(),
        }
    }

    /// Type byte, decimal index and NUL of an array element.
    const INSERT_OVERHEAD: usize = 16;
}

/// A document that is inserted once, under an id that is the same at every redelivery.
#[derive(Debug, Clone)]
pub struct Insert {
    pub id: Key,
    /// The whole document as BSON, `_id` first.
    pub document: Vec<u8>,
    /// Where the id is the producer's own: a hash of the message as sent, stored as `_ingest.h`. Another document under the
    /// same id is told from a redelivery by it.
    pub hash: Option<[u8; 16]>,
}

/// An order-free change of the document with this key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    pub key: Key,
    pub change: Change,
}

/// What an update carries, and at which version. How two of them join is said in [`crate::version`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The whole state at one version: a last-writer-wins register. `fields` are all there are; what is declared and
    /// absent is removed.
    Whole { version: Version, fields: Fields },
    /// Some fields, each with its own version: a last-writer-wins map. Sorted by name.
    Partial { fields: Vec<(String, Version, Fields)> },
}

impl Update {
    fn command_bytes(&self) -> usize {
        /// The update statement around the literals; the longest is measured in the store's tests.
        const STATEMENT: usize = 1_024;
        const PER_FIELD: usize = 768;
        match &self.change {
            Change::Whole { version, fields } => STATEMENT + fields.bytes() + 3 * version.origin_id.len() + PER_FIELD * 2,
            Change::Partial { fields } => {
                let each: usize = fields
                    .iter()
                    .map(|(name, version, value)| PER_FIELD + 8 * name.len() + value.bytes() + 3 * version.origin_id.len())
                    .sum();
                STATEMENT + each
            }
        }
    }
}

/// A write together with the receipt that it will settle.
#[derive(Debug)]
pub struct Part {
    pub write: Write,
    pub receipt: Receipt,
    /// What the message counts as once the write is durable.
    pub ending: Ending,
}

/// Why a message may leave the queue: what of it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Its effect.
    Written,
    /// Its dead letter.
    DeadLettered(Reason),
}

/// Why a message is refused. The code is one word for logs, metrics and the dead letter; the text names the thing, the
/// place and what to do, and holds no value from the message beyond names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub reason: Reason,
    pub text: String,
    /// The server's error code, where the server refused it.
    pub code: Option<i32>,
}

impl Rejection {
    #[must_use]
    pub fn new(reason: Reason, text: impl Into<String>) -> Self {
        Self { reason, text: text.into(), code: None }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $code:literal,)*) => {
        /// The reason codes of dead letters. The list is closed, so that a metric by reason has bounded cardinality.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $($(#[$doc])* $variant,)* }

        impl Reason {
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)*];

            /// The code as it stands in records, logs and metrics.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Reason::$variant => $code,)* }
            }
        }
    };
}

reasons! {
    /// The body is not a JSON object, or not UTF-8.
    BadJson = "bad_json",
    /// The envelope (SNS, EventBridge, CloudEvents) is broken.
    BadEnvelope = "bad_envelope",
    /// The body cannot be decompressed, or names an unknown encoding.
    BadEncoding = "bad_encoding",
    /// Larger than a bound: decompressed size, 16 MiB, 100 levels.
    TooLarge = "too_large",
    /// No type was given.
    MissingType = "missing_type",
    /// No route has this type.
    UnknownType = "unknown_type",
    /// A field that the route requires is absent.
    MissingField = "missing_field",
    /// A field that the route does not declare.
    UnknownField = "unknown_field",
    /// A key or id that is absent, null, empty, too long, or of a type that cannot name a document.
    BadKey = "bad_key",
    /// A time that cannot be read, is out of range or too far ahead.
    BadTime = "bad_time",
    /// A name that cannot be stored: `$`, NUL, a dot at the top level, `_ingest`, twice in one object.
    BadName = "bad_name",
    /// A value that cannot be stored: an integer beyond int64, a broken Extended JSON value.
    BadValue = "bad_value",
    /// The producer's id is there already, with other contents.
    IdConflict = "id_conflict",
    /// The server refused the document: validator, unique index, type, size, geo or index-key errors.
    StoreRejected = "store_rejected",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
