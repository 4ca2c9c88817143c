//! What is left of a purged source in the files of the embedded store: nothing.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{fs, path::Path, sync::Arc};

use schemas::{
    FieldName, FieldValue, Fields, Labels, Position, SourceName, Timestamp, name::SourceKind,
};
use time_series::{Embedded, Point, Purged, TimeSeries, WriteBatch, embedded::Options};

const T: i64 = 1_795_402_800_000;
const VALUE: &str = "the-old-coat-hangs-in-the-hall";
const LABEL: &str = "the-grey-cat-sleeps-on-the-stove";

fn nas1() -> SourceName {
    SourceName::new("nas1").unwrap()
}

fn open(directory: &Path) -> Embedded {
    let options = Options {
        flush_points: 4,
        chunk_points: 16,
        ..Options::default()
    };
    Embedded::open(directory.join(Embedded::FILE), options).unwrap()
}

fn point(entity: &str, i: i64) -> Point {
    let secret = entity.starts_with("nas1");
    let text = if secret { VALUE } else { "nothing" };
    let label = if secret { LABEL } else { "nothing" };
    Point {
        key: entity.parse().unwrap(),
        kind: SourceKind::new("synology").unwrap(),
        agent: None,
        labels: Arc::new(Labels::from([(
            FieldName::from("model"),
            Arc::from(format!("{label}-{}", i / 10)),
        )])),
        time: Timestamp::from_millis(T + i * 1000),
        fields: Fields::from_iter([
            (FieldName::from("n"), FieldValue::I64(i)),
            (
                FieldName::from("note"),
                FieldValue::text(format!("{text}-{i}")).unwrap(),
            ),
        ]),
    }
}

async fn fill(store: &Embedded) {
    for i in 0..100 {
        let points = vec![point("nas1/disk/sda", i), point("nas2/disk/sda", i)];
        let position = Position::from_offsets(vec![u64::try_from(i).unwrap() + 1]);
        store.write(WriteBatch { points, position }).await.unwrap();
        if i % 3 == 0 {
            // small chunks, which are joined later and leave their pages free
            store.flush().await.unwrap();
        }
    }
}

fn is_anywhere(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().any(|file| {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        [VALUE, LABEL].iter().any(|secret| {
            bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes())
        })
    })
}

#[tokio::test]
async fn nothing_is_left_in_any_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    fill(&store).await;
    assert!(
        is_anywhere(directory.path()),
        "the look finds what is there"
    );
    assert_eq!(store.purge(&nas1()).await.unwrap(), Purged::Points(100));
    assert!(!is_anywhere(directory.path()), "while it is open");
    store.close().await.unwrap();
    drop(store);
    assert!(!is_anywhere(directory.path()), "after its end");
    let store = open(directory.path());
    let checked = store.check().await.unwrap();
    assert_eq!((checked.points, checked.problems), (100, Vec::new()));
}

/// Earlier releases left in free pages what they had freed.
#[tokio::test]
async fn a_file_of_format_1_is_rewritten_before_its_first_purge() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    fill(&store).await;
    store.close().await.unwrap();
    drop(store);
    let file = rusqlite::Connection::open(directory.path().join(Embedded::FILE)).unwrap();
    // as format 1 did: rows go, their pages stay as they are
    file.execute_batch(
        "PRAGMA secure_delete = OFF;
         CREATE TABLE old AS SELECT * FROM chunks;
         DROP TABLE old;
         PRAGMA user_version = 1;
         PRAGMA wal_checkpoint(TRUNCATE);",
    )
    .unwrap();
    drop(file);
    let store = open(directory.path());
    assert_eq!(store.points_of(&nas1()).await.unwrap(), 100);
    assert_eq!(store.purge(&nas1()).await.unwrap(), Purged::Points(100));
    store.close().await.unwrap();
    drop(store);
    assert!(!is_anywhere(directory.path()));
    let file = rusqlite::Connection::open(directory.path().join(Embedded::FILE)).unwrap();
    let format: i64 = file
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(format, 2);
}

/// Queries while a source goes see all of it, a part or nothing, and never an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_go_on_meanwhile() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    fill(&store).await;
    let reading = async {
        loop {
            let selection = time_series::Selection::default();
            let at = Some(Timestamp::from_millis(T + 50_000));
            let state = store.state(&selection, at).await.unwrap();
            if state.entities.len() == 1 {
                return;
            }
        }
    };
    let (purged, ()) = tokio::join!(async { store.purge(&nas1()).await.unwrap() }, reading);
    assert_eq!(purged, Purged::Points(100));
}
