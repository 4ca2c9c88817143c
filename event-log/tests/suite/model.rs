//! Random histories of the embedded log against a plain list.

use std::collections::{BTreeMap, BTreeSet};

use event_log::{Embedded, EventLog, Outcome, ReadError, Retention, Urgency, embedded::Options};
use proptest::prelude::*;
use schemas::{Draft, Epoch, Identity, Position, Timestamp};

use super::kit::{draft, everything, read_all, value};

const SOURCES: [&str; 3] = ["nas1", "pi", "hub"];

#[derive(Clone, Debug)]
enum Step {
    /// Of a source, so many events; with an identity from a small range, or without.
    Append(Vec<(usize, Option<u64>)>),
    /// Of one source.
    Many(usize, usize),
    Close,
    Drop,
    Consumer(u8),
    TrimAll,
    TrimTo(u64),
    Read(u8, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => proptest::collection::vec(
            (0..SOURCES.len(), proptest::option::of(1..40_u64)), 1..20
        ).prop_map(Step::Append),
        3 => (0..SOURCES.len(), 1..400_usize).prop_map(|(source, n)| Step::Many(source, n)),
        1 => Just(Step::Close),
        1 => Just(Step::Drop),
        1 => any::<u8>().prop_map(Step::Consumer),
        1 => Just(Step::TrimAll),
        1 => (40_000..120_000_u64).prop_map(Step::TrimTo),
        3 => (any::<u8>(), 1..300_usize).prop_map(|(at, limit)| Step::Read(at, limit)),
    ]
}

#[derive(Default)]
struct Model {
    /// Value and source of every event that ever entered, by offset.
    entered: Vec<(i64, usize)>,
    ids: BTreeSet<(usize, u64)>,
    assigned: BTreeMap<usize, u64>,
    oldest: u64,
    consumer: Option<u64>,
}

impl Model {
    fn newest(&self) -> u64 {
        self.entered.len() as u64
    }

    fn rest(&self, from: u64) -> Vec<i64> {
        self.entered[usize::try_from(from).unwrap()..]
            .iter()
            .map(|(value, _)| *value)
            .collect()
    }
}

async fn append(log: &Embedded, model: &mut Model, events: &[(usize, Option<u64>)]) {
    let base = i64::try_from(model.entered.len()).unwrap() * 1000;
    let drafts: Vec<Draft> = (0..)
        .zip(events)
        .map(|(n, (source, seq))| Draft {
            identity: seq.map(|seq| Identity {
                epoch: Epoch::new("writer").unwrap(),
                seq,
            }),
            ..draft(SOURCES[*source], base + n)
        })
        .collect();
    let values: Vec<i64> = (0..).zip(events).map(|(n, _)| base + n).collect();
    let appended = log.append(drafts, Urgency::Soon).await.unwrap();
    for ((value, (source, seq)), receipt) in values.iter().zip(events).zip(&appended.receipts) {
        let new = seq.is_none_or(|seq| model.ids.insert((*source, seq)));
        let wanted = if new {
            Outcome::Appended
        } else {
            Outcome::Duplicate
        };
        assert_eq!(receipt.outcome, wanted);
        if new {
            model.entered.push((*value, *source));
        }
        if seq.is_none() {
            let last = model.assigned.entry(*source).or_insert(0);
            *last += 1;
            assert_eq!(receipt.id.as_ref().unwrap().identity.seq, *last);
        }
    }
    assert_eq!(appended.position.offset(0), model.newest());
}

async fn trim(log: &Embedded, model: &mut Model, retention: Retention) {
    let all = retention.before.is_some();
    let max = retention.max_bytes;
    let gone = log.trim(&retention).await.unwrap();
    let bounds = log.bounds().await.unwrap();
    assert_eq!(bounds.oldest.offset(0), model.oldest + gone);
    model.oldest += gone;
    if let Some(consumer) = model.consumer {
        assert!(model.oldest <= consumer.max(model.oldest - gone));
    } else if all {
        assert_eq!(model.oldest, model.newest());
    } else if let Some(max) = max {
        assert!(bounds.bytes <= max || bounds.events == 0);
    }
}

