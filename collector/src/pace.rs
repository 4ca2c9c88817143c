use std::time::Duration;

use tokio::time::Instant;

/// When a source is polled: at fixed instants, each source at its own offset within the interval.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    interval: Duration,
    /// One of the instants; the others are whole intervals away.
    anchor: Instant,
}

/// Longest wait before the very first poll.
const FIRST_WITHIN: Duration = Duration::from_millis(500);

impl Pace {
    /// `fraction` in [0, 1) is the source's place within the interval. Returns when the first poll is due.
    pub(crate) fn new(interval: Duration, fraction: f64, now: Instant) -> (Self, Instant) {
        let pace = Self {
            interval,
            anchor: now + interval.mul_f64(fraction),
        };
        (pace, now + FIRST_WITHIN.min(interval).mul_f64(fraction))
    }

    /// The next instant after `now`; those that were missed are skipped. It is at least half an interval after the
    /// beginning of the last poll, which may have been early or late.
    pub(crate) fn next(&self, began: Instant, now: Instant) -> Instant {
        let earliest = now.max(began + self.interval / 2);
        if earliest <= self.anchor {
            let ahead = self.anchor - earliest;
            return self.anchor - self.interval.saturating_mul(whole(ahead, self.interval));
        }
        let behind = earliest - self.anchor;
        self.anchor
            + self
                .interval
                .saturating_mul(whole(behind, self.interval) + 1)
    }
}

fn whole(span: Duration, of: Duration) -> u32 {
    u32::try_from(span.as_nanos() / of.as_nanos().max(1)).unwrap_or(u32::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn instants_keep_their_phase_and_missed_ones_are_skipped() {
        let start = Instant::now();
        let (pace, first) = Pace::new(FIVE, 0.5, start);
        assert_eq!(first, start + Duration::from_millis(250));
        let phase = start + Duration::from_millis(2500);
        let mut due = pace.next(first, first);
        assert!(due >= first + FIVE / 2);
        for _ in 0..5 {
            assert_eq!((due - phase).as_millis() % 5000, 0);
            let next = pace.next(due, due);
            assert_eq!(next - due, FIVE);
            due = next;
        }
        let late = due + Duration::from_secs(23);
        let next = pace.next(late, late);
        assert_eq!((next - phase).as_millis() % 5000, 0);
        assert!(next > late && next - late <= Duration::from_millis(7500));
        let slow = due + Duration::from_millis(4900);
        assert_eq!(
            pace.next(due, slow) - due,
            FIVE,
            "a slow poll that ends in time skips nothing"
        );
        assert_eq!(pace.next(due, due + FIVE) - due, FIVE * 2);
    }
}
