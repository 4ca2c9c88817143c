//! Points that go together, as the lines that the server gets.

use std::ops::Range;

use schemas::{FieldName, line_protocol::Encoder};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{
    gzip::Gzip,
    schema::{self, Scratch},
};
use crate::{Point, Refused, WriteError};

/// What one writer gave to one lane.
#[derive(Debug)]
pub(super) struct Piece {
    /// Each point with its place in the writer's batch.
    pub(super) points: Vec<(usize, Point)>,
    /// Whether it goes at once, without waiting for others.
    pub(super) urgent: bool,
    /// Room among what is pending.
    pub(super) room: OwnedSemaphorePermit,
    /// Who waits for it.
    pub(super) done: oneshot::Sender<Result<Vec<Refused>, WriteError>>,
}

/// Some pieces, the lines of a part of them, and buffers that are used again.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) pieces: Vec<Piece>,
    /// What each piece was refused so far.
    refused: Vec<Vec<Refused>>,
    /// The next point to be encoded: piece, place in it.
    next: (usize, usize),
    lines: Vec<u8>,
    /// Where each line ends.
    ends: Vec<usize>,
    /// Which point each line is: piece, place in it.
    rows: Vec<(usize, usize)>,
    scratch: Scratch,
    gzip: Option<Gzip>,
}

impl Batch {
    /// Compresses with a level; 0 does not.
    pub(super) fn new(level: u32) -> Self {
        Self {
            gzip: (level > 0).then(|| Gzip::new(level)),
            ..Self::default()
        }
    }

    /// Takes a piece.
    pub(super) fn push(&mut self, piece: Piece) {
        self.pieces.push(piece);
        self.refused.push(Vec::new());
    }

    /// How many points there are.
    pub(super) fn points(&self) -> usize {
        self.pieces.iter().map(|piece| piece.points.len()).sum()
    }

    /// Encodes the next points, up to about those bounds. Returns how many lines that are.
    pub(super) fn encode(&mut self, max_points: usize, max_bytes: usize) -> usize {
        let mut lines = Encoder::with_buffer(std::mem::take(&mut self.lines));
        self.ends.clear();
        self.rows.clear();
        while let Some(piece) = self.pieces.get(self.next.0) {
            let Some((index, point)) = piece.points.get(self.next.1) else {
                self.next = (self.next.0 + 1, 0);
                continue;
            };
            if lines.lines() >= max_points || lines.bytes().len() >= max_bytes {
                break;
            }
            let Some(refused) = self.refused.get_mut(self.next.0) else {
                break;
            };
            if schema::encode(&mut lines, point, *index, &[], &mut self.scratch, refused) {
                self.ends.push(lines.bytes().len());
                self.rows.push(self.next);
            }
            self.next.1 += 1;
        }
        self.lines = lines.into_buffer();
        self.rows.len()
    }

    fn bytes(&self, rows: &Range<usize>) -> &[u8] {
        let end = |row: usize| self.ends.get(row).copied().unwrap_or_default();
        let from = rows.start.checked_sub(1).map_or(0, end);
        let to = rows.end.checked_sub(1).map_or(0, end);
        self.lines.get(from..to).unwrap_or_default()
    }

    /// How many bytes some lines have.
    pub(super) fn len(&self, rows: &Range<usize>) -> usize {
        self.bytes(rows).len()
    }

    /// The body of a request with some lines, and whether it is compressed.
    pub(super) fn body(&mut self, rows: &Range<usize>) -> (Vec<u8>, bool) {
        let mut gzip = self.gzip.take();
        let packed = gzip
            .as_mut()
            .and_then(|gzip| gzip.compress(self.bytes(rows)));
        self.gzip = gzip;
        match packed {
            Some(packed) => (packed, true),
            None => (self.bytes(rows).to_vec(), false),
        }
    }

    /// The point of a line.
    pub(super) fn point(&self, row: usize) -> Option<&Point> {
        let (piece, place) = *self.rows.get(row)?;
        Some(&self.pieces.get(piece)?.points.get(place)?.1)
    }

    /// One point without some of its fields, as a body that is not compressed; none if nothing is left.
    pub(super) fn without(&mut self, row: usize, fields: &[FieldName]) -> Option<Vec<u8>> {
        let (piece, place) = *self.rows.get(row)?;
        let (index, point) = self.pieces.get(piece)?.points.get(place)?;
        let mut lines = Encoder::new();
        let mut told = Vec::new();
        schema::encode(
            &mut lines,
            point,
            *index,
            fields,
            &mut self.scratch,
            &mut told,
        )
        .then(|| lines.into_buffer())
    }

    /// Notes that a line, or a field of it, was refused.
    pub(super) fn refuse(&mut self, row: usize, why: String) {
        let Some(&(piece, place)) = self.rows.get(row) else {
            return;
        };
        let index = self
            .pieces
            .get(piece)
            .and_then(|piece| piece.points.get(place))
            .map(|(index, _)| *index);
        if let (Some(index), Some(refused)) = (index, self.refused.get_mut(piece)) {
            refused.push(Refused { index, why });
        }
    }

    /// Answers everybody and is empty again.
    pub(super) fn answer(&mut self, outcome: &Result<(), WriteError>) {
        for (piece, refused) in self.pieces.drain(..).zip(self.refused.drain(..)) {
            drop(piece.room);
            // whoever has gone does not want to know
            drop(piece.done.send(outcome.clone().map(|()| refused)));
        }
        self.next = (0, 0);
    }
}
