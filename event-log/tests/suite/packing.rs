//! How the file is laid out, as any tool can see it.

use event_log::{DeadLetter, EventLog, Retention};
use schemas::Timestamp;

use super::kit::{append, open, read_all, sqlite, values};

#[tokio::test]
async fn small_blocks_are_packed_and_any_tool_reads_them() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    for n in 0..300 {
        append(&log, n..n + 1).await;
    }
    log.close().await.unwrap();
    drop(log);
    let log = open(directory.path());
    for n in 300..600 {
        append(&log, n..n + 1).await;
    }
    assert_eq!(values(&read_all(&log).await), (0..600).collect::<Vec<_>>());
    log.close().await.unwrap();

    let file = sqlite(directory.path());
    let blocks: Vec<([i64; 6], Vec<u8>)> = file
        .prepare("SELECT * FROM blocks ORDER BY first_offset")
        .unwrap()
        .query_map([], |row| {
            let mut numbers = [0; 6];
            for (column, number) in numbers.iter_mut().enumerate() {
                *number = row.get(column)?;
            }
            Ok((numbers, row.get(6)?))
        })
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(blocks[0].0[1], 256);
    assert_eq!(blocks[1].0[1], 256);
    assert_eq!(blocks.len(), 2 + 600 - 512, "and what is not packed yet");
    let mut next = 0;
    for ([first, count, logged_min, logged_max, time_min, time_max], body) in blocks {
        assert_eq!(first, next);
        let text = zstd::decode_all(&*body).unwrap();
        let lines: Vec<&[u8]> = text
            .strip_suffix(b"\n")
            .unwrap()
            .split(|&byte| byte == b'\n')
            .collect();
        assert_eq!(lines.len(), usize::try_from(count).unwrap());
        for line in lines {
            let tab = line.iter().position(|&byte| byte == b'\t').unwrap();
            let logged: i64 = std::str::from_utf8(&line[..tab]).unwrap().parse().unwrap();
            assert!((logged_min..=logged_max).contains(&logged));
            let event = schemas::codec::decode(&line[tab + 1..]).unwrap();
            assert_eq!(event.time.as_millis(), 1_700_000_000_000 + next);
            assert!((time_min..=time_max).contains(&event.time.as_millis()));
            next += 1;
        }
    }
    let mode: String = file
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    let vacuum: i64 = file
        .query_row("PRAGMA auto_vacuum", [], |row| row.get(0))
        .unwrap();
    assert_eq!((mode.as_str(), vacuum), ("wal", 2));
}

/// The file gives room back when much was trimmed, and a close leaves nothing beside it.
#[tokio::test]
async fn trimming_shrinks_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    for round in 0..60_i64 {
        let drafts = (0..500_u64)
            .map(|n| {
                let mut draft = super::kit::draft("nas1", round);
                let noise = (0..40_u64).fold(String::new(), |text, k| {
                    let mixed = (n + 500 * round.unsigned_abs()) * 1_000_003 + k;
                    format!("{text}{:x}", mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
                });
                draft.fields.set_text("noise", &noise);
                draft
            })
            .collect();
        log.append(drafts, event_log::Urgency::Soon).await.unwrap();
    }
    let full = log.bounds().await.unwrap().bytes;
    assert!(full > 8 * 1024 * 1024, "{full} bytes are too few to tell");
    let retention = Retention {
        before: Some(Timestamp::now().plus_millis(1000)),
        max_bytes: None,
    };
    assert_eq!(log.trim(&retention).await.unwrap(), 30_000);
    log.close().await.unwrap();
    drop(log);
    let names: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["log.db"]);
    let size = std::fs::metadata(directory.path().join("log.db"))
        .unwrap()
        .len();
    assert!(size < 5 * 1024 * 1024, "{size} bytes are left of {full}");
}

/// Dead letters have a bound, then the oldest go.
#[tokio::test]
async fn dead_letters_do_not_fill_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let letters = |offsets: std::ops::Range<u64>| {
        offsets
            .map(|offset| DeadLetter {
                partition: 0,
                offset,
                field: None,
                time: Timestamp::from_millis(1_700_000_000_000),
                reason: "undecodable".to_owned(),
                message: "for a test".to_owned(),
                bytes: vec![1],
            })
            .collect()
    };
    log.put_dead_letters(letters(0..100_000)).await.unwrap();
    log.put_dead_letters(letters(99_990..100_010))
        .await
        .unwrap();
    assert_eq!(log.dead_letter_count().await.unwrap(), 100_000);
    assert_eq!(log.dead_letters(0, 1).await.unwrap()[0].offset, 10);
    let last = log.dead_letters(99_999, 10).await.unwrap();
    assert_eq!((last.len(), last[0].offset), (1, 100_009));
}
