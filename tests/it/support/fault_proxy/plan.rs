//! What is to go wrong, and with which calls.

use std::time::Duration;

use longshore::queue::sqs::Operation;

/// What ends a message: the operations that answer for each entry.
pub const SETTLING: [Operation; 2] = [Operation::Delete, Operation::ChangeVisibility];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call waits so long before it is passed on.
    Latency(Duration),
    /// The connection is reset, nothing was passed on.
    ResetBefore,
    /// The call is passed on, and the connection reset instead of an answer. A receive hides
    /// messages that nobody gets; a FIFO queue gives them again to who asks with the same attempt
    /// id.
    ResetAfter,
    /// Neither passed on nor answered.
    Silence,
    /// An error inside SQS, or no capacity: status 500 or 503.
    Unavailable,
    /// Asked too often.
    Throttled,
    /// The session's token has expired, or the key is not known any more.
    ExpiredToken,
    /// The policy of the queue or of the identity says no.
    Denied,
    /// The queue was deleted.
    Missing,
    /// Every other entry of a batch, from the first on, fails inside SQS and is not passed on.
    PartialFailure,
    /// Every other entry of a batch, from the first on, is said to have an invalid receipt handle
    /// and is not passed on.
    StaleHandles,
    /// Messages come twice: some in one answer, some again with a later one of these. Copies have a
    /// receipt handle of their own that is as good.
    Duplicates,
}

impl Fault {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latency(_) => "latency",
            Self::ResetBefore => "reset before it acted",
            Self::ResetAfter => "reset after it acted",
            Self::Silence => "silence",
            Self::Unavailable => "unavailable",
            Self::Throttled => "throttled",
            Self::ExpiredToken => "expired token",
            Self::Denied => "denied",
            Self::Missing => "missing queue",
            Self::PartialFailure => "partial failure",
            Self::StaleHandles => "stale handles",
            Self::Duplicates => "duplicates",
        }
    }

    /// Whether such a thing can happen to the operation.
    pub fn befalls(self, operation: Operation) -> bool {
        match self {
            Self::PartialFailure | Self::StaleHandles => SETTLING.contains(&operation),
            Self::Duplicates => operation == Operation::Receive,
            _ => true,
        }
    }
}

/// What one call meets.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Met {
    pub delay: Duration,
    pub fault: Option<Fault>,
}

/// Rules, asked in order.
pub(super) struct Plan {
    rules: Vec<Rule>,
    random: fastrand::Rng,
}

struct Rule {
    operations: Vec<Operation>,
    when: When,
    fault: Fault,
}

enum When {
    Next(u32),
    Chance(f64),
}

impl Plan {
    pub fn new(seed: u64) -> Self {
        Self { rules: Vec::new(), random: fastrand::Rng::with_seed(seed) }
    }

    pub fn next(&mut self, calls: u32, operation: Operation, fault: Fault) {
        assert!(fault.befalls(operation), "{} cannot happen to {}", fault.name(), operation.name());
        self.rules.push(Rule { operations: vec![operation], when: When::Next(calls), fault });
    }

    pub fn chance(&mut self, probability: f64, operations: &[Operation], fault: Fault) {
        let operations: Vec<_> =
            operations.iter().copied().filter(|&operation| fault.befalls(operation)).collect();
        assert!(!operations.is_empty(), "{} cannot happen to any of these", fault.name());
        self.rules.push(Rule { operations, when: When::Chance(probability), fault });
    }

    pub fn clear(&mut self) {
        self.rules.clear();
    }

    pub fn coin(&mut self) -> bool {
        self.random.bool()
    }

    pub fn meet(&mut self, operation: Operation) -> Met {
        let mut met = Met::default();
        for rule in self.rules.iter_mut().filter(|rule| rule.operations.contains(&operation)) {
            let happens = match &mut rule.when {
                When::Next(0) => false,
                When::Next(calls) => {
                    *calls -= 1;
                    true
                }
                When::Chance(probability) => self.random.f64() < *probability,
            };
            match rule.fault {
                _ if !happens => {}
                Fault::Latency(delay) => met.delay += delay,
                fault => return Met { fault: Some(fault), ..met },
            }
        }
        met
    }
}
