//! The decisions as tables. Every state there is stands in one row of its table, and every row is
//! met by a state.

use super::*;

fn rejection() -> Rejection {
    Rejection::by_server("no", Some(121))
}

fn unconfirmed() -> ItemOutcome {
    ItemOutcome::Unconfirmed("no majority".to_owned())
}

#[test]
fn every_answer_for_an_item_of_a_batch_has_its_decision() {
    use Count::{Many, One};
    use ItemDecision as Is;
    let again = Is::Again("no majority".to_owned());
    #[rustfmt::skip]
    let table = [
        // the store says                     of messages  store is well    what becomes of it
        (ItemOutcome::Written,                One,         false,           Is::Done),
        (ItemOutcome::Written,                One,         true,            Is::Done),
        (ItemOutcome::Written,                Many,        false,           Is::Done),
        (ItemOutcome::Written,                Many,        true,            Is::Done),
        (ItemOutcome::AlreadyThere,           One,         false,           Is::Done),
        (ItemOutcome::AlreadyThere,           One,         true,            Is::Done),
        (ItemOutcome::AlreadyThere,           Many,        false,           Is::Done),
        (ItemOutcome::AlreadyThere,           Many,        true,            Is::Done),
        (ItemOutcome::Rejected(rejection()),  One,         false,           Is::Reject(rejection())),
        (ItemOutcome::Rejected(rejection()),  One,         true,            Is::Reject(rejection())),
        (ItemOutcome::Rejected(rejection()),  Many,        false,           Is::TakeApart),
        (ItemOutcome::Rejected(rejection()),  Many,        true,            Is::TakeApart),
        (ItemOutcome::Doubtful(rejection()),  One,         false,           Is::AloneInDoubt),
        (ItemOutcome::Doubtful(rejection()),  One,         true,            Is::AloneInDoubt),
        (ItemOutcome::Doubtful(rejection()),  Many,        false,           Is::Alone),
        (ItemOutcome::Doubtful(rejection()),  Many,        true,            Is::Alone),
        (unconfirmed(),                       One,         false,           again.clone()),
        (unconfirmed(),                       One,         true,            Is::Alone),
        (unconfirmed(),                       Many,        false,           again),
        (unconfirmed(),                       Many,        true,            Is::Alone),
    ];
    for (outcome, messages, is_store_well, decision) in table {
        let said = format!("{outcome:?} of {messages:?}, the store is well: {is_store_well}");
        assert_eq!(of_item(outcome, messages, is_store_well), decision, "{said}");
    }
}

#[test]
fn every_answer_for_a_message_by_itself_has_its_decision() {
    use MessageDecision as Is;
    let again = |text: &str| Is::Again(text.to_owned());
    #[rustfmt::skip]
    let table = [
        // the store says                     doubt is proven  what becomes of it
        (ItemOutcome::Written,                false,           Is::Done),
        (ItemOutcome::Written,                true,            Is::Done),
        (ItemOutcome::AlreadyThere,           false,           Is::Done),
        (ItemOutcome::AlreadyThere,           true,            Is::Done),
        (ItemOutcome::Rejected(rejection()),  false,           Is::Reject(rejection())),
        (ItemOutcome::Rejected(rejection()),  true,            Is::Reject(rejection())),
        (ItemOutcome::Doubtful(rejection()),  false,           again("no")),
        (ItemOutcome::Doubtful(rejection()),  true,            Is::Reject(rejection())),
        (unconfirmed(),                       false,           again("no majority")),
        (unconfirmed(),                       true,            again("no majority")),
    ];
    for (outcome, is_proven, decision) in table {
        let said = format!("{outcome:?}, proven: {is_proven}");
        assert_eq!(of_message(outcome, is_proven), decision, "{said}");
    }
}

#[test]
fn a_store_shows_that_it_is_well_by_what_it_changed() {
    let written = || ItemOutcome::Written;
    let rejected = || ItemOutcome::Rejected(rejection());
    #[rustfmt::skip]
    let table: [(Vec<ItemOutcome>, usize, bool); 9] = [
        // the store says                                  stale  it is well
        (vec![],                                           0,     false),
        (vec![ItemOutcome::Doubtful(rejection())],         0,     false),
        (vec![unconfirmed()],                              0,     false),
        (vec![written()],                                  1,     true),
        (vec![ItemOutcome::AlreadyThere],                  0,     true),
        (vec![rejected()],                                 0,     true),
        (vec![written(), unconfirmed()],                   0,     true),
        // One that cannot write says so, too.
        (vec![written(), unconfirmed()],                   1,     false),
        (vec![ItemOutcome::AlreadyThere, rejected(), unconfirmed()], 0, false),
    ];
    for (outcomes, stale, is_well) in table {
        assert_eq!(Tally::of(&outcomes, stale).is_store_well(), is_well, "{outcomes:?}, {stale}");
    }
}

