//! How a chunk is written down.
//!
//! A chunk is two blobs, so that much can be answered from the first alone:
//!
//! ```text
//! head  version u8 | crc32 of the rest of the head u32 | crc32 of the body u32 | points | first time | last − first time
//!       | times: tag, length | origins: length | row sets: (values, length, last time)*
//!       | columns: (name, row set, tag, length, summary)*
//! body  times | origins | row sets | columns, in the order of the head
//! ```
//!
//! Integers without a size are LEB128, signed ones zigzag; a text is its length and its bytes. Row set 0 stands for every
//! point. A tag is the type of the values (floats, integers, unsigned, other) and how they are packed (constant, linear, pco,
//! plain). A summary is first, last, smallest, largest and sum; of a constant only the value; of others first and last.

mod body;
mod bytes;
mod head;
mod pack;

#[cfg(test)]
mod tests;

pub(super) use body::encode;
pub(super) use bytes::{Bytes, Reader};
pub(super) use head::{ColumnHead, Head};

/// The version that is written.
const VERSION: u8 = 1;
/// Most points in a chunk.
pub(super) const MAX_POINTS: usize = 65_536;
/// Most values in a chunk: 32 MiB of numbers.
const MAX_SAMPLES: usize = 4 * 1024 * 1024;

/// What does not hold in a chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} does not hold what was written")]
pub(super) struct Corrupt(pub(super) &'static str);

/// A chunk as it stands on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Encoded {
    /// What is known without reading the values.
    pub(super) head: Vec<u8>,
    /// The values.
    pub(super) body: Vec<u8>,
}
