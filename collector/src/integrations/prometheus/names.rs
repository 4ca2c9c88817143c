//! What a field is called: the name that Prometheus has for it, ending in a base unit, and in `_total` where it only grows.

/// Ends of names, what they become, and by what values are multiplied and divided. Longer ones come before what they end in.
const UNITS: &[(&str, &str, f64, f64)] = &[
    ("_milliseconds", "_seconds", 1.0, 1e3),
    ("_microseconds", "_seconds", 1.0, 1e6),
    ("_nanoseconds", "_seconds", 1.0, 1e9),
    ("_seconds", "_seconds", 1.0, 1.0),
    ("_kilowatt_hours", "_watt_hours", 1e3, 1.0),
    ("_watt_hours", "_watt_hours", 1.0, 1.0),
    ("_minutes", "_seconds", 60.0, 1.0),
    ("_hours", "_seconds", 3_600.0, 1.0),
    ("_days", "_seconds", 86_400.0, 1.0),
    ("_kibibytes", "_bytes", 1024.0, 1.0),
    ("_mebibytes", "_bytes", 1_048_576.0, 1.0),
    ("_gibibytes", "_bytes", 1_073_741_824.0, 1.0),
    ("_bytes", "_bytes", 1.0, 1.0),
    ("_percentage", "_ratio", 1.0, 100.0),
    ("_percent", "_ratio", 1.0, 100.0),
    ("_ratio", "_ratio", 1.0, 1.0),
    ("_celsius", "_celsius", 1.0, 1.0),
    ("_megahertz", "_hertz", 1e6, 1.0),
    ("_gigahertz", "_hertz", 1e9, 1.0),
    ("_hertz", "_hertz", 1.0, 1.0),
    ("_millivolts", "_volts", 1.0, 1e3),
    ("_volts", "_volts", 1.0, 1.0),
    ("_milliamperes", "_amperes", 1.0, 1e3),
    ("_amperes", "_amperes", 1.0, 1.0),
    ("_milliwatts", "_watts", 1.0, 1e3),
    ("_kilowatts", "_watts", 1e3, 1.0),
    ("_watts", "_watts", 1.0, 1.0),
    ("_rpm", "_rpm", 1.0, 1.0),
];

/// What a series is within its family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part<'a> {
    /// A value that goes up and down.
    Gauge,
    /// A value that only grows.
    Counter,
    /// How many observations there were.
    Count,
    /// The sum of all observations.
    Sum,
    /// How many observations were at most this.
    Bucket(&'a str),
    /// The observation that this part of all do not exceed.
    Quantile(&'a str),
    /// Whether this is the state.
    State(&'a str),
}

impl Part<'_> {
    /// Whether the sum over several series means something.
    pub(super) const fn is_counter(self) -> bool {
        matches!(
            self,
            Self::Counter | Self::Count | Self::Sum | Self::Bucket(_)
        )
    }
}

/// The name of a field, and its value in the base unit.
pub(super) fn field(family: &str, part: Part<'_>, value: f64) -> (String, f64) {
    let (stem, unit, converted) = in_base_unit(family, value);
    match part {
        Part::Gauge if family.ends_with("_total") => (format!("{family}_current"), value),
        Part::Gauge => (format!("{stem}{unit}"), converted),
        Part::Counter => {
            let (stem, unit, converted) =
                in_base_unit(family.strip_suffix("_total").unwrap_or(family), value);
            (format!("{stem}{unit}_total"), converted)
        }
        // these count observations, whatever the unit of one is
        Part::Count => (format!("{family}_count_total"), value),
        Part::Bucket(most) => (format!("{family}_bucket_{most}_total"), value),
        Part::Sum => (format!("{stem}_sum{unit}_total"), converted),
        Part::Quantile(quantile) => (format!("{stem}_quantile_{quantile}{unit}"), converted),
        Part::State(state) => (format!("{family}_{state}"), value),
    }
}

fn in_base_unit(name: &str, value: f64) -> (&str, &'static str, f64) {
    UNITS
        .iter()
        .find_map(|(end, unit, multiply, divide)| {
            let stem = name.strip_suffix(end).filter(|stem| !stem.is_empty())?;
            let converted = if end == unit {
                value
            } else {
                without_noise(value * multiply / divide)
            };
            Some((stem, *unit, converted))
        })
        .unwrap_or((name, "", value))
}

/// A fraction with the 15 digits that a decimal keeps in a float: the digits behind come from the division alone.
fn without_noise(value: f64) -> f64 {
    if value.fract() == 0.0 {
        return value;
    }
    format!("{value:.14e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_in_the_base_unit_and_values_follow() {
        for (family, part, name, value) in [
            ("up", Part::Gauge, "up", 2.5),
            ("free_bytes", Part::Gauge, "free_bytes", 2.5),
            ("free_kibibytes", Part::Gauge, "free_bytes", 2560.0),
            ("load_percent", Part::Gauge, "load_ratio", 0.025),
            (
                "used_kilowatt_hours",
                Part::Gauge,
                "used_watt_hours",
                2500.0,
            ),
            ("open_hours", Part::Gauge, "open_seconds", 9000.0),
            ("_seconds", Part::Gauge, "_seconds", 2.5),
            ("memory_total", Part::Gauge, "memory_total_current", 2.5),
            ("cpu_seconds_total", Part::Counter, "cpu_seconds_total", 2.5),
            (
                "cpu_milliseconds",
                Part::Counter,
                "cpu_seconds_total",
                0.0025,
            ),
            ("failures", Part::Counter, "failures_total", 2.5),
            ("took_seconds", Part::Sum, "took_sum_seconds_total", 2.5),
            (
                "took_microseconds",
                Part::Sum,
                "took_sum_seconds_total",
                2.5e-6,
            ),
            (
                "took_milliseconds",
                Part::Count,
                "took_milliseconds_count_total",
                2.5,
            ),
            (
                "took_seconds",
                Part::Bucket("0.5"),
                "took_seconds_bucket_0.5_total",
                2.5,
            ),
            (
                "took_milliseconds",
                Part::Quantile("0.99"),
                "took_quantile_0.99_seconds",
                0.0025,
            ),
            ("mode", Part::State("idle"), "mode_idle", 2.5),
        ] {
            assert_eq!(
                field(family, part, 2.5),
                (name.to_owned(), value),
                "{family}"
            );
        }
    }

    #[test]
    fn a_conversion_brings_no_digits_that_nobody_measured() {
        let seconds = |micros| field("x_microseconds", Part::Gauge, micros).1.to_string();
        assert_eq!(seconds(552_048.506), "0.552048506");
        assert_eq!(seconds(-1e-9), "-0.000000000000001");
        assert_eq!(seconds(f64::NAN), "NaN");
        let bytes = field("x_kibibytes", Part::Gauge, 8_796_093_022_207.0).1;
        assert_eq!(
            bytes.to_string(),
            "9007199254739968",
            "whole numbers stay exact"
        );
    }

    /// Else the first would hide the second.
    #[test]
    fn no_end_comes_before_a_longer_one_that_ends_in_it() {
        for (n, (end, ..)) in UNITS.iter().enumerate() {
            for (longer, ..) in &UNITS[n + 1..] {
                assert!(!longer.ends_with(end), "{end} hides {longer}");
            }
        }
    }
}
