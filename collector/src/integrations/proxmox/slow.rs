//! What is asked beside the polls, each on a clock of its own, few at a time. A call that hangs holds up nothing but itself.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::session::Session;
use crate::{FailureClass, PollError};

/// Most requests at a time: the service has three workers for everybody.
const IN_FLIGHT: usize = 4;
/// Most nodes that are asked one by one.
const MOST_NODES: usize = 64;
/// Tasks come and go, loads and quorum move.
const EVERY_MINUTE: Duration = Duration::from_mins(1);
/// Lists that other programs make on the node.
const EVERY_10_MINUTES: Duration = Duration::from_mins(10);
/// SMART.
const EVERY_30_MINUTES: Duration = Duration::from_mins(30);
/// What is not allowed will not be soon.
const REFUSED: Duration = Duration::from_hours(1);

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Job {
    Cluster,
    Tasks,
    NotBackedUp,
    Node(String),
    Pools(String),
    Disks(String),
    /// Of a node, a device.
    Smart(String, String),
}

impl Job {
    pub(super) fn path(&self) -> String {
        match self {
            Self::Cluster => "/cluster/status".to_owned(),
            Self::Tasks => "/cluster/tasks".to_owned(),
            Self::NotBackedUp => "/cluster/backup-info/not-backed-up".to_owned(),
            Self::Node(node) => format!("/nodes/{node}/status"),
            Self::Pools(node) => format!("/nodes/{node}/disks/zfs"),
            Self::Disks(node) => format!("/nodes/{node}/disks/list?skipsmart=1"),
            Self::Smart(node, device) => format!(
                "/nodes/{node}/disks/smart?{}",
                http_client::encode(&[("disk", device)])
            ),
        }
    }

    const fn every(&self) -> Duration {
        match self {
            Self::Cluster | Self::Tasks | Self::Node(_) => EVERY_MINUTE,
            Self::NotBackedUp | Self::Pools(_) => EVERY_10_MINUTES,
            Self::Disks(_) | Self::Smart(..) => EVERY_30_MINUTES,
        }
    }
}

/// A call that was answered, or not.
pub(super) struct Done {
    pub(super) job: Job,
    pub(super) answer: Result<Value, PollError>,
}

/// The calls that are due, waiting and under way.
#[derive(Default)]
pub(super) struct Slow {
    due: BTreeMap<Job, Instant>,
    waiting: VecDeque<Job>,
    running: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Waiting or running.
    busy: BTreeSet<Job>,
}

