//! A destination that a test can look into, hold up, break and rob.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use event_log::{Destination, DestinationError, ForeignSource, Refusal, SequenceState, Taken};
use schemas::{Epoch, Event, SourceName, name::AgentName};

type Rule<T> = Box<dyn Fn(&Event) -> Option<T> + Send>;

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) events: Vec<Arc<Event>>,
    ids: HashSet<String>,
    /// What everything is answered with while it is there.
    pub(crate) fault: Option<DestinationError>,
    pub(crate) latency: Duration,
    pub(crate) owners: BTreeMap<SourceName, AgentName>,
    pub(crate) refuses: Option<Rule<Refusal>>,
    pub(crate) duplicates: usize,
    pub(crate) appends: usize,
    pub(crate) flying: usize,
    pub(crate) most_flying: usize,
    flying_sources: Vec<SourceName>,
    /// A source that was in two appends at a time.
    pub(crate) twice: Option<SourceName>,
}

/// See the module.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Inner>>);

impl Ledger {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub(crate) fn away(&self, is: bool) {
        self.lock().fault = is.then(|| DestinationError::away("nobody there"));
    }

    pub(crate) fn count(&self, source: &SourceName) -> usize {
        let inner = self.lock();
        inner.events.iter().filter(|e| e.source == *source).count()
    }

    pub(crate) fn events(&self) -> Vec<Arc<Event>> {
        self.lock().events.clone()
    }

    /// Loses what came last, as a broker does that loses power.
    pub(crate) fn lose(&self, events: usize) {
        let mut inner = self.lock();
        let left = inner.events.len().saturating_sub(events);
        let lost = inner.events.split_off(left);
        for event in lost {
            inner.ids.remove(&event.id().to_string());
        }
    }
}

#[async_trait]
impl Destination for Ledger {
    fn name(&self) -> &'static str {
        "ledger"
    }

    fn most_events(&self) -> usize {
        1000
    }

    async fn append(&self, events: Vec<Arc<Event>>) -> Result<Taken, DestinationError> {
        let latency = {
            let mut inner = self.lock();
            inner.appends += 1;
            if let Some(fault) = &inner.fault {
                return Err(fault.clone());
            }
            inner.flying += 1;
            inner.most_flying = inner.most_flying.max(inner.flying);
            let sources: HashSet<_> = events.iter().map(|e| e.source.clone()).collect();
            for source in sources {
                if inner.flying_sources.contains(&source) {
                    inner.twice = Some(source.clone());
                }
                inner.flying_sources.push(source);
            }
            inner.latency
        };
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let mut inner = self.lock();
        inner.flying -= 1;
        for event in &events {
            inner
                .flying_sources
                .retain(|source| *source != event.source);
        }
        let mut taken = Taken::default();
        for (index, event) in events.into_iter().enumerate() {
            if let Some(mut refusal) = inner.refuses.as_ref().and_then(|rule| rule(&event)) {
                refusal.index = index;
                taken.refused.push(refusal);
            } else if inner.ids.insert(event.id().to_string()) {
                inner.events.push(event);
                taken.appended += 1;
            } else {
                taken.duplicates += 1;
                inner.duplicates += 1;
            }
        }
        Ok(taken)
    }

    async fn last_seqs(
        &self,
        sources: &[SourceName],
    ) -> Result<Vec<SequenceState>, DestinationError> {
        let inner = self.lock();
        if let Some(fault) = &inner.fault {
            return Err(fault.clone());
        }
        let mut last: BTreeMap<(SourceName, Epoch), (u64, HashSet<u64>)> = BTreeMap::new();
        for event in inner.events.iter().filter(|e| sources.contains(&e.source)) {
            let (last, there) = last
                .entry((event.source.clone(), event.epoch.clone()))
                .or_default();
            *last = (*last).max(event.seq);
            there.insert(event.seq);
        }
        Ok(last
            .into_iter()
            .map(|((source, epoch), (last_seq, there))| SequenceState {
                source,
                epoch,
                last_seq,
                holes: (1..last_seq)
                    .filter(|seq| !there.contains(seq))
                    .map(|seq| (seq, seq))
                    .collect(),
            })
            .collect())
    }

    async fn claim(
        &self,
        sources: &[SourceName],
        take_over: bool,
    ) -> Result<Vec<ForeignSource>, DestinationError> {
        let mut inner = self.lock();
        if let Some(fault) = &inner.fault {
            return Err(fault.clone());
        }
        let us = super::kit::agent();
        let mut foreign = Vec::new();
        for source in sources {
            let owner = inner
                .owners
                .entry(source.clone())
                .or_insert_with(|| us.clone());
            if *owner != us && take_over {
                *owner = us.clone();
            }
            if *owner != us {
                foreign.push(ForeignSource {
                    source: source.clone(),
                    owner: owner.clone(),
                });
            }
        }
        Ok(foreign)
    }
}
