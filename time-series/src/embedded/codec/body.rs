//! A chunk as two blobs.

use super::{
    super::chunk::{Chunk, Rows},
    Encoded, VERSION,
    bytes::Bytes,
    head::{ON_GRID, from_grid, pack_rows, put_summary},
    pack::{Packing, Tag, Type, pack, pack_dictionary, pack_integers},
};
use crate::aggregate::Accumulator;

/// Writes a chunk down. It has at least one point and no more than fit one chunk.
pub(in super::super) fn encode(chunk: &Chunk) -> Encoded {
    let mut body = Vec::with_capacity(chunk.bytes() / 4);
    let mut head = Vec::with_capacity(64 + chunk.columns.len() * 64);
    let first = chunk.first().unwrap_or_default();
    let last = chunk.last().unwrap_or_default();
    head.put_varint(chunk.len() as u64);
    head.put_signed(first);
    head.put_varint(last.abs_diff(first));

    head.push(pack_times(&chunk.times, &mut body).to_byte());
    head.put_varint(body.len() as u64);
    let begin = body.len();
    pack_dictionary(
        &chunk.origins,
        |a, b| a == b,
        |origin, out| origin.encode(out),
        &mut body,
    );
    head.put_varint((body.len() - begin) as u64);

    let sets = put_row_sets(chunk, &mut head, &mut body);
    head.put_varint(chunk.columns.len() as u64);
    for column in &chunk.columns {
        let set = sets
            .iter()
            .position(|&rows| *rows == column.rows)
            .map_or(0, |at| at + 1);
        let begin = body.len();
        let tag = pack(&column.values, &mut body);
        let mut accumulator = Accumulator::default();
        column
            .values
            .iter()
            .for_each(|value| accumulator.add(&value));
        head.put_text(column.name.as_str());
        head.put_varint(set as u64);
        head.push(tag.to_byte());
        head.put_varint((body.len() - begin) as u64);
        put_summary(tag, &accumulator, &mut head);
    }
    Encoded {
        head: seal(&head, &body),
        body,
    }
}

fn seal(head: &[u8], body: &[u8]) -> Vec<u8> {
    let of_body = crc32fast::hash(body).to_le_bytes();
    let mut own = crc32fast::Hasher::new();
    own.update(&of_body);
    own.update(head);
    let mut sealed = Vec::with_capacity(head.len() + 9);
    sealed.push(VERSION);
    sealed.extend_from_slice(&own.finalize().to_le_bytes());
    sealed.extend_from_slice(&of_body);
    sealed.extend_from_slice(head);
    sealed
}

/// As they are, or as distances from a regular grid if that is smaller: a schedule that keeps to its grid has jitter once in
/// a distance, but twice in a difference.
fn pack_times(times: &[i64], out: &mut Vec<u8>) -> Tag {
    let begin = out.len();
    let packing = pack_integers(times, out);
    if packing != Packing::Linear && packing != Packing::Constant {
        let mut distances = Vec::new();
        let of_distances = pack_integers(&from_grid(times), &mut distances);
        if distances.len() < out.len() - begin {
            out.truncate(begin);
            out.extend_from_slice(&distances);
            return Tag(ON_GRID, of_distances);
        }
    }
    Tag(Type::Integers, packing)
}

fn put_row_sets<'a>(chunk: &'a Chunk, head: &mut Vec<u8>, body: &mut Vec<u8>) -> Vec<&'a Rows> {
    let mut sets: Vec<&Rows> = Vec::new();
    for column in &chunk.columns {
        if column.rows != Rows::All && !sets.contains(&&column.rows) {
            sets.push(&column.rows);
        }
    }
    head.put_varint(sets.len() as u64);
    let first = chunk.first().unwrap_or_default();
    for rows in &sets {
        let Rows::Some(rows) = rows else { continue };
        let begin = body.len();
        pack_rows(rows, chunk.len(), body);
        head.put_varint(rows.len() as u64);
        head.put_varint((body.len() - begin) as u64);
        let last = rows
            .last()
            .and_then(|&row| chunk.times.get(row as usize).copied());
        head.put_varint(last.unwrap_or(first).abs_diff(first));
    }
    sets
}
