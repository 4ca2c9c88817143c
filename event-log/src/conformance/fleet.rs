//! Laws of a log that a group of workers shares. They want three partitions.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use schemas::Draft;

use super::{draft, event};
use crate::{Delivery, EventLog, Fleet, Member, Record, Urgency};

/// A log that a group can share.
#[async_trait]
pub trait FleetFixture: Send {
    /// Opens an empty log: as a log, and as what a group shares.
    async fn open(&mut self) -> (Arc<dyn EventLog>, Arc<dyn Fleet>);

    /// Loses the records of a partition before an offset, whoever needs them.
    async fn lose(&mut self, partition: usize, before: u64);
}

/// How long a law waits for what must come.
const PATIENCE: Duration = Duration::from_secs(40);

type Place = (usize, u64);

/// A worker that is done with each record as soon as it has it, unless told otherwise.
struct Worker {
    member: Box<dyn Member>,
    seen: Vec<Place>,
    /// Where each partition that it has goes on.
    next: BTreeMap<usize, u64>,
    tells: bool,
}

impl Worker {
    async fn join(fleet: &dyn Fleet, group: &str) -> Self {
        Self {
            member: fleet.join(group).await.unwrap(),
            seen: Vec::new(),
            next: BTreeMap::new(),
            tells: true,
        }
    }

    async fn step(&mut self) -> Delivery {
        let delivery = self.member.next().await.unwrap();
        match &delivery {
            Delivery::Assigned {
                partition,
                committed,
                oldest,
                newest,
            } => {
                assert!(oldest <= newest);
                let next = committed.unwrap_or(*oldest);
                let before = self.next.insert(*partition, next);
                assert_eq!(before, None, "it has partition {partition} already");
            }
            Delivery::Records {
                partition,
                records,
                next,
                newest,
            } => {
                let at = self.next.get_mut(partition).expect("it is not its own");
                for record in records {
                    assert_eq!(record.partition, *partition);
                    assert!(record.offset >= *at, "{} came before", record.offset);
                    *at = record.offset + 1;
                    self.seen.push((record.partition, record.offset));
                }
                assert!(next >= at && newest >= next);
                *at = *next;
                if self.tells {
                    self.member.done(*partition, *next);
                }
            }
            Delivery::Revoked { partitions } => {
                assert!(!partitions.is_empty());
                for partition in partitions {
                    let had = self.next.remove(partition);
                    assert!(had.is_some(), "it has no partition {partition}");
                }
            }
            Delivery::Taken { partitions } => {
                for partition in partitions {
                    self.next.remove(partition);
                }
            }
            Delivery::Lost {
                partition,
                from,
                to,
            } => {
                let at = self.next.get_mut(partition).expect("it is not its own");
                assert_eq!(at, from);
                *at = *to;
            }
            Delivery::Idle => {}
        }
        delivery
    }

    /// Works until a condition holds.
    async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < end, "it did not come: {what}");
            self.step().await;
        }
    }
}

/// Works with all of them until a condition holds.
async fn together(workers: &mut [Worker], what: &str, holds: impl Fn(&[Worker]) -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds(workers) {
        assert!(Instant::now() < end, "it did not come: {what}");
        for worker in workers.iter_mut() {
            worker.step().await;
        }
    }
}

fn has_all(partitions: usize) -> impl Fn(&Worker) -> bool {
    move |worker| worker.next.len() == partitions
}

fn shared(partitions: usize) -> impl Fn(&[Worker]) -> bool {
    move |workers| {
        let held: usize = workers.iter().map(|w| w.next.len()).sum();
        let most = partitions.div_ceil(workers.len());
        held == partitions && workers.iter().all(|w| w.next.len() <= most)
    }
}

/// Appends events of many sources and returns all places of the log.
async fn append(log: &dyn EventLog, count: i64) -> BTreeSet<Place> {
    let drafts: Vec<Draft> = (0..count)
        .map(|n| draft(&format!("source{}", n % 16), n))
        .collect();
    log.append(drafts, Urgency::Soon).await.unwrap();
    let records = super::read_all(log).await;
    records.iter().map(|r| (r.partition, r.offset)).collect()
}

fn places(workers: &[Worker]) -> Vec<Place> {
    let mut all: Vec<Place> = workers.iter().flat_map(|w| w.seen.clone()).collect();
    all.sort_unstable();
    all
}

