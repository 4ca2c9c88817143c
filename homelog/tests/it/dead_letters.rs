//! What could not become points is shown, and retried straight into the store.

use reqwest::StatusCode;
use schemas::Timestamp;
use serde_json::json;

use crate::lab::Lab;

/// Pushes a reading of 40 days ago: older than `[retention] raw`.
async fn late(lab: &Lab, token: &str) -> i64 {
    let time = Timestamp::now().as_millis() - 40 * 86_400_000;
    let answer = lab
        .http
        .post(lab.url("/api/v1/events"))
        .bearer_auth(token)
        .json(&json!({
            "source": "pushed",
            "time": time,
            "entity": {"type": "sensor", "id": "attic"},
            "fields": {"temperature_celsius": 12.5},
        }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    time
}

#[tokio::test]
async fn a_dead_letter_is_shown_and_retried_into_the_store_alone() {
    let mut lab = Lab::start().await;
    let token = lab.token();
    let time = late(&lab, &token).await;
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let listed = loop {
        let (code, stdout, stderr) = lab.run(&["dead-letters", "list"], "");
        assert_eq!(code, 0, "{stderr}");
        if stdout.contains("too_old") {
            break stdout;
        }
        assert!(std::time::Instant::now() < end, "{stdout}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    };
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let id = listed
        .lines()
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    let (code, shown, _) = lab.run(&["dead-letters", "show", id], "");
    assert_eq!(code, 0);
    assert!(
        shown.contains("reason    too_old") && shown.contains("temperature_celsius"),
        "{shown}"
    );
    let (code, _, stderr) = lab.run(&["dead-letters", "show", "0-99999999"], "");
    assert_eq!(code, 1);
    assert!(
        stderr.contains("there is no dead letter 0-99999999"),
        "{stderr}"
    );

    let (code, _, stderr) = lab.run(&["dead-letters", "retry", id], "");
    assert_eq!(code, 1, "a running homelog holds the data");
    assert!(stderr.contains("another homelog"), "{stderr}");
    lab.stop().await;
    let (code, stdout, stderr) = lab.run(&["dead-letters", "retry", "--all"], "");
    assert_eq!(code, 1, "nothing has changed");
    assert!(
        stdout.starts_with("0 of 1 dead letters") && stderr.contains("too_old"),
        "{stdout}{stderr}"
    );

    let config = lab.path("longer.toml");
    std::fs::write(&config, "[retention]\nraw = \"60d\"\n").unwrap();
    let config = config.display().to_string();
    let events = |lab: &Lab| {
        let args = [
            "replay", "--from", "-1y", "--to", "now", "--source", "pushed", "--into", "stdout",
        ];
        lab.run(&args, "").1.lines().count()
    };
    let before = events(&lab);
    let args = ["dead-letters", "retry", id, "--config", &config];
    let (code, stdout, stderr) = lab.run(&args, "");
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert_eq!(stdout, "1 of 1 dead letters are in the store now\n");
    let (_, stdout, _) = lab.run(&["dead-letters", "list"], "");
    assert_eq!(stdout, "there are no dead letters\n");
    assert_eq!(events(&lab), before, "nothing new is in the log");

    lab.up(&[]).await;
    let answer: serde_json::Value = lab
        .http
        .get(lab.url(&format!(
            "/api/v1/range?entity=pushed%2Fsensor%2Fattic&from={}&to={}&step=1h&agg=last",
            time - 3_600_000,
            time + 3_600_000
        )))
        .bearer_auth(&token)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let values = answer["series"][0]["values"].to_string();
    assert!(values.contains("12.5"), "{answer:#}");
}
