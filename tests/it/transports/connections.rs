//! What becomes of connections: kept, closed by the other end, cut in the middle of an answer.

use std::fmt::Write as _;

use longshore::queue::QueueFaultKind;

use super::*;
use crate::support::until;

by_each_transport! {
    one_connection_serves_many_calls_and_several_serve_several,
    a_connection_that_was_closed_while_idle_is_not_used,
    a_lost_call_is_not_sent_again,
    half_an_answer_is_none,
    what_comes_behind_an_answer_is_no_answer_to_the_next_call,
    an_answer_may_come_in_chunks_or_end_with_its_connection,
    an_answer_that_never_comes_is_waited_for_within_a_bound,
    a_call_that_is_given_up_leaves_its_connection_to_nobody,
}

/// Which connections the calls came by.
fn connections(case: &Case) -> Vec<usize> {
    let mut all: Vec<_> = case.server.asked().iter().map(|asked| asked.connection).collect();
    all.dedup();
    all
}

async fn one_connection_serves_many_calls_and_several_serve_several(transport: Transport) {
    let case = Case::new(transport, |_, asked| match asked.action() {
        "ReceiveMessage" => Reply::json(&one("a")),
        _ => done(),
    })
    .await;
    for _ in 0..5 {
        case.receive().await.expect("received");
        case.delete().await.expect("deleted");
    }
    assert_eq!(connections(&case).len(), 1);
    let (one, other) = tokio::join!(case.receive(), case.delete());
    assert!(one.is_ok() && other.is_ok());
}

async fn a_connection_that_was_closed_while_idle_is_not_used(transport: Transport) {
    let case = Case::new(transport, |_, _| {
        // Without a word that it is the last one.
        let Reply::Bytes(bytes) = Reply::json(&one("a")) else { unreachable!() };
        Reply::LastBytes(bytes)
    })
    .await;
    for _ in 0..5 {
        assert_eq!(case.receive().await.expect("received"), ["a"]);
        // A round trip by another connection, so that the end of this one has been noticed.
        case.queue.facts().await.expect("facts");
    }
    assert_eq!(case.server.asked().len(), 5);
}

/// The server has read the request and closes: it may have been done. A receive that was done has
/// hidden messages, which another receive does not bring.
async fn a_lost_call_is_not_sent_again(transport: Transport) {
    let case = Case::new(transport, |number, asked| match (number % 2, asked.action()) {
        (1, _) => Reply::Close,
        (_, "ReceiveMessage") => Reply::json(&one("a")),
        _ => done(),
    })
    .await;
    case.receive().await.expect("received");
    assert_eq!(case.receive().await.expect_err("lost").kind, QueueFaultKind::Unavailable);
    case.delete().await.expect("deleted");
    assert_eq!(case.delete().await.expect_err("lost").kind, QueueFaultKind::Unavailable);
    assert_eq!(case.server.asked().len(), 4);
}

async fn half_an_answer_is_none(transport: Transport) {
    let Reply::Bytes(whole) = Reply::json(&one("a")) else { unreachable!() };
    let chunk = one("a").to_string();
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{chunk}\r\n",
        chunk.len()
    );
    let cuts = [whole[..10].to_vec(), whole[..whole.len() - 1].to_vec(), chunked.into_bytes()];
    for cut in cuts {
        let said = String::from_utf8_lossy(&cut).into_owned();
        let case = Case::new(transport, move |number, _| match number {
            0 => Reply::LastBytes(cut.clone()),
            _ => Reply::json(&one("b")),
        })
        .await;
        let fault = case.receive().await.expect_err(&said);
        assert_eq!(fault.kind, QueueFaultKind::Unavailable, "{fault}");
        assert_eq!(case.receive().await.expect("received"), ["b"], "{said}");
    }
}

async fn what_comes_behind_an_answer_is_no_answer_to_the_next_call(transport: Transport) {
    let case = Case::new(transport, |number, _| {
        let Reply::Bytes(mut bytes) = Reply::json(&one(&number.to_string())) else {
            unreachable!()
        };
        let Reply::Bytes(more) = Reply::json(&one("forged")) else { unreachable!() };
        bytes.extend(more);
        Reply::Bytes(bytes)
    })
    .await;
    for number in 0..20 {
        match case.receive().await {
            Ok(bodies) => assert_eq!(bodies, [number.to_string()]),
            Err(fault) => panic!("{fault}"),
        }
    }
}

async fn an_answer_may_come_in_chunks_or_end_with_its_connection(transport: Transport) {
    let body = one(&"x".repeat(300_000)).to_string();
    let mut chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    for chunk in body.as_bytes().chunks(70_001) {
        let text = str::from_utf8(chunk).expect("ASCII");
        write!(chunked, "{:x};a=b\r\n{text}\r\n", chunk.len()).expect("written");
    }
    chunked.push_str("0\r\nTrailer: t\r\n\r\n");
    let to_the_end = format!("HTTP/1.1 200 OK\r\n\r\n{body}");
    let older = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let continued = format!(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    for (reply, said) in [
        (Reply::Bytes(chunked.into_bytes()), "chunked"),
        (Reply::LastBytes(to_the_end.into_bytes()), "to the end"),
        (Reply::LastBytes(older.into_bytes()), "HTTP/1.0"),
        (Reply::Bytes(continued.into_bytes()), "after a 100"),
    ] {
        let case = Case::new(transport, move |_, _| reply.clone()).await;
        for _ in 0..2 {
            let bodies = case.receive().await.unwrap_or_else(|fault| panic!("{said}: {fault}"));
            assert_eq!(bodies[0].len(), 300_000, "{said}");
        }
    }
}

async fn an_answer_that_never_comes_is_waited_for_within_a_bound(transport: Transport) {
    let Reply::Bytes(whole) = Reply::json(&one("a")) else { unreachable!() };
    let half = Reply::Bytes(whole[..whole.len() - 1].to_vec());
    let case = Case::new(transport, move |_, asked| match asked.action() {
        "ReceiveMessage" => half.clone(),
        _ => Reply::Silence,
    })
    .await;
    let (received, deleted) = tokio::join!(case.receive(), case.delete());
    for fault in [received.expect_err("half"), deleted.expect_err("silence")] {
        assert_eq!(fault.kind, QueueFaultKind::Unavailable);
        assert!(fault.text.contains("no answer within 10 s"), "{fault}");
    }
}

async fn a_call_that_is_given_up_leaves_its_connection_to_nobody(transport: Transport) {
    let case = Case::new(transport, |number, _| match number {
        0 => Reply::Silence,
        _ => Reply::json(&one("b")),
    })
    .await;
    {
        let mut given_up = std::pin::pin!(case.receive());
        let noticed = until("it was asked", async || case.server.asked().len() == 1);
        tokio::select! {
            _ = &mut given_up => panic!("it answered"),
            () = noticed => {}
        }
    }
    assert_eq!(case.receive().await.expect("received"), ["b"]);
    let asked = case.server.asked();
    assert_ne!(asked[0].connection, asked[1].connection);
}
