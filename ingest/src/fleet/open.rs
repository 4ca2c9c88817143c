//! Where a partition is read from.

use super::stage::{self, Tools};
use crate::patience::Patience;

/// How long a partition that was just assigned waits for the store to answer before the worker gives all of them back.
const PATIENCE: tokio::time::Duration = tokio::time::Duration::from_secs(20);

/// Where reading begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Start {
    pub(super) from: u64,
    /// What the store misses and the log does not have: offset of the first, and where it goes on.
    pub(super) lost: Option<(u64, u64)>,
    /// Whether an empty store is filled although the group has gone on.
    pub(super) refill: bool,
}

/// Chooses where to begin: `remembered` by the store, `committed` by the group.
///
/// The store may be ahead of the group by what it took and did not tell yet; what it refused of that may not be put aside, so
/// the earlier of both counts. A group ahead of the store does not: the store was put back, or made anew.
pub(super) fn start(
    remembered: Option<u64>,
    committed: Option<u64>,
    oldest: u64,
    newest: u64,
) -> Start {
    // a retried dead letter may have made an empty store remember the beginning
    let Some(remembered) = remembered.filter(|next| *next > 0) else {
        return Start {
            from: oldest,
            lost: None,
            refill: committed.is_some_and(|committed| committed > oldest),
        };
    };
    let lost = (remembered < oldest || remembered > newest).then_some((remembered, oldest));
    let from = if lost.is_some() {
        oldest
    } else {
        committed.unwrap_or(remembered).min(remembered).max(oldest)
    };
    Start {
        from,
        lost,
        refill: false,
    }
}

/// Asks the store how far a partition is; none if it does not answer in time.
pub(super) async fn remembered(tools: &Tools, partition: usize) -> Option<Option<u64>> {
    tokio::time::timeout(
        PATIENCE,
        stage::until_done(tools, "read the store's position", || {
            tools.services.store.partition_position(partition)
        }),
    )
    .await
    .ok()
}

/// Waits until the store answers: a worker that cannot write takes no partitions from one that can.
pub(super) async fn store_answers(tools: &Tools) {
    stage::until_done(tools, "read the types of fields", || {
        stage::learn_types(tools)
    })
    .await;
}

/// Waits after the log failed.
pub(super) async fn pause(tools: &Tools, patience: &mut Patience, why: &str) {
    tools.teller.failed("read the event log", &why, true);
    tools.services.metrics.retries.inc();
    tokio::time::sleep(patience.next(true)).await;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_the_store_remembers_counts() {
        let from = |remembered, committed| start(remembered, committed, 10, 100).from;
        assert_eq!(from(Some(50), None), 50);
        assert_eq!(from(Some(50), Some(40)), 40, "refused letters may be open");
        assert_eq!(from(Some(50), Some(60)), 50, "the store was put back");
        assert_eq!(from(Some(50), Some(5)), 10);
    }

    #[test]
    fn an_empty_store_is_filled_from_the_oldest() {
        let begun = start(None, Some(60), 10, 100);
        assert_eq!(
            begun,
            Start {
                from: 10,
                lost: None,
                refill: true
            }
        );
        assert!(!start(None, None, 10, 100).refill);
    }

    #[test]
    fn what_the_log_does_not_have_any_more_is_a_loss() {
        assert_eq!(start(Some(5), Some(5), 10, 100).lost, Some((5, 10)));
        let anew = start(Some(500), Some(500), 0, 100);
        assert_eq!((anew.from, anew.lost), (0, Some((500, 0))));
    }

    proptest! {
        #[test]
        fn it_begins_within_the_log_and_skips_nothing_silently(
            remembered in proptest::option::of(0..200_u64),
            committed in proptest::option::of(0..200_u64),
            oldest in 0..100_u64,
            length in 0..100_u64,
        ) {
            let begun = start(remembered, committed, oldest, oldest + length);
            prop_assert!(begun.from >= oldest && begun.from <= oldest + length);
            prop_assert!(begun.from <= remembered.unwrap_or(0).max(oldest));
            prop_assert_eq!(begun.lost.is_some(), remembered.is_some_and(|r| r > 0 && (r < oldest || r > oldest + length)));
        }
    }
}
