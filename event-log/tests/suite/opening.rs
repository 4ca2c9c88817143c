//! What the embedded log says of files that it cannot use, and of what happens to its file while it is open.

use std::{fs, path::Path, time::Duration};

use event_log::{
    AppendError, Embedded, EventLog, Urgency,
    embedded::{Metrics, OpenError, Options},
};

use super::kit::{append, draft, drafts, open, read_all, sqlite, values};

fn refused(directory: &Path) -> OpenError {
    match Embedded::open(directory, Options::default()) {
        Ok(_) => panic!("it was opened"),
        Err(e) => e,
    }
}

fn names_the_file(error: &OpenError, directory: &Path) {
    let text = error.to_string();
    let file = directory.join("log.db").display().to_string();
    assert!(text.contains(&file), "{text}");
}

#[test]
fn a_foreign_file_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("log.db");
    let text = "these are notes about my garden\n".repeat(100);
    fs::write(&file, &text).unwrap();
    let error = refused(directory.path());
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    names_the_file(&error, directory.path());
    assert_eq!(fs::read_to_string(&file).unwrap(), text);

    fs::remove_file(&file).unwrap();
    sqlite(directory.path())
        .execute_batch("CREATE TABLE recipes(name); INSERT INTO recipes VALUES ('soup')")
        .unwrap();
    let before = fs::read(&file).unwrap();
    let error = refused(directory.path());
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    assert_eq!(fs::read(&file).unwrap(), before);

    fs::remove_file(&file).unwrap();
    sqlite(directory.path())
        .execute_batch("PRAGMA application_id = 7")
        .unwrap();
    let error = refused(directory.path());
    assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
}

#[tokio::test]
async fn a_later_version_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).close().await.unwrap();
    sqlite(directory.path())
        .execute_batch("PRAGMA user_version = 9")
        .unwrap();
    for error in [
        refused(directory.path()),
        Embedded::open_read_only(directory.path()).err().unwrap(),
    ] {
        assert!(matches!(error, OpenError::Newer { found: 9, .. }));
        assert!(error.to_string().contains("update homelog"), "{error}");
        names_the_file(&error, directory.path());
    }
}

/// Version 1 had no checksums.
#[tokio::test]
async fn a_file_of_version_1_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    append(&log, 0..10).await;
    let newest = log.bounds().await.unwrap().newest;
    log.set_consumer_position("ingest", &newest).await.unwrap();
    log.close().await.unwrap();
    drop(log);
    sqlite(directory.path())
        .execute_batch(
            "ALTER TABLE sequences DROP COLUMN crc;
             ALTER TABLE consumers DROP COLUMN crc;
             ALTER TABLE meta DROP COLUMN sequences;
             ALTER TABLE meta DROP COLUMN consumers;
             PRAGMA user_version = 1;",
        )
        .unwrap();
    let error = Embedded::open_read_only(directory.path()).err().unwrap();
    assert!(
        error.to_string().contains("start homelog on it once"),
        "{error}"
    );
    let log = open(directory.path());
    append(&log, 10..20).await;
    assert_eq!(values(&read_all(&log).await), (0..20).collect::<Vec<_>>());
    assert_eq!(log.sequences().await.unwrap()[0].last_seq, 20);
    assert_eq!(log.consumer_position("ingest").await.unwrap(), Some(newest));
    log.close().await.unwrap();
    assert!(Embedded::open_read_only(directory.path()).is_ok());
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let absent = directory.path().join("absent");
    let error = refused(&absent);
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error:?}");
    names_the_file(&error, &absent);
    let error = Embedded::open_read_only(&absent).err().unwrap();
    assert!(matches!(error, OpenError::Missing { .. }), "{error:?}");
    names_the_file(&error, &absent);
}

#[test]
fn a_creation_that_was_cut_short_begins_again() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("log.db"), b"").unwrap();
    drop(open(directory.path()));
    fs::remove_file(directory.path().join("log.db")).unwrap();
    // the owner is written before the tables
    sqlite(directory.path())
        .execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA application_id = 1212968039")
        .unwrap();
    drop(open(directory.path()));
}

