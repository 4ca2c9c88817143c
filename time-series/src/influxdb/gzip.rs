//! Gzip with a compressor that is used again: one has a third of a megabyte of tables.

use flate2::{Compress, Compression, FlushCompress, Status};

/// RFC 1952: deflate, no name, no time, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Compresses bodies.
#[derive(Debug)]
pub(super) struct Gzip(Compress);

impl Gzip {
    /// One of a level from 1 to 9.
    pub(super) fn new(level: u32) -> Self {
        Self(Compress::new(Compression::new(level), false))
    }

    /// One body.
    pub(super) fn compress(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        self.0.reset();
        let mut out = Vec::with_capacity(body.len() / 4 + 256);
        out.extend_from_slice(&HEADER);
        loop {
            let done = usize::try_from(self.0.total_in()).ok()?;
            let rest = body.get(done..)?;
            let status = self
                .0
                .compress_vec(rest, &mut out, FlushCompress::Finish)
                .ok()?;
            if status == Status::StreamEnd {
                break;
            }
            out.reserve(out.capacity().max(256));
        }
        out.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
        let length = u32::try_from(body.len() & 0xffff_ffff).ok()?;
        out.extend_from_slice(&length.to_le_bytes());
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_is_compressed_is_read_by_any_gzip() {
        let mut gzip = Gzip::new(1);
        let mut noise = 1_u32;
        for length in [0, 1, 300, 100_000] {
            let body: Vec<u8> = (0..length)
                .map(|i| {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    if i % 3 == 0 {
                        b'x'
                    } else {
                        noise.to_le_bytes()[3]
                    }
                })
                .collect();
            let packed = gzip.compress(&body).unwrap();
            let mut read = Vec::new();
            flate2::read::GzDecoder::new(packed.as_slice())
                .read_to_end(&mut read)
                .unwrap();
            assert_eq!(read, body);
        }
    }
}
