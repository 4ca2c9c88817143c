//! Laws of what comes out of the log.

use std::{sync::Arc, time::Duration};

use schemas::{
    Draft, EntityKey, EventType, Position, Timestamp,
    name::{EntityId, EntityType},
};
use tokio::time::{sleep, timeout};

use super::{Fixture, draft, event, everything, read_all, read_from, source, value};
use crate::{Body, EventLog, Filter, ReadError, ReadQuery, Record, Urgency};

/// About 700 events of several sources, entities, types and times, in appends of different sizes.
async fn fill(log: &dyn EventLog) -> usize {
    let mut count = 0;
    for (round, size) in [1, 3, 250, 1, 1, 70, 300, 2, 90, 1].into_iter().enumerate() {
        let drafts: Vec<Draft> = (0..size).map(|n| varied(count + n, round)).collect();
        count += size;
        log.append(drafts, Urgency::Soon).await.unwrap();
    }
    count
}

fn varied(n: usize, round: usize) -> Draft {
    let number = i64::try_from(n).unwrap();
    let mut draft = draft(["nas1", "pi", "hub"][n % 3], number);
    draft.entity.entity_type = EntityType::new(["disk", "host"][n / 3 % 2]).unwrap();
    draft.entity.id = EntityId::new(["a", "b/ü"][n / 5 % 2]).unwrap();
    draft.event_type = [EventType::Sample, EventType::Change, EventType::Source][n / 7 % 3];
    // observed partly out of order
    let back = if round.is_multiple_of(2) { 1 } else { 4000 };
    draft.time = Timestamp::from_millis(1_700_000_000_000 + number * 10 - back);
    draft
}

/// Sorted by place, since between partitions there is no order.
fn places(records: &[Record]) -> Vec<(usize, u64)> {
    let mut places: Vec<_> = records.iter().map(|r| (r.partition, r.offset)).collect();
    places.sort_unstable();
    places
}

/// Reading from any position gives what comes after it and nothing else, from memory or from where it is kept.
pub async fn every_position_gives_exactly_the_rest(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    let count = fill(&*log).await;
    exactly_the_rest(&*log, count).await;
    log.close().await.unwrap();
    let log = fixture.open().await;
    exactly_the_rest(&*log, count).await;
    log.close().await.unwrap();
}

async fn exactly_the_rest(log: &dyn EventLog, count: usize) {
    let records = read_all(log).await;
    assert_eq!(records.len(), count);
    let mut position = log.bounds().await.unwrap().oldest;
    for (n, record) in records.iter().enumerate() {
        if n.is_multiple_of(23) || n + 3 > count {
            let rest = read_from(log, &position, &everything(10_000)).await;
            if log.capabilities().exact_positions {
                assert_eq!(places(&rest), places(&records[n..]), "after {n}");
            } else {
                let rest = places(&rest);
                assert!(places(&records[n..]).iter().all(|p| rest.contains(p)));
            }
        }
        position.advance(record.partition, record.offset);
    }
    assert!(read_from(log, &position, &everything(10)).await.is_empty());
    let end = log.bounds().await.unwrap().newest;
    assert_eq!(position, end);
}

/// Pages of any size, filtered or not, visit each event exactly once.
pub async fn paging_visits_each_event_once(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    let count = fill(&*log).await;
    log.close().await.unwrap();
    let log = fixture.open().await;
    let all = read_all(&*log).await;
    assert_eq!(all.len(), count);
    let oldest = log.bounds().await.unwrap().oldest;
    let filter = Filter {
        sources: vec![source("pi")],
        ..Filter::default()
    };
    for limit in [1, 7, 256, 10_000] {
        let paged = read_from(&*log, &oldest, &everything(limit)).await;
        assert_eq!(places(&paged), places(&all), "pages of {limit}");
        let filter = filter.clone();
        let paged = read_from(&*log, &oldest, &ReadQuery { filter, limit }).await;
        let wanted: Vec<_> = all
            .iter()
            .filter(|r| event(r).source.as_str() == "pi")
            .cloned()
            .collect();
        assert_eq!(places(&paged), places(&wanted), "filtered pages of {limit}");
    }
    let none = log.read(&oldest, &everything(0)).await.unwrap();
    assert!(none.records.is_empty() && !none.at_end && none.next == oldest);
    log.close().await.unwrap();
}

