//! Routes that only a file knows: routes.toml beside this one.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use longshore::queue::Outgoing;
use mongodb::IndexModel;
use mongodb::bson::{Bson, DateTime, Document, doc};
use serde_json::json;
use tokio::process::Command;

use crate::support::child::Child;
use crate::support::surroundings::{Surroundings, plain};
use crate::support::until;

/// 2026-11-22T10:00:00Z.
const NOON: i64 = 1_795_341_600_000;

#[tokio::test]
async fn configured_routes_need_no_code() {
    let surroundings = Surroundings::new(&json!({ "VisibilityTimeout": "600" })).await;
    surroundings
        .manager
        .database()
        .run_command(doc! { "profile": 2 })
        .await
        .expect("a profile of all commands");
    let without_total = plain(&json!({ "type": "order", "order_no": "A-3" }));
    let event = plain(&json!({ "type": "event", "user_id": 5, "event_type": "login" }));
    let orders = [order("A-1", 20), order("A-2", 30), order("A-1", 99), without_total, event];
    let made = run(&surroundings, &orders).await;
    assert!(made.contains("indexes made"), "{made}");
    assert_eq!(
        indexes(&surroundings, "orders").await,
        ["_id_", "customer_1_placed_-1", "order_no_1 unique"].map(str::to_owned).into()
    );
    assert_eq!(
        indexes(&surroundings, "profiles").await,
        ["_id_", "user_id_1 unique"].map(str::to_owned).into()
    );

    // The second start finds them.
    let found = run(&surroundings, &profile_changes()).await;
    assert!(!found.contains("indexes made") && !found.contains("missing"), "{found}");
    assert_orders(&surroundings).await;
    assert_profile(&surroundings).await;
    assert_write_concerns(&surroundings).await;
}

fn order(order_no: &str, total: i32) -> Outgoing {
    plain(&json!({
        "type": "order", "id": format!("{order_no}-{total}"), "order_no": order_no, "total": total, "customer": 5,
        "placed": "2026-11-22T10:00:00Z", "shipped": 1_795_341_605,
    }))
}

/// One number, two orders: one of them is stored, whichever comes first, and the other becomes a
/// dead letter, as does the order without a total.
async fn assert_orders(surroundings: &Surroundings) {
    let orders = surroundings.documents("orders").await;
    assert_eq!(orders.len(), 2, "{orders:?}");
    for order in &orders {
        assert_eq!(order.get("placed"), Some(&DateTime::from_millis(NOON).into()));
        assert_eq!(order.get("shipped"), Some(&DateTime::from_millis(NOON + 5_000).into()));
    }
    let mut dead = surroundings.documents("dead_letters").await;
    dead.sort_by_key(|record| record.get_str("reason").expect("a reason").to_owned());
    let facts: Vec<_> = dead
        .iter()
        .map(|record| [record.get("reason"), record.get("route"), record.get("server_code")])
        .collect();
    let (order, none) = (Bson::from("order"), Bson::Null);
    assert_eq!(facts[0], [Some(&"missing_field".into()), Some(&order), Some(&none)], "{dead:?}");
    assert_eq!(
        facts[1],
        [Some(&"store_rejected".into()), Some(&order), Some(&11_000.into())],
        "{dead:?}"
    );
    assert_eq!(dead.len(), 2, "{dead:?}");
    let ids = orders.iter().map(|order| order.get_str("_id").expect("an id"));
    let rejected = if ids.clone().any(|id| id == "A-1-20") { "A-1-99" } else { "A-1-20" };
    assert!(dead[1].get_str("body").expect("a body").contains(rejected), "{dead:?}");
}

/// Three changes of one profile, each of some fields, the newest first.
fn profile_changes() -> [Outgoing; 3] {
    [
        json!({ "type": "profile", "user_id": 5, "changed": "2026-11-22 10:00:02", "name": "Ann" }),
        json!({ "type": "profile", "user_id": 5, "changed": "2026-11-22 10:00:01", "name": "Anne", "phone": null }),
        json!({ "type": "profile", "user_id": 5, "changed": "2026-11-22 10:00:00", "email": "a@example.com", "phone": "1" }),
    ]
    .map(|body| plain(&body))
}

