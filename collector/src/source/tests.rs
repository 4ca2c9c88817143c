mod bench;

use std::sync::atomic::Ordering;

use schemas::{Event, FieldValue, SourceName};

use super::*;
use crate::{Configured, Supplier};
use bench::*;

#[tokio::test(start_paused = true)]
async fn the_first_good_poll_is_told_at_once() {
    let bench = start(&[]);
    bench.run(Duration::from_millis(600)).await;
    assert_eq!(bench.told().await, [words("up", "", true)]);
    let samples = bench.of_type(EventType::Sample).await;
    assert_eq!(samples.len(), 1);
    assert_eq!(samples[0].kind.as_str(), "scripted");
    assert_eq!(
        samples[0]
            .agent
            .as_ref()
            .map(schemas::name::AgentName::as_str),
        Some("agent")
    );
    let source = &bench.of_type(EventType::Source).await[0];
    assert_eq!(source.key().to_string(), "a.scripted/source/a.scripted");
    assert_eq!(
        source.entity.labels.get("kind").map(|k| &**k),
        Some("scripted")
    );
    assert_eq!(source.fields.get("polls_total"), Some(&FieldValue::I64(1)));
    assert_eq!(
        source.fields.get("interval_seconds"),
        Some(&FieldValue::F64(5.0))
    );
}