/// A filter returns what it wants and nothing else, alone and joined with others, in memory and kept.
pub async fn filters_choose_what_they_say(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    fill(&*log).await;
    check_filters(&*log).await;
    log.close().await.unwrap();
    let log = fixture.open().await;
    check_filters(&*log).await;
    log.close().await.unwrap();
}

async fn check_filters(log: &dyn EventLog) {
    let key = EntityKey {
        source: source("hub"),
        entity_type: EntityType::new("disk").unwrap(),
        id: EntityId::new("b/ü").unwrap(),
    };
    let at = |n: i64| Some(Timestamp::from_millis(1_700_000_000_000 + n * 10));
    let none = Filter::default();
    let filters = [
        Filter {
            sources: vec![source("nas1"), source("absent")],
            ..none.clone()
        },
        Filter {
            entities: vec![key.clone()],
            ..none.clone()
        },
        Filter {
            entity_types: vec![EntityType::new("host").unwrap()],
            ..none.clone()
        },
        Filter {
            event_types: vec![EventType::Change, EventType::Source],
            ..none.clone()
        },
        Filter {
            from: at(100),
            to: at(300),
            ..none.clone()
        },
        Filter {
            from: at(600),
            ..none.clone()
        },
        Filter {
            to: at(40),
            ..none.clone()
        },
        Filter {
            entities: vec![key],
            event_types: vec![EventType::Sample],
            from: at(-1000),
            to: at(500),
            ..none.clone()
        },
        Filter {
            sources: vec![source("absent")],
            ..none
        },
    ];
    let all = read_all(log).await;
    let oldest = log.bounds().await.unwrap().oldest;
    for filter in filters {
        let wanted: Vec<_> = all
            .iter()
            .filter(|record| filter.wants(event(record)))
            .cloned()
            .collect();
        let query = ReadQuery { filter, limit: 50 };
        let found = read_from(log, &oldest, &query).await;
        assert_eq!(places(&found), places(&wanted), "{:?}", query.filter);
    }
}

/// A tail that waits is woken by an append and can read it; what it can read survives a reopening.
pub async fn a_tail_is_woken_and_sees_only_what_is_durable(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    let mut newest = log.newest();
    let mut at = newest.borrow_and_update().clone();
    let mut seen = Vec::new();
    for n in 0..20 {
        let appending = {
            let log = Arc::clone(&log);
            async move { log.append(vec![draft("nas1", n)], Urgency::Soon).await }
        };
        let woken = timeout(Duration::from_secs(10), newest.changed());
        let (appended, woken) = tokio::join!(appending, woken);
        woken.expect("the tail is woken").unwrap();
        assert!(
            newest
                .borrow_and_update()
                .reaches(&appended.unwrap().position)
        );
        let batch = log.read(&at, &everything(100)).await.unwrap();
        assert!(batch.at_end);
        at = batch.next;
        seen.extend(batch.records);
    }
    assert_eq!(
        seen.iter().map(value).collect::<Vec<_>>(),
        (0..20).collect::<Vec<_>>()
    );
    log.close().await.unwrap();
    let log = fixture.open().await;
    assert_eq!(read_all(&*log).await, seen);
    assert_eq!(*log.newest().borrow(), at);
    log.close().await.unwrap();
}

