//! Proxmox VE 9: `/api2/json` of a cluster of two, which says what is wrong beside the status.

mod guests;
mod history;
mod nodes;
mod tasks;

use std::time::Duration;

use hyper::Method;
use schemas::time::Timestamp;
use serde_json::{Value, json};

use super::Service;
use crate::{
    call::Call,
    fault::FaultKind,
    reply::Reply,
    session::{self, Sessions},
    world::{World, chance, cluster::Cluster},
};

/// How long a ticket is good.
const TICKET_SECONDS: i64 = 2 * 3600;
/// How long it thinks before each 401.
const REFUSES_AFTER: Duration = Duration::from_secs(3);
/// The user that is to be used.
pub(crate) const USER: &str = "homelog@pve";
/// Its API token.
pub(crate) const TOKEN: &str = "homelog@pve!homelog";
/// A token without any right.
const BARE: &str = "homelog@pve!bare";

/// What the caller may do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Right {
    /// `PVEAuditor` on `/`.
    Auditor,
    /// Nothing.
    None,
}

/// What is wrong with a request.
struct Refused {
    status: u16,
    reason: String,
}

fn refused(status: u16, reason: impl Into<String>) -> Refused {
    Refused {
        status,
        reason: reason.into(),
    }
}

/// A cluster of Proxmox VE.
pub(crate) struct Proxmox {
    world: World,
    cluster: Cluster,
    password: String,
    secret: String,
    fingerprint: String,
    tickets: Sessions,
}

/// The secret of the API token, a UUID.
pub(crate) fn secret(seed: u64) -> String {
    let digits = chance::digits(seed, "proxmox/token", 32);
    let parts: Vec<_> = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)]
        .into_iter()
        .filter_map(|(from, to)| digits.get(from..to))
        .collect();
    parts.join("-")
}

impl Proxmox {
    /// One whose certificate has this fingerprint.
    pub(crate) fn new(world: World, password: &str, fingerprint: &str) -> Self {
        Self {
            cluster: Cluster::new(),
            password: password.to_owned(),
            secret: secret(world.seed()),
            fingerprint: fingerprint.to_owned(),
            tickets: Sessions::new(world.seed(), "pve", TICKET_SECONDS, session::base64),
            world,
        }
    }

    /// Who asks.
    fn right(&self, call: &Call, now: Timestamp) -> Result<Right, Refused> {
        if let Some(token) = call
            .header("authorization")
            .and_then(|header| header.strip_prefix("PVEAPIToken="))
        {
            let (id, secret) = token.rsplit_once('=').unwrap_or((token, ""));
            return match id {
                TOKEN if secret == self.secret => Ok(Right::Auditor),
                BARE if secret == self.secret => Ok(Right::None),
                _ => Err(refused(401, "Authentication failed!")),
            };
        }
        let ticket = call
            .cookie("PVEAuthCookie")
            .ok_or_else(|| refused(401, "No ticket"))?;
        if self.ticket(&ticket, now) {
            return Ok(Right::Auditor);
        }
        Err(refused(401, "permission denied - invalid PVE ticket"))
    }

    /// Whether a ticket is good.
    fn ticket(&self, text: &str, now: Timestamp) -> bool {
        let Some((_, id)) = text.split_once("::") else {
            return false;
        };
        self.tickets
            .take(id, now)
            .is_some_and(|ticket| now.since(ticket.opened) < TICKET_SECONDS * 1000)
    }

    fn log_in(&self, call: &Call, now: Timestamp) -> Result<Value, Refused> {
        let body = call.json();
        let param = |name: &str| {
            let json = || body.as_ref()?.get(name)?.as_str();
            call.param(name).or_else(json)
        };
        let (Some(user), Some(password)) = (param("username"), param("password")) else {
            return Err(refused(400, "Parameter verification failed."));
        };
        let user = match param("realm") {
            Some(realm) if !user.contains('@') => format!("{user}@{realm}"),
            _ => user.to_owned(),
        };
        if user != USER || !(password == self.password || self.ticket(password, now)) {
            return Err(refused(401, "authentication failure"));
        }
        let ticket = self
            .tickets
            .open(now, None)
            .ok_or_else(|| refused(500, "no ticket can be made"))?;
        let second = now.as_millis() / 1000;
        Ok(json!({
            "username": user,
            "ticket": format!("PVE:{user}:{second:08X}::{}", ticket.id),
            "CSRFPreventionToken": format!("{second:08X}:{}", ticket.csrf),
            "clustername": "home",
            "cap": {
                "access": {},
                "dc": {"SDN.Audit": 1, "Sys.Audit": 1},
                "mapping": {"Mapping.Audit": 1},
                "nodes": {"Sys.Audit": 1},
                "sdn": {"SDN.Audit": 1},
                "storage": {"Datastore.Audit": 1},
                "vms": {"VM.Audit": 1, "VM.GuestAgent.Audit": 1}
            }
        }))
    }

