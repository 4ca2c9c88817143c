//! Widths of windows: read as people write them, or chosen.

use chrono_tz::Tz;
use schemas::{Timestamp, name::excerpt, time::parse_duration};
use serde_json::Value;
use time_series::{CalendarUnit, Step};

use crate::ApiError;

/// Most points of a series whose step was not asked for.
const CHOSEN_POINTS: i64 = 1_000;

/// Widths that divide minutes, hours and days, in milliseconds.
const NICE: [i64; 22] = [
    1_000,
    2_000,
    5_000,
    10_000,
    15_000,
    30_000,
    60_000,
    2 * 60_000,
    5 * 60_000,
    10 * 60_000,
    15 * 60_000,
    30 * 60_000,
    3_600_000,
    2 * 3_600_000,
    3 * 3_600_000,
    6 * 3_600_000,
    12 * 3_600_000,
    86_400_000,
    2 * 86_400_000,
    7 * 86_400_000,
    14 * 86_400_000,
    28 * 86_400_000,
];

/// Reads `raw`, `30s`, `5m`, `1d`, `1w`, `1mo` or seconds. Days, weeks and months are those of the time zone.
pub(crate) fn parse_step(text: &str, tz: Tz) -> Result<Step, ApiError> {
    Ok(match text.trim() {
        "raw" => Step::Raw,
        "1d" => Step::Calendar(CalendarUnit::Day, tz),
        "1w" => Step::Calendar(CalendarUnit::Week, tz),
        "1mo" => Step::Calendar(CalendarUnit::Month, tz),
        other => Step::Millis(parse_duration(other).map_err(|_| {
            ApiError::bad_request(
                "invalid_step",
                format!(
                    "`step`: `{}` is no width of windows: use seconds, 30s, 5m, 1h, 1d, 1w, 1mo or raw",
                    excerpt(other)
                ),
            )
        })?),
    })
}

/// The finest nice width that gives at most 1,000 points and is not finer than samples come.
pub(crate) fn choose_step(from: Timestamp, to: Timestamp, interval_ms: Option<i64>) -> Step {
    let wanted = (to.since(from).max(1) + CHOSEN_POINTS - 1) / CHOSEN_POINTS;
    let wanted = wanted.max(interval_ms.unwrap_or(0));
    // aligned windows reach over both ends: one more than the width alone would give
    let fits = |step: i64| step >= wanted && to.since(from) / step < CHOSEN_POINTS;
    let nice = NICE.into_iter().find(|&step| fits(step));
    let days = |n: i64| n * 86_400_000;
    Step::Millis(nice.unwrap_or_else(|| days(wanted / days(1) + 1)))
}

/// How many windows a range has, about.
pub(crate) fn windows(from: Timestamp, to: Timestamp, step: Step) -> u64 {
    let width = match step {
        Step::Raw => return 0,
        Step::Millis(ms) => ms.max(1),
        Step::Calendar(CalendarUnit::Day, _) => 86_400_000,
        Step::Calendar(CalendarUnit::Week, _) => 7 * 86_400_000,
        Step::Calendar(CalendarUnit::Month, _) => 28 * 86_400_000,
    };
    u64::try_from(to.since(from) / width + 1).unwrap_or(0)
}

/// The width as an answer gives it: milliseconds where all windows have the same, else its name.
pub(crate) fn step_value(step: Step) -> Value {
    match step {
        Step::Raw => "raw".into(),
        Step::Millis(ms) => ms.into(),
        Step::Calendar(CalendarUnit::Day, Tz::UTC) => 86_400_000.into(),
        Step::Calendar(CalendarUnit::Day, _) => "1d".into(),
        Step::Calendar(CalendarUnit::Week, _) => "1w".into(),
        Step::Calendar(CalendarUnit::Month, _) => "1mo".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn widths_are_read_as_people_write_them() {
        let step = |text| parse_step(text, Tz::UTC).unwrap();
        assert_eq!(step("30s"), Step::Millis(30_000));
        assert_eq!(step("5m"), Step::Millis(300_000));
        assert_eq!(step("90"), Step::Millis(90_000));
        assert_eq!(step("raw"), Step::Raw);
        assert_eq!(step("1mo"), Step::Calendar(CalendarUnit::Month, Tz::UTC));
        for bad in ["", "0", "-5m", "soon"] {
            assert_eq!(
                parse_step(bad, Tz::UTC).unwrap_err().code(),
                "invalid_step",
                "{bad}"
            );
        }
    }

    #[test]
    fn six_hours_of_a_slow_source_are_not_cut_finer_than_it_speaks() {
        let from = Timestamp::from_millis(1_795_406_400_000);
        assert_eq!(
            choose_step(from, from.plus_millis(6 * 3_600_000), Some(5_000)),
            Step::Millis(30_000)
        );
        assert_eq!(
            choose_step(from, from.plus_millis(600_000), Some(60_000)),
            Step::Millis(60_000)
        );
    }

    proptest! {
        #[test]
        fn a_chosen_width_gives_at_most_a_thousand_points(from in 1_000_000_000_000_i64..2_000_000_000_000, width in 1_i64..6_000_000_000_000) {
            let (from, to) = (Timestamp::from_millis(from), Timestamp::from_millis(from + width));
            let Step::Millis(step) = choose_step(from, to, None) else { panic!("no width") };
            let first = from.as_millis().div_euclid(step);
            let last = (to.as_millis() - 1).div_euclid(step);
            prop_assert!(last - first < 1_001, "{} points", last - first + 1);
        }
    }
}
