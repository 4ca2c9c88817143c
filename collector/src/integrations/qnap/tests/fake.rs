//! A QNAP NAS that says what a test wants, also what no NAS would, over a real socket. Its disks fall asleep when a test says
//! so, and wake up when anybody asks for what is on them.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use supervision::Supervisor;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::testing::web::{self, serve_all};

pub(super) const PASSWORD: &str = "pä55 wörd/+=&";
/// As the login page encodes it, and then the form.
const ENCODED: &str = "pwd=cMOkNTUgd8O2cmQvKz0m";

#[derive(Clone)]
pub(super) enum Answer {
    /// What stands below `QDocRoot`.
    Reply(String),
    Text(u16, String),
    /// Bytes as they are, then the connection is closed.
    Raw(&'static [u8]),
    Silence,
}

impl Answer {
    pub(super) fn reply(inside: &str) -> Self {
        Self::Reply(inside.to_owned())
    }
}

#[derive(Default)]
pub(super) struct State {
    /// Sessions that it knows.
    pub(super) sids: Vec<String>,
    pub(super) logins: usize,
    /// It gives the session only to whoever asks by GET.
    pub(super) by_get_only: bool,
    pub(super) asleep: bool,
    /// How often somebody woke the disks.
    pub(super) woken: usize,
    /// QTS 5 tells in each poll whether disks have a temperature.
    pub(super) tells_bays: bool,
    pub(super) health: &'static str,
    /// What a call answers instead, by a part of its path and query, or a login by `login`.
    pub(super) instead: HashMap<&'static str, Answer>,
    /// Method and target of every request.
    pub(super) requests: Vec<String>,
}

pub(super) struct Fake {
    address: SocketAddr,
    pub(super) state: Arc<Mutex<State>>,
    supervisor: Supervisor,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.supervisor.stop();
    }
}

