//! A house as its sensors see it.

use schemas::time::Timestamp;

use super::{World, chance, night::Presence};

/// What an entity tells.
enum Signal {
    /// A level: mean, share of the day, share of chance, decimals.
    Level(f64, f64, f64, usize),
    /// What has been used so far, per second, in thousandths: its unit is of the level's integral.
    Total(&'static str, f64, f64, f64),
    /// One of two, so often the first.
    Either(&'static str, &'static str, f64),
    /// Always the same.
    Fixed(&'static str),
}

/// Something with a state.
pub(crate) struct Entity {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) unit: Option<&'static str>,
    pub(crate) device_class: Option<&'static str>,
    pub(crate) state_class: Option<&'static str>,
    /// How often it may change.
    pub(crate) period_seconds: i64,
    signal: Signal,
}

/// A state and since when it has been so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct State {
    pub(crate) value: String,
    pub(crate) changed: Timestamp,
}

/// All of them.
pub(crate) fn entities() -> Vec<Entity> {
    let sensor = |id, name, unit, device_class, state_class, period_seconds, signal| Entity {
        id,
        name,
        unit: Some(unit),
        device_class,
        state_class,
        period_seconds,
        signal,
    };
    let temperature = |id, name, mean, daily| {
        let class = Some("temperature");
        let state = Some("measurement");
        sensor(
            id,
            name,
            "°C",
            class,
            state,
            60,
            Signal::Level(mean, daily, 0.03, 1),
        )
    };
    let humidity = |id, name, mean| {
        let class = Some("humidity");
        let state = Some("measurement");
        sensor(
            id,
            name,
            "%",
            class,
            state,
            120,
            Signal::Level(mean, 0.05, 0.08, 0),
        )
    };
    let power = |id, name, mean, daily, drift| {
        let class = Some("power");
        let state = Some("measurement");
        sensor(
            id,
            name,
            "W",
            class,
            state,
            10,
            Signal::Level(mean, daily, drift, 1),
        )
    };
    let other = |id, name, device_class, period_seconds, signal| Entity {
        id,
        name,
        unit: None,
        device_class,
        state_class: None,
        period_seconds,
        signal,
    };
    let mut all = vec![
        temperature(
            "sensor.living_room_temperature",
            "Living room temperature",
            21.3,
            0.03,
        ),
        temperature(
            "sensor.bedroom_temperature",
            "Bedroom temperature",
            18.8,
            0.04,
        ),
        temperature("sensor.rack_temperature", "Rack temperature", 26.5, 0.04),
        temperature(
            "sensor.outside_temperature",
            "Outside temperature",
            11.5,
            0.28,
        ),
        humidity("sensor.living_room_humidity", "Living room humidity", 46.0),
        humidity("sensor.bathroom_humidity", "Bathroom humidity", 61.0),
        power("sensor.house_power", "House power", 412.0, 0.4, 0.3),
        power("sensor.rack_power", "Rack power", 94.0, 0.12, 0.15),
        sensor(
            "sensor.house_energy",
            "House energy",
            "kWh",
            Some("energy"),
            Some("total_increasing"),
            60,
            Signal::Total("sensor.house_power", 412.0, 0.4, 0.3),
        ),
        sensor(
            "sensor.living_room_illuminance",
            "Living room illuminance",
            "lx",
            Some("illuminance"),
            Some("measurement"),
            60,
            Signal::Level(140.0, 0.5, 0.15, 0),
        ),
        sensor(
            "sensor.thermostat_battery",
            "Thermostat battery",
            "%",
            Some("battery"),
            Some("measurement"),
            3600,
            Signal::Level(78.0, 0.0, 0.03, 0),
        ),
        sensor(
            "sensor.internet_download",
            "Internet download",
            "Mbit/s",
            Some("data_rate"),
            Some("measurement"),
            30,
            Signal::Level(18.0, 0.45, 0.28, 2),
        ),
        other(
            "sensor.washing_machine",
            "Washing machine",
            Some("enum"),
            900,
            Signal::Either("idle", "running", 0.9),
        ),
        other(
            "sensor.water_meter",
            "Water meter",
            None,
            3600,
            Signal::Fixed("unknown"),
        ),
        other(
            "binary_sensor.front_door",
            "Front door",
            Some("door"),
            180,
            Signal::Either("off", "on", 0.93),
        ),
        other(
            "binary_sensor.hall_motion",
            "Hall motion",
            Some("motion"),
            45,
            Signal::Either("off", "on", 0.8),
        ),
        other(
            "binary_sensor.basement_leak",
            "Basement leak",
            Some("moisture"),
            3600,
            Signal::Fixed("off"),
        ),
        other(
            "light.kitchen",
            "Kitchen",
            None,
            1200,
            Signal::Either("off", "on", 0.7),
        ),
        other(
            "switch.coffee_machine",
            "Coffee machine",
            None,
            1500,
            Signal::Either("off", "on", 0.88),
        ),
        other(
            "person.resident",
            "Resident",
            None,
            5400,
            Signal::Either("home", "not_home", 0.7),
        ),
    ];
    all.push(Entity {
        unit: Some("W"),
        ..other(
            "input_number.sim_power",
            "Simulated power",
            None,
            3600,
            Signal::Fixed("1234.5"),
        )
    });
    all
}

