//! Counts of what happened since the start of the process.
//!
//! A counter is declared once, in `each_counter`. Its field, its metric, its place in the last
//! line of the log and among the totals of the status come from there; besides, only the signal
//! that counts it names it.

mod by_route;
mod kinds;
mod senders;

use std::collections::BTreeMap;

use self::by_route::ByRoute;
use self::kinds::{By, Counted, Counter, Peak};
use self::senders::Senders;
use crate::message::Reason;
use crate::store::WriteTrouble;

/// Gives all counters to the macro `$then`, in the order of the last line of the log. Of each:
///
/// - the help text of its metric;
/// - its name in the code and in the log. The metric is `longshore.` and the name without `_total`,
///   which Prometheus wants back at the end of what only grows; no counter has a unit;
/// - its kind;
/// - for one that has labels, the name under which the log has the labels that occurred;
/// - where it is `Shown`.
macro_rules! each_counter {
    ($then:ident) => {
        $then! {
            /// Receives that were answered, empty ones included.
            receives_total: Counter => Metrics;
            /// Receives that brought nothing.
            receives_empty_total: Counter => Metrics;
            /// Receives that failed.
            receives_failed_total: Counter => Metrics;
            /// Messages received, redeliveries included.
            received_total: Counter => Totals;
            /// Messages whose receive count was above one.
            redelivered_total: Counter => Totals;
            /// Receives that brought more than the queue says that it can.
            overdrawn_total: Counter => Metrics;
            /// Messages that were given back unread, because there was no room for them in time.
            received_unread_total: Counter => Metrics;
            /// The most messages that were ever reserved and held at once.
            in_flight_messages_peak: Peak => Metrics;
            /// The most bytes that were ever reserved and held at once.
            in_flight_bytes_peak: Peak => Metrics;
            /// Messages that needed more than their share of the in-flight bytes, and waited for it.
            outgrown_total: Counter => Metrics;
            /// Messages of which two names of a type name two routes. The one that is asked first decides.
            types_disagreed_total: Counter => Metrics;
            /// Commands that the store answered.
            batches_written_total: Counter => Metrics;
            /// Documents and updates that the store took, before what turned out stale is subtracted.
            written_total: Counter => Metrics;
            /// Messages joined with another of the same key before writing.
            joined_total: Counter => Totals;
            /// Inserts whose document was there already.
            already_there_total: Counter => Totals;
            /// Updates that were not newer than what is stored, or past their TTL.
            stale_total: Counter => Totals;
            /// Write attempts after which nothing, or not all, was confirmed, and which are tried
            /// again, by cause.
            writes_failed_total: By<WriteTrouble> => Totals;
            /// Messages whose dead letter is durable, by reason and route.
            dead_lettered_total: ByRoute<Reason>, each in dead_lettered => Totals;
            /// Messages deleted after their write, dead letters included.
            deleted_total: Counter => Totals;
            /// Delete entries that failed and were tried again.
            deletes_failed_total: Counter => Totals;
            /// Deletes given up: the message comes back and is found to be there already.
            deletes_abandoned_total: Counter => Metrics;
            /// Receipt handles that the queue no longer knew.
            stale_handles_total: Counter => Totals;
            /// Messages given back to the queue.
            released_total: Counter => Totals;
            /// Messages whose visibility was extended.
            extended_total: Counter => Metrics;
            /// Messages whose visibility could not be extended, and was asked for again.
            extends_failed_total: Counter => Metrics;
            /// Times the gate closed.
            gate_closed_total: Counter => Totals;
            /// Floods: times that most of the last messages were rejected for one reason.
            floods_total: By<Reason>, each in floods => Metrics;
            /// Rejected messages that stayed in the queue, because those that waited for their dead
            /// letters held half of the in-flight limits.
            rejected_left_total: Counter => Metrics;
            /// Dead letters that could not be sent to their queue within `retry.budget`, and went to the collection.
            dead_letters_not_sent_total: Counter => Metrics;
            /// Groups of dead letters of which nobody asked whether they are new, because too many others waited to
            /// be asked about.
            dead_letter_groups_unasked_total: Counter => Metrics;
        }
    };
}
pub(super) use each_counter;

/// Where a counter is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// In metrics, and in the last line of the log.
    Metrics,
    /// There, and among the `totals` of `/status.json`.
    Totals,
}

macro_rules! counters {
    ($(
        $(#[doc = $help:literal])*
        $name:ident: $kind:ident $(<$label:ident> $(, each in $each:ident)?)? => $shown:ident;
    )*) => {
        /// All counters; only [`super::signals`] writes them.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[doc = $help])* pub $name: $kind $(<$label>)?,)*
            /// The same messages as `dead_lettered_total` has, by who sent them. Apart from the others,
            /// for its sum is theirs.
            pub dead_letter_senders: Senders,
        }

        /// All counters at one moment.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Counts {
            $(
                $(#[doc = $help])* pub $name: u64,
                $($(
                    /// The same by label; only labels that occurred.
                    pub $each: BTreeMap<$label, u64>,
                )?)?
            )*
        }

        impl Counters {
            #[must_use]
            pub fn counts(&self) -> Counts {
                Counts { $($name: self.$name.get(), $($($each: self.$name.occurred(),)?)?)* }
            }

            /// Each counter as it was declared.
            pub(super) const ALL: &'static [Declared] = &[$(Declared {
                name: stringify!($name),
                help: concat!($($help),*),
                shown: Shown::$shown,
                of: |counters| &counters.$name,
            },)*];
        }
    };
}

each_counter!(counters);

impl Counters {
    /// What `/status.json` has among its totals: each by its name without `_total`.
    pub fn totals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let shown = Self::ALL.iter().filter(|counter| counter.shown == Shown::Totals);
        shown.map(|counter| (counter.short_name(), (counter.of)(self).get()))
    }
}

/// What is declared of a counter, and where it stands.
pub(super) struct Declared {
    name: &'static str,
    help: &'static str,
    shown: Shown,
    pub of: fn(&Counters) -> &dyn Counted,
}

impl Declared {
    pub fn short_name(&self) -> &'static str {
        self.name.strip_suffix("_total").unwrap_or(self.name)
    }

    /// The help text of its metric.
    pub fn help(&self) -> &'static str {
        self.help.trim()
    }
}

/// A count as a figure; exact up to 2^53.
#[allow(clippy::cast_precision_loss, reason = "nothing is counted that often")]
#[must_use]
pub fn figure(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_with_labels_is_the_sum_of_them() {
        let counters = Counters::default();
        for reason in [Reason::BadJson, Reason::BadKey, Reason::BadJson] {
            counters.dead_lettered_total.add(reason, Some("event"));
        }
        counters.writes_failed_total.add(WriteTrouble::Item);
        let counts = counters.counts();
        assert_eq!((counts.dead_lettered_total, counts.writes_failed_total), (3, 1));
        assert_eq!(counts.dead_lettered, [(Reason::BadJson, 2), (Reason::BadKey, 1)].into());
        let totals: BTreeMap<_, _> = counters.totals().collect();
        assert_eq!((totals["dead_lettered"], totals["writes_failed"]), (3, 1));
        assert_eq!(totals.get("floods"), None, "shown in metrics alone");
    }

    #[test]
    fn every_counter_is_named_and_explained_as_metrics_are() {
        for counter in Counters::ALL {
            let is_peak = (counter.of)(&Counters::default()).is_peak();
            assert_eq!(counter.name.ends_with("_total"), !is_peak, "{}", counter.name);
            assert!(counter.help().ends_with('.'), "{}: {}", counter.name, counter.help());
        }
    }
}
