//! Samples of one field become series.

use std::{ops::Range, sync::Arc};

use schemas::{FieldName, FieldValue, api::Agg};

use super::{chunk::Column, codec::ColumnHead, values::Values};
use crate::{
    QueryError, RangeQuery,
    aggregate::{Accumulator, Totals},
    counter::{Counter, LOOK_BACK_MS, Reading},
    window::Windows,
};

/// What an answer may still hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    series: usize,
    values: usize,
    max_series: usize,
    max_values: usize,
}

impl Budget {
    /// The limits of a query.
    pub(crate) const fn new(query: &RangeQuery) -> Self {
        Self {
            series: 0,
            values: 0,
            max_series: query.max_series,
            max_values: query.max_values,
        }
    }

    pub(crate) fn series(&mut self) -> Result<(), QueryError> {
        self.series += 1;
        within("series", self.series, self.max_series)
    }

    pub(crate) fn values(&mut self, what: &'static str, more: usize) -> Result<(), QueryError> {
        self.values += more;
        within(what, self.values, self.max_values)
    }
}

/// Refuses what is above its limit.
pub(crate) fn within(what: &'static str, asked: usize, limit: usize) -> Result<(), QueryError> {
    if asked <= limit {
        return Ok(());
    }
    Err(QueryError::TooLarge {
        what,
        asked: asked as u64,
        limit: limit as u64,
    })
}

/// What is asked of every field.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Begin, inclusive.
    pub(crate) from: i64,
    /// End, exclusive.
    pub(crate) to: i64,
    /// Begin of what must be read.
    pub(crate) scan_from: i64,
    /// None when raw.
    pub(crate) windows: Option<Windows>,
    /// In order, each once.
    pub(crate) aggs: Vec<Agg>,
    /// Whether rate or increase is among them.
    pub(crate) counts: bool,
    simple: bool,
}

impl Plan {
    /// What a query asks.
    ///
    /// # Errors
    /// It has more windows than the answer may have values.
    pub(crate) fn new(query: &RangeQuery) -> Result<Self, QueryError> {
        let windows = Windows::new(query.from, query.to, query.step, query.max_values)?;
        let mut aggs = query.aggs.clone();
        aggs.sort_unstable();
        aggs.dedup();
        let is_counter = |agg: &Agg| matches!(agg, Agg::Rate | Agg::Increase);
        let counts = windows.is_some() && aggs.iter().any(is_counter);
        let from = query.from.as_millis();
        Ok(Self {
            from,
            to: query.to.as_millis(),
            scan_from: if counts {
                from.saturating_sub(LOOK_BACK_MS)
            } else {
                from
            },
            windows,
            counts,
            simple: !aggs.iter().all(is_counter),
            aggs,
        })
    }

    /// How many series one field becomes for certain.
    pub(crate) fn sure_series(&self) -> usize {
        match self.windows {
            None => 1,
            Some(_) => self
                .aggs
                .iter()
                .filter(|agg| !matches!(agg, Agg::Rate | Agg::Increase))
                .count(),
        }
    }

    /// The window that holds all of a span, if one does.
    pub(crate) fn window_over(&self, first: i64, last: i64) -> Option<usize> {
        let windows = self.windows.as_ref()?;
        if first < self.from || last >= self.to {
            return None;
        }
        let index = windows.find(first);
        (last < windows.end_of(index)).then_some(index)
    }
}

/// Takes the samples of one field in order of time.
#[derive(Debug)]
pub(crate) struct Sink {
    /// The field.
    pub(crate) field: FieldName,
    times: Vec<i64>,
    raw: Vec<Option<FieldValue>>,
    window: Option<usize>,
    window_end: i64,
    accumulator: Accumulator,
    counter: Counter,
    outputs: Vec<Option<Vec<Option<FieldValue>>>>,
}

impl Sink {
    /// Nothing yet.
    pub(crate) fn new(field: FieldName, plan: &Plan) -> Self {
        Self {
            field,
            times: Vec::new(),
            raw: Vec::new(),
            window: None,
            window_end: i64::MIN,
            accumulator: Accumulator::default(),
            counter: Counter::default(),
            outputs: vec![None; plan.aggs.len()],
        }
    }

    /// Takes the values of some rows.
    pub(super) fn add(
        &mut self,
        times: &[i64],
        column: &Column,
        rows: &Range<usize>,
        plan: &Plan,
        budget: &mut Budget,
    ) -> Result<(), QueryError> {
        match &plan.windows {
            None => self.add_raw(times, column, rows, budget),
            Some(windows) => self.add_windows(times, column, rows, windows, plan, budget),
        }
    }

    fn add_raw(
        &mut self,
        times: &[i64],
        column: &Column,
        rows: &Range<usize>,
        budget: &mut Budget,
    ) -> Result<(), QueryError> {
        let indexes = column.indexes(rows);
        if self.times.is_empty() && !indexes.is_empty() {
            budget.series()?;
        }
        budget.values("samples", indexes.len())?;
        self.times.reserve(indexes.len());
        self.raw.reserve(indexes.len());
        for index in indexes {
            if let (Some(&time), Some(value)) =
                (times.get(column.row(index)), column.values.get(index))
            {
                self.times.push(time);
                self.raw.push(Some(value));
            }
        }
        Ok(())
    }

