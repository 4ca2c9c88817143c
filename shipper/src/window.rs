//! Which events are in memory and in which order they go: no I/O, so that a test can try every order of things.
//!
//! The spool is read once, from `next` on, into one queue a source. Where a source has more than its share while others have
//! events further on, its events are passed by and read again later, all such sources together. A source has one batch in
//! flight at a time, so that its order holds whatever becomes of a batch; different sources fly at the same time.

use std::collections::{HashMap, HashSet, VecDeque};

use event_log::{Batch, SequenceState};
use schemas::{Epoch, Event, SourceName, Timestamp};

use crate::{
    known::Known,
    queue::{Item, Queue},
};

/// Bounds on a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

/// What is read next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Want {
    /// What nobody has seen.
    Ahead(u64),
    /// What was passed by, of these sources.
    Behind(u64, Vec<SourceName>),
}

/// Events that are appended together.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) items: Vec<Item>,
    bytes: usize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Window {
    bounds: Bounds,
    next: u64,
    queues: HashMap<SourceName, Queue>,
    /// Sources in the order in which they are served.
    turns: VecDeque<SourceName>,
    events: usize,
    bytes: usize,
    known: Known,
    /// Offsets that are dead letters already.
    letters: HashSet<u64>,
    /// The highest seq of each writer that was read.
    read: HashMap<(SourceName, Epoch), u64>,
    /// The highest seq of each writer that was acknowledged here.
    acked: HashMap<(SourceName, Epoch), u64>,
    /// Sources of which the spool has events ahead while nothing of them is in memory.
    hungry: HashSet<SourceName>,
    /// Events below this were acknowledged once.
    shipped: u64,
    /// Events below `shipped` that the destination had lost.
    lost: u64,
}

impl Window {
    /// A window on a spool from an offset on; what is below `shipped` was acknowledged once.
    pub(crate) fn new(
        bounds: Bounds,
        (next, shipped): (u64, u64),
        known: Known,
        letters: HashSet<u64>,
    ) -> Self {
        Self {
            bounds,
            next,
            queues: HashMap::new(),
            turns: VecDeque::new(),
            events: 0,
            bytes: 0,
            known,
            letters,
            read: HashMap::new(),
            acked: HashMap::new(),
            hungry: HashSet::new(),
            shipped,
            lost: 0,
        }
    }

    /// Before this offset every event is acknowledged.
    pub(crate) fn position(&self) -> u64 {
        self.queues
            .values()
            .filter_map(Queue::first)
            .fold(self.next, u64::min)
    }

