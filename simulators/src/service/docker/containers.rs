//! Containers: the list, and each one whole.

use schemas::time::Timestamp;
use serde_json::{Value, json};

use super::{Inner, NEVER, failure, filter, switched, written};
use crate::{
    call::Call,
    reply::Reply,
    world::{
        chance,
        containers::{Container, Engine, Life},
    },
};

/// How long ago, as the engine says it.
fn ago(millis: i64) -> String {
    let seconds = millis / 1000;
    match seconds {
        ..=1 => "1 second".to_owned(),
        2..=59 => format!("{seconds} seconds"),
        60..=119 => "About a minute".to_owned(),
        120..=3599 => format!("{} minutes", seconds / 60),
        3600..=7199 => "About an hour".to_owned(),
        7200..=172_799 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

impl Inner {
    /// An id of 64 digits.
    pub(super) fn id(&self, of: &str) -> String {
        chance::digits(self.world.seed(), of, 64)
    }

    /// The container of a name, or of the beginning of an id.
    pub(super) fn find(&self, wanted: &str) -> Option<&Container> {
        self.engine.containers.iter().find(|container| {
            container.name == wanted
                || (wanted.len() >= 12 && self.id(container.name).starts_with(wanted))
        })
    }

    fn health(container: &Container, life: &Life, now: Timestamp) -> Option<&'static str> {
        container.checked.then(|| {
            if now.since(life.started) < 30_000 {
                "starting"
            } else {
                "healthy"
            }
        })
    }

    fn status(container: &Container, life: &Life, now: Timestamp) -> String {
        if let (false, Some(outage)) = (life.running, life.outage) {
            return format!(
                "Exited ({}) {} ago",
                outage.exit_code,
                ago(now.since(outage.from))
            );
        }
        let up = ago(now.since(life.started));
        match Self::health(container, life, now) {
            Some("starting") => format!("Up {up} (health: starting)"),
            Some(health) => format!("Up {up} ({health})"),
            None => format!("Up {up}"),
        }
    }

    fn labels(container: &Container) -> Value {
        json!({
            "com.docker.compose.container-number": "1",
            "com.docker.compose.oneoff": "False",
            "com.docker.compose.project": container.project,
            "com.docker.compose.service": container.service,
        })
    }

    /// When it was made: three weeks before the engine's machine was started.
    fn created(&self, now: Timestamp) -> Timestamp {
        Engine::started(&self.world, now).plus_millis(-21 * 86_400_000)
    }

    pub(super) fn list(&self, call: &Call, now: Timestamp) -> Reply {
        let all = switched(call, "all", false);
        let names = filter(call, "name");
        let labels = filter(call, "label");
        let statuses = filter(call, "status");
        let rows: Vec<_> = self
            .engine
            .containers
            .iter()
            .map(|container| (container, Engine::life(&self.world, container, now)))
            .filter(|(_, life)| all || statuses.is_some() || life.running)
            .filter(|(_, life)| {
                let state = if life.running { "running" } else { "exited" };
                statuses
                    .as_ref()
                    .is_none_or(|wanted| wanted.iter().any(|one| one == state))
            })
            .filter(|(container, _)| {
                names.as_ref().is_none_or(|wanted| {
                    wanted
                        .iter()
                        .any(|name| container.name.contains(name.trim_matches('/')))
                })
            })
            .filter(|(container, _)| {
                let own = Self::labels(container);
                labels.as_ref().is_none_or(|wanted| {
                    wanted.iter().all(|label| match label.split_once('=') {
                        Some((key, value)) => own[key] == value,
                        None => !own[label].is_null(),
                    })
                })
            })
            .map(|(container, life)| self.row(container, &life, now))
            .collect();
        Reply::json(200, &Value::Array(rows))
    }

    fn row(&self, container: &Container, life: &Life, now: Timestamp) -> Value {
        let ports: Vec<_> = container
            .port
            .iter()
            .map(|port| json!({"IP": "0.0.0.0", "PrivatePort": port, "PublicPort": port, "Type": "tcp"}))
            .collect();
        json!({
            "Id": self.id(container.name),
            "Names": [format!("/{}", container.name)],
            "Image": container.image,
            "ImageID": format!("sha256:{}", self.id(container.image)),
            "Command": "/entrypoint.sh",
            "Created": self.created(now).as_millis() / 1000,
            "Ports": ports,
            "Labels": Self::labels(container),
            "State": if life.running { "running" } else { "exited" },
            "Status": Self::status(container, life, now),
            "HostConfig": {"NetworkMode": format!("{}_default", container.project)},
            "NetworkSettings": {"Networks": {format!("{}_default", container.project): {
                "NetworkID": self.id(container.project),
                "IPAddress": if life.running { "172.20.0.5" } else { "" },
                "MacAddress": if life.running { "02:42:ac:14:00:05" } else { "" },
            }}},
            "Mounts": [],
        })
    }

    pub(super) fn inspect(&self, wanted: &str, now: Timestamp) -> Reply {
        let Some(container) = self.find(wanted) else {
            return failure(404, format!("No such container: {wanted}"));
        };
        let life = Engine::life(&self.world, container, now);
        let ended = life.outage;
        let stopped = ended.filter(|_| !life.running);
        let mut state = json!({
            "Status": if life.running { "running" } else { "exited" },
            "Running": life.running,
            "Paused": false,
            "Restarting": false,
            "OOMKilled": stopped.is_some_and(|outage| outage.out_of_memory),
            "Dead": false,
            "Pid": if life.running { 3000 + i64::try_from(container.name.len()).unwrap_or(0) * 17 } else { 0 },
            "ExitCode": stopped.map_or(0, |outage| outage.exit_code),
            "Error": "",
            "StartedAt": written(life.started),
            "FinishedAt": ended.map_or_else(|| NEVER.to_owned(), |outage| written(outage.from)),
        });
        if let (true, Some(health)) = (life.running, Self::health(container, &life, now)) {
            state["Health"] = json!({"Status": health, "FailingStreak": 0, "Log": []});
        }
        Reply::json(
            200,
            &json!({
                "Id": self.id(container.name),
                "Created": written(self.created(now)),
                "Path": "/entrypoint.sh",
                "Args": [],
                "State": state,
                "Image": format!("sha256:{}", self.id(container.image)),
                "Name": format!("/{}", container.name),
                "RestartCount": life.restarts,
                "Driver": "overlay2",
                "Platform": "linux",
                "HostConfig": {
                    "NetworkMode": format!("{}_default", container.project),
                    "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
                    "Memory": container.memory_limit,
                    "MemorySwap": container.memory_limit * 2,
                    "NanoCpus": 0,
                    "PidsLimit": null,
                    "Privileged": false,
                },
                "Mounts": [],
                "Config": {
                    "Hostname": self.id(container.name).get(..12),
                    "Image": container.image,
                    "Labels": Self::labels(container),
                    "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                    "Tty": false,
                },
                "NetworkSettings": {"Networks": {format!("{}_default", container.project): {
                    "NetworkID": self.id(container.project),
                    "IPAddress": if life.running { "172.20.0.5" } else { "" },
                }}},
            }),
        )
    }

    pub(super) fn top(&self, wanted: &str, now: Timestamp) -> Reply {
        let Some(container) = self.find(wanted) else {
            return failure(404, format!("No such container: {wanted}"));
        };
        if !Engine::life(&self.world, container, now).running {
            return failure(
                409,
                format!("container {} is not running", self.id(container.name)),
            );
        }
        Reply::json(
            200,
            &json!({
                "Processes": [["root", "3120", "3099", "0", "04:20", "?", "00:01:12", "/entrypoint.sh"]],
                "Titles": ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"],
            }),
        )
    }

    pub(super) fn images(&self, now: Timestamp) -> Value {
        let containers = self.engine.containers.iter();
        containers
            .map(|container| {
                json!({
                    "Containers": -1,
                    "Created": self.created(now).as_millis() / 1000,
                    "Id": format!("sha256:{}", self.id(container.image)),
                    "Labels": null,
                    "ParentId": "",
                    "RepoDigests": [],
                    "RepoTags": [container.image],
                    "SharedSize": -1,
                    "Size": 40_000_000 + container.memory_limit / 7,
                })
            })
            .collect()
    }

    /// One image, by its name or id.
    pub(super) fn image(&self, wanted: &str, now: Timestamp) -> Reply {
        let images = self.images(now);
        let found = images.as_array().into_iter().flatten().find(|image| {
            image["Id"] == wanted
                || image["RepoTags"]
                    .as_array()
                    .is_some_and(|tags| tags.iter().any(|tag| tag == wanted))
        });
        match found {
            Some(image) => Reply::json(
                200,
                &json!({
                    "Id": image["Id"],
                    "RepoTags": image["RepoTags"],
                    "RepoDigests": [],
                    "Created": written(self.created(now)),
                    "Config": {"Labels": null},
                    "Architecture": "amd64",
                    "Os": "linux",
                    "Size": image["Size"],
                }),
            ),
            None => failure(404, format!("No such image: {wanted}")),
        }
    }

    pub(super) fn disk_usage(&self, now: Timestamp) -> Value {
        let images = self.images(now);
        let sizes = images.as_array().into_iter().flatten();
        let total: i64 = sizes.filter_map(|image| image["Size"].as_i64()).sum();
        json!({"LayersSize": total, "Images": images, "Containers": [], "Volumes": [], "BuildCache": []})
    }
}
