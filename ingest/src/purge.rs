//! Marks of purges among the records of the log: what came of their source before them goes from the store.

use event_log::Record;
use schemas::{Purge, SourceName};
use time_series::Purged;
use tracing::{error, info};

/// Records up to a mark, the mark's own and those behind it.
pub(crate) struct Split<'a> {
    pub(crate) before: &'a [Record],
    pub(crate) mark: &'a Record,
    pub(crate) source: &'a SourceName,
    pub(crate) after: &'a [Record],
}

/// The source that a record marks as purged, if it does.
pub(crate) fn marked(record: &Record) -> Option<&SourceName> {
    let event = record.event()?;
    Purge::is(event).then_some(&event.source)
}

/// Splits records at the first mark.
pub(crate) fn split(records: &[Record]) -> Option<Split<'_>> {
    let at = records.iter().position(|record| marked(record).is_some())?;
    let (before, rest) = records.split_at(at);
    let (mark, after) = rest.split_first()?;
    Some(Split {
        before,
        mark,
        source: marked(mark)?,
        after,
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
