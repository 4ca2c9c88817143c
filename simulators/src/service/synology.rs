//! Synology DSM 6 and 7: `/webapi/*.cgi`, where HTTP 200 says nothing about success.

mod apis;
mod storage;
mod system;
mod utilization;

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use schemas::time::Timestamp;
use serde_json::{Value, json};

use super::Service;
use crate::{
    call::Call,
    reply::Reply,
    session::{self, Failures, Sessions},
    world::{World, chance, nas::Nas},
};
use apis::Dsm;

/// A session ends after a quarter of an hour without use.
const IDLE_SECONDS: i64 = 15 * 60;
/// What Storage Manager takes for its answer.
const STORAGE_TAKES: Duration = Duration::from_millis(400);
/// The code that the account with a second factor is sent.
const OTP: &str = "123456";

/// What an account may do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Right {
    /// All.
    Administrator,
    /// What the right "System Monitoring" allows.
    Monitoring,
}

/// A NAS with DSM.
pub(crate) struct Synology {
    world: World,
    nas: Nas,
    dsm: Dsm,
    password: String,
    sessions: Sessions,
    failures: Failures,
    /// Sessions of accounts that are no administrators.
    limited: Mutex<HashSet<String>>,
}

impl Synology {
    /// A DS920+ with DSM 7.
    pub(crate) fn dsm7(world: World, password: &str) -> Self {
        Self::new(world, Nas::ds920(&world), Dsm::Seven, password)
    }

    /// A DS218+ with DSM 6.
    pub(crate) fn dsm6(world: World, password: &str) -> Self {
        Self::new(world, Nas::ds218(&world), Dsm::Six, password)
    }

    fn new(world: World, nas: Nas, dsm: Dsm, password: &str) -> Self {
        Self {
            sessions: Sessions::new(world.seed(), nas.name, IDLE_SECONDS, session::hexadecimal),
            failures: Failures::new(10, 300),
            limited: Mutex::new(HashSet::new()),
            world,
            nas,
            dsm,
            password: password.to_owned(),
        }
    }

    /// One call of an API: its data, or the code of an error.
    fn call(&self, call: &Call, now: Timestamp) -> Result<Option<Value>, u16> {
        let script = call
            .path
            .strip_prefix("/webapi/")
            .ok_or(102_u16)?
            .trim_start_matches('/');
        let param = |name: &str| call.param(name).map(unquoted);
        let name = param("api").ok_or(101_u16)?;
        let api = self.dsm.find(name).ok_or(102_u16)?;
        if !self.dsm.serves(&api, script) {
            return Err(102);
        }
        let method = param("method").ok_or(101_u16)?;
        let version = param("version")
            .and_then(|version| version.parse::<i64>().ok())
            .ok_or(101_u16)?;
        if !(api.min..=api.max).contains(&version) {
            return Err(104);
        }
        match (name, method) {
            ("SYNO.API.Info", "query") => return Ok(Some(self.dsm.list(param("query")))),
            ("SYNO.API.Auth", "login") => return self.log_in(call, now).map(Some),
            ("SYNO.API.Auth", "logout") => {
                if let Some(id) = sid(call) {
                    self.sessions.close(&id, now);
                }
                return Ok(None);
            }
            _ => {}
        }
        let id = sid(call).ok_or(119_u16)?;
        self.sessions.take(&id, now).ok_or(119_u16)?;
        let right = self.right(&id);
        if name == "SYNO.Entry.Request" && method == "request" {
            return self.compound(call, right, now).map(Some);
        }
        self.data(name, method, param("type"), right, now).map(Some)
    }

