use schemas::{FieldValue, api::Agg};

use super::{Harness, T, float, int, point, query, text, values, write};
use crate::Step;

const HOST: &str = "server.host/host/server";
const MINUTE: Step = Step::Millis(60_000);
const BOTH: [Agg; 2] = [Agg::Rate, Agg::Increase];

fn readings(readings: &[(i64, i64)]) -> Vec<crate::Point> {
    readings
        .iter()
        .map(|(seconds, value)| point(HOST, T + seconds * 1000, &[("rx", int(*value))]))
        .collect()
}

/// Also in the first window and in windows that lie in the range only in part, whatever the samples' times.
pub async fn a_steady_counter_shows_its_exact_rate(harness: &dyn Harness) {
    let store = harness.open().await;
    // 8 a second, every 7 seconds
    let all: Vec<_> = (-10..60).map(|i| (i * 7, 10_000 + i * 56)).collect();
    write(&store, 1, readings(&all)).await;
    for _ in 0..2 {
        let data = store
            .range(&query(T + 20_000, T + 200_000, MINUTE, &BOTH))
            .await
            .unwrap();
        assert_eq!(values(&data, "rx", Agg::Rate), vec![Some(float(8.0)); 4]);
        // later samples of pairs at 21..=56, 63..=119, 126..=175, 182..=196 seconds
        assert_eq!(
            values(&data, "rx", Agg::Increase),
            [6, 9, 8, 3].map(|pairs| Some(int(pairs * 56)))
        );
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}

/// After a reset the reading itself is the increase, wherever the reset lies.
pub async fn resets_count_from_zero(harness: &dyn Harness) {
    let store = harness.open().await;
    let all = [
        (0, 1000),
        (30, 1300),
        // a reset within a window
        (45, 20),
        (50, 50),
        // a reset between windows
        (70, 5),
        (110, 105),
        // to zero exactly
        (130, 0),
        (170, 40),
    ];
    write(&store, 1, readings(&all)).await;
    for _ in 0..2 {
        let data = store
            .range(&query(T, T + 180_000, MINUTE, &BOTH))
            .await
            .unwrap();
        // 300 + 20 + 30, 5 + 100, 0 + 40
        assert_eq!(
            values(&data, "rx", Agg::Increase),
            [350, 105, 40].map(|n| Some(int(n)))
        );
        // over 50, 60 and 60 seconds
        assert_eq!(
            values(&data, "rx", Agg::Rate),
            [350.0 / 50.0, 105.0 / 60.0, 40.0 / 60.0].map(|n| Some(float(n)))
        );
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}

/// The last sample of the hour before the range, and none that is older.
pub async fn the_sample_before_the_range_begins_the_first_pair(harness: &dyn Harness) {
    let store = harness.open().await;
    write(
        &store,
        1,
        readings(&[(-3700, 100), (-3600, 400), (10, 1000), (20, 1100)]),
    )
    .await;
    for _ in 0..2 {
        let data = store
            .range(&query(T, T + 60_000, MINUTE, &BOTH))
            .await
            .unwrap();
        assert_eq!(values(&data, "rx", Agg::Increase), [Some(int(700))]);
        assert_eq!(
            values(&data, "rx", Agg::Rate),
            [Some(float(700.0 / 3620.0))]
        );
        // one millisecond later that sample is too old
        let data = store
            .range(&query(T + 1, T + 60_000, MINUTE, &BOTH))
            .await
            .unwrap();
        assert_eq!(values(&data, "rx", Agg::Increase), [Some(int(100))]);
        assert_eq!(values(&data, "rx", Agg::Rate), [Some(float(10.0))]);
        // a single sample is no pair
        let data = store
            .range(&query(T + 1, T + 15_000, MINUTE, &BOTH))
            .await
            .unwrap();
        assert!(data.series.is_empty());
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}

/// No digit is lost on the way.
pub async fn counters_of_the_whole_range_of_u64_are_exact(harness: &dyn Harness) {
    let store = harness.open().await;
    let top = if store.capabilities().unsigned {
        u64::MAX
    } else {
        i64::MAX.unsigned_abs()
    };
    let points = [(0, 1), (10, top), (70, top), (80, 7)]
        .map(|(s, v)| point(HOST, T + s * 1000, &[("rx", FieldValue::unsigned(v))]));
    write(&store, 1, points.to_vec()).await;
    for _ in 0..2 {
        let data = store
            .range(&query(T, T + 120_000, MINUTE, &[Agg::Increase]))
            .await
            .unwrap();
        assert_eq!(
            values(&data, "rx", Agg::Increase),
            [Some(FieldValue::unsigned(top - 1)), Some(int(7))]
        );
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}

/// Texts and flags give no series for rate and increase.
pub async fn states_have_no_rate(harness: &dyn Harness) {
    let store = harness.open().await;
    let points = (0..5).map(|i| {
        let fields = [("state", text("up")), ("flag", FieldValue::Bool(true))];
        point(HOST, T + i * 1000, &fields)
    });
    write(&store, 1, points.collect()).await;
    let asked = query(
        T,
        T + 60_000,
        MINUTE,
        &[Agg::Rate, Agg::Increase, Agg::Last],
    );
    for _ in 0..2 {
        let data = store.range(&asked).await.unwrap();
        assert_eq!(data.series.len(), 2);
        assert!(data.series.iter().all(|s| s.agg == Some(Agg::Last)));
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}
