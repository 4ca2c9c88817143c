use std::sync::Arc;

use event_log::{Body, Record};
use proptest::prelude::*;
use schemas::{
    Entity, EventType, FieldValue, Fields, Position,
    name::{EntityId, EntityType, SourceKind},
};

use super::*;

const SOURCES: usize = 5;

fn source(n: usize) -> SourceName {
    SourceName::new(format!("s{n}")).unwrap()
}

/// A spool in memory, a destination in memory, and between them a window.
struct World {
    spool: Vec<Record>,
    last: [u64; SOURCES],
    arrived: Vec<Vec<u64>>,
    window: Window,
    flying: Vec<Flight>,
    committed: u64,
    passed_by: usize,
}

const BOUNDS: Bounds = Bounds {
    events: 24,
    bytes: usize::MAX / 8,
};

impl World {
    fn new() -> Self {
        Self {
            spool: Vec::new(),
            last: [0; SOURCES],
            arrived: vec![Vec::new(); SOURCES],
            window: Window::new(BOUNDS, (0, 0), Known::default(), HashSet::new()),
            flying: Vec::new(),
            committed: 0,
            passed_by: 0,
        }
    }

    fn observe(&mut self, n: usize, count: usize) {
        for _ in 0..count {
            self.last[n] += 1;
            let mut fields = Fields::new();
            fields.set("x", FieldValue::I64(1));
            let event = Event {
                source: source(n),
                kind: SourceKind::new("k").unwrap(),
                agent: None,
                epoch: Epoch::new("e").unwrap(),
                seq: self.last[n],
                event_type: EventType::Sample,
                time: Timestamp::from_millis(1_795_406_700_000),
                entity: Entity::new(EntityType::new("t").unwrap(), EntityId::new("i").unwrap()),
                fields,
            };
            self.spool.push(Record {
                partition: 0,
                offset: self.spool.len() as u64,
                logged: event.time,
                body: Body::Event(Arc::new(event)),
            });
        }
    }

    fn states(&self) -> Vec<SequenceState> {
        Self::counts(&self.last)
    }

    fn counts(last: &[u64]) -> Vec<SequenceState> {
        last.iter()
            .enumerate()
            .filter(|(_, last)| **last > 0)
            .map(|(n, last)| SequenceState {
                source: source(n),
                epoch: Epoch::new("e").unwrap(),
                last_seq: *last,
                holes: Vec::new(),
            })
            .collect()
    }

    /// Reads `limit` events at most.
    fn read(&mut self, limit: usize) {
        let end = self.spool.len() as u64;
        let Some(want) = self.window.want(end) else {
            return;
        };
        let (from, of) = match &want {
            Want::Ahead(from) => (*from, None),
            Want::Behind(from, sources) => (*from, Some(sources)),
        };
        let mut records = Vec::new();
        let mut next = from;
        for record in self.spool.iter().skip(usize::try_from(from).unwrap()) {
            if records.len() == limit {
                break;
            }
            next = record.offset + 1;
            if of.is_none_or(|of| of.contains(&record.event().unwrap().source)) {
                records.push(record.clone());
            }
        }
        self.passed_by += usize::from(of.is_some());
        let batch = Batch {
            records,
            next: Position::from_offsets(vec![next]),
            at_end: next == end,
            purged: 0,
        };
        assert!(self.window.offer(&want, &batch).is_empty());
        let unclaimed = self.window.unclaimed();
        self.window.claimed(&unclaimed);
    }

    fn take(&mut self, most: usize) {
        if let Some(flight) = self.window.take(most, 3) {
            for other in &self.flying {
                for item in &other.items {
                    let again = flight
                        .items
                        .iter()
                        .any(|i| i.event.source == item.event.source);
                    assert!(!again, "a source flies twice at a time");
                }
            }
            self.flying.push(flight);
        }
    }

