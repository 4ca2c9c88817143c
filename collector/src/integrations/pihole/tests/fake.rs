//! A Pi-hole that says what a test wants, also what no Pi-hole would, over a real socket.

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

pub(super) const APP_PASSWORD: &str = "kM3pS8/app+word=";
pub(super) const TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[derive(Clone)]
pub(super) enum Answer {
    Text(u16, String),
    /// A redirect.
    Elsewhere(&'static str),
    /// Bytes as they are, then the connection is closed.
    Raw(&'static [u8]),
    Silence,
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::Text(status, body.to_string())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    V5,
    V6,
}

pub(super) struct State {
    pub(super) kind: Kind,
    /// It has no password.
    pub(super) open: bool,
    /// Sessions that it knows.
    pub(super) sids: Vec<String>,
    pub(super) logins: usize,
    pub(super) blocking: &'static str,
    /// What a request of this method and path answers instead.
    pub(super) instead: HashMap<String, Answer>,
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
    pub(super) async fn start(kind: Kind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Arc::new(Mutex::new(State {
            kind,
            open: false,
            sids: Vec::new(),
            logins: 0,
            blocking: "enabled",
            instead: HashMap::new(),
            requests: Vec::new(),
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

    pub(super) fn instead(&self, request: &str, answer: Answer) {
        self.set(|state| {
            state.instead.insert(request.to_owned(), answer);
        });
    }

    pub(super) fn logins(&self) -> usize {
        self.state.lock().unwrap().logins
    }

    pub(super) fn sids(&self) -> Vec<String> {
        self.state.lock().unwrap().sids.clone()
    }

    /// How many requests began so.
    pub(super) fn asked(&self, beginning: &str) -> usize {
        let state = self.state.lock().unwrap();
        let requests = state.requests.iter();
        requests.filter(|r| r.starts_with(beginning)).count()
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    loop {
        let head = web::head(&mut stream).await?;
        let header = |name: &str| web::header(&head, name);
        let length = header("content-length").map_or(0, |n| n.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let mut words = head.split(' ');
        let method = words.next().unwrap().to_owned();
        let target = words.next().unwrap().to_owned();
        let path = target.split('?').next().unwrap().to_owned();
        let answer = {
            let mut state = state.lock().unwrap();
            state.requests.push(format!("{method} {target}"));
            let is_login = method == "POST" && path == "/api/auth";
            if is_login {
                state.logins += 1;
            }
            let instead = state.instead.get(&format!("{method} {path}")).cloned();
            instead.unwrap_or_else(|| match state.kind {
                Kind::V5 => v5(&target, &state),
                Kind::V6 => v6(
                    &method,
                    &path,
                    header("x-ftl-sid").as_deref(),
                    &body,
                    &mut state,
                ),
            })
        };
        match answer {
            Answer::Silence => std::future::pending().await,
            Answer::Raw(bytes) => return stream.write_all(bytes).await,
            Answer::Elsewhere(to) => {
                let head =
                    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
            }
            Answer::Text(status, body) => {
                let length = if status == 204 { 0 } else { body.len() };
                let head = format!(
                    "HTTP/1.1 {status} As it is\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).await?;
                if status != 204 {
                    stream.write_all(body.as_bytes()).await?;
                }
            }
        }
    }
}

fn session(valid: bool, sid: Option<&str>, message: &str) -> Value {
    json!({"session": {"valid": valid, "totp": false, "sid": sid, "validity": if sid.is_some() { 1800 } else { -1 },
        "message": message}, "took": 0.1})
}

pub(super) fn error(key: &str, message: &str) -> Value {
    json!({"error": {"key": key, "message": message, "hint": null}, "took": 0.1})
}

fn v6(method: &str, path: &str, sid: Option<&str>, body: &[u8], state: &mut State) -> Answer {
    let is_known = sid.is_some_and(|sid| state.sids.iter().any(|known| known == sid));
    match (method, path) {
        (_, path) if !path.starts_with("/api/") => Answer::Text(404, "<html></html>".to_owned()),
        ("GET" | "POST", "/api/auth") if state.open => {
            Answer::json(200, &session(true, None, "no password set"))
        }
        ("GET", "/api/auth") => Answer::json(401, &session(false, None, "no SID provided")),
        ("POST", "/api/auth") => {
            let body: Value = serde_json::from_slice(body).unwrap();
            if body["password"] == APP_PASSWORD {
                let sid = format!("sid+/{}=", state.logins);
                let answer = session(true, Some(&sid), "app-password correct");
                state.sids.push(sid);
                Answer::json(200, &answer)
            } else {
                Answer::json(401, &session(false, None, "password incorrect"))
            }
        }
        ("DELETE", "/api/auth") if is_known => {
            state.sids.retain(|known| sid != Some(known.as_str()));
            Answer::Text(204, String::new())
        }
        _ if !is_known && !state.open => Answer::json(401, &error("unauthorized", "Unauthorized")),
        ("GET", path) => match v6_body(path, state) {
            Some(body) => Answer::json(200, &body),
            None => Answer::json(404, &error("not_found", "Not found")),
        },
        _ => Answer::json(404, &error("not_found", "Not found")),
    }
}

fn v6_body(path: &str, state: &State) -> Option<Value> {
    Some(match path {
        "/api/stats/summary" => json!({
            "queries": {"total": 100, "blocked": 20, "percent_blocked": 20.0, "unique_domains": 30, "forwarded": 50,
                "cached": 30, "frequency": 0.5, "types": {"A": 100}},
            "clients": {"active": 4, "total": 6},
            "gravity": {"domains_being_blocked": 123_456, "last_update": 1_600_000_000}
        }),
        "/api/dns/blocking" => json!({"blocking": state.blocking,
            "timer": if state.blocking == "disabled" { Some(59.6) } else { None }}),
        "/api/info/version" => json!({"version": {"core": {"local": {"version": "v6.2"}},
            "ftl": {"local": {"version": "v6.4"}}, "docker": {"local": null}}}),
        "/api/info/messages/count" => json!({"count": 2}),
        "/api/stats/upstreams" => json!({"total_queries": 100, "upstreams": [
            {"ip": "cache", "name": "cache", "port": -1, "count": 30, "statistics": {"response": 0}},
            {"ip": "192.0.2.1", "name": "dns.example", "port": 53, "count": 50, "statistics": {"response": 0.012_345_678}}]}),
        "/api/stats/top_domains" => {
            let rows: Vec<_> = (0..40)
                .map(|n| json!({"domain": format!("d{n}.example"), "count": 40 - n}))
                .collect();
            json!({ "domains": rows })
        }
        "/api/stats/top_clients" => {
            json!({"clients": [{"ip": "192.0.2.50", "name": "tv.lan", "count": 9}]})
        }
        _ => return None,
    })
}

fn v5(target: &str, state: &State) -> Answer {
    let Some(query) = target.strip_prefix("/admin/api.php?") else {
        return Answer::Text(404, "<html></html>".to_owned());
    };
    let asked: Vec<_> = query
        .split('&')
        .map(|pair| pair.split('=').next().unwrap())
        .collect();
    if asked == ["type", "version"] {
        return Answer::json(200, &json!({"type": "FTL", "version": 3}));
    }
    if !state.open && !query.split('&').any(|pair| pair == format!("auth={TOKEN}")) {
        return Answer::Text(200, "[]".to_owned());
    }
    let mut body = json!({});
    for what in asked {
        let part = match what {
            "summaryRaw" => {
                json!({"domains_being_blocked": 9, "dns_queries_today": 100, "ads_blocked_today": 20,
                "ads_percentage_today": 20.0, "unique_clients": 4, "status": state.blocking})
            }
            "getForwardDestinations" => json!({"forward_destinations":
                {"cached|cached": 30, "dns.example#53|192.0.2.1#53": 50.0}}),
            "versions" => json!({"core_current": "v5.18", "FTL_current": "v5.25"}),
            "topItems" => json!({"top_queries": {"a.example": 5}, "top_ads": []}),
            "topClients" => json!({"top_sources": {"tv.lan|192.0.2.50": 9}}),
            _ => json!({}),
        };
        for (key, value) in part.as_object().unwrap() {
            body[key] = value.clone();
        }
    }
    Answer::json(200, &body)
}
