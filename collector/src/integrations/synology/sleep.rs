//! Whether the disks may be asleep. What DSM tells of its storage can wake them, so nobody asks for it then.
//!
//! DSM says how long its disks must be idle to sleep, and, cheaply and without waking any, how much each of them does. A disk
//! that was seen to work within that time is awake. What is seen is less than what happens, so that a disk is taken to be
//! asleep too early rather than too late.
//!
//! Looking at the storage may itself be work for the disks. So that it neither wakes them nor keeps them from falling asleep,
//! it happens once after they worked for somebody else, not again and again.

use std::{collections::HashSet, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use super::{utilization::DiskUse, wire::whole};

/// The shortest time that DSM lets disks be idle before they sleep; taken where it does not say.
const SHORTEST: Duration = Duration::from_mins(10);
/// What is sure to be over before a disk falls asleep.
const MARGIN: Duration = Duration::from_mins(1);

/// For how long after a look at the storage the disks may still be at work for it; DSM tells the mean of its last seconds.
const OWN_WORK: Duration = Duration::from_secs(30);

/// When disks fall asleep.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Hibernation {
    /// Not told, as to a user without the right to know.
    #[default]
    Unknown,
    Never,
    /// After they were idle for so long.
    After(Duration),
}

impl Hibernation {
    pub(super) fn of(data: &Value) -> Self {
        let minutes = data
            .as_object()
            .and_then(|row| whole(row, "internal_hd_idletime"));
        match minutes {
            None => Self::Unknown,
            Some(0) => Self::Never,
            Some(minutes) => Self::After(Duration::from_secs(minutes.min(100_000) * 60)),
        }
    }
}

/// What is known about the sleep of the disks.
#[derive(Debug, Default)]
pub(super) struct Sleep {
    pub(super) hibernation: Hibernation,
    /// When a disk that spins was last seen to work for somebody else.
    worked: Option<Instant>,
    /// When the storage was last asked, or answered.
    looked: Option<Instant>,
    /// DSM tells what each disk does.
    told: bool,
    /// Devices that cannot sleep, once they are known.
    solid: HashSet<String>,
    only_solid: bool,
}

impl Sleep {
    /// Takes what the disks do now.
    pub(super) fn see(&mut self, disks: &[DiskUse]) {
        let mut spinning = disks
            .iter()
            .filter(|disk| disk.is_inside && !self.solid.contains(&disk.device))
            .peekable();
        self.told |= spinning.peek().is_some();
        let is_own = self.looked.is_some_and(|at| at.elapsed() < OWN_WORK);
        if spinning.any(|disk| disk.works) && !is_own {
            self.woken();
        }
    }

    /// The storage is asked, or has answered.
    pub(super) fn looked(&mut self) {
        self.looked = Some(Instant::now());
    }

    /// Something reached the disks: a login, which DSM writes into its log there.
    pub(super) fn woken(&mut self) {
        self.worked = Some(Instant::now());
    }

    /// Takes which disks there are: device, and whether it cannot sleep.
    pub(super) fn know<'a>(&mut self, disks: impl Iterator<Item = (&'a str, bool)>) {
        self.solid.clear();
        let mut any = false;
        let mut spinning = false;
        for (device, is_solid) in disks {
            any = true;
            if is_solid {
                self.solid.insert(device.to_owned());
            } else {
                spinning = true;
            }
        }
        self.only_solid = any && !spinning;
    }

    /// Whether the storage may be asked: no disk sleeps, as far as DSM tells, and none is kept awake by being asked.
    pub(super) fn is_awake(&self) -> bool {
        let idle = match self.hibernation {
            Hibernation::Never => return true,
            Hibernation::Unknown => SHORTEST,
            Hibernation::After(idle) => idle,
        };
        if self.only_solid || !self.told {
            return true;
        }
        self.worked.is_some_and(|at| {
            let is_recent = at.elapsed() < idle.saturating_sub(MARGIN);
            is_recent && self.looked.is_none_or(|looked| at > looked)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time::advance;

    use super::*;

    fn disk(device: &str, works: bool) -> DiskUse {
        DiskUse {
            device: device.to_owned(),
            works,
            is_inside: true,
            ..DiskUse::default()
        }
    }

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn a_disk_that_was_idle_for_as_long_as_dsm_says_sleeps() {
        let mut sleep = Sleep {
            hibernation: Hibernation::of(&json!({"internal_hd_idletime": 20})),
            ..Sleep::default()
        };
        sleep.see(&[disk("sda", true), disk("sdb", false)]);
        assert!(sleep.is_awake());
        advance(18 * MINUTE).await;
        sleep.see(&[disk("sda", false), disk("sdb", false)]);
        assert!(sleep.is_awake());
        advance(MINUTE).await;
        assert!(!sleep.is_awake());
        sleep.see(&[disk("sda", false), disk("sdb", true)]);
        assert!(sleep.is_awake());
    }

    #[tokio::test(start_paused = true)]
    async fn to_look_is_no_sign_that_disks_work_for_others() {
        let mut sleep = Sleep {
            hibernation: Hibernation::After(20 * MINUTE),
            ..Sleep::default()
        };
        sleep.see(&[disk("sda", true)]);
        assert!(sleep.is_awake());
        advance(MINUTE).await;
        sleep.looked();
        advance(OWN_WORK / 2).await;
        sleep.see(&[disk("sda", true)]);
        assert!(!sleep.is_awake(), "that was the look itself");
        advance(MINUTE).await;
        assert!(!sleep.is_awake(), "nobody else has used them since");
        sleep.see(&[disk("sda", true)]);
        assert!(sleep.is_awake());
    }

    #[tokio::test(start_paused = true)]
    async fn where_dsm_does_not_say_the_shortest_time_counts() {
        let mut sleep = Sleep::default();
        assert!(sleep.is_awake(), "what disks do is not told");
        sleep.see(&[disk("sda", true)]);
        advance(8 * MINUTE).await;
        assert!(sleep.is_awake());
        advance(2 * MINUTE).await;
        assert!(!sleep.is_awake());
        sleep.hibernation = Hibernation::of(&json!({"internal_hd_idletime": "0"}));
        assert!(sleep.is_awake(), "it says that they never sleep");
        assert_eq!(Hibernation::of(&json!({})), Hibernation::Unknown);
        assert_eq!(Hibernation::of(&json!(7)), Hibernation::Unknown);
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_without_platters_is_no_sign_that_others_are_awake() {
        let mut sleep = Sleep {
            hibernation: Hibernation::After(10 * MINUTE),
            ..Sleep::default()
        };
        sleep.know([("sda", false), ("nvme0n1", true)].into_iter());
        sleep.see(&[disk("sda", false), disk("nvme0n1", true)]);
        assert!(!sleep.is_awake());
        let outside = DiskUse {
            is_inside: false,
            ..disk("sdq", true)
        };
        sleep.see(&[disk("sda", false), outside]);
        assert!(!sleep.is_awake(), "a disk at USB");
        sleep.woken();
        assert!(sleep.is_awake());
        advance(60 * MINUTE).await;
        sleep.know([("nvme0n1", true)].into_iter());
        assert!(sleep.is_awake(), "none is left that could sleep");
    }
}
