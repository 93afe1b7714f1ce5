use std::sync::atomic::{AtomicUsize, Ordering};

use bson::{Document, doc};
use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::{advance, sleep};

use super::super::letters::{Answer, Groups, Trouble};
use super::super::view::Facts;
use super::*;
use crate::dead_letter::group::Group;
use crate::time::Time;

/// A database that takes its time, and counts how many of its questions run at once.
#[derive(Default)]
struct Slow {
    takes: Duration,
    asked: Arc<AtomicUsize>,
    running: Arc<AtomicUsize>,
    away: Mutex<Option<Trouble>>,
    searches: Mutex<Vec<Search>>,
}

impl Slow {
    fn taking(takes: Duration) -> Arc<Self> {
        Arc::new(Self { takes, ..Self::default() })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn answer<T: Send + 'static>(&self, answer: T) -> Answer<T> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let (running, takes) = (Arc::clone(&self.running), self.takes);
        let away = self.away.lock().expect("no panic").clone();
        async move {
            assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "one question at a time");
            sleep(takes).await;
            running.fetch_sub(1, Ordering::SeqCst);
            away.map_or(Ok(answer), Err)
        }
        .boxed()
    }
}

fn alike() -> Alike {
    Alike { reason: "bad_time".to_owned(), ..Alike::default() }
}

impl Letters for Slow {
    fn groups(&self, _: Search, _: u32) -> Answer<Groups> {
        let group = Group {
            alike: alike(),
            letters: 7,
            first: Time::from_millis(0),
            last: Time::from_millis(0),
            sample: None,
        };
        self.answer(Groups { groups: vec![group], letters: 7, is_all: true })
    }

    fn alike(&self, _: String) -> Answer<Option<Alike>> {
        self.answer(None)
    }

    fn newest(
        &self,
        search: Search,
        most: u32,
        _: &'static [&'static str],
    ) -> Answer<Vec<Document>> {
        self.searches.lock().expect("no panic").push(search);
        let letters = (0..most).map(|number| doc! { "_id": number.to_string() });
        self.answer(letters.collect())
    }

    fn with_id(&self, _: String, without: &'static [&'static str]) -> Answer<Vec<Document>> {
        let mut letter = doc! { "_id": "q/m", "body": "b", "key": 1 };
        for field in without {
            letter.remove(field);
        }
        self.answer(vec![letter])
    }
}

fn asked(query: &str) -> Asked {
    Asked::read(query).expect("a question")
}

