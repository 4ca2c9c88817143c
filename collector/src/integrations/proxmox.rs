//! A Proxmox VE cluster or single node: nodes, guests, storages, tasks, disks.
//!
//! A poll is one cheap call, the list of all resources. Between polls the rest is asked on slower clocks (`slow`); what
//! moved since the last look is told as a change.

mod cluster;
mod disks;
mod metrics;
mod node;
mod resources;
mod session;
mod slow;
mod tasks;
#[cfg(test)]
pub(super) mod tests;
mod wire;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use schemas::{Entity, Fields, MetricDef};
use serde::Deserialize;
use serde_json::Value;
use tracing::{debug, warn};

use crate::{
    Batch, Context, FailureClass, OpenError, PollError,
    integration::{Heard, Integration, Typed},
    service::{Secret, Service, TlsParams},
    states::{HEALTH, STATUS, States, Watched},
};
use metrics::METRICS;
use resources::{Resource, Resources};
use session::Access;
use slow::{Done, Job, Slow};
use tasks::Tasks;

pub(super) static INTEGRATION: Typed<Proxmox> = Typed::new();

/// Where a guest runs.
const NODE: Watched = ("node", "old_node");
/// A refusal takes the service 3 s on purpose, SMART of a slow disk longer; polls have their own time-out.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Options of a source of kind `proxmox`.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Params {
    url: String,
    token_id: String,
    token_secret: Secret,
    username: String,
    password: Secret,
    tls: TlsParams,
    spinning_disks: bool,
}

/// Reads one cluster through one of its nodes.
pub(super) struct Proxmox {
    access: Access,
    spinning_disks: bool,
    slow: Slow,
    states: States,
    tasks: Tasks,
    facts: HashMap<String, node::Facts>,
    /// By node and device.
    disks: HashMap<(String, String), Entity>,
    /// How many guests no backup job covers, until it is told.
    without_backup: Option<Fields>,
    quorate: Option<bool>,
    rights_known: bool,
    /// Calls whose failure was told.
    told: BTreeSet<Job>,
}

impl Integration for Proxmox {
    const KIND: &'static str = "proxmox";
    const HELP: &'static str = "A Proxmox VE cluster or node: nodes, virtual machines, containers, storages, disks, backups and other tasks";
    const DEFAULT_INTERVAL: Duration = Duration::from_secs(15);
    const METRICS: &'static [MetricDef] = METRICS;
    const EXAMPLE: &'static str = r#"# Address of the web interface of any node; it answers for the whole cluster.
# url = "https://pve1:8006"
# An API token of a user of its own (Datacenter, Permissions): homelog@pve with the role PVEAuditor on the path /, and the
# same role for the token, which has no rights by itself.
# token_id = "homelog@pve!homelog"
# token_secret = "00000000-0000-0000-0000-000000000000"
# Instead of a token a user, with its realm, and its password; a user with a second factor needs a token.
# username = "homelog@pve"
# password = ""
# Whose certificate is believed, where it is the one that the installer made: its SHA-256 (pve1, System, Certificates), or
# the file of an authority (ca).
# tls = { fingerprint = "AA:BB:…" }
# Also asks SMART of disks that spin. Proxmox VE does not look whether a disk sleeps, so this wakes it every 30 minutes.
# spinning_disks = false
"#;
    type Params = Params;

    fn open(params: Params, _: &Context) -> Result<Self, OpenError> {
        Self::with_timeout(&params, TIMEOUT)
    }

    async fn poll(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        let read = self.read(batch).await;
        if read.is_err() {
            // the same would happen to them
            self.slow.cancel();
        }
        read
    }

    async fn listen(&mut self, batch: &mut Batch) -> Heard {
        if !self.slow.is_watching() {
            std::future::pending::<()>().await;
        }
        let mut next = Some(self.slow.next(self.access.session()).await);
        while let Some(done) = next {
            self.take(done, batch);
            next = self.slow.ready();
        }
        Heard::Events
    }

