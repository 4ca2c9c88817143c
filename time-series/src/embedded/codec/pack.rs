//! One column of numbers or states as bytes.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use pco::{
    ChunkConfig,
    data_types::Number,
    wrapped::{FileCompressor, FileDecompressor},
};
use schemas::FieldValue;

use super::{
    super::values::Values,
    Corrupt,
    bytes::{Bytes, Reader},
};

/// How well pco packs: 1 % larger than its default, 2.5 times as fast.
const PCO_LEVEL: usize = 4;
/// Up to so many numbers a plain list may be smaller than what pco needs to describe itself.
const SHORT: usize = 64;

/// How numbers are packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Packing {
    /// All equal the first: no bytes.
    Constant,
    /// Each a fixed step after the one before: the step.
    Linear,
    /// By pco.
    Pco,
    /// One after the other.
    Plain,
}

/// The type of the values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Type {
    Floats,
    Integers,
    Unsigned,
    Other,
}

/// Type and packing, one byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tag(pub(super) Type, pub(super) Packing);

impl Tag {
    pub(super) const fn to_byte(self) -> u8 {
        let high = match self.0 {
            Type::Floats => 0x00,
            Type::Integers => 0x10,
            Type::Unsigned => 0x20,
            Type::Other => 0x30,
        };
        high | match self.1 {
            Packing::Constant => 0,
            Packing::Linear => 1,
            Packing::Pco => 2,
            Packing::Plain => 3,
        }
    }

    pub(super) fn from_byte(byte: u8) -> Result<Self, Corrupt> {
        let values = match byte >> 4 {
            0 => Type::Floats,
            1 => Type::Integers,
            2 => Type::Unsigned,
            3 => Type::Other,
            _ => return Err(Corrupt("the type of a column")),
        };
        let packing = match byte & 0x0f {
            0 => Packing::Constant,
            1 => Packing::Linear,
            2 => Packing::Pco,
            3 => Packing::Plain,
            _ => return Err(Corrupt("the packing of a column")),
        };
        Ok(Self(values, packing))
    }
}

/// Packs integers; the first is known to the reader.
pub(super) fn pack_integers(values: &[i64], out: &mut Vec<u8>) -> Packing {
    let Some((&first, rest)) = values.split_first() else {
        return Packing::Constant;
    };
    if rest.iter().all(|&value| value == first) {
        return Packing::Constant;
    }
    let step = rest.first().map_or(0, |second| second.wrapping_sub(first));
    let linear = values
        .iter()
        .zip(rest)
        .all(|(before, after)| after.wrapping_sub(*before) == step);
    if linear {
        out.put_signed(step);
        return Packing::Linear;
    }
    let begin = out.len();
    let packed = pco_pack(values, out);
    if values.len() <= SHORT || !packed {
        let mut plain = Vec::new();
        for (before, after) in values.iter().zip(rest) {
            plain.put_signed(after.wrapping_sub(*before));
        }
        if !packed || plain.len() < out.len() - begin {
            out.truncate(begin);
            out.extend_from_slice(&plain);
            return Packing::Plain;
        }
    }
    Packing::Pco
}

/// Reads what [`pack_integers`] wrote.
pub(super) fn unpack_integers(
    packing: Packing,
    bytes: &[u8],
    count: usize,
    first: i64,
) -> Result<Vec<i64>, Corrupt> {
    let mut reader = Reader::new(bytes);
    match packing {
        Packing::Constant => Ok(vec![first; count]),
        Packing::Linear => {
            let step = reader.signed()?;
            Ok(
                std::iter::successors(Some(first), |v| Some(v.wrapping_add(step)))
                    .take(count)
                    .collect(),
            )
        }
        Packing::Pco => pco_unpack(bytes, count),
        Packing::Plain => {
            // each takes at least a byte
            if count > bytes.len() + 1 {
                return Err(Corrupt("the length of a column"));
            }
            let mut values = Vec::with_capacity(count);
            let mut value = first;
            values.push(value);
            while values.len() < count {
                value = value.wrapping_add(reader.signed()?);
                values.push(value);
            }
            Ok(values)
        }
    }
}

