//! `longshore::Producer` before the whole worker: what it sends arrives, as it was meant, over a
//! network that fails too.

use std::time::Duration;

use futures_util::future::join_all;
use longshore::message::QueueMessage;
use longshore::queue::sqs::{Credentials, Operation};
use longshore::queue::{Queue, QueueConfig};
use longshore::{
    Cache, Compression, Event, Message, Producer, ProducerConfig, SendReceipt, Session,
    TrySendError,
};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, doc};
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::interval;

use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::surroundings::Surroundings;

/// Sessions that are written twice. By chance half of them would end at the older state.
const SESSIONS: usize = 100;

async fn surroundings(fifo: bool) -> Surroundings {
    let mut attributes = json!({ "VisibilityTimeout": "600" });
    if fifo {
        attributes["FifoQueue"] = "true".into();
    }
    Surroundings::new(&attributes).await
}

async fn producer_at(
    surroundings: &Surroundings,
    endpoint: &str,
    set: impl FnOnce(&mut ProducerConfig),
) -> Producer {
    let mut config = ProducerConfig::new(&surroundings.queue_url);
    config.queue = QueueConfig { endpoint_url: Some(endpoint.to_owned()), ..config.queue };
    config.credentials = Some(Credentials::Local);
    set(&mut config);
    Producer::connect(config).await.expect("a producer")
}

async fn producer(surroundings: &Surroundings) -> Producer {
    producer_at(surroundings, surroundings.server.endpoint(), |_| {}).await
}

async fn all_sent(receipts: Vec<SendReceipt>) {
    for outcome in join_all(receipts).await {
        outcome.expect("sent");
    }
}

/// Each state of a session right after the other, so that both are mostly in one batch and one
/// millisecond; the messages say no version.
async fn write_twice(producer: &Producer) {
    let mut receipts = Vec::new();
    for number in 0..SESSIONS {
        for state in ["earlier", "later"] {
            let session = Session::new(format!("s-{number}"), &state);
            receipts.push(producer.send(session).await.expect("room"));
        }
    }
    all_sent(receipts).await;
}

async fn assert_all_at_the_later(surroundings: &Surroundings) {
    let documents = surroundings.documents("sessions").await;
    let later = documents.iter().filter(|document| document.get_str("data").ok() == Some("later"));
    assert_eq!((documents.len(), later.count()), (SESSIONS, SESSIONS));
}

#[tokio::test]
async fn of_two_calls_of_a_producer_one_after_the_other_the_later_wins() {
    for fifo in [false, true] {
        let surroundings = surroundings(fifo).await;
        write_twice(&producer(&surroundings).await).await;
        surroundings.unload(surroundings.config()).await;
        assert_all_at_the_later(&surroundings).await;
    }
}

/// Resets before and after the queue acted, throttling and errors: what is sent again is the same
/// message, and nothing is lost.
#[tokio::test]
async fn a_network_that_fails_loses_and_doubles_nothing_of_a_producer() {
    let surroundings = surroundings(false).await;
    let proxy = FaultProxy::start(surroundings.server.endpoint(), 19).await;
    let send = [Operation::Send];
    for fault in [Fault::ResetBefore, Fault::ResetAfter, Fault::Throttled, Fault::Unavailable] {
        proxy.chance(0.15, &send, fault);
    }
    proxy.next(2, Operation::Send, Fault::Denied);
    let producer = producer_at(&surroundings, proxy.endpoint(), |_| {}).await;
    write_twice(&producer).await;
    let mut receipts = Vec::new();
    for number in 0..500 {
        receipts.push(producer.send(Event::new(number, "login")).await.expect("room"));
    }
    all_sent(receipts).await;
    assert!(proxy.observed().injected(Fault::ResetAfter) > 0, "some were sent twice");
    // It needs no other right.
    for operation in Operation::ALL {
        assert_eq!(proxy.observed().calls(operation) > 0, operation == Operation::Send);
    }
    let counts = surroundings.unload(surroundings.config()).await;
    assert_eq!(counts.dead_lettered, [].into());
    assert_all_at_the_later(&surroundings).await;
    assert_eq!(surroundings.documents("events").await.len(), 500);
}

/// A port that refuses until it is opened, and then leads to the server.
async fn relay(socket: TcpSocket, to: String) {
    let listener: TcpListener = socket.listen(64).expect("a listener");
    while let Ok((mut near, _)) = listener.accept().await {
        let to = to.clone();
        tokio::spawn(async move {
            let mut far = TcpStream::connect(to).await.expect("the server");
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        });
    }
}

