use chrono_tz::Europe::Berlin;
use schemas::{FieldValue, Timestamp, api::Agg};

use super::{Harness, T, float, int, point, query, text, values, write};
use crate::{CalendarUnit, Step};

const DISK: &str = "nas1/disk/sda";

/// One value for each window and aggregation.
pub async fn aggregations_of_numbers(harness: &dyn Harness) {
    let store = harness.open().await;
    let points = [(0, 1.5), (1000, -2.0), (2000, 4.0), (60_000, 8.0)]
        .map(|(time, value)| point(DISK, T + time, &[("x", float(value))]));
    write(&store, 1, points.to_vec()).await;
    for _ in 0..2 {
        let asked = query(T, T + 120_000, Step::Millis(60_000), &Agg::ALL);
        let data = store.range(&asked).await.unwrap();
        for (agg, first, second) in [
            (Agg::Mean, float(3.5 / 3.0), float(8.0)),
            (Agg::Min, float(-2.0), float(8.0)),
            (Agg::Max, float(4.0), float(8.0)),
            (Agg::Sum, float(3.5), float(8.0)),
            (Agg::Count, int(3), int(1)),
            (Agg::First, float(1.5), float(8.0)),
            (Agg::Last, float(4.0), float(8.0)),
        ] {
            assert_eq!(
                values(&data, "x", agg),
                [Some(first), Some(second)],
                "{agg:?}"
            );
        }
        assert_eq!(*data.series[0].times, [T, T + 60_000]);
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}

/// Only a mean, and a sum that does not fit, become floats.
pub async fn integers_stay_exact_in_windows(harness: &dyn Harness) {
    let store = harness.open().await;
    let big = (1_i64 << 53) + 1;
    let points = [(0, big), (1000, 2), (60_000, i64::MAX), (61_000, i64::MAX)]
        .map(|(time, value)| point(DISK, T + time, &[("n", int(value))]));
    write(&store, 1, points.to_vec()).await;
    for _ in 0..2 {
        let asked = query(T, T + 120_000, Step::Millis(60_000), &Agg::ALL);
        let data = store.range(&asked).await.unwrap();
        let twice = float(2.0 * 9_223_372_036_854_775_807.0);
        for (agg, first, second) in [
            (Agg::Min, int(2), int(i64::MAX)),
            (Agg::Max, int(big), int(i64::MAX)),
            (Agg::First, int(big), int(i64::MAX)),
            (Agg::Last, int(2), int(i64::MAX)),
            (Agg::Sum, int(big + 2), twice),
            (
                Agg::Mean,
                float(4_503_599_627_370_497.5),
                float(9_223_372_036_854_775_807.0),
            ),
        ] {
            assert_eq!(
                values(&data, "n", agg),
                [Some(first), Some(second)],
                "{agg:?}"
            );
        }
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}

/// Texts and flags come back as they are, and in windows as first, last and count.
pub async fn states_are_kept_and_their_last_counts(harness: &dyn Harness) {
    let store = harness.open().await;
    let states = [
        (0, "up", true),
        (1000, "degraded", false),
        (60_000, "up", true),
    ];
    let points = states.map(|(time, state, flag)| {
        let fields = [("state", text(state)), ("flag", FieldValue::Bool(flag))];
        point(DISK, T + time, &fields)
    });
    write(&store, 1, points.to_vec()).await;
    for _ in 0..2 {
        let asked = query(T, T + 120_000, Step::Millis(60_000), &Agg::ALL);
        let data = store.range(&asked).await.unwrap();
        for agg in [Agg::Mean, Agg::Min, Agg::Max, Agg::Sum, Agg::Last] {
            let wanted = [Some(text("degraded")), Some(text("up"))];
            assert_eq!(values(&data, "state", agg), wanted, "{agg:?}");
            let wanted = [false, true].map(|flag| Some(FieldValue::Bool(flag)));
            assert_eq!(values(&data, "flag", agg), wanted, "{agg:?}");
        }
        assert_eq!(values(&data, "state", Agg::First)[0], Some(text("up")));
        assert_eq!(
            values(&data, "state", Agg::Count),
            [Some(int(2)), Some(int(1))]
        );
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}

/// A window without a sample has no value; it is not left out.
pub async fn empty_windows_have_no_value(harness: &dyn Harness) {
    let store = harness.open().await;
    let points = [0, 120_000].map(|time| point(DISK, T + time, &[("n", int(1))]));
    write(&store, 1, points.to_vec()).await;
    let asked = query(T - 60_000, T + 180_000, Step::Millis(60_000), &[Agg::Sum]);
    for _ in 0..2 {
        let data = store.range(&asked).await.unwrap();
        assert_eq!(
            values(&data, "n", Agg::Sum),
            [None, Some(int(1)), None, Some(int(1))]
        );
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}

/// Windows align to the epoch; the first and the last may lie in the range only in part.
pub async fn partial_windows_hold_only_the_range(harness: &dyn Harness) {
    let store = harness.open().await;
    let points = (0..20).map(|i| point(DISK, T + i * 10_000, &[("n", int(1))]));
    write(&store, 1, points.collect()).await;
    let asked = query(T + 30_000, T + 150_000, Step::Millis(60_000), &[Agg::Count]);
    for _ in 0..2 {
        let data = store.range(&asked).await.unwrap();
        assert_eq!(*data.series[0].times, [T, T + 60_000, T + 120_000]);
        assert_eq!(
            values(&data, "n", Agg::Count),
            [Some(int(3)), Some(int(6)), Some(int(3))]
        );
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}

fn at(text: &str) -> i64 {
    Timestamp::parse(text, Timestamp::default())
        .unwrap()
        .as_millis()
}

/// A day has 23 hours when the clocks go forward and 25 when they go back.
pub async fn days_follow_the_clocks_of_berlin(harness: &dyn Harness) {
    let store = harness.open().await;
    let hourly = |begin: &str| {
        let begin = at(begin);
        (0..72).map(move |hour| point(DISK, begin + hour * 3_600_000, &[("n", int(1))]))
    };
    let (spring, autumn) = ("2026-03-27T23:00:00Z", "2026-10-23T22:00:00Z");
    write(&store, 1, hourly(spring).chain(hourly(autumn)).collect()).await;
    let day = Step::Calendar(CalendarUnit::Day, Berlin);
    for _ in 0..2 {
        for (begin, hours, second, third) in [
            (
                spring,
                [24, 23, 24],
                "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z",
            ),
            (
                autumn,
                [24, 25, 23],
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z",
            ),
        ] {
            let from = at(begin);
            // the range begins within the first day
            let to = at(third) + 24 * 3_600_000;
            let data = store
                .range(&query(from, to, day, &[Agg::Sum]))
                .await
                .unwrap();
            assert_eq!(*data.series[0].times, [from, at(second), at(third)]);
            assert_eq!(values(&data, "n", Agg::Sum), hours.map(|n| Some(int(n))));
            let inside = query(from + 7_200_000, to, day, &[Agg::Sum]);
            let data = store.range(&inside).await.unwrap();
            assert_eq!(data.series[0].times[0], from);
            assert_eq!(values(&data, "n", Agg::Sum)[0], Some(int(22)));
        }
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}

/// Weeks begin on Monday, months on the first.
pub async fn weeks_and_months_are_those_of_the_calendar(harness: &dyn Harness) {
    let store = harness.open().await;
    let begin = at("2026-02-01T12:00:00+01:00");
    let daily = (0..89).map(|day| point(DISK, begin + day * 86_400_000, &[("n", int(1))]));
    write(&store, 1, daily.collect()).await;
    let (from, to) = (
        at("2026-02-01T00:00:00+01:00"),
        at("2026-05-01T00:00:00+02:00"),
    );
    let months = Step::Calendar(CalendarUnit::Month, Berlin);
    let data = store
        .range(&query(from, to, months, &[Agg::Sum]))
        .await
        .unwrap();
    assert_eq!(
        values(&data, "n", Agg::Sum),
        [28, 31, 30].map(|n| Some(int(n)))
    );
    let weeks = Step::Calendar(CalendarUnit::Week, Berlin);
    let data = store
        .range(&query(from, to, weeks, &[Agg::Sum]))
        .await
        .unwrap();
    assert_eq!(data.series[0].times[0], at("2026-01-26T00:00:00+01:00"));
    assert_eq!(data.series[0].times[1], at("2026-02-02T00:00:00+01:00"));
    let sums = values(&data, "n", Agg::Sum);
    assert_eq!(sums[0], Some(int(1)));
    assert!(
        sums[1..13].iter().all(|sum| *sum == Some(int(7))),
        "{sums:?}"
    );
    store.close().await.unwrap();
}
