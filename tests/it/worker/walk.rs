//! A bad day, from start to end, as `docs/DEAD_LETTERS.md` tells it: at a terminal, with what stands there then. The
//! page is held to it; `UPDATE=1 make test ARGS='--test it walk'` writes it.

use std::fs;

use longshore::queue::Outgoing;
use serde_json::json;

use super::dead_letters::at_a_terminal;
use crate::support::surroundings::{Surroundings, plain};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/DEAD_LETTERS.md");
const BEGIN: &str = "<!-- walk: made by UPDATE=1 make test ARGS='--test it walk' -->\n";
const END: &str = "<!-- end of the walk -->";

const GOOD: i64 = 10_000;
const MISNAMED: i64 = 280;
const UNKNOWN: i64 = 32;

/// Two kinds of bad ones among them, the first of which comes last: a field that a deploy of the producer has
/// renamed, and a type that no route has.
fn messages() -> [Vec<Outgoing>; 2] {
    let event = |kind: &str, field: &str, user: i64| json!({ "type": kind, "user_id": user, field: "login" });
    let good = |users: std::ops::Range<i64>| users.map(|user| event("event", "event_type", user));
    // Whichever of them is the newest, it is the same to look at.
    let misnamed = (0..MISNAMED).map(|_| event("event", "eventType", 17));
    let unknown = (0..UNKNOWN).map(|_| event("signup", "event_type", 18));
    let mut random = fastrand::Rng::with_seed(18);
    let mut shuffled = |bodies: Vec<serde_json::Value>| {
        let mut messages: Vec<_> = bodies.iter().map(plain).collect();
        random.shuffle(&mut messages);
        messages
    };
    let first = shuffled(good(0..GOOD / 2).chain(unknown).collect());
    [first, shuffled(good(GOOD / 2..GOOD).chain(misnamed).collect())]
}

/// What the page has of it.
struct Walk<'s> {
    surroundings: &'s Surroundings,
    told: String,
}

impl Walk<'_> {
    fn say(&mut self, text: &str) {
        self.told.push_str(text);
        self.told.push_str("\n\n");
    }

    /// Runs a command at a terminal, where somebody types. Gives what stands there.
    async fn run(&mut self, arguments: &[&str], typed: &str, expected: i32) -> String {
        let (status, shown) = at_a_terminal(self.surroundings, arguments, typed).await;
        assert_eq!(status, Some(expected), "{arguments:?}: {shown}");
        let quoted: Vec<_> = arguments
            .iter()
            .map(|argument| {
                let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_.=".contains(char);
                if argument.chars().all(is_plain) {
                    (*argument).to_owned()
                } else {
                    format!("'{argument}'")
                }
            })
            .collect();
        let shown = as_it_stands(&shown, typed);
        let (command, shown_alike) = (alike(&quoted.join(" ")), alike(&shown));
        let told =
            format!("```console\n$ longshore dead-letters {command}\n{shown_alike}\n```\n\n");
        self.told.push_str(&told);
        shown
    }
}

