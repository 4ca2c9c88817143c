//! Units as Home Assistant writes them, and what becomes of their numbers. A unit that has no place in the catalogue is
//! none of ours: its numbers stay as they are.

use schemas::FieldValue;

/// The largest whole number of which a float has all digits.
const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
/// Digits that a converted number keeps: more are noise of the conversion.
const DIGITS: i32 = 12;

/// What a unit measures, in the catalogue's unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Dimension {
    Temperature,
    Power,
    Energy,
    Voltage,
    Current,
    Frequency,
    Data,
    DataRate,
    Duration,
    Rotation,
    Share,
}

/// `value * factor + offset` is the value in the catalogue's unit.
#[derive(Clone, Copy)]
struct Scale {
    factor: f64,
    offset: f64,
}

/// One number with its field.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Measure {
    pub(super) field: &'static str,
    pub(super) value: FieldValue,
}

/// A number of a unit, of a device class, that only grows or not; none for a unit that the catalogue does not have.
pub(super) fn convert(value: f64, unit: &str, class: &str, grows: bool) -> Option<Measure> {
    let (dimension, scale) = meaning(unit, class)?;
    let same = (scale.factor - 1.0).abs() < f64::EPSILON && scale.offset == 0.0;
    let scaled = match (same, dimension) {
        (true, _) => value,
        // as many digits as thermometers have
        (false, Dimension::Temperature) => {
            (value.mul_add(scale.factor, scale.offset) * 100.0).round() / 100.0
        }
        (false, _) => tidy(value * scale.factor),
    };
    let field = field(dimension, class, grows);
    let value = match dimension {
        Dimension::Data => whole(scaled)?,
        _ => FieldValue::float(scaled).ok()?,
    };
    Some(Measure { field, value })
}

const fn field(dimension: Dimension, class: &str, grows: bool) -> &'static str {
    match (dimension, grows) {
        (Dimension::Temperature, _) => "temperature_celsius",
        (Dimension::Power, _) => "power_watts",
        (Dimension::Energy, false) => "energy_watt_hours",
        (Dimension::Energy, true) => "energy_watt_hours_total",
        (Dimension::Voltage, _) => "voltage_volts",
        (Dimension::Current, _) => "current_amperes",
        (Dimension::Frequency, _) => "frequency_hertz",
        (Dimension::Data, false) => "data_bytes",
        (Dimension::Data, true) => "data_bytes_total",
        (Dimension::DataRate, _) => "data_bytes_per_second",
        (Dimension::Duration, false) => "duration_seconds",
        (Dimension::Duration, true) => "duration_seconds_total",
        (Dimension::Rotation, _) => "speed_rpm",
        (Dimension::Share, _) => match class.as_bytes() {
            b"battery" => "battery_ratio",
            b"humidity" => "humidity_ratio",
            b"moisture" => "moisture_ratio",
            b"power_factor" => "power_factor_ratio",
            _ => "value_ratio",
        },
    }
}

fn meaning(unit: &str, class: &str) -> Option<(Dimension, Scale)> {
    let by = |dimension, factor| {
        let offset = 0.0;
        Some((dimension, Scale { factor, offset }))
    };
    let temperature = |factor, offset| Some((Dimension::Temperature, Scale { factor, offset }));
    match unit {
        "°C" => return temperature(1.0, 0.0),
        "°F" => return temperature(5.0 / 9.0, -160.0 / 9.0),
        "K" => return temperature(1.0, -273.15),
        "%" => return by(Dimension::Share, 0.01),
        "" if class == "power_factor" => return by(Dimension::Share, 1.0),
        "BTU/h" => return by(Dimension::Power, 0.293_071_070_172_222),
        "µs" | "μs" => return by(Dimension::Duration, 1e-6),
        "ms" => return by(Dimension::Duration, 1e-3),
        "s" => return by(Dimension::Duration, 1.0),
        "min" => return by(Dimension::Duration, 60.0),
        "h" => return by(Dimension::Duration, 3600.0),
        "d" => return by(Dimension::Duration, 86_400.0),
        // months and years, `m` and `y`, have no fixed length
        "w" if class == "duration" => return by(Dimension::Duration, 604_800.0),
        "rpm" => return by(Dimension::Rotation, 1.0),
        _ => {}
    }
    BASES.iter().find_map(|(base, dimension, factor)| {
        let prefix = unit.strip_suffix(base)?;
        by(*dimension, factor * prefixed(prefix, *dimension)?)
    })
}

/// What a prefix may stand before; longer ones first.
static BASES: &[(&str, Dimension, f64)] = &[
    ("bit/s", Dimension::DataRate, 0.125),
    ("bps", Dimension::DataRate, 0.125),
    ("B/s", Dimension::DataRate, 1.0),
    ("bit", Dimension::Data, 0.125),
    ("B", Dimension::Data, 1.0),
    ("Wh", Dimension::Energy, 1.0),
    ("W", Dimension::Power, 1.0),
    ("cal", Dimension::Energy, 4.184 / 3600.0),
    ("J", Dimension::Energy, 1.0 / 3600.0),
    ("V", Dimension::Voltage, 1.0),
    ("Hz", Dimension::Frequency, 1.0),
    ("A", Dimension::Current, 1.0),
];

