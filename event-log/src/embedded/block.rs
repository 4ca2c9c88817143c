//! Blocks: many events as one compressed row.
//!
//! A body is one zstd frame with a checksum. It holds one line for each event, `<logged>\t<event>\n`: when the log took it,
//! in Unix milliseconds, and the event as [`schemas::codec`] writes it. Of an event that was purged only the time is left, and
//! the tab behind it. `zstd -dc` reads it.

use std::io;

use schemas::{Timestamp, codec};
use zstd::{
    bulk::{Compressor, Decompressor},
    zstd_safe::{CParameter, get_frame_content_size},
};

use crate::{Body, Record};

/// Events of a block that is not packed any further.
pub(super) const PACKED: usize = 256;
/// Bytes before compression from which a block is not packed any further.
pub(super) const PACKED_BYTES: usize = 512 * 1024;
/// Most bytes that a body may decompress to: a packed block that took the largest event last, and a margin.
const MAX_BYTES: u64 = 2 * 1024 * 1024;
const LEVEL: i32 = 3;

/// Between which times the events of a block lie, in Unix milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub(super) logged: (i64, i64),
    pub(super) time: (i64, i64),
}

impl Span {
    fn join(self, other: Self) -> Self {
        let both = |a: (i64, i64), b: (i64, i64)| (a.0.min(b.0), a.1.max(b.1));
        Self {
            logged: both(self.logged, other.logged),
            time: both(self.time, other.time),
        }
    }
}

/// Lines that are not compressed yet, or not any more.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// Where each line ends, and its times (of one that was read back: those of its block).
    ends: Vec<(usize, Span)>,
}

/// A part of the lines that becomes one block.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) count: usize,
    pub(super) span: Span,
}

impl Part<'_> {
    /// Whether it is left alone from now on.
    pub(super) fn is_packed(&self) -> bool {
        self.count >= PACKED || self.bytes.len() >= PACKED_BYTES
    }
}

impl Lines {
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(PACKED_BYTES / 4);
        self.ends.clear();
    }

    /// Begins a line; the event's JSON follows into the buffer that is returned.
    pub(super) fn begin(&mut self, logged: Timestamp) -> &mut Vec<u8> {
        self.bytes
            .extend_from_slice(logged.as_millis().to_string().as_bytes());
        self.bytes.push(b'\t');
        &mut self.bytes
    }

    /// Ends the line that was begun.
    pub(super) fn end(&mut self, logged: Timestamp, time: Timestamp) {
        self.bytes.push(b'\n');
        let (logged, time) = (logged.as_millis(), time.as_millis());
        self.ends.push((
            self.bytes.len(),
            Span {
                logged: (logged, logged),
                time: (time, time),
            },
        ));
    }

    /// Drops the line that was begun.
    pub(super) fn abandon(&mut self) {
        self.bytes
            .truncate(self.ends.last().map_or(0, |&(end, _)| end));
    }

    /// Adds the lines of a block that was read back. Returns whether they are as many as it should hold.
    pub(super) fn read_back(&mut self, text: &[u8], count: usize, span: Span) -> bool {
        let before = self.ends.len();
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        self.ends.extend(
            text.iter()
                .enumerate()
                .filter(|&(_, &byte)| byte == b'\n')
                .map(|(at, _)| (start + at + 1, span)),
        );
        self.ends.len() - before == count && text.last() == Some(&b'\n')
    }

    /// All lines, each with its line break.
    pub(super) fn all(&self) -> &[u8] {
        &self.bytes
    }

    /// Cuts lines short: those for which `cut`, asked with the line and its index, gives a length.
    pub(super) fn replace(&mut self, cut: impl Fn(&[u8], usize) -> Option<usize>) {
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut start = 0;
        for (index, (end, _)) in self.ends.iter_mut().enumerate() {
            let line = self.bytes.get(start..*end).unwrap_or_default();
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let length = cut(line, index).unwrap_or(line.len());
            bytes.extend_from_slice(line.get(..length).unwrap_or(line));
            bytes.push(b'\n');
            start = *end;
            *end = bytes.len();
        }
        self.bytes = bytes;
    }

    /// Adds all lines of another.
    pub(super) fn append(&mut self, other: &Self) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.ends
            .extend(other.ends.iter().map(|&(end, span)| (start + end, span)));
    }

    /// Keeps the first `count` lines.
    pub(super) fn keep_first(&mut self, count: usize) {
        self.ends.truncate(count);
        self.abandon();
    }

    /// Keeps the last `count` lines.
    pub(super) fn keep_last(&mut self, count: usize) {
        let gone = self.ends.len().saturating_sub(count);
        let Some(&(cut, _)) = gone.checked_sub(1).and_then(|last| self.ends.get(last)) else {
            return;
        };
        self.bytes.drain(..cut);
        self.ends.drain(..gone);
        for (end, _) in &mut self.ends {
            *end -= cut;
        }
    }

    /// Cuts the lines into blocks, all packed but perhaps the last.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let mut from = 0;
        let mut start = 0;
        std::iter::from_fn(move || {
            let rest = self.ends.get(from..)?;
            let (_, mut span) = *rest.first()?;
            let mut count = 0;
            let mut end = start;
            for &(line_end, line_span) in rest {
                end = line_end;
                span = span.join(line_span);
                count += 1;
                if count >= PACKED || end - start >= PACKED_BYTES {
                    break;
                }
            }
            let part = Part {
                bytes: self.bytes.get(start..end)?,
                count,
                span,
            };
            from += count;
            start = end;
            Some(part)
        })
    }
}