/// Between members that stay, each record goes to exactly one, and a source to one member.
pub async fn each_record_goes_to_one_member(fixture: &mut impl FleetFixture) {
    let (log, fleet) = fixture.open().await;
    let partitions = log.capabilities().partitions;
    let mut workers = Vec::new();
    for _ in 0..2 {
        workers.push(Worker::join(&*fleet, "ingest").await);
    }
    together(&mut workers, "a share for each", shared(partitions)).await;
    let all = append(&*log, 400).await;
    together(&mut workers, "all records", |w| {
        places(w).len() >= all.len()
    })
    .await;
    assert_eq!(places(&workers), all.into_iter().collect::<Vec<_>>());
    let of = |worker: &Worker| -> BTreeSet<usize> { worker.seen.iter().map(|p| p.0).collect() };
    assert!(of(&workers[0]).is_disjoint(&of(&workers[1])));
    for worker in workers {
        worker.member.leave().await.unwrap();
    }
    log.close().await.unwrap();
}

/// Another group has everything too, for itself.
pub async fn groups_do_not_concern_each_other(fixture: &mut impl FleetFixture) {
    let (log, fleet) = fixture.open().await;
    let all = append(&*log, 60).await;
    for group in ["ingest", "export"] {
        let mut worker = Worker::join(&*fleet, group).await;
        let wanted = all.len();
        worker
            .until("all records", |w| w.seen.len() >= wanted)
            .await;
        assert_eq!(places(&[worker]), all.iter().copied().collect::<Vec<_>>());
    }
    log.close().await.unwrap();
}

/// A group goes on where it said that it was done; what it did not say comes again.
pub async fn what_is_done_is_remembered(fixture: &mut impl FleetFixture) {
    let (log, fleet) = fixture.open().await;
    let partitions = log.capabilities().partitions;
    let first = append(&*log, 100).await;
    let mut worker = Worker::join(&*fleet, "ingest").await;
    let wanted = first.len();
    worker
        .until("all records", |w| w.seen.len() >= wanted)
        .await;
    worker.tells = false;
    let both = append(&*log, 50).await;
    let wanted = both.len();
    worker.until("the rest", |w| w.seen.len() >= wanted).await;
    worker.member.leave().await.unwrap();
    let position = log.consumer_position("ingest").await.unwrap();
    let position = position.expect("a group is a consumer");
    assert_eq!(
        position.offsets().iter().sum::<u64>(),
        first.len() as u64,
        "it is where the group has gone"
    );

    let mut worker = Worker::join(&*fleet, "ingest").await;
    worker.until("its partitions", has_all(partitions)).await;
    let begun = worker.next.clone();
    let wanted = both.len() - first.len();
    worker
        .until("what was not done", |w| w.seen.len() >= wanted)
        .await;
    for (partition, next) in begun {
        let came: Vec<_> = worker.seen.iter().filter(|p| p.0 == partition).collect();
        assert!(came.iter().all(|place| place.1 >= next));
    }
    let again: BTreeSet<_> = worker.seen.iter().copied().collect();
    assert_eq!(again, &both - &first);
    worker.member.leave().await.unwrap();
    log.close().await.unwrap();
}

/// A partition that is wanted elsewhere stays until its holder has finished and asks for more; what it says until then counts.
pub async fn a_revoked_partition_waits_for_its_holder(fixture: &mut impl FleetFixture) {
    let (log, fleet) = fixture.open().await;
    let partitions = log.capabilities().partitions;
    let all = append(&*log, 200).await;
    let mut first = Worker::join(&*fleet, "ingest").await;
    first.tells = false;
    first.until("its partitions", has_all(partitions)).await;
    let wanted = all.len();
    first.until("all records", |w| w.seen.len() >= wanted).await;
    let ends = first.next.clone();

    let mut second = Worker::join(&*fleet, "ingest").await;
    let end = Instant::now() + PATIENCE;
    let gone = loop {
        assert!(Instant::now() < end, "nothing was revoked");
        // the second must ask to be a member, but has nothing yet
        assert!(!matches!(second.step().await, Delivery::Assigned { .. }));
        if let Delivery::Revoked { partitions } = first.step().await {
            break partitions;
        }
    };
    for _ in 0..3 {
        second.step().await;
        assert!(second.next.is_empty(), "its holder has not let it go");
    }
    for partition in &gone {
        first.member.done(*partition, ends[partition]);
    }
    let mut workers = [first, second];
    let most = gone.len();
    together(&mut workers, "what was revoked", |w| {
        w[1].next.len() >= most
    })
    .await;
    for partition in &gone {
        assert_eq!(
            workers[1].next[partition], ends[partition],
            "it goes on where the first said"
        );
    }
    assert!(workers[1].seen.is_empty());
    log.close().await.unwrap();
}

