//! Spools, events and waiting.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use event_log::{Destination, EventLog, Filter, ReadQuery, Urgency};
use schemas::{
    Draft, Entity, Event, EventType, FieldValue, Fields, SourceName, Timestamp,
    name::{AgentName, EntityId, EntityType, SourceKind},
};
use shipper::{Metrics, Options, Services, Shipper};
use supervision::Supervisor;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn source(name: &str) -> SourceName {
    SourceName::new(name).unwrap()
}

pub(crate) fn agent() -> AgentName {
    AgentName::new("nas").unwrap()
}

/// One reading; its number tells it from all others.
pub(crate) fn draft(source: &SourceName, number: i64) -> Draft {
    let mut fields = Fields::new();
    fields.set("number", FieldValue::I64(number));
    Draft {
        source: source.clone(),
        kind: SourceKind::new("test").unwrap(),
        agent: Some(agent()),
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

/// Options under which nothing takes long.
pub(crate) fn quick() -> Options {
    Options {
        window_events: 200,
        batch_events: 40,
        first_retry: Duration::from_millis(1),
        slowest_retry: Duration::from_millis(8),
        upkeep: Duration::from_millis(2),
        grace: Duration::from_millis(200),
        ..Options::default()
    }
}

/// A shipper with a supervisor of its own, so that it can be stopped or killed.
pub(crate) struct Running {
    pub(crate) supervisor: Supervisor,
    pub(crate) shipper: Shipper,
}

impl Running {
    pub(crate) fn start(
        spool: &Arc<dyn EventLog>,
        destination: &Arc<dyn Destination>,
        metrics: &Metrics,
        options: Options,
    ) -> Self {
        let supervisor = Supervisor::new();
        let services = Services {
            spool: Arc::clone(spool),
            destination: Arc::clone(destination),
            agent: agent(),
            metrics: metrics.clone(),
        };
        let shipper = Shipper::start(&supervisor, services, options);
        Self {
            supervisor,
            shipper,
        }
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) async fn kill(self) {
        self.supervisor.drain(Duration::ZERO).await;
        while self.supervisor.running() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub(crate) async fn stop(self) {
        let drained = self.supervisor.drain(PATIENCE).await;
        assert!(drained.cut.is_empty(), "{drained:?}");
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !is().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    waited
        .await
        .unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"));
}

/// Appends numbered readings and returns how many the log has taken of the source until now.
pub(crate) async fn spool(log: &dyn EventLog, source: &SourceName, numbers: std::ops::Range<i64>) {
    let drafts = numbers.map(|n| draft(source, n)).collect();
    let appended = log.append(drafts, Urgency::Soon).await.unwrap();
    assert!(
        appended
            .receipts
            .iter()
            .all(|r| r.outcome == event_log::Outcome::Appended)
    );
}

/// Every event of a log, in the order of each partition.
pub(crate) async fn all(log: &dyn EventLog) -> Vec<Arc<Event>> {
    let mut from = log.bounds().await.unwrap().oldest;
    let mut events = Vec::new();
    loop {
        let query = ReadQuery {
            filter: Filter::default(),
            limit: 1000,
        };
        let batch = log.read(&from, &query).await.unwrap();
        events.extend(batch.records.iter().filter_map(|r| r.event().cloned()));
        from = batch.next;
        if batch.at_end {
            return events;
        }
    }
}

/// The seqs of each source in the order in which they stand.
pub(crate) fn seqs(events: &[Arc<Event>]) -> BTreeMap<SourceName, Vec<u64>> {
    let mut seqs: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in events {
        seqs.entry(event.source.clone())
            .or_default()
            .push(event.seq);
    }
    seqs
}

/// Every event of the spool is at the destination once, equal, and in the order of its source.
pub(crate) fn assert_arrived(sent: &[Arc<Event>], arrived: &[Arc<Event>]) {
    let (want, got) = (seqs(sent), seqs(arrived));
    for (source, want) in &want {
        let got = got.get(source).map_or(&[][..], Vec::as_slice);
        if want != got {
            let at = want.iter().zip(got).position(|(a, b)| a != b);
            panic!(
                "{source}: {} sent, {} arrived, they differ at {at:?}",
                want.len(),
                got.len()
            );
        }
    }
    assert_eq!(want.len(), got.len(), "nothing came that was not sent");
    let by_id = |events: &[Arc<Event>]| -> BTreeMap<String, Arc<Event>> {
        events
            .iter()
            .map(|event| (event.id().to_string(), Arc::clone(event)))
            .collect()
    };
    assert_eq!(by_id(sent), by_id(arrived));
}
