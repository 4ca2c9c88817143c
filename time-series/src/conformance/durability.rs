use schemas::{Timestamp, api::Agg};

use super::{Harness, T, int, labelled, point, position, query, raw, samples, text, write};
use crate::{QueryError, Selection, Step, WriteBatch, WriteError};

const DISK: &str = "nas1/disk/sda";

/// Until a batch came.
pub async fn a_new_store_has_no_position(harness: &dyn Harness) {
    let store = harness.open().await;
    assert_eq!(store.position().await.unwrap(), None);
    assert_eq!(store.durable_position().await.unwrap(), None);
    assert!(raw(&store, 0, T).await.series.is_empty());
    assert_eq!(store.stats().await.unwrap().points, 0);
    store.close().await.unwrap();
}

/// And can be made durable alone.
pub async fn an_empty_batch_moves_the_position(harness: &dyn Harness) {
    let store = harness.open().await;
    write(&store, 7, Vec::new()).await;
    assert_eq!(store.position().await.unwrap(), Some(position(7)));
    store.flush().await.unwrap();
    assert_eq!(store.durable_position().await.unwrap(), Some(position(7)));
    store.close().await.unwrap();
    drop(store);
    if harness.keeps() {
        let store = harness.open().await;
        assert_eq!(store.position().await.unwrap(), Some(position(7)));
        store.close().await.unwrap();
    }
}

/// Values, newest values, labels, types and position.
pub async fn what_was_flushed_is_kept(harness: &dyn Harness) {
    let store = harness.open().await;
    for i in 0..50 {
        let fields = [("n", int(i)), ("state", text("up"))];
        let one = labelled(point(DISK, T + i * 1000, &fields), "model", "x");
        write(&store, u64::try_from(i).unwrap() + 1, vec![one]).await;
    }
    let before = (
        raw(&store, T, T + 100_000).await,
        store.state(&Selection::default(), None).await.unwrap(),
        store.field_types().await.unwrap(),
    );
    store.flush().await.unwrap();
    assert_eq!(store.durable_position().await.unwrap(), Some(position(50)));
    drop(store);
    if !harness.keeps() {
        return;
    }
    for _ in 0..2 {
        let store = harness.open().await;
        assert_eq!(store.position().await.unwrap(), Some(position(50)));
        let after = (
            raw(&store, T, T + 100_000).await,
            store.state(&Selection::default(), None).await.unwrap(),
            store.field_types().await.unwrap(),
        );
        assert_eq!(after, before);
        assert_eq!(store.stats().await.unwrap().points, 50);
        store.close().await.unwrap();
    }
}

/// A crash goes back to the durable position, with all before it and nothing after it.
pub async fn what_was_not_durable_is_read_again(harness: &dyn Harness) {
    let store = harness.open().await;
    let batch = |i: i64| vec![point(DISK, T + i * 1000, &[("n", int(i))])];
    for i in 0..30 {
        write(&store, u64::try_from(i).unwrap() + 1, batch(i)).await;
        if i == 19 {
            store.flush().await.unwrap();
        }
    }
    drop(store);
    if !harness.keeps() {
        return;
    }
    let store = harness.open().await;
    let from = store.position().await.unwrap().unwrap().offset(0);
    assert!((20..=30).contains(&from), "{from}");
    let there = samples(&raw(&store, T, T + 100_000).await, DISK, "n").len() as u64;
    assert_eq!(there, from);
    let state = store.state(&Selection::default(), None).await.unwrap();
    assert_eq!(
        state.entities[0].fields["n"].value,
        int(i64::try_from(from).unwrap() - 1)
    );
    for i in i64::try_from(from).unwrap()..30 {
        write(&store, u64::try_from(i).unwrap() + 1, batch(i)).await;
    }
    assert_eq!(
        samples(&raw(&store, T, T + 100_000).await, DISK, "n").len(),
        30
    );
    store.close().await.unwrap();
}

