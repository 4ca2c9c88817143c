//! What the embedded store says when the file, the disk or another process is not as it should be.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use schemas::{
    FieldName, FieldValue, Fields, Labels, Position, Timestamp, api::Agg, name::SourceKind,
};
use time_series::{
    Embedded, Point, QueryError, RangeQuery, Selection, Step, TimeSeries, WriteBatch, WriteError,
    embedded::{OpenError, Options},
};

const T: i64 = 1_795_402_800_000;

fn point(entity: &str, time: i64, value: f64) -> Point {
    Point {
        key: entity.parse().unwrap(),
        kind: SourceKind::new("synology").unwrap(),
        agent: None,
        labels: Arc::new(Labels::new()),
        time: Timestamp::from_millis(time),
        fields: Fields::from_iter([(FieldName::from("x"), FieldValue::F64(value))]),
    }
}

fn batch(offset: u64, points: Vec<Point>) -> WriteBatch {
    WriteBatch {
        points,
        position: Position::from_offsets(vec![offset]),
    }
}

fn everything() -> RangeQuery {
    RangeQuery {
        selection: Selection::default(),
        fields: Vec::new(),
        from: Timestamp::from_millis(0),
        to: Timestamp::from_millis(T * 2),
        step: Step::Raw,
        aggs: vec![Agg::Mean],
        max_series: 1000,
        max_values: 1_000_000,
    }
}

async fn count(store: &Embedded) -> usize {
    let data = store.range(&everything()).await.unwrap();
    data.series.iter().map(|series| series.values.len()).sum()
}

fn path_in(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join(Embedded::FILE)
}

fn refused(path: &Path) -> OpenError {
    Embedded::open(path, Options::default()).unwrap_err()
}

async fn filled(path: &Path) {
    let store = Embedded::open(path, Options::default()).unwrap();
    for i in 0..500_u64 {
        let value = f64::from(u32::try_from(i * 7919 % 1000).unwrap()) / 7.0;
        let time = T + i64::try_from(i).unwrap() * 5000;
        let points = vec![point("nas1/disk/sda", time, value)];
        store.write(batch(i + 1, points)).await.unwrap();
    }
    store.close().await.unwrap();
}

#[test]
fn files_of_others_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = path_in(&dir);
    fs::write(&path, "not a database at all, but a text").unwrap();
    let error = refused(&path);
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert!(
        error.to_string().contains(&path.display().to_string()),
        "{error}"
    );
    assert_eq!(
        fs::read(&path).unwrap(),
        b"not a database at all, but a text"
    );

    fs::remove_file(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE bookmarks (url TEXT)")
        .unwrap();
    drop(other);
    assert!(matches!(refused(&path), OpenError::Foreign { .. }));
    let other = rusqlite::Connection::open(&path).unwrap();
    let mode: String = other
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "delete", "the file of another program was changed");
}

