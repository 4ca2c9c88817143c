//! Laws of opening and closing.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{Fixture, draft, identified, outcomes, read_all, value};
use crate::{AppendError, Outcome, Urgency};

/// Events, sequences and what comes next are the same after a reopening.
pub async fn reopening_keeps_everything(fixture: &mut impl Fixture) {
    let mut records = Vec::new();
    let mut position = None;
    for round in 0..6_i64 {
        let log = fixture.open().await;
        assert_eq!(read_all(&*log).await, records, "round {round}");
        let before = log.sequences().await.unwrap();
        if let Some(position) = position {
            assert_eq!(log.bounds().await.unwrap().newest, position);
        }
        let mut drafts: Vec<_> = (0..90).map(|n| draft("nas1", round * 90 + n)).collect();
        let seq = u64::try_from(round).unwrap() + 1;
        drafts.push(identified("pi", "e1", seq));
        let repeated = identified("pi", "e1", seq.saturating_sub(1).max(1));
        drafts.push(repeated);
        let appended = log.append(drafts, Urgency::Soon).await.unwrap();
        assert_eq!(
            outcomes(&appended.receipts)[90..],
            [Outcome::Appended, Outcome::Duplicate]
        );
        let after = log.sequences().await.unwrap();
        assert_eq!(after.len(), 2, "the log's own epoch stays the same");
        assert_eq!(after[0].last_seq, (seq) * 90);
        assert!(round == 0 || before[0].epoch == after[0].epoch);
        records = read_all(&*log).await;
        position = Some(appended.position);
        log.close().await.unwrap();
    }
    assert_eq!(records.len(), 6 * 91);
}

/// Closing commits what waits, refuses more, and may be repeated.
pub async fn close_makes_durable_what_waits(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    let waiting = {
        let log = Arc::clone(&log);
        async move { log.append(vec![draft("nas1", 1)], Urgency::Grouped).await }
    };
    let closing = async {
        // the append was asked for first: it is polled first
        tokio::task::yield_now().await;
        log.close().await
    };
    let (appended, closed) = tokio::join!(waiting, closing);
    closed.unwrap();
    assert_eq!(outcomes(&appended.unwrap().receipts), [Outcome::Appended]);
    log.close().await.unwrap();
    match log.append(vec![draft("nas1", 2)], Urgency::Soon).await {
        Err(AppendError::Closed) => {}
        other => panic!("an append after the end gave {other:?}"),
    }
    let log = fixture.open().await;
    let values: Vec<i64> = read_all(&*log).await.iter().map(value).collect();
    assert_eq!(values, [1]);
    log.close().await.unwrap();
}

/// A reading that waits for others does so for a bounded time.
pub async fn a_grouped_append_answers_in_time(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    let append = log.append(vec![draft("nas1", 1)], Urgency::Grouped);
    let appended = timeout(Duration::from_secs(6), append)
        .await
        .expect("within 2 s and what a busy machine adds")
        .unwrap();
    assert_eq!(outcomes(&appended.receipts), [Outcome::Appended]);
    assert_eq!(read_all(&*log).await.len(), 1);
    log.close().await.unwrap();
}