    fn is_reading(&self) -> bool {
        self.slow.is_busy()
    }
}

impl Proxmox {
    fn with_timeout(params: &Params, timeout: Duration) -> Result<Self, OpenError> {
        let service = Service::open("Proxmox VE", &params.url, &params.tls, timeout)?;
        Ok(Self {
            access: Access::open(params, service)?,
            spinning_disks: params.spinning_disks,
            slow: Slow::default(),
            states: States::default(),
            tasks: Tasks::default(),
            facts: HashMap::new(),
            disks: HashMap::new(),
            without_backup: None,
            quorate: None,
            rights_known: false,
            told: BTreeSet::new(),
        })
    }

    async fn read(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        let data = self.access.get("/cluster/resources").await?;
        if !data.is_array() {
            return Err(self.not_understood("its list of resources is no list"));
        }
        let resources = Resources::of(&data);
        self.check_rights(&resources).await?;
        let online = resources
            .nodes
            .iter()
            .filter(|node| node.status == "online")
            .filter_map(|node| node.node.as_deref());
        self.slow.watch(online);
        self.tell(resources, batch);
        Ok(())
    }

    fn not_understood(&self, what: &str) -> PollError {
        self.access
            .session()
            .service()
            .bad_answer(format!("{what}: is url the address of a Proxmox VE node?"))
    }

    /// Whoever has no rights gets a list without rows instead of a refusal, so the rights are asked for: once, and as long
    /// as nothing is seen.
    async fn check_rights(&mut self, resources: &Resources) -> Result<(), PollError> {
        let is_blind = resources.is_blind();
        if self.rights_known && !is_blind {
            return Ok(());
        }
        let base = self.access.session().service().base().to_owned();
        let missing = match self.access.get("/access/permissions").await {
            Ok(rights) => cluster::missing_rights(&rights),
            Err(e) if is_blind => return Err(e),
            Err(e) => {
                debug!(source = %base, "cannot read which rights there are: {e}");
                return Ok(());
            }
        };
        let who = self.access.who();
        let token = if self.access.is_token() {
            ", and the same for its user: a token has no rights by itself and never more than its user"
        } else {
            ""
        };
        if is_blind && !missing.is_empty() {
            return Err(PollError::new(
                FailureClass::NoPermission,
                format!(
                    "Proxmox VE at {base} shows nothing to {who} ({} missing): give it the role PVEAuditor on the path /{token}",
                    missing.join(", ")
                ),
            ));
        }
        if is_blind && resources.nodes.is_empty() {
            return Err(self.not_understood("its list of resources has no node"));
        }
        self.rights_known = true;
        if !missing.is_empty() {
            warn!(
                source = %base,
                "{who} has nowhere the right {}, so part of the cluster is not seen: give it the role PVEAuditor on the path /{token}",
                missing.join(", ")
            );
        }
        Ok(())
    }

    fn tell(&mut self, resources: Resources, batch: &mut Batch) {
        let Resources {
            nodes,
            guests,
            storages,
        } = resources;
        let names: HashSet<_> = nodes.iter().filter_map(|node| node.node.clone()).collect();
        self.facts.retain(|node, _| names.contains(node));
        self.disks.retain(|(node, _), _| names.contains(node));
        self.told.retain(|job| match job {
            Job::Node(node) | Job::Pools(node) | Job::Disks(node) | Job::Smart(node, _) => {
                names.contains(node)
            }
            Job::Cluster | Job::Tasks | Job::NotBackedUp => true,
        });
        for (entity_type, list) in [
            ("proxmox_node", nodes),
            ("proxmox_guest", guests),
            ("proxmox_storage", storages),
        ] {
            let listed: HashSet<_> = list.iter().map(|resource| &resource.entity.id).collect();
            self.states.tell_gone(entity_type, &listed, batch);
            drop(listed);
            for resource in list {
                self.tell_one(entity_type, resource, batch);
            }
        }
    }

