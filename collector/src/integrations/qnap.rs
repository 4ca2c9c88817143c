//! A QNAP NAS: system, fans, network, and on a slow clock disks and volumes.
//!
//! A poll asks only for what the NAS knows without its disks. Those are asked beside it, seldom and not while they sleep
//! (`slow`, `sleep`).

mod disks;
mod login;
mod metrics;
mod network;
mod session;
mod sleep;
mod slow;
mod system;
#[cfg(test)]
pub(super) mod tests;
mod value;
mod volumes;
mod xml;

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use schemas::{Entity, Fields, MetricDef};
use serde::Deserialize;
use tracing::{debug, warn};

use crate::{
    Batch, Context, FailureClass, OpenError, PollError,
    integration::{Heard, Integration, Typed},
    service::{Secret, Service, TlsParams},
    states::{HEALTH, STATUS, States},
};
use disks::Disk;
use metrics::METRICS;
use session::{Call, Failed, Session};
use sleep::Sleepers;
use slow::{Done, Job, Slow};
use system::{Facts, System};
use volumes::Volume;
use xml::Element;

pub(super) static INTEGRATION: Typed<Qnap> = Typed::new();

/// SMART of many disks takes that long; polls have their own time-out.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Which storage intervals make sense.
const STORAGE_INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_mins(1)..=Duration::from_hours(168);

const SYSTEM: Call = Call {
    path: "management/manaRequest.cgi",
    query: &[("subfunc", "sysinfo"), ("hd", "no"), ("multicpu", "1")],
};
const SYSTEM_HEALTH: Call = Call {
    path: "management/manaRequest.cgi",
    query: &[("subfunc", "sysinfo"), ("sysHealth", "1")],
};
const BANDWIDTH: Call = Call {
    path: "management/chartReq.cgi",
    query: &[("chart_func", "bandwidth")],
};
/// What it was called before.
const OLD_BANDWIDTH: Call = Call {
    path: "management/chartReq.cgi",
    query: &[("chart_func", "QSM40bandwidth")],
};
const BANDWIDTH_SINCE: [u32; 3] = [4, 5, 4];

/// Options of a source of kind `qnap`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    url: String,
    username: String,
    password: Secret,
    #[serde(default)]
    tls: TlsParams,
    #[serde(default = "usual_storage_interval")]
    storage_interval: String,
}

fn usual_storage_interval() -> String {
    "1h".to_owned()
}

/// Reads one NAS.
pub(super) struct Qnap {
    session: Session,
    id: String,
    facts: Facts,
    states: States,
    slow: Slow,
    /// By bay, as each poll tells it; QTS 5 and newer.
    bays: Sleepers,
    /// By disk, as the list of disks tells it.
    disks: Sleepers,
    health: Option<String>,
    new_version: Option<String>,
    /// Calls whose failure was told.
    told: BTreeSet<Job>,
}

impl Integration for Qnap {
    const KIND: &'static str = "qnap";
    const HELP: &'static str = "A QNAP NAS (QTS, QuTS hero): system, fans, network, disks with SMART and temperature, volumes, shared folders";
    const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
    const METRICS: &'static [MetricDef] = METRICS;
    const EXAMPLE: &'static str = r#"# Address of its web interface, with the port: 8080, or 443 with https://.
# url = "https://nas1:443"
# A user of its own. Only administrators may read the system, so it has to be in the group administrators; deny it all shared
# folders and applications. It must not need 2-step verification.
# username = "homelog"
# password = "…"
# Whose certificate is believed, where it is the one that the NAS came with: its SHA-256, or the file of an authority (ca).
# tls = { fingerprint = "AA:BB:…" }
# How often disks and volumes are asked. Longer than the time after which disks sleep (30 minutes as delivered), so that they
# can fall asleep in between; once they do, they are left alone. Where no disk spins it is every 5 minutes.
# storage_interval = "1h"
"#;
    type Params = Params;

    fn open(params: Params, context: &Context) -> Result<Self, OpenError> {
        Self::with_timeout(params, context, TIMEOUT)
    }

    async fn poll(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        self.session.begin();
        self.read(batch).await
    }

    async fn listen(&mut self, batch: &mut Batch) -> Heard {
        let Some(entrance) = self.session.entrance() else {
            return std::future::pending().await;
        };
        let done = self.slow.next(entrance, self.bays.any()).await;
        self.take(done, batch);
        Heard::Events
    }