    /// What an API tells.
    fn data(
        &self,
        api: &str,
        method: &str,
        kind: Option<&str>,
        right: Right,
        now: Timestamp,
    ) -> Result<Value, u16> {
        let reading = || self.nas.read(&self.world, now);
        let answer = match (api, method) {
            ("SYNO.DSM.Info", "getinfo") => system::information(self, &reading(), now),
            ("SYNO.DSM.Network", "list") => system::network(self),
            ("SYNO.Core.System", "info") => match kind {
                Some("network") => system::interfaces(self),
                Some("storage") => system::storage(self, &reading()),
                _ => system::info(self, &reading(), now),
            },
            ("SYNO.Core.System.Utilization", "get") => utilization::get(self, &reading(), now),
            ("SYNO.Storage.CGI.Storage", "load_info") => {
                if right != Right::Administrator {
                    return Err(105);
                }
                storage::load_info(self, &reading())
            }
            ("SYNO.Core.ExternalDevice.UPS", "get") => system::ups(self, now),
            ("SYNO.Core.Hardware.FanSpeed", "get") => json!({
                "all_disk_temp_fail": "no",
                "cool_fan": "yes",
                "dual_fan_speed": "coolfan",
                "fan_support_adjust_by_ext_nic": "no",
                "fan_type": 11
            }),
            ("SYNO.Core.Upgrade.Server", "check") => system::upgrade(self),
            ("SYNO.Core.SecurityScan.Status", "system_get") => system::security(self, now),
            ("SYNO.Core.Share", "list") => storage::shares(self, &reading()),
            ("SYNO.Core.ExternalDevice.Storage.USB", "list") => json!({ "devices": [] }),
            ("SYNO.Core.CurrentConnection", "list") => self.connections(now),
            _ => return Err(103),
        };
        Ok(answer)
    }

    /// Several calls at once.
    fn compound(&self, call: &Call, right: Right, now: Timestamp) -> Result<Value, u16> {
        let wanted: Value = call
            .param("compound")
            .and_then(|text| serde_json::from_str(text).ok())
            .ok_or(101_u16)?;
        let mut failed = false;
        let results: Vec<_> = wanted
            .as_array()
            .ok_or(101_u16)?
            .iter()
            .take(32)
            .map(|one| {
                let text = |name: &str| one.get(name).and_then(Value::as_str);
                let (api, method) = (text("api").unwrap_or(""), text("method").unwrap_or(""));
                let mut result = json!({
                    "api": api,
                    "method": method,
                    "version": one.get("version")
                });
                let told = match self.dsm.find(api) {
                    Some(_) => self.data(api, method, text("type"), right, now),
                    None => Err(102),
                };
                match told {
                    Ok(data) => {
                        result["success"] = json!(true);
                        result["data"] = data;
                    }
                    Err(code) => {
                        failed = true;
                        result["success"] = json!(false);
                        result["error"] = json!({ "code": code });
                    }
                }
                result
            })
            .collect();
        Ok(json!({"has_fail": failed, "result": results}))
    }

    fn log_in(&self, call: &Call, now: Timestamp) -> Result<Value, u16> {
        if self.failures.blocks(call.peer, now) {
            return Err(407);
        }
        let param = |name: &str| call.param(name);
        let account = param("account").ok_or(101_u16)?;
        let password = param("passwd").ok_or(101_u16)?;
        let known = matches!(account, "homelog" | "monitor" | "otp" | "disabled");
        if !known || password != self.password {
            self.failures.count(call.peer, now);
            return Err(400);
        }
        let device = chance::digits(self.world.seed(), self.nas.name, 40);
        match account {
            "disabled" => return Err(401),
            "otp" if param("device_id") != Some(&device) => match param("otp_code") {
                None | Some("") => return Err(403),
                Some(OTP) => {}
                Some(_) => return Err(404),
            },
            _ => {}
        }
        let session = self.sessions.open(now, None).ok_or(100_u16)?;
        if account == "monitor" {
            let mut limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
            limited.insert(session.id.clone());
        }
        let mut data = json!({
            "account": account,
            "is_portal_port": false,
            "sid": session.id,
        });
        if param("enable_syno_token") == Some("yes") {
            data["synotoken"] = json!(session.csrf);
        } else if self.dsm == Dsm::Seven {
            data["synotoken"] = json!("--------");
        }
        if account == "otp" && param("enable_device_token") == Some("yes") {
            let key = if self.dsm == Dsm::Seven {
                "device_id"
            } else {
                "did"
            };
            data[key] = json!(device);
        }
        Ok(data)
    }