async fn told(desk: &Arc<Desk>, query: &str) -> Value {
    serde_json::from_str(&desk.answer(asked(query)).await).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn all_who_ask_alike_share_one_question_and_its_answer_for_a_while() {
    let slow = Slow::taking(Duration::from_millis(100));
    let desk = Desk::new(Some(slow.clone()), &Facts::default());
    let all = join_all((0..50).map(|_| told(&desk, ""))).await;
    assert!(all.iter().all(|told| told["total"] == 7), "{all:?}");
    assert_eq!(slow.asked(), 1);
    advance(KEPT_MIN.saturating_sub(Duration::from_millis(1))).await;
    told(&desk, "").await;
    assert_eq!(slow.asked(), 1);
    advance(Duration::from_millis(1)).await;
    told(&desk, "").await;
    assert_eq!(slow.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_costly_question_is_asked_seldom_and_the_database_rests_between_two() {
    let slow = Slow::taking(Duration::from_secs(2));
    let desk = Desk::new(Some(slow.clone()), &Facts::default());
    let began = Instant::now();
    told(&desk, "").await;
    told(&desk, "type=a").await;
    assert_eq!(began.elapsed(), Duration::from_secs(6), "two, a rest of two, and two");
    advance(Duration::from_secs(30)).await;
    told(&desk, "").await;
    assert_eq!(slow.asked(), 2, "it is kept for forty seconds");
}

#[tokio::test(start_paused = true)]
async fn a_question_goes_on_without_whoever_asked_it() {
    let slow = Slow::taking(Duration::from_secs(1));
    let desk = Desk::new(Some(slow.clone()), &Facts::default());
    for _ in 0..3 {
        let gone = timeout(Duration::from_millis(300), told(&desk, "")).await;
        assert!(gone.is_err(), "it takes longer");
    }
    assert_eq!(told(&desk, "").await["total"], 7);
    assert_eq!(slow.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_hangs_is_said_and_asked_again() {
    let slow = Slow::taking(Duration::from_hours(1));
    let desk = Desk::new(Some(slow.clone()), &Facts::default());
    let began = Instant::now();
    let said = told(&desk, "").await;
    let trouble = said["trouble"].as_str().expect("a text");
    assert!(trouble.starts_with("the database cannot be asked: no answer within 5 s"), "{trouble}");
    assert_eq!(began.elapsed(), ANSWER_WITHIN);
    // The fake one is still at it, as no real one would be.
    slow.running.store(0, Ordering::SeqCst);
    advance(KEPT_MIN).await;
    told(&desk, "").await;
    assert_eq!(slow.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_every_page_shows_is_told_though_others_keep_the_database_busy() {
    let slow = Slow::taking(Duration::from_secs(4));
    let desk = Desk::new(Some(slow.clone()), &Facts::default());
    let first = told(&desk, "").await;
    advance(KEPT_MAX).await;
    let others: Vec<_> = (0..KEPT_ANSWERS_MAX + 5)
        .map(|number| {
            let desk = Arc::clone(&desk);
            tokio::spawn(async move { told(&desk, &format!("type={number}")).await })
        })
        .collect();
    tokio::task::yield_now().await;
    assert_eq!(told(&desk, "").await, first, "of an earlier time, as it says");
    let ends = join_all(others).await;
    let said = ends.last().and_then(|end| end.as_ref().ok()).expect("no panic");
    assert!(said["trouble"].as_str().is_some_and(|text| text.contains("try again")), "{said}");
}

#[tokio::test(start_paused = true)]
async fn trouble_is_told_without_what_a_page_obeys_and_is_over_when_it_is() {
    let slow = Slow::taking(Duration::from_millis(1));
    *slow.away.lock().expect("no panic") = Some(Trouble::Unasked("no server\u{1b}[2J".to_owned()));
    let desk = Desk::new(Some(slow.clone()), &Facts::default());
    let said = told(&desk, "").await;
    assert_eq!(said["trouble"], "the database cannot be asked: no server\\u{1b}[2J");
    *slow.away.lock().expect("no panic") = None;
    advance(KEPT_MIN).await;
    assert_eq!(told(&desk, "").await["trouble"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_was_too_much_is_not_asked_again_at_once() {
    let slow = Slow::taking(Duration::from_secs(4));
    *slow.away.lock().expect("no panic") = Some(Trouble::TooLong("MaxTimeMSExpired".to_owned()));
    let desk = Desk::new(Some(slow.clone()), &Facts::default());
    let said = told(&desk, "").await;
    advance(Duration::from_secs(79)).await;
    assert_eq!((told(&desk, "").await, slow.asked()), (said, 1));
    advance(Duration::from_secs(2)).await;
    told(&desk, "").await;
    assert_eq!(slow.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_id_of_two_groups_is_refused_in_words_of_its_own() {
    let slow = Slow::taking(Duration::ZERO);
    *slow.away.lock().expect("no panic") = Some(Trouble::Ambiguous);
    let desk = Desk::new(Some(slow.clone()), &Facts::default());
    let said = told(&desk, "group=0123456789abcdef").await;
    assert!(said["trouble"].as_str().is_some_and(|text| text.starts_with("two groups")), "{said}");
    let other = Alike::default();
    assert_eq!(one_of([alike(), other].into_iter()), Err(Trouble::Ambiguous));
    assert_eq!(one_of([alike()].into_iter()), Ok(Some(alike())));
}

#[tokio::test(start_paused = true)]
async fn a_group_that_was_told_is_known_by_its_id_and_no_other_one_is() {
    let slow = Slow::taking(Duration::from_millis(1));
    let desk = Desk::new(Some(slow.clone()), &Facts::default());
    let id = told(&desk, "").await["groups"][0]["group"].clone();
    let id = id.as_str().expect("an id");
    let said = told(&desk, &format!("group={id}&type=a")).await;
    assert_eq!(
        (said["letters"].as_array().map(Vec::len), &said["is_all"]),
        (Some(20), &false.into())
    );
    let search = Search { kind: Some("a".to_owned()), alike: Some(alike()), ..Search::default() };
    assert_eq!(*slow.searches.lock().expect("no panic"), [search]);
    let said = told(&desk, "group=0123456789abcdef").await;
    assert_eq!((&said["of"], &said["letters"]), (&Value::Null, &Value::Array(Vec::new())));
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_told_by_its_id_has_what_the_list_says_of_it() {
    let slow = Slow::taking(Duration::from_millis(1));
    let desk = Desk::new(Some(slow.clone()), &Facts::default());
    let listed = told(&desk, "").await["groups"][0].take();
    let said = told(&desk, &format!("group={}", alike().id())).await;
    assert_eq!((&said["of"], &said["replayed"]), (&listed, &Value::Null));
}

#[tokio::test(start_paused = true)]
async fn letters_of_a_group_that_takes_too_long_to_count_are_told() {
    let slow = Slow::taking(Duration::from_millis(2_400));
    let desk = Desk::new(Some(slow.clone()), &Facts::default());
    told(&desk, "").await;
    let said = told(&desk, &format!("group={}", alike().id())).await;
    assert_eq!(said["letters"].as_array().map(Vec::len), Some(20), "{said}");
    assert_eq!((&said["of"]["reason"], &said["of"]["letters"]), (&"bad_time".into(), &Value::Null));
}

#[tokio::test(start_paused = true)]
async fn what_is_of_people_is_asked_for_only_where_it_may_be_shown() {
    for (shows_bodies, body) in [(false, Value::Null), (true, "b".into())] {
        let facts = Facts { show_bodies: shows_bodies, ..Facts::default() };
        let desk = Desk::new(Some(Slow::taking(Duration::ZERO)), &facts);
        let letter = told(&desk, "id=m").await["letter"].clone();
        assert_eq!((&letter["id"], &letter["body"]), (&"q/m".into(), &body));
        assert_eq!(letter.get("key").is_some(), shows_bodies, "{letter}");
    }
}