    /// One flight ends: it arrives or not, and that is known or not.
    fn land(&mut self, which: usize, arrives: bool, answered: bool) {
        if self.flying.is_empty() {
            return;
        }
        let flight = self.flying.swap_remove(which % self.flying.len());
        if arrives {
            for item in &flight.items {
                let n: usize = item.event.source.as_str()[1..].parse().unwrap();
                let there = &mut self.arrived[n];
                let last = there.last().copied().unwrap_or(0);
                assert!(
                    item.event.seq <= last + 1,
                    "seq {} after {last}",
                    item.event.seq
                );
                if item.event.seq == last + 1 {
                    there.push(item.event.seq);
                }
            }
        }
        if arrives && answered {
            self.window.acknowledge(&flight);
        } else {
            self.window.give_back(flight);
        }
        let position = self.window.position();
        assert!(position >= self.committed, "the position goes back");
        self.committed = position;
        for record in self.spool.iter().take(usize::try_from(position).unwrap()) {
            let event = record.event().unwrap();
            let n: usize = event.source.as_str()[1..].parse().unwrap();
            assert!(
                event.seq <= self.arrived[n].len() as u64,
                "the position passed what has not arrived"
            );
        }
    }

    fn crash(&mut self) {
        self.flying.clear();
        let there: Vec<u64> = self.arrived.iter().map(|seqs| seqs.len() as u64).collect();
        self.window = Window::new(
            BOUNDS,
            (self.committed, self.committed),
            Known::new(Self::counts(&there)),
            HashSet::new(),
        );
    }

    fn is_done(&self) -> bool {
        self.window.position() == self.spool.len() as u64
    }
}

#[derive(Clone, Debug)]
enum Step {
    Observe(usize, usize),
    Read(usize),
    Look,
    Take(usize),
    Land(usize, bool, bool),
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        // one source is much louder than the others
        3 => (0..40_usize).prop_map(|count| Step::Observe(0, count)),
        2 => (1..SOURCES, 0..4_usize).prop_map(|(n, count)| Step::Observe(n, count)),
        6 => (1..20_usize).prop_map(Step::Read),
        2 => Just(Step::Look),
        5 => (1..16_usize).prop_map(Step::Take),
        6 => (0..4_usize, prop::bool::weighted(0.8), prop::bool::weighted(0.8))
            .prop_map(|(which, arrives, answered)| Step::Land(which, arrives, answered)),
        1 => Just(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn in_any_order_of_things_all_arrives_once_and_in_order(steps in prop::collection::vec(step(), 1..200)) {
        let mut world = World::new();
        for step in steps {
            match step {
                Step::Observe(n, count) => world.observe(n, count),
                Step::Read(limit) => world.read(limit),
                Step::Look => {
                    if world.window.asks_for_hungry() {
                        let states = world.states();
                        world.window.look_ahead(&states);
                    }
                }
                Step::Take(most) => world.take(most),
                Step::Land(which, arrives, answered) => world.land(which, arrives, answered),
                Step::Crash => world.crash(),
            }
            prop_assert!(world.window.events() <= BOUNDS.events * 5 / 4 + 20, "the window is bounded");
        }
        for _ in 0..10_000 {
            if world.is_done() {
                break;
            }
            world.read(7);
            world.take(9);
            world.land(0, true, true);
        }
        prop_assert!(world.is_done());
        for n in 0..SOURCES {
            let all: Vec<u64> = (1..=world.last[n]).collect();
            prop_assert_eq!(&world.arrived[n], &all);
        }
        prop_assert_eq!(world.window.events(), 0);
    }
}

#[test]
fn what_a_quiet_source_has_ahead_of_a_full_window_comes_first() {
    let mut world = World::new();
    world.observe(1, 1);
    world.observe(0, 500);
    world.observe(1, 1);
    while world.window.want(world.spool.len() as u64).is_some() {
        world.read(10);
    }
    // the first of the quiet one is gone
    world.take(40);
    world.land(0, true, true);
    while world.window.want(world.spool.len() as u64).is_some() {
        world.read(10);
    }
    assert!(world.window.asks_for_hungry());
    let states = world.states();
    world.window.look_ahead(&states);
    while world.window.want(world.spool.len() as u64).is_some() {
        world.read(10);
    }
    for _ in 0..2 {
        world.take(40);
        world.land(0, true, true);
    }
    assert_eq!(world.arrived[1], [1, 2], "it passed the backlog");
    assert!(world.arrived[0].len() < 100);
    while !world.is_done() {
        world.read(10);
        world.take(40);
        world.land(0, true, true);
    }
    assert!(world.passed_by > 0, "the loud one was read again");
    assert_eq!(world.arrived[0].len(), 500);
}
