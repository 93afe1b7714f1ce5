//! Messages whose names of a type do not agree.

use super::*;

#[tokio::test(start_paused = true)]
async fn messages_of_which_two_names_name_two_routes_are_counted_whatever_becomes_of_them() {
    let bus = |id: &str, detail: &str| {
        format!(
            r#"{{"id":"{id}","detail-type":"event","source":"s","account":"a","time":"2026-11-22T10:00:05Z","detail":{detail}}}"#
        )
    };
    let queue = queue();
    for (id, detail) in [
        ("agreed", r#"{"type":"event","user_id":1,"event_type":"x"}"#),
        ("disagreed", r#"{"type":"cache","user_id":1,"event_type":"x"}"#),
        ("no route", r#"{"type":"Recon:EC2/PortProbe","user_id":1,"event_type":"x"}"#),
        ("disagreed and rejected", r#"{"type":"session"}"#),
    ] {
        queue.send(id, &bus(id, detail));
    }
    let world = World::start(queue, |_| {});
    world.until(|world| world.queue.remaining().is_empty()).await;
    assert_eq!(world.store.documents("events").len(), 3, "the rule's route is taken");
    let counts = world.end().await;
    assert_eq!(counts.types_disagreed_total, 2);
    assert_eq!(counts.dead_lettered, [(Reason::MissingField, 1)].into());
}
