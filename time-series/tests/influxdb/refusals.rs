//! What the server refuses for good goes to its writer with the server's words; everything else is stored.

use prometheus_client::registry::Registry;
use schemas::{FieldName, FieldValue, SourceName, Timestamp};
use std::time::Duration;
use supervision::Supervisor;
use time_series::{
    Influxdb, PartitionedStore, Point, Purged, RangeQuery, Selection, Step, TimeSeries,
    influxdb::Metrics,
};

use super::{
    place::{T, new_bucket, open, options, reading, server},
    scripted::{Answer, Scripted},
};

async fn count(store: &Influxdb, field: &str) -> usize {
    let query = RangeQuery {
        selection: Selection::default(),
        fields: vec![FieldName::new(field).unwrap()],
        from: Timestamp::from_millis(0),
        to: Timestamp::from_millis(7_000_000_000_000),
        step: Step::Raw,
        aggs: Vec::new(),
        max_series: 10_000,
        max_values: 1_000_000,
    };
    let data = store.range(&query).await.unwrap();
    data.series.iter().map(|series| series.values.len()).sum()
}

fn with(mut point: Point, field: &'static str, value: FieldValue) -> Point {
    point.fields.set(field, 7_i64);
    point.fields.remove(field);
    point.fields = point
        .fields
        .into_iter()
        .chain([(FieldName::from(field), value)])
        .collect();
    point
}

/// The other fields of its point are kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_of_types_costs_that_field() {
    let store = open(&new_bucket()).await;
    store
        .write_partition(vec![reading("d0", 1)], 0, 1)
        .await
        .unwrap();
    let bad = [3, 4, 250];
    let points = (0..400)
        .map(|i| {
            let point = with(reading(&format!("d{}", i % 9), i), "ok", FieldValue::I64(i));
            if bad.contains(&i) {
                with(point, "n", FieldValue::F64(0.5))
            } else {
                point
            }
        })
        .collect();
    let written = store.write_partition(points, 0, 2).await.unwrap();
    let indexes: Vec<_> = written.refused.iter().map(|r| r.index).collect();
    assert_eq!(indexes, [3, 4, 250]);
    for refused in &written.refused {
        assert!(
            refused.why.contains("field type conflict: input field \"n\" on measurement \"disk\" is type float, already exists as type integer"),
            "{}",
            refused.why
        );
    }
    assert_eq!(count(&store, "ok").await, 400);
    // and the one from before
    assert_eq!(count(&store, "n").await, 398);
    assert_eq!(store.partition_position(0).await.unwrap(), Some(2));
    store.close().await.unwrap();
}

/// One or all; for all it does not take a request for each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_older_than_retention_is_refused_and_the_rest_stored() {
    let mut registry = Registry::default();
    let mut options = options(&server().url(), &new_bucket());
    options.retention = Some(Duration::from_hours(2));
    options.metrics = Metrics::register(&mut registry);
    let store = Influxdb::open(options, &Supervisor::new()).await.unwrap();
    let now = Timestamp::now();
    let at = |mut point: Point, time| {
        point.time = time;
        point
    };
    let old = now.plus_millis(-40 * 86_400_000);
    let points = (0..100)
        .map(|i| {
            let time = if i % 50 == 7 { old } else { now }.plus_millis(i);
            at(reading("d0", i), time)
        })
        .collect();
    let written = store.write_partition(points, 0, 1).await.unwrap();
    let indexes: Vec<_> = written.refused.iter().map(|r| r.index).collect();
    assert_eq!(indexes, [7, 57]);
    let why = &written.refused[0].why;
    assert!(
        why.contains("dropped 1 points outside retention policy"),
        "{why}"
    );
    assert_eq!(count(&store, "n").await, 98);
    let requests = || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let name = "homelog_store_write_requests_total ";
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].parse::<u64>().unwrap()
    };
    let before = requests();
    let points = (0..2000)
        .map(|i| at(reading("d0", i), old.plus_millis(i)))
        .collect();
    let written = store.write_partition(points, 0, 2).await.unwrap();
    assert_eq!(written.refused.len(), 2000);
    assert!(requests() - before < 10);
    store.close().await.unwrap();
}

/// It is never rounded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_number_above_63_bits_is_refused_and_the_rest_stored() {
    let store = open(&new_bucket()).await;
    let point = with(reading("d0", 1), "big", FieldValue::U64(u64::MAX));
    let mut alone = with(reading("d1", 1), "big", FieldValue::U64(u64::MAX));
    alone.fields.remove("n");
    let written = store
        .write_partition(vec![point, alone], 0, 1)
        .await
        .unwrap();
    assert_eq!(written.refused.len(), 2);
    assert!(
        written.refused[0]
            .why
            .contains("`big` is 18446744073709551615")
    );
    assert_eq!(
        (count(&store, "n").await, count(&store, "big").await),
        (1, 0)
    );
    store.close().await.unwrap();
}