    fn tell_one(&mut self, entity_type: &str, resource: Resource, batch: &mut Batch) {
        let Resource {
            mut entity,
            status,
            node,
            fields,
        } = resource;
        let node = node.as_deref().unwrap_or_default();
        if entity_type == "proxmox_node"
            && let Some(facts) = self.facts.get(node)
        {
            entity = facts.label(entity);
        }
        if entity_type == "proxmox_guest" {
            let seen = [(STATUS, status.as_str()), (NODE, node)];
            self.states.see(&entity, &seen, batch);
        } else {
            self.states
                .see(&entity, &[(STATUS, status.as_str())], batch);
        }
        batch.sample(entity, fields);
    }

    /// Takes the answer to a call beside the polls.
    fn take(&mut self, done: Done, batch: &mut Batch) {
        let Done { job, answer } = done;
        match answer {
            Ok(data) => {
                if self.told.remove(&job) {
                    debug!(path = job.path(), "it is answered again");
                }
                self.take_data(job, &data, batch);
            }
            // the next poll tells that
            Err(e) if e.class == FailureClass::BadCredentials => {}
            Err(e) => {
                if self.told.insert(job.clone()) {
                    let path = job.path();
                    warn!(
                        path,
                        "{path} is not answered, and what it tells is left out until it is: {e}"
                    );
                }
            }
        }
    }

    fn take_data(&mut self, job: Job, data: &Value, batch: &mut Batch) {
        match job {
            Job::Cluster => {
                if let Some(status) = cluster::status(data) {
                    self.tell_cluster(status, batch);
                }
            }
            Job::NotBackedUp => {
                // told with the cluster, whose name another answer has
                self.without_backup = cluster::not_backed_up(data);
            }
            Job::Tasks => self.tasks.tell(data, batch),
            Job::Node(name) => {
                if let (Some((facts, fields)), Some(entity)) =
                    (node::status(data), wire::entity("proxmox_node", &name))
                {
                    batch.sample(facts.label(entity.with_label("name", &name)), fields);
                    self.facts.insert(name, facts);
                }
            }
            Job::Pools(name) => {
                for (entity, health, fields) in disks::pools(&name, data) {
                    self.states
                        .see(&entity, &[(HEALTH, health.as_str())], batch);
                    batch.sample(entity, fields);
                }
            }
            Job::Disks(name) => {
                self.disks.retain(|(node, _), _| *node != name);
                for disk in disks::list(&name, data) {
                    let at = (name.clone(), disk.device);
                    if disk.is_solid || self.spinning_disks {
                        self.slow.once(Job::Smart(at.0.clone(), at.1.clone()));
                    }
                    batch.sample(disk.entity.clone(), disk.fields);
                    self.disks.insert(at, disk.entity);
                }
            }
            Job::Smart(node, device) => {
                let at = (node, device);
                if let (Some(entity), Some(fields)) = (self.disks.get(&at), disks::smart(data)) {
                    if let Some(schemas::FieldValue::Text(health)) = fields.get("health") {
                        self.states.see(entity, &[(HEALTH, &**health)], batch);
                    }
                    batch.sample(entity.clone(), fields);
                }
            }
        }
    }

    fn tell_cluster(&mut self, status: cluster::Status, batch: &mut Batch) {
        let Some(entity) = wire::entity("proxmox_cluster", &status.name) else {
            return;
        };
        let entity = entity.with_label("name", &status.name);
        if let (Some(before), Some(now)) = (self.quorate, status.quorate)
            && before != now
        {
            let mut fields = Fields::new();
            fields.set("quorate", now);
            batch.change(batch.time(), entity.clone(), fields);
        }
        self.quorate = status.quorate;
        let mut fields = status.fields;
        if let Some(more) = self.without_backup.take() {
            fields.merge(more);
        }
        batch.sample(entity, fields);
    }
}