    fn right(&self, id: &str) -> Right {
        let limited = self.limited.lock().unwrap_or_else(PoisonError::into_inner);
        if limited.contains(id) {
            Right::Monitoring
        } else {
            Right::Administrator
        }
    }

    fn connections(&self, now: Timestamp) -> Value {
        let items: Vec<_> = self
            .sessions
            .all(now)
            .iter()
            .map(|session| {
                json!({
                    "who": "homelog",
                    "type": "HTTP/HTTPS",
                    "from": "192.168.1.20",
                    "descr": "DiskStation Manager",
                    "time": self.time_text(session.opened),
                })
            })
            .collect();
        json!({"total": items.len(), "items": items})
    }

    fn time_text(&self, at: Timestamp) -> String {
        self.world.clock(at).format("%Y-%m-%d %H:%M:%S").to_string()
    }
}

/// The session that a call names.
fn sid(call: &Call) -> Option<String> {
    call.param("_sid")
        .map(|sid| unquoted(sid).to_owned())
        .or_else(|| call.cookie("id"))
}

/// A parameter where it is JSON text.
fn unquoted(text: &str) -> &str {
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
}

fn failure(code: u16) -> Value {
    json!({"error": {"code": code}, "success": false})
}

impl Service for Synology {
    fn answer(&self, call: &Call, now: Timestamp) -> Reply {
        if call.path == "/" {
            return Reply::page(
                200,
                "text/html; charset=\"UTF-8\"",
                "<html><title>Synology</title></html>",
            );
        }
        if !call.path.starts_with("/webapi/") {
            return Reply::page(
                404,
                "text/html",
                "<html><body>Sorry, the page you are looking for is not found.</body></html>",
            );
        }
        let (answer, login) = match self.call(call, now) {
            Ok(data) => {
                let login = data.as_ref().and_then(|d| d.get("sid")).cloned();
                let answer = match data {
                    Some(data) => json!({"data": data, "success": true}),
                    None => json!({"success": true}),
                };
                (answer, login)
            }
            Err(code) => (failure(code), None),
        };
        let mut reply = Reply::page(
            200,
            "application/json; charset=\"UTF-8\"",
            answer.to_string(),
        );
        if let (Some(Value::String(sid)), Some("cookie")) = (login, call.param("format")) {
            reply = reply.header("set-cookie", format!("id={sid}; path=/; HttpOnly"));
        }
        if call.param("method") == Some("load_info") {
            reply = reply.after(STORAGE_TAKES);
        }
        reply
    }

    fn expire(&self, _call: &Call) -> Option<Reply> {
        self.sessions.expire();
        None
    }

