use std::sync::Arc;

use schemas::{FieldName, FieldValue, Timestamp, api::Agg};

use super::{
    Harness, T, by_source, by_type, float, int, key, labelled, odd_key, only, point, position,
    query, raw, samples, text, write,
};
use crate::{QueryError, Selection, Step};

/// Points are visible with exactly the position that came with them.
pub async fn points_and_position_move_together(harness: &dyn Harness) {
    let store = harness.open().await;
    for offset in 1..=5 {
        let time = T + i64::try_from(offset).unwrap();
        write(
            &store,
            offset * 10,
            vec![point("nas1/disk/sda", time, &[("n", int(time))])],
        )
        .await;
        let data = raw(&store, T, T + 100).await;
        assert_eq!(data.position, position(offset * 10));
        assert_eq!(samples(&data, "nas1/disk/sda", "n").len() as u64, offset);
        assert_eq!(store.position().await.unwrap(), Some(position(offset * 10)));
        let state = store.state(&Selection::default(), None).await.unwrap();
        assert_eq!(state.position, position(offset * 10));
    }
    store.close().await.unwrap();
}

/// The later log position wins, field by field; what only the earlier has stays.
pub async fn fields_of_one_time_merge_and_the_later_wins(harness: &dyn Harness) {
    let store = harness.open().await;
    let disk = "nas1/disk/sda";
    write(
        &store,
        1,
        vec![point(disk, T, &[("a", int(1)), ("b", int(1))])],
    )
    .await;
    write(&store, 2, vec![point(disk, T + 5000, &[("a", int(9))])]).await;
    store.flush().await.unwrap();
    let later = point(disk, T, &[("b", int(2)), ("c", text("new"))]);
    write(&store, 3, vec![later]).await;
    for _ in 0..2 {
        let data = raw(&store, T, T + 1).await;
        assert_eq!(samples(&data, disk, "a"), [(T, int(1))]);
        assert_eq!(samples(&data, disk, "b"), [(T, int(2))]);
        assert_eq!(samples(&data, disk, "c"), [(T, text("new"))]);
        store.flush().await.unwrap();
    }
    assert_eq!(store.stats().await.unwrap().points, 2);
    store.close().await.unwrap();
}

/// Reading the log again changes no answer.
pub async fn repeating_changes_nothing(harness: &dyn Harness) {
    let store = harness.open().await;
    let batches: Vec<_> = (0..40_i64)
        .map(|i| {
            vec![
                labelled(
                    point("nas1/disk/sda", T + i * 5000, &[("n", int(i))]),
                    "image",
                    if i % 10 < 5 { "a" } else { "b" },
                ),
                point("nas1/disk/sdb", T + (40 - i) * 5000, &[("x", float(0.5))]),
            ]
        })
        .collect();
    for (offset, batch) in (1..).zip(&batches) {
        write(&store, offset, batch.clone()).await;
    }
    let before = raw(&store, T, T + 1_000_000).await;
    let state = store.state(&Selection::default(), None).await.unwrap();
    let then = Some(Timestamp::from_millis(T + 90_000));
    let past = store.state(&Selection::default(), then).await.unwrap();
    for flush in [false, true, true] {
        if flush {
            store.flush().await.unwrap();
        }
        for (offset, batch) in (1..).zip(&batches) {
            write(&store, offset, batch.clone()).await;
        }
        assert_eq!(raw(&store, T, T + 1_000_000).await, before);
        assert_eq!(
            store.state(&Selection::default(), None).await.unwrap(),
            state
        );
        assert_eq!(
            store.state(&Selection::default(), then).await.unwrap(),
            past
        );
    }
    store.flush().await.unwrap();
    assert_eq!(store.stats().await.unwrap().points, 80);
    store.close().await.unwrap();
}

/// Points may come in any order.
pub async fn late_points_take_their_place(harness: &dyn Harness) {
    let store = harness.open().await;
    let disk = "nas1/disk/sda";
    for (offset, seconds) in (1..).zip([50, 60, 10, 55, 5, 70, 0, 65, 52]) {
        let time = T + seconds * 1000;
        write(
            &store,
            offset,
            vec![point(disk, time, &[("n", int(seconds))])],
        )
        .await;
        if offset % 3 == 0 {
            store.flush().await.unwrap();
        }
    }
    let found: Vec<_> = samples(&raw(&store, T, T + 100_000).await, disk, "n")
        .into_iter()
        .map(|(time, value)| ((time - T) / 1000, value))
        .collect();
    let wanted: Vec<_> = [0, 5, 10, 50, 52, 55, 60, 65, 70]
        .into_iter()
        .map(|s| (s, int(s)))
        .collect();
    assert_eq!(found, wanted);
    let state = store.state(&only(disk), None).await.unwrap();
    assert_eq!(state.entities[0].fields["n"].value, int(70));
    store.close().await.unwrap();
}