async fn run(steps: Vec<Step>) {
    let directory = tempfile::tempdir().unwrap();
    let open = || Embedded::open(directory.path(), Options::default()).unwrap();
    let mut log = open();
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Append(events) => append(&log, &mut model, &events).await,
            Step::Many(source, count) => {
                append(&log, &mut model, &vec![(source, None); count]).await;
            }
            Step::Close => {
                log.close().await.unwrap();
                drop(log);
                log = open();
            }
            Step::Drop => {
                drop(log);
                log = open();
            }
            Step::Consumer(part) => {
                let next = model.newest() * u64::from(part) / 255;
                let position = Position::from_offsets(vec![next]);
                log.set_consumer_position("one", &position).await.unwrap();
                model.consumer = Some(next);
            }
            Step::TrimAll => {
                let before = Some(Timestamp::now().plus_millis(10_000));
                let retention = Retention {
                    before,
                    max_bytes: None,
                };
                trim(&log, &mut model, retention).await;
            }
            Step::TrimTo(max) => {
                let retention = Retention {
                    before: None,
                    max_bytes: Some(max),
                };
                trim(&log, &mut model, retention).await;
            }
            Step::Read(part, limit) => read(&log, &model, part, limit).await,
        }
        let bounds = log.bounds().await.unwrap();
        assert_eq!(bounds.oldest.offset(0), model.oldest);
        assert_eq!(bounds.newest.offset(0), model.newest());
        assert_eq!(bounds.events, model.newest() - model.oldest);
        assert_eq!(*log.newest().borrow(), bounds.newest);
    }
    let records = read_all(&log).await;
    let found: Vec<i64> = records.iter().map(value).collect();
    assert_eq!(found, model.rest(model.oldest));
    assert!(
        records
            .iter()
            .map(|r| r.offset)
            .eq(model.oldest..model.newest())
    );
    log.close().await.unwrap();
}

async fn read(log: &Embedded, model: &Model, part: u8, limit: usize) {
    let from = (model.newest() + 2) * u64::from(part) / 255;
    let position = Position::from_offsets(vec![from]);
    let mut query = everything(limit);
    let source = usize::from(part) % (SOURCES.len() + 1);
    if let Some(source) = SOURCES.get(source) {
        query.filter.sources = vec![schemas::SourceName::new(source).unwrap()];
    }
    if part.is_multiple_of(3) {
        // values are times
        query.filter.from = Some(Timestamp::from_millis(
            1_700_000_000_000 + i64::try_from(from).unwrap() * 1000,
        ));
    }
    match log.read(&position, &query).await {
        Ok(batch) => {
            assert!((model.oldest..=model.newest()).contains(&from));
            let next = batch.next.offset(0);
            assert_eq!(batch.at_end, next == model.newest());
            assert!(next > from || batch.at_end);
            let looked_at = usize::try_from(from).unwrap()..usize::try_from(next).unwrap();
            let wanted: Vec<i64> = model.entered[looked_at]
                .iter()
                .filter(|(value, event_source)| {
                    (source == SOURCES.len() || *event_source == source)
                        && query
                            .filter
                            .from
                            .is_none_or(|from| *value + 1_700_000_000_000 >= from.as_millis())
                })
                .map(|(value, _)| *value)
                .collect();
            assert_eq!(batch.records.iter().map(value).collect::<Vec<_>>(), wanted);
            assert!(wanted.len() <= limit);
        }
        Err(ReadError::PositionGone { oldest, newest }) => {
            assert!(from < model.oldest || from > model.newest());
            assert_eq!(
                (oldest.offset(0), newest.offset(0)),
                (model.oldest, model.newest())
            );
        }
        Err(other) => panic!("{other}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_a_list_does(steps in proptest::collection::vec(step(), 1..40)) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(run(steps));
    }
}