/// What is newer stays whole, and what every field was last is known for ever.
pub async fn trimming_keeps_the_newest_value(harness: &dyn Harness) {
    let store = harness.open().await;
    write(
        &store,
        1,
        vec![point("nas1/disk/gone", T, &[("n", int(1))])],
    )
    .await;
    for i in 0..300_i64 {
        let offset = u64::try_from(i).unwrap() + 2;
        write(
            &store,
            offset,
            vec![point(DISK, T + i * 1000, &[("n", int(i))])],
        )
        .await;
        if i % 50 == 0 {
            store.flush().await.unwrap();
        }
    }
    store.flush().await.unwrap();
    let before = store.stats().await.unwrap().points;
    let cut = T + 150_000;
    let gone = store.trim(Timestamp::from_millis(cut)).await.unwrap();
    assert!(gone > 0 && gone <= 151, "{gone}");
    assert_eq!(store.stats().await.unwrap().points, before - gone);
    assert_eq!(
        samples(&raw(&store, cut, T + 300_000).await, DISK, "n").len(),
        150
    );
    let state = store.state(&Selection::default(), None).await.unwrap();
    assert_eq!(state.entities.len(), 2);
    let newest: Vec<_> = state
        .entities
        .iter()
        .map(|e| e.fields["n"].value.clone())
        .collect();
    assert_eq!(newest, [int(1), int(299)]);
    // twice is as good as once
    assert_eq!(store.trim(Timestamp::from_millis(cut)).await.unwrap(), 0);
    // and all of it
    store
        .trim(Timestamp::from_millis(T + 1_000_000))
        .await
        .unwrap();
    assert!(raw(&store, 0, T + 1_000_000).await.series.is_empty());
    assert_eq!(store.stats().await.unwrap().samples, 0);
    let state = store.state(&Selection::default(), None).await.unwrap();
    assert_eq!(state.entities[1].fields["n"].value, int(299));
    // limits know that it is gone
    let none = crate::RangeQuery {
        max_series: 0,
        ..query(0, T + 1_000_000, Step::Raw, &[Agg::Mean])
    };
    assert!(store.range(&none).await.unwrap().series.is_empty());
    store.close().await.unwrap();
}

/// Entities, points and values; what is open is a part of them.
pub async fn statistics_count_what_is_there(harness: &dyn Harness) {
    let store = harness.open().await;
    for i in 0..10 {
        let points = vec![
            point(DISK, T + i * 1000, &[("a", int(i)), ("b", int(i))]),
            point("nas1/disk/sdb", T + i * 1000, &[("a", int(i))]),
        ];
        write(&store, u64::try_from(i).unwrap() + 1, points).await;
    }
    for flushed in [false, true] {
        let stats = store.stats().await.unwrap();
        assert_eq!((stats.entities, stats.points, stats.samples), (2, 20, 30));
        assert!(stats.open_points <= if flushed { 0 } else { 20 });
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}

/// Whatever is asked; closing twice is fine.
pub async fn a_closed_store_refuses(harness: &dyn Harness) {
    let store = harness.open().await;
    write(&store, 1, vec![point(DISK, T, &[("n", int(1))])]).await;
    store.close().await.unwrap();
    store.close().await.unwrap();
    let batch = WriteBatch {
        points: Vec::new(),
        position: position(2),
    };
    assert!(matches!(store.write(batch).await, Err(WriteError::Closed)));
    assert!(matches!(store.flush().await, Err(WriteError::Closed)));
    assert!(matches!(
        store.trim(Timestamp::from_millis(0)).await,
        Err(WriteError::Closed)
    ));
    assert!(matches!(store.position().await, Err(QueryError::Closed)));
    assert!(matches!(store.stats().await, Err(QueryError::Closed)));
    assert!(matches!(store.field_types().await, Err(QueryError::Closed)));
    assert!(matches!(
        store.state(&Selection::default(), None).await,
        Err(QueryError::Closed)
    ));
    let asked = query(T, T + 1, Step::Raw, &[]);
    assert!(matches!(store.range(&asked).await, Err(QueryError::Closed)));
}

/// Whoever writes or flushes while the store is closed gets an answer.
pub async fn closing_answers_everybody(harness: &dyn Harness) {
    for offset in 1..=50 {
        let store = harness.open().await;
        let closing = async {
            tokio::task::yield_now().await;
            store.close().await.unwrap();
        };
        let flushing = async {
            loop {
                let time = T + i64::try_from(offset).unwrap();
                let batch = WriteBatch {
                    points: vec![point(DISK, time, &[("n", int(1))])],
                    position: position(offset),
                };
                let written = match store.write(batch).await {
                    Ok(_) => store.flush().await,
                    Err(refused) => Err(refused),
                };
                match written {
                    Ok(()) => tokio::task::yield_now().await,
                    Err(WriteError::Closed) => return,
                    Err(error) => panic!("{error}"),
                }
            }
        };
        let both = async { tokio::join!(closing, flushing, store.flush()) };
        let ((), (), flushed) = tokio::time::timeout(std::time::Duration::from_secs(20), both)
            .await
            .unwrap();
        assert!(
            matches!(flushed, Ok(()) | Err(WriteError::Closed)),
            "{flushed:?}"
        );
    }
}
