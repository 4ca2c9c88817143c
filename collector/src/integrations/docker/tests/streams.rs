//! An event stream that is cut, again and again.

use super::{between::Between, *};

/// Listens until a change comes.
async fn heard(docker: &mut Docker, patience: Duration) -> Vec<Observation> {
    let until = Instant::now() + patience;
    while Instant::now() < until {
        let (told, _) = listen(docker).await;
        if !told.is_empty() {
            return told;
        }
    }
    Vec::new()
}

#[tokio::test]
async fn a_proxy_that_cuts_idle_streams_hides_nothing_and_slows_nothing_down() {
    let fake = web_runs();
    // longer than what counts as a stream that worked
    let proxy = Between::start(&fake.url(), Duration::from_millis(1200), None).await;
    let mut docker = open(&format!("tcp://{}", proxy.address()));
    poll(&mut docker).await;
    for round in 1..=3 {
        // the stream is cut meanwhile, and what happens then is told to nobody
        while docker.stream.is_some() || proxy.cuts() < round {
            listen(&mut docker).await;
        }
        fake.cut_streams();
        let at = START + i64::try_from(round).unwrap() * NANO;
        fake.tell(at, "aaaaaaaaaaaaaaaa", "pause", json!({"name": "web"}))
            .await;
        let told = heard(&mut docker, Duration::from_secs(3)).await;
        assert_eq!(
            changes(&told),
            [("web", "pause", "paused")],
            "round {round}"
        );
        assert_eq!(told[0].time.as_millis(), at / 1_000_000);
    }
    assert!(!docker.refused);
    let asked = fake.requests();
    let since: Vec<_> = asked
        .iter()
        .filter(|line| line.contains("/events"))
        .filter_map(|line| {
            line.split(['?', '&'])
                .find(|part| part.starts_with("since="))
        })
        .collect();
    assert!(since.is_sorted() && since.len() >= 4, "{since:?}");
}

/// An engine on another machine goes by its own clock.
#[tokio::test]
async fn events_are_asked_for_by_the_clock_of_the_engine() {
    let fake = web_runs();
    let theirs = Timestamp::now().plus_millis(-3_600_000);
    fake.instead(
        "/info",
        Answer::Json(json!({"Name": "boxy", "SystemTime": theirs.to_string()})),
    );
    let mut docker = open(&fake.url());
    docker.since_nanos = unix_nanos(Timestamp::now());
    poll(&mut docker).await;
    listen(&mut docker).await;
    let asked = fake.requests();
    let since: i64 = asked
        .iter()
        .find_map(|line| line.split("since=").nth(1)?.split('.').next()?.parse().ok())
        .unwrap();
    assert!((since - theirs.as_millis() / 1000).abs() <= 2, "{since}");
}
