//! What a world is made of, drawn from its seed before it begins.

mod rates;
mod trial;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use longshore::config::Config;
use longshore::config::load::{Sources, load};
use longshore::config::shares::bytes_min;

use super::dice::Dice;
use super::fault::Fault;
use super::traffic::MESSAGE_BYTES_MAX;

pub struct Plan {
    pub config: Arc<Config>,
    pub visibility_timeout: Duration,
    pub fifo: bool,
    /// Whether a receive makes room for its answer once it knows the size.
    pub tells_size: bool,
    pub workers: usize,
    /// Messages that the producers send, and over how long.
    pub messages: usize,
    pub sending: Duration,
    /// Whether most messages are large ones, all at once.
    pub is_flood: bool,
    /// How many messages come first that are small.
    pub small_first: usize,
    /// Keys of each keyed collection: few, so that updates meet, but for FIFO waves.
    pub keys: usize,
    /// From then on nothing fails any more.
    pub faults_until: Duration,
    pub outages: Vec<Outage>,
    pub trial: Option<Trial>,
    rates: [f64; Fault::ALL.len()],
}

pub use rates::OF_OTHERS;
use rates::{HARMLESS, OF_PRODUCERS, OF_TIME, holds_only, rates};
pub use trial::Trial;

const MIB: usize = 1 << 20;

/// A time in which every write fails.
pub struct Outage {
    pub from: Duration,
    pub until: Duration,
    pub fault: Fault,
}

impl Plan {
    pub fn draw(dice: &Dice) -> Self {
        let plan = Self::draw_without_trial(dice);
        trial::draw(dice, plan)
    }

    fn draw_without_trial(dice: &Dice) -> Self {
        let workers = if dice.chance(0.35) { 2 + dice.below(2) } else { 1 };
        let mut messages =
            if dice.chance(0.1) { 100 + dice.below(150) } else { 5 + dice.below(60) };
        let mut sending = dice.between_ms(100, 60_000);
        let mut faults_until = sending + dice.between_ms(0, 120_000);
        let (mut config, mut rates) = (config(dice), rates(dice));
        let is_quiet = holds_only(&rates, OF_PRODUCERS) || holds_only(&rates, HARMLESS);
        let outages = if is_quiet && dice.chance(0.8) {
            Vec::new()
        } else {
            outages(dice, &mut faults_until)
        };
        if outages.iter().any(|outage| outage.fault == Fault::LongOutage) {
            // A day of tries at the shortest interval, with a death every minute, would take long
            // to simulate and show no more.
            config.retry.max = Duration::from_mins(1);
            for fault in OF_TIME.iter().chain(&[Fault::KilledBeforeAct, Fault::KilledAfterAct]) {
                rates[*fault as usize] /= 500.0;
            }
        }
        if !outages.is_empty() && dice.chance(0.5) {
            // A worker that dies or is stopped meanwhile does not live to see the store well again.
            for fault in OF_TIME {
                rates[*fault as usize] /= 50.0;
            }
        }
        if [Fault::ItemUnknownCode, Fault::CommandRefused]
            .iter()
            .any(|fault| rates[*fault as usize] > 0.0)
        {
            // An item with an unknown code is told from a store in trouble by what else is written:
            // there must be room for it.
            config.in_flight.bytes_max = config.in_flight.bytes_max.max(MIB);
        }
        let is_flood = rates[Fault::Large as usize] > 0.0 && dice.chance(0.15);
        if is_flood {
            // More than memory for it: only the limit of bytes binds.
            (messages, sending) = (200, Duration::from_secs(2));
            rates[Fault::Large as usize] = 1.0;
            config.in_flight.messages_max = 10_000;
            config.in_flight.bytes_max =
                bytes_min(&config, MESSAGE_BYTES_MAX) + 50 * MESSAGE_BYTES_MAX;
            config.batch.docs_max = 1_000;
            config.queue.pollers_max = 8;
        }
        // Holding messages for a day takes tens of thousands of calls, which are costly byte by byte.
        let is_long = outages.iter().any(|outage| outage.fault == Fault::LongOutage);
        let tells_size = dice.chance(0.5) && !is_long;
        let small_first = if tells_size && rates[Fault::Large as usize] > 0.0 && dice.chance(0.3) {
            messages = wave(dice, &mut config, &mut rates);
            sending = Duration::from_millis(300);
            2 * messages / 3
        } else {
            0
        };
        let visibility_timeout = Duration::from_secs(dice.pick(&[5, 30, 120]));
        let fifo = dice.chance(if small_first > 0 { 0.5 } else { 0.2 });
        let mut keys = 1 + dice.below(6);
        if fifo && small_first > 0 {
            // What is in flight of a group holds the rest of it back, and the room would never be full
            // with few.
            keys = 1_000;
        }
        Self {
            config: Arc::new(config),
            visibility_timeout,
            fifo,
            tells_size,
            workers,
            messages,
            sending,
            is_flood,
            small_first,
            keys,
            faults_until,
            outages,
            trial: None,
            rates,
        }
    }

