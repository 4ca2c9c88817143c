//! What stands in the log more than once, or cannot be read.

use std::time::{Duration, Instant};

use event_log::{Body, Delivery, EventLog, Fleet, Kafka, Outcome, Record, kafka::Options};
use schemas::Position;

use super::kit::{
    append, brokers, encoded, everything, identified, open, options, produce, read_all, value,
    values,
};

const SEQS: [u64; 12] = [1, 2, 2, 3, 1, 5, 4, 5, 4, 6, 3, 7];
const ONCE: [i64; 7] = [1, 2, 3, 5, 4, 6, 7];

fn put_twice(options: &Options, seqs: &[u64]) {
    let records: Vec<Vec<u8>> = seqs.iter().map(|seq| encoded("nas1", "e1", *seq)).collect();
    let records: Vec<(&str, &[u8])> = records.iter().map(|r| ("nas1", &r[..])).collect();
    produce(options, &records);
}

/// Everything that a new member of a group gets.
async fn delivered(log: &Kafka, group: &str, count: usize) -> Vec<Record> {
    let mut member = log.join(group).await.unwrap();
    let mut records = Vec::new();
    let end = Instant::now() + Duration::from_secs(30);
    let mut quiet = false;
    while !quiet {
        assert!(Instant::now() < end, "only {} came", records.len());
        match member.next().await.unwrap() {
            Delivery::Records { records: new, .. } => records.extend(new),
            Delivery::Idle => quiet = records.len() >= count,
            _ => {}
        }
    }
    member.leave().await.unwrap();
    records
}

#[tokio::test]
async fn what_stands_there_again_is_dropped_by_reads_tails_and_members() {
    let options = options(brokers(), 1);
    let log = open(&options).await;
    let mut newest = log.newest();
    put_twice(&options, &SEQS);
    let end = Position::from_offsets(vec![SEQS.len() as u64]);
    tokio::time::timeout(
        Duration::from_secs(10),
        newest.wait_for(|newest| newest.reaches(&end)),
    )
    .await
    .expect("a tail is woken by what others append")
    .unwrap();
    assert_eq!(values(&read_all(&log).await), ONCE);
    assert_eq!(values(&delivered(&log, "early", ONCE.len()).await), ONCE);
    assert_eq!(
        append(
            &log,
            vec![identified("nas1", "e1", 4), identified("nas1", "e1", 8)]
        )
        .await,
        [Outcome::Duplicate, Outcome::Appended]
    );
    log.close().await.unwrap();

    // now from where it is kept, from any place
    let log = open(&options).await;
    let all = read_all(&log).await;
    assert_eq!(values(&all[..ONCE.len()]), ONCE);
    for from in 0..=SEQS.len() as u64 {
        let batch = log
            .read(&Position::from_offsets(vec![from]), &everything(100))
            .await
            .unwrap();
        let wanted: Vec<i64> = all.iter().filter(|r| r.offset >= from).map(value).collect();
        assert_eq!(values(&batch.records), wanted, "from {from}");
        assert!(batch.at_end);
    }
    assert_eq!(delivered(&log, "late", all.len()).await, all);
    let state = log.sequences().await.unwrap().remove(0);
    assert_eq!((state.last_seq, state.holes.len()), (8, 0));
    log.close().await.unwrap();
}

#[tokio::test]
async fn what_was_trimmed_is_known_when_it_comes_again() {
    let options = options(brokers(), 1);
    let log = open(&options).await;
    put_twice(&options, &[1, 2, 3]);
    let gone = log
        .trim(&event_log::Retention {
            before: Some(schemas::Timestamp::now().plus_millis(60_000)),
            max_bytes: None,
        })
        .await
        .unwrap();
    assert_eq!(gone, 3);
    put_twice(&options, &[2, 4]);
    assert_eq!(values(&read_all(&log).await), [4]);
    log.close().await.unwrap();
    let log = open(&options).await;
    assert_eq!(values(&read_all(&log).await), [4]);
    assert_eq!(values(&delivered(&log, "ingest", 1).await), [4]);
    assert_eq!(
        append(&log, vec![identified("nas1", "e1", 3)]).await,
        [Outcome::Duplicate]
    );
    log.close().await.unwrap();
}

/// An agent's handle reads nothing all the time, but knows its sequences as soon as it is open.
#[tokio::test]
async fn a_handle_that_does_not_follow_knows_the_sequences() {
    let mut options = options(brokers(), 3);
    let log = open(&options).await;
    let drafts = (1..=50).map(|seq| identified("nas1", "e1", seq)).collect();
    append(&log, drafts).await;
    drop(log);
    options.follow = false;
    let agent = open(&options).await;
    let state = agent.sequences().await.unwrap().remove(0);
    assert_eq!((state.last_seq, state.holes.len()), (50, 0));
    let drafts = (45..=55).map(|seq| identified("nas1", "e1", seq)).collect();
    let outcomes = append(&agent, drafts).await;
    let new = outcomes.iter().filter(|o| **o == Outcome::Appended).count();
    assert_eq!(new, 5);
    put_twice(&options, &[56, 56]);
    assert_eq!(agent.sequences().await.unwrap()[0].last_seq, 56);
    assert_eq!(read_all(&agent).await.len(), 56);
    agent.close().await.unwrap();
}

#[tokio::test]
async fn members_get_what_this_release_cannot_read() {
    let options = options(brokers(), 1);
    let log = open(&options).await;
    produce(
        &options,
        &[("nas1", br#"{"schema":999,"x":1}"#), ("nas1", b"")],
    );
    let records = delivered(&log, "ingest", 2).await;
    assert_eq!(records.len(), 2);
    for record in records {
        assert!(matches!(record.body, Body::Unreadable { .. }));
    }
    log.close().await.unwrap();
}