#[tokio::test]
async fn a_later_format_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = path_in(&dir);
    filled(&path).await;
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let error = refused(&path);
    assert!(
        matches!(
            error,
            OpenError::Newer {
                found: 99,
                known: 2,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_never_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = path_in(&dir);
    filled(&path).await;
    let whole = fs::read(&path).unwrap();
    let store = Embedded::open(&path, Options::default()).unwrap();
    let undamaged = store.range(&everything()).await.unwrap().series.remove(0);
    store.close().await.unwrap();
    let mut told = 0;
    for at in (100..whole.len()).step_by(41) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        fs::write(&path, &damaged).unwrap();
        for suffix in ["-wal", "-shm"] {
            drop(fs::remove_file(format!("{}{suffix}", path.display())));
        }
        match Embedded::open(&path, Options::default()) {
            Ok(store) => {
                let read = store.range(&everything()).await;
                let report = store.check().await;
                if read.is_err() || report.as_ref().map_or(true, |r| !r.problems.is_empty()) {
                    told += 1;
                }
                if let (Ok(data), Ok(report)) = (read, report)
                    && report.problems.is_empty()
                {
                    // then the damage lies where nothing is
                    let found: Vec<_> = data.series.iter().map(|s| (&s.times, &s.values)).collect();
                    assert_eq!(found, [(&undamaged.times, &undamaged.values)], "byte {at}");
                }
            }
            Err(error) => {
                told += 1;
                assert!(error.to_string().contains(Embedded::FILE), "{error}");
            }
        }
    }
    assert!(told > 20, "only {told} damages were told");
}

#[tokio::test]
async fn a_damaged_chunk_names_its_entity_and_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = path_in(&dir);
    filled(&path).await;
    let conn = rusqlite::Connection::open(&path).unwrap();
    let (id, mut body): (i64, Vec<u8>) = conn
        .query_row(
            "SELECT id, body FROM chunks ORDER BY id LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    body[10] ^= 1;
    conn.execute(
        "UPDATE chunks SET body = ?1 WHERE id = ?2",
        rusqlite::params![body, id],
    )
    .unwrap();
    drop(conn);
    let store = Embedded::open(&path, Options::default()).unwrap();
    let error = store.range(&everything()).await.unwrap_err();
    let QueryError::Failed { cause, .. } = &error else {
        panic!("{error}")
    };
    assert!(cause.contains("nas1/disk/sda"), "{cause}");
    assert!(cause.contains("2026-11-23T03:00:00.000Z"), "{cause}");
    let report = store.check().await.unwrap();
    assert!(report.problems[0].contains("checksum"), "{report:?}");
}

#[tokio::test]
async fn a_directory_that_is_not_there_or_not_ours_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("nowhere").join(Embedded::FILE);
    assert!(matches!(refused(&missing), OpenError::Denied { .. }));
    assert!(matches!(
        Embedded::open_read_only(dir.path().join("none.db")).unwrap_err(),
        OpenError::Missing { .. }
    ));
    let path = path_in(&dir);
    filled(&path).await;
    // root may write everything: then a directory in the file's place must do
    let as_root = {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        fs::OpenOptions::new().write(true).open(&path).is_ok()
    };
    if as_root {
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
    }
    let error = refused(&path);
    assert!(matches!(error, OpenError::Denied { .. }), "{error}");
    assert!(error.to_string().contains("permissions"), "{error}");
}

#[tokio::test]
async fn another_process_reads_what_is_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let path = path_in(&dir);
    let store = Embedded::open(&path, Options::default()).unwrap();
    store
        .write(batch(1, vec![point("nas1/disk/sda", T, 1.0)]))
        .await
        .unwrap();
    store.flush().await.unwrap();
    let reader = Embedded::open_read_only(&path).unwrap();
    assert_eq!(count(&reader).await, 1);
    store
        .write(batch(2, vec![point("nas1/disk/sdb", T, 1.0)]))
        .await
        .unwrap();
    assert_eq!(count(&reader).await, 1);
    store.flush().await.unwrap();
    assert_eq!(count(&reader).await, 2);
    assert_eq!(
        reader.position().await.unwrap(),
        Some(Position::from_offsets(vec![2]))
    );
    assert_eq!(reader.check().await.unwrap().points, 2);
    assert!(matches!(
        reader.write(batch(3, Vec::new())).await,
        Err(WriteError::Closed)
    ));
    assert!(matches!(reader.flush().await, Err(WriteError::Closed)));
    drop(reader);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_more_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = path_in(&dir);
    let options = Options {
        max_open_points: 200,
        flush_age: Duration::from_hours(1),
        max_bytes: Some(48 * 1024),
        ..Options::default()
    };
    let store = Embedded::open(&path, options).unwrap();
    let mut taken = 0_u64;
    let mut seed = 1_u64;
    let error = loop {
        let points = (0..50)
            .map(|i| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let time = T + i64::try_from(taken * 50 + i).unwrap() * 1000;
                point("nas1/disk/sda", time, f64::from_bits(seed >> 2))
            })
            .collect();
        match store.write(batch(taken + 1, points)).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 1000, "the disk never was full");
    };
    assert!(matches!(error, WriteError::DiskFull { .. }), "{error}");
    assert!(error.is_transient());
    // all that was taken can be read, in memory or on disk
    assert_eq!(count(&store).await as u64, taken * 50);
    assert!(matches!(
        store.flush().await,
        Err(WriteError::DiskFull { .. })
    ));
    let stats = store.stats().await.unwrap();
    assert!(
        stats.open_points > 0 && stats.open_points <= 200,
        "{stats:?}"
    );
    let durable = store.durable_position().await.unwrap().unwrap().offset(0);
    drop(store);
    // after some room was made, the log is read again from the durable position
    let store = Embedded::open(&path, Options::default()).unwrap();
    assert_eq!(store.position().await.unwrap().unwrap().offset(0), durable);
    assert_eq!(count(&store).await as u64, durable * 50);
    assert_eq!(store.check().await.unwrap().problems, Vec::<String>::new());
    store.close().await.unwrap();
}
