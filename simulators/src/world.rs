//! A home: what each of its machines has at any instant, past or future, as a pure function of the seed and the time.
//!
//! Nothing here is kept: a counter is the integral of its rate, a container's restarts follow from the day, and every night
//! goes as [`night`] says. So a past can be told as well as a present, and both fit together.

pub(crate) mod chance;
pub(crate) mod cluster;
pub(crate) mod containers;
pub(crate) mod dns;
pub(crate) mod nas;
pub(crate) mod night;
pub(crate) mod rooms;
pub(crate) mod shop;
pub(crate) mod ups;
pub(crate) mod wave;

use chrono::{DateTime, FixedOffset, Utc};
use schemas::time::Timestamp;

use crate::number::{real, whole};
use night::Night;
use wave::{DAY, Wave};

/// The home.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    seed: u64,
    offset_seconds: i32,
}

impl World {
    /// The home of a seed, in a place that is so many seconds east of UTC.
    pub(crate) const fn new(seed: u64, offset_seconds: i32) -> Self {
        Self {
            seed,
            offset_seconds,
        }
    }

    /// Its seed.
    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }

    /// How far east of UTC it is.
    pub(crate) const fn offset_seconds(&self) -> i32 {
        self.offset_seconds
    }

    /// A second of local time.
    pub(crate) fn local(&self, at: Timestamp) -> f64 {
        real(at.as_millis()) / 1000.0 + f64::from(self.offset_seconds)
    }

    /// The instant of a second of local time.
    pub(crate) fn instant(&self, local: f64) -> Timestamp {
        Timestamp::from_millis(whole((local - f64::from(self.offset_seconds)) * 1000.0))
    }

    /// The date and time on its clocks.
    pub(crate) fn clock(&self, at: Timestamp) -> DateTime<FixedOffset> {
        let utc = DateTime::<Utc>::from_timestamp_millis(at.as_millis()).unwrap_or_default();
        match FixedOffset::east_opt(self.offset_seconds) {
            Some(offset) => utc.with_timezone(&offset),
            None => utc.fixed_offset(),
        }
    }

    /// What is on at night.
    pub(crate) fn night(&self, at: Timestamp) -> Night {
        Night::at(self.local(at))
    }

    /// When a machine was started that is restarted every so many days, early in the morning.
    pub(crate) fn started(&self, machine: &str, days: i64, at: Timestamp) -> Timestamp {
        let lag = real(whole(
            chance::unit(self.seed, machine, 0) * real(days.max(1)),
        )) * DAY
            + (4.0 + chance::unit(self.seed, machine, 1)) * 3600.0;
        let period = real(days.max(1)) * DAY;
        let local = self.local(at) - lag;
        self.instant((local / period).floor() * period + lag)
    }

    /// A drifting value; see [`Wave::new`].
    pub(crate) fn wave(&self, key: &str, mean: f64, daily: f64, drift: f64) -> Wave {
        Wave::new(self.seed, key, mean, daily, drift)
    }

    /// The value of a wave.
    pub(crate) fn level(&self, wave: &Wave, at: Timestamp) -> f64 {
        wave.at(self.local(at))
    }

    /// The integral of a wave, per second.
    pub(crate) fn total(&self, wave: &Wave, from: Timestamp, to: Timestamp) -> f64 {
        wave.total(self.local(to)) - wave.total(self.local(from))
    }

    /// For how many seconds backups ran.
    pub(crate) fn backup_seconds(&self, from: Timestamp, to: Timestamp) -> f64 {
        night::backup_seconds(self.local(to)) - night::backup_seconds(self.local(from))
    }

    /// The local midnight before an instant, in seconds of local time.
    pub(crate) fn midnight(&self, at: Timestamp) -> f64 {
        (self.local(at) / DAY).floor() * DAY
    }

    /// How full something is that fills slowly over `days` until somebody makes room, between two shares.
    pub(crate) fn fills(&self, key: &str, days: f64, low: f64, high: f64, at: Timestamp) -> f64 {
        let part = (self.local(at) / DAY / days + chance::unit(self.seed, key, 3)).rem_euclid(1.0);
        low + (high - low) * part
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use night::Presence;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text, Timestamp::from_millis(0)).unwrap()
    }

    #[test]
    fn every_night_goes_wrong_and_recovers() {
        let world = World::new(1, 3600);
        // 03:00, 03:08, 03:19, 03:25, 03:39 and 03:41 where it is UTC+1
        let moments: Vec<_> = ["02:00", "02:08", "02:19", "02:25", "02:39", "02:41"]
            .iter()
            .map(|time| world.night(at(&format!("2026-03-04T{time}:00Z"))))
            .map(|night| {
                (
                    night.backup(),
                    night.eaten() > 0.8,
                    night.filled() > 0.75,
                    night.home_assistant(),
                )
            })
            .collect();
        assert_eq!(
            moments,
            [
                (false, false, false, Presence::Running),
                (true, false, false, Presence::Running),
                (true, true, false, Presence::Running),
                (true, false, true, Presence::Gone),
                (false, false, true, Presence::Starting),
                (false, false, false, Presence::Running),
            ]
        );
    }

    #[test]
    fn a_machine_is_started_before_now_and_stays_so_until_its_next_start() {
        let world = World::new(5, 0);
        let now = at("2026-03-04T12:00:00Z");
        let started = world.started("nas1", 30, now);
        let up = now.since(started);
        assert!((0..=30 * 86_400_000).contains(&up), "{up}");
        assert_eq!(
            world.started("nas1", 30, started.plus_millis(1000)),
            started
        );
        assert!(world.started("nas1", 30, started.plus_millis(-1000)) < started);
    }

    #[test]
    fn backups_add_up() {
        let world = World::new(5, 0);
        let day = world.backup_seconds(at("2026-03-04T00:00:00Z"), at("2026-03-05T00:00:00Z"));
        assert!((day - 1500.0).abs() < 1e-6, "{day}");
    }
}
