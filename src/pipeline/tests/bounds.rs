//! What is held is bounded, whatever comes, and what waits for room ends.

mod room;

use std::collections::BTreeMap;
use std::io::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::*;
use crate::budget::Shares;
use crate::config::shares::{bytes_min, shares};
use crate::held::Stage;
use crate::message::{Attribute, QueueMessage};
use crate::pipeline::dry_run::{self, Looking};
use crate::pipeline::trial::Outcome;
use crate::queue::BATCH_MAX;

/// The largest message of these queues, and the largest body in it: small, so that a test takes no
/// time.
const MESSAGE_MAX: usize = 16 * 1024;
const UNPACKED_MAX: usize = 128 * 1024;

/// Of `message.unpack_ratio_max`: no bound.
const ANY_RATIO: usize = 100_000;

/// Room for one message and what it may become, and `messages` more.
fn tight(config: &mut Config, messages: usize) {
    config.message.decompressed_bytes_max = UNPACKED_MAX;
    config.message.unpack_ratio_max = ANY_RATIO;
    config.in_flight.bytes_max =
        bytes_min(config, MESSAGE_MAX) + messages * Shares::of_message(MESSAGE_MAX);
    config.in_flight.messages_max = 20;
}

/// An event of exactly so many bytes, for the most part one string.
fn large(id: usize, bytes: usize) -> String {
    let frame = event(id).replace('}', r#","filler":""}"#);
    frame.replace(r#""filler":""#, &format!(r#""filler":"{}"#, "x".repeat(bytes - frame.len())))
}

/// An event with an array of zeros, six times as large as BSON.
fn zeros(id: usize) -> String {
    let frame = event(id).replace('}', r#","zeros":[0]}"#);
    frame.replace("[0]", &format!("[0{}]", ",0".repeat((MESSAGE_MAX - frame.len()) / 2)))
}

fn packed(id: &str, body: &str) -> QueueMessage {
    let message = gzipped(id, body);
    assert!(message.bytes() <= MESSAGE_MAX, "the queue would not take it");
    message
}

fn gzipped(id: &str, body: &str) -> QueueMessage {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body.as_bytes()).expect("in memory");
    let body = STANDARD.encode(encoder.finish().expect("in memory"));
    let attributes = vec![("content-encoding".to_owned(), Attribute::Text("gzip".to_owned()))];
    QueueMessage { attributes, ..fakes::message(id, &body) }
}

/// Messages of all kinds that need much, in turns. Each fifth is rejected.
fn hostile(queue: &FakeQueue, count: usize) {
    for id in 0..count {
        let name = format!("m{id}");
        match id % 5 {
            0 => queue.send(&name, &large(id, MESSAGE_MAX)),
            1 => queue.send(&name, &zeros(id)),
            2 => queue.send_message(packed(&name, &large(id, UNPACKED_MAX))),
            3 => queue.send(&name, &event(id)),
            _ => queue.send_message(packed(&name, &large(id, UNPACKED_MAX + 1))),
        }
    }
}

fn start(queue: FakeQueue, messages: usize) -> World {
    World::start_as(
        queue,
        QueueTraits { message_bytes_max: MESSAGE_MAX, ..queue_traits() },
        |config| tight(config, messages),
    )
}

fn assert_bounded(counts: &Counts, config: &Config) {
    let (messages, bytes) = (counts.in_flight_messages_peak, counts.in_flight_bytes_peak);
    assert!(messages <= config.in_flight.messages_max as u64, "{messages} messages");
    assert!(
        bytes <= config.in_flight.bytes_max as u64,
        "{bytes} bytes of {}",
        config.in_flight.bytes_max
    );
    assert_eq!(counts.overdrawn_total, 0);
}

fn tight_config(messages: usize) -> Config {
    let mut config = defaults();
    tight(&mut config, messages);
    config
}

#[tokio::test(start_paused = true)]
async fn in_flight_count_and_bytes_never_pass_their_limits() {
    for room_for in [0, 5, 30] {
        let queue = queue();
        hostile(&queue, 60);
        let world = start(queue, room_for);
        world.store.take(Duration::from_secs(1));
        world.until(|world| world.queue.remaining().is_empty()).await;
        assert_eq!(world.store.documents("events").len(), 48);
        let counts = world.end().await;
        assert_bounded(&counts, &tight_config(room_for));
        assert_eq!(counts.dead_lettered.get(&Reason::TooLarge), Some(&12));
        assert_eq!(
            (counts.redelivered_total, counts.released_total),
            (0, 0),
            "each is received once"
        );
        assert!(counts.outgrown_total >= 24, "{} waited for room", counts.outgrown_total);
        assert!(
            counts.in_flight_bytes_peak > bytes_min(&tight_config(0), MESSAGE_MAX) as u64 / 2,
            "the room was used"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_room_in_an_outage_goes_back_and_is_written_afterwards() {
    let queue = queue();
    hostile(&queue, 50);
    let world = start(queue, 10);
    world.store.fall_sick(unavailable);
    world
        .until(|world| world.counts().gate_closed_total == 1 && world.counts().released_total > 0)
        .await;
    let receives = world.queue.receives();
    sleep(Duration::from_mins(10)).await;
    assert_eq!(world.queue.receives(), receives, "nothing is received while the gate is closed");
    world.store.heal();
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.store.documents("events").len(), 40);
    let counts = world.end().await;
    assert_bounded(&counts, &tight_config(10));
    assert_eq!(
        counts.dead_lettered.values().sum::<u64>(),
        10,
        "no dead letter for the database's fault"
    );
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_room_at_a_drain_goes_back_at_once() {
    let queue = queue();
    (0..20).for_each(|id| queue.send(&format!("m{id}"), &zeros(id)));
    let world = start(queue, 10);
    world.store.take(Duration::from_secs(10));
    world.until(|world| world.counts().outgrown_total == 1 && world.held.len() > 3).await;
    world.stop.drain();
    world.until(|world| world.queue.visible() > 2).await;
    let written = world.store.documents("events").len();
    let counts = world.end().await;
    assert_eq!(written, 0, "given back before the write in progress ended");
    assert!(counts.released_total > 2);
}

#[tokio::test(start_paused = true)]
async fn messages_larger_than_the_queue_tells_are_counted_and_not_lost() {
    let queue = queue();
    (0..30).for_each(|id| queue.send(&format!("m{id}"), &large(id, 20 * MESSAGE_MAX)));
    queue.send(
        "zeros",
        &format!(
            r#"{{"type":"event","user_id":1,"event_type":"x","zeros":[0{}]}}"#,
            ",0".repeat(10 * MESSAGE_MAX)
        ),
    );
    let world = start(queue, 1);
    world.until(|world| world.queue.remaining().is_empty()).await;
    let counts = world.end().await;
    assert!(counts.overdrawn_total > 0);
    assert_eq!((counts.deleted_total, counts.redelivered_total), (31, 0));
}

/// How many messages wait in lanes or are being written.
fn in_lanes(world: &World) -> usize {
    let in_lane = |stage: &Stage| matches!(stage, Stage::Waiting | Stage::Writing);
    world.held.by_stage().filter(|(stage, _)| in_lane(stage)).map(|(_, count)| count).sum()
}

#[tokio::test(start_paused = true)]
async fn what_is_made_of_a_message_is_in_the_budget_until_it_is_settled() {
    let queue = queue();
    (0..50).for_each(|id| queue.send_message(packed(&format!("m{id}"), &large(id, UNPACKED_MAX))));
    let queue_traits = QueueTraits { message_bytes_max: MESSAGE_MAX, ..queue_traits() };
    let world = World::start_as(queue, queue_traits, |config| {
        tight(config, 20);
        config.in_flight.messages_max = 100;
    });
    world.store.take(Duration::from_hours(1));
    sleep(Duration::from_mins(5)).await;
    let (unpacked, bytes_max) = (in_lanes(&world), tight_config(20).in_flight.bytes_max);
    assert!(
        (1..=bytes_max / 2 / UNPACKED_MAX).contains(&unpacked),
        "{unpacked} in {bytes_max} bytes"
    );
    world.stop.let_go();
    let counts = world.end().await;
    assert_eq!((counts.released_total, counts.written_total), (counts.received_total, 0));
}

#[tokio::test(start_paused = true)]
async fn a_few_small_messages_that_unpack_to_much_keep_nobody_waiting() {
    const BODY: usize = 1_500 * 1024;
    let queue = queue();
    for id in 0..200 {
        let bomb = packed(&format!("bomb{id}"), &large(id, BODY));
        assert!(bomb.bytes() < 3_000, "{} bytes", bomb.bytes());
        queue.send_message(bomb);
        queue.send(&format!("good{id}"), &event(1_000 + id));
    }
    let world = World::start(queue, |config| {
        config.batch.writers_max = 1;
        config.message.unpack_ratio_max = ANY_RATIO;
    });
    let bytes_max = defaults().in_flight.bytes_max;
    world.store.take_for_large(Duration::from_mins(1));
    let started = Instant::now();
    world.until(|world| good(world, 1_000) == 200).await;
    assert!(started.elapsed() < Duration::from_secs(10), "after {:?}", started.elapsed());
    let bombs = in_lanes(&world);
    assert!((1..=bytes_max / 2 / BODY).contains(&bombs), "{bombs} in {bytes_max} bytes");
    world.store.take_for_large(Duration::ZERO);
    world.until(|world| world.queue.remaining().is_empty()).await;
    let counts = world.end().await;
    assert_eq!((counts.written_total, counts.redelivered_total), (400, 0));
}

/// How many of 200 events from this id on are written.
fn good(world: &World, first: usize) -> usize {
    let documents = world.store.documents("events");
    (first..first + 200).filter(|id| documents.contains_key(&doubts::key(*id))).count()
}

/// As many as `in_flight.messages_max` has places by default, and good ones behind them.
const BOMBS: usize = 10_000;

fn bombs_before_good_ones(bomb: &QueueMessage) -> FakeQueue {
    let queue = queue();
    for id in 0..BOMBS {
        queue.send_message(QueueMessage { message_id: format!("bomb{id}"), ..bomb.clone() });
    }
    (0..200).for_each(|id| queue.send(&format!("good{id}"), &event(BOMBS + id)));
    queue
}

#[tokio::test(start_paused = true)]
async fn good_messages_wait_for_none_of_ten_thousand_that_unpack_to_a_megabyte() {
    let bytes = compress_to_vec(large(0, 1_024 * 1_024).as_bytes(), CompressionLevel::Fastest);
    let attributes = vec![("content-encoding".to_owned(), Attribute::Text("zstd".to_owned()))];
    let bomb = QueueMessage { attributes, ..fakes::message("bomb", &STANDARD.encode(bytes)) };
    assert!(bomb.bytes() < 400, "{} bytes", bomb.bytes());
    let world = World::start(bombs_before_good_ones(&bomb), |_| {});
    world.store.take_for_large(Duration::from_mins(30));
    sleep(Duration::from_mins(1)).await;
    assert_eq!((good(&world, BOMBS), in_lanes(&world)), (200, 0));
    let counts = world.end().await;
    assert_eq!(counts.dead_lettered.get(&Reason::TooLarge), Some(&(BOMBS as u64)));
    assert_eq!(counts.redelivered_total, 0);
}

#[tokio::test(start_paused = true)]
async fn what_becomes_too_large_as_a_document_is_rejected_by_the_setting() {
    let queue = queue();
    queue.send("zeros", &zeros(0));
    queue.send("good", &event(1));
    let world = World::start(queue, |config| config.message.document_bytes_max = 4 * MESSAGE_MAX);
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.store.documents("events").len(), 1);
    let last = &world.signals.recent().story().dead_letters[0];
    assert_eq!(last.reason, "too_large");
    assert!(last.text.contains("passes 65536 bytes as BSON"), "{}", last.text);
    assert!(last.text.contains("raise message.document_bytes_max"), "{}", last.text);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn many_tiny_fields_take_more_memory_than_one_message_may_and_a_dry_run_says_so() {
    let change = |config: &mut Config| {
        config.message.decompressed_bytes_max = UNPACKED_MAX;
        config.message.document_bytes_max = 2 * UNPACKED_MAX;
    };
    let digit = |number: u32| char::from_digit(number % 36, 36).expect("a digit");
    let name = |id| [id / (36 * 36), id / 36, id].map(digit).iter().collect::<String>();
    let fields: Vec<_> = (0..16_000).map(|id| format!(r#""{}":0,"#, name(id))).collect();
    let fields = fields.concat();
    let queue = queue();
    queue.send_message(gzipped("tiny", &event(0).replace('{', &format!("{{{fields}"))));
    queue.send("good", &event(1));
    let mut config = defaults();
    change(&mut config);
    let message_bytes_max = 4 * MESSAGE_MAX;
    let growth = shares(&config, message_bytes_max).expect("room").growth;
    let (looking, mut told) = (
        Looking { queue: &queue, config: &config, growth, messages_max: 10, check: |_, _| Ok(()) },
        BTreeMap::new(),
    );
    let report = dry_run::run(looking, &Stop::default(), |forecast| {
        let rejection = match forecast.tried.outcome {
            Outcome::Rejected(rejection) => Some(rejection.text),
            Outcome::Write { .. } | Outcome::Expired { .. } => None,
        };
        told.insert(forecast.message_id, rejection);
    })
    .await;
    assert_eq!(report.expect("a report").rejected, 1);
    assert_eq!(told["good"], None);
    let traits = QueueTraits { message_bytes_max, ..queue_traits() };
    let world = World::start_as(queue, traits, change);
    world.until(|world| world.queue.remaining().is_empty()).await;
    let last = &world.signals.recent().story().dead_letters[0];
    assert!(last.text.contains("takes more memory than one message may"), "{}", last.text);
    assert_eq!(told["tiny"].as_ref(), Some(&last.text));
    world.end().await;
}
