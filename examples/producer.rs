//! Sends a few messages: `cargo run --example producer -- QUEUE_URL`. Against `longshore dev`, set
//! `AWS_ENDPOINT_URL_SQS` to its endpoint and any `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.

use std::time::{Duration, SystemTime};

use longshore::{Cache, Event, Producer, ProducerConfig, Session};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("give the URL of the queue")?;
    let producer = Producer::connect(ProducerConfig::new(url)).await?;

    let login = Event::new(123, "login").metadata(&json!({ "ip": "10.0.0.1" }));
    let sent = producer.send(login).await?.await?;
    println!("{} is in the queue as {}", sent.id, sent.message_id);

    // Of two states the later wins, whichever is written first.
    for cart in [vec!["a"], vec!["a", "b"]] {
        let session = Session::new("s-81", &json!({ "cart": cart }));
        producer.send(session.last_accessed(SystemTime::now())).await?.await?;
    }

    // A receipt that nobody awaits: a failure would be in the log.
    drop(producer.send(Cache::new(123, &json!({ "plan": "pro" }))).await?);
    producer.drain(Duration::from_secs(10)).await?;
    println!("{:?}", producer.counts());
    Ok(())
}
