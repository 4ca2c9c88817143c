//! The laws of the port, as tests that every adapter passes.
//!
//! An adapter's tests give a [`Fixture`] and call the macro:
//!
//! ```ignore
//! event_log::conformance!(embedded, Directory::new());
//! event_log::fleet_conformance!(fleet, Shared::new());
//! ```

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a law that does not hold fails its test by a panic"
)]

mod append;
mod fleet;
mod letters;
mod lifecycle;
mod purge;
mod read;
mod retention;

pub use append::*;
pub use fleet::*;
pub use letters::*;
pub use lifecycle::*;
pub use purge::*;
pub use read::*;
pub use retention::*;

use std::sync::Arc;

use async_trait::async_trait;
use schemas::{
    Draft, Entity, Epoch, Event, EventType, Fields, Identity, Position, SourceName, Timestamp,
    name::{EntityId, EntityType, SourceKind},
};

use crate::{Body, EventLog, Filter, Outcome, ReadQuery, Receipt, Record};

/// One log that can be closed and opened again.
#[async_trait]
pub trait Fixture: Send {
    /// Opens the log: an empty one the first time, later the same again. The handle before was closed.
    async fn open(&mut self) -> Arc<dyn EventLog>;

    /// Puts bytes into the log that this release would not write, while it is closed.
    async fn put_bytes(&mut self, source: &SourceName, bytes: &[u8]);
}

macro_rules! laws {
    ($d:tt $macro_name:ident $($law:ident)*) => {
        /// Makes a module with one test for each law, of a name and a fixture.
        #[macro_export]
        macro_rules! $macro_name {
            ($d name:ident, $d fixture:expr) => {
                mod $d name {
                    #[expect(unused_imports, reason = "a fixture may stand in the module itself")]
                    use super::*;
                    $(
                        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                        async fn $law() {
                            $crate::conformance::$law(&mut $d fixture).await;
                        }
                    )*
                }
            };
        }
    };
}

laws! { $ conformance
    events_of_a_source_keep_their_order
    an_id_enters_once
    concurrent_appends_of_one_id_enter_once
    holes_are_filled_once
    assigned_seqs_have_no_hole
    a_refused_draft_does_not_concern_the_others
    an_append_of_nothing_answers
    every_position_gives_exactly_the_rest
    paging_visits_each_event_once
    filters_choose_what_they_say
    a_tail_is_woken_and_sees_only_what_is_durable
    seek_finds_the_first_logged_at_or_after
    logged_never_goes_back
    a_position_that_never_was_is_gone
    bytes_of_another_release_are_shown_as_they_are
    trim_never_passes_a_consumer
    trim_by_age_keeps_what_is_younger
    trim_by_size_goes_as_far_as_it_must
    offsets_are_never_used_twice
    consumers_are_remembered
    dead_letters_are_kept_once
    resolved_dead_letters_are_gone
    purged_events_are_gone_and_their_places_stay
    reopening_keeps_everything
    close_makes_durable_what_waits
    a_grouped_append_answers_in_time
}

laws! { $ fleet_conformance
    each_record_goes_to_one_member
    groups_do_not_concern_each_other
    what_is_done_is_remembered
    a_revoked_partition_waits_for_its_holder
    a_rebalance_loses_nothing
    what_is_gone_is_told
    a_member_may_begin_elsewhere
    a_paused_partition_waits
}

fn source(name: &str) -> SourceName {
    SourceName::new(name).unwrap()
}

fn draft(from: &str, value: i64) -> Draft {
    let mut fields = Fields::new();
    fields.set("value", value);
    Draft {
        source: source(from),
        kind: SourceKind::new("push").unwrap(),
        agent: None,
        event_type: EventType::Sample,
        time: Timestamp::now(),
        entity: Entity::new(
            EntityType::new("thing").unwrap(),
            EntityId::new("one").unwrap(),
        ),
        fields,
        identity: None,
    }
}

fn identified(from: &str, epoch: &str, seq: u64) -> Draft {
    Draft {
        identity: Some(Identity {
            epoch: Epoch::new(epoch).unwrap(),
            seq,
        }),
        ..draft(from, i64::try_from(seq).unwrap())
    }
}

fn everything(limit: usize) -> ReadQuery {
    ReadQuery {
        filter: Filter::default(),
        limit,
    }
}

async fn read_from(log: &dyn EventLog, from: &Position, query: &ReadQuery) -> Vec<Record> {
    let mut records = Vec::new();
    let mut next = from.clone();
    loop {
        let batch = log.read(&next, query).await.unwrap();
        assert!(batch.records.len() <= query.limit, "more than the limit");
        assert!(batch.next.reaches(&next), "a read goes forward");
        assert!(
            batch.at_end || batch.next != next,
            "a read that is not at the end goes on"
        );
        records.extend(batch.records);
        next = batch.next;
        if batch.at_end {
            return records;
        }
    }
}

async fn read_all(log: &dyn EventLog) -> Vec<Record> {
    let oldest = log.bounds().await.unwrap().oldest;
    read_from(log, &oldest, &everything(1000)).await
}

fn event(record: &Record) -> &Event {
    match &record.body {
        Body::Event(event) => event,
        Body::Unreadable { reason, .. } => panic!("unreadable: {reason}"),
    }
}

fn value(record: &Record) -> i64 {
    match event(record).fields.get("value") {
        Some(schemas::FieldValue::I64(value)) => *value,
        other => panic!("no value but {other:?}"),
    }
}

fn outcomes(receipts: &[Receipt]) -> Vec<Outcome> {
    receipts.iter().map(|r| r.outcome.clone()).collect()
}

/// (source, epoch, seq) of every record, sorted.
fn ids(records: &[Record]) -> Vec<(String, String, u64)> {
    let mut ids: Vec<_> = records
        .iter()
        .map(|record| {
            let event = event(record);
            (event.source.to_string(), event.epoch.to_string(), event.seq)
        })
        .collect();
    ids.sort_unstable();
    ids
}