/// A time leads to the first event that was logged at or after it.
pub async fn seek_finds_the_first_logged_at_or_after(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    let start = log.bounds().await.unwrap();
    assert_eq!(log.seek(Timestamp::now()).await.unwrap(), start.newest);
    let mut times = Vec::new();
    for n in 0..5 {
        sleep(Duration::from_millis(15)).await;
        times.push(Timestamp::now());
        sleep(Duration::from_millis(5)).await;
        let drafts = (0..70).map(|i| draft("nas1", n * 70 + i)).collect();
        log.append(drafts, Urgency::Soon).await.unwrap();
    }
    log.close().await.unwrap();
    let log = fixture.open().await;
    for (n, time) in (0..).zip(times) {
        let position = log.seek(time).await.unwrap();
        let records = read_from(&*log, &position, &everything(1000)).await;
        let values: Vec<i64> = records.iter().map(value).collect();
        assert_eq!(values, (n * 70..350).collect::<Vec<_>>());
        assert!(records.iter().all(|record| record.logged >= time));
    }
    let bounds = log.bounds().await.unwrap();
    let begin = log.seek(Timestamp::from_millis(0)).await.unwrap();
    assert_eq!(begin, bounds.oldest);
    let end = log
        .seek(Timestamp::now().plus_millis(60_000))
        .await
        .unwrap();
    assert_eq!(end, bounds.newest);
    log.close().await.unwrap();
}

/// The time at which events were logged never goes back within a partition, and is the time of the append.
pub async fn logged_never_goes_back(fixture: &mut impl Fixture) {
    let before = Timestamp::now();
    let log = fixture.open().await;
    fill(&*log).await;
    let after = Timestamp::now();
    let records = read_all(&*log).await;
    let mut last = vec![before; log.capabilities().partitions];
    for record in &records {
        assert!(record.logged >= last[record.partition]);
        assert!(record.logged <= after);
        last[record.partition] = record.logged;
    }
    let bounds = log.bounds().await.unwrap();
    assert_eq!(bounds.oldest_logged, records.iter().map(|r| r.logged).min());
    assert_eq!(bounds.events, records.len() as u64);
    assert!(bounds.bytes > 0);
    log.close().await.unwrap();
}

/// A position beyond the end, or of another log, is told apart from an empty rest.
pub async fn a_position_that_never_was_is_gone(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    log.append(vec![draft("nas1", 1)], Urgency::Soon)
        .await
        .unwrap();
    let bounds = log.bounds().await.unwrap();
    let ahead = {
        let mut ahead = bounds.newest.clone();
        ahead.advance(0, bounds.newest.offset(0) + 5);
        ahead
    };
    let foreign = Position::start(bounds.newest.partitions() + 2);
    for position in [ahead, foreign] {
        match log.read(&position, &everything(10)).await {
            Err(ReadError::PositionGone { oldest, newest }) => {
                assert_eq!(
                    (oldest, newest),
                    (bounds.oldest.clone(), bounds.newest.clone())
                );
            }
            other => panic!("{position} gave {other:?}"),
        }
    }
    log.close().await.unwrap();
}

/// What this release cannot read is shown with its bytes, in its place, whatever the filter; the rest stays readable.
pub async fn bytes_of_another_release_are_shown_as_they_are(fixture: &mut impl Fixture) {
    let from = source("nas1");
    let log = fixture.open().await;
    log.append(vec![draft("nas1", 1)], Urgency::Soon)
        .await
        .unwrap();
    log.close().await.unwrap();
    let strange: [&[u8]; 2] = [br#"{"schema":999,"x":1}"#, b"\xff\x00 no JSON"];
    for bytes in strange {
        fixture.put_bytes(&from, bytes).await;
    }
    let log = fixture.open().await;
    log.append(vec![draft("nas1", 2)], Urgency::Soon)
        .await
        .unwrap();
    let records = read_all(&*log).await;
    assert_eq!(records.len(), 4);
    assert_eq!((value(&records[0]), value(&records[3])), (1, 2));
    let wanted_by_none = ReadQuery {
        filter: Filter {
            sources: vec![source("absent")],
            ..Filter::default()
        },
        limit: 1,
    };
    let oldest = log.bounds().await.unwrap().oldest;
    let shown = read_from(&*log, &oldest, &wanted_by_none).await;
    assert_eq!(shown, records[1..3]);
    for (record, wanted) in shown.iter().zip(strange) {
        match &record.body {
            Body::Unreadable { bytes, reason } => {
                assert_eq!(&**bytes, wanted);
                assert!(!reason.is_empty());
            }
            Body::Event(_) => panic!("read as an event"),
        }
    }
    log.close().await.unwrap();
}
