//! The Docker Engine API over TCP, with its streams.

mod containers;
mod events;
mod stats;

use std::{sync::Arc, time::Duration};

use hyper::Method;
use schemas::time::Timestamp;
use serde_json::{Value, json};

use super::Service;
use crate::{
    call::Call,
    fault::FaultKind,
    reply::Reply,
    world::{
        World, chance,
        containers::{CORES, Engine, MEMORY},
    },
};

/// The newest version of the API that it speaks, and the oldest.
const NEWEST: (u32, u32) = (1, 47);
const OLDEST: (u32, u32) = (1, 24);
/// What it says it is.
const VERSION: &str = "27.3.1";
/// What a reading of two samples takes.
const TWO_SAMPLES: Duration = Duration::from_secs(1);

/// What streams need too.
struct Inner {
    world: World,
    engine: Engine,
}

/// An engine.
pub(crate) struct Docker(Arc<Inner>);

impl Docker {
    /// The one of this home.
    pub(crate) fn new(world: World) -> Self {
        Self(Arc::new(Inner {
            world,
            engine: Engine::new(),
        }))
    }
}

/// An instant as the engine writes it.
fn written(at: Timestamp) -> String {
    let utc = chrono::DateTime::<chrono::Utc>::from_timestamp_millis(at.as_millis());
    utc.unwrap_or_default()
        .format("%Y-%m-%dT%H:%M:%S%.9fZ")
        .to_string()
}

