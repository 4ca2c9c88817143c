//! What is left of purged events in the files of the embedded log: nothing.

use std::{fs, io::Read, path::Path, sync::Arc, time::Duration};

use event_log::{Embedded, EventLog, Purged, Urgency};
use schemas::{Draft, Position, SourceName};

use super::kit::{draft, open, read_all, sqlite};

const SECRET: &str = "the-old-coat-hangs-in-the-hall";

fn nas1() -> SourceName {
    SourceName::new("nas1").unwrap()
}

/// Events of two sources in turn; those of `nas1` hold the secret.
fn mixed(values: std::ops::Range<i64>) -> Vec<Draft> {
    values
        .map(|value| {
            let mut draft = draft(if value % 2 == 0 { "nas1" } else { "nas2" }, value);
            if value % 2 == 0 {
                draft.fields.set_text("note", &format!("{SECRET}-{value}"));
            }
            draft
        })
        .collect()
}

/// Whether any bytes of a directory's files are the secret, as they stand or compressed, wherever a frame begins.
fn is_anywhere(directory: &Path) -> bool {
    let holds = |bytes: &[u8]| bytes.windows(SECRET.len()).any(|w| w == SECRET.as_bytes());
    fs::read_dir(directory).unwrap().any(|file| {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        let magic = 0xFD2F_B528_u32.to_le_bytes();
        holds(&bytes)
            || (0..bytes.len()).any(|at| {
                let rest = &bytes[at..];
                if !rest.starts_with(&magic) {
                    return false;
                }
                // a page may end in the middle of a frame: what comes out until then counts
                let mut out = Vec::new();
                if let Ok(decoder) = zstd::Decoder::new(rest) {
                    drop(decoder.single_frame().take(4 << 20).read_to_end(&mut out));
                }
                holds(&out)
            })
    })
}

async fn fill(log: &Embedded) {
    // small blocks at first, which are packed and leave their pages free
    for from in (0..1500).step_by(10) {
        log.append(mixed(from..from + 10), Urgency::Soon)
            .await
            .unwrap();
    }
}

async fn newest(log: &Embedded) -> Position {
    log.bounds().await.unwrap().newest
}

#[tokio::test]
async fn nothing_is_left_in_any_file() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    fill(&log).await;
    assert!(
        is_anywhere(directory.path()),
        "the look finds what is there"
    );
    let purged = log.purge(&nas1(), &newest(&log).await).await.unwrap();
    assert_eq!(purged, Purged::Events(750));
    assert!(!is_anywhere(directory.path()), "while it is open");
    // what was not packed yet is packed now
    for from in (2000..2400).step_by(40) {
        let others = (from..from + 40).map(|value| draft("nas2", value));
        log.append(others.collect(), Urgency::Soon).await.unwrap();
    }
    assert_eq!(read_all(&log).await.len(), 750 + 400);
    log.close().await.unwrap();
    assert!(!is_anywhere(directory.path()), "after its end");
    drop(log);
    let log = open(directory.path());
    assert_eq!(read_all(&log).await.len(), 750 + 400);
}

/// Earlier releases left in free pages what they had freed.
#[tokio::test]
async fn a_file_of_version_2_is_rewritten_before_its_first_purge() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    fill(&log).await;
    log.close().await.unwrap();
    drop(log);
    let file = sqlite(directory.path());
    // as version 2 did: rows go, their pages stay as they are
    file.execute_batch(
        "PRAGMA secure_delete = OFF;
         CREATE TABLE old AS SELECT * FROM blocks;
         DROP TABLE old;
         PRAGMA user_version = 2;
         PRAGMA wal_checkpoint(TRUNCATE);",
    )
    .unwrap();
    drop(file);
    assert!(
        Embedded::open_read_only(directory.path()).is_ok(),
        "it is read as it is"
    );
    let log = open(directory.path());
    assert_eq!(read_all(&log).await.len(), 1500);
    let version = |directory: &Path| -> i32 {
        sqlite(directory)
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap()
    };
    assert_eq!(
        version(directory.path()),
        2,
        "nothing needs the new version yet"
    );
    let purged = log.purge(&nas1(), &newest(&log).await).await.unwrap();
    assert_eq!(purged, Purged::Events(750));
    assert_eq!(read_all(&log).await.len(), 750);
    log.close().await.unwrap();
    assert!(!is_anywhere(directory.path()));
    assert_eq!(version(directory.path()), 3);
}

/// Appends go on between the steps, and what was cut short is only to be made again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_that_was_cut_short_is_made_again_while_others_append() {
    let directory = tempfile::tempdir().unwrap();
    let log = Arc::new(open(directory.path()));
    for from in (0..60_000).step_by(2000) {
        log.append(mixed(from..from + 2000), Urgency::Soon)
            .await
            .unwrap();
    }
    let end = newest(&log).await;
    let mut purging = tokio::task::JoinSet::new();
    purging.spawn({
        let (log, end) = (Arc::clone(&log), end.clone());
        async move { log.purge(&nas1(), &end).await }
    });
    // until the first step is done
    for value in 0.. {
        let begun = std::time::Instant::now();
        log.append(vec![draft("nas2", 100_001 + value)], Urgency::Soon)
            .await
            .unwrap();
        assert!(begun.elapsed() < Duration::from_secs(5), "a step is short");
        let first = log
            .read(&Position::start(1), &super::kit::everything(2))
            .await;
        if first.unwrap().purged > 0 {
            break;
        }
    }
    purging.shutdown().await;
    let log = Arc::into_inner(log).unwrap();
    drop(log);
    let log = open(directory.path());
    let left = read_all(&log).await;
    let others = left.iter().filter(|r| r.event().unwrap().source != nas1());
    assert!(others.count() > 30_000);
    let Purged::Events(rest) = log.purge(&nas1(), &end).await.unwrap() else {
        panic!("it takes events out");
    };
    assert!(rest <= 30_000, "{rest}");
    let left = read_all(&log).await;
    assert!(left.iter().all(|r| r.event().unwrap().source != nas1()));
    log.close().await.unwrap();
    assert!(!is_anywhere(directory.path()));
}
