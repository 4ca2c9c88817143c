//! Files that were damaged: an error or an unreadable entry, never a panic and never a changed event.

use std::{collections::BTreeMap, fs, path::Path};

use event_log::{Body, Embedded, EventLog, Record, Urgency, embedded::Options};
use proptest::prelude::*;
use schemas::Event;
use tempfile::TempDir;

use super::kit::{append, draft, everything, open, read_all, sqlite, try_read_all, values};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// A directory with a log of 700 events: some packed, some not, and a second one with the last of them only in the
/// write-ahead log.
struct Sound {
    closed: TempDir,
    killed: TempDir,
    events: BTreeMap<u64, Event>,
}

fn sound() -> Sound {
    let closed = tempfile::tempdir().unwrap();
    let killed = tempfile::tempdir().unwrap();
    let events = runtime().block_on(async {
        let log = open(closed.path());
        append(&log, 0..600).await;
        log.close().await.unwrap();
        drop(log);
        let log = open(closed.path());
        for n in 60..70 {
            append(&log, n * 10..n * 10 + 10).await;
        }
        copy(closed.path(), killed.path());
        let records = read_all(&log).await;
        log.close().await.unwrap();
        records
            .into_iter()
            .map(|r| (r.offset, (**r.event().unwrap()).clone()))
            .collect()
    });
    Sound {
        closed,
        killed,
        events,
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        // the index of the write-ahead log does not outlive a power cut
        if entry.file_name() != "log.db-shm" {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// Opens a damaged log and uses it: whatever it shows as an event is one that was appended.
fn use_it(directory: &Path, events: &BTreeMap<u64, Event>) {
    runtime().block_on(async {
        let Ok(log) = Embedded::open(directory, Options::default()) else {
            return;
        };
        if let Ok(records) = try_read_all(&log).await {
            check(&records, events);
        }
        let _damaged = log.seek(schemas::Timestamp::from_millis(0)).await;
        let _damaged = log.sequences().await;
        let _damaged = log.append(vec![draft("nas1", 700)], Urgency::Soon).await;
        if let Some(cause) = log.broken() {
            assert!(!cause.contains("panicked"), "{cause}");
        }
        if let Ok(records) = try_read_all(&log).await {
            check(&records, events);
        }
        let _damaged = log.close().await;
    });
}

fn check(records: &[Record], events: &BTreeMap<u64, Event>) {
    for record in records {
        let Some(event) = record.event() else {
            continue;
        };
        let known = events.values().find(|known| known.id() == event.id());
        match known {
            Some(known) => assert_eq!(&**event, known),
            None => assert_eq!(event.time, draft("nas1", 700).time, "an event from nowhere"),
        }
    }
}

#[test]
fn flipped_bytes_never_change_an_event() {
    let sound = sound();
    let size = fs::metadata(sound.closed.path().join("log.db"))
        .unwrap()
        .len();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let flips = proptest::collection::vec((0..size, 1..=255_u8), 1..12);
    runner
        .run(&flips, |flips| {
            let directory = tempfile::tempdir().unwrap();
            copy(sound.closed.path(), directory.path());
            let file = directory.path().join("log.db");
            let mut bytes = fs::read(&file).unwrap();
            for (at, mask) in flips {
                bytes[usize::try_from(at).unwrap()] ^= mask;
            }
            fs::write(&file, bytes).unwrap();
            use_it(directory.path(), &sound.events);
            Ok(())
        })
        .unwrap();
}

/// What SQLite reads without a word, but would give an id twice or lose what a consumer has not read.
#[test]
fn a_row_that_was_changed_or_lost_is_found() {
    let directory = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let log = open(directory.path());
        append(&log, 0..10).await;
        let newest = log.bounds().await.unwrap().newest;
        log.set_consumer_position("ingest", &newest).await.unwrap();
        log.close().await.unwrap();
    });
    for (change, says) in [
        ("UPDATE sequences SET last_seq = 1", "the sequence of nas1:"),
        (
            "UPDATE sequences SET source = 'nas2'",
            "the sequence of nas2:",
        ),
        (
            "DELETE FROM sequences",
            "it has 0 sequences and should have 1",
        ),
        (
            "UPDATE consumers SET next_offset = 99",
            "the consumer ingest is damaged",
        ),
        (
            "DELETE FROM consumers",
            "it has 0 consumers and should have 1",
        ),
    ] {
        let damaged = tempfile::tempdir().unwrap();
        copy(directory.path(), damaged.path());
        sqlite(damaged.path()).execute_batch(change).unwrap();
        let error = Embedded::open(damaged.path(), Options::default())
            .err()
            .unwrap_or_else(|| panic!("not noticed: {change}"))
            .to_string();
        assert!(error.contains(says), "{change}: {error}");
        assert!(error.contains("is damaged"), "{error}");
    }
}

#[test]
fn a_file_that_was_cut_is_an_error_or_a_shorter_log() {
    let sound = sound();
    let file = "log.db";
    let size = fs::metadata(sound.closed.path().join(file)).unwrap().len();
    for part in 0..24 {
        let directory = tempfile::tempdir().unwrap();
        copy(sound.closed.path(), directory.path());
        fs::OpenOptions::new()
            .write(true)
            .open(directory.path().join(file))
            .unwrap()
            .set_len(size * part / 24)
            .unwrap();
        use_it(directory.path(), &sound.events);
    }
}

/// A write-ahead log that a power cut tore holds the transactions before the tear, and no more.
#[test]
fn a_torn_write_ahead_log_holds_whole_transactions() {
    let sound = sound();
    let wal = "log.db-wal";
    let size = fs::metadata(sound.killed.path().join(wal)).unwrap().len();
    assert!(size > 40_000, "{size} bytes are too few to tear");
    let mut seen = std::collections::BTreeSet::new();
    for part in 0..=40 {
        for garbage in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            copy(sound.killed.path(), directory.path());
            let mut bytes = fs::read(directory.path().join(wal)).unwrap();
            let cut = usize::try_from(size * part / 40).unwrap();
            if garbage {
                for byte in &mut bytes[cut..] {
                    *byte = byte.wrapping_mul(31).wrapping_add(7);
                }
            } else {
                bytes.truncate(cut);
            }
            fs::write(directory.path().join(wal), bytes).unwrap();
            runtime().block_on(async {
                let log = open(directory.path());
                let found = values(&read_all(&log).await);
                let count = i64::try_from(found.len()).unwrap();
                assert_eq!(found, (0..count).collect::<Vec<_>>());
                assert!(count >= 600 && count % 10 == 0, "{count} events");
                let state = log.sequences().await.unwrap().remove(0);
                assert_eq!(state.last_seq, count.unsigned_abs());
                append(&log, count..count + 5).await;
                assert_eq!(read_all(&log).await.len(), found.len() + 5);
                seen.insert(count);
                log.close().await.unwrap();
            });
        }
    }
    assert!(seen.contains(&600) && seen.contains(&700), "{seen:?}");
    assert!(
        seen.len() > 4,
        "the tears fell between transactions: {seen:?}"
    );
}

