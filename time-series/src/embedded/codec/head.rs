//! What is known of a chunk without reading its values.

use std::{ops::Range, sync::Arc};

use schemas::{FieldName, FieldValue};

use super::{
    super::{
        chunk::{Chunk, Column, Rows},
        origin::Origin,
    },
    Corrupt, MAX_POINTS, MAX_SAMPLES, VERSION,
    bytes::{Bytes, Reader},
    pack::{Packing, Tag, Type, put_value, unpack, unpack_dictionary, unpack_integers, value},
};
use crate::aggregate::{Accumulator, FloatSum, Summary, Totals, float, integer};

/// Which points have a value.
#[derive(Clone, Debug)]
struct RowSet {
    count: usize,
    range: Range<usize>,
    last: i64,
}

/// What is known of one column.
#[derive(Clone, Debug)]
pub(in super::super) struct ColumnHead {
    /// The field.
    pub(in super::super) name: FieldName,
    /// Its values in short.
    pub(in super::super) summary: Summary,
    /// When the last was observed.
    pub(in super::super) last_time: i64,
    rows: Option<usize>,
    tag: Tag,
    range: Range<usize>,
}

/// What is known of a chunk.
#[derive(Clone, Debug)]
pub(in super::super) struct Head {
    /// How many points.
    pub(in super::super) points: usize,
    /// Time of the first.
    pub(in super::super) first: i64,
    /// Time of the last.
    pub(in super::super) last: i64,
    /// By name of the field.
    pub(in super::super) columns: Vec<ColumnHead>,
    checksum: u32,
    times: (Tag, Range<usize>),
    origins: Range<usize>,
    row_sets: Vec<RowSet>,
}

/// Adds parts of the body up.
struct Parts(usize);

impl Parts {
    fn next(&mut self, reader: &mut Reader<'_>) -> Result<Range<usize>, Corrupt> {
        let length = reader.bounded(u32::MAX as usize)?;
        let begin = self.0;
        self.0 += length;
        Ok(begin..self.0)
    }
}

impl Head {
    /// Reads a head, after its checksum.
    pub(in super::super) fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != [VERSION] {
            return Err(Corrupt("the version"));
        }
        let own = u32::from_le_bytes(reader.array()?);
        if crc32fast::hash(reader.rest()) != own {
            return Err(Corrupt("the checksum of the head"));
        }
        let checksum = u32::from_le_bytes(reader.array()?);
        let points = reader.bounded(MAX_POINTS)?;
        if points == 0 {
            return Err(Corrupt("the number of points"));
        }
        let first = reader.signed()?;
        let last = later(first, &mut reader)?;
        let mut parts = Parts(0);
        let [tag] = reader.array()?;
        let times = (Tag::from_byte(tag)?, parts.next(&mut reader)?);
        let origins = parts.next(&mut reader)?;
        let count = reader.bounded(reader.left())?;
        let mut row_sets = Vec::with_capacity(count);
        for _ in 0..count {
            row_sets.push(RowSet {
                count: reader.bounded(points)?,
                range: parts.next(&mut reader)?,
                last: later(first, &mut reader)?,
            });
        }
        let count = reader.bounded(reader.left())?;
        let mut columns = Vec::with_capacity(count);
        let mut samples = 0;
        for _ in 0..count {
            let name =
                FieldName::new(reader.text()?).map_err(|_| Corrupt("the name of a field"))?;
            let (rows, values, last_time) = match reader.bounded(row_sets.len())?.checked_sub(1) {
                None => (None, points, last),
                Some(index) => {
                    let set = row_sets.get(index).ok_or(Corrupt("a set of rows"))?;
                    (Some(index), set.count, set.last)
                }
            };
            samples += values;
            if values == 0 || samples > MAX_SAMPLES {
                return Err(Corrupt("the number of values"));
            }
            let [tag] = reader.array()?;
            let tag = Tag::from_byte(tag)?;
            let range = parts.next(&mut reader)?;
            columns.push(ColumnHead {
                name,
                summary: summary(tag, values, &mut reader)?,
                last_time,
                rows,
                tag,
                range,
            });
        }
        if !columns.is_sorted_by(|a, b| a.name < b.name) {
            return Err(Corrupt("the order of the columns"));
        }
        Ok(Self {
            points,
            first,
            last,
            columns,
            checksum,
            times,
            origins,
            row_sets,
        })
    }

    /// How many values there are.
    pub(in super::super) fn samples(&self) -> u64 {
        self.columns.iter().map(|column| column.summary.count).sum()
    }

    /// The column of a field.
    pub(in super::super) fn column(&self, name: &FieldName) -> Option<&ColumnHead> {
        let at = self
            .columns
            .binary_search_by(|column| column.name.cmp(name))
            .ok()?;
        self.columns.get(at)
    }

    /// Checks that a body belongs to this head.
    pub(in super::super) fn check(&self, body: &[u8]) -> Result<(), Corrupt> {
        if crc32fast::hash(body) == self.checksum {
            Ok(())
        } else {
            Err(Corrupt("the checksum of the body"))
        }
    }

    /// Times of all points.
    pub(in super::super) fn times(&self, body: &[u8]) -> Result<Vec<i64>, Corrupt> {
        let (Tag(form, packing), range) = &self.times;
        let bytes = part(body, range)?;
        let times = if *form == ON_GRID {
            let mut times = unpack_integers(*packing, bytes, self.points, 0)?;
            restore_grid(&mut times, self.first, self.last);
            times
        } else {
            unpack_integers(*packing, bytes, self.points, self.first)?
        };
        if times.first() != Some(&self.first)
            || times.last() != Some(&self.last)
            || !times.is_sorted_by(|a, b| a < b)
        {
            return Err(Corrupt("the order of the times"));
        }
        Ok(times)
    }

    /// Who observed the points.
    pub(in super::super) fn origins(&self, body: &[u8]) -> Result<Vec<Arc<Origin>>, Corrupt> {
        unpack_dictionary(part(body, &self.origins)?, self.points, |reader| {
            Origin::decode(reader).map(Arc::new)
        })
    }

    /// The values of one column.
    pub(in super::super) fn values(
        &self,
        body: &[u8],
        column: &ColumnHead,
    ) -> Result<Column, Corrupt> {
        let (rows, count) = match column.rows.and_then(|index| self.row_sets.get(index)) {
            None => (Rows::All, self.points),
            Some(set) => (
                Rows::Some(unpack_rows(
                    part(body, &set.range)?,
                    set.count,
                    self.points,
                )?),
                set.count,
            ),
        };
        let bytes = part(body, &column.range)?;
        let values = unpack(column.tag, bytes, count, &column.summary.first)?;
        Ok(Column {
            name: column.name.clone(),
            rows,
            values,
        })
    }

    /// All of it.
    pub(in super::super) fn chunk(&self, body: &[u8]) -> Result<Chunk, Corrupt> {
        self.check(body)?;
        Ok(Chunk {
            times: self.times(body)?,
            origins: self.origins(body)?,
            columns: self
                .columns
                .iter()
                .map(|column| self.values(body, column))
                .collect::<Result<_, _>>()?,
        })
    }
}

