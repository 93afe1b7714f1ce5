//! How much of an answer the lean transport reads, and for how long. The SDK reads whatever comes.

use longshore::queue::{Brought, QueueFaultKind, Room};
use tokio::time::Instant;

use super::*;
use crate::support::until;

/// Has room for so many bytes, for so long, and keeps what it was asked for.
struct Told {
    bytes_max: usize,
    hidden_for: Duration,
    asked: Vec<usize>,
}

impl Told {
    fn new(bytes_max: usize) -> Self {
        Self { bytes_max, hidden_for: Duration::from_hours(11), asked: Vec::new() }
    }
}

impl Room for Told {
    async fn make(&mut self, bytes: usize) -> bool {
        self.asked.push(bytes);
        bytes <= self.bytes_max
    }

    fn hidden_until(&self) -> Instant {
        Instant::now() + self.hidden_for
    }
}

async fn case(reply: Reply) -> Case {
    Case::new(Transport::Lean, move |_, _| reply.clone()).await
}

impl Case {
    async fn receive_into(&self, room: &mut Told) -> Result<Brought, QueueFault> {
        self.queue.receive_into(10, NOW, None, room).await
    }
}

/// An answer in chunks of so many bytes.
fn chunked(body: &str, bytes: usize) -> Reply {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.as_bytes().chunks(bytes) {
        answer.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        answer.extend_from_slice(chunk);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    Reply::Bytes(answer)
}

fn assert_unread(brought: &Brought) {
    assert!(brought.are_unread);
    let message = &brought.messages[0];
    assert_eq!((message.message_id.as_str(), &*message.receipt_handle), ("m", "h"));
    assert!(message.body.is_empty(), "nothing else of it is read");
}

#[tokio::test]
async fn an_answer_is_read_once_there_is_room_for_it() {
    let answer = one(&"x".repeat(3_000_000)).to_string();
    let case = case(Reply::with(200, "", &answer)).await;
    assert!(case.queue.tells_size());
    let mut room = Told::new(answer.len());
    let brought = case.receive_into(&mut room).await.expect("received");
    assert_eq!((room.asked, brought.are_unread), (vec![answer.len()], false));
    assert_eq!(brought.messages[0].body.len(), 3_000_000);
    let mut room = Told::new(answer.len() - 1);
    assert_unread(&case.receive_into(&mut room).await.expect("received"));
    assert_eq!(room.asked, [answer.len()]);
    let connections: Vec<_> = case.server.asked().iter().map(|asked| asked.connection).collect();
    assert_eq!(connections[0], connections[1], "the connection is kept");
}

/// Nothing is reserved for what may never come, and no more is read than has room.
#[tokio::test]
async fn an_answer_that_does_not_tell_its_size_finds_room_as_it_comes() {
    let answer = one(&"x".repeat(300_000)).to_string();
    let case = case(chunked(&answer, 50_000)).await;
    let mut room = Told::new(1_000_000);
    let brought = case.receive_into(&mut room).await.expect("received");
    assert_eq!((brought.messages[0].body.len(), brought.are_unread), (300_000, false));
    assert_eq!(room.asked[0], 64 * 1024);
    assert!(room.asked.is_sorted() && *room.asked.last().expect("some") >= answer.len());
    let mut room = Told::new(200_000);
    assert_unread(&case.receive_into(&mut room).await.expect("received"));
}

#[tokio::test]
async fn an_answer_that_no_receive_can_have_is_read_for_its_handles_alone() {
    let case = case(chunked(&one(&"x".repeat(65 * 1024 * 1024)).to_string(), 1024 * 1024)).await;
    let mut room = Told::new(usize::MAX);
    assert_unread(&case.receive_into(&mut room).await.expect("received"));
    assert!(room.asked.iter().all(|bytes| *bytes <= 64 * 1024 * 1024), "{:?}", room.asked);
}

#[tokio::test]
async fn an_answer_that_ends_early_gives_no_handles_either() {
    let Reply::Bytes(whole) = Reply::json(&one("a")) else { unreachable!() };
    let case = case(Reply::LastBytes(whole[..whole.len() - 3].to_vec())).await;
    let fault = case.receive_into(&mut Told::new(0)).await.expect_err("half");
    assert_eq!(fault.kind, QueueFaultKind::Unavailable);
}

#[tokio::test]
async fn the_rest_of_an_answer_is_waited_for_within_a_bound_with_room_and_without() {
    let Reply::Bytes(whole) = Reply::json(&one("a")) else { unreachable!() };
    let case = case(Reply::Bytes(whole[..whole.len() - 3].to_vec())).await;
    let (mut none, mut some, mut hidden) = (Told::new(0), Told::new(1_000), Told::new(1_000));
    hidden.hidden_for = Duration::from_secs(1);
    let (unread, read, expired) = tokio::join!(
        case.receive_into(&mut none),
        case.receive_into(&mut some),
        case.receive_into(&mut hidden)
    );
    for fault in [unread.expect_err("silence"), read.expect_err("silence")] {
        assert!(fault.text.contains("no answer within 10 s"), "{fault}");
    }
    let fault = expired.expect_err("it is another's by now");
    assert!(fault.text.contains("longer than the visibility timeout"), "{fault}");
}

#[tokio::test]
async fn what_is_said_of_a_failure_or_of_ten_entries_has_a_bound() {
    let page = "x".repeat(100_000);
    let case = Case::new(Transport::Lean, move |number, _| match number {
        0 => Reply::with(503, "", &page),
        1 => chunked(&json!({ "Successful": [{ "Id": page.repeat(11) }] }).to_string(), 10_000),
        _ => done(),
    })
    .await;
    let fault = case.delete().await.expect_err("refused");
    assert_eq!(fault.kind, QueueFaultKind::Unavailable);
    assert!(fault.text.contains("503"), "the status is told: {fault}");
    let fault = case.delete().await.expect_err("too large");
    assert!(fault.text.contains("an answer of more than 1048576 bytes"), "{fault}");
    assert_eq!(case.delete().await.expect("deleted"), [EntryOutcome::Done]);
}

/// Of an answer that waits for room, no more lies in this machine's memory than a connection may
/// buffer, also where the kernel knows it for a fast one.
#[tokio::test]
async fn an_answer_that_waits_for_room_waits_at_the_other_end() {
    struct NoneYet;

    impl Room for NoneYet {
        async fn make(&mut self, _: usize) -> bool {
            std::future::pending().await
        }

        fn hidden_until(&self) -> Instant {
            Instant::now()
        }
    }

    let answer = one(&"x".repeat(16 * 1024 * 1024)).to_string();
    let case = case(Reply::with(200, "", &answer)).await;
    for _ in 0..4 {
        let brought = case.receive_into(&mut Told::new(usize::MAX)).await.expect("received");
        assert!(!brought.are_unread);
    }
    let read = case.server.written_at_a_standstill().await;
    let waits = async {
        until("the answer comes", async || case.server.written() > read).await;
        case.server.written_at_a_standstill().await - read
    };
    let mut none_yet = NoneYet;
    tokio::select! {
        _ = case.queue.receive_into(10, NOW, None, &mut none_yet) => panic!("there is no room"),
        taken = waits => assert!(taken < 1024 * 1024, "{taken} bytes were taken"),
    }
}