/// A damaged block is one entry at its last offset, with its bytes; what is before and after is read.
#[tokio::test]
async fn a_damaged_block_is_one_unreadable_entry() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    append(&log, 0..768).await;
    log.close().await.unwrap();
    drop(log);
    let damages: [(&str, &str); 3] = [
        ("body = zeroblob(50)", "zstd"),
        ("body = substr(body, 1, length(body) - 9)", ""),
        (
            "body = (SELECT body FROM blocks WHERE first_offset = 768)",
            "instead of 256",
        ),
    ];
    for (damage, reason_has) in damages {
        let copied = tempfile::tempdir().unwrap();
        copy(directory.path(), copied.path());
        let log = open(copied.path());
        append(&log, 768..770).await;
        log.close().await.unwrap();
        drop(log);
        let file = sqlite(copied.path());
        file.execute(
            &format!("UPDATE blocks SET {damage} WHERE first_offset = 256"),
            [],
        )
        .unwrap();
        let stored: Vec<u8> = file
            .query_row(
                "SELECT body FROM blocks WHERE first_offset = 256",
                [],
                |r| r.get(0),
            )
            .unwrap();
        drop(file);
        let log = open(copied.path());
        let records = read_all(&log).await;
        assert_eq!(records.len(), 256 + 1 + 258, "{damage}");
        assert_eq!(values(&records[..256]), (0..256).collect::<Vec<_>>());
        assert_eq!(values(&records[257..]), (512..770).collect::<Vec<_>>());
        let unreadable = &records[256];
        assert_eq!(unreadable.offset, 511);
        match &unreadable.body {
            Body::Unreadable { bytes, reason } => {
                assert_eq!(**bytes, *stored);
                assert!(reason.contains("256 to 511"), "{reason}");
                assert!(reason.contains(reason_has), "{reason}");
            }
            Body::Event(_) => panic!("{damage} was read as an event"),
        }
        // from within the block the same entry comes, after it the rest
        for (from, first) in [(300, 511), (511, 511), (512, 512)] {
            let from = schemas::Position::from_offsets(vec![from]);
            let batch = log.read(&from, &everything(1)).await.unwrap();
            assert_eq!(batch.records[0].offset, first);
        }
        append(&log, 770..1100).await;
        assert_eq!(read_all(&log).await.len(), 256 + 1 + 588);
        log.close().await.unwrap();
    }
}

/// Also in the last block, which is otherwise packed again: its bytes stay.
#[tokio::test]
async fn a_damaged_last_block_is_not_packed() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    for n in 0..4 {
        append(&log, n * 10..n * 10 + 10).await;
    }
    log.close().await.unwrap();
    drop(log);
    sqlite(directory.path())
        .execute("UPDATE blocks SET body = x'00' WHERE first_offset = 20", [])
        .unwrap();
    let log = open(directory.path());
    append(&log, 40..300).await;
    let records = read_all(&log).await;
    assert_eq!(values(&records[..20]), (0..20).collect::<Vec<_>>());
    assert_eq!(records[20].offset, 29);
    assert!(records[20].event().is_none());
    assert_eq!(values(&records[21..]), (30..300).collect::<Vec<_>>());
    log.close().await.unwrap();
}
