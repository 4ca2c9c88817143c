//! InfluxDB answers everything as the store in memory does, whatever was written in whatever order.

use std::sync::Arc;

use proptest::{prelude::*, test_runner::TestCaseError};
use schemas::{
    EntityKey, FieldName, FieldValue, Fields, Labels, Position, SourceName, Timestamp,
    api::Agg,
    name::{AgentName, EntityId, EntityType, SourceKind},
};
use time_series::{
    CalendarUnit, Memory, Point, QueryError, RangeData, RangeQuery, Selection, Step, TimeSeries,
    WriteBatch,
};

use super::place;

/// Saturday before the clocks go forward in Berlin.
const BASE: i64 = 1_774_688_400_000;

#[derive(Clone, Debug)]
enum Op {
    Write(Vec<Point>),
    Repeat(usize),
    Range(RangeQuery),
    State(Selection, Option<Timestamp>),
    Stats,
}

fn key(index: usize) -> EntityKey {
    let (source, entity_type, id) = [
        ("nas1", "disk", "sda"),
        ("nas1", "disk", "sdb 2\\"),
        ("server.host", "host", "server"),
    ][index % 3];
    EntityKey {
        source: SourceName::new(source).unwrap(),
        entity_type: EntityType::new(entity_type).unwrap(),
        id: EntityId::new(id).unwrap(),
    }
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        8 => (0..400_i64, 0..40_i64).prop_map(|(i, j)| BASE + i * 5000 + j),
        3 => (0..30_i64).prop_map(|i| BASE + i * 60_000),
        1 => (0..72_i64, 0..60_i64).prop_map(|(h, m)| BASE + h * 3_600_000 + m * 60_000),
    ]
    .prop_map(Timestamp::from_millis)
}

fn value(field: &'static str) -> BoxedStrategy<FieldValue> {
    match field {
        "used_ratio" => prop_oneof![
            (0..10_000_i32).prop_map(|v| f64::from(v) / 10_000.0),
            -1e6..1e6_f64,
            Just(-0.0),
            Just(f64::MIN_POSITIVE / 8.0),
        ]
        .prop_map(FieldValue::F64)
        .boxed(),
        // sums of these do not fit
        "count" => prop_oneof![-50..50_i64, any::<i64>()]
            .prop_map(FieldValue::I64)
            .boxed(),
        "rx_bytes_total" => prop_oneof![8 => 0..5000_i64, 1 => Just(0), 1 => i64::MAX - 100..]
            .prop_map(FieldValue::I64)
            .boxed(),
        "state" => prop::sample::select(vec!["up", "down", "it's \"odd\"\\"])
            .prop_map(|text| FieldValue::Text(Arc::from(text)))
            .boxed(),
        _ => any::<bool>().prop_map(FieldValue::Bool).boxed(),
    }
}

const FIELDS: [&str; 5] = ["count", "healthy", "rx_bytes_total", "state", "used_ratio"];

fn fields() -> impl Strategy<Value = Fields> {
    let one = |field: &'static str| {
        prop::option::weighted(0.7, value(field))
            .prop_map(move |v| v.map(|v| (FieldName::from(field), v)))
    };
    FIELDS
        .map(one)
        .prop_map(|all| all.into_iter().flatten().collect())
}

fn point() -> impl Strategy<Value = Point> {
    (0..3_usize, time(), fields(), 0..4_usize, any::<bool>()).prop_map(
        |(entity, time, fields, label, agent)| Point {
            key: key(entity),
            kind: SourceKind::new("synology").unwrap(),
            agent: agent.then(|| AgentName::new("hub").unwrap()),
            labels: Arc::new(
                (label > 1)
                    .then(|| (FieldName::from("image"), Arc::from(format!("v{label}"))))
                    .into_iter()
                    .collect::<Labels>(),
            ),
            time,
            fields,
        },
    )
}