    fn get(
        &self,
        call: &Call,
        path: &[&str],
        right: Right,
        now: Timestamp,
    ) -> Result<Value, Refused> {
        let audit = |path: &str, privilege: &str| match right {
            Right::Auditor => Ok(()),
            Right::None => Err(refused(
                403,
                format!("Permission check failed ({path}, {privilege})"),
            )),
        };
        match path {
            ["version"] => {
                Ok(json!({"release": "9.0", "repoid": "7f0b6eb0f3a4f35b", "version": "9.0.10"}))
            }
            ["access", "permissions"] => Ok(match right {
                Right::Auditor => json!({"/": {
                    "Datastore.Audit": 1, "Mapping.Audit": 1, "Pool.Audit": 1, "SDN.Audit": 1,
                    "Sys.Audit": 1, "VM.Audit": 1, "VM.GuestAgent.Audit": 1
                }}),
                Right::None => json!({}),
            }),
            ["cluster", "resources"] => Ok(match right {
                Right::Auditor => self.resources(call.query_param("type"), now),
                Right::None => json!([]),
            }),
            ["cluster", "status"] => {
                audit("/", "Sys.Audit")?;
                Ok(self.cluster_status())
            }
            ["cluster", "tasks"] => Ok(match right {
                Right::Auditor => self.cluster_tasks(now),
                Right::None => json!([]),
            }),
            ["cluster", "backup-info", "not-backed-up"] => {
                audit("/", "Sys.Audit")?;
                Ok(json!([{"name": "windows11", "type": "qemu", "vmid": 102}]))
            }
            ["cluster", "ha", "status", "current"] => {
                audit("/", "Sys.Audit")?;
                Ok(
                    json!([{"id": "quorum", "node": "pve1", "quorate": 1, "status": "OK", "type": "quorum"}]),
                )
            }
            ["storage"] => Ok(match right {
                Right::Auditor => self.storages(),
                Right::None => json!([]),
            }),
            ["nodes"] => Ok(self.nodes(right, now)),
            ["nodes", node, rest @ ..] => {
                let node = self
                    .cluster
                    .nodes
                    .iter()
                    .find(|known| known.name == *node)
                    .ok_or_else(|| {
                        refused(596, format!("hostname lookup '{node}' failed - failed to get address info for: {node}: Name or service not known"))
                    })?;
                audit(&format!("/nodes/{}", node.name), "Sys.Audit")?;
                self.of_node(call, node, rest, now)
            }
            _ => Err(refused(
                501,
                format!("Method 'GET /{}' not implemented", path.join("/")),
            )),
        }
    }
}

/// A refusal as it is sent.
fn refusal(why: Refused) -> Reply {
    let body = if why.status == 401 {
        String::new()
    } else {
        json!({"data": null, "message": format!("{}\n", why.reason)}).to_string()
    };
    let reply = Reply::page(why.status, "application/json;charset=UTF-8", body).reason(why.reason);
    if why.status == 401 {
        reply.after(REFUSES_AFTER)
    } else {
        reply
    }
}

impl Service for Proxmox {
    fn answer(&self, call: &Call, now: Timestamp) -> Reply {
        let Some(path) = call.path.strip_prefix("/api2/json") else {
            return Reply::page(
                200,
                "text/html; charset=utf-8",
                "<html><title>pve1 - Proxmox Virtual Environment</title></html>",
            );
        };
        let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
        let answered = match (&call.method, parts.as_slice()) {
            (&Method::POST, ["access", "ticket"]) => self.log_in(call, now),
            (&Method::GET, ["access", "ticket"]) => Ok(Value::Null),
            (&Method::GET, parts) => self
                .right(call, now)
                .and_then(|right| self.get(call, parts, right, now)),
            (method, parts) => self.right(call, now).and_then(|_| {
                Err(refused(
                    403,
                    format!(
                        "Permission check failed (/{}, Sys.Modify) for {method}",
                        parts.join("/")
                    ),
                ))
            }),
        };
        match answered {
            Ok(data) => Reply::page(
                200,
                "application/json;charset=UTF-8",
                json!({ "data": data }).to_string(),
            )
            .header("server", "pve-api-daemon/3.0")
            .header("pragma", "no-cache"),
            Err(why) => refusal(why),
        }
    }

    fn knows(&self, fault: FaultKind) -> bool {
        fault != FaultKind::RateLimit
    }

