//! Laws of what is purged.

use schemas::SourceName;

use super::{Harness, T, int, labelled, point, position, query, raw, samples, text, write};
use crate::{Purged, Selection, Step};

const GONE: &str = "nas1/disk/sda";
const OTHER: &str = "nas1/volume/v";
const STAYS: &str = "nas2/disk/sda";

/// Everything of one source goes, from memory as from disk, and nothing else does; what comes of it later is new. A store that
/// cannot do that says so, and nothing went.
pub async fn a_purged_source_is_gone_and_may_come_back(harness: &dyn Harness) {
    let store = harness.open().await;
    let nas1 = SourceName::new("nas1").unwrap();
    for i in 0..120_i64 {
        let time = T + i * 1000;
        let points = vec![
            labelled(
                point(GONE, time, &[("n", int(i)), ("state", text("hidden"))]),
                "model",
                "hidden",
            ),
            point(OTHER, time, &[("n", int(i))]),
            point(STAYS, time, &[("n", int(i))]),
        ];
        write(&store, u64::try_from(i).unwrap() + 1, points).await;
        if i == 80 {
            store.flush().await.unwrap();
        }
    }
    assert_eq!(store.points_of(&nas1).await.unwrap(), 240);
    let nobody = SourceName::new("nas3").unwrap();
    assert_eq!(store.points_of(&nobody).await.unwrap(), 0);
    let before = store.state(&Selection::default(), None).await.unwrap();
    let purged = store.purge(&nas1).await.unwrap();
    if let Purged::Unable(why) = purged {
        assert!(!store.capabilities().purges && !why.is_empty());
        let after = store.state(&Selection::default(), None).await.unwrap();
        assert_eq!(after, before);
        return;
    }
    assert_eq!(purged, Purged::Points(240));
    assert!(store.capabilities().purges);
    assert_eq!(store.purge(&nas1).await.unwrap(), Purged::Points(0));
    assert_eq!(store.points_of(&nas1).await.unwrap(), 0);
    assert_eq!(store.position().await.unwrap(), Some(position(120)));
    let is_left_alone = async |store: &std::sync::Arc<dyn crate::TimeSeries>| {
        let data = raw(store, T, T + 1_000_000).await;
        assert_eq!(data.series.len(), 1, "{:?}", data.series);
        assert_eq!(samples(&data, STAYS, "n").len(), 120);
        for at in [None, Some(schemas::Timestamp::from_millis(T + 60_000))] {
            let state = store.state(&Selection::default(), at).await.unwrap();
            let keys: Vec<_> = state.entities.iter().map(|e| e.key.to_string()).collect();
            assert_eq!(keys, [STAYS]);
        }
        assert_eq!(store.stats().await.unwrap().points, 120);
        let none = crate::RangeQuery {
            max_series: 1,
            ..query(0, T + 1_000_000, Step::Raw, &[])
        };
        assert!(
            store.range(&none).await.is_ok(),
            "limits know that it is gone"
        );
    };
    is_left_alone(&store).await;
    store.flush().await.unwrap();
    let mut store = store;
    if harness.keeps() {
        store.close().await.unwrap();
        drop(store);
        store = harness.open().await;
        is_left_alone(&store).await;
    }
    // one that shares nothing but the name, and one that was never there
    let again = vec![
        point("nas3/disk/x", T + 500, &[("n", int(3))]),
        point(GONE, T + 5000, &[("n", int(7))]),
    ];
    write(&store, 121, again).await;
    store.flush().await.unwrap();
    let data = raw(&store, T, T + 1_000_000).await;
    assert_eq!(samples(&data, GONE, "n"), [(T + 5000, int(7))]);
    assert_eq!(samples(&data, "nas3/disk/x", "n"), [(T + 500, int(3))]);
    assert_eq!(samples(&data, STAYS, "n").len(), 120);
    let state = store.state(&super::only(GONE), None).await.unwrap();
    assert_eq!(state.entities.len(), 1);
    assert!(!state.entities[0].fields.contains_key("state"));
    assert!(state.entities[0].labels.is_empty());
    store.close().await.unwrap();
}
