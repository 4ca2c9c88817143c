//! Laws of what enters the log.

use std::{collections::BTreeMap, sync::Arc};

use schemas::{EventId, FieldValue, Fields};
use tokio::task::JoinSet;

use super::{Fixture, draft, event, identified, ids, outcomes, read_all, read_from, value};
use crate::{Outcome, Urgency};

const SOURCES: [&str; 5] = ["nas1", "pi", "server.host", "router", "_x"];

/// Events of one source come back in the order in which they were appended, whatever others do.
pub async fn events_of_a_source_keep_their_order(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    for round in 0..40_i64 {
        let drafts = (0..15)
            .map(|n| {
                let n = usize::try_from((round * 7 + n * 3) % 5).unwrap();
                draft(SOURCES[n], 0)
            })
            .enumerate()
            .map(|(n, mut draft)| {
                draft
                    .fields
                    .set("value", round * 15 + i64::try_from(n).unwrap());
                draft
            })
            .collect();
        log.append(drafts, Urgency::Soon).await.unwrap();
    }
    log.close().await.unwrap();
    let log = fixture.open().await;
    let records = read_all(&*log).await;
    assert_eq!(records.len(), 600);
    let mut last: BTreeMap<_, (u64, i64)> = BTreeMap::new();
    for record in &records {
        let (seq, previous) = last.entry(event(record).source.clone()).or_insert((0, -1));
        assert_eq!(event(record).seq, *seq + 1);
        assert!(value(record) > *previous);
        (*seq, *previous) = (event(record).seq, value(record));
    }
    log.close().await.unwrap();
}

/// An event is in the log at most once by its id, and the first one stays.
pub async fn an_id_enters_once(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    let other = {
        let mut other = identified("nas1", "e1", 2);
        other.fields.set("value", 77_i64);
        other
    };
    let drafts = vec![
        identified("nas1", "e1", 1),
        identified("nas1", "e1", 2),
        other.clone(),
        identified("nas1", "e2", 2),
        identified("pi", "e1", 2),
    ];
    let appended = log.append(drafts, Urgency::Soon).await.unwrap();
    let new = Outcome::Appended;
    assert_eq!(
        outcomes(&appended.receipts),
        [
            new.clone(),
            new.clone(),
            Outcome::Duplicate,
            new.clone(),
            new.clone()
        ]
    );
    assert_eq!(
        appended.receipts[2].id,
        Some(EventId {
            source: other.source.clone(),
            identity: other.identity.clone().unwrap()
        })
    );
    let again = log.append(vec![other], Urgency::Soon).await.unwrap();
    assert_eq!(outcomes(&again.receipts), [Outcome::Duplicate]);
    assert!(again.position.reaches(&appended.position));
    let records = read_all(&*log).await;
    assert_eq!(records.len(), 4);
    assert!(records.iter().all(|record| value(record) != 77));
    log.close().await.unwrap();
}

/// Also when many append the same at the same time; and whoever is told of a duplicate can read it.
pub async fn concurrent_appends_of_one_id_enter_once(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    let mut tasks = JoinSet::new();
    for task in 0..8_u64 {
        let log = Arc::clone(&log);
        tasks.spawn(async move {
            let mut entered = Vec::new();
            for chunk in 0..10_u64 {
                let seqs = (0..10).map(|n| chunk * 10 + (n + task * 3) % 10 + 1);
                let drafts = seqs.map(|seq| identified("nas1", "e1", seq)).collect();
                let appended = log.append(drafts, Urgency::Soon).await.unwrap();
                let records = read_all(&*log).await;
                for receipt in appended.receipts {
                    let seq = receipt.id.unwrap().identity.seq;
                    assert!(
                        records.iter().any(|record| event(record).seq == seq),
                        "seq {seq} was answered before it could be read"
                    );
                    match receipt.outcome {
                        Outcome::Appended => entered.push(seq),
                        Outcome::Duplicate => {}
                        Outcome::Refused(why) => panic!("refused: {why}"),
                    }
                }
            }
            entered
        });
    }
    let mut entered: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
    entered.sort_unstable();
    let wanted: Vec<u64> = (1..=100).collect();
    assert_eq!(entered, wanted, "each was new to exactly one");
    let mut seqs: Vec<u64> = read_all(&*log).await.iter().map(|r| event(r).seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, wanted);
    assert!(log.sequences().await.unwrap()[0].holes.is_empty());
    log.close().await.unwrap();
}