    /// A blocked address loses its sessions and gets no new one.
    fn blocked(&self, call: &Call) -> Reply {
        self.sessions.expire();
        let code = match call.param("api").map(unquoted) {
            Some("SYNO.API.Info") => return self.answer(call, Timestamp::now()),
            Some("SYNO.API.Auth") => 407,
            _ => 119,
        };
        Reply::page(
            200,
            "application/json; charset=\"UTF-8\"",
            failure(code).to_string(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_770_000_000_000);

    fn ask(nas: &Synology, target: &str) -> Value {
        nas.answer(&Call::get(&format!("/webapi/{target}")), NOW)
            .value()
    }

    fn log_in(nas: &Synology, account: &str, more: &str) -> Value {
        let path = if nas.dsm == Dsm::Seven {
            "entry.cgi"
        } else {
            "auth.cgi"
        };
        ask(
            nas,
            &format!(
                "{path}?api=SYNO.API.Auth&version=6&method=login&account={account}&passwd=pw{more}"
            ),
        )
    }

    #[test]
    fn who_logs_in_is_told_apart() {
        for nas in [
            Synology::dsm6(World::new(1, 0), "pw"),
            Synology::dsm7(World::new(1, 0), "pw"),
        ] {
            assert!(log_in(&nas, "homelog", "")["data"]["sid"].is_string());
            let code =
                |account: &str, more: &str| log_in(&nas, account, more)["error"]["code"].as_i64();
            assert_eq!(code("nobody", ""), Some(400));
            assert_eq!(code("disabled", ""), Some(401));
            assert_eq!(code("otp", ""), Some(403));
            assert_eq!(code("otp", "&otp_code=000000"), Some(404));
            let trusted = log_in(&nas, "otp", "&otp_code=123456&enable_device_token=yes");
            let key = if nas.dsm == Dsm::Seven {
                "device_id"
            } else {
                "did"
            };
            let device = trusted["data"][key].as_str().unwrap();
            assert_eq!(code("otp", &format!("&device_id={device}")), None);
            for _ in 0..9 {
                log_in(&nas, "nobody", "");
            }
            assert_eq!(code("homelog", ""), Some(407));
        }
    }

    #[test]
    fn errors_have_the_codes_of_dsm() {
        let nas = Synology::dsm7(World::new(1, 0), "pw");
        let code = |target: &str| ask(&nas, target)["error"]["code"].as_i64();
        assert_eq!(code("entry.cgi"), Some(101));
        assert_eq!(
            code("entry.cgi?api=SYNO.Core.System.Storage&version=1&method=get"),
            Some(102)
        );
        assert_eq!(
            code("entry.cgi?api=SYNO.DSM.Info&version=2&method=getinfo"),
            Some(119)
        );
        assert_eq!(
            code("entry.cgi?api=SYNO.DSM.Info&version=1&method=getinfo"),
            Some(104)
        );
        let login = log_in(&nas, "homelog", "");
        let sid = login["data"]["sid"].as_str().unwrap().to_owned();
        let get = |api: &str, method: &str| {
            format!("entry.cgi?api={api}&version=1&method={method}&_sid={sid}")
        };
        assert_eq!(code(&get("SYNO.Core.System", "dance")), Some(103));
        assert_eq!(code(&get("SYNO.Storage.CGI.Storage", "load_info")), None);
        nas.expire(&Call::get("/"));
        assert_eq!(
            code(&get("SYNO.Storage.CGI.Storage", "load_info")),
            Some(119)
        );
        let login = log_in(&nas, "monitor", "");
        let sid = login["data"]["sid"].as_str().unwrap();
        let storage = |api, kind| format!("entry.cgi?api={api}&version=1&method={kind}&_sid={sid}");
        assert_eq!(
            code(&storage("SYNO.Storage.CGI.Storage", "load_info")),
            Some(105)
        );
        let fallback = ask(
            &nas,
            &format!("{}&type=%22storage%22", storage("SYNO.Core.System", "info")),
        );
        assert!(fallback["data"]["vol_info"][0]["used_size"].is_string());
    }

    #[test]
    fn several_calls_go_in_one() {
        let nas = Synology::dsm7(World::new(1, 0), "pw");
        let login = log_in(&nas, "homelog", "");
        let sid = login["data"]["sid"].as_str().unwrap();
        let compound = json!([
            {"api": "SYNO.DSM.Info", "version": 2, "method": "getinfo"},
            {"api": "SYNO.Core.System.Storage", "version": 1, "method": "get"},
        ]);
        let form = format!(
            "api=SYNO.Entry.Request&version=1&method=request&_sid={sid}&compound={compound}"
        );
        let answer = nas
            .answer(&Call::post("/webapi/entry.cgi", &form), NOW)
            .value();
        assert_eq!(answer["data"]["has_fail"], true);
        assert_eq!(answer["data"]["result"][0]["data"]["model"], "DS920+");
        assert_eq!(answer["data"]["result"][1]["error"]["code"], 102);
    }
}
