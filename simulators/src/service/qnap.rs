//! QNAP QTS 5: `/cgi-bin/*.cgi`, XML in which nearly every text is CDATA, and HTTP 200 whatever happens.

mod storage;
mod system;

use base64::Engine as _;
use schemas::time::Timestamp;

use super::Service;
use crate::{
    call::Call,
    reply::Reply,
    session::{self, Failures, Sessions},
    world::{World, chance, nas::Nas},
};

/// A session ends after an hour without use.
const IDLE_SECONDS: i64 = 3600;
/// The code that the account with a second step is sent.
const CODE: &str = "123456";

/// A NAS with QTS.
pub(crate) struct Qnap {
    world: World,
    nas: Nas,
    password: String,
    sessions: Sessions,
    failures: Failures,
}

/// `<name><![CDATA[text]]></name>`.
fn tag(name: &str, text: impl std::fmt::Display) -> String {
    format!("<{name}><![CDATA[{text}]]></{name}>")
}

/// `<name>text</name>`, as some of its scripts write numbers.
fn bare(name: &str, text: impl std::fmt::Display) -> String {
    format!("<{name}>{text}</{name}>\n")
}

impl Qnap {
    /// A TS-464.
    pub(crate) fn new(world: World, password: &str) -> Self {
        Self {
            nas: Nas::ts464(&world),
            password: password.to_owned(),
            sessions: Sessions::new(world.seed(), "nas3", IDLE_SECONDS, |a, b| {
                let id = session::hexadecimal(a, b);
                id.chars().take(8).collect()
            }),
            failures: Failures::new(5, 1800),
            world,
        }
    }

    /// What stands in every answer.
    fn head(&self) -> String {
        format!(
            "<authPassed><![CDATA[1]]></authPassed><model>{}{}{}{}{}</model>\n<firmware>{}{}{}{}{}</firmware>\n{}{}\n",
            tag("modelName", "TS-X64"),
            tag("internalModelName", "TS-X64"),
            tag("platform", "TS-NASX86"),
            tag("displayModelName", self.nas.model),
            bare("storage_v2", 1),
            tag("version", "5.1.3"),
            tag("number", "2578"),
            tag("build", "20231110"),
            tag("patch", 0),
            tag("buildTime", "2023/11/10"),
            tag("specVersion", "1.0"),
            tag("hostname", self.nas.name),
        )
    }

