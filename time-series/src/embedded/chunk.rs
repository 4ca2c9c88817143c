//! Consecutive points of one entity, column by column.

use std::{cmp::Ordering, ops::Range, sync::Arc};

use schemas::{FieldName, FieldValue, Fields};

use super::{origin::Origin, values::Values};

/// Which points of a chunk have a value of a field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Rows {
    /// Each.
    All,
    /// These, in order.
    Some(Vec<u32>),
}

/// The values of one field.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// The field.
    pub(super) name: FieldName,
    /// The points that have it.
    pub(super) rows: Rows,
    /// A value for each of them.
    pub(super) values: Values,
}

impl Column {
    /// The rows, in order, each with the index of its value.
    pub(super) fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        let (all, some) = match &self.rows {
            Rows::All => (self.values.len(), None),
            Rows::Some(rows) => (0, Some(rows)),
        };
        (0..all).chain(some.into_iter().flatten().map(|&row| row as usize))
    }

    /// Indexes of the values whose rows lie in a range.
    pub(super) fn indexes(&self, rows: &Range<usize>) -> Range<usize> {
        match &self.rows {
            Rows::All => rows.start.min(self.values.len())..rows.end.min(self.values.len()),
            Rows::Some(present) => {
                present.partition_point(|&row| (row as usize) < rows.start)
                    ..present.partition_point(|&row| (row as usize) < rows.end)
            }
        }
    }

    /// The row of a value.
    pub(super) fn row(&self, index: usize) -> usize {
        match &self.rows {
            Rows::All => index,
            Rows::Some(rows) => rows.get(index).map_or(usize::MAX, |&row| row as usize),
        }
    }

    fn push(&mut self, row: u32, value: FieldValue) {
        if let Rows::Some(rows) = &mut self.rows {
            rows.push(row);
        }
        self.values.push(value);
    }

    /// The next row has no value.
    fn skip(&mut self, row: u32) {
        if self.rows == Rows::All {
            self.rows = Rows::Some((0..row).collect());
        }
    }

    fn slice(&self, rows: &Range<usize>) -> Option<Self> {
        let indexes = self.indexes(rows);
        if indexes.is_empty() {
            return None;
        }
        let present = match &self.rows {
            Rows::All => Rows::All,
            Rows::Some(_) if indexes.len() == rows.len() => Rows::All,
            Rows::Some(present) => Rows::Some(
                present
                    .get(indexes.clone())
                    .unwrap_or_default()
                    .iter()
                    .map(|&row| row_number(row as usize - rows.start))
                    .collect(),
            ),
        };
        Some(Self {
            name: self.name.clone(),
            rows: present,
            values: self.values.slice(indexes.start, indexes.end),
        })
    }
}

/// Rows are counted in 32 bits: a chunk in memory is far smaller.
fn row_number(row: usize) -> u32 {
    u32::try_from(row).unwrap_or(u32::MAX)
}

/// Points of one entity in order of time, no two with the same time.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk {
    /// Unix milliseconds.
    pub(super) times: Vec<i64>,
    /// Who observed each, and how the entity was labelled. Empty where only readings were asked for.
    pub(super) origins: Vec<Arc<Origin>>,
    /// By name of the field.
    pub(super) columns: Vec<Column>,
}

impl Chunk {
    /// How many points there are.
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// How many values there are.
    pub(super) fn samples(&self) -> usize {
        self.columns.iter().map(|column| column.values.len()).sum()
    }

