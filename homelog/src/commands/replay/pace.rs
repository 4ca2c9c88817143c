//! Keeps the distances between events, shortened by a factor.

use std::time::Duration;

use schemas::Timestamp;
use tokio::time::Instant;

use crate::cli::Speed;

/// When the next event is due.
pub(super) struct Pace {
    speed: Speed,
    began: Option<(Instant, Timestamp)>,
}

impl Pace {
    /// The first event begins.
    pub(super) const fn new(speed: Speed) -> Self {
        Self { speed, began: None }
    }

    /// Until when to wait before an event of that time is shown.
    pub(super) fn wait(&mut self, time: Timestamp) -> Option<Instant> {
        let Speed::Times(factor) = self.speed else {
            return None;
        };
        let now = Instant::now();
        let (start, first) = *self.began.get_or_insert((now, time));
        let since = u64::try_from(time.since(first)).ok()?;
        let due = start + Duration::from_millis(since).div_f64(factor);
        (due > now).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn distances_are_kept_and_shortened() {
        let mut pace = Pace::new(Speed::Times(10.0));
        let start = Instant::now();
        let at = Timestamp::from_millis;
        assert_eq!(pace.wait(at(1_000_000)), None);
        assert_eq!(
            pace.wait(at(1_005_000)),
            Some(start + Duration::from_millis(500))
        );
        assert_eq!(pace.wait(at(999_000)), None, "late events do not wait");
        assert_eq!(Pace::new(Speed::Max).wait(at(1)), None);
    }
}