/// A compressor of bodies.
pub(super) fn compressor() -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(LEVEL)?;
    compressor.set_parameter(CParameter::ChecksumFlag(true))?;
    Ok(compressor)
}

/// Decompresses a body.
///
/// # Errors
/// Why it cannot be, in words.
pub(super) fn decompress(
    decompressor: &mut Decompressor<'_>,
    body: &[u8],
) -> Result<Vec<u8>, String> {
    let size = get_frame_content_size(body)
        .ok()
        .flatten()
        .ok_or("it is no zstd frame with a known size")?;
    if size > MAX_BYTES {
        return Err(format!(
            "it claims to hold {size} bytes, the limit is {MAX_BYTES}"
        ));
    }
    decompressor
        .decompress(body, usize::try_from(size).map_err(|e| e.to_string())?)
        .map_err(|e| e.to_string())
}

/// The lines of a decompressed body, without their line breaks.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.strip_suffix(b"\n")
        .unwrap_or(text)
        .split(|&byte| byte == b'\n')
}

fn parse(line: &[u8]) -> Option<(Timestamp, &[u8])> {
    let tab = line.iter().position(|&byte| byte == b'\t')?;
    let logged = str::from_utf8(line.get(..tab)?).ok()?.parse().ok()?;
    Some((Timestamp::from_millis(logged), line.get(tab + 1..)?))
}

/// What a line holds behind the time it was logged at, if it tells that.
pub(super) fn json(line: &[u8]) -> Option<&[u8]> {
    parse(line).map(|(_, json)| json)
}

/// The part of a line that stays when its event is purged.
pub(super) fn tombstone(line: &[u8]) -> &[u8] {
    let tab = line.iter().position(|&byte| byte == b'\t');
    tab.and_then(|tab| line.get(..=tab)).unwrap_or(line)
}

/// Whether the event of a line was purged.
pub(super) fn is_purged(line: &[u8]) -> bool {
    parse(line).is_some_and(|(_, json)| json.is_empty())
}

/// When the event of a line was logged.
pub(super) fn logged(line: &[u8]) -> Option<Timestamp> {
    parse(line).map(|(logged, _)| logged)
}

/// The entry that a line holds; `block_logged` stands in for a line that does not tell when it was logged.
pub(super) fn record(line: &[u8], offset: u64, block_logged: Timestamp) -> Record {
    let (logged, bytes, decoded) = match parse(line) {
        Some((logged, json)) => (logged, json, codec::decode(json).map_err(|e| e.to_string())),
        None => (
            block_logged,
            line,
            Err("the line does not begin with the time it was logged at".to_owned()),
        ),
    };
    Record {
        partition: 0,
        offset,
        logged,
        body: Body::of(decoded, bytes),
    }
}
