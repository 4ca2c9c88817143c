//! A NAS that answers what a test wants, also what no NAS would, over a real socket.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use supervision::Supervisor;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::testing::web::{self, serve_all};

pub(super) const USER: &str = "homelog";
pub(super) const PASSWORD: &str = "pä55 w+rd&x=";
/// The code that a phone shows.
pub(super) const CODE: &str = "424242";
/// What the NAS gives a device for it.
pub(super) const DEVICE: &str = "d+vice/token=";
/// Beginning of every session id.
pub(super) const SID: &str = "sid/+";
/// As real ones may be: no header could carry it.
pub(super) const TOKEN: &str = "Tök€n";
const LONG_PATH: &str = "_______________________________________________________entry.cgi";
const HANDLER: &str = "webman/modules/StorageManager/storagehandler.cgi";

#[derive(Clone)]
pub(super) enum Answer {
    /// DSM's code of an error.
    Code(i64),
    /// What stands in `data`.
    Data(Value),
    /// A status and a body.
    Text(u16, String),
    /// A redirect.
    Elsewhere(&'static str),
    /// Bytes as they are, then the connection is closed.
    Raw(&'static [u8]),
    Silence,
}

#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// `SYNO.Core.System.info`, or the name of the file that is no call.
    pub(super) what: String,
    pub(super) target: String,
    pub(super) params: HashMap<String, String>,
}

pub(super) struct State {
    /// Version of DSM.
    pub(super) dsm: u8,
    /// Whether the user is an administrator.
    pub(super) admin: bool,
    /// Sessions that it knows.
    pub(super) sids: Vec<String>,
    pub(super) logins: usize,
    /// Whether the user has a second factor, and under which name devices are told: `device_id` or `did`.
    pub(super) second_factor: Option<&'static str>,
    /// Whether its disks do anything.
    pub(super) works: bool,
    /// Minutes after which its disks sleep.
    pub(super) idle_minutes: u64,
    /// The volumes, disks and pools.
    pub(super) storage: Value,
    /// What is answered instead.
    pub(super) instead: HashMap<String, Answer>,
    pub(super) asked: Vec<Asked>,
}

pub(super) struct Fake {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    supervisor: Supervisor,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.supervisor.stop();
    }
}

