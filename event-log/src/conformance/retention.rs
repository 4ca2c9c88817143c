//! Laws of what leaves the log.

use std::time::Duration;

use schemas::{Draft, Timestamp};
use tokio::time::sleep;

use super::{Fixture, draft, everything, identified, outcomes, read_all, read_from, value};
use crate::{EventLog, Outcome, ReadError, Retention, Urgency};

fn all_may_go() -> Retention {
    Retention {
        before: Some(Timestamp::now().plus_millis(3_600_000)),
        max_bytes: None,
    }
}

async fn append_range(log: &dyn EventLog, from: i64, to: i64) -> schemas::Position {
    let drafts = (from..to).map(|n| draft("nas1", n)).collect();
    log.append(drafts, Urgency::Soon).await.unwrap().position
}

/// What any consumer has not passed stays, whatever retention says.
pub async fn trim_never_passes_a_consumer(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    let start = log.bounds().await.unwrap().oldest;
    let first = append_range(&*log, 0, 300).await;
    let second = append_range(&*log, 300, 350).await;
    append_range(&*log, 350, 400).await;

    log.set_consumer_position("slow", &start).await.unwrap();
    log.set_consumer_position("fast", &second).await.unwrap();
    assert_eq!(log.trim(&all_may_go()).await.unwrap(), 0);
    assert_eq!(read_from(&*log, &start, &everything(500)).await.len(), 400);

    log.set_consumer_position("slow", &first).await.unwrap();
    log.close().await.unwrap();
    let log = fixture.open().await;
    for retention in [
        all_may_go(),
        Retention {
            before: None,
            max_bytes: Some(0),
        },
    ] {
        log.trim(&retention).await.unwrap();
        let rest = read_from(&*log, &first, &everything(500)).await;
        let values: Vec<i64> = rest.iter().map(value).collect();
        assert_eq!(values, (300..400).collect::<Vec<_>>());
    }
    log.close().await.unwrap();
}

/// By age only what is old enough goes.
pub async fn trim_by_age_keeps_what_is_younger(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    append_range(&*log, 0, 600).await;
    sleep(Duration::from_millis(15)).await;
    let between = Timestamp::now();
    sleep(Duration::from_millis(5)).await;
    append_range(&*log, 600, 700).await;
    let retention = Retention {
        before: Some(between),
        max_bytes: None,
    };
    let gone = log.trim(&retention).await.unwrap();
    assert!(gone > 0 && gone <= 600, "{gone} went");
    let rest: Vec<i64> = read_all(&*log).await.iter().map(value).collect();
    let kept = i64::try_from(gone).unwrap();
    assert_eq!(rest, (kept..700).collect::<Vec<_>>());
    let bounds = log.bounds().await.unwrap();
    assert_eq!(bounds.events, 700 - gone);
    assert_eq!(
        log.trim(&retention).await.unwrap(),
        0,
        "a second trim finds nothing"
    );
    log.close().await.unwrap();
}

/// An event that does not compress well.
fn noisy(n: i64) -> Draft {
    let mut draft = draft("nas1", n);
    let noise = (1..=10).fold(String::new(), |text, k| {
        let mixed = n.unsigned_abs().wrapping_mul(k).wrapping_add(k);
        format!("{text}{:016x}", mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    });
    draft.fields.set_text("noise", &noise);
    draft
}

/// By size the oldest go first, and no more than needed.
pub async fn trim_by_size_goes_as_far_as_it_must(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    for round in 0..8 {
        let drafts = (0..500).map(|n| noisy(round * 500 + n)).collect();
        log.append(drafts, Urgency::Soon).await.unwrap();
    }
    let full = log.bounds().await.unwrap();
    let large = Retention {
        before: None,
        max_bytes: Some(full.bytes),
    };
    assert_eq!(log.trim(&large).await.unwrap(), 0);
    let half = full.bytes / 2;
    let gone = log
        .trim(&Retention {
            before: None,
            max_bytes: Some(half),
        })
        .await
        .unwrap();
    let bounds = log.bounds().await.unwrap();
    assert!(bounds.bytes <= half, "{} > {half}", bounds.bytes);
    assert!(gone > 0 && gone < 4000, "{gone} went");
    let rest: Vec<i64> = read_all(&*log).await.iter().map(value).collect();
    let kept = i64::try_from(gone).unwrap();
    assert_eq!(rest, (kept..4000).collect::<Vec<_>>());
    log.close().await.unwrap();
}

/// Offsets go on after the log was emptied and opened again; ids that were trimmed are still known.
pub async fn offsets_are_never_used_twice(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    let start = log.bounds().await.unwrap().oldest;
    log.append(vec![identified("nas1", "e1", 1)], Urgency::Soon)
        .await
        .unwrap();
    let end = append_range(&*log, 0, 300).await;
    assert_eq!(log.trim(&all_may_go()).await.unwrap(), 301);
    assert!(read_all(&*log).await.is_empty());
    log.close().await.unwrap();

    let log = fixture.open().await;
    let bounds = log.bounds().await.unwrap();
    assert_eq!((&bounds.oldest, &bounds.newest), (&end, &end));
    assert_eq!((bounds.events, bounds.oldest_logged), (0, None));
    match log.read(&start, &everything(10)).await {
        Err(ReadError::PositionGone { oldest, newest }) => {
            assert_eq!((&oldest, &newest), (&end, &end));
        }
        other => panic!("the start gave {other:?}"),
    }
    let again = log
        .append(vec![identified("nas1", "e1", 1)], Urgency::Soon)
        .await
        .unwrap();
    assert_eq!(outcomes(&again.receipts), [Outcome::Duplicate]);
    let after = append_range(&*log, 1, 2).await;
    assert!(after.reaches(&end) && after != end);
    let rest = read_from(&*log, &end, &everything(10)).await;
    assert_eq!(rest.len(), 1);
    assert_eq!(super::event(&rest[0]).seq, 301, "seqs go on too");
    log.close().await.unwrap();
}

/// Positions of consumers are kept, each for itself, over a reopening.
pub async fn consumers_are_remembered(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    assert_eq!(log.consumer_position("ingest").await.unwrap(), None);
    let first = append_range(&*log, 0, 10).await;
    let second = append_range(&*log, 10, 20).await;
    log.set_consumer_position("ingest", &first).await.unwrap();
    log.set_consumer_position("ship", &second).await.unwrap();
    log.set_consumer_position("ingest", &second).await.unwrap();
    log.set_consumer_position("ship", &first).await.unwrap();
    for _ in 0..2 {
        let position = log.consumer_position("ingest").await.unwrap();
        assert_eq!(position.as_ref(), Some(&second));
    }
    log.close().await.unwrap();
    let log = fixture.open().await;
    assert_eq!(log.consumer_position("ship").await.unwrap(), Some(first));
    assert_eq!(log.consumer_position("ingest").await.unwrap(), Some(second));
    assert_eq!(log.consumer_position("other").await.unwrap(), None);
    log.close().await.unwrap();
}