    /// When the oldest event that waits was logged, as far as it is in memory.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.queues.values().filter_map(Queue::oldest).min()
    }

    /// How many acknowledged events were sent again since the destination had lost them.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// How many events are in memory.
    #[cfg(test)]
    pub(crate) fn events(&self) -> usize {
        self.events
    }

    fn is_full(&self) -> bool {
        self.events >= self.bounds.events || self.bytes >= self.bounds.bytes
    }

    /// Beyond this nothing is taken, whoever waits.
    fn is_stuffed(&self) -> bool {
        self.events >= self.bounds.events + self.bounds.events / 4
            || self.bytes >= self.bounds.bytes + self.bounds.bytes / 4
    }

    /// How many events of one source may wait when others are passed by for it.
    fn morsel(&self) -> usize {
        (self.bounds.events / 32).max(1)
    }

    /// Whether it would be good to know which sources have events ahead.
    pub(crate) fn asks_for_hungry(&self) -> bool {
        self.is_full() && self.hungry.is_empty()
    }

    /// Learns from the spool's sequences who has events ahead, while nothing of it is in memory.
    pub(crate) fn look_ahead(&mut self, states: &[SequenceState]) {
        self.hungry = states
            .iter()
            .filter(|state| {
                self.queues.get(&state.source).is_none_or(Queue::is_idle)
                    && self.read_seq(&state.source, &state.epoch) < state.last_seq
            })
            .map(|state| state.source.clone())
            .collect();
    }

    fn read_seq(&self, source: &SourceName, epoch: &Epoch) -> u64 {
        self.read
            .get(&(source.clone(), epoch.clone()))
            .copied()
            .unwrap_or(0)
            .max(self.known.last(source, epoch))
    }

    /// What to read now, if there is room for it. `end` is the offset after the last event of the spool.
    pub(crate) fn want(&self, end: u64) -> Option<Want> {
        if self.is_stuffed() {
            return None;
        }
        if self.is_full() {
            return (!self.hungry.is_empty() && self.next < end).then_some(Want::Ahead(self.next));
        }
        // what is behind is older
        let late = self
            .queues
            .iter()
            .filter_map(|(source, queue)| Some((queue.behind?, source)));
        if let Some((from, _)) = late.clone().min_by_key(|(from, _)| *from) {
            let sources = late.map(|(_, source)| source.clone()).collect();
            return Some(Want::Behind(from, sources));
        }
        (self.next < end).then_some(Want::Ahead(self.next))
    }

    /// Takes what was read in. Returns what no release can read.
    pub(crate) fn offer(&mut self, want: &Want, batch: &Batch) -> Vec<event_log::Record> {
        let mut unreadable = Vec::new();
        let end = batch.next.offset(0);
        match want {
            Want::Ahead(from) => {
                // the window was moved while this was read
                if *from != self.next {
                    return unreadable;
                }
                for record in &batch.records {
                    if self.is_full() && self.hungry.is_empty() {
                        self.next = record.offset;
                        return unreadable;
                    }
                    match Item::of(record) {
                        Some(item) => self.ahead(item),
                        None => unreadable.push(record.clone()),
                    }
                }
                self.next = self.next.max(end);
                if batch.at_end {
                    self.hungry.clear();
                }
            }
            Want::Behind(from, sources) => {
                let mut blocked = HashSet::new();
                for item in batch.records.iter().filter_map(Item::of) {
                    self.late(item, *from, &mut blocked);
                }
                for source in sources.iter().filter(|source| !blocked.contains(*source)) {
                    if let Some(queue) = self.queues.get_mut(source)
                        && let Some(behind) = queue.behind
                    {
                        let reached = if behind >= *from {
                            behind.max(end)
                        } else {
                            behind
                        };
                        queue.behind = (reached < self.next).then_some(reached);
                    }
                }
            }
        }
        unreadable
    }

    /// An event that was not seen before.
    fn ahead(&mut self, item: Item) {
        if self.is_there(&item) {
            return;
        }
        let full = self.is_full();
        let stuffed = self.is_stuffed();
        let morsel = self.morsel();
        let is_hungry = self.hungry.contains(&item.event.source);
        let queue = self.queue(&item.event.source);
        if queue.behind.is_some() {
            return;
        }
        let room = !full || (is_hungry && !stuffed && queue.waiting.len() < morsel);
        if room {
            self.push(item);
        } else {
            queue.behind = Some(item.offset);
        }
    }

    /// An event that was passed by before.
    fn late(&mut self, item: Item, from: u64, blocked: &mut HashSet<SourceName>) {
        let full = self.is_full();
        let source = item.event.source.clone();
        let next = self.next;
        let Some(behind) = self.queues.get(&source).and_then(|queue| queue.behind) else {
            return;
        };
        if item.offset < behind || item.offset >= next || blocked.contains(&source) || behind < from
        {
            return;
        }
        let offset = item.offset;
        if full {
            blocked.insert(source);
            return;
        }
        if !self.is_there(&item) {
            self.push(item);
        }
        if let Some(queue) = self.queues.get_mut(&source) {
            queue.behind = Some(offset + 1);
        }
    }

    /// Notes that an event was read; whether it needs no shipping.
    fn is_there(&mut self, item: &Item) -> bool {
        let event = &item.event;
        let read = self
            .read
            .entry((event.source.clone(), event.epoch.clone()))
            .or_default();
        *read = (*read).max(event.seq);
        self.known.has(event) || self.letters.contains(&item.offset)
    }

    fn push(&mut self, item: Item) {
        self.events += 1;
        self.bytes += item.weight();
        self.hungry.remove(&item.event.source);
        if item.offset < self.shipped {
            self.lost += 1;
        }
        self.queue(&item.event.source.clone())
            .waiting
            .push_back(item);
    }

    fn queue(&mut self, source: &SourceName) -> &mut Queue {
        if !self.queues.contains_key(source) {
            self.turns.push_back(source.clone());
        }
        self.queues.entry(source.clone()).or_default()
    }

    /// Sources with events that the destination does not have down as ours yet.
    pub(crate) fn unclaimed(&self) -> Vec<SourceName> {
        self.queues
            .iter()
            .filter(|(_, queue)| !queue.claimed && !queue.is_idle())
            .map(|(source, _)| source.clone())
            .collect()
    }

    /// These sources are ours.
    pub(crate) fn claimed(&mut self, sources: &[SourceName]) {
        for source in sources {
            self.queue(source).claimed = true;
        }
    }

    /// The next flight: sources in turn, an equal part of each; none while nothing may go. `slots` more may fly.
    pub(crate) fn take(&mut self, most: usize, slots: usize) -> Option<Flight> {
        let ready: Vec<SourceName> = self
            .turns
            .iter()
            .filter(|source| self.queues.get(*source).is_some_and(Queue::is_ready))
            .cloned()
            .collect();
        if ready.is_empty() || slots == 0 {
            return None;
        }
        let sources = ready.len().div_ceil(slots);
        let part = most.div_ceil(sources).max(1);
        let mut flight = Flight {
            items: Vec::new(),
            bytes: 0,
        };
        let served: Vec<_> = ready.into_iter().take(sources).collect();
        // an equal part for each, then what is left of the flight for those that have more
        for part in [part, most] {
            for source in &served {
                let room = part.min(most.saturating_sub(flight.items.len()));
                let Some(queue) = self.queues.get_mut(source) else {
                    continue;
                };
                let Some(first) = queue.waiting.front().filter(|_| room > 0) else {
                    continue;
                };
                if queue.flying.is_none() {
                    queue.flying = Some((first.offset, first.logged));
                }
                let count = room.min(queue.waiting.len());
                flight.items.extend(queue.waiting.drain(..count));
            }
        }
        // who was served goes to the end
        self.turns.retain(|source| !served.contains(source));
        self.turns.extend(served);
        flight.bytes = flight.items.iter().map(Item::weight).sum();
        Some(flight)
    }

    /// A flight arrived.
    pub(crate) fn acknowledge(&mut self, flight: &Flight) {
        for item in &flight.items {
            let event = &item.event;
            let acked = self
                .acked
                .entry((event.source.clone(), event.epoch.clone()))
                .or_default();
            *acked = (*acked).max(event.seq);
            if let Some(queue) = self.queues.get_mut(&event.source) {
                queue.flying = None;
            }
        }
        self.events -= flight.items.len();
        self.bytes = self.bytes.saturating_sub(flight.bytes);
    }

    /// A flight did not arrive, or it is not known: its events are the next again.
    pub(crate) fn give_back(&mut self, flight: Flight) {
        for item in flight.items.into_iter().rev() {
            if let Some(queue) = self.queues.get_mut(&item.event.source) {
                queue.flying = None;
                queue.waiting.push_front(item);
            }
        }
    }

    /// Takes in what the destination says that it has. False if it lacks what it acknowledged: then all is to be read again.
    pub(crate) fn learn(&mut self, known: Known) -> bool {
        let whole = self
            .acked
            .iter()
            .all(|((source, epoch), acked)| known.last(source, epoch) >= *acked);
        self.known = known;
        whole
    }

    /// Forgets what is in memory and begins again; nothing may fly.
    pub(crate) fn restart(&mut self, next: u64, shipped: u64) {
        self.next = next;
        self.shipped = shipped;
        self.lost = 0;
        for queue in self.queues.values_mut() {
            queue.waiting.clear();
            queue.flying = None;
            queue.behind = None;
        }
        self.events = 0;
        self.bytes = 0;
        self.read.clear();
        self.acked.clear();
        self.hungry.clear();
    }

    /// Whether an event of the spool was acknowledged, or needs no shipping.
    pub(crate) fn is_done(&self, offset: u64, event: &Event) -> bool {
        if self.known.has(event) || self.letters.contains(&offset) {
            return true;
        }
        offset < self.next
            && self
                .queues
                .get(&event.source)
                .is_none_or(|queue| queue.first().is_none_or(|first| offset < first))
    }

    /// Lets events go that wait below an offset: they were dropped.
    pub(crate) fn drop_below(&mut self, offset: u64) {
        for queue in self.queues.values_mut() {
            while queue
                .waiting
                .front()
                .is_some_and(|item| item.offset < offset)
            {
                if let Some(item) = queue.waiting.pop_front() {
                    self.events -= 1;
                    self.bytes = self.bytes.saturating_sub(item.weight());
                }
            }
            queue.behind = queue.behind.map(|behind| behind.max(offset));
        }
        self.next = self.next.max(offset);
        let next = self.next;
        for queue in self.queues.values_mut() {
            queue.behind = queue.behind.filter(|behind| *behind < next);
        }
    }

    /// An event is a dead letter now.
    pub(crate) fn buried(&mut self, offset: u64) {
        self.letters.insert(offset);
    }
}

#[cfg(test)]
mod tests;