/// Two objects in one.
fn merged(mut into: Value, from: Value) -> Value {
    if let (Some(into), Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
    into
}

/// What it writes where there is none.
const NEVER: &str = "0001-01-01T00:00:00Z";

fn failure(status: u16, message: impl Into<String>) -> Reply {
    Reply::json(status, &json!({"message": message.into()}))
}

/// A switch of the query, as the engine reads them.
fn switched(call: &Call, name: &str, fallback: bool) -> bool {
    match call.query_param(name) {
        None => fallback,
        Some(text) => !matches!(
            text.to_ascii_lowercase().as_str(),
            "" | "0" | "no" | "false" | "none"
        ),
    }
}

/// The values of a filter, as `{"type":["container"]}` or `{"type":{"container":true}}`.
fn filter(call: &Call, name: &str) -> Option<Vec<String>> {
    let filters: Value = serde_json::from_str(call.query_param("filters")?).ok()?;
    match filters.get(name)? {
        Value::Array(list) => Some(
            list.iter()
                .filter_map(Value::as_str)
                .map(ToOwned::to_owned)
                .collect(),
        ),
        Value::Object(map) => Some(map.keys().cloned().collect()),
        _ => None,
    }
}

/// `v1.47` as its numbers.
fn version_of(part: &str) -> Option<(u32, u32)> {
    let (major, minor) = part.strip_prefix('v')?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

impl Docker {
    fn get(&self, call: &Call, path: &[&str], now: Timestamp) -> Reply {
        match path {
            ["_ping"] => Reply::text(200, "OK"),
            ["version"] => Reply::json(200, &version()),
            ["info"] => Reply::json(200, &self.info(now)),
            ["containers", "json"] => self.0.list(call, now),
            ["containers", id, "json"] => self.0.inspect(id, now),
            ["containers", id, "stats"] => self.stats(call, id, now),
            ["containers", id, "top"] => self.0.top(id, now),
            ["events"] => self.events(call, now),
            ["images", name @ .., "json"] if !name.is_empty() => self.0.image(&name.join("/"), now),
            ["images", "json"] => Reply::json(200, &self.0.images(now)),
            ["networks"] => Reply::json(
                200,
                &json!([
                    {"Name": "bridge", "Id": self.0.id("network/bridge"), "Driver": "bridge", "Scope": "local", "Labels": {}},
                    {"Name": "host", "Id": self.0.id("network/host"), "Driver": "host", "Scope": "local", "Labels": {}},
                ]),
            ),
            ["volumes"] => Reply::json(200, &json!({"Volumes": [], "Warnings": null})),
            ["system", "df"] => {
                Reply::json(200, &self.0.disk_usage(now)).after(Duration::from_millis(1500))
            }
            _ => failure(404, "page not found"),
        }
    }

    fn info(&self, now: Timestamp) -> Value {
        let containers = &self.0.engine.containers;
        let running = containers
            .iter()
            .filter(|one| Engine::life(&self.0.world, one, now).running)
            .count();
        let counts = json!({
            "ID": chance::digits(self.0.world.seed(), "engine", 32),
            "Containers": containers.len(),
            "ContainersRunning": running,
            "ContainersPaused": 0,
            "ContainersStopped": containers.len() - running,
            "Images": containers.len(),
        });
        let abilities = json!({
            "Driver": "overlay2",
            "DriverStatus": [["Backing Filesystem", "extfs"], ["Supports d_type", "true"]],
            "Plugins": {"Volume": ["local"], "Network": ["bridge", "host", "null"], "Authorization": null, "Log": ["json-file", "journald"]},
            "MemoryLimit": true,
            "SwapLimit": true,
            "CpuCfsPeriod": true,
            "CpuCfsQuota": true,
            "CPUShares": true,
            "CPUSet": true,
            "PidsLimit": true,
            "IPv4Forwarding": true,
            "Debug": false,
            "OomKillDisable": false,
            "SystemTime": written(now),
        });
        let system = json!({
            "LoggingDriver": "json-file",
            "CgroupDriver": "systemd",
            "CgroupVersion": "2",
            "KernelVersion": "6.1.0-27-amd64",
            "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
            "OSVersion": "12",
            "OSType": "linux",
            "Architecture": "x86_64",
            "NCPU": CORES,
            "MemTotal": MEMORY,
            "DockerRootDir": "/var/lib/docker",
            "Name": "docker1",
            "Labels": [],
            "ExperimentalBuild": false,
            "ServerVersion": VERSION,
            "DefaultRuntime": "runc",
            "Swarm": {"NodeID": "", "NodeAddr": "", "LocalNodeState": "inactive", "ControlAvailable": false, "Error": "", "RemoteManagers": null},
            "LiveRestoreEnabled": false,
            "Isolation": "",
            "InitBinary": "docker-init",
            "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"],
            "Warnings": ["[DEPRECATION NOTICE]: API is accessible on http://0.0.0.0:2375 without encryption."]
        });
        merged(merged(counts, abilities), system)
    }
}

fn version() -> Value {
    let text = |(major, minor): (u32, u32)| format!("{major}.{minor}");
    json!({
        "Platform": {"Name": "Docker Engine - Community"},
        "Components": [{
            "Name": "Engine",
            "Version": VERSION,
            "Details": {"ApiVersion": text(NEWEST), "MinAPIVersion": text(OLDEST), "Os": "linux", "Arch": "amd64"}
        }],
        "Version": VERSION,
        "ApiVersion": text(NEWEST),
        "MinAPIVersion": text(OLDEST),
        "GitCommit": "41ca978",
        "GoVersion": "go1.22.7",
        "Os": "linux",
        "Arch": "amd64",
        "KernelVersion": "6.1.0-27-amd64",
        "BuildTime": "2024-09-20T11:41:11.000000000+00:00"
    })
}

impl Service for Docker {
    fn answer(&self, call: &Call, now: Timestamp) -> Reply {
        let parts = call.parts();
        let (version, path) = match parts.split_first() {
            Some((first, rest)) if version_of(first).is_some() => (version_of(first), rest),
            _ => (None, parts.as_slice()),
        };
        let reply = match version {
            Some(asked) if asked > NEWEST => failure(
                400,
                format!(
                    "client version {}.{} is too new. Maximum supported API version is {}.{}",
                    asked.0, asked.1, NEWEST.0, NEWEST.1
                ),
            ),
            Some(asked) if asked < OLDEST => failure(
                400,
                format!(
                    "client version {}.{} is too old. Minimum supported API version is {}.{}, please upgrade your client to a newer version",
                    asked.0, asked.1, OLDEST.0, OLDEST.1
                ),
            ),
            _ if matches!(call.method, Method::GET | Method::HEAD) => self.get(call, path, now),
            // as a read-only proxy before it answers
            _ => Reply::page(
                403,
                "text/html",
                "<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>",
            ),
        };
        reply
            .header("api-version", format!("{}.{}", NEWEST.0, NEWEST.1))
            .header("docker-experimental", "false")
            .header("ostype", "linux")
            .header("server", format!("Docker/{VERSION} (linux)"))
    }

    fn knows(&self, fault: FaultKind) -> bool {
        fault != FaultKind::ExpiredSession
    }

    fn expire(&self, _call: &Call) -> Option<Reply> {
        None
    }

    fn fails(&self) -> Reply {
        failure(500, "context deadline exceeded")
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;
    use crate::reply::Content;

    fn at(time: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-05-06T{time}Z"), Timestamp::from_millis(0)).unwrap()
    }

    fn docker() -> Docker {
        Docker::new(World::new(2, 0))
    }

    fn ask(docker: &Docker, target: &str, now: Timestamp) -> Value {
        docker.answer(&Call::get(target), now).value()
    }

    #[test]
    fn versions_are_negotiated() {
        let docker = docker();
        let said = |target: &str| docker.answer(&Call::get(target), at("12:00:00"));
        assert_eq!(said("/v1.47/_ping").said(), "OK");
        assert_eq!(
            (said("/v9.99/info").status, said("/v1.12/info").status),
            (400, 400)
        );
        let text = "client version 9.99 is too new. Maximum supported API version is 1.47";
        assert_eq!(said("/v9.99/info").value()["message"], text);
        assert_eq!(said("/containers/nope/json").status, 404);
        let mut stop = Call::get("/containers/traefik/stop");
        stop.method = Method::POST;
        assert_eq!(docker.answer(&stop, at("12:00:00")).status, 403);
    }

    #[test]
    fn a_stopped_container_has_no_figures() {
        let docker = docker();
        let running = ask(
            &docker,
            "/containers/homeassistant/stats?stream=false",
            at("03:00:00"),
        );
        assert!(
            running["cpu_stats"]["cpu_usage"]["total_usage"]
                .as_i64()
                .unwrap()
                > 0
        );
        assert_eq!(running["precpu_stats"]["online_cpus"], CORES);
        let once = ask(
            &docker,
            "/containers/homeassistant/stats?stream=0&one-shot=1",
            at("03:00:00"),
        );
        assert_eq!(once["preread"], NEVER);
        let stopped = ask(
            &docker,
            "/containers/homeassistant/stats?stream=false",
            at("03:25:00"),
        );
        assert_eq!(
            (&stopped["read"], &stopped["memory_stats"]),
            (&json!(NEVER), &json!({}))
        );
        let list = ask(&docker, "/containers/json", at("03:25:00"));
        let all = ask(&docker, "/containers/json?all=1", at("03:25:00"));
        assert_eq!(
            list.as_array().unwrap().len() + 1,
            all.as_array().unwrap().len()
        );
        let inspect = ask(&docker, "/containers/homeassistant/json", at("03:25:00"));
        assert_eq!(inspect["State"]["ExitCode"], 143);
        let killed = ask(
            &docker,
            "/containers/photos-machine-learning-1/json",
            at("03:20:10"),
        );
        assert_eq!(killed["State"]["OOMKilled"], true);
    }

    #[test]
    fn past_events_are_told_and_end_where_asked() {
        let docker = docker();
        let (from, to) = (
            at("03:00:00").as_millis() / 1000,
            at("03:45:00").as_millis() / 1000,
        );
        let filters = r#"{"type":["container"]}"#;
        let target = format!("/events?since={from}&until={to}&filters={filters}");
        let Content::Stream(stream) = docker.answer(&Call::get(&target), at("04:00:00")).content
        else {
            panic!("no stream");
        };
        let lines: Vec<_> = stream.collect::<Vec<_>>().now_or_never().unwrap();
        let text: Vec<u8> = lines
            .into_iter()
            .flat_map(|line| line.unwrap().to_vec())
            .collect();
        let actions: Vec<_> = String::from_utf8(text)
            .unwrap()
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["Action"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .filter(|action| !action.starts_with("exec_"))
            .collect();
        assert_eq!(actions, ["oom", "die", "start", "die", "start"]);
    }
}
