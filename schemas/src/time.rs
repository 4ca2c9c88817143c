//! Instants, durations, and how people write them.

use std::{fmt, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits;

/// An instant in UTC with whole milliseconds.
///
/// In JSON it is written as RFC 3339 (`2026-11-23T03:05:00.000Z`) and read from RFC 3339 or a Unix number (at or above
/// 1e11 in milliseconds, else in seconds).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A text or number that is no instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a time: use RFC 3339 (2026-11-23T03:05:00Z), `now`, `-6h`, or a Unix number between 2000 and 2200"
)]
pub struct InvalidTime(pub String);

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration: use a number with ms, s, m, h, d, w or y, such as `30s`")]
pub struct InvalidDuration(pub String);

impl Timestamp {
    /// From Unix milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// As Unix milliseconds.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The clock of this machine.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    pub fn now() -> Self {
        Self(Utc::now().timestamp_millis())
    }

    /// This instant moved by a number of milliseconds.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this instant.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whether an event may carry it: 2000 to 2200.
    pub const fn is_plausible(self) -> bool {
        self.0 >= limits::EARLIEST_MS && self.0 < limits::LATEST_MS
    }

    /// Reads what a person or program may write: RFC 3339, `now`, `-6h`, Unix seconds or milliseconds.
    pub fn parse(text: &str, now: Self) -> Result<Self, InvalidTime> {
        let refused = || InvalidTime(crate::name::excerpt(text));
        let trimmed = text.trim();
        let parsed = if trimmed == "now" {
            now
        } else if let Some(back) = trimmed.strip_prefix('-') {
            now.plus_millis(-parse_duration(back).map_err(|_| refused())?)
        } else if let Ok(number) = trimmed.parse::<f64>() {
            Self::from_unix_number(number).ok_or_else(refused)?
        } else {
            Self(
                DateTime::parse_from_rfc3339(trimmed)
                    .map_err(|_| refused())?
                    .timestamp_millis(),
            )
        };
        if parsed.is_plausible() {
            Ok(parsed)
        } else {
            Err(refused())
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "bounded to the plausible range just before"
    )]
    fn from_unix_number(number: f64) -> Option<Self> {
        let millis = if number.abs() >= 1e11 {
            number
        } else {
            number * 1000.0
        };
        (millis.is_finite() && millis.abs() < 1e15).then(|| Self(millis.round() as i64))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::<Utc>::from_timestamp_millis(self.0) {
            Some(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true)),
            None => write!(f, "{}ms", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Timestamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 time or a Unix number")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                Timestamp::parse(text, Timestamp::now()).map_err(E::custom)
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Timestamp, E> {
                let millis = if number.unsigned_abs() >= 100_000_000_000 {
                    Some(number)
                } else {
                    number.checked_mul(1000)
                };
                millis
                    .map(Timestamp)
                    .filter(|t| t.is_plausible())
                    .ok_or_else(|| E::custom(InvalidTime(number.to_string())))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Timestamp, E> {
                i64::try_from(number)
                    .map_err(|_| E::custom(InvalidTime(number.to_string())))
                    .and_then(|n| self.visit_i64(n))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Timestamp, E> {
                Timestamp::from_unix_number(number)
                    .filter(|t| t.is_plausible())
                    .ok_or_else(|| E::custom(InvalidTime(number.to_string())))
            }
        }
        d.deserialize_any(Visitor)
    }
}

/// Reads `30s`, `5m`, `1h`, `1d`, `2w`, `1y` (365 days), `250ms` or plain seconds, as milliseconds.
///
/// # Errors
/// Not a positive number with a known unit, or beyond 200 years.
#[expect(
    clippy::cast_possible_truncation,
    reason = "bounded to 200 years just before"
)]
pub fn parse_duration(text: &str) -> Result<i64, InvalidDuration> {
    let refused = || InvalidDuration(crate::name::excerpt(text));
    let trimmed = text.trim();
    let split = trimmed
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let scale = match unit.trim() {
        "ms" => 1.0,
        "" | "s" => 1000.0,
        "m" | "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        "w" => 604_800_000.0,
        "y" => 31_536_000_000.0,
        _ => return Err(refused()),
    };
    let millis = number.parse::<f64>().map_err(|_| refused())? * scale;
    if millis.is_finite() && (1.0..6.4e12).contains(&millis) {
        Ok(millis.round() as i64)
    } else {
        Err(refused())
    }
}

/// Writes a duration the way it is read, in its largest whole unit: `90s`, `5m`, `1d`.
pub fn format_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, name) in [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1000, "s"),
    ] {
        if millis >= unit && millis.is_multiple_of(unit) {
            return format!("{}{name}", millis / unit);
        }
    }
    format!("{millis}ms")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_406_700_000);

    #[test]
    fn times_are_read_as_people_write_them() {
        let at = |text| Timestamp::parse(text, NOW).unwrap().as_millis();
        assert_eq!(at("now"), NOW.as_millis());
        assert_eq!(at("-6h"), NOW.as_millis() - 21_600_000);
        assert_eq!(at("1795406700"), NOW.as_millis());
        assert_eq!(at("1795406700000"), NOW.as_millis());
        assert_eq!(at("2026-11-23T04:05:00+01:00"), at("2026-11-23T03:05:00Z"));
        for bad in [
            "",
            "yesterday",
            "1e300",
            "NaN",
            "-",
            "--6h",
            "1970-01-01T00:00:00Z",
            "12",
        ] {
            assert!(Timestamp::parse(bad, NOW).is_err(), "{bad} must be refused");
        }
    }

    #[test]
    fn durations_are_read_and_written() {
        for (text, millis) in [
            ("30s", 30_000),
            ("5m", 300_000),
            ("1.5h", 5_400_000),
            ("250ms", 250),
            ("7", 7000),
            ("1y", 31_536_000_000),
        ] {
            assert_eq!(parse_duration(text).unwrap(), millis, "{text}");
        }
        for bad in ["", "s", "-5s", "5 parsecs", "0s", "9999y", "1e9d"] {
            assert!(parse_duration(bad).is_err(), "{bad} must be refused");
        }
        assert_eq!(format_duration(Duration::from_secs(90)), "90s");
        assert_eq!(format_duration(Duration::from_hours(2)), "2h");
    }

    proptest! {
        #[test]
        fn json_keeps_every_millisecond(millis in limits::EARLIEST_MS..limits::LATEST_MS) {
            let time = Timestamp::from_millis(millis);
            let json = serde_json::to_string(&time).unwrap();
            prop_assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), time);
        }

        #[test]
        fn any_text_is_a_time_or_an_error(text in "\\PC{0,40}") {
            let _read = Timestamp::parse(&text, NOW);
            let _read = parse_duration(&text);
        }
    }
}
