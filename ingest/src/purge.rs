//! Marks of purges among the records of the log: what came of their source before them goes from the store.

use event_log::Record;
use schemas::{Position, Purge, SourceName};
use time_series::Purged;
use tracing::{error, info};

/// Records up to a mark, and those behind it.
pub(crate) struct Split<'a> {
    pub(crate) before: &'a [Record],
    /// After the records before the mark.
    pub(crate) mark: Position,
    pub(crate) source: &'a SourceName,
    pub(crate) after: &'a [Record],
    /// After the mark.
    pub(crate) behind: Position,
}

/// The source that a record marks as purged, if it does.
pub(crate) fn marked(record: &Record) -> Option<&SourceName> {
    let event = record.event()?;
    Purge::is(event).then_some(&event.source)
}

/// Splits records at the first mark; `from` is the position before the first of them.
pub(crate) fn split<'a>(records: &'a [Record], from: &Position) -> Option<Split<'a>> {
    let at = records.iter().position(|record| marked(record).is_some())?;
    let (before, rest) = records.split_at(at);
    let (record, after) = rest.split_first()?;
    let mut mark = from.clone();
    for record in before {
        mark.advance(record.partition, record.offset);
    }
    let mut behind = mark.clone();
    behind.advance(record.partition, record.offset);
    Some(Split {
        before,
        mark,
        source: marked(record)?,
        after,
        behind,
    })
}

/// Says what became of a purge of the store.
pub(crate) fn tell(source: &SourceName, purged: &Purged) {
    match purged {
        Purged::Points(points) => {
            info!(source = %source, points, "source `{source}` is purged from the time-series store");
        }
        Purged::Unable(why) => {
            error!(source = %source, "source `{source}` stays in the time-series store, though it is purged: {why}");
        }
    }
}