#[test]
fn a_doubt_is_proven_by_its_age_with_what_others_have_or_by_its_third_time() {
    let budget = Duration::from_secs(30);
    let (none, second) = (Duration::ZERO, Duration::from_secs(1));
    #[rustfmt::skip]
    let table = [
        // age           others confirmed  times  proven
        (none,           false,            1,     false),
        (none,           true,             1,     false),
        (4 * second,     true,             2,     false),
        (5 * second,     false,            2,     false),
        (5 * second,     true,             1,     true),
        (none,           false,            3,     true),
        (none,           false,            0,     false),
    ];
    for (age, were_others_confirmed, times, proven) in table {
        let doubt = Doubt { age, were_others_confirmed, times };
        assert_eq!(is_proven(doubt, budget), proven, "{doubt:?}");
    }
    let doubt = Doubt { age: 2 * second, were_others_confirmed: true, times: 1 };
    assert!(is_proven(doubt, 4 * second), "half of a short budget is enough");
    assert!(!is_proven(doubt, 6 * second));
}

#[test]
fn patience_lasts_for_the_budget_and_ten_minutes_where_no_such_trouble_is_known() {
    let (budget, second) = (Duration::from_secs(30), Duration::from_secs(1));
    #[rustfmt::skip]
    let table = [
        // failing for   known   patience
        (29 * second,    false,  Patience::Left),
        (29 * second,    true,   Patience::Left),
        (30 * second,    false,  Patience::Spent),
        (30 * second,    true,   Patience::Over),
        (629 * second,   false,  Patience::Spent),
        (630 * second,   false,  Patience::Over),
    ];
    for (failing, is_known, patience) in table {
        assert_eq!(Patience::after(failing, budget, is_known), patience, "{failing:?} {is_known}");
    }
}

const TROUBLES: &[WriteTrouble] = &[
    WriteTrouble::ConnectionLost,
    WriteTrouble::NoAnswer,
    WriteTrouble::Unavailable,
    WriteTrouble::Denied,
    WriteTrouble::Collection,
    WriteTrouble::Refused,
    WriteTrouble::TimedOut,
    WriteTrouble::Item,
];
const COUNTS: &[Count] = &[Count::One, Count::Many];
/// The most stands for all that are more.
const LOST: &[u32] = &[0, 1, LOST_MAX];
const PATIENCES: &[Patience] = &[Patience::Left, Patience::Spent, Patience::Over];
const HEALTHS: &[Health] = &[Health::NotAsked, Health::Well, Health::Unwell, Health::StillUnwell];
const EITHER: &[bool] = &[false, true];

fn standings() -> Vec<Standing> {
    let mut all = Vec::new();
    for &trouble in TROUBLES {
        for &items in COUNTS {
            for &lost in LOST {
                for &patience in PATIENCES {
                    for &health in HEALTHS {
                        for &is_other_searched in EITHER {
                            for &is_confined in EITHER {
                                all.push(Standing {
                                    trouble,
                                    items,
                                    lost,
                                    patience,
                                    is_other_searched,
                                    is_confined,
                                    health,
                                });
                            }
                        }
                    }
                }
            }
        }
    }
    all
}

/// The states that a row means. What it leaves out may be anything.
struct Row {
    says: &'static str,
    trouble: &'static [WriteTrouble],
    items: &'static [Count],
    lost: &'static [u32],
    patience: &'static [Patience],
    other_searched: &'static [bool],
    confined: &'static [bool],
    health: &'static [Health],
    decision: GroupDecision,
}

const fn row(says: &'static str, trouble: &'static [WriteTrouble], decision: GroupDecision) -> Row {
    Row {
        says,
        trouble,
        items: COUNTS,
        lost: LOST,
        patience: PATIENCES,
        other_searched: EITHER,
        confined: EITHER,
        health: HEALTHS,
        decision,
    }
}

impl Row {
    fn means(&self, standing: &Standing) -> bool {
        self.trouble.contains(&standing.trouble)
            && self.items.contains(&standing.items)
            && self.lost.contains(&standing.lost)
            && self.patience.contains(&standing.patience)
            && self.other_searched.contains(&standing.is_other_searched)
            && self.confined.contains(&standing.is_confined)
            && self.health.contains(&standing.health)
    }
}

