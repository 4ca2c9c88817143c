//! A store that is made from a log.

use std::sync::Arc;

use event_log::{EventLog, Filter, Memory};
use ingest::{Limits, Pace, Rebuild, rebuild};
use schemas::{Catalog, SourceName, Timestamp};
use time_series::TimeSeries;
use tokio_util::sync::CancellationToken;

use crate::lab::{append, content, readings};

const EVENTS: usize = 23_000;

fn with<'a>(log: &'a Memory, store: &'a dyn TimeSeries, catalog: &'a Catalog) -> Rebuild<'a> {
    Rebuild {
        log,
        store,
        catalog,
        limits: Limits::default(),
        filter: Filter::default(),
        resume: false,
        pace: Pace::default(),
    }
}

async fn log() -> Arc<Memory> {
    let log = Arc::new(Memory::new(3));
    append(
        log.as_ref(),
        readings(9, EVENTS, Timestamp::from_millis(1_795_406_700_000)),
    )
    .await;
    log
}

#[tokio::test]
async fn a_rebuild_that_was_stopped_goes_on_where_it_was() {
    let log = log().await;
    let (store, other, catalog) = (
        time_series::Memory::new(),
        time_series::Memory::new(),
        Catalog::default(),
    );
    let mut asked = with(&log, &store, &catalog);
    let stop = CancellationToken::new();
    let stopped = rebuild(&asked, &stop, |progress| {
        if progress.passed >= 5_000 {
            stop.cancel();
        }
    })
    .await
    .unwrap();
    assert!(
        !stopped.complete && stopped.points < EVENTS as u64,
        "{stopped:?}"
    );
    let refused = rebuild(&asked, &CancellationToken::new(), |_| {}).await;
    let message = refused.unwrap_err().to_string();
    assert!(
        message.contains("the store holds something already"),
        "{message}"
    );

    asked.resume = true;
    let mut last = None;
    let rest = rebuild(&asked, &CancellationToken::new(), |p| {
        last = Some(p.clone());
    })
    .await
    .unwrap();
    assert!(rest.complete);
    assert_eq!(stopped.points + rest.points, EVENTS as u64);
    let last = last.unwrap();
    assert_eq!((last.passed, last.points), (last.of, rest.points));
    assert_eq!(
        Some(log.bounds().await.unwrap().newest),
        store.position().await.unwrap()
    );
    let whole = with(&log, &other, &catalog);
    rebuild(&whole, &CancellationToken::new(), |_| {})
        .await
        .unwrap();
    assert_eq!(content(&store).await, content(&other).await);
}

#[tokio::test]
async fn a_rebuild_takes_what_is_asked_for() {
    let log = log().await;
    let (store, catalog) = (time_series::Memory::new(), Catalog::default());
    let mut asked = with(&log, &store, &catalog);
    asked.filter.sources = vec![SourceName::new("lab3").unwrap()];
    let done = rebuild(&asked, &CancellationToken::new(), |_| {})
        .await
        .unwrap();
    assert_eq!(
        done.events,
        (EVENTS as u64).div_ceil(9) - u64::from(EVENTS % 9 <= 3)
    );
    assert!(
        content(&store)
            .await
            .keys()
            .all(|(key, _, _)| key.starts_with("lab3/"))
    );
}