    fn log_in(&self, call: &Call, now: Timestamp) -> Reply {
        if self.failures.blocks(call.peer, now) {
            return self.blocked(call);
        }
        let user = call.param("user").unwrap_or("");
        let password = call.param("plain_pwd").map_or_else(
            || {
                let text = call.param("pwd").unwrap_or("");
                let bytes = base64::engine::general_purpose::STANDARD.decode(text);
                bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok())
            },
            |password| Some(password.to_owned()),
        );
        let booting = tag("is_booting", 0) + &tag("mediaReady", 1);
        let known = matches!(user, "homelog" | "otp");
        if !known || password.as_deref() != Some(&self.password) {
            self.failures.count(call.peer, now);
            let refused = tag("authPassed", 0) + &tag("errorValue", -1) + &tag("username", user);
            return page(&(booting + &refused));
        }
        if user == "otp" && call.param("security_code") != Some(CODE) {
            let more = tag("authPassed", 0)
                + &tag("need_2sv", 1)
                + &tag("lost_phone", 1)
                + &tag("emergency_try_count", 0)
                + &tag("emergency_try_limit", 5);
            return page(&(booting + &more));
        }
        let Some(session) = self.sessions.open(now, None) else {
            return page(&booting);
        };
        page(&format!(
            "{booting}{}{}{}{}{}{}{}{}",
            tag("authPassed", 1),
            tag("authSid", &session.id),
            tag("pw_status", 0),
            tag("isAdmin", 1),
            tag("username", user),
            tag("groupname", "administrators"),
            tag("ts", now.as_millis() / 1000 % 100_000_000),
            tag("SUID", chance::digits(self.world.seed(), "suid", 32)),
        ))
    }

    /// The inside of an answer; absent if the script is not there.
    fn data(&self, call: &Call, script: &str, now: Timestamp) -> Option<String> {
        let param = |name: &str| call.param(name).unwrap_or("");
        let reading = self.nas.read(&self.world, now);
        match script {
            "management/manaRequest.cgi" if param("subfunc") == "sysinfo" => {
                Some(if call.param("sysHealth") == Some("1") {
                    self.health(&reading)
                } else {
                    self.sysinfo(&reading)
                })
            }
            "management/chartReq.cgi" => match param("chart_func") {
                "disk_usage" => Some(self.disk_usage(&reading)),
                "bandwidth" => Some(Self::bandwidth(&reading)),
                // what older versions had is still asked for; nothing comes back
                "QSM40bandwidth" => Some(String::new()),
                _ => None,
            },
            "disk/qsmart.cgi" if param("func") == "all_hd_data" => Some(self.disks(&reading)),
            "disk/disk_manage.cgi" => match (param("func"), param("store")) {
                ("extra_get", _) => Some(self.volumes(&reading)),
                (_, "poolList") => Some(self.pools()),
                ("external_get_all", _) => Some("<Disk_Vol></Disk_Vol>".to_owned()),
                _ => None,
            },
            "sys/sysRequest.cgi" if param("subfunc") == "firm_update" => Some(self.firmware(now)),
            "devices/devRequest.cgi" if param("func") == "getExternalDev" => Some(
                "<func><ownContent><externalDevice></externalDevice></ownContent></func>"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// An answer.
fn page(inside: &str) -> Reply {
    // clients compare the type as it stands
    Reply::page(
        200,
        "text/xml",
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<QDocRoot version=\"1.0\">\n{inside}</QDocRoot>"
        ),
    )
}

impl Service for Qnap {
    fn answer(&self, call: &Call, now: Timestamp) -> Reply {
        let Some(script) = call.path.strip_prefix("/cgi-bin/") else {
            return Reply::page(
                200,
                "text/html",
                "<html><title>QNAP Turbo NAS</title></html>",
            );
        };
        let sid = call
            .param("sid")
            .map(ToOwned::to_owned)
            .or_else(|| call.cookie("NAS_SID"));
        match script {
            "authLogin.cgi" => return self.log_in(call, now),
            "authLogout.cgi" => {
                if let Some(sid) = sid {
                    self.sessions.close(&sid, now);
                }
                return page(&tag("authPassed", 0));
            }
            _ => {}
        }
        if sid.and_then(|sid| self.sessions.take(&sid, now)).is_none() {
            return page(&tag("authPassed", 0));
        }
        match self.data(call, script, now) {
            Some(inside) => page(&(self.head() + &inside)),
            None => Reply::page(404, "text/html", "<html><body>404 Not Found</body></html>"),
        }
    }

    fn expire(&self, _call: &Call) -> Option<Reply> {
        self.sessions.expire();
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_770_000_000_000);

    fn log_in(nas: &Qnap, user: &str, password: &str, more: &str) -> String {
        let password = base64::engine::general_purpose::STANDARD.encode(password);
        let form = format!("user={user}&pwd={}{more}", password.replace('=', "%3D"));
        nas.answer(&Call::post("/cgi-bin/authLogin.cgi", &form), NOW)
            .said()
    }

    fn between<'a>(text: &'a str, name: &str) -> Option<&'a str> {
        let (_, rest) = text.split_once(&format!("<{name}><![CDATA["))?;
        Some(rest.split_once("]]>")?.0)
    }

    #[test]
    fn a_login_opens_and_a_wrong_password_is_refused_in_a_200() {
        let nas = Qnap::new(World::new(1, 0), "pw");
        let ok = log_in(&nas, "homelog", "pw", "");
        let sid = between(&ok, "authSid").unwrap();
        let sysinfo = "/cgi-bin/management/manaRequest.cgi?subfunc=sysinfo&hd=no&multicpu=1&sid=";
        let stats = nas.answer(&Call::get(&format!("{sysinfo}{sid}")), NOW);
        assert_eq!(stats.status, 200);
        assert!(between(&stats.said(), "cpu_usage").unwrap().ends_with(" %"));
        let nobody = nas
            .answer(&Call::get(&format!("{sysinfo}none")), NOW)
            .said();
        assert_eq!(between(&nobody, "authPassed"), Some("0"));
        let wrong = log_in(&nas, "homelog", "wrong", "");
        assert_eq!(between(&wrong, "errorValue"), Some("-1"));
        assert_eq!(
            between(&log_in(&nas, "otp", "pw", ""), "need_2sv"),
            Some("1")
        );
        let code = log_in(&nas, "otp", "pw", "&security_code=123456");
        assert_eq!(between(&code, "authPassed"), Some("1"));
        nas.expire(&Call::get("/"));
        let after = nas
            .answer(&Call::get(&format!("{sysinfo}{sid}")), NOW)
            .said();
        assert_eq!(between(&after, "authPassed"), Some("0"));
    }

    #[test]
    fn who_fails_five_times_is_kept_out() {
        let nas = Qnap::new(World::new(1, 0), "pw");
        for _ in 0..5 {
            log_in(&nas, "homelog", "wrong", "");
        }
        let form = "user=homelog&pwd=cHc%3D";
        assert_eq!(
            nas.answer(&Call::post("/cgi-bin/authLogin.cgi", form), NOW)
                .status,
            403
        );
    }
}