/// Seqs that were left out are known, may come later, and then only once.
pub async fn holes_are_filled_once(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    let of = |seqs: &[u64]| seqs.iter().map(|&s| identified("nas1", "e1", s)).collect();
    log.append(of(&[1, 2, 5, 9]), Urgency::Soon).await.unwrap();
    let state = log.sequences().await.unwrap().remove(0);
    assert_eq!(
        (state.source.as_str(), state.epoch.as_str()),
        ("nas1", "e1")
    );
    assert_eq!((state.last_seq, state.holes), (9, vec![(3, 4), (6, 8)]));
    log.close().await.unwrap();

    let log = fixture.open().await;
    let appended = log
        .append(of(&[7, 7, 2, 3, 9, 4]), Urgency::Soon)
        .await
        .unwrap();
    let (new, old) = (Outcome::Appended, Outcome::Duplicate);
    assert_eq!(
        outcomes(&appended.receipts),
        [
            new.clone(),
            old.clone(),
            old.clone(),
            new.clone(),
            old.clone(),
            new
        ]
    );
    let state = log.sequences().await.unwrap().remove(0);
    assert_eq!((state.last_seq, state.holes), (9, vec![(6, 6), (8, 8)]));
    assert_eq!(read_all(&*log).await.len(), 7);
    log.close().await.unwrap();
}

/// The log's own seqs are 1, 2, 3 … however many append.
pub async fn assigned_seqs_have_no_hole(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    let mut tasks = JoinSet::new();
    for task in 0..6_i64 {
        let log = Arc::clone(&log);
        tasks.spawn(async move {
            let mut seqs = Vec::new();
            for n in 0..20_i64 {
                let drafts = (0..=n % 3).map(|n| draft("nas1", task + n)).collect();
                let appended = log.append(drafts, Urgency::Soon).await.unwrap();
                for receipt in appended.receipts {
                    assert_eq!(receipt.outcome, Outcome::Appended);
                    seqs.push(receipt.id.unwrap().identity.seq);
                }
            }
            seqs
        });
    }
    let mut seqs: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
    seqs.sort_unstable();
    let count = seqs.len() as u64;
    assert_eq!(seqs, (1..=count).collect::<Vec<_>>());
    let records = read_all(&*log).await;
    assert!(
        records.iter().map(|r| event(r).seq).eq(1..=count),
        "in the log they stand in their order"
    );
    let states = log.sequences().await.unwrap();
    assert_eq!(states.len(), 1);
    assert_eq!((states[0].last_seq, states[0].holes.len()), (count, 0));
    log.close().await.unwrap();
}

/// What cannot be taken is refused alone, with a reason, and uses up no seq.
pub async fn a_refused_draft_does_not_concern_the_others(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    let empty = {
        let mut empty = draft("nas1", 0);
        empty.fields = Fields::new();
        empty
    };
    let huge = {
        let mut huge = draft("nas1", 0);
        for n in 0..80 {
            let name = schemas::FieldName::new(format!("text{n}")).unwrap();
            huge.fields
                .set(name, FieldValue::text("x".repeat(4096)).unwrap());
        }
        huge
    };
    let appended = log
        .append(
            vec![
                draft("nas1", 1),
                empty,
                draft("nas1", 2),
                huge,
                identified("nas1", "e1", 0),
                draft("nas1", 3),
            ],
            Urgency::Soon,
        )
        .await
        .unwrap();
    let taken: Vec<bool> = appended
        .receipts
        .iter()
        .map(|receipt| match &receipt.outcome {
            Outcome::Appended => true,
            Outcome::Duplicate => panic!("nothing is a duplicate here"),
            Outcome::Refused(why) => {
                assert!(!why.is_empty());
                false
            }
        })
        .collect();
    assert_eq!(taken, [true, false, true, false, false, true]);
    assert_eq!(appended.receipts[1].id, None);
    assert!(appended.receipts[4].id.is_some());
    let records = read_all(&*log).await;
    assert_eq!(records.iter().map(value).collect::<Vec<_>>(), [1, 2, 3]);
    let seqs: Vec<u64> = ids(&records).into_iter().map(|(_, _, seq)| seq).collect();
    assert_eq!(seqs, [1, 2, 3]);
    log.close().await.unwrap();
}

/// An empty append answers with a position after all that is durable; from there nothing comes.
pub async fn an_append_of_nothing_answers(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    let first = log.append(Vec::new(), Urgency::Soon).await.unwrap();
    assert!(first.receipts.is_empty());
    let second = log
        .append(vec![draft("nas1", 1)], Urgency::Soon)
        .await
        .unwrap();
    let third = log.append(Vec::new(), Urgency::Soon).await.unwrap();
    assert!(third.position.reaches(&second.position));
    let query = super::everything(10);
    assert_eq!(read_from(&*log, &first.position, &query).await.len(), 1);
    assert!(read_from(&*log, &second.position, &query).await.is_empty());
    assert!(read_from(&*log, &third.position, &query).await.is_empty());
    log.close().await.unwrap();
}