fn later(first: i64, reader: &mut Reader<'_>) -> Result<i64, Corrupt> {
    first
        .checked_add_unsigned(reader.varint()?)
        .ok_or(Corrupt("a time"))
}

fn part<'a>(body: &'a [u8], range: &Range<usize>) -> Result<&'a [u8], Corrupt> {
    body.get(range.clone())
        .ok_or(Corrupt("the length of the body"))
}

/// The type in the tag of times that stand as distances from a grid.
pub(super) const ON_GRID: Type = Type::Other;

/// The step of a regular grid through the first and the last of `count` times.
pub(super) fn grid(first: i64, last: i64, count: usize) -> i64 {
    let gaps = i64::try_from(count.saturating_sub(1))
        .unwrap_or(i64::MAX)
        .max(1);
    let span = last.saturating_sub(first);
    // to the nearest tenth of a second: a schedule is round, its samples are not
    let step = span / gaps;
    let round = (step + 50) / 100 * 100;
    if round == 0 { step } else { round }
}

/// Times as distances from a regular grid that begins with the first.
pub(super) fn from_grid(times: &[i64]) -> Vec<i64> {
    let (Some(&first), Some(&last)) = (times.first(), times.last()) else {
        return Vec::new();
    };
    let step = grid(first, last, times.len());
    times
        .iter()
        .scan(first, |expected, &time| {
            let distance = time.wrapping_sub(*expected);
            *expected = expected.wrapping_add(step);
            Some(distance)
        })
        .collect()
}

fn restore_grid(distances: &mut [i64], first: i64, last: i64) {
    let step = grid(first, last, distances.len());
    let mut expected = first;
    for distance in distances {
        *distance = distance.wrapping_add(expected);
        expected = expected.wrapping_add(step);
    }
}

/// Which rows are present: the kind in a byte, then runs (absent, present, …) or a bit for each.
const RUNS: u8 = 0;
const BITS: u8 = 1;

pub(super) fn pack_rows(rows: &[u32], points: usize, out: &mut Vec<u8>) {
    let mut runs = vec![RUNS];
    let mut next = 0_u32;
    let mut rest = rows;
    while let Some(&start) = rest.first() {
        let length = rest
            .iter()
            .zip(start..)
            .take_while(|(row, expected)| *row == expected)
            .count();
        runs.put_varint(u64::from(start - next));
        runs.put_varint(length as u64);
        rest = rest.get(length..).unwrap_or_default();
        next = start + u32::try_from(length).unwrap_or(u32::MAX);
    }
    if runs.len() <= points.div_ceil(8) {
        out.extend_from_slice(&runs);
        return;
    }
    let mut bits = vec![0_u8; points.div_ceil(8)];
    for &row in rows {
        if let Some(byte) = bits.get_mut(row as usize / 8) {
            *byte |= 1 << (row % 8);
        }
    }
    out.push(BITS);
    out.extend_from_slice(&bits);
}