impl Fake {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Arc::new(Mutex::new(State {
            health: "good",
            ..State::default()
        }));
        let supervisor = Supervisor::new();
        let fake = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::clone(&state),
            supervisor: supervisor.clone(),
        };
        serve_all(&supervisor, listener, move |stream| {
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

    pub(super) fn instead(&self, call: &'static str, answer: Answer) {
        self.set(|state| drop(state.instead.insert(call, answer)));
    }

    pub(super) fn get<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.lock().unwrap())
    }

    /// How many requests had these words in them.
    pub(super) fn asked(&self, words: &str) -> usize {
        self.get(|state| state.requests.iter().filter(|r| r.contains(words)).count())
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    loop {
        let head = web::head(&mut stream).await?;
        let length = web::header(&head, "content-length").map_or(0, |n| n.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let mut words = head.split(' ');
        let method = words.next().unwrap().to_owned();
        let target = words.next().unwrap().to_owned();
        let answer = {
            let mut state = state.lock().unwrap();
            state.requests.push(format!("{method} {target}"));
            answer(
                &method,
                &target,
                &String::from_utf8(body).unwrap(),
                &mut state,
            )
        };
        let (status, text) = match answer {
            Answer::Silence => std::future::pending().await,
            Answer::Raw(bytes) => return stream.write_all(bytes).await,
            Answer::Text(status, text) => (status, text),
            Answer::Reply(inside) => (
                200,
                format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<QDocRoot version=\"1.0\">\n{inside}\n</QDocRoot>"
                ),
            ),
        };
        let head = format!(
            "HTTP/1.1 {status} As it is\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        );
        stream.write_all(head.as_bytes()).await?;
    }
}

const REFUSED: &str =
    "<authPassed><![CDATA[0]]></authPassed><errorValue><![CDATA[-1]]></errorValue>";

fn answer(method: &str, target: &str, body: &str, state: &mut State) -> Answer {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path == "/cgi-bin/authLogin.cgi" {
        state.logins += usize::from(method == "POST");
        if let Some(answer) = state.instead.get("login") {
            return answer.clone();
        }
        let form = if method == "POST" { body } else { query };
        if !form.split('&').any(|pair| pair == "user=homelog")
            || !form.split('&').any(|pair| pair == ENCODED)
        {
            return Answer::reply(REFUSED);
        }
        if state.by_get_only && method == "POST" {
            return Answer::reply("<authPassed>1</authPassed><isAdmin>1</isAdmin>");
        }
        let sid = format!("sid{}x", state.logins);
        state.sids.push(sid.clone());
        return Answer::Reply(format!(
            "<is_booting><![CDATA[0]]></is_booting><authPassed><![CDATA[1]]></authPassed><authSid><![CDATA[{sid}]]></authSid>\
             <isAdmin><![CDATA[1]]></isAdmin>"
        ));
    }
    let sid = query.split('&').find_map(|pair| pair.strip_prefix("sid="));
    let sid = sid.unwrap_or_default().to_owned();
    if path == "/cgi-bin/authLogout.cgi" {
        state.sids.retain(|known| *known != sid);
        return Answer::reply("<authPassed>0</authPassed>");
    }
    if !state.sids.contains(&sid) {
        return Answer::reply(REFUSED);
    }
    let mut instead = state.instead.iter();
    if let Some((_, answer)) = instead.find(|(call, _)| target.contains(*call)) {
        return answer.clone();
    }
    let call = format!("{}?{query}", path.trim_start_matches("/cgi-bin/"));
    let inside = if call.contains("sysHealth=1") {
        format!(
            "<func><ownContent><sysHealth><status><![CDATA[{}]]></status></sysHealth></ownContent></func>",
            state.health
        )
    } else if call.starts_with("management/manaRequest.cgi?subfunc=sysinfo") {
        system(state)
    } else if call.contains("chart_func=QSM40bandwidth") {
        "<bandwidth_info><item><id>eth0</id><name>LAN 1</name><rx>500</rx><tx>1000</tx></item>\
         <item><id>bond0</id><name>LAN 1+2</name><rx>5</rx><tx>10</tx></item></bandwidth_info>"
            .to_owned()
    } else if call.contains("chart_func=disk_usage") {
        state.woken += usize::from(std::mem::take(&mut state.asleep));
        VOLUMES.to_owned()
    } else if call.starts_with("disk/qsmart.cgi?func=all_hd_data") {
        disks(state)
    } else if call.contains("firm_update") {
        "<func><ownContent><newVersion>4.5.4 Build 1</newVersion></ownContent></func>".to_owned()
    } else {
        return Answer::Text(404, "<html>no such page</html>".to_owned());
    };
    Answer::Reply(format!(
        "<authPassed><![CDATA[1]]></authPassed>{MODEL}{inside}"
    ))
}

const MODEL: &str = "<model><displayModelName><![CDATA[TS-X]]></displayModelName></model>\
    <firmware><version><![CDATA[4.5.2]]></version></firmware><hostname><![CDATA[attic]]></hostname>";

const VOLUMES: &str = "<volumeList><volume><volumeValue>1</volumeValue><volumeLabel>Data</volumeLabel><volumeStat>mirror</volumeStat>\
    <volumeStatus>0</volumeStatus></volume></volumeList><volumeUseList><volumeUse><volumeValue>1</volumeValue>\
    <total_size>1000</total_size><free_size>250</free_size><folder_element><sharename>Public</sharename>\
    <used_size>12</used_size></folder_element></volumeUse></volumeUseList>";

fn system(state: &State) -> String {
    let temperature = if state.asleep { 0 } else { 35 };
    let bays = format!(
        "<disk_num>1</disk_num><disk_installed1>1</disk_installed1><tempc1>{temperature}</tempc1>"
    );
    format!(
        "<func><ownContent><root><cpu_usage><![CDATA[12.5 %]]></cpu_usage><total_memory>1024.0</total_memory>\
         <free_memory>256.0</free_memory><sys_tempc>38</sys_tempc><uptime_day>0</uptime_day><uptime_hour>0</uptime_hour>\
         <uptime_min>1</uptime_min><uptime_sec>1</uptime_sec><sysfan_count>1</sysfan_count><sysfan1>900</sysfan1>\
         <sysfan1_stat>0</sysfan1_stat><nic_cnt>1</nic_cnt><eth_status1>1</eth_status1><rx_packet1>10</rx_packet1>\
         <eth_mac1>00:08:9b:00:00:01</eth_mac1>{}</root></ownContent></func>",
        if state.tells_bays { &bays } else { "" }
    )
}

fn disks(state: &State) -> String {
    let temperature = if state.asleep { "" } else { "35" };
    format!(
        "<Disk_Info><entry><HDNo>0:1</HDNo><Model>WD1</Model><Serial>S1</Serial><Health>OK</Health><Disk_Status>0</Disk_Status>\
         <Temperature><oC>{temperature}</oC><oF></oF></Temperature><hd_is_ssd>0</hd_is_ssd></entry></Disk_Info>"
    )
}