    /// Lets `only` strike wherever it can, and nothing else.
    pub fn set_rates(&mut self, only: Option<Fault>) {
        self.rates = [0.0; Fault::ALL.len()];
        if let Some(fault) = only {
            self.rates[fault as usize] = 1.0;
        }
    }

    /// The same without anything that fails.
    pub fn without_faults(mut self) -> Self {
        self.set_rates(None);
        self.outages.clear();
        self.trial = None;
        self
    }

    /// Whether no fault of this world keeps a worker from writing and deleting what it holds.
    pub fn is_undisturbed(&self) -> bool {
        self.has_no_spell() && holds_only(&self.rates, HARMLESS)
    }

    /// Whether nothing of this world costs any message a second receive.
    pub fn is_faultless(&self) -> bool {
        self.has_no_spell() && holds_only(&self.rates, OF_PRODUCERS)
    }

    /// Whether other programs write to the store, too.
    pub fn has_others(&self) -> bool {
        OF_OTHERS.iter().any(|fault| self.rate(*fault) > 0.0)
    }

    fn has_no_spell(&self) -> bool {
        self.outages.is_empty() && self.trial.is_none()
    }

    /// How likely `fault` strikes where it can: at a call, an entry, a message, or in a second.
    pub fn rate(&self, fault: Fault) -> f64 {
        self.rates[fault as usize]
    }
}

fn outages(dice: &Dice, faults_until: &mut Duration) -> Vec<Outage> {
    let mut outages = Vec::new();
    if dice.chance(0.4) {
        let (length, fault) = match dice.below(20) {
            0 => (dice.between_ms(12 * 3_600_000, 25 * 3_600_000), Fault::LongOutage),
            1..6 => (dice.between_ms(1_000, 300_000), Fault::NotAuthorised),
            _ => (dice.between_ms(1_000, 900_000), Fault::Outage),
        };
        let from = dice.between_ms(0, 60_000);
        outages.push(Outage { from, until: from + length, fault });
        *faults_until = (*faults_until).max(from + length);
    }
    outages
}

/// Receives find that little comes, and then much does: each has reserved too little, and there is room
/// for two of the largest answers. Gives the number of messages.
fn wave(dice: &Dice, config: &mut Config, rates: &mut [f64]) -> usize {
    rates[Fault::Large as usize] = 1.0;
    if dice.chance(0.5) {
        rates[Fault::StoreSlow as usize] = 0.3;
    }
    config.in_flight.messages_max = 10_000;
    // Or for little more than one: then each receive reserves that.
    let more = if dice.chance(0.7) { 43 } else { 21 };
    config.in_flight.bytes_max = bytes_min(config, MESSAGE_BYTES_MAX) + more * MESSAGE_BYTES_MAX;
    config.batch.docs_max = 10;
    (config.queue.pollers_max, config.queue.wait) = (8, Duration::from_secs(20));
    200
}

fn config(dice: &Dice) -> Config {
    static ROUTES: OnceLock<Config> = OnceLock::new();
    let routes = || {
        let file =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/simulation/routes.toml");
        load(Sources { file: Some(file), ..Sources::default() })
            .unwrap_or_else(|errors| panic!("{errors}"))
            .config
    };
    let mut config = ROUTES.get_or_init(routes).clone();
    config.queue.wait = Duration::from_secs(dice.pick(&[0, 1, 5, 20]));
    config.queue.pollers_max = dice.pick(&[1, 2, 8]);
    config.batch.docs_max = dice.pick(&[1, 2, 5, 10, 1_000]);
    config.batch.writers_max = dice.pick(&[1, 2, 4]);
    config.batch.linger = Duration::from_millis(dice.pick(&[0, 0, 50]));
    config.in_flight.messages_max = dice.pick(&[10, 11, 25, 100, 10_000]);
    config.message.decompressed_bytes_max = 4 * MESSAGE_BYTES_MAX;
    let bytes_min = bytes_min(&config, MESSAGE_BYTES_MAX);
    config.in_flight.bytes_max = bytes_min + dice.pick(&[0, 5, 50, 100_000]) * MESSAGE_BYTES_MAX;
    config.retry.initial = Duration::from_millis(dice.pick(&[50, 100, 1_000]));
    config.retry.max = Duration::from_secs(dice.pick(&[1, 5, 10]));
    config.retry.budget = Duration::from_secs(dice.pick(&[1, 5, 30]));
    config
}