fn unpack_rows(bytes: &[u8], count: usize, points: usize) -> Result<Vec<u32>, Corrupt> {
    const WRONG: Corrupt = Corrupt("a set of rows");
    let points = u32::try_from(points).map_err(|_| WRONG)?;
    let mut reader = Reader::new(bytes);
    let mut rows = Vec::with_capacity(count);
    match reader.array()? {
        [RUNS] => {
            let mut next = 0_u32;
            while !reader.is_empty() {
                let bound = (points - next) as usize;
                let start = next + u32::try_from(reader.bounded(bound)?).map_err(|_| WRONG)?;
                let bound = (points - start) as usize;
                let end = start + u32::try_from(reader.bounded(bound)?).map_err(|_| WRONG)?;
                rows.extend(start..end);
                next = end;
            }
        }
        [BITS] => {
            for (byte, base) in reader.rest().iter().zip((0..points).step_by(8)) {
                rows.extend(
                    (0..8)
                        .filter(|bit| byte >> bit & 1 == 1)
                        .map(|bit| base + bit),
                );
            }
        }
        _ => return Err(WRONG),
    }
    if rows.len() != count || rows.last().is_some_and(|&last| last >= points) {
        return Err(WRONG);
    }
    Ok(rows)
}

/// Writes a summary in the form that its tag asks for.
pub(super) fn put_summary(tag: Tag, accumulator: &Accumulator, out: &mut Vec<u8>) {
    let Some(summary) = accumulator.summary() else {
        return;
    };
    match (tag, summary.totals) {
        (Tag(Type::Floats, packing), Totals::Floats { min, max, sum }) => {
            let first = summary.first.as_f64().unwrap_or_default();
            out.extend_from_slice(&first.to_le_bytes());
            if packing != Packing::Constant {
                let last = summary.last.as_f64().unwrap_or_default();
                for value in [last, min, max, sum] {
                    out.extend_from_slice(&value.to_le_bytes());
                }
            }
        }
        (Tag(Type::Integers | Type::Unsigned, packing), Totals::Integers { min, max, sum }) => {
            out.put_wide_signed(whole(&summary.first));
            if packing != Packing::Constant {
                for value in [whole(&summary.last), min, max, sum] {
                    out.put_wide_signed(value);
                }
            }
        }
        _ => {
            put_value(&summary.first, out);
            put_value(&summary.last, out);
        }
    }
}

fn whole(value: &FieldValue) -> i128 {
    match value {
        FieldValue::I64(v) => (*v).into(),
        FieldValue::U64(v) => (*v).into(),
        _ => 0,
    }
}

fn summary(tag: Tag, values: usize, reader: &mut Reader<'_>) -> Result<Summary, Corrupt> {
    let count = values as u64;
    let finite = |value: f64| FieldValue::float(value).map_err(|_| Corrupt("a number"));
    match tag {
        Tag(Type::Floats, Packing::Constant) => {
            let value = reader.float()?;
            let mut sum = FloatSum::default();
            sum.add(value * float(count.into()));
            Ok(Summary {
                count,
                first: finite(value)?,
                last: finite(value)?,
                totals: Totals::Floats {
                    min: value,
                    max: value,
                    sum: sum.total(),
                },
            })
        }
        Tag(Type::Floats, _) => Ok(Summary {
            count,
            first: finite(reader.float()?)?,
            last: finite(reader.float()?)?,
            totals: Totals::Floats {
                min: reader.float()?,
                max: reader.float()?,
                sum: reader.float()?,
            },
        }),
        Tag(Type::Integers | Type::Unsigned, packing) => {
            let first = narrow(reader.wide_signed()?)?;
            if packing == Packing::Constant {
                return Ok(Summary {
                    count,
                    totals: Totals::Integers {
                        min: whole(&first),
                        max: whole(&first),
                        sum: whole(&first).saturating_mul(count.into()),
                    },
                    last: first.clone(),
                    first,
                });
            }
            Ok(Summary {
                count,
                first,
                last: narrow(reader.wide_signed()?)?,
                totals: Totals::Integers {
                    min: whole(&narrow(reader.wide_signed()?)?),
                    max: whole(&narrow(reader.wide_signed()?)?),
                    sum: reader.wide_signed()?,
                },
            })
        }
        Tag(Type::Other, _) => Ok(Summary {
            count,
            first: value(reader)?,
            last: value(reader)?,
            totals: Totals::None,
        }),
    }
}

fn narrow(value: i128) -> Result<FieldValue, Corrupt> {
    match integer(value) {
        FieldValue::F64(_) => Err(Corrupt("the size of a number")),
        value => Ok(value),
    }
}
