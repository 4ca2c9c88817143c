//! A disk that is full.

use event_log::{AppendError, Embedded, EventLog, Retention, Urgency, embedded::Options};
use schemas::{Draft, Timestamp};

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
    let mut taken = 0;
    let mut kept = 0;
    let mut refusals = 0;
    while refusals < 3 {
        let drafts = (taken..taken + 50).map(noisy).collect();
        match log.append(drafts, Urgency::Soon).await {
            Ok(appended) => {
                assert!(all_new(&appended.receipts));
                taken += 50;
            }
            Err(e @ AppendError::DiskFull { .. }) => {
                assert!(e.is_transient());
                refusals += 1;
                let records = read_all(&log).await;
                assert_eq!(values(&records), (kept..taken).collect::<Vec<_>>());
                let seqs = records.iter().map(|r| r.event().unwrap().seq);
                let first = kept.unsigned_abs() + 1;
                assert!(seqs.eq(first..=taken.unsigned_abs()), "no seq was used up");
                let state = log.sequences().await.unwrap().remove(0);
                assert_eq!(
                    (state.last_seq, state.holes.len()),
                    (taken.unsigned_abs(), 0)
                );
                let retention = Retention {
                    before: Some(Timestamp::now().plus_millis(1000)),
                    max_bytes: None,
                };
                assert_eq!(
                    log.trim(&retention).await.unwrap(),
                    (taken - kept).unsigned_abs()
                );
                kept = taken;
            }
            Err(other) => panic!("{other}"),
        }
        assert!(taken < 100_000, "it never became full");
    }
    assert!(taken > 500);
    log.append(vec![noisy(taken)], Urgency::Soon).await.unwrap();
    log.close().await.unwrap();
    drop(log);
    let log = Embedded::open(directory.path(), options).unwrap();
    assert_eq!(values(&read_all(&log).await), [taken]);
}