/// Members may come and go while events come: whoever is done before it lets go, repeats and loses nothing.
pub async fn a_rebalance_loses_nothing(fixture: &mut impl FleetFixture) {
    let (log, fleet) = fixture.open().await;
    let partitions = log.capabilities().partitions;
    let mut gone: Vec<Place> = Vec::new();
    let mut workers: Vec<Worker> = Vec::new();
    let mut all = BTreeSet::new();
    for round in 0..4 {
        if round == 2 {
            let leaver = workers.remove(0);
            gone.extend(&leaver.seen);
            leaver.member.leave().await.unwrap();
        } else {
            workers.push(Worker::join(&*fleet, "ingest").await);
        }
        all.extend(append(&*log, 150).await);
        together(&mut workers, "a share for each", shared(partitions)).await;
    }
    let wanted = all.len() - gone.len();
    together(&mut workers, "all records", |w| places(w).len() >= wanted).await;
    gone.extend(places(&workers));
    gone.sort_unstable();
    assert_eq!(gone, all.into_iter().collect::<Vec<_>>());
    log.close().await.unwrap();
}

/// Records that went before the group had them are told, and it goes on after them.
pub async fn what_is_gone_is_told(fixture: &mut impl FleetFixture) {
    let (log, fleet) = fixture.open().await;
    let partitions = log.capabilities().partitions;
    let mut worker = Worker::join(&*fleet, "ingest").await;
    worker.until("its partitions", has_all(partitions)).await;
    let first = append(&*log, 60).await;
    let wanted = first.len();
    worker
        .until("all records", |w| w.seen.len() >= wanted)
        .await;
    worker.member.leave().await.unwrap();

    append(&*log, 60).await;
    let records = super::read_all(&*log).await;
    let last: &Record = records.last().unwrap();
    let (partition, before) = (last.partition, last.offset);
    fixture.lose(partition, before).await;
    let mut worker = Worker::join(&*fleet, "ingest").await;
    let end = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < end, "nothing was told");
        if let Delivery::Lost {
            partition: of,
            from,
            to,
        } = worker.step().await
        {
            assert_eq!((of, to), (partition, before));
            assert!(from < to);
            break;
        }
    }
    worker
        .until("what is left", |w| w.seen.contains(&(partition, before)))
        .await;
    log.close().await.unwrap();
}

/// Where a partition is read from may be said when it is assigned, before or after where the group has gone.
pub async fn a_member_may_begin_elsewhere(fixture: &mut impl FleetFixture) {
    let (log, fleet) = fixture.open().await;
    let partitions = log.capabilities().partitions;
    let all = append(&*log, 200).await;
    let mut worker = Worker::join(&*fleet, "ingest").await;
    let wanted = all.len();
    worker
        .until("all records", |w| w.seen.len() >= wanted)
        .await;
    worker.member.leave().await.unwrap();

    let mut worker = Worker::join(&*fleet, "ingest").await;
    let end = Instant::now() + PATIENCE;
    while worker.next.len() < partitions {
        assert!(Instant::now() < end, "its partitions did not come");
        if let Delivery::Assigned { partition, .. } = worker.step().await {
            worker.member.begin(partition, 3);
            worker.next.insert(partition, 3);
        }
    }
    let wanted: Vec<Place> = all.into_iter().filter(|place| place.1 >= 3).collect();
    let count = wanted.len();
    worker.until("the rest", |w| w.seen.len() >= count).await;
    assert_eq!(places(&[worker]), wanted);
    log.close().await.unwrap();
}

/// A partition that is paused gives nothing, the others go on, and nothing of it is left out.
pub async fn a_paused_partition_waits(fixture: &mut impl FleetFixture) {
    let (log, fleet) = fixture.open().await;
    let partitions = log.capabilities().partitions;
    let mut worker = Worker::join(&*fleet, "ingest").await;
    worker.until("its partitions", has_all(partitions)).await;
    let records = {
        append(&*log, 300).await;
        super::read_all(&*log).await
    };
    assert!(records.iter().all(|r| event(r).seq > 0));
    let paused = records[0].partition;
    worker.member.pause(paused);
    let others = records.iter().filter(|r| r.partition != paused).count();
    let of = |worker: &Worker, own: bool| {
        let is = |p: &&Place| (p.0 == paused) == own;
        worker.seen.iter().filter(is).count()
    };
    let before = of(&worker, true);
    worker.until("the others", |w| of(w, false) >= others).await;
    for _ in 0..2 {
        worker.step().await;
    }
    assert_eq!(of(&worker, true), before, "it is paused");
    worker.member.resume(paused);
    let wanted = records.len();
    worker
        .until("all records", |w| w.seen.len() >= wanted)
        .await;
    assert_eq!(worker.seen.len(), wanted);
    log.close().await.unwrap();
}
