//! A ledger as it stands in the topic of sequences: zstd over lines of text.
//!
//! ```text
//! sequences 1 <next offset> <logged of the record before it>
//! e <from> <to>                                  records that stand there again: from ≤ offset < to
//! s <source> <epoch> <last> <seen> <holes>       a writer's sequence
//! ```

use std::{fmt::Write as _, io::Read as _};

use schemas::{Epoch, SourceName};

use super::ledger::{Known, Ledger};
use crate::sequence::Sequence;

const LEVEL: i32 = 3;
/// Largest text of a snapshot, in bytes.
const MAX_TEXT: u64 = 64 * 1024 * 1024;

pub(super) fn encode(ledger: &Ledger) -> std::io::Result<Vec<u8>> {
    let mut text = format!("sequences 1 {} {}\n", ledger.next, ledger.last_logged);
    for (from, to) in ledger.echoes.iter() {
        writeln!(text, "e {from} {to}").map_err(std::io::Error::other)?;
    }
    for (source, epoch, known) in ledger.iter() {
        writeln!(
            text,
            "s {source} {epoch} {} {} {}",
            known.sequence.last(),
            known.seen,
            known.sequence.holes_text()
        )
        .map_err(std::io::Error::other)?;
    }
    zstd::bulk::compress(text.as_bytes(), LEVEL)
}

/// Reads one; `None` of what this release did not write.
pub(super) fn decode(bytes: &[u8]) -> Option<Ledger> {
    let mut text = String::new();
    zstd::Decoder::new(bytes)
        .ok()?
        .take(MAX_TEXT)
        .read_to_string(&mut text)
        .ok()?;
    let mut lines = text.lines();
    let mut head = lines.next()?.strip_prefix("sequences 1 ")?.split(' ');
    let mut ledger = Ledger::from(head.next()?.parse().ok()?);
    ledger.last_logged = head.next()?.parse().ok()?;
    for line in lines {
        let mut words = line.split(' ');
        match words.next()? {
            "e" => {
                let (from, to) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
                if !ledger.echoes.restore(from, to) {
                    return None;
                }
            }
            "s" => {
                let source = SourceName::new(words.next()?).ok()?;
                let epoch = Epoch::new(words.next()?).ok()?;
                let last = words.next()?.parse().ok()?;
                let seen = words.next()?.parse().ok()?;
                let sequence = Sequence::from_stored(last, words.next()?)?;
                ledger.restore(source, epoch, Known { sequence, seen });
            }
            _ => return None,
        }
    }
    Some(ledger)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use schemas::Timestamp;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(records in proptest::collection::vec((0..4_u8, 0..2_u8, 1..40_u64), 0..80)) {
            let mut ledger = Ledger::from(100);
            for (offset, (source, epoch, seq)) in (100..).step_by(3).zip(records) {
                let text = format!(r#"{{"source":"s{source}","epoch":"{epoch}","seq":{seq}}}"#);
                ledger.absorb(offset, text.as_bytes(), Timestamp::from_millis(1_700_000_000_000));
            }
            prop_assert_eq!(decode(&encode(&ledger).unwrap()), Some(ledger));
        }

        #[test]
        fn any_bytes_are_a_snapshot_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _read = decode(&bytes);
            let _read = decode(&zstd::bulk::compress(&bytes, 1).unwrap());
        }
    }

    #[test]
    fn another_release_is_not_read() {
        for text in [
            "sequences 2 0 0\n",
            "sequences 1 x 0\n",
            "sequences 1 0 0\nq 1\n",
            "sequences 1 0 0\ns a b 3 0 9-9\n",
        ] {
            assert_eq!(
                decode(&zstd::bulk::compress(text.as_bytes(), 1).unwrap()),
                None,
                "{text}"
            );
        }
    }
}