    fn add_windows(
        &mut self,
        times: &[i64],
        column: &Column,
        rows: &Range<usize>,
        windows: &Windows,
        plan: &Plan,
        budget: &mut Budget,
    ) -> Result<(), QueryError> {
        let mut indexes = column.indexes(rows);
        let time_of = |index: usize| times.get(column.row(index)).copied();
        while let Some(time) = (!indexes.is_empty())
            .then(|| time_of(indexes.start))
            .flatten()
        {
            // values up to the end of the window, or up to the range if it has not begun
            let end = if time < plan.from {
                plan.from
            } else {
                if self.window.is_none() || time >= self.window_end {
                    self.enter(windows.find(time), windows, plan, budget)?;
                }
                self.window_end
            };
            let mut stop = indexes.start;
            while stop < indexes.end && time_of(stop).is_some_and(|time| time < end) {
                stop += 1;
            }
            if time >= plan.from && plan.simple {
                match &column.values {
                    Values::Floats(v) => self
                        .accumulator
                        .add_all_floats(v.get(indexes.start..stop).unwrap_or_default()),
                    Values::Integers(v) => self
                        .accumulator
                        .add_all_integers(v.get(indexes.start..stop).unwrap_or_default()),
                    values => (indexes.start..stop)
                        .filter_map(|index| values.get(index))
                        .for_each(|value| self.accumulator.add(&value)),
                }
            }
            if plan.counts {
                for index in indexes.start..stop {
                    let reading = column.values.get(index).as_ref().and_then(Reading::of);
                    if let (Some(time), Some(reading)) = (time_of(index), reading) {
                        if time < plan.from {
                            self.counter.begin(time, reading);
                        } else {
                            self.counter.add(time, reading);
                        }
                    }
                }
            }
            indexes.start = stop;
        }
        Ok(())
    }

    /// Takes one value.
    pub(crate) fn add_one(
        &mut self,
        time: i64,
        value: FieldValue,
        plan: &Plan,
        budget: &mut Budget,
    ) -> Result<(), QueryError> {
        let Some(windows) = &plan.windows else {
            if self.times.is_empty() {
                budget.series()?;
            }
            budget.values("samples", 1)?;
            self.times.push(time);
            self.raw.push(Some(value));
            return Ok(());
        };
        if time >= plan.from {
            if self.window.is_none() || time >= self.window_end {
                self.enter(windows.find(time), windows, plan, budget)?;
            }
            if plan.simple {
                self.accumulator.add(&value);
            }
        }
        if let Some(reading) = plan.counts.then(|| Reading::of(&value)).flatten() {
            if time < plan.from {
                self.counter.begin(time, reading);
            } else {
                self.counter.add(time, reading);
            }
        }
        Ok(())
    }

    /// Takes a whole column that lies in one window, without its values. Whether that was possible.
    pub(super) fn absorb(
        &mut self,
        column: &ColumnHead,
        window: usize,
        plan: &Plan,
        budget: &mut Budget,
    ) -> Result<bool, QueryError> {
        let Some(windows) = &plan.windows else {
            return Ok(false);
        };
        if plan.counts || column.summary.totals == Totals::None {
            return Ok(false);
        }
        if self.window != Some(window) {
            self.enter(window, windows, plan, budget)?;
        }
        self.accumulator.absorb(&column.summary);
        Ok(true)
    }

    fn enter(
        &mut self,
        index: usize,
        windows: &Windows,
        plan: &Plan,
        budget: &mut Budget,
    ) -> Result<(), QueryError> {
        self.leave(plan, budget)?;
        self.window = Some(index);
        self.window_end = windows.end_of(index);
        Ok(())
    }

    fn leave(&mut self, plan: &Plan, budget: &mut Budget) -> Result<(), QueryError> {
        let (Some(window), Some(windows)) = (self.window.take(), &plan.windows) else {
            return Ok(());
        };
        for (&agg, output) in plan.aggs.iter().zip(&mut self.outputs) {
            let value = match agg {
                Agg::Rate | Agg::Increase => self.counter.value(agg),
                _ => self.accumulator.value(agg),
            };
            let Some(value) = value else { continue };
            if output.is_none() {
                budget.series()?;
                budget.values("windows", windows.len())?;
            }
            let values = output.get_or_insert_with(|| vec![None; windows.len()]);
            if let Some(slot) = values.get_mut(window) {
                *slot = Some(value);
            }
        }
        self.accumulator = Accumulator::default();
        self.counter.next_window();
        Ok(())
    }

    /// The series that came of it: times, aggregation, values.
    pub(crate) fn finish(
        mut self,
        plan: &Plan,
        budget: &mut Budget,
    ) -> Result<Vec<Finished>, QueryError> {
        self.leave(plan, budget)?;
        let Some(windows) = &plan.windows else {
            let series = (!self.times.is_empty()).then(|| Finished {
                field: self.field,
                agg: None,
                times: self.times.into(),
                values: self.raw,
            });
            return Ok(series.into_iter().collect());
        };
        Ok(plan
            .aggs
            .iter()
            .zip(self.outputs)
            .filter_map(|(&agg, values)| {
                Some(Finished {
                    field: self.field.clone(),
                    agg: Some(agg),
                    times: Arc::clone(windows.starts()),
                    values: values?,
                })
            })
            .collect())
    }
}

/// A series without its entity.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The field.
    pub(crate) field: FieldName,
    /// None when raw.
    pub(crate) agg: Option<Agg>,
    /// Times of samples or starts of windows.
    pub(crate) times: Arc<[i64]>,
    /// A value for each.
    pub(crate) values: Vec<Option<FieldValue>>,
}