impl Slow {
    /// Asks the cluster, and these nodes, from now on.
    pub(super) fn watch<'a>(&mut self, nodes: impl Iterator<Item = &'a str>) {
        let mut wanted = BTreeSet::from([Job::Cluster, Job::Tasks, Job::NotBackedUp]);
        for node in nodes.filter(|node| is_plain(node)).take(MOST_NODES) {
            let node = || node.to_owned();
            wanted.extend([Job::Node(node()), Job::Pools(node()), Job::Disks(node())]);
        }
        self.due.retain(|job, _| wanted.contains(job));
        let now = Instant::now();
        for job in wanted {
            self.due.entry(job).or_insert(now);
        }
    }

    pub(super) fn is_watching(&self) -> bool {
        !self.due.is_empty()
    }

    /// Whether a call is under way, or is due.
    pub(super) fn is_busy(&self) -> bool {
        let now = Instant::now();
        !self.busy.is_empty() || self.due.values().any(|at| *at <= now)
    }

    /// Asks once, as soon as there is room.
    pub(super) fn once(&mut self, job: Job) {
        if self.busy.insert(job.clone()) {
            self.waiting.push_back(job);
        }
    }

    /// Drops what is under way; it is due again.
    pub(super) fn cancel(&mut self) {
        self.waiting.clear();
        self.running.clear();
        let now = Instant::now();
        for job in std::mem::take(&mut self.busy) {
            // the disks of a node are found again by its list
            let again = match job {
                Job::Smart(node, _) => Job::Disks(node),
                other => other,
            };
            if let Some(due) = self.due.get_mut(&again) {
                *due = now;
            }
        }
    }

    /// Waits for the next answer. May be dropped while it waits.
    pub(super) async fn next(&mut self, session: &Session) -> Done {
        loop {
            let next_due = self.start(session);
            if self.running.is_empty() {
                sleep_until(next_due).await;
                continue;
            }
            tokio::select! {
                biased;
                Some(done) = self.running.next() => return self.done(done),
                () = sleep_until(next_due) => {}
            }
        }
    }

    /// An answer that came already.
    pub(super) fn ready(&mut self) -> Option<Done> {
        let done = self.running.next().now_or_never()??;
        Some(self.done(done))
    }

    /// Starts what is due and finds room; returns when more is due.
    fn start(&mut self, session: &Session) -> Instant {
        let now = Instant::now();
        let mut next = now + EVERY_MINUTE;
        for (job, at) in &mut self.due {
            if *at <= now {
                *at = now + job.every();
                if self.busy.insert(job.clone()) {
                    self.waiting.push_back(job.clone());
                }
            }
            next = next.min(*at);
        }
        while self.running.len() < IN_FLIGHT
            && let Some(job) = self.waiting.pop_front()
        {
            let session = session.clone();
            self.running.push(
                async move {
                    let answer = session.get(&job.path()).await;
                    Done { job, answer }
                }
                .boxed(),
            );
        }
        next
    }

    fn done(&mut self, done: Done) -> Done {
        self.busy.remove(&done.job);
        let patience = match done.answer.as_ref().map_err(|e| e.class) {
            Err(FailureClass::NoPermission) => REFUSED,
            // not there in this version, or something on the node is broken
            Err(FailureClass::BadAnswer) => EVERY_10_MINUTES,
            _ => Duration::ZERO,
        };
        if let Some(due) = self.due.get_mut(&done.job) {
            *due = (*due).max(Instant::now() + patience);
        }
        done
    }
}

/// Whether a node's name can stand in a path.
fn is_plain(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_lead_elsewhere_is_not_asked() {
        let mut slow = Slow::default();
        slow.watch(["pve1", "../access", "a/b", "", "x?y", ".."].into_iter());
        let nodes: Vec<_> = slow
            .due
            .keys()
            .filter_map(|job| match job {
                Job::Node(node) => Some(node.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(nodes, ["pve1"]);
        // a node that is gone is not asked any more
        slow.watch(std::iter::empty());
        assert_eq!(slow.due.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_busy_until_all_that_was_due_is_answered() {
        let mut slow = Slow::default();
        assert!(!slow.is_busy());
        slow.watch(std::iter::empty());
        for (n, job) in [Job::Cluster, Job::Tasks, Job::NotBackedUp]
            .into_iter()
            .enumerate()
        {
            assert!(slow.is_busy(), "{n} are answered");
            slow.busy.insert(job.clone());
            slow.due.insert(job.clone(), Instant::now() + job.every());
            let answer = Ok(Value::Null);
            drop(slow.done(Done { job, answer }));
        }
        assert!(!slow.is_busy());
        tokio::time::advance(EVERY_MINUTE).await;
        assert!(slow.is_busy());
    }

    #[test]
    fn what_was_refused_is_not_asked_every_minute() {
        let mut slow = Slow::default();
        slow.watch(std::iter::empty());
        let now = Instant::now();
        for (class, at_least) in [
            (FailureClass::Timeout, Duration::ZERO),
            (FailureClass::BadAnswer, EVERY_10_MINUTES),
            (FailureClass::NoPermission, REFUSED),
        ] {
            let answer = Err(PollError::new(class, "no"));
            let job = Job::Tasks;
            drop(slow.done(Done { job, answer }));
            let wait = slow.due[&Job::Tasks].saturating_duration_since(now);
            assert!(
                wait >= at_least && wait < at_least + EVERY_MINUTE,
                "{class:?} {wait:?}"
            );
        }
    }

    #[test]
    fn a_device_is_encoded() {
        let smart = Job::Smart("pve1".to_owned(), "/dev/sda&x=1".to_owned());
        assert_eq!(
            smart.path(),
            "/nodes/pve1/disks/smart?disk=%2Fdev%2Fsda%26x%3D1"
        );
    }
}
