//! Units in which services tell values, and how they become the base unit that a field's name ends in.

/// How a unit may be written, how names of fields end that hold it, and what a value is multiplied with and divided by.
const UNITS: &[(&[&str], &str, f64, f64)] = &[
    (&["bytes", "B"], "_bytes", 1.0, 1.0),
    (&["kB"], "_bytes", 1e3, 1.0),
    (&["MB"], "_bytes", 1e6, 1.0),
    (&["GB"], "_bytes", 1e9, 1.0),
    (&["TB"], "_bytes", 1e12, 1.0),
    (&["KiB"], "_bytes", 1024.0, 1.0),
    (&["MiB"], "_bytes", 1_048_576.0, 1.0),
    (&["GiB"], "_bytes", 1_073_741_824.0, 1.0),
    (&["TiB"], "_bytes", 1_099_511_627_776.0, 1.0),
    (&["bit"], "_bytes", 1.0, 8.0),
    (&["kbit"], "_bytes", 125.0, 1.0),
    (&["Mbit"], "_bytes", 125_000.0, 1.0),
    (&["ratio"], "_ratio", 1.0, 1.0),
    (&["percent", "%"], "_ratio", 1.0, 100.0),
    (&["celsius", "°C"], "_celsius", 1.0, 1.0),
    (&["fahrenheit", "°F"], "_celsius", 5.0, 9.0),
    (&["kelvin", "K"], "_celsius", 1.0, 1.0),
    (&["seconds", "s"], "_seconds", 1.0, 1.0),
    (&["ms"], "_seconds", 1.0, 1e3),
    (&["us", "µs"], "_seconds", 1.0, 1e6),
    (&["ns"], "_seconds", 1.0, 1e9),
    (&["min"], "_seconds", 60.0, 1.0),
    (&["h"], "_seconds", 3600.0, 1.0),
    (&["d"], "_seconds", 86_400.0, 1.0),
    (&["hertz", "Hz"], "_hertz", 1.0, 1.0),
    (&["kHz"], "_hertz", 1e3, 1.0),
    (&["MHz"], "_hertz", 1e6, 1.0),
    (&["GHz"], "_hertz", 1e9, 1.0),
    (&["volts", "V"], "_volts", 1.0, 1.0),
    (&["mV"], "_volts", 1.0, 1e3),
    (&["amperes", "A"], "_amperes", 1.0, 1.0),
    (&["mA"], "_amperes", 1.0, 1e3),
    (&["watts", "W"], "_watts", 1.0, 1.0),
    (&["mW"], "_watts", 1.0, 1e3),
    (&["kW"], "_watts", 1e3, 1.0),
    (&["watt_hours", "Wh"], "_watt_hours", 1.0, 1.0),
    (&["kWh"], "_watt_hours", 1e3, 1.0),
    (&["MWh"], "_watt_hours", 1e6, 1.0),
    (&["rpm"], "_rpm", 1.0, 1.0),
    (&["count"], "_count", 1.0, 1.0),
];

/// What becomes of a number.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Conversion {
    /// Taken off first.
    less: f64,
    multiply: f64,
    divide: f64,
}

impl Conversion {
    /// From a unit, after a factor, for a field of a name.
    ///
    /// # Errors
    /// There is no such unit, or the name ends in another.
    pub(super) fn new(unit: Option<&str>, scale: f64, name: &str) -> Result<Self, String> {
        let Some(unit) = unit else {
            return Ok(Self {
                less: 0.0,
                multiply: scale,
                divide: 1.0,
            });
        };
        let Some((names, end, multiply, divide)) =
            UNITS.iter().find(|(names, ..)| names.contains(&unit))
        else {
            let all: Vec<_> = UNITS
                .iter()
                .filter_map(|(names, ..)| names.first().copied())
                .collect();
            return Err(format!(
                "`{}` is no unit that is known; there is {}",
                schemas::name::excerpt(unit),
                all.join(", ")
            ));
        };
        let stem = name.strip_suffix("_total").unwrap_or(name);
        let counts = *end == "_count" && name.ends_with("_total");
        if !stem.ends_with(end) && !counts {
            return Err(format!(
                "a field of this unit is told in the base unit, in which its name ends: `…{end}`, or `…{end}_total` of a counter"
            ));
        }
        // both scales of temperature begin elsewhere
        let zero = match names.first() {
            Some(&"fahrenheit") => 32.0,
            Some(&"kelvin") => 273.15,
            _ => 0.0,
        };
        Ok(Self {
            less: zero / scale,
            multiply: scale * multiply,
            divide: *divide,
        })
    }

    /// The value in the base unit.
    pub(super) fn apply(self, value: f64) -> f64 {
        let converted = (value - self.less) * self.multiply / self.divide;
        if converted.to_bits() == value.to_bits() || converted.fract() == 0.0 {
            return converted;
        }
        // twelve digits: those behind come from the conversion alone
        format!("{converted:.11e}").parse().unwrap_or(converted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_base_units() {
        for (unit, scale, name, value, told) in [
            (None, 1.0, "load", 0.1, 0.1),
            (None, 0.1, "level_ratio", 7.0, 0.7),
            (Some("%"), 1.0, "cpu_ratio", 12.5, 0.125),
            (Some("MiB"), 1.0, "used_bytes", 1.5, 1_572_864.0),
            (Some("fahrenheit"), 1.0, "room_celsius", 68.0, 20.0),
            (
                Some("fahrenheit"),
                0.1,
                "room_celsius",
                705.0,
                21.388_888_888_9,
            ),
            (Some("K"), 1.0, "cpu_celsius", 300.0, 26.85),
            (Some("kWh"), 1.0, "used_watt_hours_total", 2.5, 2500.0),
            (Some("count"), 1.0, "jobs_total", 3.0, 3.0),
            (Some("ms"), 1.0, "took_seconds", 3.0, 0.003),
            (
                Some("seconds"),
                1.0,
                "took_seconds",
                0.123_456_789_012_3,
                0.123_456_789_012_3,
            ),
        ] {
            let conversion = Conversion::new(unit, scale, name).unwrap();
            assert_eq!(
                conversion.apply(value).to_string(),
                told.to_string(),
                "{unit:?} {value}"
            );
        }
    }

    #[test]
    fn a_name_must_end_in_the_base_unit() {
        let wrong = Conversion::new(Some("fahrenheit"), 1.0, "room_temp").unwrap_err();
        assert!(wrong.contains("_celsius"), "{wrong}");
        let unknown = Conversion::new(Some("furlongs"), 1.0, "x").unwrap_err();
        assert!(unknown.contains("watt_hours"), "{unknown}");
    }

    #[test]
    fn no_unit_is_written_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for name in UNITS.iter().flat_map(|(names, ..)| *names) {
            assert!(seen.insert(name), "{name}");
        }
    }
}
