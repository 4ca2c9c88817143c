//! A broker that goes away for a while.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use event_log::{AppendError, Delivery, EventLog, Fleet, Outcome, Urgency};
use test_servers::KafkaOptions;
use tokio::task::JoinSet;

use super::kit::{
    append, draft, encoded, identified, open, options, produce, read_all, topic, value,
};

/// Nothing that was acknowledged is lost or there twice, appends that waited are answered afterwards, and members go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_wait_for_a_broker_that_comes_back() {
    let mut server = test_servers::Kafka::start(&KafkaOptions::default()).unwrap();
    let options = options(server.brokers(), 3);
    let log = Arc::new(open(&options).await);
    let mut member = log.join("ingest").await.unwrap();
    let mut tasks = JoinSet::new();
    for task in 0..4_i64 {
        let log = Arc::clone(&log);
        tasks.spawn(async move {
            let mut acknowledged = Vec::new();
            let source = format!("source{task}");
            for n in 0..120_i64 {
                let wanted: Vec<i64> = (n * 10..n * 10 + 10).collect();
                let drafts = wanted.iter().map(|v| draft(&source, *v)).collect();
                match log.append(drafts, Urgency::Soon).await {
                    Ok(appended) => {
                        assert!(
                            appended
                                .receipts
                                .iter()
                                .all(|r| r.outcome == Outcome::Appended)
                        );
                        acknowledged.extend(wanted);
                    }
                    Err(AppendError::Busy) => {}
                    Err(e) => panic!("{e}"),
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            (source, acknowledged)
        });
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    server.kill(0).unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let waited = tokio::task::spawn_blocking(move || {
        server.restart(0).unwrap();
        server
    });
    let mut seen = Vec::new();
    let mut acknowledged = Vec::new();
    while let Some(done) = tasks.try_join_next().map_or_else(
        || (!tasks.is_empty()).then_some(None),
        |done| Some(Some(done.unwrap())),
    ) {
        acknowledged.extend(done);
        take(&mut *member, &mut seen).await;
    }
    let _server = waited.await.unwrap();
    let records = read_all(&log).await;
    let total: usize = acknowledged.iter().map(|(_, values)| values.len()).sum();
    assert!(total > 1000, "only {total} were taken");
    for (source, wanted) in &acknowledged {
        let of = records
            .iter()
            .filter(|r| r.event().unwrap().source.as_str() == source);
        let found: Vec<i64> = of.map(value).collect();
        let kept: Vec<i64> = found
            .iter()
            .copied()
            .filter(|v| wanted.contains(v))
            .collect();
        assert_eq!(&kept, wanted, "each once and in order");
    }
    let end = Instant::now() + Duration::from_secs(30);
    while seen.len() < records.len() {
        assert!(
            Instant::now() < end,
            "{} of {} came",
            seen.len(),
            records.len()
        );
        take(&mut *member, &mut seen).await;
    }
    seen.sort_unstable();
    seen.dedup();
    let mut all: Vec<_> = records.iter().map(|r| (r.partition, r.offset)).collect();
    all.sort_unstable();
    assert_eq!(seen, all);
    member.leave().await.unwrap();
    log.close().await.unwrap();
}

async fn take(member: &mut dyn event_log::Member, seen: &mut Vec<(usize, u64)>) {
    if let Delivery::Records {
        partition,
        records,
        next,
        ..
    } = member.next().await.unwrap()
    {
        seen.extend(records.iter().map(|r| (r.partition, r.offset)));
        member.done(partition, next);
    }
}

fn copy(from: &Path, to: &Path) {
    let done = std::process::Command::new("cp")
        .arg("-aT")
        .args([from, to])
        .status();
    assert!(done.unwrap().success());
}

/// Gives a broker that does not run the data of another moment.
fn replace(data: &Path, with: &Path) {
    std::fs::remove_dir_all(data).unwrap();
    copy(with, data);
}

/// The machine of a single broker loses what it had not written to its disk: here it comes back with the data of an earlier moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_power_cut_took_is_noticed_and_taken_when_it_comes_again() {
    let mut server = test_servers::Kafka::start(&KafkaOptions::default()).unwrap();
    let options = options(server.brokers(), 1);
    let agent = {
        let mut options = options.clone();
        options.follow = false;
        open(&options).await
    };
    let log = open(&options).await;
    let drafts = |seqs: std::ops::RangeInclusive<u64>| -> Vec<_> {
        seqs.map(|seq| identified("nas1", "e1", seq)).collect()
    };
    append(&agent, drafts(1..=50)).await;
    assert_eq!(read_all(&log).await.len(), 50);
    server.kill(0).unwrap();
    let kept = tempfile::tempdir().unwrap();
    copy(&server.data(0), kept.path());
    server.restart(0).unwrap();
    append(&agent, drafts(51..=100)).await;
    assert_eq!(read_all(&log).await.len(), 100);
    server.kill(0).unwrap();
    replace(&server.data(0), kept.path());
    server.restart(0).unwrap();

    for handle in [&agent, &log] {
        let state = handle.sequences().await.unwrap().remove(0);
        assert_eq!(
            (state.last_seq, state.holes.len()),
            (50, 0),
            "it is known what is gone"
        );
    }
    let again = append(&agent, drafts(41..=100)).await;
    let new = again.iter().filter(|o| **o == Outcome::Appended).count();
    assert_eq!(new, 50);
    let values: Vec<i64> = read_all(&log).await.iter().map(value).collect();
    assert_eq!(values, (1..=100).collect::<Vec<_>>());
    assert_eq!(
        append(&log, drafts(100..=101)).await,
        [Outcome::Duplicate, Outcome::Appended]
    );
    agent.close().await.unwrap();
    log.close().await.unwrap();
}

#[tokio::test]
async fn closing_without_a_broker_ends_and_says_that_not_all_is_durable() {
    let mut server = test_servers::Kafka::start(&KafkaOptions::default()).unwrap();
    let options = options(server.brokers(), 1);
    let log = Arc::new(open(&options).await);
    log.append(vec![draft("nas1", 0)], Urgency::Soon)
        .await
        .unwrap();
    server.kill(0).unwrap();
    let waiting = {
        let log = Arc::clone(&log);
        let append = async move { log.append(vec![draft("nas1", 1)], Urgency::Soon).await };
        async {
            tokio::time::timeout(Duration::from_secs(40), append)
                .await
                .expect("it is answered")
        }
    };
    let closing = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        tokio::time::timeout(Duration::from_secs(25), log.close()).await
    };
    let (appended, closed) = tokio::join!(waiting, closing);
    assert!(matches!(appended, Err(AppendError::Closed)), "{appended:?}");
    assert!(closed.expect("it ends").is_err());
}

