//! The windows of a range: fixed ones aligned to the epoch, or those of the civil calendar.

use std::sync::Arc;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use schemas::Timestamp;

use crate::{CalendarUnit, QueryError, Step};

/// The civil calendar is asked about these instants only: year 1 to year 9999.
const CALENDAR_MS: std::ops::RangeInclusive<i64> = -62_000_000_000_000..=253_000_000_000_000;

/// Windows that cover a range without a gap, in order.
#[derive(Clone, Debug)]
pub(crate) struct Windows {
    starts: Arc<[i64]>,
    end: i64,
}

impl Windows {
    /// The windows of `[from, to)`; none for raw samples. The first begins at or before `from`.
    ///
    /// # Errors
    /// There are more than `limit`, counted before any is made.
    pub(crate) fn new(
        from: Timestamp,
        to: Timestamp,
        step: Step,
        limit: usize,
    ) -> Result<Option<Self>, QueryError> {
        let (from, to) = (from.as_millis(), to.as_millis());
        let windows = match step {
            Step::Raw => return Ok(None),
            Step::Millis(step) => fixed(from, to, step.max(1), limit)?,
            Step::Calendar(unit, tz) => calendar(from, to, unit, tz, limit)?,
        };
        Ok(Some(windows))
    }

    /// Starts of all windows.
    pub(crate) fn starts(&self) -> &Arc<[i64]> {
        &self.starts
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// The window that holds an instant of the range.
    pub(crate) fn find(&self, time: i64) -> usize {
        self.starts
            .partition_point(|&start| start <= time)
            .saturating_sub(1)
    }

    /// Where a window ends, exclusive.
    pub(crate) fn end_of(&self, index: usize) -> i64 {
        self.starts.get(index + 1).copied().unwrap_or(self.end)
    }
}

fn bounded(asked: i128, limit: usize) -> Result<(), QueryError> {
    if usize::try_from(asked.max(0)).is_ok_and(|asked| asked <= limit) {
        return Ok(());
    }
    Err(QueryError::TooLarge {
        what: "windows",
        asked: u64::try_from(asked).unwrap_or(u64::MAX),
        limit: u64::try_from(limit).unwrap_or(u64::MAX),
    })
}

fn fixed(from: i64, to: i64, step: i64, limit: usize) -> Result<Windows, QueryError> {
    if from >= to {
        return Ok(Windows {
            starts: Arc::from([]),
            end: to,
        });
    }
    let first = i128::from(from.div_euclid(step)) * i128::from(step);
    let count = (i128::from(to) - 1 - first) / i128::from(step) + 1;
    bounded(count, limit)?;
    let start = |index: i128| {
        i64::try_from(first + index * i128::from(step)).unwrap_or(if first < 0 {
            i64::MIN
        } else {
            i64::MAX
        })
    };
    Ok(Windows {
        starts: (0..count).map(start).collect(),
        end: start(count),
    })
}

fn calendar(
    from: i64,
    to: i64,
    unit: CalendarUnit,
    tz: Tz,
    limit: usize,
) -> Result<Windows, QueryError> {
    let (from, to) = (clamp(from), clamp(to));
    if from >= to {
        return Ok(Windows {
            starts: Arc::from([]),
            end: to,
        });
    }
    let shortest: i64 = match unit {
        CalendarUnit::Day => 86_400_000,
        CalendarUnit::Week => 7 * 86_400_000,
        CalendarUnit::Month => 28 * 86_400_000,
    };
    bounded(i128::from((to - from) / (shortest + shortest / 8)), limit)?;
    let Some(mut date) = first_date(from, unit, tz) else {
        return Ok(Windows {
            starts: Arc::from([from]),
            end: to,
        });
    };
    let mut starts = Vec::new();
    let mut start = start_of(date, tz).min(from);
    loop {
        starts.push(start);
        bounded(i128::try_from(starts.len()).unwrap_or(i128::MAX), limit)?;
        // a date that a zone left out (Samoa, 30 December 2011) has no window
        let next = loop {
            let Some(next) = advance(date, unit) else {
                break to;
            };
            date = next;
            let begins = start_of(date, tz);
            if begins > start {
                break begins;
            }
        };
        if next >= to {
            return Ok(Windows {
                starts: starts.into(),
                end: next,
            });
        }
        start = next;
    }
}

fn clamp(millis: i64) -> i64 {
    millis.clamp(*CALENDAR_MS.start(), *CALENDAR_MS.end())
}

fn first_date(from: i64, unit: CalendarUnit, tz: Tz) -> Option<NaiveDate> {
    let date = DateTime::<Utc>::from_timestamp_millis(from)?
        .with_timezone(&tz)
        .date_naive();
    match unit {
        CalendarUnit::Day => Some(date),
        CalendarUnit::Week => {
            date.checked_sub_days(Days::new(date.weekday().num_days_from_monday().into()))
        }
        CalendarUnit::Month => date.with_day(1),
    }
}

fn advance(date: NaiveDate, unit: CalendarUnit) -> Option<NaiveDate> {
    match unit {
        CalendarUnit::Day => date.checked_add_days(Days::new(1)),
        CalendarUnit::Week => date.checked_add_days(Days::new(7)),
        CalendarUnit::Month => date.checked_add_months(Months::new(1)),
    }
}

/// The first instant of a civil date: midnight, or where the clock jumps over midnight the end of the jump.
fn start_of(date: NaiveDate, tz: Tz) -> i64 {
    let midnight = date.and_time(NaiveTime::MIN);
    (0..=1440)
        .find_map(|minutes| {
            tz.from_local_datetime(&(midnight + TimeDelta::minutes(minutes)))
                .earliest()
        })
        .map_or_else(
            || midnight.and_utc().timestamp_millis(),
            |start| start.timestamp_millis(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text, Timestamp::default()).unwrap()
    }

    fn starts(from: &str, to: &str, step: Step) -> Vec<String> {
        let windows = Windows::new(at(from), at(to), step, 1000).unwrap().unwrap();
        windows
            .starts()
            .iter()
            .map(|&start| Timestamp::from_millis(start).to_string())
            .collect()
    }

    const BERLIN: Tz = chrono_tz::Europe::Berlin;

    #[test]
    fn fixed_windows_align_to_the_epoch() {
        assert_eq!(
            starts(
                "2026-11-23T03:02:00Z",
                "2026-11-23T03:10:01Z",
                Step::Millis(300_000)
            ),
            [
                "2026-11-23T03:00:00.000Z",
                "2026-11-23T03:05:00.000Z",
                "2026-11-23T03:10:00.000Z"
            ]
        );
    }

    #[test]
    fn days_in_berlin_are_23_and_25_hours_long_at_the_changes() {
        let day = Step::Calendar(CalendarUnit::Day, BERLIN);
        assert_eq!(
            starts("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z", day),
            [
                "2026-03-27T23:00:00.000Z",
                "2026-03-28T23:00:00.000Z",
                "2026-03-29T22:00:00.000Z"
            ]
        );
        assert_eq!(
            starts("2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z", day),
            [
                "2026-10-23T22:00:00.000Z",
                "2026-10-24T22:00:00.000Z",
                "2026-10-25T23:00:00.000Z"
            ]
        );
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        assert_eq!(
            starts(
                "2026-11-25T00:00:00Z",
                "2026-12-01T00:00:00Z",
                Step::Calendar(CalendarUnit::Week, BERLIN)
            ),
            ["2026-11-22T23:00:00.000Z", "2026-11-29T23:00:00.000Z"]
        );
        assert_eq!(
            starts(
                "2026-02-10T00:00:00Z",
                "2026-04-10T00:00:00Z",
                Step::Calendar(CalendarUnit::Month, BERLIN)
            ),
            [
                "2026-01-31T23:00:00.000Z",
                "2026-02-28T23:00:00.000Z",
                "2026-03-31T22:00:00.000Z"
            ]
        );
    }

    #[test]
    fn a_midnight_that_does_not_exist_begins_where_the_clock_goes_on() {
        // Beirut goes from 00:00 to 01:00 on the last Sunday of March
        assert_eq!(
            starts(
                "2026-03-28T22:30:00Z",
                "2026-03-29T23:00:00Z",
                Step::Calendar(CalendarUnit::Day, chrono_tz::Asia::Beirut)
            ),
            ["2026-03-28T22:00:00.000Z", "2026-03-29T21:00:00.000Z"]
        );
        // Samoa had no 30 December 2011
        assert_eq!(
            starts(
                "2011-12-29T12:00:00Z",
                "2012-01-01T12:00:00Z",
                Step::Calendar(CalendarUnit::Day, chrono_tz::Pacific::Apia)
            ),
            [
                "2011-12-29T10:00:00.000Z",
                "2011-12-30T10:00:00.000Z",
                "2011-12-31T10:00:00.000Z",
                "2012-01-01T10:00:00.000Z"
            ]
        );
    }

    #[test]
    fn too_many_windows_are_refused_before_they_are_made() {
        for step in [
            Step::Millis(1),
            Step::Millis(0),
            Step::Millis(i64::MIN),
            Step::Calendar(CalendarUnit::Day, BERLIN),
        ] {
            let error = Windows::new(
                Timestamp::from_millis(i64::MIN),
                Timestamp::from_millis(i64::MAX),
                step,
                1000,
            )
            .unwrap_err();
            assert!(matches!(
                error,
                QueryError::TooLarge {
                    what: "windows",
                    ..
                }
            ));
        }
    }

    #[test]
    fn an_empty_range_has_no_windows() {
        for step in [
            Step::Millis(1000),
            Step::Calendar(CalendarUnit::Month, BERLIN),
        ] {
            let windows = Windows::new(
                at("2026-11-23T03:00:00Z"),
                at("2026-11-23T03:00:00Z"),
                step,
                10,
            )
            .unwrap()
            .unwrap();
            assert_eq!(windows.len(), 0);
        }
    }

    #[test]
    fn each_instant_is_found_in_its_window() {
        let windows = Windows::new(
            at("2026-10-24T12:00:00Z"),
            at("2026-10-26T12:00:00Z"),
            Step::Calendar(CalendarUnit::Day, BERLIN),
            10,
        )
        .unwrap()
        .unwrap();
        for (index, &start) in windows.starts().iter().enumerate() {
            assert_eq!(windows.find(start), index);
            assert_eq!(windows.find(windows.end_of(index) - 1), index);
        }
    }
}
