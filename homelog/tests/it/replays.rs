//! Replays into an empty store and an empty log.

use std::{process::Stdio, time::Duration};

use schemas::Timestamp;

use crate::lab::{Lab, run};

fn count(dir: &std::path::Path, table: &str) -> i64 {
    let path = dir.join(if table == "blocks" {
        "log.db"
    } else {
        "series.db"
    });
    let database = rusqlite::Connection::open(path).unwrap();
    database
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
            row.get(0)
        })
        .unwrap()
}

#[tokio::test]
async fn an_empty_log_and_an_empty_store_are_filled() {
    let mut lab = Lab::start().await;
    let token = lab.token();
    let now = Timestamp::now().as_millis();
    lab.push(&token, 2_000, now).await;
    let (log, store) = (lab.path("log"), lab.path("store"));
    let from = (now - 86_400_000).to_string();
    let to = (now + 1).to_string();
    let replay = |into: &str, target: &std::path::Path, more: &[&str]| {
        let target = target.display().to_string();
        let mut args = vec!["replay", "--from", &from, "--to", &to, "--source", "pushed"];
        args.extend(["--into", into, "--target", &target]);
        args.extend(more);
        lab.run(&args, "")
    };
    let (code, stdout, stderr) = replay("log", &log, &[]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.starts_with("2000 events are in "), "{stdout}");
    assert!(count(&log, "blocks") > 0);
    let (code, stdout, stderr) = replay("store", &store, &[]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("2000 points"), "{stdout}");
    assert!(count(&store, "chunks") > 0);

    // once more changes nothing and says so
    let (code, stdout, stderr) = replay("log", &log, &[]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("already"), "{stdout}");
    let (code, _, stderr) = replay("log", &log, &["--entity", "pushed/sensor/kitchen"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("other events"), "{stderr}");

    // neither the configured one nor one that holds something
    for into in ["log", "store"] {
        let (code, _, stderr) = replay(into, &lab.data(), &[]);
        assert_eq!(code, 64, "{stderr}");
        assert!(stderr.contains("is the configured"), "{stderr}");
    }
    std::fs::remove_file(log.join("replay-log.json")).unwrap();
    let (code, _, stderr) = replay("log", &log, &[]);
    assert_eq!(code, 1);
    assert!(stderr.contains("is not empty"), "{stderr}");
    std::fs::remove_file(store.join("replay-store.json")).unwrap();
    let (code, _, stderr) = replay("store", &store, &[]);
    assert_eq!(code, 1);
    assert!(stderr.contains("is not empty"), "{stderr}");
    lab.stop().await;

    // what was filled is a log and a store like any other
    let filled = log.display().to_string();
    let (code, stdout, stderr) = run([
        "replay", "--data", &filled, "--from", &from, "--to", &to, "--into", "stdout",
    ]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(stdout.lines().count(), 2_000);
}

#[tokio::test]
async fn a_replay_that_was_killed_goes_on_where_it_was() {
    let lab = Lab::start().await;
    let token = lab.token();
    let now = Timestamp::now().as_millis();
    lab.push(&token, 600, now).await;
    for into in ["log", "store"] {
        let target = lab.path(into);
        let args = [
            "replay".to_owned(),
            "--from".to_owned(),
            (now - 86_400_000).to_string(),
            "--to".to_owned(),
            (now + 1).to_string(),
            "--source".to_owned(),
            "pushed".to_owned(),
            "--into".to_owned(),
            into.to_owned(),
            "--target".to_owned(),
            target.display().to_string(),
            "--data".to_owned(),
            lab.data().display().to_string(),
        ];
        // 600 s at this speed take 6 s, so that the kill comes in the middle
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("homelog"))
            .args(&args)
            .args(["--speed", "100"])
            .env_clear()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let (code, stdout, stderr) = run(&args);
        assert_eq!(code, 0, "{into}: {stderr}");
        assert!(stdout.contains(" events are in "), "{stdout}");
    }
    let log = lab.path("log").display().to_string();
    let (code, stdout, stderr) = run([
        "replay", "--data", &log, "--from", "-1d", "--to", "now", "--into", "stdout",
    ]);
    assert_eq!(code, 0, "{stderr}");
    let mut seqs: Vec<u64> = stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64())
        .map(Option::unwrap)
        .collect();
    assert_eq!(seqs, (1..=600).collect::<Vec<_>>(), "each once, in order");
    seqs.dedup();
    assert_eq!(seqs.len(), 600);
}