fn pack_floats(values: &[f64], out: &mut Vec<u8>) -> Packing {
    let Some(first) = values.first() else {
        return Packing::Constant;
    };
    if values
        .iter()
        .all(|value| value.to_bits() == first.to_bits())
    {
        return Packing::Constant;
    }
    let begin = out.len();
    if pco_pack(values, out) && out.len() - begin < values.len() * 8 {
        return Packing::Pco;
    }
    out.truncate(begin);
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
    Packing::Plain
}

fn unpack_floats(
    packing: Packing,
    bytes: &[u8],
    count: usize,
    first: f64,
) -> Result<Vec<f64>, Corrupt> {
    let values = match packing {
        Packing::Constant => vec![first; count],
        Packing::Linear => return Err(Corrupt("the packing of a column")),
        Packing::Pco => pco_unpack(bytes, count)?,
        Packing::Plain => {
            if bytes.len() != count * 8 {
                return Err(Corrupt("the length of a column"));
            }
            let mut reader = Reader::new(bytes);
            let mut values = Vec::with_capacity(count);
            while !reader.is_empty() {
                values.push(reader.float()?);
            }
            values
        }
    };
    if values.iter().all(|value| value.is_finite()) {
        Ok(values)
    } else {
        Err(Corrupt("a number"))
    }
}

fn pack_unsigned(values: &[u64], out: &mut Vec<u8>) -> Packing {
    let signed: Vec<i64> = values.iter().map(|v| v.cast_signed()).collect();
    pack_integers(&signed, out)
}

/// Whether pco took the numbers; it refuses none that can come here.
fn pco_pack<T: Number>(values: &[T], out: &mut Vec<u8>) -> bool {
    let begin = out.len();
    let config = ChunkConfig::default().with_compression_level(PCO_LEVEL);
    let compressor = FileCompressor::default();
    let mut pack = || {
        compressor.write_header(&mut *out)?;
        let mut chunk = compressor.chunk_compressor(values, &config)?;
        chunk.write_meta(&mut *out)?;
        chunk.write_page(0, &mut *out)?;
        Ok::<_, pco::errors::PcoError>(chunk.n_per_page().len())
    };
    let packed = matches!(pack(), Ok(1));
    if !packed {
        out.truncate(begin);
    }
    packed
}

/// The checksum was right, so that only a forged chunk can fail here; a panic of the decoder is caught all the same.
fn pco_unpack<T: Number + Default>(bytes: &[u8], count: usize) -> Result<Vec<T>, Corrupt> {
    let unpack = || {
        let (file, rest) = FileDecompressor::new(bytes)?;
        let (mut chunk, rest) = file.chunk_decompressor::<T, _>(rest)?;
        let mut values = vec![T::default(); count];
        let mut page = chunk.page_decompressor(rest, count)?;
        let progress = page.read(&mut values)?;
        Ok::<_, pco::errors::PcoError>((values, progress.n_processed))
    };
    match catch_unwind(AssertUnwindSafe(unpack)) {
        Ok(Ok((values, read))) if read == count => Ok(values),
        _ => Err(Corrupt("a column")),
    }
}

const FLOAT: u8 = 0;
const INTEGER: u8 = 1;
const UNSIGNED: u8 = 2;
const FALSE: u8 = 3;
const TRUE: u8 = 4;
const TEXT: u8 = 5;

/// One value with its type.
pub(super) fn put_value(value: &FieldValue, out: &mut Vec<u8>) {
    match value {
        FieldValue::F64(v) => {
            out.push(FLOAT);
            out.extend_from_slice(&v.to_le_bytes());
        }
        FieldValue::I64(v) => {
            out.push(INTEGER);
            out.put_signed(*v);
        }
        FieldValue::U64(v) => {
            out.push(UNSIGNED);
            out.put_varint(*v);
        }
        FieldValue::Bool(false) => out.push(FALSE),
        FieldValue::Bool(true) => out.push(TRUE),
        FieldValue::Text(v) => {
            out.push(TEXT);
            out.put_text(v);
        }
    }
}

