//! `homelog source`.

use serde_json::Value;

use crate::lab::Lab;

async fn source(lab: &Lab, token: &str, name: &str) -> Value {
    let answer = lab.get(token, "/api/v1/sources").await;
    let sources = answer.get("sources").and_then(Value::as_array).unwrap();
    let found = sources.iter().find(|source| source["name"] == name);
    found.cloned().unwrap_or_default()
}

async fn keys(lab: &Lab, token: &str) -> Vec<String> {
    let answer = lab.get(token, "/api/v1/entities").await;
    let entities = answer.get("entities").and_then(Value::as_array);
    let entities = entities.unwrap().iter();
    entities
        .map(|entity| entity["key"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits until an entity is in view, or in none.
async fn is_in_view(lab: &Lab, token: &str, key: &str, wanted: bool) {
    for _ in 0..200 {
        if keys(lab, token).await.iter().any(|found| found == key) == wanted {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{key}: {:?}", keys(lab, token).await);
}

#[tokio::test]
async fn a_source_is_renamed_and_removed_while_homelog_runs_and_while_it_does_not() {
    const SENSOR: &str = "pushed/sensor/kitchen";
    let mut lab = Lab::start().await;
    let token = lab.token();
    std::fs::write(lab.path("token"), &token).unwrap();
    let url = lab.url("");
    let there = lab.path("token").display().to_string();
    let over = |args: &[&str]| {
        let where_it_is = ["--url", url.as_str(), "--token-file", there.as_str()];
        let args = [["source"].as_slice(), args, where_it_is.as_slice()].concat();
        crate::lab::run(args)
    };
    lab.push(&token, 3, schemas::Timestamp::now().as_millis())
        .await;
    is_in_view(&lab, &token, SENSOR, true).await;
    is_in_view(&lab, &token, "server/source/server", true).await;

    let (code, stdout, stderr) = over(&["rename", "pushed", "Küche"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(
        source(&lab, &token, "pushed").await["display_name"],
        "Küche"
    );
    let (code, stdout, stderr) = lab.run(&["source", "rename", "server", "The server"], "");
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(
        source(&lab, &token, "server").await["display_name"],
        "The server",
        "also beside a Homelog that runs"
    );

    let (code, _, stderr) = over(&["remove", "server"]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("is collected still"), "{stderr}");
    let (code, _, stderr) = over(&["remove", "nobody"]);
    assert_eq!(code, 1, "{stderr}");
    let (code, stdout, stderr) = over(&["remove", "pushed"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    is_in_view(&lab, &token, SENSOR, false).await;
    let removed = source(&lab, &token, "pushed").await;
    assert_eq!(
        (&removed["state"], &removed["display_name"]),
        (&"removed".into(), &"Küche".into())
    );
    lab.push(&token, 1, schemas::Timestamp::now().as_millis() + 10)
        .await;
    is_in_view(&lab, &token, SENSOR, true).await;

    let (code, _, stderr) = lab.run(&["source", "remove", "pushed"], "");
    assert_eq!(code, 1, "somebody else writes: {stderr}");
    assert!(stderr.contains("--url"), "{stderr}");
    lab.stop().await;
    let (code, stdout, stderr) = lab.run(&["source", "remove", "pushed"], "");
    assert_eq!(code, 0, "{stdout}{stderr}");
    let (code, stdout, stderr) = lab.run(&["source", "rename", "pushed"], "");
    assert_eq!(code, 0, "{stdout}{stderr}");
    lab.up(&[]).await;
    is_in_view(&lab, &token, SENSOR, false).await;
    assert_eq!(
        source(&lab, &token, "pushed").await["display_name"],
        Value::Null
    );
    lab.stop().await;
    let (code, stdout, stderr) = lab.run(&["verify"], "");
    assert_eq!(code, 0, "{stdout}{stderr}");
}

#[tokio::test]
async fn only_what_nobody_collects_is_purged_and_only_by_who_means_it() {
    let mut lab = Lab::start().await;
    let token = lab.token();
    lab.push(&token, 3, schemas::Timestamp::now().as_millis())
        .await;
    is_in_view(&lab, &token, "pushed/sensor/kitchen", true).await;
    let (code, _, stderr) = lab.run(&["source", "purge", "pushed", "--yes"], "");
    assert_eq!(code, 1, "somebody else writes: {stderr}");
    assert!(stderr.contains("--url"), "{stderr}");
    lab.stop().await;
    let config = lab.path("homelog.toml").display().to_string();
    let mistakes: [(&[&str], i32, &str); 3] = [
        (&["pushed"], 64, "--yes"),
        (
            &["server", "--yes", "--config", &config],
            1,
            "take it out there",
        ),
        (&["nobody", "--yes"], 1, "there is no source"),
    ];
    for (args, wanted, words) in mistakes {
        let args = [["source", "purge"].as_slice(), args].concat();
        let (code, stdout, stderr) = lab.run(&args, "pushed\n");
        assert_eq!(code, wanted, "{stdout}{stderr}");
        assert!(stderr.contains(words), "{stderr}");
    }
    let (code, stdout, stderr) = lab.run(&["source", "purge", "pushed", "--yes"], "");
    assert_eq!(code, 0, "{stdout}{stderr}");
    for told in [
        "1 entities with 3 points; 3 events were ever logged",
        "3 events, 3 points and 0 dead letters are gone",
        "backups",
    ] {
        assert!(stdout.contains(told), "{told}: {stdout}");
    }
    lab.up(&[]).await;
    is_in_view(&lab, &token, "server/source/server", true).await;
    assert_eq!(source(&lab, &token, "pushed").await, Value::Null);
    lab.stop().await;
    let (code, stdout, stderr) = lab.run(&["verify"], "");
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("3  events purged"), "{stdout}");
}