fn selection() -> impl Strategy<Value = Selection> {
    prop_oneof![
        Just(Selection::default()),
        prop::collection::vec(0..3_usize, 1..3).prop_map(|keys| Selection {
            entities: keys.into_iter().map(key).collect(),
            ..Selection::default()
        }),
        Just(Selection {
            sources: vec![SourceName::new("server.host").unwrap()],
            entities: vec![key(0), key(2)],
            ..Selection::default()
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    const BERLIN: chrono_tz::Tz = chrono_tz::Europe::Berlin;
    prop_oneof![
        3 => Just(Step::Raw),
        5 => prop::sample::select(vec![60_000, 7_000, 3_600_000, 86_400_000]).prop_map(Step::Millis),
        1 => Just(Step::Calendar(CalendarUnit::Day, BERLIN)),
        1 => Just(Step::Calendar(CalendarUnit::Month, BERLIN)),
    ]
}

fn range() -> impl Strategy<Value = RangeQuery> {
    (
        selection(),
        prop::sample::subsequence(FIELDS.to_vec(), 0..=2),
        (time(), time()),
        any::<bool>(),
        step(),
        prop_oneof![
            prop::sample::subsequence(Agg::ALL.to_vec(), 1..=9),
            // without rates, so that the server makes the windows
            prop::sample::subsequence(Agg::ALL[..7].to_vec(), 1..=7),
        ],
        prop_oneof![9 => Just((1000, 1_000_000)), 1 => (0..12_usize, 0..3000_usize)],
    )
        .prop_map(
            |(selection, fields, (a, b), whole, step, aggs, limits)| RangeQuery {
                selection,
                fields: fields.into_iter().map(FieldName::from).collect(),
                from: if whole {
                    Timestamp::from_millis(BASE - 1)
                } else {
                    a
                },
                to: b,
                step,
                aggs,
                max_series: limits.0,
                max_values: limits.1,
            },
        )
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => prop::collection::vec(point(), 0..40).prop_map(Op::Write),
        1 => (1..4_usize).prop_map(Op::Repeat),
        8 => range().prop_map(Op::Range),
        3 => (selection(), prop::option::of(time())).prop_map(|(s, t)| Op::State(s, t)),
        1 => Just(Op::Stats),
    ]
}

/// Sums of floats may be added up in another order, and InfluxDB takes either of two zeros for the smaller.
fn same(a: Option<&FieldValue>, b: Option<&FieldValue>, agg: Option<Agg>) -> bool {
    match (a, b, agg) {
        (Some(FieldValue::F64(a)), Some(FieldValue::F64(b)), Some(Agg::Min | Agg::Max)) => {
            (a - b).abs() == 0.0
        }
        (
            Some(FieldValue::F64(a)),
            Some(FieldValue::F64(b)),
            Some(Agg::Mean | Agg::Sum | Agg::Rate | Agg::Increase),
        ) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e6),
        (Some(a), Some(b), _) => a.same_as(b),
        (None, None, _) => true,
        _ => false,
    }
}

fn compare(
    left: &Result<RangeData, QueryError>,
    right: &Result<RangeData, QueryError>,
    query: &RangeQuery,
) -> Result<(), TestCaseError> {
    let (left, right) = match (left, right) {
        (Ok(left), Ok(right)) => (left, right),
        (Err(QueryError::TooLarge { .. }), Err(QueryError::TooLarge { .. })) => return Ok(()),
        _ => {
            let text = format!("{query:?}\ninfluxdb {left:?}\nmemory {right:?}");
            return Err(TestCaseError::fail(text));
        }
    };
    prop_assert_eq!(&left.position, &right.position);
    let names = |data: &RangeData| -> Vec<_> {
        data.series
            .iter()
            .map(|s| (s.key.clone(), s.field.clone(), s.agg, s.labels.clone()))
            .collect()
    };
    prop_assert_eq!(names(left), names(right), "{:?}", query);
    for (a, b) in left.series.iter().zip(&right.series) {
        prop_assert_eq!(&a.times, &b.times, "{:?}", query);
        prop_assert_eq!(a.values.len(), b.values.len());
        for ((x, y), time) in a.values.iter().zip(&b.values).zip(a.times.iter()) {
            prop_assert!(
                same(x.as_ref(), y.as_ref(), a.agg),
                "{} {} {:?} at {}: influxdb {:?}, memory {:?}\n{:?}",
                a.key,
                a.field,
                a.agg,
                time,
                x,
                y,
                query
            );
        }
    }
    Ok(())
}

async fn run(ops: Vec<Op>) -> Result<(), TestCaseError> {
    let mut log: Vec<WriteBatch> = Vec::new();
    let memory = Memory::new();
    let store = place::open(&place::new_bucket()).await;
    for op in ops {
        match op {
            Op::Write(points) => {
                let position = Position::from_offsets(vec![log.len() as u64 + 1]);
                log.push(WriteBatch { points, position });
                let batch = &log[log.len() - 1];
                memory.write(batch.clone()).await.unwrap();
                let written = store.write(batch.clone()).await.unwrap();
                prop_assert_eq!(written.refused, Vec::new());
            }
            Op::Repeat(count) => {
                let begin = log.len().saturating_sub(count);
                for batch in &log[begin..] {
                    store.write(batch.clone()).await.unwrap();
                }
            }
            Op::Range(query) => {
                let (a, b) = (store.range(&query).await, memory.range(&query).await);
                compare(&a, &b, &query)?;
            }
            Op::State(selection, at) => {
                let a = store.state(&selection, at).await.unwrap();
                let b = memory.state(&selection, at).await.unwrap();
                prop_assert_eq!(a, b, "{:?} {:?}", selection, at);
            }
            Op::Stats => {
                let (a, b) = (store.stats().await.unwrap(), memory.stats().await.unwrap());
                prop_assert_eq!(
                    (a.entities, a.points, a.samples),
                    (b.entities, b.points, b.samples)
                );
            }
        }
    }
    prop_assert_eq!(
        store.field_types().await.unwrap(),
        memory.field_types().await.unwrap()
    );
    store.close().await.unwrap();
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        max_shrink_iters: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn every_answer_is_that_of_memory(ops in prop::collection::vec(op(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(run(ops))?;
    }
}