#[tokio::test]
async fn calls_while_the_queues_port_refuses_all_have_their_end() {
    const CALLS: u32 = 800;
    let surroundings = surroundings(false).await;
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let endpoint = format!("http://{}", socket.local_addr().expect("an address"));
    let producer = producer_at(&surroundings, &endpoint, |config| config.waiting_max = 500).await;
    let upstream = surroundings.server.endpoint().trim_start_matches("http://").to_owned();
    let (mut receipts, mut full) = (Vec::new(), 0);
    let mut ticks = interval(Duration::from_millis(5));
    for number in 0..CALLS {
        ticks.tick().await;
        match producer.try_send(Event::new(number, "login").id(format!("e-{number}"))) {
            Ok(receipt) => receipts.push(receipt),
            Err(TrySendError::Full(_)) => full += 1,
            Err(other) => panic!("{other}"),
        }
        assert!(producer.counts().waiting <= 500);
    }
    assert_eq!((receipts.len(), full), (500, 300));
    let relay = tokio::spawn(relay(socket, upstream));
    let outcomes = join_all(receipts).await;
    let sent = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(sent, 500, "{outcomes:?}");
    relay.abort();
    surroundings.unload(surroundings.config()).await;
    assert_eq!(surroundings.documents("events").await.len(), sent);
}

#[tokio::test]
async fn packed_bodies_and_types_of_bson_arrive() {
    let surroundings = surroundings(false).await;
    let items: Vec<String> = (0..5_000).map(|n| format!("item {}", n * 7_919)).collect();
    let data = doc! {
        "oid": ObjectId::from_bytes([7; 12]), "at": mongodb::bson::DateTime::from_millis(1_795_341_605_123),
        "decimal": "12.50".parse::<mongodb::bson::Decimal128>().expect("a decimal"),
        "bytes": mongodb::bson::Binary { subtype: mongodb::bson::spec::BinarySubtype::Generic, bytes: vec![0, 255] },
        "items": items,
    };
    let above = 1_024;
    for (user, compression) in
        [Compression::Gzip { above }, Compression::Zstd { above }].into_iter().enumerate()
    {
        let endpoint = surroundings.server.endpoint();
        let producer =
            producer_at(&surroundings, endpoint, |config| config.compression = compression).await;
        let user = u32::try_from(user).expect("a small number");
        producer.send(Cache::new(user, &data)).await.expect("room").await.expect("sent");
        producer.drain(Duration::from_secs(5)).await.expect("nothing waits");
    }
    let (messages, bytes) = waiting(&surroundings).await;
    assert_eq!(messages, 2);
    assert!(bytes < 80_000, "packed: {bytes}");
    surroundings.unload(surroundings.config()).await;
    let found = surroundings.documents("user_cache").await;
    assert_eq!(found.len(), 2);
    for document in found {
        assert_eq!(document.get("data"), Some(&Bson::Document(data.clone())));
    }
}

/// The messages of the queue, and the bytes of their bodies; they stay there.
async fn waiting(surroundings: &Surroundings) -> (usize, usize) {
    let messages = received(surroundings).await;
    let handles: Vec<_> = messages.iter().map(|message| message.receipt_handle.clone()).collect();
    surroundings.queue.change_visibility(&handles, Duration::ZERO).await.expect("given back");
    (messages.len(), messages.iter().map(|message| message.body.len()).sum())
}

async fn received(surroundings: &Surroundings) -> Vec<QueueMessage> {
    surroundings.queue.receive(10, Duration::ZERO, None).await.expect("a receive")
}

#[tokio::test]
async fn the_span_of_the_call_arrives_with_the_message() {
    use opentelemetry::trace::TracerProvider;
    use tracing::Instrument;
    use tracing_subscriber::layer::SubscriberExt;
    let surroundings = surroundings(false).await;
    let producer = producer(&surroundings).await;
    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let listening = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let sending = async { producer.send(Event::new(1, "login")).await };
    let receipt = sending.instrument(tracing::info_span!("request")).await.expect("room");
    drop(listening);
    receipt.await.expect("sent");
    let messages = received(&surroundings).await;
    let trace = longshore::telemetry::trace_id(&messages[0]).expect("a trace");
    assert_eq!(trace.len(), 32);
    assert_eq!(messages[0].text("longshore-id").map(str::len), Some(36));
}

#[tokio::test]
async fn the_last_producer_that_is_dropped_sends_what_waits() {
    let surroundings = surroundings(false).await;
    let producer = producer(&surroundings).await;
    for number in 0..25 {
        let message = json!({ "user_id": number, "event_type": "login" });
        drop(producer.send(Message::new("event", &message)).await.expect("room"));
    }
    drop(producer);
    crate::support::until("all are in the queue", async || surroundings.left().await == 25).await;
}
