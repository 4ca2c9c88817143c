//! What is asked beside the polls, on slow clocks and one call at a time. A call that hangs holds up nothing but itself.

use std::{collections::BTreeSet, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use tokio::time::{Instant, sleep_until};

use super::{
    session::{Call, Entrance, Failed},
    xml::Element,
};
use crate::{FailureClass, PollError};

/// Disks that do not spin need no sleep.
const SOLID: Duration = Duration::from_mins(5);
/// How often is looked whether there is newer firmware; the NAS itself looks once a day.
const UPDATE: Duration = Duration::from_hours(6);
/// After a failure.
const RETRY: Duration = Duration::from_mins(10);
/// After the session ended, which the next poll makes anew.
const NEXT_SESSION: Duration = Duration::from_secs(5);
/// What is not allowed will not be soon.
const REFUSED: Duration = Duration::from_hours(1);

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Job {
    Disks,
    Volumes,
    Update,
}

impl Job {
    pub(super) const fn call(self) -> Call {
        match self {
            Self::Disks => Call {
                path: "disk/qsmart.cgi",
                query: &[("func", "all_hd_data")],
            },
            Self::Volumes => Call {
                path: "management/chartReq.cgi",
                query: &[
                    ("chart_func", "disk_usage"),
                    ("disk_select", "all"),
                    ("include", "all"),
                ],
            },
            Self::Update => Call {
                path: "sys/sysRequest.cgi",
                query: &[("subfunc", "firm_update")],
            },
        }
    }
}

/// A call that was answered, or not.
pub(super) struct Done {
    pub(super) job: Job,
    pub(super) answer: Result<Element, Failed>,
}

/// The clocks, and the call under way.
pub(super) struct Slow {
    storage_every: Duration,
    /// When the disks are asked, and then the volumes.
    storage_at: Instant,
    /// The disks were asked, and the volumes are next.
    volumes_wanted: bool,
    update_at: Instant,
    /// Calls that were refused when they were made last.
    refused: BTreeSet<Job>,
    running: Option<BoxFuture<'static, Done>>,
}

impl Slow {
    pub(super) fn new(storage_every: Duration) -> Self {
        let now = Instant::now();
        Self {
            storage_every,
            storage_at: now,
            volumes_wanted: false,
            update_at: now,
            refused: BTreeSet::new(),
            running: None,
        }
    }

    /// Asks for the storage as soon as there is room.
    pub(super) fn hurry(&mut self) {
        self.storage_at = Instant::now();
    }

    /// Takes whether some disks spin: where none does, nothing is woken.
    pub(super) fn spins(&mut self, spins: bool) {
        if !spins {
            let soon = Instant::now() + self.storage_every.min(SOLID);
            self.storage_at = self.storage_at.min(soon);
        }
    }

    /// Asks for the volumes next.
    pub(super) const fn want_volumes(&mut self) {
        self.volumes_wanted = true;
    }

    /// Waits for the next answer. While disks sleep, neither they nor what is on them is asked for. May be dropped while it
    /// waits.
    pub(super) async fn next(&mut self, entrance: &Entrance, asleep: bool) -> Done {
        loop {
            if let Some(running) = &mut self.running {
                let done = running.await;
                self.running = None;
                return self.done(done);
            }
            let now = Instant::now();
            let Some(job) = self.due(now, asleep) else {
                let next = if asleep {
                    self.update_at
                } else {
                    self.update_at.min(self.storage_at)
                };
                sleep_until(next).await;
                continue;
            };
            let entrance = entrance.clone();
            self.running = Some(
                async move {
                    let answer = entrance.ask(job.call()).await;
                    Done { job, answer }
                }
                .boxed(),
            );
        }
    }

    /// Whether a call is under way, or is due.
    pub(super) fn is_busy(&self, asleep: bool) -> bool {
        let now = Instant::now();
        let storage = self.volumes_wanted || self.storage_at <= now;
        self.running.is_some() || self.update_at <= now || (storage && !asleep)
    }

    fn due(&mut self, now: Instant, asleep: bool) -> Option<Job> {
        if asleep {
            self.volumes_wanted = false;
        } else if std::mem::take(&mut self.volumes_wanted) {
            return Some(Job::Volumes);
        } else if self.storage_at <= now {
            self.storage_at = now + self.storage_every;
            return Some(Job::Disks);
        }
        if self.update_at <= now {
            self.update_at = now + UPDATE;
            return Some(Job::Update);
        }
        None
    }

    fn done(&mut self, mut done: Done) -> Done {
        let job = done.job;
        let wait = match done.answer {
            Ok(_) => {
                self.refused.remove(&job);
                return done;
            }
            Err(Failed::Session) if self.refused.insert(job) => NEXT_SESSION,
            // another session would end as this one
            Err(Failed::Session) => {
                done.answer = Err(Failed::Other(PollError::new(
                    FailureClass::NoPermission,
                    "it is not allowed to this user",
                )));
                REFUSED
            }
            Err(Failed::Other(_)) => RETRY,
        };
        let again = Instant::now() + wait;
        match job {
            Job::Disks | Job::Volumes if wait < REFUSED => {
                self.storage_at = self.storage_at.min(again);
            }
            Job::Disks | Job::Volumes => {}
            Job::Update => self.update_at = again,
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn failed(job: Job, failure: Failed) -> Done {
        Done {
            job,
            answer: Err(failure),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn storage_has_its_clock_and_nothing_of_it_is_asked_while_disks_sleep() {
        let mut slow = Slow::new(HOUR);
        let now = Instant::now();
        assert_eq!(slow.due(now, false), Some(Job::Disks));
        slow.want_volumes();
        assert_eq!(slow.due(now, false), Some(Job::Volumes));
        assert!(slow.is_busy(true), "the firmware is not asked yet");
        assert_eq!(slow.due(now, false), Some(Job::Update));
        assert!(!slow.is_busy(false));
        slow.want_volumes();
        assert!(slow.is_busy(false) && !slow.is_busy(true));
        assert_eq!(slow.due(now, true), None, "what sleeps is not asked");
        assert_eq!(slow.due(now + HOUR / 2, false), None);
        assert_eq!(slow.due(now + HOUR, true), None);
        slow.want_volumes();
        assert_eq!(slow.due(now + 2 * HOUR, true), None);
        assert_eq!(slow.due(now + 2 * HOUR, false), Some(Job::Disks), "awake");
        assert_eq!(
            slow.due(now + 2 * HOUR, false),
            None,
            "not before the disks"
        );
        slow.hurry();
        assert_eq!(slow.due(now + 2 * HOUR, false), Some(Job::Disks));
    }

    #[tokio::test(start_paused = true)]
    async fn disks_that_do_not_spin_are_asked_more_often() {
        let mut slow = Slow::new(HOUR);
        let now = Instant::now();
        assert_eq!(slow.due(now, false), Some(Job::Disks));
        slow.spins(true);
        assert!(slow.storage_at >= now + HOUR);
        slow.spins(false);
        assert_eq!(slow.storage_at, now + SOLID);
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_is_asked_again_later() {
        let mut slow = Slow::new(HOUR);
        let now = Instant::now();
        assert_eq!(slow.due(now, false), Some(Job::Disks));
        let broken = || Failed::Other(PollError::new(FailureClass::BadAnswer, "no"));
        drop(slow.done(failed(Job::Disks, broken())));
        assert_eq!(slow.storage_at, now + RETRY);
        let ended = slow.done(failed(Job::Volumes, Failed::Session));
        assert!(matches!(ended.answer, Err(Failed::Session)));
        assert_eq!(slow.storage_at, now + NEXT_SESSION);
        drop(slow.done(failed(Job::Update, broken())));
        assert_eq!(slow.update_at, now + RETRY);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_twice_is_not_blamed_on_the_session() {
        let mut slow = Slow::new(HOUR);
        let now = Instant::now();
        assert_eq!(slow.due(now, false), Some(Job::Disks));
        for (again, reply) in [(false, true), (false, false), (true, false)] {
            if reply {
                let answer = Ok(Element::default());
                let job = Job::Update;
                drop(slow.done(Done { job, answer }));
                continue;
            }
            let done = slow.done(failed(Job::Update, Failed::Session));
            assert_eq!(matches!(done.answer, Err(Failed::Other(_))), again);
        }
        assert_eq!(slow.update_at, now + REFUSED);
    }
}
