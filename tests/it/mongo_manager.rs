//! To come.

#[tokio::test]
async fn starts() {
    let t = tokio::time::Instant::now();
    let m = crate::support::mongod::manager().await;
    eprintln!("{m:?} {:?}", t.elapsed());
    let t = tokio::time::Instant::now();
    let s = crate::support::mongod::secured().await;
    eprintln!("{:?} {:?}", s.hosts(), t.elapsed());
    let t = tokio::time::Instant::now();
    let s = longshore::dev::mongod::Mongod::start(&longshore::dev::mongod::Options{members: longshore::dev::mongod::Members::Three, login: Some(longshore::dev::mongod::Login{user:"x".into(), password: longshore::config::Secret::new("y@%")}), tls: Some(crate::support::mongod::certificates()), ..longshore::dev::mongod::Options::new(crate::support::mongod::program().await)}).await.unwrap();
    eprintln!("{:?} {:?}", s.hosts(), t.elapsed());
    s.stop().await;
    eprintln!("{:?}", t.elapsed());
}
