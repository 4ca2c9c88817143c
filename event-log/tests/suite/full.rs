//! A disk that is full.

use event_log::{AppendError, Embedded, EventLog, Retention, Urgency, embedded::Options};
use schemas::{Draft, Position, Timestamp};

use super::kit::{all_new, draft, read_all, values};

fn noisy(n: i64) -> Draft {
    let mut draft = draft("nas1", n);
    let noise = (0..30_u64).fold(String::new(), |text, k| {
        let mixed = n.unsigned_abs() * 1_000_003 + k;
        format!("{text}{:x}", mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    });
    draft.fields.set_text("noise", &noise);
    draft
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_and_it_goes_on_when_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        max_bytes: Some(512 * 1024),
        ..Options::default()
    };
    let log = Embedded::open(directory.path(), options.clone()).unwrap();
    // the last events stay, so that some transactions fail while they pack blocks
    let all_but_last = Retention {
        before: Some(Timestamp::now().plus_millis(3_600_000)),
        max_bytes: None,
    };
    let (mut taken, mut kept) = (0_i64, 0_i64);
    let mut refusals = 0;
    for size in [25, 410].into_iter().cycle() {
        if refusals == 12 {
            break;
        }
        let drafts = (taken..taken + size).map(noisy).collect();
        match log.append(drafts, Urgency::Soon).await {
            Ok(appended) => {
                assert!(all_new(&appended.receipts));
                taken += size;
            }
            Err(e @ AppendError::DiskFull { .. }) => {
                assert!(e.is_transient());
                refusals += 1;
                let last = Position::from_offsets(vec![taken.unsigned_abs() - 130]);
                log.set_consumer_position("reader", &last).await.unwrap();
                let gone = log.trim(&all_but_last).await.unwrap();
                assert!(gone > 0);
                kept += i64::try_from(gone).unwrap();
                check(&log, kept, taken).await;
                let again = (taken..taken + size).map(noisy).collect();
                log.append(again, Urgency::Soon)
                    .await
                    .expect("now there is room");
                taken += size;
                check(&log, kept, taken).await;
            }
            Err(other) => panic!("{other}"),
        }
        assert!(taken < 100_000, "it never became full");
    }
    check(&log, kept, taken).await;
    log.close().await.unwrap();
    drop(log);
    let log = Embedded::open(directory.path(), options).unwrap();
    check(&log, kept, taken).await;
}

/// Everything that was taken is there, and nothing that was not used up a seq.
async fn check(log: &Embedded, kept: i64, taken: i64) {
    let records = read_all(log).await;
    assert_eq!(values(&records), (kept..taken).collect::<Vec<_>>());
    let seqs = records.iter().map(|r| r.event().unwrap().seq);
    assert!(seqs.eq(kept.unsigned_abs() + 1..=taken.unsigned_abs()));
    let state = log.sequences().await.unwrap().remove(0);
    assert_eq!(state.last_seq, taken.unsigned_abs());
    assert!(state.holes.is_empty());
}
