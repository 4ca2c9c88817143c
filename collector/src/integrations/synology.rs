//! A Synology NAS with DSM 5, 6 or 7: load, memory, network, temperatures, disks, volumes, pools, UPS.
//!
//! A poll is one cheap call, what the NAS does now (`utilization`); once a minute another, what it is (`system`). The
//! storage has a slow clock of its own, beside the polls (`storage`), and is left alone while disks may sleep (`sleep`). What
//! moved since the last look is told as a change (`states`).

mod api;
mod disks;
mod metrics;
mod proof;
mod refusal;
mod session;
mod sleep;
mod storage;
mod system;
#[cfg(test)]
pub(super) mod tests;
mod utilization;
mod volumes;
mod wire;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use schemas::{Entity, Fields, MetricDef, name::EntityId, time::parse_duration};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::{
    Batch, Context, FailureClass, OpenError, PollError,
    integration::{Given, Heard, Integration, Typed},
    service::{Secret, Service, TlsParams},
    states::{STATUS, States, Watched},
};
use api::{Call, DSM, HIBERNATION, SYSTEM, UPS, UTILIZATION};
use metrics::METRICS;
use proof::Proof;
use refusal::{Meaning, meaning};
use session::{Failed, Session};
use sleep::{Hibernation, Sleep};
use storage::{Asked, Clock, Storage, Way};
use system::Facts;
use utilization::Utilization;

pub(super) static INTEGRATION: Typed<Synology> = Typed::new();

/// Storage of a NAS whose disks start takes long; polls have their own time-out.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is asked what the NAS is.
const EVERY_MINUTE: Duration = Duration::from_mins(1);
/// How often it is asked when disks fall asleep.
const EVERY_HOUR: Duration = Duration::from_hours(1);
/// What is not allowed, or not there, will not be soon.
const REFUSED: Duration = Duration::from_hours(1);
/// How often the storage may be asked.
const STORAGE_INTERVAL: std::ops::RangeInclusive<Duration> =
    Duration::from_mins(1)..=Duration::from_hours(24);

const SMART: Watched = ("smart_status", "old_smart_status");
const TASK: Watched = ("task", "old_task");
const STORAGE: Watched = ("storage_status", "old_storage_status");

/// Options of a source of kind `synology`.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    url: String,
    username: String,
    password: Secret,
    device_token: Secret,
    tls: TlsParams,
    storage_interval: String,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            url: String::new(),
            username: String::new(),
            password: Secret::default(),
            device_token: Secret::default(),
            tls: TlsParams::default(),
            storage_interval: "5m".to_owned(),
        }
    }
}

/// Reads one NAS.
pub(super) struct Synology {
    session: Session,
    itself: Entity,
    facts: Facts,
    facts_due: Option<Instant>,
    hibernation_due: Option<Instant>,
    /// Calls that were refused, and until when they are left alone.
    refused: HashMap<&'static str, (Instant, PollError)>,
    /// Calls whose failure was told.
    told: BTreeSet<&'static str>,
    sleep: Sleep,
    clock: Clock,
    way: Option<Way>,
    /// Disks by device, and by the name that DSM gives them.
    disks: HashMap<String, Entity>,
    /// Volumes by their short name.
    volumes: HashMap<String, Entity>,
    states: States,
}

impl Integration for Synology {
    const KIND: &'static str = "synology";
    const HELP: &'static str = "A Synology NAS (DSM 5, 6 or 7): load, memory, network, temperatures, disks with SMART, volumes, pools, UPS";
    const DEFAULT_INTERVAL: Duration = Duration::from_secs(15);
    const METRICS: &'static [MetricDef] = METRICS;
    const EXAMPLE: &'static str = r#"# Address of DSM, as a browser shows it, without what follows the port.
# url = "https://192.168.1.10:5001"
# A user of its own, without a second factor and without access to any shared folder. DSM 7: delegate System Monitoring to
# it (Control Panel, User & Group, Delegate). Only members of administrators see serial numbers, SMART and pools, or anything
# at all with DSM 5 and 6.
# username = "homelog"
# password = "…"
# For a user with a second factor, what `homelog check --connect --source NAME --code 123456` prints once.
# device_token = "…"
# Whose certificate is believed, where it is the one that DSM made: its SHA-256, or the file of an authority (ca).
# tls = { fingerprint = "12:34:…" }
# How often disks, volumes and pools are asked for, from 1m to 24h. While disks may sleep, they are not.
# storage_interval = "5m"
"#;
    type Params = Params;

    fn open(params: Params, context: &Context) -> Result<Self, OpenError> {
        Self::open_within(params, context, TIMEOUT)
    }

    async fn poll(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        self.session.begin();
        let read = self.read(batch).await;
        if read.is_err() {
            // the same would happen to it
            self.clock.cancel();
        }
        read.map_err(|e| self.session.without_secrets(e))
    }

    async fn listen(&mut self, batch: &mut Batch) -> Heard {
        let asked = self.clock.next().await;
        self.take(asked, batch);
        Heard::Events
    }

    fn is_reading(&self) -> bool {
        self.clock.is_running()
    }

