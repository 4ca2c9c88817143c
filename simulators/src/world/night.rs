//! The night: what goes wrong between 03:05 and 03:40 of every local day, and that it recovers.

use super::wave::DAY;

/// 03:05.
const START: f64 = 3.0 * 3600.0 + 5.0 * 60.0;
/// 03:40, when all has recovered.
const END: f64 = 3.0 * 3600.0 + 40.0 * 60.0;
/// How long the backup runs: to 03:30.
const BACKUP: f64 = 25.0 * 60.0;
/// 03:12 and 03:20: from when a container eats memory, and when the kernel kills it.
const EATS: f64 = 7.0 * 60.0;
const KILLED: f64 = 15.0 * 60.0;
/// 03:22 and 03:38: Home Assistant is gone; until 03:40 it starts.
const GONE: f64 = 17.0 * 60.0;
const BACK: f64 = 33.0 * 60.0;

/// How Home Assistant is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Presence {
    /// As it should be.
    Running,
    /// It answers nothing.
    Gone,
    /// It answers, and its devices are not there yet.
    Starting,
}

/// A moment of the night, or of the day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Night {
    /// Seconds since 03:05, before 03:40.
    second: Option<f64>,
}

impl Night {
    /// What is on at a second of local time.
    pub(super) fn at(local: f64) -> Self {
        let second = local.rem_euclid(DAY);
        Self {
            second: (START..END).contains(&second).then_some(second - START),
        }
    }

    /// Whether the backup runs.
    pub(crate) fn backup(self) -> bool {
        self.second.is_some_and(|second| second < BACKUP)
    }

    /// How much of its limit the hungry container has taken beyond what it usually has, 0 to 1.
    pub(crate) fn eaten(self) -> f64 {
        match self.second {
            Some(second) if (EATS..KILLED).contains(&second) => (second - EATS) / (KILLED - EATS),
            _ => 0.0,
        }
    }

    /// How far the volume of the backups is filled beyond what it usually is, 0 to 1.
    pub(crate) fn filled(self) -> f64 {
        self.second.map_or(0.0, |second| (second / BACKUP).min(1.0))
    }

    /// How Home Assistant is.
    pub(crate) fn home_assistant(self) -> Presence {
        match self.second {
            Some(second) if (GONE..BACK).contains(&second) => Presence::Gone,
            Some(second) if second >= BACK => Presence::Starting,
            _ => Presence::Running,
        }
    }
}

/// When things happen in the night that begins with this local midnight, in seconds of local time.
pub(crate) struct Times {
    /// The backup begins and ends.
    pub(crate) backup: (f64, f64),
    /// The hungry container is killed, and runs again.
    pub(crate) killed: (f64, f64),
    /// Home Assistant is gone, and back.
    pub(crate) gone: (f64, f64),
}

/// The times of one night.
pub(crate) fn times(midnight: f64) -> Times {
    let start = midnight + START;
    Times {
        backup: (start, start + BACKUP),
        killed: (start + KILLED, start + KILLED + 30.0),
        gone: (start + GONE, start + BACK),
    }
}

/// For how many seconds backups have run up to a second of local time; only differences mean something.
pub(super) fn backup_seconds(local: f64) -> f64 {
    let second = local.rem_euclid(DAY);
    (local / DAY).floor() * BACKUP + (second - START).clamp(0.0, BACKUP)
}