fn prefixed(prefix: &str, dimension: Dimension) -> Option<f64> {
    let data = matches!(dimension, Dimension::Data | Dimension::DataRate);
    Some(match prefix {
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "K" if data => 1e3,
        "Ki" if data => 1024.0,
        "Mi" if data => 1_048_576.0,
        "Gi" if data => 1_073_741_824.0,
        "Ti" if data => 1_099_511_627_776.0,
        "Pi" if data => 1_125_899_906_842_624.0,
        "m" if !data => 1e-3,
        "µ" | "μ" if !data => 1e-6,
        _ => return None,
    })
}

/// Without the noise that a conversion adds.
fn tidy(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    // within what floats have, so that the cast is exact
    let magnitude = rounded(value.abs().log10().floor());
    let scale = 10_f64.powi(DIGITS - 1 - magnitude);
    let tidied = (value * scale).round() / scale;
    if tidied.is_finite() { tidied } else { value }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the logarithm of a float is within 400"
)]
const fn rounded(number: f64) -> i32 {
    number as i32
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "only within 2^53, where both are exact"
)]
fn whole(value: f64) -> Option<FieldValue> {
    let value = value.round();
    (value.abs() <= EXACT).then_some(FieldValue::I64(value as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(value: f64, unit: &str) -> Option<(&'static str, f64)> {
        let measure = convert(value, unit, "", false)?;
        Some((measure.field, measure.value.as_f64().unwrap()))
    }

    #[test]
    fn units_become_those_of_the_catalogue() {
        for (value, unit, field, wanted) in [
            (21.37, "°C", "temperature_celsius", 21.37),
            (70.0, "°F", "temperature_celsius", 21.11),
            (-40.0, "°F", "temperature_celsius", -40.0),
            (293.15, "K", "temperature_celsius", 20.0),
            (1.234, "kW", "power_watts", 1234.0),
            (250.0, "mW", "power_watts", 0.25),
            (3412.14, "BTU/h", "power_watts", 999.999_521_377),
            (0.1, "kWh", "energy_watt_hours", 100.0),
            (1234.567, "kWh", "energy_watt_hours", 1_234_567.0),
            (0.000_28, "MWh", "energy_watt_hours", 280.0),
            (3.6, "MJ", "energy_watt_hours", 1000.0),
            (7.2, "kJ", "energy_watt_hours", 2.0),
            (860.0, "kcal", "energy_watt_hours", 999.511_111_111),
            (229.9, "V", "voltage_volts", 229.9),
            (3300.0, "mV", "voltage_volts", 3.3),
            (150.0, "mA", "current_amperes", 0.15),
            (49.98, "Hz", "frequency_hertz", 49.98),
            (2.4, "GHz", "frequency_hertz", 2_400_000_000.0),
            (12.5, "kB", "data_bytes", 12_500.0),
            (1.5, "GiB", "data_bytes", 1_610_612_736.0),
            (8.0, "Mbit", "data_bytes", 1_000_000.0),
            (100.0, "Mbit/s", "data_bytes_per_second", 12_500_000.0),
            (1.0, "KiB/s", "data_bytes_per_second", 1024.0),
            (16.0, "kbps", "data_bytes_per_second", 2000.0),
            (1.5, "h", "duration_seconds", 5400.0),
            (20.0, "ms", "duration_seconds", 0.02),
            (900.0, "rpm", "speed_rpm", 900.0),
            (54.0, "%", "value_ratio", 0.54),
            (1.7, "%", "value_ratio", 0.017),
            (-3.5, "%", "value_ratio", -0.035),
            (0.0, "kWh", "energy_watt_hours", 0.0),
        ] {
            assert_eq!(
                converted(value, unit),
                Some((field, wanted)),
                "{value} {unit}"
            );
        }
    }

    #[test]
    fn a_unit_that_is_not_known_is_not_guessed() {
        for unit in [
            "", "hPa", "lx", "ppm", "m", "y", "w", "VA", "var", "Ah", "mAh", "m³", "dBm", "km/h",
            "kib", "mB", "MMW", "µg/m³", "°", "EUR/kWh", "%RH", "Whx",
        ] {
            assert_eq!(converted(1.0, unit), None, "{unit}");
        }
    }

    #[test]
    fn classes_and_growth_name_the_field() {
        let field = |unit, class, grows| convert(1.0, unit, class, grows).map(|m| m.field);
        assert_eq!(field("%", "battery", false), Some("battery_ratio"));
        assert_eq!(field("%", "humidity", false), Some("humidity_ratio"));
        assert_eq!(field("", "power_factor", false), Some("power_factor_ratio"));
        assert_eq!(
            field("kWh", "energy", true),
            Some("energy_watt_hours_total")
        );
        assert_eq!(field("GB", "data_size", true), Some("data_bytes_total"));
        assert_eq!(field("w", "duration", false), Some("duration_seconds"));
        assert_eq!(field("W", "power", true), Some("power_watts"));
    }

    #[test]
    fn what_no_field_can_hold_is_left_out() {
        assert_eq!(converted(1e300, "GB"), None);
        assert_eq!(converted(f64::MAX, "kW"), None);
        assert_eq!(
            converted(f64::MIN_POSITIVE, "%").map(|(field, _)| field),
            Some("value_ratio")
        );
    }
}