    fn take_code(&mut self, code: &str) -> bool {
        self.session.take_code(code);
        true
    }

    fn given(&mut self) -> Option<Given> {
        let token = self.session.given()?;
        Some(Given::new("device_token", token))
    }
}

impl Synology {
    fn open_within(
        params: Params,
        context: &Context,
        timeout: Duration,
    ) -> Result<Self, OpenError> {
        for (key, is_empty) in [
            ("username", params.username.trim().is_empty()),
            ("password", params.password.is_empty()),
        ] {
            if is_empty {
                return Err(OpenError::at(
                    key,
                    "set it: DSM tells nothing to strangers; make a user of its own for this",
                ));
            }
        }
        let every = parse_duration(&params.storage_interval)
            .ok()
            .and_then(|millis| u64::try_from(millis).ok())
            .map(Duration::from_millis)
            .filter(|every| STORAGE_INTERVAL.contains(every))
            .ok_or_else(|| {
                OpenError::at(
                    "storage_interval",
                    "a duration between 1m and 24h is wanted, such as `5m`",
                )
            })?;
        let service = Service::open("Synology DSM", &params.url, &params.tls, timeout)?;
        Ok(Self {
            session: Session::new(
                service,
                params.username,
                Proof::new(params.password, params.device_token),
                context.supervisor.clone(),
                format!("collect/{}/log out", context.source),
            ),
            itself: Entity::new(
                schemas::name::EntityType::new("nas")?,
                EntityId::new(context.source.as_str())?,
            ),
            facts: Facts::default(),
            facts_due: None,
            hibernation_due: None,
            refused: HashMap::new(),
            told: BTreeSet::new(),
            sleep: Sleep::default(),
            clock: Clock::new(every),
            way: None,
            disks: HashMap::new(),
            volumes: HashMap::new(),
            states: States::default(),
        })
    }

    async fn read(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        let mut why = None;
        let usage = self
            .part(&UTILIZATION, &mut why)
            .await?
            .and_then(|data| Utilization::of(&data));
        if self.session.entered() {
            // DSM writes each login into its log, and was perhaps updated
            self.sleep.woken();
            self.facts_due = None;
        }
        let mut fields = Fields::new();
        let now = Instant::now();
        let mut is_known = usage.is_some();
        if !is_known || self.facts_due.is_none_or(|due| now >= due) {
            self.facts_due = Some(now + EVERY_MINUTE);
            if let Some((facts, more)) = self.system(&mut why).await? {
                self.facts = facts;
                fields.merge(more);
                is_known = true;
            }
            if is_known {
                self.read_ups(batch).await?;
            }
        }
        if !is_known {
            return Err(why.unwrap_or_else(|| {
                PollError::new(
                    FailureClass::BadAnswer,
                    format!(
                        "Synology DSM at {} answers, but tells nothing that is understood: check url",
                        self.session.base()
                    ),
                )
            }));
        }
        if let Some(usage) = usage {
            self.sleep.see(&usage.disks);
            self.tell_usage(usage, &mut fields, batch);
        }
        batch.sample(self.facts.label(self.itself.clone()), fields);
        self.read_hibernation().await?;
        if self.clock.is_due()
            && self.sleep.is_awake()
            && let Some(caller) = self.session.caller()
        {
            self.clock.start(caller.clone());
            self.sleep.looked();
        }
        Ok(())
    }

    async fn system(
        &mut self,
        why: &mut Option<PollError>,
    ) -> Result<Option<(Facts, Fields)>, PollError> {
        for call in [&SYSTEM, &DSM] {
            if let Some(data) = self.part(call, why).await?
                && let Some(read) = system::system(&data)
            {
                return Ok(Some(read));
            }
        }
        Ok(None)
    }

    async fn read_ups(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        if let Some(data) = self.part(&UPS, &mut None).await?
            && let Some((entity, fields)) = system::ups(&data)
        {
            let status = text_of(&fields, "status");
            self.states.see(&entity, &[(STATUS, status)], batch);
            batch.sample(entity, fields);
        }
        Ok(())
    }

    async fn read_hibernation(&mut self) -> Result<(), PollError> {
        let now = Instant::now();
        if self.hibernation_due.is_some_and(|due| now < due) || !self.sleep.is_awake() {
            return Ok(());
        }
        self.hibernation_due = Some(now + EVERY_HOUR);
        if let Some(data) = self.part(&HIBERNATION, &mut None).await? {
            self.sleep.hibernation = Hibernation::of(&data);
        }
        Ok(())
    }

    /// Asks for what may be refused or missing: then nothing comes, and the first reason of the poll stands in `why`.
    async fn part(
        &mut self,
        call: &Call,
        why: &mut Option<PollError>,
    ) -> Result<Option<Value>, PollError> {
        if let Some((until, error)) = self.refused.get(call.api)
            && Instant::now() < *until
        {
            why.get_or_insert_with(|| error.clone());
            return Ok(None);
        }
        let error = match self.session.ask(call).await {
            Ok(data) => {
                self.refused.remove(call.api);
                if self.told.remove(call.api) {
                    info!(service = %self.session.base(), "{} is answered again", call.api);
                }
                return Ok(Some(data));
            }
            Err(Failed::Code(code)) => {
                let error = self.session.explain(code, call);
                if matches!(meaning(code), Meaning::Forbidden | Meaning::Missing) {
                    let until = Instant::now() + REFUSED;
                    self.refused.insert(call.api, (until, error.clone()));
                }
                error
            }
            Err(Failed::Poll(error)) if error.class == FailureClass::BadAnswer => {
                self.session.without_secrets(error)
            }
            Err(Failed::Poll(error)) => return Err(error),
        };
        self.tell_failure(call.api, &error);
        why.get_or_insert(error);
        Ok(None)
    }

