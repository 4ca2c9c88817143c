//! The storage: disks, volumes and pools, asked on a slow clock of its own and beside the polls. It takes DSM seconds, and
//! may wake disks.

use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    api::{STORAGE, SYSTEM},
    disks::{self, Disk},
    refusal::{Meaning, NO_PERMISSION, meaning},
    session::{Caller, Failed},
    system::storage_status,
    volumes::{self, Space},
    wire::has_list,
};

/// Where DSM 5 has its storage manager.
const HANDLER: &str = "/webman/modules/StorageManager/storagehandler.cgi";
/// What it is called where a failure is told.
pub(super) const WHAT: &str = "the storage";
/// What is not allowed will not be soon.
const REFUSED: Duration = Duration::from_hours(1);

/// Whom the storage is asked from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// The storage manager, for administrators.
    Manager,
    /// The storage manager of DSM 5, for administrators.
    Handler,
    /// The system, for who may only look; it knows less.
    System,
}

/// The storage as it is told.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Storage {
    pub(super) disks: Option<Vec<Disk>>,
    pub(super) volumes: Option<Vec<Space>>,
    pub(super) pools: Option<Vec<Space>>,
    /// DSM's own judgement (DSM 7).
    pub(super) status: Option<String>,
}

impl Storage {
    /// Nothing where there is no list that is understood.
    pub(super) fn of(way: Way, data: &Value) -> Option<Self> {
        let data = data.as_object()?;
        let read = match way {
            Way::Manager | Way::Handler => Self {
                disks: has_list(data, "disks").then(|| disks::list(data)),
                volumes: has_list(data, "volumes").then(|| volumes::volumes(data)),
                pools: has_list(data, "storagePools").then(|| volumes::pools(data)),
                status: storage_status(data),
            },
            Way::System => Self {
                disks: has_list(data, "hdd_info").then(|| disks::bays(data)),
                volumes: has_list(data, "vol_info").then(|| volumes::summaries(data)),
                ..Self::default()
            },
        };
        (read.disks.is_some() || read.volumes.is_some()).then_some(read)
    }
}

/// What came of asking.
pub(super) struct Asked {
    /// With which session.
    pub(super) caller: Caller,
    pub(super) answer: Result<(Way, Value), Failed>,
}

/// When the storage is asked, and the call that is under way.
pub(super) struct Clock {
    every: Duration,
    due: Option<Instant>,
    running: Option<BoxFuture<'static, Asked>>,
}

impl Clock {
    pub(super) const fn new(every: Duration) -> Self {
        Self {
            every,
            due: None,
            running: None,
        }
    }

    /// Whether it is time, and no call is under way.
    pub(super) fn is_due(&self) -> bool {
        self.running.is_none() && self.due.is_none_or(|due| Instant::now() >= due)
    }

    /// Whether a call is under way.
    pub(super) const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Begins a call; [`Self::next`] carries it on.
    pub(super) fn start(&mut self, caller: Caller) {
        self.due = Some(Instant::now() + self.every);
        self.running = Some(ask(caller).boxed());
    }

    /// Drops the call that is under way; the next is at its own time.
    pub(super) fn cancel(&mut self) {
        self.running = None;
    }

    /// Waits for the answer to the call that is under way. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Asked {
        let asked = match &mut self.running {
            Some(running) => running.await,
            None => std::future::pending().await,
        };
        self.running = None;
        if asked.answer.as_ref().is_err_and(Failed::is_refusal) {
            self.due = Some(Instant::now() + REFUSED.max(self.every));
        }
        asked
    }

    /// The session was over: it is asked again with the next.
    pub(super) const fn again(&mut self) {
        self.due = None;
    }
}

/// Asks whom it can: first who knows most.
async fn ask(caller: Caller) -> Asked {
    let mut answer = Err(Failed::Code(NO_PERMISSION));
    for way in [Way::Manager, Way::Handler, Way::System] {
        let told = match way {
            Way::Manager if caller.offers(&STORAGE) => caller.call(&STORAGE, None).await,
            Way::Handler if !caller.offers(&STORAGE) => {
                let page = caller.page(HANDLER, ("action", "load_info")).await;
                // it has no codes; whoever is no administrator gets none of it
                page.map_err(|e| match e {
                    Failed::Code(code) if meaning(code) != Meaning::SessionOver => {
                        Failed::Code(NO_PERMISSION)
                    }
                    other => other,
                })
            }
            Way::System if caller.offers(&SYSTEM) => {
                caller.call(&SYSTEM, Some(("type", "storage"))).await
            }
            _ => continue,
        };
        let is_refused = told.as_ref().is_err_and(Failed::is_refusal);
        answer = told.map(|data| (way, data));
        if !is_refused {
            break;
        }
    }
    Asked { caller, answer }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_storage_without_lists_is_none() {
        for nothing in [
            json!({}),
            json!([]),
            json!({"disks": {}, "volumes": 7}),
            json!({"vol_info": []}),
        ] {
            assert_eq!(Storage::of(Way::Manager, &nothing), None, "{nothing}");
        }
        let empty = Storage::of(Way::Manager, &json!({"disks": [], "volumes": []})).unwrap();
        assert_eq!(empty.disks, Some(Vec::new()));
        assert_eq!(empty.pools, None, "an old DSM lists none");
        let seen = Storage::of(Way::System, &json!({"vol_info": []})).unwrap();
        assert_eq!((seen.disks, seen.volumes), (None, Some(Vec::new())));
    }
}