/// The first row that means a state decides.
fn table() -> Vec<Row> {
    use Count::{Many, One};
    use GroupDecision as Is;
    use Patience::{Left, Over, Spent};
    use WriteTrouble::{
        Collection, ConnectionLost, Denied, Item, NoAnswer, Refused, TimedOut, Unavailable,
    };
    let ask = Is::Ask { after_pause: false };
    let ask_again = Is::Ask { after_pause: true };
    let not_asked = &[Health::NotAsked];
    let well = &[Health::Well];
    let unwell = &[Health::Unwell];
    let is_unwell = &[Health::Unwell, Health::StillUnwell];
    let searched = &[0, 1];
    let found = &[LOST_MAX];
    #[rustfmt::skip]
    let table = vec![
        Row { confined: &[true], ..row("what one collection does not take stays in the queue, and others go on", &[Collection], Is::Leave) },
        Row { patience: &[Left], ..row("what is the store's alone is waited for", &[Unavailable, Denied, Collection], Is::Retry) },
        row("and past the budget the gate closes", &[Unavailable, Denied, Collection], Is::CloseGate),
        Row { items: &[Many], ..row("a command that is refused or took too long is halved, and waiting does not help", &[Refused, TimedOut], Is::Halve { at_once: true }) },
        Row { items: &[Many], lost: found, ..row("a batch that twice loses its connection or has no answer is halved", &[ConnectionLost, NoAnswer], Is::Halve { at_once: false }) },
        Row { items: &[One], lost: found, health: not_asked, ..row("one that has no answer was found: does the store take other writes?", &[NoAnswer], ask) },
        Row { items: &[One], lost: found, health: well, ..row("it does, so each try would be one more that it is busy with", &[NoAnswer], Is::Leave) },
        Row { patience: &[Left], ..row("what may be the store's is waited for", &[ConnectionLost, NoAnswer, Refused, TimedOut, Item], Is::Retry) },

        Row { patience: &[Spent, Over], lost: searched, health: not_asked, ..row("one that breaks connections is looked for: is the store well?", &[ConnectionLost, NoAnswer], ask) },
        Row { patience: &[Spent, Over], lost: searched, health: well, ..row("then nobody waits for that", &[ConnectionLost, NoAnswer], Is::Search) },
        Row { patience: &[Spent], lost: searched, health: is_unwell, ..row("otherwise the store is sick", &[ConnectionLost, NoAnswer], Is::CloseGate) },
        Row { patience: &[Spent], items: &[One], other_searched: &[true], health: not_asked, ..row("one was found, and another is looked for", &[ConnectionLost, NoAnswer, Refused, TimedOut], ask) },
        Row { patience: &[Spent], items: &[One], other_searched: &[true], health: well, ..row("then nobody waits for that", &[ConnectionLost, NoAnswer, Refused, TimedOut], Is::Search) },

        Row { patience: &[Over], health: not_asked, ..row("after ten minutes: does the store take other writes?", &[ConnectionLost, NoAnswer, Refused, TimedOut, Item], ask) },
        Row { patience: &[Over], health: unwell, ..row("a set may be electing: once more", &[ConnectionLost, NoAnswer, Refused, TimedOut, Item], ask_again) },
        Row { patience: &[Over], health: well, ..row("it does, so these items are in the way of others", &[ConnectionLost, NoAnswer, Refused, TimedOut, Item], Is::SetAside) },
        Row { patience: &[Spent, Over], ..row("it does not, or it is too early to say: the store is sick", &[ConnectionLost, NoAnswer, Refused, TimedOut, Item], Is::CloseGate) },
    ];
    table
}

#[test]
fn every_group_of_which_nothing_is_confirmed_has_its_decision() {
    let table = table();
    let mut met = vec![0; table.len()];
    for standing in standings() {
        let Some(place) = table.iter().position(|row| row.means(&standing)) else {
            panic!("no row means {standing:?}");
        };
        met[place] += 1;
        let row = &table[place];
        assert_eq!(of_group(&standing), row.decision, "{}: {standing:?}", row.says);
    }
    for (row, met) in table.iter().zip(met) {
        assert!(met > 0, "no state is meant by: {}", row.says);
    }
}

#[test]
fn nothing_is_taken_for_an_items_fault_that_the_store_alone_can_cause() {
    for standing in standings() {
        let is_of_the_store = is_of_the_store(standing.trouble);
        let decision = of_group(&standing);
        let blames_an_item = matches!(
            decision,
            GroupDecision::Halve { .. } | GroupDecision::Search | GroupDecision::SetAside
        );
        assert!(!(is_of_the_store && blames_an_item), "{standing:?}: {decision:?}");
        if let GroupDecision::Search | GroupDecision::SetAside = decision {
            assert_eq!(
                standing.health,
                Health::Well,
                "only a store that takes writes: {standing:?}"
            );
        }
    }
}

#[test]
fn every_question_and_every_halving_has_an_end() {
    for standing in standings() {
        let mut open = vec![(standing, 0)];
        while let Some((standing, steps)) = open.pop() {
            assert!(steps <= 3, "no end from {standing:?}");
            match of_group(&standing) {
                GroupDecision::Halve { at_once: false } => {
                    open.push((Standing { lost: 0, ..standing }, steps + 1));
                }
                GroupDecision::Ask { after_pause } => {
                    let unwell = if after_pause { Health::StillUnwell } else { Health::Unwell };
                    for health in [Health::Well, unwell] {
                        assert_ne!(health, standing.health, "asked twice: {standing:?}");
                        open.push((Standing { health, ..standing }, steps + 1));
                    }
                }
                _ => {}
            }
        }
    }
}