    fn tell_failure(&mut self, what: &'static str, error: &PollError) {
        let base = self.session.base();
        if what == UPS.api || what == HIBERNATION.api {
            debug!(service = %base, "a part is left out: {error}");
        } else if self.told.insert(what) {
            warn!(service = %base, "what {what} tells is left out until it is answered: {error}");
        }
    }

    fn tell_usage(&self, usage: Utilization, fields: &mut Fields, batch: &mut Batch) {
        fields.merge(usage.fields);
        for (device, of_network) in usage.networks {
            if let Some(entity) = wire::entity("network", &device) {
                batch.sample(entity, of_network);
            }
        }
        for disk in usage.disks {
            let known = self
                .disks
                .get(&disk.device)
                .or_else(|| self.disks.get(&disk.name));
            if let Some(entity) = known {
                batch.sample(entity.clone(), disk.fields);
            }
        }
        for (name, of_volume) in usage.volumes {
            if let Some(entity) = self.volumes.get(&name) {
                batch.sample(entity.clone(), of_volume);
            }
        }
    }

    /// Takes what came of asking for the storage.
    fn take(&mut self, asked: Asked, batch: &mut Batch) {
        let Asked { caller, answer } = asked;
        self.sleep.looked();
        let error = match answer {
            Ok((way, data)) => match Storage::of(way, &data) {
                Some(storage) => {
                    if self.told.remove(storage::WHAT) {
                        info!(service = %self.session.base(), "the storage is told again");
                    }
                    self.tell_storage(way, storage, batch);
                    return;
                }
                None => PollError::new(
                    FailureClass::BadAnswer,
                    format!(
                        "Synology DSM at {} lists neither disks nor volumes",
                        self.session.base()
                    ),
                ),
            },
            Err(Failed::Code(code)) if meaning(code) == Meaning::SessionOver => {
                self.session.over(&caller);
                self.clock.again();
                return;
            }
            Err(Failed::Code(code)) => self.session.explain(code, &api::STORAGE),
            Err(Failed::Poll(error)) => self.session.without_secrets(error),
        };
        self.tell_failure(storage::WHAT, &error);
    }

    fn tell_storage(&mut self, way: Way, storage: Storage, batch: &mut Batch) {
        if self.way.replace(way).is_some_and(|before| before != way) {
            // the same disks have other names
            self.states.forget("disk");
            self.disks.clear();
        }
        if let Some(disks) = storage.disks {
            let solid = disks.iter().map(|d| (d.device.as_str(), d.is_solid));
            self.sleep.know(solid);
            self.disks.clear();
            let listed = disks.iter().map(|disk| disk.entity.id.clone()).collect();
            self.states.tell_gone("disk", &listed, batch);
            for disk in disks {
                let seen = [
                    (STATUS, disk.status.as_deref()),
                    (SMART, disk.health.as_deref()),
                ];
                self.states.see(&disk.entity, &seen, batch);
                for name in [disk.name, disk.device] {
                    if !name.is_empty() {
                        self.disks.insert(name, disk.entity.clone());
                    }
                }
                batch.sample(disk.entity, disk.fields);
            }
        }
        if let Some(volumes) = storage.volumes {
            self.volumes = volumes
                .iter()
                .map(|volume| {
                    let short = volumes::short_name(volume.entity.id.as_str());
                    (short, volume.entity.clone())
                })
                .collect();
            self.tell_spaces("volume", volumes, batch);
        }
        if let Some(pools) = storage.pools {
            self.tell_spaces("pool", pools, batch);
        }
        if let Some(status) = storage.status {
            let itself = self.facts.label(self.itself.clone());
            self.states
                .see(&itself, &[(STORAGE, status.as_str())], batch);
            let mut fields = Fields::new();
            fields.set_text("storage_status", &status);
            batch.sample(itself, fields);
        }
    }

    fn tell_spaces(
        &mut self,
        entity_type: &'static str,
        spaces: Vec<volumes::Space>,
        batch: &mut Batch,
    ) {
        let listed: HashSet<_> = spaces.iter().map(|space| space.entity.id.clone()).collect();
        self.states.tell_gone(entity_type, &listed, batch);
        for space in spaces {
            let seen = [
                (STATUS, space.status.as_deref()),
                (TASK, space.task.as_deref()),
            ];
            self.states.see(&space.entity, &seen, batch);
            batch.sample(space.entity, space.fields);
        }
    }
}

fn text_of<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    match fields.get(name)? {
        schemas::FieldValue::Text(text) => Some(text),
        _ => None,
    }
}