    /// About how many bytes it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let columns: usize = self
            .columns
            .iter()
            .map(|column| {
                let rows = match &column.rows {
                    Rows::All => 0,
                    Rows::Some(_) => size_of::<u32>(),
                };
                size_of::<Column>() + column.values.len() * (column.values.width() + rows)
            })
            .sum();
        size_of::<Self>() + self.times.len() * 16 + columns
    }

    /// Time of the first point.
    pub(super) fn first(&self) -> Option<i64> {
        self.times.first().copied()
    }

    /// Time of the last point.
    pub(super) fn last(&self) -> Option<i64> {
        self.times.last().copied()
    }

    /// Rows whose times lie in `[from, to)`.
    pub(super) fn rows_between(&self, from: i64, to: i64) -> Range<usize> {
        let start = self.times.partition_point(|&time| time < from);
        start..self.times.partition_point(|&time| time < to).max(start)
    }

    /// Takes a point; with the time of one that is there its fields are merged and win.
    pub(super) fn insert(&mut self, time: i64, origin: Arc<Origin>, fields: Fields) {
        match self.last().map(|last| time.cmp(&last)) {
            None | Some(Ordering::Greater) => self.append(time, origin, fields),
            Some(Ordering::Equal) => self.overlay_last(origin, fields),
            Some(Ordering::Less) => {
                let mut one = Self::default();
                one.append(time, origin, fields);
                *self = std::mem::take(self).merge(&one);
            }
        }
    }

    fn append(&mut self, time: i64, origin: Arc<Origin>, fields: Fields) {
        let row = row_number(self.times.len());
        if self.times.len() == self.times.capacity() {
            self.times.reserve_exact(64);
            self.origins.reserve_exact(64);
        }
        self.times.push(time);
        self.origins.push(origin);
        let mut at = 0;
        for (name, value) in fields {
            loop {
                match self.columns.get_mut(at) {
                    Some(column) if column.name < name => {
                        column.skip(row);
                        at += 1;
                    }
                    Some(column) if column.name == name => {
                        column.push(row, value);
                        break;
                    }
                    _ => {
                        let rows = if row == 0 {
                            Rows::All
                        } else {
                            Rows::Some(vec![row])
                        };
                        let values = Values::one(value);
                        self.columns.insert(at, Column { name, rows, values });
                        break;
                    }
                }
            }
            at += 1;
        }
        for column in self.columns.iter_mut().skip(at) {
            column.skip(row);
        }
    }

    fn overlay_last(&mut self, origin: Arc<Origin>, fields: Fields) {
        let row = self.times.len().saturating_sub(1);
        if let Some(last) = self.origins.last_mut() {
            *last = origin;
        }
        for (name, value) in fields {
            match self
                .columns
                .binary_search_by(|column| column.name.cmp(&name))
            {
                Ok(at) => {
                    if let Some(column) = self.columns.get_mut(at) {
                        let last = column.values.len().saturating_sub(1);
                        if column.row(last) == row {
                            column.values.set(last, value);
                        } else {
                            column.push(row_number(row), value);
                        }
                    }
                }
                Err(at) => {
                    let rows = if row == 0 {
                        Rows::All
                    } else {
                        Rows::Some(vec![row_number(row)])
                    };
                    let values = Values::one(value);
                    self.columns.insert(at, Column { name, rows, values });
                }
            }
        }
    }

    /// A part of it.
    pub(super) fn slice(&self, rows: &Range<usize>) -> Self {
        Self {
            times: self.times.get(rows.clone()).unwrap_or_default().to_vec(),
            origins: self.origins.get(rows.clone()).unwrap_or_default().to_vec(),
            columns: self
                .columns
                .iter()
                .filter_map(|column| column.slice(rows))
                .collect(),
        }
    }

    /// Both together. Where both have a point at one time their fields are merged and those of `later` win.
    pub(super) fn merge(self, later: &Self) -> Self {
        if later.times.is_empty() {
            return self;
        }
        if self.times.is_empty() {
            return later.clone();
        }
        let mut merged = Self::default();
        merged.times.reserve_exact(self.len() + later.len());
        let with_origins = !self.origins.is_empty() && !later.origins.is_empty();
        let (mut of_self, mut of_later) = (
            Vec::with_capacity(self.len()),
            Vec::with_capacity(later.len()),
        );
        let (mut a, mut b) = (0, 0);
        loop {
            let row = row_number(merged.times.len());
            let (time, take_later) = match (self.times.get(a), later.times.get(b)) {
                (Some(&x), Some(&y)) => (x.min(y), y <= x),
                (Some(&x), None) => (x, false),
                (None, Some(&y)) => (y, true),
                (None, None) => break,
            };
            merged.times.push(time);
            let origin = if take_later {
                later.origins.get(b)
            } else {
                self.origins.get(a)
            };
            if with_origins && let Some(origin) = origin {
                merged.origins.push(Arc::clone(origin));
            }
            if self.times.get(a) == Some(&time) {
                of_self.push(row);
                a += 1;
            }
            if take_later {
                of_later.push(row);
                b += 1;
            }
        }
        merged.columns = merge_columns(&self, &of_self, later, &of_later, merged.times.len());
        merged
    }
}

fn merge_columns(
    earlier: &Chunk,
    of_earlier: &[u32],
    later: &Chunk,
    of_later: &[u32],
    rows: usize,
) -> Vec<Column> {
    let (mut a, mut b) = (
        earlier.columns.iter().peekable(),
        later.columns.iter().peekable(),
    );
    let mut columns = Vec::with_capacity(earlier.columns.len().max(later.columns.len()));
    loop {
        let order = match (a.peek(), b.peek()) {
            (Some(x), Some(y)) => x.name.cmp(&y.name),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return columns,
        };
        let x = if order.is_le() { a.next() } else { None };
        let y = if order.is_ge() { b.next() } else { None };
        let Some(name) = x.or(y).map(|column| column.name.clone()) else {
            return columns;
        };
        let mut joined = Joined::default();
        let mut from_y = y
            .into_iter()
            .flat_map(|column| cells(column, of_later))
            .peekable();
        for (row, value) in x.into_iter().flat_map(|column| cells(column, of_earlier)) {
            while let Some(cell) = from_y.next_if(|(other, _)| *other < row) {
                joined.push(cell);
            }
            match from_y.next_if(|(other, _)| *other == row) {
                Some(cell) => joined.push(cell),
                None => joined.push((row, value)),
            }
        }
        from_y.for_each(|cell| joined.push(cell));
        if let Some(values) = joined.values {
            let rows = if joined.rows.len() == rows {
                Rows::All
            } else {
                Rows::Some(joined.rows)
            };
            columns.push(Column { name, rows, values });
        }
    }
}

#[derive(Default)]
struct Joined {
    rows: Vec<u32>,
    values: Option<Values>,
}

impl Joined {
    fn push(&mut self, (row, value): (u32, FieldValue)) {
        self.rows.push(row);
        match &mut self.values {
            Some(values) => values.push(value),
            None => self.values = Some(Values::one(value)),
        }
    }
}

fn cells<'a>(
    column: &'a Column,
    places: &'a [u32],
) -> impl Iterator<Item = (u32, FieldValue)> + 'a {
    column
        .rows()
        .zip(column.values.iter())
        .filter_map(|(row, value)| Some((*places.get(row)?, value)))
}
