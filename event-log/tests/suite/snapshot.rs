//! Reading the log of another process.

use event_log::{AppendError, Embedded, EventLog, ReadError, Urgency};
use schemas::Timestamp;

use super::kit::{append, draft, everything, open, read_all, values};

#[tokio::test]
async fn it_stays_at_its_moment_while_the_log_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    append(&log, 0..300).await;
    append(&log, 300..320).await;
    let snapshot = Embedded::open_read_only(directory.path()).unwrap();
    let bounds = snapshot.bounds().await.unwrap();
    let sequences = snapshot.sequences().await.unwrap();
    // more than packs the last block anew
    append(&log, 320..400).await;
    for n in 400..700 {
        append(&log, n..n + 1).await;
    }
    assert_eq!(
        values(&read_all(&snapshot).await),
        (0..320).collect::<Vec<_>>()
    );
    assert_eq!(snapshot.bounds().await.unwrap().newest, bounds.newest);
    assert_eq!(snapshot.sequences().await.unwrap(), sequences);
    assert_eq!(sequences[0].last_seq, 320);
    assert_eq!(*snapshot.newest().borrow(), bounds.newest);
    let later = Timestamp::now().plus_millis(1000);
    assert_eq!(snapshot.seek(later).await.unwrap(), bounds.newest);
    let ahead = log.bounds().await.unwrap().newest;
    let Err(ReadError::PositionGone { newest, .. }) = snapshot.read(&ahead, &everything(1)).await
    else {
        panic!("it reads beyond its moment");
    };
    assert_eq!(newest, bounds.newest);
    let Err(AppendError::Closed) = snapshot.append(vec![draft("nas1", 1)], Urgency::Soon).await
    else {
        panic!("it takes events");
    };
    assert_eq!(snapshot.dead_letter_count().await.unwrap(), 0);
    snapshot.close().await.unwrap();
    assert_eq!(values(&read_all(&log).await), (0..700).collect::<Vec<_>>());
    log.close().await.unwrap();
}

#[tokio::test]
async fn it_reads_what_a_process_left_that_ended_or_died() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    append(&log, 0..50).await;
    // as after a kill: the write-ahead log was not taken in
    let dead = tempfile::tempdir().unwrap();
    for name in ["log.db", "log.db-wal"] {
        std::fs::copy(directory.path().join(name), dead.path().join(name)).unwrap();
    }
    log.close().await.unwrap();
    for directory in [directory.path(), dead.path()] {
        let snapshot = Embedded::open_read_only(directory).unwrap();
        assert_eq!(
            values(&read_all(&snapshot).await),
            (0..50).collect::<Vec<_>>()
        );
    }
}
