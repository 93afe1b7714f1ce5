//! How a producer is set, and what it may be set to.

use std::time::Duration;

use crate::config::defaults;
use crate::queue::sqs::Credentials;
use crate::queue::{BATCH_MAX, QueueConfig, SEND_BYTES_MAX, name};
use crate::retry::RetryConfig;

use super::outbox::Delivery;

/// How long a message is tried by default: longer than a failover or a deploy of what is in front of
/// the queue takes, and no longer than somebody who waits for it would believe in it.
pub const BUDGET: Duration = Duration::from_mins(5);

/// What may wait by default: a web application at 200 messages a second fills it in 50 s.
pub const WAITING_MAX: usize = 10_000;
pub const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long a batch that is not full waits by default.
pub const LINGER: Duration = Duration::from_millis(5);

/// The longest wait of a batch that is not full: longer ones are a mistake of the unit.
const LINGER_MAX: Duration = Duration::from_secs(10);

/// Above this a body is packed by default: SQS bills each 64 KiB as a request.
pub const COMPRESSED_ABOVE: usize = 64 * 1024;

/// Calls in flight to a standard queue.
pub const CALLS_MAX: usize = 8;

/// Whether large bodies are packed. They travel in base64 with the attribute `content-encoding`,
/// which workers read, and only where that is smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Off,
    /// Bodies of more than so many bytes.
    Gzip {
        above: usize,
    },
    /// The same. By an encoder that is quick and packs less well than gzip mostly does.
    Zstd {
        above: usize,
    },
}

/// How a [`Producer`](super::Producer) sends. [`ProducerConfig::new`] has the defaults.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProducerConfig {
    /// Which queue, and how it is called: `url`, `endpoint_url`, `region` and `allow_insecure`
    /// count. A queue whose URL ends in `.fifo` is FIFO.
    pub queue: QueueConfig,
    /// The standard AWS chain where there is none.
    pub credentials: Option<Credentials>,
    /// How what fails is tried again. `budget` is how long a message is tried, from when it has its
    /// place on: 5 minutes by default, 24 hours at most.
    pub retry: RetryConfig,
    /// Messages that may wait, those in flight included: 1 or more, 10,000 by default.
    pub waiting_max: usize,
    /// Bytes that they may have, as SQS counts them: 1 MiB, which one message may have, or more; 16
    /// MiB by default. Calls in flight take a few times their messages' bytes beside it.
    pub waiting_bytes_max: usize,
    /// How long a batch that is not full waits for more: 0 to 10 s, 5 ms by default.
    pub linger: Duration,
    /// Gzip above 64 KiB by default.
    pub compression: Compression,
    /// By the built-in routes and the default settings of a worker, by default.
    pub checks: Checks,
}

/// By what a message is checked at the call. A worker has the last word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checks {
    /// Events, sessions and cache entries by their built-in routes, all others by what every worker refuses, each by the
    /// default settings.
    Defaults,
    /// All by what every worker refuses, for one whose built-in routes were changed; with bodies of up to so many bytes:
    /// its `message.decompressed_bytes_max`, or `message.document_bytes_max` where that is less.
    AnyRoutes { body_bytes_max: usize },
}

impl ProducerConfig {
    /// The defaults, for the queue at this URL.
    #[must_use]
    pub fn new(queue_url: impl Into<String>) -> Self {
        let config = defaults();
        Self {
            queue: QueueConfig { url: Some(queue_url.into()), ..config.queue },
            credentials: None,
            retry: RetryConfig { budget: BUDGET, ..config.retry },
            waiting_max: WAITING_MAX,
            waiting_bytes_max: WAITING_BYTES_MAX,
            linger: LINGER,
            compression: Compression::Gzip { above: COMPRESSED_ABOVE },
            checks: Checks::Defaults,
        }
    }

    pub(super) fn is_fifo(&self) -> bool {
        self.queue.url.as_deref().is_some_and(name::is_fifo)
    }

    pub(super) fn delivery(&self) -> Delivery {
        let fifo = self.is_fifo();
        Delivery {
            retry: self.retry.clone(),
            entries_max: BATCH_MAX,
            calls_max: if fifo { 1 } else { CALLS_MAX },
            linger: self.linger,
            fifo,
            ends_when_denied: false,
        }
    }

    /// # Errors
    /// All values that are out of their bounds.
    pub(super) fn check(&self) -> Result<(), String> {
        let retry = &self.retry;
        let problems = [
            (self.waiting_max < 1).then(|| "waiting_max must be 1 or more".to_owned()),
            (self.waiting_bytes_max < SEND_BYTES_MAX).then(|| {
                format!("waiting_bytes_max is {}, and one message may have {SEND_BYTES_MAX}: give as much or more", self.waiting_bytes_max)
            }),
            (self.linger > LINGER_MAX).then(|| {
                format!("linger is {:?}: give {LINGER_MAX:?} or less", self.linger)
            }),
            (retry.initial < INITIAL_MIN || retry.max < retry.initial).then(|| {
                format!("retry.initial is {:?} and retry.max {:?}: give {INITIAL_MIN:?} or more, and no less for max than for initial", retry.initial, retry.max)
            }),
            (retry.max > PAUSE_MAX || retry.budget > BUDGET_MAX).then(|| {
                format!("retry.max is {:?} and retry.budget {:?}: give {PAUSE_MAX:?} and {BUDGET_MAX:?} or less", retry.max, retry.budget)
            }),
            // Also where it is NaN.
            (!(1.1..=10.0).contains(&retry.multiplier))
                .then(|| format!("retry.multiplier is {}: give 1.1 to 10", retry.multiplier)),
        ];
        let problems: Vec<String> = problems.into_iter().flatten().collect();
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }
}

/// What is older was not sent in time, by anybody's measure.
const BUDGET_MAX: Duration = Duration::from_hours(24);

const PAUSE_MAX: Duration = Duration::from_hours(1);

/// As the configuration's `retry.initial`.
const INITIAL_MIN: Duration = Duration::from_millis(10);