    fn is_reading(&self) -> bool {
        self.session.entrance().is_some() && self.slow.is_busy(self.bays.any())
    }
}

impl Qnap {
    fn with_timeout(
        params: Params,
        context: &Context,
        timeout: Duration,
    ) -> Result<Self, OpenError> {
        if params.username.is_empty() {
            return Err(OpenError::at(
                "username",
                "set the name of a user of the NAS",
            ));
        }
        if params.password.is_empty() {
            return Err(OpenError::at("password", "set the password of this user"));
        }
        let storage_every = schemas::time::parse_duration(&params.storage_interval)
            .ok()
            .and_then(|millis| u64::try_from(millis).ok())
            .map(Duration::from_millis)
            .filter(|every| STORAGE_INTERVALS.contains(every))
            .ok_or_else(|| {
                OpenError::at(
                    "storage_interval",
                    format!(
                        "`{}` is no time from 1m to 168h: write as \"1h\"",
                        schemas::name::excerpt(&params.storage_interval)
                    ),
                )
            })?;
        // people copy the address that their browser shows
        let url = params.url.trim_end_matches('/');
        let url = url.strip_suffix("/cgi-bin").unwrap_or(url);
        let service = Service::open("QNAP", url, &params.tls, timeout)?;
        Ok(Self {
            session: Session::new(
                service,
                params.username,
                params.password,
                context.supervisor.clone(),
                format!("collect/{}/log out", context.source),
            ),
            id: context.source.to_string(),
            facts: Facts::default(),
            states: States::default(),
            slow: Slow::new(storage_every),
            bays: Sleepers::default(),
            disks: Sleepers::default(),
            health: None,
            new_version: None,
            told: BTreeSet::new(),
        })
    }

    async fn read(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        let reply = self.session.ask(SYSTEM).await?;
        let Some(system) = system::read(&reply) else {
            let what = "its answer tells nothing of a system: check url, and that the user is an administrator";
            return Err(self.session.service().bad_answer(what));
        };
        self.facts.clone_from(&system.facts);
        self.bays.see(
            system
                .bays
                .iter()
                .map(|(bay, has_temperature)| (bay.as_str(), *has_temperature)),
        );
        let health = self.session.ask(SYSTEM_HEALTH).await;
        let health = self.optional(health);
        let network = match health {
            Ok(_) => self.ask_for_network().await,
            Err(_) => Ok(None),
        };
        let rates = network.as_ref().ok().and_then(Option::as_ref);
        self.tell(
            system,
            health.as_ref().ok().and_then(Option::as_ref),
            rates.map_or(&[], Vec::as_slice),
            batch,
        );
        health?;
        network?;
        Ok(())
    }