/// Floats keep every bit, integers all digits, texts all characters; also in an id that has to be encoded.
pub async fn values_come_back_to_the_bit(harness: &dyn Harness) {
    let store = harness.open().await;
    let wanted = [
        ("negative_zero", float(-0.0)),
        ("subnormal", float(f64::from_bits(1))),
        ("largest", float(f64::MAX)),
        ("tenth", float(0.1)),
        ("whole_float", float(3.0)),
        ("smallest_integer", int(i64::MIN)),
        ("digits", int((1 << 53) + 1)),
        ("flag", FieldValue::Bool(false)),
        ("empty", text("")),
        ("words", text("läuft 🚀\n\"quoted\"")),
    ];
    let mut all = wanted.to_vec();
    if store.capabilities().unsigned {
        all.push(("unsigned", FieldValue::U64(u64::MAX)));
    }
    let mut odd = point("nas1/disk/x", T, &all);
    odd.key = odd_key();
    write(&store, 1, vec![odd]).await;
    for _ in 0..2 {
        let data = raw(&store, T, T + 1).await;
        let state = store.state(&Selection::default(), None).await.unwrap();
        assert_eq!(data.series.len(), all.len());
        assert_eq!(state.entities[0].key, odd_key());
        for (name, value) in &all {
            let series = data
                .series
                .iter()
                .find(|s| s.field.as_str() == *name)
                .unwrap();
            let found = series.values[0].as_ref().unwrap();
            assert!(found.same_as(value), "{name}: {found:?} is not {value:?}");
            let latest = &state.entities[0].fields[*name];
            assert!(latest.value.same_as(value), "{name}: {latest:?}");
        }
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}

/// `[from, to)`.
pub async fn a_range_begins_inclusive_and_ends_exclusive(harness: &dyn Harness) {
    let store = harness.open().await;
    let disk = "nas1/disk/sda";
    let points = (0..5)
        .map(|i| point(disk, T + i, &[("n", int(i))]))
        .collect();
    write(&store, 1, points).await;
    for _ in 0..2 {
        let data = raw(&store, T + 1, T + 3).await;
        assert_eq!(
            samples(&data, disk, "n"),
            [(T + 1, int(1)), (T + 2, int(2))]
        );
        assert!(raw(&store, T + 3, T + 3).await.series.is_empty());
        assert!(raw(&store, T + 3, T + 1).await.series.is_empty());
        assert!(raw(&store, T + 5, T + 9).await.series.is_empty());
        assert!(raw(&store, T - 9, T).await.series.is_empty());
        assert_eq!(raw(&store, T, T + 1).await.tier, "raw");
        store.flush().await.unwrap();
    }
    store.close().await.unwrap();
}

/// By key, field, aggregation.
pub async fn series_are_in_order_and_those_without_values_left_out(harness: &dyn Harness) {
    let store = harness.open().await;
    let fields = [("b", int(1)), ("a", int(2))];
    write(
        &store,
        1,
        vec![
            point("server.host/host/server", T, &fields),
            point("nas1/disk/sdb", T, &fields),
            point("nas1/disk/sda", T, &fields),
            point("nas1/disk/old", T - 1_000_000, &fields),
        ],
    )
    .await;
    let asked = query(
        T,
        T + 1000,
        Step::Millis(1000),
        &[Agg::Max, Agg::Mean, Agg::Max],
    );
    let data = store.range(&asked).await.unwrap();
    let names: Vec<_> = data
        .series
        .iter()
        .map(|s| format!("{} {} {}", s.key, s.field, s.agg.unwrap().as_str()))
        .collect();
    let mut wanted = Vec::new();
    for entity in ["nas1/disk/sda", "nas1/disk/sdb", "server.host/host/server"] {
        for field in ["a", "b"] {
            for agg in ["mean", "max"] {
                wanted.push(format!("{entity} {field} {agg}"));
            }
        }
    }
    assert_eq!(names, wanted);
    let some = crate::RangeQuery {
        fields: vec![FieldName::from("b"), FieldName::from("nothing")],
        ..asked
    };
    let data = store.range(&some).await.unwrap();
    assert_eq!(data.series.len(), 6);
    assert!(data.series.iter().all(|s| s.field.as_str() == "b"));
    store.close().await.unwrap();
}

/// Lists of a selection narrow each other.
pub async fn selections_must_all_hold(harness: &dyn Harness) {
    let store = harness.open().await;
    let one = [("n", int(1))];
    write(
        &store,
        1,
        vec![
            point("nas1/disk/sda", T, &one),
            point("nas1/volume/v1", T, &one),
            point("nas2/disk/sda", T, &one),
        ],
    )
    .await;
    let found = async |selection: Selection| -> Vec<String> {
        let state = store.state(&selection, None).await.unwrap();
        let asked = crate::RangeQuery {
            selection,
            ..query(T, T + 1, Step::Raw, &[])
        };
        let data = store.range(&asked).await.unwrap();
        let keys: Vec<_> = data.series.iter().map(|s| s.key.to_string()).collect();
        let states: Vec<_> = state.entities.iter().map(|e| e.key.to_string()).collect();
        assert_eq!(keys, states);
        keys
    };
    assert_eq!(found(Selection::default()).await.len(), 3);
    assert_eq!(
        found(by_source("nas1")).await,
        ["nas1/disk/sda", "nas1/volume/v1"]
    );
    assert_eq!(
        found(by_type("disk")).await,
        ["nas1/disk/sda", "nas2/disk/sda"]
    );
    assert_eq!(found(only("nas2/disk/sda")).await, ["nas2/disk/sda"]);
    let both = Selection {
        entity_types: by_type("disk").entity_types,
        ..by_source("nas1")
    };
    assert_eq!(found(both).await, ["nas1/disk/sda"]);
    let neither = Selection {
        entities: vec![key("nas2/disk/sda"), key("nas3/disk/x")],
        ..by_source("nas1")
    };
    assert!(found(neither).await.is_empty());
    store.close().await.unwrap();
}

/// An answer that is too large is refused, and one at the limit is not.
pub async fn limits_are_kept(harness: &dyn Harness) {
    let store = harness.open().await;
    let points = (0..100)
        .flat_map(|i| {
            let fields = [("n", int(i))];
            [
                point("nas1/disk/sda", T + i * 1000, &fields),
                point("nas1/disk/sdb", T + i * 1000, &fields),
            ]
        })
        .collect();
    write(&store, 1, points).await;
    for _ in 0..2 {
        for (step, what, values) in [
            (Step::Raw, "samples", 200),
            (Step::Millis(10_000), "windows", 20),
        ] {
            let asked = |max_series, max_values| crate::RangeQuery {
                max_series,
                max_values,
                ..query(T, T + 100_000, step, &[Agg::Mean])
            };
            assert!(store.range(&asked(2, values)).await.is_ok());
            let error = store.range(&asked(1, values)).await.unwrap_err();
            assert!(
                matches!(
                    error,
                    QueryError::TooLarge {
                        what: "series",
                        limit: 1,
                        asked: 2..
                    }
                ),
                "{error}"
            );
            let error = store.range(&asked(2, values - 1)).await.unwrap_err();
            let QueryError::TooLarge { what: found, .. } = error else {
                panic!("{error}")
            };
            assert_eq!(found, what);
        }
        store.flush().await.unwrap();
    }
    // before anything is read or made
    let endless = query(0, i64::MAX, Step::Millis(1), &[Agg::Mean]);
    assert!(matches!(
        store.range(&endless).await,
        Err(QueryError::TooLarge {
            what: "windows",
            ..
        })
    ));
    store.close().await.unwrap();
}

/// What is read while others write and flush has all points before its position and none after.
pub async fn reads_while_writing_agree_with_their_position(harness: &dyn Harness) {
    const BATCHES: u64 = 400;
    let store = harness.open().await;
    let disk = "nas1/disk/sda";
    let reader = Arc::clone(&store);
    let writing = async {
        for offset in 1..=BATCHES {
            let i = i64::try_from(offset).unwrap();
            // every seventh is late
            let time = T + if i % 7 == 0 { i - 5 } else { i } * 1000;
            let values = [("n", int(i)), ("late", FieldValue::Bool(i % 7 == 0))];
            write(&store, offset, vec![point(disk, time + i % 7, &values)]).await;
            if i % 9 == 0 {
                store.flush().await.unwrap();
            }
            if i % 3 == 0 {
                tokio::task::yield_now().await;
            }
        }
    };
    let reading = async {
        let mut reads = 0;
        loop {
            let data = raw(&reader, T, T + 1_000_000).await;
            let mut seen: Vec<i64> = samples(&data, disk, "n")
                .into_iter()
                .map(|(_, value)| match value {
                    FieldValue::I64(n) => n,
                    other => panic!("{other:?}"),
                })
                .collect();
            seen.sort_unstable();
            let until = i64::try_from(data.position.offset(0)).unwrap();
            assert_eq!(seen, (1..=until).collect::<Vec<_>>());
            reads += 1;
            tokio::task::yield_now().await;
            if data.position.offset(0) == BATCHES {
                return reads;
            }
        }
    };
    let ((), reads) = tokio::join!(writing, reading);
    assert!(reads > 1);
    store.close().await.unwrap();
}
