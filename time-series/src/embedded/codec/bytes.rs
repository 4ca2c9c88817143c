//! Integers and texts as bytes.

use super::Corrupt;

/// Writes integers and texts.
pub(in super::super) trait Bytes {
    /// LEB128.
    fn put_varint(&mut self, value: u64);
    /// LEB128 of up to 128 bits.
    fn put_wide(&mut self, value: u128);
    /// Length and bytes.
    fn put_text(&mut self, text: &str);
    /// Zigzag, LEB128.
    fn put_signed(&mut self, value: i64) {
        self.put_varint(zigzag(value));
    }
    /// Zigzag, LEB128.
    fn put_wide_signed(&mut self, value: i128) {
        self.put_wide((value.cast_unsigned() << 1) ^ (value >> 127).cast_unsigned());
    }
}

/// Small numbers of either sign become small numbers.
pub(super) const fn zigzag(value: i64) -> u64 {
    (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

impl Bytes for Vec<u8> {
    fn put_varint(&mut self, value: u64) {
        self.put_wide(value.into());
    }

    fn put_wide(&mut self, mut value: u128) {
        loop {
            let [low, ..] = value.to_le_bytes();
            value >>= 7;
            if value == 0 {
                self.push(low & 0x7f);
                return;
            }
            self.push(low | 0x80);
        }
    }

    fn put_text(&mut self, text: &str) {
        self.put_varint(text.len() as u64);
        self.extend_from_slice(text.as_bytes());
    }
}

/// Reads what was written, never past the end.
#[derive(Clone, Debug)]
pub(in super::super) struct Reader<'a>(&'a [u8]);

const SHORT: Corrupt = Corrupt("the length of a part");

impl<'a> Reader<'a> {
    /// From the beginning.
    pub(in super::super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether all was read.
    pub(in super::super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes are left.
    pub(in super::super) const fn left(&self) -> usize {
        self.0.len()
    }

    /// The rest.
    pub(in super::super) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// That many bytes.
    pub(in super::super) fn take(&mut self, count: usize) -> Result<&'a [u8], Corrupt> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A fixed number of bytes.
    pub(in super::super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// LEB128.
    pub(in super::super) fn varint(&mut self) -> Result<u64, Corrupt> {
        u64::try_from(self.wide()?).map_err(|_| Corrupt("the size of a number"))
    }

    /// LEB128 of a count or length that must not be above a bound.
    pub(in super::super) fn bounded(&mut self, bound: usize) -> Result<usize, Corrupt> {
        usize::try_from(self.varint()?)
            .ok()
            .filter(|&count| count <= bound)
            .ok_or(Corrupt("a count"))
    }

    /// LEB128 of up to 128 bits.
    pub(in super::super) fn wide(&mut self) -> Result<u128, Corrupt> {
        let mut value = 0_u128;
        for shift in (0..).step_by(7).take(19) {
            let [byte] = self.array()?;
            let part = u128::from(byte & 0x7f);
            if shift == 126 && part > 3 {
                break;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Corrupt("the size of a number"))
    }

    /// Zigzag, LEB128.
    pub(in super::super) fn signed(&mut self) -> Result<i64, Corrupt> {
        self.varint().map(unzigzag)
    }

    /// Zigzag, LEB128.
    pub(in super::super) fn wide_signed(&mut self) -> Result<i128, Corrupt> {
        self.wide()
            .map(|v| (v >> 1).cast_signed() ^ -((v & 1).cast_signed()))
    }

    /// Eight bytes as a float; only finite ones were written.
    pub(in super::super) fn float(&mut self) -> Result<f64, Corrupt> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// Length and bytes.
    pub(in super::super) fn text(&mut self) -> Result<&'a str, Corrupt> {
        let length = self.bounded(self.left())?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Corrupt("a text"))
    }
}
