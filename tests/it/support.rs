//! What the tests share: servers that are started once, and left in no doubt; the built binary; and
//! how to wait.

pub mod child;
pub mod fault_proxy;
pub mod http_proxy;
pub mod iam_front;
pub mod mongod;
pub mod ports;
pub mod scripted;
pub mod sqs;
pub mod surroundings;

use std::fmt::Display;
use std::time::Duration;

use tokio::time::Instant;

/// How long a test waits for what is expected: a bound, never reached.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// Looks again and again until the condition is met.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let met = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(DEADLINE, met).await.is_ok(), "not within {DEADLINE:?}: {what}");
}

/// Asks a server again and again until it answers: one of a set may just be holding an election,
/// which is no finding.
pub async fn answered<T, E: Display>(what: &str, mut ask: impl AsyncFnMut() -> Result<T, E>) -> T {
    let asked = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => {
                assert!(asked.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}: {error}");
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