impl Fake {
    pub(super) async fn start(dsm: u8) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new(Mutex::new(State {
                dsm,
                admin: true,
                sids: Vec::new(),
                logins: 0,
                second_factor: None,
                works: true,
                idle_minutes: 0,
                storage: storage(),
                instead: HashMap::new(),
                asked: Vec::new(),
            })),
            supervisor: Supervisor::new(),
        };
        let state = Arc::clone(&fake.state);
        serve_all(&fake.supervisor, listener, move |stream| {
            serve(stream, Arc::clone(&state))
        });
        fake
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    pub(super) fn instead(&self, what: &str, answer: Answer) {
        self.set(|state| {
            state.instead.insert(what.to_owned(), answer);
        });
    }

    pub(super) fn logins(&self) -> usize {
        self.state.lock().unwrap().logins
    }

    pub(super) fn sessions(&self) -> usize {
        self.state.lock().unwrap().sids.len()
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    /// How often something was asked for.
    pub(super) fn times(&self, what: &str) -> usize {
        self.asked().iter().filter(|a| a.what == what).count()
    }

    /// How often somebody wanted to know about the storage, in any way.
    pub(super) fn storage_calls(&self) -> usize {
        let is_of_storage = |asked: &Asked| {
            asked.what.starts_with("SYNO.Storage.")
                || asked.what == "storagehandler"
                || asked.params.contains_key("type")
        };
        self.asked().iter().filter(|a| is_of_storage(a)).count()
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        assert_ne!(byte, b'+', "a space is %20: {text}");
        if byte == b'%' {
            let digits: String = rest.by_ref().take(2).map(char::from).collect();
            bytes.push(u8::from_str_radix(&digits, 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    loop {
        let head = web::head(&mut stream).await?;
        let length = web::header(&head, "content-length").map_or(0, |n| n.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let target = head.split(' ').nth(1).unwrap().to_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let body = String::from_utf8(body).unwrap();
        let params: HashMap<_, _> = pairs(query).chain(pairs(&body)).collect();
        let what = match params.get("api") {
            Some(api) => format!("{api}.{}", params["method"]),
            None => path
                .rsplit('/')
                .next()
                .unwrap()
                .trim_end_matches(".cgi")
                .to_owned(),
        };
        let answer = {
            let mut state = state.lock().unwrap();
            state.asked.push(Asked {
                what: what.clone(),
                target: target.clone(),
                params: params.clone(),
            });
            let instead = state.instead.get(&what).cloned();
            instead
                .unwrap_or_else(|| answer(&what, path.trim_start_matches('/'), &params, &mut state))
        };
        let (status, text) = match answer {
            Answer::Silence => std::future::pending().await,
            Answer::Raw(bytes) => return stream.write_all(bytes).await,
            Answer::Elsewhere(to) => {
                let head =
                    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                continue;
            }
            Answer::Code(code) => (
                200,
                json!({"error": {"code": code}, "success": false}).to_string(),
            ),
            Answer::Data(data) => (200, json!({"data": data, "success": true}).to_string()),
            Answer::Text(status, text) => (status, text),
        };
        // whatever it is, DSM calls it text
        let whole = format!(
            "HTTP/1.1 {status} As it is\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        );
        stream.write_all(whole.as_bytes()).await?;
    }
}

/// What a version offers: path, oldest and newest version, whether parameters are JSON.
fn offers(dsm: u8) -> HashMap<&'static str, (&'static str, u64, u64, bool)> {
    let entry = if dsm == 5 { LONG_PATH } else { "entry.cgi" };
    let mut offers = HashMap::from([
        (
            "SYNO.Core.System",
            (entry, 1, if dsm == 5 { 2 } else { 3 }, true),
        ),
        ("SYNO.Core.System.Utilization", (entry, 1, 1, true)),
        ("SYNO.Core.ExternalDevice.UPS", (entry, 1, 1, true)),
        ("SYNO.Core.Hardware.Hibernation", (entry, 1, 1, true)),
    ]);
    let (auth, info) = match dsm {
        5 => (("auth.cgi", 1, 4, false), ("dsm/info.cgi", 1, 1, false)),
        6 => (("auth.cgi", 1, 6, false), ("entry.cgi", 2, 2, true)),
        _ => (("entry.cgi", 1, 7, false), ("entry.cgi", 2, 2, true)),
    };
    offers.insert("SYNO.API.Auth", auth);
    offers.insert("SYNO.DSM.Info", info);
    if dsm > 5 {
        offers.insert("SYNO.Storage.CGI.Storage", (entry, 1, 1, true));
    }
    offers
}

fn answer(what: &str, path: &str, params: &HashMap<String, String>, state: &mut State) -> Answer {
    let param = |name: &str| params.get(name).map_or("", String::as_str);
    let has_session = state.sids.iter().any(|sid| sid == param("_sid"));
    if path == HANDLER {
        assert_eq!(param("action"), "load_info");
        return if state.dsm > 5 {
            Answer::Text(404, "<html></html>".to_owned())
        } else if has_session && state.admin {
            let mut body = state.storage.clone();
            body["success"] = json!(true);
            Answer::Text(200, body.to_string())
        } else {
            Answer::Text(200, json!({"success": false}).to_string())
        };
    }
    let offers = offers(state.dsm);
    if what == "SYNO.API.Info.query" {
        assert_eq!(path, "webapi/query.cgi");
        let wanted = param("query").split(',');
        let list: serde_json::Map<_, _> = wanted
            .filter_map(|api| {
                let (path, oldest, newest, is_json) = offers.get(api)?;
                let mut row = json!({"path": path, "minVersion": oldest, "maxVersion": newest});
                if *is_json {
                    row["requestFormat"] = json!("JSON");
                }
                Some((api.to_owned(), row))
            })
            .collect();
        return Answer::Data(Value::Object(list));
    }
    let Some((its_path, oldest, newest, is_json)) = offers.get(param("api")) else {
        return Answer::Code(102);
    };
    let version: u64 = param("version").parse().unwrap();
    if path != format!("webapi/{its_path}") {
        return Answer::Code(102);
    }
    if version < *oldest || version > *newest {
        return Answer::Code(104);
    }
    match what {
        "SYNO.API.Auth.login" => return login(&param, state),
        "SYNO.API.Auth.logout" => {
            state.sids.retain(|sid| sid != param("_sid"));
            return Answer::Text(200, json!({"success": true}).to_string());
        }
        _ => {}
    }
    let wants_token = state.dsm > 5;
    if !has_session || (wants_token && param("SynoToken") != TOKEN) {
        return Answer::Code(119);
    }
    let delegated = state.dsm >= 7 && what.starts_with("SYNO.Core.System");
    if !state.admin && !delegated {
        return Answer::Code(105);
    }
    match (what, param("type")) {
        ("SYNO.Core.System.info", "") => {
            Answer::Data(json!({"model": "DS920+", "serial": "2040SBR000001",
            "firmware_ver": "DSM 7.2.1-69057", "sys_temp": 42, "sys_tempwarn": false, "up_time": "75:12:9"}))
        }
        ("SYNO.Core.System.info", wanted) => {
            let quoted = if *is_json { "\"storage\"" } else { "storage" };
            if wanted != quoted {
                return Answer::Code(101);
            }
            Answer::Data(
                json!({"hdd_info": [{"diskno": "Drive 1", "model": "X200", "status": "normal", "temp": 33,
                "capacity": "4000787030016", "volume": "volume_1"}],
                "vol_info": [{"name": "volume_1", "status": "normal", "used_size": "250", "total_size": "1000"}]}),
            )
        }
        ("SYNO.DSM.Info.getinfo", _) => {
            Answer::Data(json!({"model": "DS920+", "serial": "2040SBR000001",
            "version_string": "DSM 7.2.1-69057", "temperature": 42, "temperature_warn": false, "uptime": 270_729}))
        }
        ("SYNO.Core.System.Utilization.get", _) => Answer::Data(utilization(state.works)),
        ("SYNO.Storage.CGI.Storage.load_info", _) => Answer::Data(state.storage.clone()),
        ("SYNO.Core.Hardware.Hibernation.get", _) => {
            Answer::Data(json!({"internal_hd_idletime": state.idle_minutes, "usb_idletime": 0}))
        }
        ("SYNO.Core.ExternalDevice.UPS.get", _) => {
            Answer::Data(json!({"enable": false, "charge": 0, "runtime": 0,
            "model": "", "status": "usb_ups_status_unknown", "usb_ups_connect": false}))
        }
        _ => Answer::Code(103),
    }
}

fn login<'a>(param: &impl Fn(&str) -> &'a str, state: &mut State) -> Answer {
    assert_eq!(param("format"), "sid");
    assert!(!param("session").is_empty());
    if (param("account"), param("passwd")) != (USER, PASSWORD) {
        return Answer::Code(400);
    }
    if state.second_factor.is_some() {
        match (param("otp_code"), param("device_id"), param("device_name")) {
            (CODE, "", "Homelog") => assert_eq!(param("enable_device_token"), "yes"),
            ("", DEVICE, "Homelog") => {}
            ("", ..) => return Answer::Code(403),
            _ => return Answer::Code(404),
        }
    }
    state.logins += 1;
    let sid = format!("{SID}{}", state.logins);
    state.sids.push(sid.clone());
    let mut data = json!({"sid": sid, "is_portal_port": false});
    if state.dsm > 5 {
        assert_eq!(param("enable_syno_token"), "yes");
        data["synotoken"] = json!(TOKEN);
    }
    if let (Some(key), "yes") = (state.second_factor, param("enable_device_token")) {
        data[key] = json!(DEVICE);
    }
    Answer::Data(data)
}

fn utilization(works: bool) -> Value {
    let moved = if works { 4096 } else { 0 };
    json!({
        "cpu": {"1min_load": 50, "5min_load": 40, "15min_load": 30, "user_load": 20, "system_load": 5, "other_load": 9},
        "memory": {"memory_size": 8_388_608, "total_real": 8_000_000, "avail_real": 1_000_000, "buffer": 500_000,
            "cached": 2_500_000, "real_usage": 50, "total_swap": 4_000_000, "avail_swap": 4_000_000},
        "network": [{"device": "total", "rx": 900, "tx": 100}, {"device": "eth0", "rx": 900, "tx": 100}],
        "disk": {"disk": [{"device": "sda", "display_name": "Drive 1", "type": "internal", "utilization": moved / 1024,
            "read_access": 0, "write_access": moved / 1024, "read_byte": 0, "write_byte": moved}],
            "total": {"read_byte": 0, "write_byte": moved, "utilization": moved / 1024}},
        "space": {"volume": [{"device": "md2", "display_name": "volume1", "utilization": 1, "read_byte": 7, "write_byte": moved}]},
        "time": 1_700_000_000
    })
}

fn storage() -> Value {
    json!({
        "disks": [{"id": "sda", "name": "Drive 1", "serial": "WD-1", "model": "X200", "status": "normal", "smart_status": "normal",
            "temp": 33, "size_total": "4000787030016", "isSsd": false, "diskType": "SATA", "used_by": "reuse_1"}],
        "volumes": [{"id": "volume_1", "vol_path": "/volume1", "status": "normal", "fs_type": "btrfs",
            "size": {"used": "250", "total": "1000"}, "progress": {"percent": "-1", "step": "none"}}],
        "storagePools": [{"id": "reuse_1", "num_id": 1, "status": "normal", "disk_failure_number": 0,
            "size": {"used": "1000", "total": "1000"}, "progress": {"percent": "-1", "step": "none"},
            "raids": [{"designedDiskCount": 1, "normalDevCount": 1}]}],
        "overview_data": {"status_level": "status_level_normal"}
    })
}