/// What stands at the terminal in the end. What was typed stands behind the question, where a person types it: here
/// it was there before. A bar that is drawn and wiped again leaves nothing.
fn as_it_stands(shown: &str, typed: &str) -> String {
    const WIPED: &str = "\u{1b}[2K";
    let asked = format!("[y/N] {typed}");
    let shown = shown.replace("\r\n", "\n");
    let shown = shown.strip_prefix(typed).unwrap_or(&shown).replacen("[y/N] ", &asked, 1);
    let lines = shown.lines().map(|line| line.rsplit(['\r']).next().unwrap_or_default());
    let lines: Vec<_> =
        lines.map(|line| line.rsplit(WIPED).next().unwrap_or_default().trim_end()).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// The same on any day: message ids and times are others each time.
fn alike(shown: &str) -> String {
    const ID: &str = "883ac385-1b21-4acb-8761-2b7f54c75a77";
    const RECORD: &str = "5d0c1f7be2a94c36b08d7a61f3e4925c";
    const TIME: &str = "2026-11-28T10:00:00";
    let is_hex = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let is_id = |text: &str| {
        let parts: Vec<_> = text.split('-').collect();
        parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
            && parts.iter().all(|part| is_hex(part))
    };
    let is_time = |text: &str| {
        let shape: String =
            text.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
        shape == "0000-00-00T00:00:00"
    };
    let mut rest = shown;
    let mut alike = String::new();
    while let Some(first) = rest.chars().next() {
        let head = |bytes: usize| rest.get(..bytes);
        let same = if head(ID.len()).is_some_and(is_id) {
            ID
        } else if head(RECORD.len()).is_some_and(is_hex) {
            RECORD
        } else if head(TIME.len()).is_some_and(is_time) {
            TIME
        } else {
            alike.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        alike.push_str(same);
        rest = &rest[same.len()..];
    }
    // And the milliseconds behind it.
    let mut parts = alike.split('.').map(str::to_owned);
    let mut joined = parts.next().unwrap_or_default();
    for part in parts {
        let millis = part.len() > 3
            && part.as_bytes()[..3].iter().all(u8::is_ascii_digit)
            && part.as_bytes()[3] == b'Z';
        joined.push('.');
        if millis && joined.ends_with(&format!("{TIME}.")) {
            joined.push_str("000");
            joined.push_str(&part[3..]);
        } else {
            joined.push_str(&part);
        }
    }
    joined
}

/// The id of the group with this reason, as it stands in the table.
fn group_of(shown: &str, reason: &str) -> String {
    let line = shown.lines().find(|line| line.contains(reason)).expect("its line");
    let mut words = line.split(|char: char| !char.is_ascii_hexdigit());
    words.find(|word| word.len() == 16).expect("its id").to_owned()
}

/// The message id of the newest letter of that line: the last word.
fn sample_of(shown: &str, reason: &str) -> String {
    let line = shown.lines().find(|line| line.contains(reason)).expect("its line");
    let word = line.split_whitespace().rfind(|word| word.len() == 36);
    word.expect("its sample").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_walk_of_the_page_is_what_stands_at_a_terminal() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    for messages in messages() {
        surroundings.send(&messages).await;
        surroundings.unload(surroundings.config()).await;
    }
    assert_eq!(surroundings.documents("dead_letters").await.len(), 312);
    let mut walk = Walk { surroundings: &surroundings, told: String::new() };

    walk.say("The alert names a group, or somebody misses 312 events of this morning's 10,312. What failed alike, and since when?");
    let groups = walk.run(&["groups"], "", 0).await;
    let (misnamed, unknown) =
        (group_of(&groups, "missing_field"), group_of(&groups, "unknown_type"));

    walk.say("Two causes. One message of the first:");
    walk.run(&["show", &sample_of(&groups, "missing_field")], "", 0).await;

    walk.say("A deploy of the producer has renamed the field. It is fixed there; these 280 are fixed here. What would become of them, once edited?");
    let edit = ".event_type = .eventType | del(.eventType)";
    let forecast =
        walk.run(&["replay", "--group", &misnamed, "--edit", edit, "--dry-run"], "", 0).await;
    assert!(forecast.contains("280 would be written to events"), "{forecast}");

    walk.say("All of them would be written, so they go back:");
    let gone =
        walk.run(&["replay", "--group", &misnamed, "--edit", edit, "--by", "ada"], "y\n", 0).await;
    assert!(gone.contains("280 dead letters put back"), "{gone}");

    walk.say("The other kind is a type that no route has. Whoever sends it says that it is an event, so the workers get `message.types.signup = \"event\"`, and here it is tried before:");
    let setting = ["--set", "message.types.signup=event"];
    let with = |arguments: &[&'static str]| [arguments, &setting[..]].concat();
    let before = ["replay", "--group", unknown.as_str(), "--dry-run"];
    let refused = walk.run(&before, "", 1).await;
    assert!(refused.contains("32 would stay (refused_again)"), "{refused}");
    let mut trial = before.to_vec();
    trial.extend(with(&[]));
    let forecast = walk.run(&trial, "", 0).await;
    assert!(forecast.contains("32 would be written to events"), "{forecast}");
    let mut replay = vec!["replay", "--group", unknown.as_str(), "--by", "ada"];
    replay.extend(with(&[]));
    walk.run(&replay, "y\n", 0).await;

    let mut config = surroundings.config();
    config.message.types.insert("signup".to_owned(), "event".to_owned());
    surroundings.unload(config).await;
    walk.say("The workers have them. Nothing stands any more, and the database has 10,312 events, each once:");
    let none = walk.run(&["groups"], "", 0).await;
    assert!(none.contains("no dead letters"), "{none}");
    assert_eq!(surroundings.documents("events").await.len(), 10_312);

    walk.say("What was put back is kept until it is deleted, or `dead_letters.ttl` does it:");
    let purged = walk.run(&["purge", "--replayed"], "y\n", 0).await;
    assert!(purged.contains("312 dead letters deleted"), "{purged}");
    held(&walk.told);
}

fn held(told: &str) {
    let page = fs::read_to_string(PAGE).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("where it begins");
    let (_, after) = rest.split_once(END).expect("where it ends");
    let made = format!("{before}{BEGIN}\n{told}{END}{after}");
    if std::env::var("UPDATE").is_ok_and(|update| update == "1") {
        fs::write(PAGE, made).expect("written");
    } else {
        assert!(
            page == made,
            "docs/DEAD_LETTERS.md does not tell what stands at a terminal: UPDATE=1 make test ARGS='--test it walk' writes it; now it is\n{told}"
        );
    }
}

#[test]
fn what_is_another_each_time_is_told_alike() {
    let told = alike(
        "at 2026-12-01T11:22:33.456Z and 2026-12-01T11:22:33Z, 01234567-89ab-cdef-0123-456789abcdef, 1.234Z",
    );
    let expected = "at 2026-11-28T10:00:00.000Z and 2026-11-28T10:00:00Z, 883ac385-1b21-4acb-8761-2b7f54c75a77, 1.234Z";
    assert_eq!(told, expected);
}
