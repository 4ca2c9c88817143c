//! A directory moves to servers.

use reqwest::StatusCode;
use schemas::Timestamp;
use serde_json::json;

use crate::{
    lab::{Lab, PASSWORD},
    servers::Home,
};

#[tokio::test]
async fn everything_moves_to_servers_and_is_compared() {
    let home = Home::new(2);
    let mut lab = Lab::start().await;
    let token = lab.token();
    lab.push(&token, 500, Timestamp::now().as_millis()).await;
    // what the collector observes waits up to 2 s for others
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let config = lab.path("servers.toml");
    std::fs::write(&config, home.config("")).unwrap();
    let config = config.display().to_string();
    let to = "kafka+influxdb+postgres";
    let migrate = |lab: &Lab, more: &[&str]| {
        let mut args = vec!["migrate", "--to", to, "--config", &config];
        args.extend(more);
        lab.run(&args, "")
    };
    let (code, _, stderr) = migrate(&lab, &[]);
    assert_eq!(code, 1);
    assert!(stderr.contains("another homelog"), "it runs: {stderr}");
    lab.stop().await;

    let (code, stdout, stderr) = migrate(&lab, &[]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(
        stdout.contains("users: 1 with 1 tokens") && stdout.contains("everything is there"),
        "{stdout}"
    );
    let (code, again, stderr) = migrate(&lab, &[]);
    assert_eq!(code, 0, "{again}{stderr}");
    assert!(again.contains("events: 0 were copied"), "{again}");
    let (code, stdout, stderr) = migrate(&lab, &["--verify-only"]);
    assert_eq!(code, 0, "{stdout}{stderr}");

    // points of others are not mixed with those that are moved
    std::fs::remove_file(lab.data().join("migrate.json")).unwrap();
    let args = ["migrate", "--to", "influxdb", "--config", &config];
    let (code, stdout, stderr) = lab.run(&args, "");
    assert_eq!(code, 1, "{stdout}");
    assert!(stderr.contains("already holds"), "{stderr}");
    let mut args = vec!["replay", "--from", "-1d", "--to", "now", "--into", "store"];
    args.extend(["--target", &config]);
    let (code, stdout, stderr) = lab.run(&args, "");
    assert_eq!(code, 1, "{stdout}");
    assert!(stderr.contains("is not empty"), "{stderr}");

    // a value that is lost here is found there
    let (code, _, stderr) = lab.run(
        &["migrate", "--to", "kafka", "--config", "/nonexistent.toml"],
        "",
    );
    assert_eq!(code, 64, "{stderr}");

    let port = crate::servers::port();
    let listen = format!("127.0.0.1:{port}");
    let mut moved = crate::process::Process::start(
        &home.config("[[source]]\nname = \"other\"\nkind = \"host\"\n"),
        "up",
        &["--data", "DATA", "--listen", &listen],
    );
    let api = crate::servers::Api::of(&moved, port).await;
    let range = "/api/v1/range?entity=pushed%2Fsensor%2Fkitchen&from=-1h&to=now&step=1h&agg=count";
    api.until(range, |answer| {
        let counts = answer["series"][0]["values"].as_array();
        counts.is_some_and(|counts| {
            counts
                .iter()
                .filter_map(serde_json::Value::as_f64)
                .sum::<f64>()
                >= 500.0
        })
    })
    .await;
    let login = reqwest::Client::builder()
        .build()
        .unwrap()
        .post(format!("{}/auth/login", api.url))
        .json(&json!({"username": "admin", "password": PASSWORD}));
    assert_eq!(login.send().await.unwrap().status(), StatusCode::OK);
    moved.stop().await;
}