    fn expire(&self, call: &Call) -> Option<Reply> {
        self.tickets.expire();
        // an API token does not end
        call.cookie("PVEAuthCookie")?;
        Some(refusal(refused(
            401,
            "permission denied - invalid PVE ticket",
        )))
    }

    fn blocked(&self, _call: &Call) -> Reply {
        refusal(refused(401, "user account disabled ('homelog@pve')"))
    }

    fn fails(&self) -> Reply {
        refusal(refused(500, "got no worker upid - start worker failed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::real;

    const NOW: Timestamp = Timestamp::from_millis(1_770_000_000_000);

    fn proxmox() -> Proxmox {
        Proxmox::new(World::new(1, 0), "pw", "AA:BB")
    }

    fn with_token(pve: &Proxmox, target: &str) -> Reply {
        let header = format!("PVEAPIToken={TOKEN}={}", pve.secret);
        let call = Call::get(&format!("/api2/json{target}")).with("authorization", &header);
        pve.answer(&call, NOW)
    }

    #[test]
    fn what_is_wrong_stands_beside_the_status() {
        let pve = proxmox();
        let reason = |reply: &Reply| (reply.status, reply.reason.clone().unwrap());
        let nobody = pve.answer(&Call::get("/api2/json/version"), NOW);
        assert_eq!(reason(&nobody), (401, "No ticket".to_owned()));
        assert_eq!(nobody.delay, REFUSES_AFTER);
        let wrong = Call::get("/api2/json/version").with("authorization", "PVEAPIToken=a@pam!b=c");
        assert_eq!(pve.answer(&wrong, NOW).status, 401);
        let gone = with_token(&pve, "/nodes/pve1/qemu/999/status/current");
        let text = "Configuration file 'nodes/pve1/qemu-server/999.conf' does not exist";
        assert_eq!(reason(&gone), (500, text.to_owned()));
        assert_eq!(with_token(&pve, "/nowhere").status, 501);
        let bare = format!("PVEAPIToken={BARE}={}", pve.secret);
        let ask = |target: &str| {
            let call = Call::get(&format!("/api2/json{target}")).with("authorization", &bare);
            pve.answer(&call, NOW)
        };
        assert_eq!(ask("/cluster/resources").value(), json!({"data": []}));
        let text = "Permission check failed (/, Sys.Audit)";
        assert_eq!(reason(&ask("/cluster/status")), (403, text.to_owned()));
    }

    #[test]
    fn a_ticket_opens_what_a_token_does_for_two_hours() {
        let pve = proxmox();
        let form = "username=homelog&realm=pve&password=pw";
        let ticket = pve
            .answer(&Call::post("/api2/json/access/ticket", form), NOW)
            .value();
        let ticket = ticket["data"]["ticket"].as_str().unwrap().to_owned();
        let cookie = format!(
            "PVEAuthCookie={}",
            ticket.replace('+', "%2B").replace('=', "%3D")
        );
        let call = || Call::get("/api2/json/nodes").with("cookie", &cookie);
        assert_eq!(pve.answer(&call(), NOW).status, 200);
        assert_eq!(pve.answer(&call(), NOW.plus_millis(7_100_000)).status, 200);
        assert_eq!(pve.answer(&call(), NOW.plus_millis(7_300_000)).status, 401);
    }

    #[test]
    fn what_runs_is_told_in_one_call() {
        let pve = proxmox();
        let resources = with_token(&pve, "/cluster/resources").value();
        let rows = resources["data"].as_array().unwrap();
        let count = |kind: &str| rows.iter().filter(|row| row["type"] == kind).count();
        assert_eq!((count("node"), count("qemu"), count("lxc")), (2, 4, 4));
        // what is shared is told for every node
        let shared: Vec<_> = rows
            .iter()
            .filter(|row| row["storage"] == "nas1-backups")
            .collect();
        assert_eq!(shared.len(), 2);
        let docker = rows.iter().find(|row| row["vmid"] == 101).unwrap();
        assert!(docker["cpu"].as_f64().unwrap() > 0.0 && docker["disk"] == 0);
        for path in [
            "/nodes/pve1/status",
            "/nodes/pve2/lxc/201/status/current",
            "/nodes/pve1/rrddata?timeframe=hour",
        ] {
            assert_eq!(with_token(&pve, path).status, 200, "{path}");
        }
        let lxc = with_token(&pve, "/nodes/pve2/lxc/201/status/current").value();
        assert!(lxc["data"]["pressurecpusome"].is_string());
        let status = with_token(&pve, "/nodes/pve1/status").value();
        let node = rows.iter().find(|row| row["id"] == "node/pve1").unwrap();
        assert_eq!(status["data"]["cpu"], node["cpu"]);
        assert!((status["data"]["memory"]["total"].as_f64().unwrap() - real(64 << 30)).abs() < 1.0);
    }
}