    /// An answer that cannot be used does not lose the others.
    fn optional<T>(&self, asked: Result<T, PollError>) -> Result<Option<T>, PollError> {
        match asked {
            Ok(reply) => Ok(Some(reply)),
            Err(e) if e.class == FailureClass::BadAnswer => {
                debug!(service = %self.session.service().base(), "a part is left out: {e}");
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    async fn ask_for_network(&mut self) -> Result<Option<Vec<(Entity, Fields)>>, PollError> {
        let call = if self.facts.is_at_least(BANDWIDTH_SINCE) {
            BANDWIDTH
        } else {
            OLD_BANDWIDTH
        };
        let asked = self.session.ask(call).await;
        let reply = self.optional(asked)?;
        Ok(reply.and_then(|reply| network::read(&reply)))
    }

    fn itself(&self) -> Option<Entity> {
        Some(self.facts.label(value::entity("qnap", &self.id)?))
    }

    fn tell(
        &mut self,
        system: System,
        health: Option<&Element>,
        rates: &[(Entity, Fields)],
        batch: &mut Batch,
    ) {
        let System {
            mut fields,
            fans,
            mut adapters,
            ..
        } = system;
        if let Some(entity) = self.itself() {
            let status = health
                .and_then(|reply| reply.at(&["func", "ownContent", "sysHealth"]))
                .and_then(|health| value::name(health, "status"));
            if let Some(status) = status {
                let status = status.to_lowercase();
                self.states
                    .see(&entity, &[(HEALTH, status.as_str())], batch);
                fields.set_text("health", &status);
                // a disk or a volume may be why
                let before = self.health.replace(status.clone());
                if before.is_some_and(|before| before != status) {
                    self.slow.hurry();
                }
            }
            if let Some(version) = &self.new_version {
                fields.set_text("new_version", version);
            }
            batch.sample(entity, fields);
        }
        for fan in fans {
            if let Some(status) = &fan.status {
                self.states
                    .see(&fan.entity, &[(STATUS, status.as_str())], batch);
            }
            batch.sample(fan.entity, fan.fields);
        }
        for (entity, rates) in rates {
            match adapters.iter_mut().find(|(known, _)| known.id == entity.id) {
                Some((known, fields)) => {
                    fields.merge(rates.clone());
                    if let (None, Some(name)) =
                        (known.labels.get("name"), entity.labels.get("name"))
                    {
                        *known = known.clone().with_label("name", name);
                    }
                }
                None => adapters.push((entity.clone(), rates.clone())),
            }
        }
        for (entity, fields) in adapters {
            batch.sample(entity, fields);
        }
    }

    /// Takes the answer to a call beside the polls.
    fn take(&mut self, done: Done, batch: &mut Batch) {
        let Done { job, answer } = done;
        let read = match answer {
            Ok(reply) => self.take_reply(job, &reply, batch),
            Err(Failed::Session) => {
                self.session.ended();
                return;
            }
            Err(Failed::Other(e)) => Err(self.session.without_secrets(e)),
        };
        let path = job.call().path;
        match read {
            Ok(()) if self.told.remove(&job) => debug!(path, "it is answered again"),
            Ok(()) => {}
            Err(e) => {
                if self.told.insert(job) {
                    warn!(
                        path,
                        "{path} is not answered, and what it tells is left out until it is: {e}"
                    );
                }
            }
        }
    }

    fn take_reply(
        &mut self,
        job: Job,
        reply: &Element,
        batch: &mut Batch,
    ) -> Result<(), PollError> {
        let missing = |what: &str| {
            let service = self.session.service();
            service.bad_answer(format!("its answer has no {what}"))
        };
        match job {
            Job::Disks => {
                let list = disks::read(reply).ok_or_else(|| missing("list of disks"))?;
                self.tell_disks(list, batch);
            }
            Job::Volumes => {
                let list = volumes::read(reply).ok_or_else(|| missing("list of volumes"))?;
                self.tell_volumes(list, batch);
            }
            Job::Update => {
                let content = reply
                    .at(&["func", "ownContent"])
                    .ok_or_else(|| missing("state of its firmware"))?;
                let version = value::name(content, "newVersion")
                    .filter(|version| !version.eq_ignore_ascii_case("none"));
                self.new_version = Some(version.unwrap_or_else(|| "none".to_owned()));
            }
        }
        Ok(())
    }

    fn tell_disks(&mut self, list: Vec<Disk>, batch: &mut Batch) {
        let spinning = list.iter().filter(|disk| disk.spins);
        self.disks
            .see(spinning.map(|disk| (disk.bay.as_str(), disk.has_temperature)));
        self.slow.spins(list.iter().any(|disk| disk.spins));
        if !self.disks.any() {
            self.slow.want_volumes();
        }
        let listed: HashSet<_> = list.iter().map(|disk| &disk.entity.id).collect();
        self.states.tell_gone("qnap_disk", &listed, batch);
        for disk in list {
            let mut seen = Vec::new();
            seen.extend(disk.status.as_deref().map(|status| (STATUS, status)));
            seen.extend(disk.health.as_deref().map(|health| (HEALTH, health)));
            self.states.see(&disk.entity, &seen, batch);
            batch.sample(disk.entity, disk.fields);
        }
    }

    fn tell_volumes(&mut self, list: Vec<Volume>, batch: &mut Batch) {
        let listed: HashSet<_> = list.iter().map(|volume| &volume.entity.id).collect();
        self.states.tell_gone("qnap_volume", &listed, batch);
        for volume in list {
            if let Some(status) = &volume.status {
                self.states
                    .see(&volume.entity, &[(STATUS, status.as_str())], batch);
            }
            batch.sample(volume.entity, volume.fields);
            for (entity, fields) in volume.shares {
                batch.sample(entity, fields);
            }
        }
    }
}