#[tokio::test]
async fn what_is_dropped_without_a_close_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    append(&log, 0..10).await;
    drop(log);
    let log = open(directory.path());
    assert_eq!(values(&read_all(&log).await), (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_second_writer_is_noticed_and_nothing_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    append(&log, 0..5).await;
    sqlite(directory.path())
        .execute("UPDATE meta SET next_offset = next_offset + 1", [])
        .unwrap();
    for _ in 0..2 {
        match log.append(vec![draft("nas1", 9)], Urgency::Soon).await {
            Err(e @ AppendError::Broken { .. }) => {
                assert!(!e.is_transient());
                assert!(e.to_string().contains("another process"), "{e}");
            }
            other => panic!("an append gave {other:?}"),
        }
    }
    assert!(log.broken().is_some());
    assert_eq!(
        read_all(&log).await.len(),
        5,
        "what is durable stays readable"
    );
    let Err(AppendError::Broken { .. }) = log.close().await else {
        panic!("a broken log closes as if it were whole");
    };
    drop(log);
    let log = open(directory.path());
    append(&log, 5..6).await;
    assert_eq!(values(&read_all(&log).await), (0..6).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_file_that_somebody_holds_is_busy_for_a_while() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    append(&log, 0..1).await;
    let other = sqlite(directory.path());
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    match log.append(vec![draft("nas1", 1)], Urgency::Soon).await {
        Err(e @ AppendError::Busy) => assert!(e.is_transient()),
        other => panic!("an append gave {other:?}"),
    }
    other.execute_batch("ROLLBACK").unwrap();
    append(&log, 1..2).await;
    let seqs: Vec<u64> = read_all(&log)
        .await
        .iter()
        .map(|record| record.event().unwrap().seq)
        .collect();
    assert_eq!(seqs, [1, 2], "what was not taken used up no seq");
}

#[tokio::test]
async fn it_counts_what_it_does() {
    let directory = tempfile::tempdir().unwrap();
    let mut registry = prometheus_client::registry::Registry::default();
    let options = Options {
        metrics: Metrics::register(&mut registry),
        ..Options::default()
    };
    let log = Embedded::open(directory.path(), options).unwrap();
    log.append(drafts("nas1", 0..7), Urgency::Soon)
        .await
        .unwrap();
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        "event_log_appended_events_total 7",
        "event_log_duplicate_events_total 0",
        "event_log_commits_total 1",
        "event_log_commit_seconds_count 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

/// With many that push at once, far fewer transactions than appends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_appends_share_a_commit() {
    let directory = tempfile::tempdir().unwrap();
    let mut registry = prometheus_client::registry::Registry::default();
    let options = Options {
        metrics: Metrics::register(&mut registry),
        ..Options::default()
    };
    let log = std::sync::Arc::new(Embedded::open(directory.path(), options).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..64 {
        let log = std::sync::Arc::clone(&log);
        tasks.spawn(async move {
            for n in 0..5 {
                log.append(vec![draft("nas1", task * 5 + n)], Urgency::Soon)
                    .await
                    .unwrap();
            }
        });
    }
    tasks.join_all().await;
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let commits: u64 = text
        .lines()
        .find_map(|line| line.strip_prefix("event_log_commits_total "))
        .unwrap()
        .parse()
        .unwrap();
    assert!(commits < 160, "{commits} commits for 320 appends");
    assert_eq!(read_all(&log).await.len(), 320);
}

/// An append for which somebody waits does not wait for the group of the readings.
#[tokio::test]
async fn who_waits_takes_the_others_along() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let begun = std::time::Instant::now();
    let (grouped, soon) = tokio::join!(
        log.append(vec![draft("nas1", 1)], Urgency::Grouped),
        log.append(vec![draft("nas1", 2)], Urgency::Soon),
    );
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(soon.unwrap().position.reaches(&grouped.unwrap().position));
    log.close().await.unwrap();
}

/// A clock that was set back does not order the log anew.
#[tokio::test]
async fn a_clock_that_steps_back_stands_still() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    append(&log, 0..3).await;
    log.close().await.unwrap();
    drop(log);
    let ahead = schemas::Timestamp::now().plus_millis(3_600_000);
    sqlite(directory.path())
        .execute("UPDATE meta SET last_logged = ?1", [ahead.as_millis()])
        .unwrap();
    let log = open(directory.path());
    append(&log, 3..4).await;
    let records = read_all(&log).await;
    assert!(records[2].logged < ahead);
    assert_eq!(records[3].logged, ahead);
    assert_eq!(log.seek(ahead).await.unwrap().offset(0), 3);
}
