use std::time::Duration;

use tokio::time::Instant;

/// When a source is polled: at fixed instants, each source at its own offset within the interval.
///
/// A service whose answers take up more of the interval than [`BUDGET`] is asked less often: every second instant, every
/// fourth, every eighth; and as often as before when it answers quickly again.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    interval: Duration,
    /// One of the instants; the others are whole intervals away.
    anchor: Instant,
    /// How many times longer than configured the interval is: a power of two.
    stretch: u32,
    /// Polls in a row that speak for a longer interval, or a shorter one.
    longer: u32,
    shorter: u32,
}

/// Most of the time that polls may take up.
pub(crate) const BUDGET: f64 = 0.5;
/// An interval becomes shorter again when polls would take up less than this of it: half of the budget, so that it does not
/// go to and fro.
const ENOUGH: f64 = BUDGET / 2.0;
/// Longest stretch: who wants one poll in five seconds shall not wait for minutes.
const MOST_STRETCH: u32 = 8;
/// Slow polls in a row after which the interval is longer: one alone is chance.
const SLOW_POLLS: u32 = 3;
/// Quick polls in a row after which it is shorter.
const QUICK_POLLS: u32 = 6;

/// Longest wait before the very first poll.
const FIRST_WITHIN: Duration = Duration::from_millis(500);

impl Pace {
    /// `fraction` in [0, 1) is the source's place within the interval. Returns when the first poll is due.
    pub(crate) fn new(interval: Duration, fraction: f64, now: Instant) -> (Self, Instant) {
        let pace = Self {
            interval,
            anchor: now + interval.mul_f64(fraction),
            stretch: 1,
            longer: 0,
            shorter: 0,
        };
        (pace, now + FIRST_WITHIN.min(interval).mul_f64(fraction))
    }

    /// The time between polls as it is now.
    pub(crate) fn interval(&self) -> Duration {
        self.interval.saturating_mul(self.stretch)
    }

    /// Takes in how long a good poll took. Returns whether the interval is another one than before.
    pub(crate) fn took(&mut self, took: Duration) -> bool {
        let share = took.as_secs_f64() / self.interval().as_secs_f64().max(1e-3);
        let is_slow = share > BUDGET && self.stretch < MOST_STRETCH;
        let is_quick = share * 2.0 < ENOUGH && self.stretch > 1;
        self.longer = if is_slow { self.longer + 1 } else { 0 };
        self.shorter = if is_quick { self.shorter + 1 } else { 0 };
        let stretch = if self.longer >= SLOW_POLLS {
            self.stretch * 2
        } else if self.shorter >= QUICK_POLLS {
            self.stretch / 2
        } else {
            return false;
        };
        (self.stretch, self.longer, self.shorter) = (stretch, 0, 0);
        true
    }

    /// The next instant after `now`; those that were missed are skipped. It is at least half an interval after the
    /// beginning of the last poll, which may have been early or late.
    pub(crate) fn next(&self, began: Instant, now: Instant) -> Instant {
        let interval = self.interval();
        let earliest = now.max(began + interval / 2);
        if earliest <= self.anchor {
            let ahead = self.anchor - earliest;
            return self.anchor - interval.saturating_mul(whole(ahead, interval));
        }
        let behind = earliest - self.anchor;
        self.anchor + interval.saturating_mul(whole(behind, interval) + 1)
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

    #[tokio::test(start_paused = true)]
    async fn a_service_that_slows_down_is_asked_less_often_until_it_is_quick_again() {
        let (mut pace, first) = Pace::new(FIVE, 0.0, Instant::now());
        let slow = Duration::from_secs(3);
        let moves: Vec<_> = (0..5).map(|_| pace.took(slow)).collect();
        assert_eq!(moves, [false, false, true, false, false]);
        assert_eq!(
            pace.interval(),
            FIVE * 2,
            "30 % of ten seconds is within the budget"
        );
        let due = pace.next(first, first);
        assert_eq!(pace.next(due, due) - due, FIVE * 2);
        for _ in 0..100 {
            pace.took(Duration::from_mins(1));
        }
        assert_eq!(
            pace.interval(),
            FIVE * MOST_STRETCH,
            "there is an end to it"
        );
        let quick = Duration::from_millis(100);
        assert!((0..QUICK_POLLS - 1).all(|_| !pace.took(quick)));
        assert!(!pace.took(FIVE), "not quick, so it begins anew");
        assert!((0..QUICK_POLLS - 1).all(|_| !pace.took(quick)));
        assert!(pace.took(quick));
        assert_eq!(pace.interval(), FIVE * 4);
        for _ in 0..QUICK_POLLS * 4 {
            pace.took(quick);
        }
        assert_eq!(pace.interval(), FIVE, "never shorter than configured");
    }

    #[tokio::test(start_paused = true)]
    async fn one_slow_poll_is_chance() {
        let (mut pace, _) = Pace::new(FIVE, 0.0, Instant::now());
        for _ in 0..10 {
            assert!(!pace.took(FIVE));
            assert!(!pace.took(FIVE));
            assert!(!pace.took(Duration::from_secs(1)));
        }
    }
}
