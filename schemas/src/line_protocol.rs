//! InfluxDB's line protocol: `measurement,tag=value field=value time`, one point a line.
//!
//! [`Encoder`] writes it into one buffer that is used again, [`Parser`] reads it from anybody. What the encoder writes, the
//! parser and every InfluxDB read as it was.

mod encoder;
mod parser;
#[cfg(test)]
mod round_trip;

pub use encoder::{Encoder, Unwritable};
pub use parser::{Line, LineError, Parser, Precision, Reason, Tag, Value};

/// Bounds on what a parser takes.
pub mod bounds {
    /// Longest line, in bytes.
    pub const LINE: usize = 1024 * 1024;
    /// Longest measurement, tag name, tag value or field name, in bytes.
    pub const NAME: usize = 4096;
    /// Longest text of a field, in bytes: what InfluxDB itself takes.
    pub const TEXT: usize = 64 * 1024;
    /// Most tags of one line.
    pub const TAGS: usize = 128;
    /// Most fields of one line.
    pub const FIELDS: usize = 1024;
}

/// Which characters a backslash makes ordinary in a measurement.
const SPECIAL_IN_MEASUREMENT: &[u8] = b", ";
/// Which characters a backslash makes ordinary in names of tags and fields and in values of tags.
const SPECIAL_IN_NAME: &[u8] = b",= ";
