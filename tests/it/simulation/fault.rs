//! The kinds of faults that a world can hold, and how often each struck.

macro_rules! faults {
    ($($variant:ident = $what:literal,)*) => {
        /// What goes wrong in a world.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Fault { $($variant,)* }

        impl Fault {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// In words, for reports.
            pub fn what(self) -> &'static str {
                match self { $(Self::$variant => $what,)* }
            }
        }
    };
}

faults! {
    // The queue.
    Throttled = "the queue throttles a call",
    QueueUnavailable = "a call to the queue fails before it acted",
    QueueAnswerLost = "a call to the queue acts, and its answer is lost",
    QueueDenied = "the queue denies a call: expired credentials",
    QueueMissing = "the queue says that it does not exist",
    QueueSlow = "a call to the queue takes seconds",
    QueueHangs = "a call to the queue hangs, and acts after the caller gave up",
    EntryFailed = "an entry of a batch fails",
    EntryFailedDone = "an entry of a batch fails, though it was done",
    HandleRefused = "the queue calls a good receipt handle stale",
    DeleteForgotten = "a delete by an old receipt handle is confirmed, and does nothing",
    DeletedByOldHandle = "an old receipt handle deletes the message",
    DeliveredWhileHidden = "a hidden message is delivered once more",
    DeliveredAfterDelete = "a deleted message is delivered once more",
    ShortAnswer = "a receive brings fewer messages than there are",
    Reordered = "messages are delivered in another order than sent",
    ReceiveRepeated = "a FIFO receive with the same attempt id brings the same messages",
    DeletesDenied = "the queue denies all deletes for a time, and nothing else",
    AppliedOutOfOrder = "the queue applies calls about a message in another order than they were sent",
    AppliedAfterGivenUp = "the queue hides a message for a call that its caller has given up",
    AnswerWaited = "an answer waits for room before it is read",
    AnswerUnread = "an answer finds no room, and is read for its handles alone",
    QueueUnreachable = "there is no connection to the queue",
    IdleClosed = "the queue closes a connection that nobody uses",
    KeysReplaced = "a worker's keys are replaced while it uses them",
    SignedAtWrongTime = "the queue refuses a request for the time at which it was signed",
    AnswerReplaced = "a gateway answers instead of the queue, which has acted or not",
    AnswerHalf = "half an answer comes as if it were whole",
    AnswerUntold = "an answer does not tell its size",
    AnswerMisstated = "an answer has another size than it tells",
    AnswerCut = "a connection breaks in an answer",
    AnswerStalls = "nothing comes any more of an answer that has begun",
    AnswerSlow = "an answer comes in parts, seconds apart",
    AnswerInPieces = "an answer comes in many pieces",
    HiddenWhileVisible = "the queue hides a visible message for a late call by its latest handle",
    // The store.
    StoreUnavailable = "a write fails before anything was applied",
    WriteAnswerLost = "a write is applied, and its answer is lost",
    HalfApplied = "a write is applied in part, and its answer is lost",
    ConnectionLost = "the connection breaks under a write",
    WriteConcernUnmet = "a write is applied, and its write concern is not met",
    SteppedDown = "the primary steps down: what was not acknowledged is rolled back",
    AppliedLate = "a write times out, and is applied long after",
    ItemDoubted = "the store answers a good item with an unknown code, once",
    UpsertRaced = "an upsert meets another one",
    ItemRefused = "the store refuses an item for its own fault",
    ItemUnknownCode = "the store answers an item with an unknown code, always",
    ReplyTooLarge = "the error reply of a batch is too large, and breaks the connection",
    CommandRefused = "a whole command is refused for one of its items",
    StoreSlow = "a write takes longer than the visibility timeout",
    Outage = "the store is away for minutes",
    LongOutage = "the store is away for longer than a message may be held",
    NotAuthorised = "the store denies all writes for a time",
    StoreDoubts = "the store answers every item with an unknown code, for a time",
    DeadLettersDenied = "the store denies all dead letters for a time, and nothing else",
    CollectionDenied = "the store denies all writes to one collection for a time, and nothing else",
    LargeTimesOut = "the server gives up every command of more than one item, for a time",
    CommandTimedOut = "the server gives a command up for taking too long, and has applied a part",
    ItemUnconfirmed = "the store confirms an item not and refuses it not, for a time",
    ItemBreaksConnection = "an item breaks its connection, alone too, for a time",
    ItemHangs = "the server never returns from an item, alone too, for a time",
    SecondIndex = "the store refuses an item, because another document has a value that a second index keeps unique",
    SecondIndexRaced = "an upsert meets another one at a second unique index",
    Validated = "a validator over several fields refuses an item for what is stored",
    // The queue of dead letters.
    LettersFailed = "a send of dead letters fails before it acted",
    LettersAnswerLost = "dead letters are sent, and the answer is lost",
    LettersSlow = "a send of dead letters takes seconds",
    LettersHang = "a send of dead letters acts after the worker gave up",
    LettersAway = "the queue of dead letters is away for minutes",
    LetterFailed = "a dead letter fails in a send, done or not",
    LetterRefused = "the queue of dead letters refuses one",
    LetterCollected = "a dead letter is moved to the collection",
    LetterCollectedTwice = "a dead letter is moved to the collection, and stays in its queue",
    // Other programs at the store.
    OthersWrote = "another program writes a document that has a key of ours",
    OthersWroteBeyond = "another program writes a version field of the year 2612",
    OthersChanged = "another program changes a document that we made",
    OthersDeleted = "another program deletes a document",
    OthersMadeAnew = "another program makes a document anew",
    OthersRenamed = "another program changes the key of a document that we made",
    Expired = "a TTL index removes a document",
    // Whoever puts dead letters back.
    PutBack = "a dead letter is put back while workers run",
    PutBackUnmarked = "a dead letter is put back, and its record does not say so",
    Mended = "what refused an item is mended before its dead letter is put back",
    // The workers.
    KilledBeforeAct = "a worker dies after it asked and before the server acted",
    KilledAfterAct = "a worker dies after the server acted and before it heard so",
    KilledAnytime = "a worker dies at some moment",
    Drained = "a worker is stopped, and another started",
    LetGo = "a worker is stopped, and must let go before it is done",
    ManyWorkers = "two or three workers share the queue",
    ClockJumped = "a wall clock jumps",
    Frozen = "the whole machine stands still for a while",
    // The producers.
    SentTwice = "a producer sends a message twice",
    SentOutOfOrder = "a producer sends an older update after a newer one",
    IdConflict = "a producer gives two events one id",
    IdentityTwice = "a producer gives two messages one identity, by attributes or an envelope",
    Replayed = "a dead letter is replayed after newer updates",
    TiedToTheMillisecond = "updates of a key differ by less than a millisecond of their version",
    TiedToTheSequence = "updates of a key differ by their place in a FIFO group alone",
    TiedToTheId = "updates of a key differ by their rising ids alone",
    Tied = "nothing tells which of two updates of a key is newer",
    Poison = "a producer sends what cannot be taken",
    Large = "a producer sends a large message",
    Outgrown = "a message is larger in memory than its share of the limit",
    SentTooLate = "an update is older than its collection's TTL",
}

/// How often each fault struck.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coverage([u64; Fault::ALL.len()]);

impl Default for Coverage {
    fn default() -> Self {
        Self([0; Fault::ALL.len()])
    }
}

impl Coverage {
    pub fn saw(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    pub fn times(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, times)| *sum += times);
    }
}