fn drafts(seqs: std::ops::RangeInclusive<u64>) -> Vec<schemas::Draft> {
    seqs.map(|seq| identified("nas1", "e1", seq)).collect()
}

/// A single broker whose log a power cut can take back to the first 50 events, and that has grown to 170 when it is up again.
struct Cut {
    server: test_servers::Kafka,
    options: event_log::kafka::Options,
    /// The data after the cut.
    later: tempfile::TempDir,
}

impl Cut {
    /// The broker holds the first 50 events.
    async fn prepare() -> Self {
        let mut server = test_servers::Kafka::start(&KafkaOptions::default()).unwrap();
        let mut options = options(server.brokers(), 1);
        // what the member does about it, not what its group does
        options.session = Duration::from_mins(5);
        let first = open(&options).await;
        append(&first, drafts(1..=50)).await;
        first.close().await.unwrap();
        server.kill(0).unwrap();
        let (now, later) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        copy(&server.data(0), now.path());
        // what it will hold afterwards: each start is another term of its leader, as after a real cut
        for _ in 0..2 {
            server.restart(0).unwrap();
            server.kill(0).unwrap();
        }
        server.restart(0).unwrap();
        let others: Vec<Vec<u8>> = (1..=120).map(|seq| encoded("pi", "e2", seq)).collect();
        let others: Vec<(&str, &[u8])> = others.iter().map(|o| ("pi", o.as_slice())).collect();
        produce(&options, &others);
        server.kill(0).unwrap();
        copy(&server.data(0), later.path());
        replace(&server.data(0), now.path());
        server.restart(0).unwrap();
        Self {
            server,
            options,
            later,
        }
    }

    fn strike(&mut self) {
        self.server.kill(0).unwrap();
        let partition = format!("{}-0", topic(&self.options));
        replace(
            &self.server.data(0).join(&partition),
            &self.later.path().join(&partition),
        );
        for _ in 0..3 {
            self.server.restart(0).unwrap();
            self.server.kill(0).unwrap();
        }
        self.server.restart(0).unwrap();
    }
}

/// As above, but before anybody looks the log has grown past the end that it had: only the records themselves tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_power_cut_took_is_noticed_though_the_log_is_longer_again() {
    let mut cut = Cut::prepare().await;
    let log = open(&cut.options).await;
    append(&log, drafts(51..=100)).await;
    let mut member = log.join("ingest").await.unwrap();
    let mut seen = Vec::new();
    let end = Instant::now() + Duration::from_secs(30);
    while seen.len() < 100 {
        assert!(Instant::now() < end, "{} came", seen.len());
        take(&mut *member, &mut seen).await;
    }
    cut.strike();
    let (mut gap, mut came) = (None, 0);
    let end = Instant::now() + Duration::from_mins(1);
    while came < 170 {
        assert!(Instant::now() < end, "lost {gap:?}, {came} came");
        match member.next().await.unwrap() {
            Delivery::Lost { from, to, .. } => gap = Some((from, to)),
            Delivery::Records { records, .. } => came += records.len(),
            Delivery::Idle => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(gap, Some((100, 0)));
    let again = append(&log, drafts(41..=100)).await;
    let new = again.iter().filter(|o| **o == Outcome::Appended).count();
    assert_eq!(new, 50, "what was cut is taken when it comes again");
    assert_eq!(read_all(&log).await.len(), 220);
    member.leave().await.unwrap();
    log.close().await.unwrap();
}

/// Whoever sends again is the first that asks: what was cut is no duplicate, neither where the log is followed nor where it is
/// only written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_power_cut_took_is_no_duplicate_though_nobody_has_noticed() {
    let mut cut = Cut::prepare().await;
    let mut options = cut.options.clone();
    options.follow = false;
    let agent = open(&options).await;
    let log = open(&cut.options).await;
    let of = |source: &'static str| (51..=75).map(move |seq| identified(source, "e1", seq));
    let handles = [(&agent, "nas1"), (&log, "nas2")];
    for (handle, source) in handles {
        append(handle, of(source).collect()).await;
        let known = append(handle, of(source).skip(20).collect()).await;
        assert_eq!(known, vec![Outcome::Duplicate; 5]);
    }
    cut.strike();
    for (handle, source) in handles {
        let again = append(handle, of(source).collect()).await;
        assert_eq!(again, vec![Outcome::Appended; 25], "of {source}");
    }
    assert_eq!(read_all(&log).await.len(), 220);
    agent.close().await.unwrap();
    log.close().await.unwrap();
}