/// Names that the server would swallow, and ids that line protocol cannot write as they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_names_come_back() {
    let store = open(&new_bucket()).await;
    let names = [
        "time",
        "id",
        "source",
        "_field",
        "_measurement",
        "label_x",
        "field_x",
        "homelog_origin",
        "a b,c=d",
        "back\\",
        "per%cent",
        "quote\"d",
        "ünï🚀",
        "select",
        "f'x",
        "a\\,b",
    ];
    let ids = ["C:\\", "a\\,b", "100%", "x=y, z", "it's", "\"q\"", "ü🚀|5C"];
    let mut points = Vec::new();
    for id in ids {
        let mut point = reading("d0", 1);
        point.key.id = schemas::name::EntityId::new(id).unwrap();
        point.labels = std::sync::Arc::new(
            names
                .iter()
                .map(|name| (FieldName::from(*name), "l, \"1\"\\".into()))
                .collect(),
        );
        for name in names {
            point = with(point, name, FieldValue::Text(name.into()));
        }
        points.push(point);
    }
    let written = store.write_partition(points.clone(), 0, 1).await.unwrap();
    assert_eq!(written.refused, []);
    let state = store.state(&Selection::default(), None).await.unwrap();
    assert_eq!(state.entities.len(), ids.len());
    for point in &points {
        let found = state.entities.iter().find(|e| e.key == point.key).unwrap();
        assert_eq!(found.labels, point.labels);
        let fields: schemas::Fields = found
            .fields
            .iter()
            .map(|(name, latest)| (name.clone(), latest.value.clone()))
            .collect();
        assert_eq!(fields, point.fields);
        let only = Selection {
            entities: vec![point.key.clone()],
            ..Selection::default()
        };
        assert_eq!(store.state(&only, None).await.unwrap().entities.len(), 1);
    }
    assert!(points[0].time.as_millis() >= T);
    store.close().await.unwrap();
}

/// A type is fixed within a shard only, so another writer may have changed it since: numbers are read as floats, and texts show
/// up beside them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_that_changed_between_shards_is_read() {
    let store = open(&new_bucket()).await;
    let later = |n: i64, value: FieldValue| with(reading("d0", n * 30 * 86_400), "n", value);
    let values = [
        FieldValue::I64(1),
        FieldValue::F64(0.5),
        FieldValue::Text("three".into()),
    ];
    for (n, value) in (0..).zip(&values) {
        let written = store
            .write_partition(vec![later(n, value.clone())], 0, 1)
            .await
            .unwrap();
        assert_eq!(written.refused, []);
    }
    let mut query = RangeQuery {
        selection: Selection::default(),
        fields: Vec::new(),
        from: Timestamp::from_millis(T),
        to: Timestamp::from_millis(T + 100 * 86_400_000),
        step: Step::Raw,
        aggs: vec![schemas::api::Agg::Last],
        max_series: 10,
        max_values: 1000,
    };
    let found: Vec<_> = store.range(&query).await.unwrap().series[0].values.clone();
    let wanted = [FieldValue::F64(1.0), values[1].clone(), values[2].clone()];
    assert_eq!(found, wanted.map(Some));
    query.step = Step::Millis(100 * 86_400_000);
    let last = store.range(&query).await.unwrap();
    assert_eq!(
        last.series[0].values.iter().flatten().last(),
        Some(&values[2])
    );
    for (n, wanted) in (0..).zip([FieldValue::F64(1.0), values[1].clone(), values[2].clone()]) {
        let at = Timestamp::from_millis(T + n * 30 * 86_400_000);
        let state = store.state(&Selection::default(), Some(at)).await.unwrap();
        assert_eq!(state.entities[0].fields["n"].value, wanted);
    }
    store.close().await.unwrap();
}

/// Version 3 cannot delete: nothing is tried, and nobody is told that something went.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_cannot_delete_says_so() {
    let supervisor = Supervisor::new();
    for (version, deletes) in [("3.1.0", false), ("v2.7.12", true)] {
        let health = format!(r#"{{"name":"influxdb","version":"{version}"}}"#);
        let scripted = Scripted::start(&supervisor, move |request| {
            let is_health = request.path.starts_with("/health");
            let wait = Duration::ZERO;
            is_health.then(|| Answer(200, String::new(), health.clone(), wait))
        })
        .await;
        let store = Influxdb::open(options(&scripted.url, "raw"), &supervisor)
            .await
            .unwrap();
        assert_eq!(store.capabilities().purges, deletes);
        let purged = store
            .purge(&SourceName::new("nas1").unwrap())
            .await
            .unwrap();
        assert_eq!(matches!(purged, Purged::Points(0)), deletes, "{purged:?}");
        let asked = scripted.requests();
        let mut calls = asked
            .iter()
            .filter(|r| r.path.starts_with("/api/v2/delete"));
        assert_eq!(calls.clone().count(), if deletes { 2 } else { 0 });
        assert!(calls.all(|r| {
            let body = String::from_utf8_lossy(&r.body);
            body.contains(r#""predicate":"source=\"nas1\"""#)
        }));
    }
}
