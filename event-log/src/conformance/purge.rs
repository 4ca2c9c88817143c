//! Laws of what is purged.

use schemas::{Purge, Timestamp, name::SourceKind};

use super::{
    Fixture, draft, everything, identified, ids, outcomes, read_all, read_from, source, value,
};
use crate::{Body, EventLog, Outcome, Purged, Urgency};

fn mark(name: &str) -> schemas::Draft {
    let purge = Purge {
        source: source(name),
        by: "admin".to_owned(),
    };
    let kind = SourceKind::new("push").unwrap();
    purge.draft(kind, Timestamp::now()).unwrap()
}

/// How many offsets of the log are passed because what was there is purged.
async fn passed(log: &dyn EventLog) -> u64 {
    let mut next = log.bounds().await.unwrap().oldest;
    let mut passed = 0;
    loop {
        let batch = log.read(&next, &everything(7)).await.unwrap();
        passed += batch.purged;
        next = batch.next;
        if batch.at_end {
            return passed;
        }
    }
}

/// Everything of a source before the position goes but its mark; offsets, sequences and everything else stay. A log that
/// cannot do that says so and leaves everything as it is.
pub async fn purged_events_are_gone_and_their_places_stay(fixture: &mut impl Fixture) {
    let log = fixture.open().await;
    for from in (0..700).step_by(14) {
        let both = |seq| [identified("nas1", "e1", seq), identified("nas2", "e1", seq)];
        let some = (from + 1..=from + 14).flat_map(both).collect();
        log.append(some, Urgency::Soon).await.unwrap();
    }
    log.close().await.unwrap();
    let later = br#"{"schema":99,"source":"nas1","what":"this release cannot read"}"#;
    let garbage = br"no JSON, though it says nas1";
    fixture.put_bytes(&source("nas1"), later).await;
    fixture.put_bytes(&source("nas1"), garbage).await;
    let log = fixture.open().await;
    let before = log.append(vec![mark("nas1")], Urgency::Soon).await.unwrap();
    let mut again = draft("nas1", -1);
    again.fields.set_text("note", "it came back");
    log.append(vec![again, draft("nas2", -1)], Urgency::Soon)
        .await
        .unwrap();
    let bounds = log.bounds().await.unwrap();
    let sequences = log.sequences().await.unwrap();
    let all = read_all(&*log).await;

    let purged = log.purge(&source("nas1"), &before.position).await.unwrap();
    assert_eq!(log.capabilities().purges, purged != Purged::ByRetention);
    if purged == Purged::ByRetention {
        assert_eq!(read_all(&*log).await, all);
        assert_eq!(passed(&*log).await, 0);
        log.close().await.unwrap();
        return;
    }
    assert_eq!(purged, Purged::Events(701));
    let twice = log.purge(&source("nas1"), &before.position).await.unwrap();
    assert_eq!(twice, Purged::Events(0), "a second purge finds nothing");
    log.append(vec![draft("nas2", -2)], Urgency::Soon)
        .await
        .unwrap();
    log.close().await.unwrap();

    for _ in 0..2 {
        let log = fixture.open().await;
        let left = read_all(&*log).await;
        let events: Vec<_> = left.iter().filter(|r| r.event().is_some()).collect();
        assert_eq!(left.len() - events.len(), 1, "what names nobody stays");
        let of = |name: &str| -> Vec<_> {
            let of_it = events
                .iter()
                .filter(|r| r.event().unwrap().source == source(name));
            of_it.map(|record| (**record).clone()).collect()
        };
        let nas1 = of("nas1");
        assert_eq!(nas1.len(), 2);
        assert!(Purge::is(nas1[0].event().unwrap()));
        assert_eq!(value(&nas1[1]), -1);
        assert_eq!(of("nas2").len(), 702);
        let kept = all.iter().filter(|record| match &record.body {
            Body::Event(event) => event.source != source("nas1"),
            Body::Unreadable { bytes, .. } => **bytes == *garbage,
        });
        for record in kept {
            assert!(left.contains(record), "{record:?} has moved");
        }
        assert_eq!(passed(&*log).await, 701);
        let now = log.bounds().await.unwrap();
        assert_eq!(
            (&now.oldest, now.events),
            (&bounds.oldest, bounds.events + 1)
        );
        let known = log.sequences().await.unwrap();
        for state in sequences
            .iter()
            .filter(|state| state.source == source("nas1"))
        {
            assert!(known.contains(state), "{state:?} is forgotten");
        }
        let resent = (1..=700).map(|seq| identified("nas1", "e1", seq)).collect();
        let resent = log.append(resent, Urgency::Soon).await.unwrap();
        assert!(
            outcomes(&resent.receipts)
                .iter()
                .all(|o| *o == Outcome::Duplicate)
        );
        let rest = read_from(&*log, &before.position, &everything(10)).await;
        assert_eq!(ids(&rest).len(), 3, "reads begin anywhere");
        log.close().await.unwrap();
    }
}
