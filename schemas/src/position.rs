//! A place in the log.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits;

/// Points after the last event that was seen, in every partition of the log: the offset to be read next, by partition.
///
/// Written as `1.` and the offsets in base 36, joined by `-`. Outside the log it is opaque: at most 512 characters of
/// `[A-Za-z0-9._~-]`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Position(Vec<u64>);

/// A text that is no position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a position of this log")]
pub struct InvalidPosition;

impl Position {
    /// The beginning of a log with that many partitions.
    pub fn start(partitions: usize) -> Self {
        Self(vec![0; partitions.max(1)])
    }

    /// A position from the next offset of every partition.
    pub fn from_offsets(offsets: Vec<u64>) -> Self {
        if offsets.is_empty() {
            Self::start(1)
        } else {
            Self(offsets)
        }
    }

    /// The next offset of every partition.
    pub fn offsets(&self) -> &[u64] {
        &self.0
    }

    /// How many partitions it spans.
    pub fn partitions(&self) -> usize {
        self.0.len()
    }

    /// The next offset in one partition, 0 for one it does not know.
    pub fn offset(&self, partition: usize) -> u64 {
        self.0.get(partition).copied().unwrap_or(0)
    }

    /// Moves one partition to the offset after an event that was seen. Never moves back.
    pub fn advance(&mut self, partition: usize, seen: u64) {
        if partition >= self.0.len() {
            self.0.resize(partition + 1, 0);
        }
        if let Some(next) = self.0.get_mut(partition) {
            *next = (*next).max(seen.saturating_add(1));
        }
    }

    /// Whether every event that `other` has seen is seen here too.
    pub fn reaches(&self, other: &Self) -> bool {
        (0..self.0.len().max(other.0.len())).all(|p| self.offset(p) >= other.offset(p))
    }

    /// How many events lie between an earlier position and this one (offsets may have holes, so it is an upper bound).
    pub fn events_since(&self, earlier: &Self) -> u64 {
        (0..self.0.len())
            .map(|p| self.offset(p).saturating_sub(earlier.offset(p)))
            .sum()
    }

    /// The lower of both in every partition.
    #[must_use]
    pub fn floor(&self, other: &Self) -> Self {
        Self(
            (0..self.0.len().max(other.0.len()))
                .map(|p| self.offset(p).min(other.offset(p)))
                .collect(),
        )
    }
}

fn base36(mut n: u64, out: &mut String) {
    let mut digits = [0_u8; 13];
    let mut len = 0;
    loop {
        if let (Some(slot), Ok(digit)) = (digits.get_mut(len), u8::try_from(n % 36)) {
            *slot = if digit < 10 {
                b'0' + digit
            } else {
                b'a' + digit - 10
            };
        }
        len += 1;
        n /= 36;
        if n == 0 {
            break;
        }
    }
    out.extend(digits.iter().take(len).rev().map(|&d| char::from(d)));
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::with_capacity(2 + self.0.len() * 8);
        out.push_str("1.");
        for (i, &offset) in self.0.iter().enumerate() {
            if i > 0 {
                out.push('-');
            }
            base36(offset, &mut out);
        }
        f.write_str(&out)
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        if text.len() > limits::POSITION {
            return Err(InvalidPosition);
        }
        let offsets = text.strip_prefix("1.").ok_or(InvalidPosition)?;
        offsets
            .split('-')
            .map(|part| {
                let canonical = !part.is_empty()
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
                    && (part.len() == 1 || !part.starts_with('0'));
                if !canonical {
                    return Err(InvalidPosition);
                }
                u64::from_str_radix(part, 36).map_err(|_| InvalidPosition)
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Self)
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(offsets in proptest::collection::vec(any::<u64>(), 1..30)) {
            let position = Position::from_offsets(offsets);
            let text = position.to_string();
            prop_assert!(text.len() <= limits::POSITION);
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~-".contains(&b)));
            prop_assert_eq!(text.parse::<Position>().unwrap(), position);
        }

        #[test]
        fn any_text_is_a_position_or_an_error(text in "\\PC{0,40}") {
            if let Ok(position) = text.parse::<Position>() {
                prop_assert_eq!(position.to_string(), text);
            }
        }
    }

    #[test]
    fn advancing_never_goes_back() {
        let mut position = Position::start(3);
        position.advance(1, 9);
        position.advance(1, 4);
        assert_eq!(position.offsets(), [0, 10, 0]);
        assert!(position.reaches(&Position::start(3)));
        assert!(!Position::start(3).reaches(&position));
        assert_eq!(position.events_since(&Position::start(3)), 10);
    }
}