async fn assert_profile(surroundings: &Surroundings) {
    let mut profiles = surroundings.documents("profiles").await;
    assert_eq!(profiles.len(), 1, "{profiles:?}");
    let mut profile = profiles.remove(0);
    profile.remove("_id").expect("an id");
    profile.remove("_ingest").expect("its versions");
    let expected = doc! {
        "user_id": 5, "changed": DateTime::from_millis(NOON + 2_000), "name": "Ann", "email": "a@example.com", "phone": Bson::Null,
    };
    // Each field on its own: the order of fields is that of the writes.
    assert_eq!(profile.iter().collect::<BTreeMap<_, _>>(), expected.iter().collect());
}

/// As the server was asked for them: that of the route, and the default. Of updates, the profile
/// has the statements only.
async fn assert_write_concerns(surroundings: &Surroundings) {
    let asked = async |collection: &str| {
        let filter = doc! { "command.insert": collection };
        let found = surroundings
            .manager
            .database()
            .collection::<Document>("system.profile")
            .find_one(filter)
            .await
            .expect("an answer");
        let command =
            found.expect("a profiled command").get_document("command").expect("a command").clone();
        let asked = command.get_document("writeConcern").expect("a write concern");
        let timeout = asked
            .get("wtimeout")
            .and_then(|timeout| timeout.as_i64().or(timeout.as_i32().map(i64::from)));
        (
            asked.get("w").expect("w").clone(),
            asked.get_bool("j").expect("j"),
            timeout.expect("wtimeout"),
        )
    };
    assert_eq!(asked("orders").await, (Bson::Int32(1), true, 5_000));
    assert_eq!(asked("events").await, (Bson::from("majority"), true, 10_000));
}

#[tokio::test]
async fn a_filled_keyed_collection_without_its_unique_index_is_refused_with_the_way_to_make_it() {
    let surroundings = Surroundings::new(&json!({})).await;
    let profiles = surroundings.manager.database().collection::<Document>("profiles");
    profiles.insert_one(doc! { "user_id": 5 }).await.expect("inserted");
    let output = with_routes(&surroundings).output().await.expect("start longshore");
    let printed = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{printed}");
    let refusal = printed.lines().last().expect("a line");
    for part in [
        "profiles has no unique index on user_id",
        "longshore check --create-indexes",
        "createIndex({\"user_id\": 1}, {unique: true})",
    ] {
        assert!(refusal.contains(part), "{printed}");
    }

    // What it says, done, helps.
    profiles
        .create_index(IndexModel::builder().keys(doc! { "user_id": 1 }).options(unique()).build())
        .await
        .expect("an index");
    run(&surroundings, &profile_changes()).await;
    assert_eq!(surroundings.documents("profiles").await.len(), 1);
}

fn unique() -> mongodb::options::IndexOptions {
    mongodb::options::IndexOptions::builder().unique(true).build()
}

fn with_routes(surroundings: &Surroundings) -> Command {
    surroundings.longshore(&[
        "--config",
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/worker/routes.toml"),
        "run",
    ])
}

/// Sends these, lets a worker with the file write them, and gives what it printed.
async fn run(surroundings: &Surroundings, messages: &[Outgoing]) -> String {
    surroundings.send(messages).await;
    let mut worker = Child::start(with_routes(surroundings));
    until("the queue is empty", async || {
        worker.assert_running();
        surroundings.left().await == 0
    })
    .await;
    worker.signal("TERM").await;
    let (status, printed) = worker.ended().await;
    assert!(status.success(), "{status}:\n{printed}");
    printed
}

/// The names of the indexes of a collection, with what makes them special.
async fn indexes(surroundings: &Surroundings, collection: &str) -> BTreeSet<String> {
    let collection = surroundings.manager.database().collection::<Document>(collection);
    let there: Vec<_> =
        collection.list_indexes().await.expect("indexes").try_collect().await.expect("indexes");
    let name = |index: IndexModel| {
        let options = index.options.expect("options");
        options.name.expect("a name") + if options.unique == Some(true) { " unique" } else { "" }
    };
    there.into_iter().map(name).collect()
}