impl Entity {
    /// Its value at a tick of its own.
    fn value(&self, world: &World, tick: i64) -> String {
        let at = Timestamp::from_millis(tick * self.period_seconds * 1000);
        match self.signal {
            Signal::Level(mean, daily, drift, decimals) => {
                let level = world.level(&world.wave(self.id, mean, daily, drift), at);
                format!("{level:.decimals$}")
            }
            Signal::Total(of, mean, daily, drift) => {
                // the meter was put in on the first day of 2024
                let from = Timestamp::from_millis(1_704_067_200_000);
                let used = world.total(&world.wave(of, mean, daily, drift), from, at);
                format!("{:.3}", used / 3_600_000.0)
            }
            Signal::Either(usual, other, often) => {
                let usually = chance::unit(world.seed(), self.id, tick) < often;
                (if usually { usual } else { other }).to_owned()
            }
            Signal::Fixed(value) => value.to_owned(),
        }
    }

    /// Its state, and since when.
    pub(crate) fn state(&self, world: &World, at: Timestamp) -> State {
        let tick = at.as_millis().div_euclid(self.period_seconds * 1000);
        let start = |tick: i64| Timestamp::from_millis(tick * self.period_seconds * 1000);
        if world.night(at).home_assistant() != Presence::Running {
            let (gone, _) = super::night::times(world.midnight(at)).gone;
            return State {
                value: "unavailable".to_owned(),
                changed: world.instant(gone),
            };
        }
        let value = self.value(world, tick);
        // a value that does not change is looked for a while only
        let unchanged = (1..100).take_while(|back| self.value(world, tick - back) == value);
        let mut changed = start(tick - real_count(unchanged.count()));
        // after the night everything was set anew
        let (_, back) = super::night::times(world.midnight(at)).gone;
        let recovered = world.instant(back).plus_millis(120_000);
        if recovered <= at {
            changed = changed.max(recovered);
        }
        State { value, changed }
    }
}

fn real_count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::{real, whole};

    /// How much of the house's power the sensor shows, for whoever compares.
    fn watts(world: &World, at: Timestamp) -> f64 {
        let tick = at.as_millis().div_euclid(10_000) * 10_000;
        let wave = world.wave("sensor.house_power", 412.0, 0.4, 0.3);
        real(whole(
            world.level(&wave, Timestamp::from_millis(tick)) * 10.0,
        )) / 10.0
    }

    #[test]
    fn energy_is_what_power_was() {
        let world = World::new(6, 0);
        let all = entities();
        let energy = all.iter().find(|e| e.id == "sensor.house_energy").unwrap();
        let read = |minute: i64| {
            let at = Timestamp::from_millis(1_770_033_600_000 + minute * 60_000);
            energy.state(&world, at).value.parse::<f64>().unwrap()
        };
        let watts: f64 = (0..600)
            .map(|n| watts(&world, Timestamp::from_millis(1_770_033_600_000 + n * 6000)))
            .sum::<f64>()
            / 600.0;
        let used = (read(60) - read(0)) * 1000.0;
        assert!(
            (used - watts).abs() < watts * 0.02,
            "{used} Wh at {watts} W"
        );
    }

    #[test]
    fn a_state_says_since_when() {
        let world = World::new(6, 0);
        for entity in entities() {
            let at = Timestamp::from_millis(1_770_033_612_345);
            let state = entity.state(&world, at);
            assert!(state.changed <= at, "{}", entity.id);
            let again = entity.state(&world, state.changed);
            assert_eq!(again.value, state.value, "{}", entity.id);
        }
    }
}