#[tokio::test(start_paused = true)]
async fn polls_keep_their_interval_and_a_heartbeat_comes_each_minute() {
    let bench = start(&[]);
    bench.run(Duration::from_secs(301)).await;
    let polls = bench.script.polls.lock().unwrap().clone();
    assert!((59..=62).contains(&polls.len()), "{}", polls.len());
    for pair in polls.windows(2).skip(1) {
        assert_eq!((pair[1] - pair[0]).as_millis() / 10, 500);
    }
    let told = bench.told().await;
    assert!((5..=7).contains(&told.len()), "{told:?}");
    let last = bench.of_type(EventType::Source).await.pop().unwrap();
    let polls = last
        .fields
        .get("polls_total")
        .and_then(FieldValue::as_f64)
        .unwrap();
    assert!(polls > 40.0, "{polls}");
    assert!(bench.metric("homelog_collector_polls_total").unwrap() > 50.0);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_is_told_once_backed_off_and_told_again_when_it_is_back() {
    let bench = start(&[
        Step::Good,
        Step::Fail(FailureClass::Unreachable),
        Step::Fail(FailureClass::Unreachable),
        Step::Fail(FailureClass::Unreachable),
        Step::Fail(FailureClass::BadAnswer),
    ]);
    bench.run(Duration::from_secs(30)).await;
    assert_eq!(
        bench.told().await,
        [
            words("up", "", true),
            words("down", "unreachable", false),
            words("down", "bad_answer", false),
            words("up", "", true),
        ]
    );
    let polls = bench.script.polls.lock().unwrap().clone();
    let waits: Vec<_> = polls
        .windows(2)
        .map(|p| (p[1] - p[0]).as_secs_f64())
        .collect();
    assert!(waits[1] <= 1.0, "the first retry is fast: {waits:?}");
    assert!(
        waits[2] > waits[1] && waits[3] > waits[2] && waits[3] <= 4.0,
        "{waits:?}"
    );
    let down = &bench.of_type(EventType::Source).await[1];
    assert_eq!(text(down, "reason"), "as the test says");
    assert_eq!(text(down, "fix"), FailureClass::Unreachable.fix());
    assert_eq!(text(&bench.of_type(EventType::Source).await[3], "fix"), "");
    assert_eq!(
        bench.metric(
            "homelog_collector_poll_failures_total{source=\"a.scripted\",class=\"unreachable\"}"
        ),
        Some(3.0)
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_found_to_be_down_is_told_at_once_while_the_source_is_up() {
    let bench = start(&[
        Step::Good,
        Step::Found(1, "timeout"),
        Step::Found(1, "timeout"),
        Step::Found(5, "timeout"),
        Step::Found(5, "tls"),
        Step::Good,
    ]);
    bench.run(Duration::from_secs(29)).await;
    assert!(
        bench
            .told()
            .await
            .iter()
            .all(|told| *told == words("up", "", true))
    );
    let found: Vec<_> = bench
        .of_type(EventType::Source)
        .await
        .iter()
        .map(|event| text(event, "finding"))
        .collect();
    let of = |n: usize| format!("site {n}: it does not answer");
    let five = format!("{}; {}; {}; and 2 more", of(0), of(1), of(2));
    assert_eq!(
        found,
        ["", &of(0), &five, &five, ""],
        "the same finding is told once, another class of it again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_found_nothing() {
    let bench = start(&[
        Step::Found(1, "timeout"),
        Step::Fail(FailureClass::BadCredentials),
    ]);
    bench.run(Duration::from_secs(10)).await;
    let told = bench.of_type(EventType::Source).await;
    assert_eq!(told.len(), 2);
    assert_eq!(text(&told[1], "finding"), "");
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_not_tried_again_soon() {
    let bench = start(&[Step::Fail(FailureClass::BadCredentials)]);
    bench.run(Duration::from_mins(14)).await;
    assert_eq!(bench.script.polls.lock().unwrap().len(), 1);
    assert!(
        bench.told().await.len() > 10,
        "it is told each minute that it is down"
    );
    bench.run(Duration::from_mins(2)).await;
    assert!(bench.script.polls.lock().unwrap().len() > 1);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_hangs_is_cut_and_never_doubled() {
    let bench = start(&[Step::Hang, Step::Hang]);
    bench.run(Duration::from_mins(1)).await;
    let told = bench.told().await;
    assert_eq!(told[0], words("down", "timeout", false));
    assert_eq!(told[1], words("up", "", true));
    let down = &bench.of_type(EventType::Source).await[0];
    assert_eq!(
        down.fields.get("poll_seconds"),
        Some(&FieldValue::F64(10.0))
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_down_and_the_integration_is_opened_anew() {
    let bench = start(&[Step::Good, Step::Panic]);
    bench.run(Duration::from_secs(20)).await;
    assert_eq!(
        bench.told().await,
        [
            words("up", "", true),
            words("down", "other", false),
            words("up", "", true)
        ]
    );
    let down = &bench.of_type(EventType::Source).await[1];
    assert!(text(down, "reason").contains("the test panics"), "{down:?}");
    assert_eq!(bench.script.opened.load(Ordering::SeqCst), 2);
    assert_eq!(
        bench.supervisor.running(),
        2,
        "its task lives on, and the scheduler's"
    );
}

/// Our own stall must not look like an outage of the service: the clock jumps while nothing could run.
#[tokio::test(start_paused = true)]
async fn being_late_is_a_stall_and_never_down() {
    let bench = start(&[
        Step::Good,
        Step::Good,
        Step::Fail(FailureClass::Unreachable),
    ]);
    bench.run(Duration::from_secs(6)).await;
    tokio::time::advance(Duration::from_secs(90)).await;
    bench.run(Duration::from_secs(8)).await;
    let told = bench.told().await;
    assert!(told.iter().all(|(state, ..)| state != "down"), "{told:?}");
    assert!(told.contains(&words("stalled", "", true)), "{told:?}");
    assert_eq!(told.last(), Some(&words("up", "", true)));
    let stalled = bench.of_type(EventType::Source).await;
    let seconds = stalled
        .iter()
        .find_map(|event| event.fields.get("stalled_seconds"))
        .and_then(FieldValue::as_f64)
        .unwrap();
    assert!(seconds > 80.0, "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn what_a_full_log_refuses_waits_and_comes_in_order() {
    let bench = start(&[Step::Many(3), Step::Many(5), Step::Many(7)]);
    bench.log.full.store(true, Ordering::Relaxed);
    bench.run(Duration::from_secs(13)).await;
    assert!(bench.log.events().await.is_empty());
    assert!(bench.metric("homelog_collector_backlog_events").unwrap() > 10.0);
    bench.log.full.store(false, Ordering::Relaxed);
    bench.run(Duration::from_secs(15)).await;
    let numbers: Vec<_> = bench
        .of_type(EventType::Sample)
        .await
        .iter()
        .map(|event| {
            event
                .fields
                .get("number")
                .and_then(FieldValue::as_f64)
                .unwrap()
        })
        .collect();
    let expected: Vec<_> = (0..3).chain(0..5).chain(0..7).map(f64::from).collect();
    assert_eq!(numbers[..15], expected);
    assert_eq!(bench.metric("homelog_collector_dropped_events_total"), None);
}

#[tokio::test(start_paused = true)]
async fn a_backlog_is_bounded_and_what_it_drops_is_declared() {
    let bench = start(&[Step::Many(1500), Step::Many(1500)]);
    bench.log.full.store(true, Ordering::Relaxed);
    bench.run(Duration::from_secs(10)).await;
    bench.script.speaks.notify_one();
    bench.run(Duration::from_secs(1)).await;
    bench.log.full.store(false, Ordering::Relaxed);
    bench.run(Duration::from_mins(2)).await;
    let dropped = bench
        .metric("homelog_collector_dropped_events_total")
        .unwrap();
    assert!(dropped >= 1000.0, "{dropped}");
    let last = bench.of_type(EventType::Source).await.pop().unwrap();
    let declared = last
        .fields
        .get("dropped_total")
        .and_then(FieldValue::as_f64)
        .unwrap();
    assert!(
        (declared - dropped).abs() < f64::EPSILON,
        "{declared} and {dropped}"
    );
    assert_eq!(
        bench.of_type(EventType::Change).await.len(),
        1,
        "a change is not dropped for samples"
    );
    assert!(
        bench
            .log
            .sizes
            .lock()
            .unwrap()
            .iter()
            .all(|size| *size <= 1000)
    );
}

/// Samples wait up to two seconds to be grouped; a change must not wait behind them.
#[tokio::test(start_paused = true)]
async fn a_change_does_not_wait_for_samples() {
    let bench = start(&[]);
    bench.log.grouped_ms.store(2000, Ordering::Relaxed);
    bench.run(Duration::from_secs(7)).await;
    let polls = bench.script.polls.lock().unwrap().len();
    while bench.script.polls.lock().unwrap().len() == polls {
        bench.run(Duration::from_millis(10)).await;
    }
    bench.run(Duration::from_millis(50)).await;
    bench.script.speaks.notify_one();
    bench.run(Duration::from_millis(60)).await;
    assert_eq!(bench.of_type(EventType::Change).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_service_says_can_ask_for_an_early_poll() {
    let bench = start(&[]);
    bench.run(Duration::from_secs(12)).await;
    bench.script.poll_now.store(true, Ordering::SeqCst);
    let mut polls = bench.script.polls.lock().unwrap().len();
    while bench.script.polls.lock().unwrap().len() == polls {
        bench.run(Duration::from_millis(10)).await;
    }
    polls += 1;
    for _ in 0..10 {
        bench.script.speaks.notify_one();
        bench.run(Duration::from_millis(150)).await;
    }
    let after = bench.script.polls.lock().unwrap().len();
    assert!(
        (1..=2).contains(&(after - polls)),
        "early polls are a second apart: {}",
        after - polls
    );
}

/// A new container was on the screen seconds after it was there: its first readings waited for a group of others.
#[tokio::test(start_paused = true)]
async fn what_an_early_poll_reads_does_not_wait_for_a_group() {
    let bench = start(&[]);
    bench.log.grouped_ms.store(1900, Ordering::Relaxed);
    bench.run(Duration::from_secs(12)).await;
    let polls = bench.script.polls.lock().unwrap().len();
    while bench.script.polls.lock().unwrap().len() == polls {
        bench.run(Duration::from_millis(10)).await;
    }
    bench.run(Duration::from_millis(1950)).await;
    let samples = bench.of_type(EventType::Sample).await.len();
    bench.script.poll_now.store(true, Ordering::SeqCst);
    bench.script.speaks.notify_one();
    bench.run(Duration::from_millis(200)).await;
    assert_eq!(bench.of_type(EventType::Sample).await.len(), samples + 1);
}

fn scripted(script: &Arc<Script>, interval: Duration) -> SourceConfig {
    SourceConfig {
        name: SourceName::new("a.scripted").unwrap(),
        interval,
        timeout: FIVE,
        integration: Configured::of::<Scripted>(Params {
            script: Arc::clone(script),
        }),
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_removed_says_so_and_can_come_back() {
    let bench = start(&[]);
    bench.log.grouped_ms.store(1500, Ordering::Relaxed);
    bench.run(Duration::from_secs(1)).await;
    assert!(bench.metric("homelog_collector_polls_total").is_some());
    bench.sources.apply(Supplier::Config, Vec::new());
    bench.run(Duration::from_secs(3)).await;
    assert_eq!(
        bench.of_type(EventType::Sample).await.len(),
        1,
        "its last sample is in the log"
    );
    assert_eq!(
        bench.told().await.last(),
        Some(&words("removed", "", false)),
        "it is gone, and not down"
    );
    assert_eq!(bench.metric("homelog_collector_polls_total"), None);
    let polls = bench.script.polls.lock().unwrap().len();
    bench.run(Duration::from_secs(20)).await;
    assert_eq!(bench.script.polls.lock().unwrap().len(), polls);
    let again = scripted(&bench.script, FIVE);
    bench.sources.apply(Supplier::Config, vec![again]);
    bench.run(Duration::from_secs(1)).await;
    assert_eq!(bench.script.polls.lock().unwrap().len(), polls + 1);
    assert_eq!(bench.told().await.last(), Some(&words("up", "", true)));
}

#[tokio::test(start_paused = true)]
async fn only_a_source_that_changed_starts_again() {
    let bench = start(&[]);
    bench.run(Duration::from_secs(1)).await;
    let opened = || bench.script.opened.load(Ordering::SeqCst);
    let changed = scripted(&bench.script, FIVE * 2);
    bench.sources.apply(Supplier::Config, vec![changed.clone()]);
    bench.run(Duration::from_secs(1)).await;
    assert_eq!(opened(), 2);
    bench.sources.apply(Supplier::Config, vec![changed]);
    bench.run(Duration::from_secs(30)).await;
    assert_eq!(opened(), 2, "the same again changes nothing");
    let told = bench.told().await;
    assert!(told.iter().all(|(state, ..)| state == "up"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_service_is_polled_less_often_and_its_cost_is_told() {
    let bench = start(&[Step::Slow(Duration::from_secs(4)); 6]);
    bench.run(Duration::from_secs(50)).await;
    let told = bench.of_type(EventType::Source).await;
    let number = |event: &Event, field: &str| -> Option<f64> {
        event.fields.get(field).and_then(FieldValue::as_f64)
    };
    let stretched = told
        .iter()
        .find(|event| number(event, "interval_seconds") == Some(10.0))
        .expect("it is told at once");
    assert_eq!(number(stretched, "configured_interval_seconds"), Some(5.0));
    assert_eq!(text(stretched, "state"), "up");
    assert_eq!(number(stretched, "requests_total"), Some(3.0));
    assert_eq!(number(stretched, "busy_seconds_total"), Some(12.0));
    assert_eq!(
        bench.metric("homelog_collector_interval_seconds"),
        Some(10.0)
    );
    assert!(
        bench
            .metric("homelog_collector_busy_seconds_total")
            .unwrap()
            >= 16.0
    );
    let gaps: Vec<_> = {
        let polls = bench.script.polls.lock().unwrap();
        polls
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).as_secs())
            .collect()
    };
    assert_eq!(gaps.last(), Some(&10), "{gaps:?}");
    bench.run(Duration::from_mins(3)).await;
    assert_eq!(
        bench.metric("homelog_collector_interval_seconds"),
        Some(5.0),
        "it is quick again"
    );
    let told = bench.of_type(EventType::Source).await;
    let busy: Vec<_> = told
        .iter()
        .filter_map(|e| number(e, "busy_ratio"))
        .collect();
    assert!(
        busy.iter().any(|share| (0.2..0.9).contains(share)),
        "{busy:?}"
    );
    assert!(busy.last().is_some_and(|share| *share < 0.1), "{busy:?}");
}

#[tokio::test(start_paused = true)]
async fn all_stops_within_its_grace() {
    let bench = start(&[Step::Good, Step::Hang]);
    bench.run(Duration::from_secs(7)).await;
    let drained = bench.supervisor.drain(Duration::from_secs(3)).await;
    assert_eq!(drained.cut, []);
}
