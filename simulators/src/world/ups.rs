//! An uninterruptible power supply, and the short outages that it bridges.

use schemas::time::Timestamp;

use super::{World, chance};
use crate::number::{rounded, whole};
use crate::world::wave::DAY;

/// How long the power is away.
const OUTAGE: f64 = 240.0;
/// How long the battery takes to be full again.
const CHARGING: f64 = 3600.0;

/// It at an instant.
pub(crate) struct Reading {
    pub(crate) on_battery: bool,
    pub(crate) charging: bool,
    pub(crate) charge_percent: i64,
    pub(crate) runtime_seconds: i64,
    pub(crate) load_percent: i64,
    pub(crate) watts: f64,
    pub(crate) input_volts: f64,
    pub(crate) battery_volts: f64,
}

/// How it is: one afternoon of nine the power fails for four minutes.
pub(crate) fn read(world: &World, at: Timestamp) -> Reading {
    let midnight = world.midnight(at);
    let second = world.local(at) - midnight;
    let day = whole(midnight / DAY);
    let outage = (chance::unit(world.seed(), "outage", day) < 1.0 / 9.0)
        .then(|| 13.0 * 3600.0 + chance::unit(world.seed(), "outage time", day) * 4.0 * 3600.0);
    let since = outage.map_or(-1.0, |start| second - start);
    let on_battery = (0.0..OUTAGE).contains(&since);
    let charging = (OUTAGE..OUTAGE + CHARGING).contains(&since);
    let lost = if on_battery {
        since / OUTAGE
    } else if charging {
        1.0 - (since - OUTAGE) / CHARGING
    } else {
        0.0
    };
    let watts = world.level(&world.wave("power/rack", 94.0, 0.12, 0.15), at);
    let charge = 100.0 - 21.0 * lost;
    let volts = world.level(&world.wave("power/grid", 230.0, 0.006, 0.008), at);
    Reading {
        on_battery,
        charging,
        charge_percent: whole(charge),
        runtime_seconds: whole(charge / 100.0 * 540.0 * 0.35 * 3600.0 / watts * 0.55),
        load_percent: whole(watts / 540.0 * 100.0),
        watts: rounded(watts, 1),
        input_volts: if on_battery { 0.0 } else { rounded(volts, 1) },
        battery_volts: rounded(27.1 - 2.3 * lost, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sometimes_the_power_fails_and_the_battery_is_charged_again() {
        let world = World::new(9, 0);
        let minutes =
            (0..60 * 24 * 40).map(|m| Timestamp::from_millis(1_770_000_000_000 + m * 60_000));
        let readings: Vec<_> = minutes.map(|at| read(&world, at)).collect();
        assert!(
            readings
                .iter()
                .any(|r| r.on_battery && r.charge_percent < 95)
        );
        assert!(readings.iter().any(|r| r.charging && r.charge_percent > 80));
        let usual = readings.iter().filter(|r| !r.on_battery).count();
        assert!(usual > readings.len() * 9 / 10);
    }
}
