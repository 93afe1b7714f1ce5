//! The private mongod: it becomes a replica set, says why when it does not, and never outlives us.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bson::{Document, doc};
use longshore::config::DbConfig;
use longshore::dev::mongod::{Members, Mongod, MongodError, Options};
use longshore::mongo_manager::MongoManager;

use crate::support::mongod::program;
use crate::support::until;

#[tokio::test]
async fn three_members_are_one_set_and_stopping_it_leaves_nothing() {
    let options = Options { members: Members::Three, ..Options::new(program().await) };
    let mongod = Mongod::start(&options).await.unwrap();
    let manager = MongoManager::connect(&DbConfig {
        mongo_uri: Some(mongod.uri("db")),
        ..DbConfig::default()
    })
    .await
    .unwrap();
    let hello = manager.database().run_command(doc! { "hello": 1 }).await.unwrap();
    assert_eq!(hello.get_array("hosts").unwrap().len(), 3);
    let all = doc! { "insert": "c", "documents": [{ "a": 1 }], "writeConcern": { "w": 3, "wtimeout": 10_000 } };
    let reply = manager.database().run_command(all).await.unwrap();
    assert!(!reply.contains_key("writeConcernError"), "{reply}");

    let processes: Vec<u32> = mongod.process_ids().collect();
    let folders: Vec<PathBuf> = mongod.folders().map(Path::to_owned).collect();
    assert!(processes.len() == 3 && processes.iter().all(|id| runs(*id)));
    assert!(folders.len() == 3 && folders.iter().all(|folder| folder.is_dir()));
    drop(manager);
    mongod.stop().await;
    assert!(!processes.iter().any(|id| runs(*id)));
    assert!(!folders.iter().any(|folder| folder.exists()));
}

#[tokio::test]
async fn a_member_that_was_killed_comes_back_with_its_data() {
    let mut mongod = Mongod::start(&Options::new(program().await)).await.unwrap();
    let manager = MongoManager::connect(&DbConfig {
        mongo_uri: Some(mongod.uri("db")),
        ..DbConfig::default()
    })
    .await
    .unwrap();
    manager.database().collection("c").insert_one(doc! { "a": 1 }).await.unwrap();
    let (first, folder) =
        (mongod.process_ids().next().unwrap(), mongod.folders().next().unwrap().to_owned());
    for _ in 0..2 {
        mongod.restart(0).await.unwrap();
        until("the document is there", async || {
            let found =
                manager.database().collection::<Document>("c").find_one(doc! { "a": 1 }).await;
            found.is_ok_and(|found| found.is_some())
        })
        .await;
    }
    assert_ne!(mongod.process_ids().next().unwrap(), first);
    drop(manager);
    mongod.stop().await;
    assert!(!runs(first) && !folder.exists());
}

#[tokio::test]
async fn a_mongod_that_does_not_start_says_why() {
    for (program, expected) in [("/no/such/mongod", "not found"), ("false", "it ended")] {
        match Mongod::start(&Options::new(program.into())).await {
            Err(error @ MongodError::Start { .. }) => {
                assert!(error.to_string().contains(expected), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn our_own_sudden_death_leaves_no_process_and_no_files() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "mongod::child_that_is_killed", "--ignored", "--nocapture"])
        .env("MONGOD", program().await)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let told = lines
        .into_iter()
        .find_map(|line| Some(line.split_once("child: ")?.1.to_owned()))
        .expect("a started mongod");
    let (process_id, folder) = told.split_once(' ').unwrap();
    let process_id = process_id.parse().unwrap();
    assert!(runs(process_id) && Path::new(folder).is_dir());
    child.kill().unwrap();
    child.wait().unwrap();
    let gone = async {
        while runs(process_id) || Path::new(folder).exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("nothing is left");
}

#[tokio::test]
#[ignore = "runs in a process of its own, which the test before kills"]
async fn child_that_is_killed() {
    let mongod = Mongod::start(&Options::new(program().await)).await.unwrap();
    let (process_id, folder) =
        (mongod.process_ids().next().unwrap(), mongod.folders().next().unwrap().display());
    println!("child: {process_id} {folder}");
    std::future::pending::<()>().await;
}

fn runs(process_id: u32) -> bool {
    Command::new("kill")
        .args(["-0", &process_id.to_string()])
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}