/// Reads what [`put_value`] wrote.
pub(super) fn value(reader: &mut Reader<'_>) -> Result<FieldValue, Corrupt> {
    match reader.array()? {
        [FLOAT] => FieldValue::float(reader.float()?).map_err(|_| Corrupt("a number")),
        [INTEGER] => Ok(FieldValue::I64(reader.signed()?)),
        [UNSIGNED] => Ok(FieldValue::unsigned(reader.varint()?)),
        [FALSE] => Ok(FieldValue::Bool(false)),
        [TRUE] => Ok(FieldValue::Bool(true)),
        [TEXT] => Ok(FieldValue::Text(Arc::from(reader.text()?))),
        _ => Err(Corrupt("the type of a value")),
    }
}

/// Packs things that repeat: each different one once, then which one stands where.
pub(super) fn pack_dictionary<T>(
    values: &[T],
    same: impl Fn(&T, &T) -> bool,
    put: impl Fn(&T, &mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    let mut places = Vec::with_capacity(values.len());
    let mut entries = Vec::new();
    let mut known: HashMap<Vec<u8>, i64> = HashMap::new();
    let mut before: Option<(&T, i64)> = None;
    for value in values {
        let place = match before {
            Some((last, place)) if same(last, value) => place,
            _ => {
                let mut bytes = Vec::new();
                put(value, &mut bytes);
                let next = i64::try_from(known.len()).unwrap_or(i64::MAX);
                *known.entry(bytes).or_insert_with_key(|bytes| {
                    entries.extend_from_slice(bytes);
                    next
                })
            }
        };
        before = Some((value, place));
        places.push(place);
    }
    out.put_varint(known.len() as u64);
    out.extend_from_slice(&entries);
    let mut packed = Vec::new();
    let packing = pack_integers(&places, &mut packed);
    out.push(Tag(Type::Integers, packing).to_byte());
    out.extend_from_slice(&packed);
}

/// Reads what [`pack_dictionary`] wrote.
pub(super) fn unpack_dictionary<T: Clone>(
    bytes: &[u8],
    count: usize,
    entry: impl Fn(&mut Reader<'_>) -> Result<T, Corrupt>,
) -> Result<Vec<T>, Corrupt> {
    let mut reader = Reader::new(bytes);
    let known = reader.bounded(count)?;
    let mut entries = Vec::with_capacity(known.min(reader.left()));
    for _ in 0..known {
        entries.push(entry(&mut reader)?);
    }
    let [tag] = reader.array()?;
    let Tag(_, packing) = Tag::from_byte(tag)?;
    unpack_integers(packing, reader.rest(), count, 0)?
        .into_iter()
        .map(|place| {
            usize::try_from(place)
                .ok()
                .and_then(|place| entries.get(place).cloned())
                .ok_or(Corrupt("a state"))
        })
        .collect()
}

/// Packs the values of a column.
pub(super) fn pack(values: &Values, out: &mut Vec<u8>) -> Tag {
    match values {
        Values::Floats(v) => Tag(Type::Floats, pack_floats(v, out)),
        Values::Integers(v) => Tag(Type::Integers, pack_integers(v, out)),
        Values::Unsigned(v) => Tag(Type::Unsigned, pack_unsigned(v, out)),
        Values::Other(v) => {
            pack_dictionary(v, FieldValue::same_as, put_value, out);
            Tag(Type::Other, Packing::Plain)
        }
    }
}

/// Reads what [`pack`] wrote; the first value is known from the summary.
pub(super) fn unpack(
    tag: Tag,
    bytes: &[u8],
    count: usize,
    first: &FieldValue,
) -> Result<Values, Corrupt> {
    let integer = match first {
        FieldValue::I64(v) => *v,
        FieldValue::U64(v) => v.cast_signed(),
        _ => 0,
    };
    match tag.0 {
        Type::Floats => {
            let first = first.as_f64().unwrap_or_default();
            unpack_floats(tag.1, bytes, count, first).map(Values::Floats)
        }
        Type::Integers => unpack_integers(tag.1, bytes, count, integer).map(Values::Integers),
        Type::Unsigned => unpack_integers(tag.1, bytes, count, integer)
            .map(|v| Values::Unsigned(v.into_iter().map(i64::cast_unsigned).collect())),
        Type::Other => unpack_dictionary(bytes, count, value).map(Values::Other),
    }
}
