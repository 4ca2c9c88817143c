//! A topic that is made anew, or trimmed, under those who use it.

use std::time::{Duration, Instant};

use event_log::{Delivery, EventLog, Fleet, Outcome, ReadError};
use schemas::Position;

use super::kit::{
    append, brokers, delete, delete_topic, draft, everything, identified, make_topic, open,
    options, read_all, values,
};

#[tokio::test]
async fn a_topic_that_is_made_anew_is_noticed_and_takes_what_comes_again() {
    let options = options(brokers(), 1);
    let log = open(&options).await;
    let drafts = |seqs: std::ops::RangeInclusive<u64>| {
        seqs.map(|seq| identified("nas1", "e1", seq))
            .collect::<Vec<_>>()
    };
    append(&log, drafts(1..=100)).await;
    append(&log, vec![draft("pi", 1)]).await;
    let mut member = log.join("ingest").await.unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    let mut next = 0;
    while next < 101 {
        assert!(Instant::now() < end, "it did not come");
        if let Delivery::Records { next: seen, .. } = member.next().await.unwrap() {
            next = seen;
            member.done(0, next);
        }
    }
    let before = log.newest().borrow().clone();

    delete_topic(&options).await;
    for attempt in 0.. {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let made = tokio::time::timeout(Duration::from_secs(20), async {
            make_topic(&options, &[("message.timestamp.type", "LogAppendTime")]).await;
        });
        if made.await.is_ok() {
            break;
        }
        assert!(attempt < 20);
    }
    // whoever tails is told: what was newest is not there any more
    let mut newest = log.newest();
    let back = newest.wait_for(|newest| newest.offset(0) < before.offset(0));
    tokio::time::timeout(Duration::from_mins(1), back)
        .await
        .expect("it is noticed")
        .unwrap();
    assert!(matches!(
        log.read(&before, &everything(10)).await,
        Err(ReadError::PositionGone { .. })
    ));
    // what an agent still holds it sends again
    let again = append(&log, drafts(51..=100)).await;
    assert!(again.iter().all(|o| *o == Outcome::Appended), "{again:?}");
    assert_eq!(
        values(&read_all(&log).await),
        (51..=100).collect::<Vec<_>>()
    );
    let own = append(&log, vec![draft("pi", 2)]).await;
    assert_eq!(own, [Outcome::Appended]);
    let records = read_all(&log).await;
    let last = records.last().unwrap().event().unwrap().clone();
    assert_eq!(
        (last.source.as_str(), last.seq),
        ("pi", 2),
        "no seq is used twice"
    );

    let end = Instant::now() + Duration::from_mins(1);
    let (mut gap, mut came) = (None, 0);
    while came < records.len() {
        assert!(Instant::now() < end, "lost {gap:?}, {came} came");
        match member.next().await.unwrap() {
            Delivery::Lost { from, to, .. } => gap = Some((from, to)),
            Delivery::Records { records, .. } => came += records.len(),
            _ => {}
        }
    }
    assert_eq!(gap, Some((101, 0)));
    member.leave().await.unwrap();
    log.close().await.unwrap();
}

#[tokio::test]
async fn what_was_trimmed_under_a_member_is_told() {
    let options = options(brokers(), 1);
    let log = open(&options).await;
    let mut member = log.join("ingest").await.unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while !matches!(member.next().await.unwrap(), Delivery::Assigned { .. }) {
        assert!(Instant::now() < end, "nothing was assigned");
    }
    drop(member.next().await.unwrap());
    member.pause(0);
    drop(member.next().await.unwrap());
    append(&log, (0..50).map(|n| draft("nas1", n)).collect()).await;
    delete(&options, 0, 40).await;
    member.resume(0);
    let mut lost = None;
    let mut seen = Vec::new();
    while seen.last() != Some(&49) {
        assert!(
            Instant::now() < end + Duration::from_secs(30),
            "lost {lost:?}, {seen:?} came"
        );
        match member.next().await.unwrap() {
            Delivery::Lost { from, to, .. } => lost = Some((from, to)),
            Delivery::Records { records, .. } => seen.extend(values(&records)),
            _ => {}
        }
    }
    assert_eq!(lost, Some((0, 40)));
    assert_eq!(seen, (40..50).collect::<Vec<_>>());
    // a tail that reads on from a place that went is told too
    match log.read(&Position::start(1), &everything(10)).await {
        Ok(batch) => assert_eq!(values(&batch.records).len(), 10, "from memory"),
        Err(ReadError::PositionGone { oldest, .. }) => assert_eq!(oldest.offset(0), 40),
        Err(e) => panic!("{e}"),
    }
    member.leave().await.unwrap();
    log.close().await.unwrap();
}

/// The client remembers a pause when its partition is taken away.
#[tokio::test]
async fn a_partition_that_was_paused_and_taken_is_read_when_it_comes_back() {
    let mut options = options(brokers(), 1);
    options.patience = Duration::from_secs(2);
    let log = open(&options).await;
    let mut member = log.join("ingest").await.unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while !matches!(member.next().await.unwrap(), Delivery::Assigned { .. }) {
        assert!(Instant::now() < end, "nothing was assigned");
    }
    drop(member.next().await.unwrap());
    member.pause(0);
    drop(member.next().await.unwrap());
    append(&log, (0..50).map(|n| draft("nas1", n)).collect()).await;
    // longer than a worker may be silent
    tokio::time::sleep(options.session + Duration::from_secs(4)).await;
    let (mut taken, mut came) = (false, Vec::new());
    let end = Instant::now() + Duration::from_secs(40);
    while came.last() != Some(&49) {
        assert!(Instant::now() < end, "taken: {taken}, {came:?} came");
        match member.next().await.unwrap() {
            Delivery::Taken { .. } => taken = true,
            Delivery::Records { records, .. } => came.extend(values(&records)),
            _ => {}
        }
    }
    assert!(taken, "it was away for too long");
    assert_eq!(came, (0..50).collect::<Vec<_>>());
    member.leave().await.unwrap();
    log.close().await.unwrap();
}
