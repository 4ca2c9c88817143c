use schemas::{Timestamp, api::ApiEvent};

use crate::lab::Lab;

fn events(stdout: &str) -> Vec<ApiEvent> {
    stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("one event a line"))
        .collect()
}

#[tokio::test]
async fn past_events_are_replayed_while_it_runs() {
    let lab = Lab::start().await;
    let token = lab.token();
    let now = Timestamp::now().as_millis();
    let pushed = lab.push(&token, 60, now).await;
    assert_eq!(pushed["accepted"], 60);

    let replay = |more: &[&str]| {
        let mut args = vec!["replay", "--to", "now", "--into", "stdout"];
        args.extend(more);
        let (code, stdout, stderr) = lab.run(&args, "");
        assert_eq!((code, stderr.as_str()), (0, ""));
        events(&stdout)
    };
    let all = replay(&["--from", "-1h", "--source", "pushed"]);
    let seqs: Vec<_> = all.iter().map(|e| e.seq).collect();
    assert_eq!(seqs, (1..=60).collect::<Vec<_>>());
    assert_eq!(all[59].position, pushed["position"].as_str().unwrap());

    let from = (now - 9_500).to_string();
    let entity = ["--from", &from, "--entity", "pushed/sensor/kitchen"];
    assert_eq!(
        replay(&entity).len(),
        10,
        "selected by the time of observation"
    );
    assert!(replay(&["--from", "-1h", "--source", "nobody"]).is_empty());
    // readings of the host are grouped with others for up to 2 s
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !replay(&["--from", "-1h"])
        .iter()
        .any(|e| e.source == "server")
    {
        assert!(std::time::Instant::now() < end, "the host is not there");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }

    let began = std::time::Instant::now();
    let paced = ["--from", &from, "--source", "pushed", "--speed", "10"];
    assert_eq!(replay(&paced).len(), 10);
    assert!(
        began.elapsed().as_millis() >= 900,
        "nine seconds at ten times the speed"
    );
}

#[tokio::test]
async fn verify_agrees_with_sound_data_and_names_what_is_lost() {
    let mut lab = Lab::start().await;
    let token = lab.token();
    lab.push(&token, 600, Timestamp::now().as_millis()).await;
    let (code, stdout, stderr) = lab.run(&["verify"], "");
    assert_eq!(code, 0, "while it runs: {stdout}{stderr}");
    lab.stop().await;

    let count = |stdout: &str, what: &str| -> u64 {
        let line = stdout.lines().find(|line| line.trim_end().ends_with(what));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.expect("a line of it").parse().expect("a number")
    };
    let (code, stdout, stderr) = lab.run(&["verify"], "");
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    let produced = count(&stdout, "events produced");
    assert!(produced >= 600, "{stdout}");
    assert_eq!(count(&stdout, "events in the log"), produced);
    // what came in the last moment is read from the log at the next start
    let covered = count(&stdout, "events taken by the store");
    assert!((600..=produced).contains(&covered), "{stdout}");
    assert_eq!(
        count(&stdout, "that these events make"),
        count(&stdout, "of them in the store")
    );
    assert_eq!(count(&stdout, "faults"), 0);

    let (code, stdout, _) = lab.run(&["disk"], "");
    assert_eq!(code, 0);
    assert_eq!(stdout.lines().count(), 5, "{stdout}");

    let log = rusqlite::Connection::open(lab.data().join("log.db")).unwrap();
    // one from the middle: at the beginning it would be what retention does
    let gone = log
        .execute(
            "DELETE FROM blocks WHERE first_offset =
               (SELECT first_offset FROM blocks ORDER BY first_offset LIMIT 1 OFFSET 1)",
            [],
        )
        .unwrap();
    assert_eq!(gone, 1);
    drop(log);
    let (code, stdout, stderr) = lab.run(&["verify"], "");
    assert_eq!(code, 1, "{stdout}");
    assert!(
        stderr.contains("is missing from the log") && stderr.contains("epoch"),
        "{stderr}"
    );
}

#[tokio::test]
async fn verify_finds_what_is_not_in_the_store() {
    let mut lab = Lab::start().await;
    let token = lab.token();
    lab.push(&token, 100, Timestamp::now().as_millis()).await;
    lab.stop().await;
    let store = rusqlite::Connection::open(lab.data().join("series.db")).unwrap();
    let chunks = store.execute("DELETE FROM chunks", []).unwrap();
    assert!(chunks > 0);
    drop(store);
    let (code, stdout, stderr) = lab.run(&["verify"], "");
    assert_eq!(code, 1, "{stdout}");
    assert!(
        stderr.contains("pushed/sensor/kitchen: 100 points"),
        "{stderr}"
    );
}
