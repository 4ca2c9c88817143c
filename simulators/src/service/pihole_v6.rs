//! Pi-hole 6: FTL's own web server at `/api`, with sessions of which there are sixteen.

mod info;
mod stats;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hyper::Method;
use schemas::time::Timestamp;
use serde_json::{Value, json};

use super::Service;
use crate::{
    call::Call,
    reply::Reply,
    session::{self, Sessions},
    world::{World, dns::Dns},
};

/// Seats: `webserver.api.max_sessions`.
const SEATS: usize = 16;
/// `webserver.session.timeout`.
const VALIDITY_SECONDS: i64 = 1800;
/// What a check of a password costs.
const CHECK: Duration = Duration::from_millis(300);
/// Checks within a second before it refuses more.
const CHECKS: usize = 3;

/// Whether it blocks, and until when it does not.
#[derive(Clone, Copy)]
struct Blocking {
    on: bool,
    /// When it turns over again.
    until: Option<Timestamp>,
}

/// A Pi-hole 6.
pub(crate) struct PiholeV6 {
    world: World,
    dns: Dns,
    password: String,
    sessions: Sessions,
    blocking: Mutex<Blocking>,
    checks: Mutex<Vec<Timestamp>>,
}

impl PiholeV6 {
    /// One with a password.
    pub(crate) fn new(world: World, password: &str) -> Self {
        Self {
            sessions: Sessions::new(world.seed(), "dns2", VALIDITY_SECONDS, session::base64),
            dns: Dns::new("dns2", 0.48),
            password: password.to_owned(),
            blocking: Mutex::new(Blocking {
                on: true,
                until: None,
            }),
            checks: Mutex::new(Vec::new()),
            world,
        }
    }

    fn blocking(&self, now: Timestamp) -> Blocking {
        let mut blocking = self.blocking.lock().unwrap_or_else(PoisonError::into_inner);
        if blocking.until.is_some_and(|until| until <= now) {
            *blocking = Blocking {
                on: !blocking.on,
                until: None,
            };
        }
        *blocking
    }

    fn blocking_told(&self, now: Timestamp) -> Value {
        let blocking = self.blocking(now);
        json!({
            "blocking": if blocking.on { "enabled" } else { "disabled" },
            "timer": blocking.until.map(|until| until.since(now) / 1000),
        })
    }

    fn switch(&self, call: &Call, now: Timestamp) -> Reply {
        let Some(body) = call.json() else {
            return failure(400, "bad_request", "No request body data", None);
        };
        let Some(on) = body.get("blocking").and_then(Value::as_bool) else {
            return failure(
                400,
                "body_error",
                "No \"blocking\" boolean in body data",
                None,
            );
        };
        let timer = body.get("timer").and_then(Value::as_i64);
        let timer = timer.filter(|seconds| (1..=31_536_000).contains(seconds));
        *self.blocking.lock().unwrap_or_else(PoisonError::into_inner) = Blocking {
            on,
            until: timer.map(|seconds| now.plus_millis(seconds * 1000)),
        };
        told(200, self.blocking_told(now))
    }

    /// Whether there were too many checks of passwords in this second; this one counts.
    fn too_many_checks(&self, now: Timestamp) -> bool {
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.retain(|at| now.since(*at) < 1000);
        if checks.len() >= CHECKS {
            return true;
        }
        checks.push(now);
        false
    }

    fn log_in(&self, call: &Call, now: Timestamp) -> Reply {
        if call.body.is_empty() {
            return failure(400, "bad_request", "No request body data", None);
        }
        let Some(body) = call.json() else {
            let hint = json!("JSON cannot be read");
            return failure(
                400,
                "bad_request",
                "Invalid request body data (no valid JSON)",
                Some(&hint),
            );
        };
        let password = match body.get("password") {
            None => {
                return failure(
                    400,
                    "bad_request",
                    "No password found in JSON payload",
                    None,
                );
            }
            Some(Value::String(password)) => password,
            Some(_) => {
                return failure(
                    400,
                    "bad_request",
                    "Field password has to be of type 'string'",
                    None,
                );
            }
        };
        if self.too_many_checks(now) {
            return self.limited();
        }
        if *password != self.password {
            let session = json!({
                "valid": false,
                "totp": false,
                "sid": null,
                "validity": -1,
                "message": "password incorrect"
            });
            return told(401, json!({ "session": session })).after(CHECK);
        }
        let Some(session) = self.sessions.open(now, Some(SEATS)) else {
            let hint = json!("increase webserver.api.max_sessions");
            return failure(429, "api_seats_exceeded", "API seats exceeded", Some(&hint))
                .after(CHECK);
        };
        let told_session = json!({
            "valid": true,
            "totp": false,
            "sid": session.id,
            "csrf": session.csrf,
            "validity": VALIDITY_SECONDS,
            "message": "password correct"
        });
        kept(told(200, json!({ "session": told_session })), &session.id).after(CHECK)
    }

    fn data(&self, call: &Call, path: &str, now: Timestamp) -> Reply {
        if path == "dns/blocking" {
            return match call.method {
                Method::GET => told(200, self.blocking_told(now)),
                Method::POST => self.switch(call, now),
                _ => missing(call),
            };
        }
        if call.method != Method::GET {
            return missing(call);
        }
        match path {
            "auth/sessions" => {
                let current = sid(call);
                let sessions: Vec<_> = self
                    .sessions
                    .all(now)
                    .iter()
                    .enumerate()
                    .map(|(n, session)| {
                        json!({
                            "id": n,
                            "current_session": current.as_deref() == Some(&session.id),
                            "valid": true,
                            "tls": {"login": false, "mixed": false},
                            "login_at": session.opened.as_millis() / 1000,
                            "last_active": session.used.as_millis() / 1000,
                            "valid_until": session.used.as_millis() / 1000 + VALIDITY_SECONDS,
                            "remote_addr": "127.0.0.1",
                            "user_agent": null,
                            "x_forwarded_for": null,
                            "app": false,
                            "cli": false
                        })
                    })
                    .collect();
                told(200, json!({ "sessions": sessions }))
            }
            "config/webserver/api/max_sessions" => told(
                200,
                json!({"config": {"webserver": {"api": {"max_sessions": SEATS}}}}),
            ),
            _ => {
                let answer = self
                    .stats(call, path, now)
                    .or_else(|| self.info(path, now).map(Ok));
                match answer {
                    Some(Ok(answer)) => told(200, answer),
                    Some(Err(reply)) => reply,
                    None => missing(call),
                }
            }
        }
    }
}

/// The session that a call names, by any of the ways that FTL takes.
fn sid(call: &Call) -> Option<String> {
    let named = call
        .header("x-ftl-sid")
        .or_else(|| call.header("sid"))
        .or_else(|| call.param("sid"))
        .map(ToOwned::to_owned);
    named.or_else(|| {
        call.header("x-csrf-token")?;
        call.cookie("sid")
    })
}

/// An answer with what it took.
fn told(status: u16, mut answer: Value) -> Reply {
    answer["took"] = json!(0.000_061_988_830_566_406_25);
    Reply::page(
        status,
        "application/json; charset=utf-8",
        answer.to_string(),
    )
    .header(
        "cache-control",
        "no-cache, no-store, must-revalidate, private, max-age=0",
    )
}

/// An answer that keeps a session.
fn kept(reply: Reply, sid: &str) -> Reply {
    let cookie = format!("sid={sid}; SameSite=Lax; Path=/; Max-Age={VALIDITY_SECONDS}; HttpOnly");
    reply.header("set-cookie", cookie)
}

fn failure(status: u16, key: &str, message: &str, hint: Option<&Value>) -> Reply {
    told(
        status,
        json!({"error": {"key": key, "message": message, "hint": hint}}),
    )
}

fn missing(call: &Call) -> Reply {
    failure(404, "not_found", "Not found", Some(&json!(call.path)))
}

impl Service for PiholeV6 {
    fn answer(&self, call: &Call, now: Timestamp) -> Reply {
        let Some(path) = call.path.strip_prefix("/api/") else {
            return Reply::page(200, "text/html", "<html><title>Pi-hole</title></html>");
        };
        match (path, &call.method) {
            ("auth", &Method::POST) => return self.log_in(call, now),
            ("info/login", &Method::GET) => {
                return told(200, json!({"dns": true, "https_port": 0}));
            }
            _ => {}
        }
        let named = sid(call);
        let session = named.as_ref().and_then(|id| self.sessions.take(id, now));
        let Some(session) = session else {
            if path == "auth" && call.method == Method::GET {
                let message = match named {
                    Some(_) => "session unknown",
                    None => "no SID provided",
                };
                let session = json!({
                    "valid": false,
                    "totp": false,
                    "sid": null,
                    "validity": -1,
                    "message": message
                });
                return told(401, json!({ "session": session }));
            }
            return failure(401, "unauthorized", "Unauthorized", None);
        };
        match (path, &call.method) {
            ("auth", &Method::GET) => {
                let told_session = json!({
                    "valid": true,
                    "totp": false,
                    "sid": session.id,
                    "csrf": session.csrf,
                    "validity": VALIDITY_SECONDS,
                    "message": "correct password"
                });
                kept(told(200, json!({ "session": told_session })), &session.id)
            }
            ("auth", &Method::DELETE) => {
                self.sessions.close(&session.id, now);
                Reply::page(204, "application/json; charset=utf-8", "")
            }
            _ => kept(self.data(call, path, now), &session.id),
        }
    }

    fn expire(&self, _call: &Call) -> Option<Reply> {
        self.sessions.expire();
        None
    }

    fn limited(&self) -> Reply {
        failure(429, "rate_limiting", "Rate-limiting login attempts", None)
    }

    fn blocked(&self, _call: &Call) -> Reply {
        failure(403, "forbidden", "Access denied", None)
    }

    fn fails(&self) -> Reply {
        failure(500, "internal_error", "Internal server error", None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_770_000_000_000);

    fn pihole() -> PiholeV6 {
        PiholeV6::new(World::new(1, 0), "pw")
    }

    fn log_in(pihole: &PiholeV6, password: &str, second: i64) -> Reply {
        let call = Call::sends("/api/auth", &json!({ "password": password }));
        pihole.answer(&call, NOW.plus_millis(second * 1000))
    }

    #[test]
    fn a_session_opens_everything_until_it_is_closed() {
        let pihole = pihole();
        let summary = || Call::get("/api/stats/summary");
        assert_eq!(pihole.answer(&summary(), NOW).status, 401);
        let bad = log_in(&pihole, "wrong", 0);
        assert_eq!(bad.status, 401);
        assert_eq!(bad.value()["session"]["message"], "password incorrect");
        let sid = log_in(&pihole, "pw", 1).value()["session"]["sid"].clone();
        let sid = sid.as_str().unwrap();
        assert!(sid.ends_with('='));
        let answer = pihole.answer(&summary().with("x-ftl-sid", sid), NOW.plus_millis(2000));
        assert_eq!(answer.status, 200);
        assert!(answer.value()["queries"]["total"].as_i64().unwrap() > 1000);
        // a cookie alone is not enough
        let cookie = format!("sid={sid}");
        let alone = pihole.answer(&summary().with("cookie", &cookie), NOW.plus_millis(2000));
        assert_eq!(alone.status, 401);
        let mut bye = Call::get("/api/auth").with("x-ftl-sid", sid);
        bye.method = Method::DELETE;
        assert_eq!(pihole.answer(&bye, NOW.plus_millis(3000)).status, 204);
        let after = pihole.answer(&summary().with("x-ftl-sid", sid), NOW.plus_millis(4000));
        assert_eq!(after.status, 401);
    }

    #[test]
    fn seats_and_checks_are_limited() {
        let pihole = pihole();
        for second in 0..16 {
            assert_eq!(log_in(&pihole, "pw", second).status, 200);
        }
        let full = log_in(&pihole, "pw", 20);
        assert_eq!(
            (full.status, full.value()["error"]["key"].clone()),
            (429, json!("api_seats_exceeded"))
        );
        let keys: Vec<_> = (0..4)
            .map(|_| log_in(&pihole, "wrong", 30).status)
            .collect();
        assert_eq!(keys, [401, 401, 401, 429]);
    }

    #[test]
    fn what_is_wrong_is_said_as_ftl_says_it() {
        let pihole = pihole();
        let sid = log_in(&pihole, "pw", 0).value()["session"]["sid"].clone();
        let sid = sid.as_str().unwrap();
        let missing = pihole.answer(&Call::get("/api/nothere").with("sid", sid), NOW);
        assert_eq!(missing.status, 404);
        assert_eq!(missing.value()["error"]["hint"], "/api/nothere");
        let wrong =
            Call::sends("/api/dns/blocking", &json!({"blocking": "false"})).with("sid", sid);
        assert_eq!(
            pihole.answer(&wrong, NOW).value()["error"]["key"],
            "body_error"
        );
        let off = Call::sends(
            "/api/dns/blocking",
            &json!({"blocking": false, "timer": 60}),
        );
        let off = pihole.answer(&off.with("sid", sid), NOW).value();
        assert_eq!(
            (&off["blocking"], &off["timer"]),
            (&json!("disabled"), &json!(60))
        );
        assert!(pihole.blocking(NOW.plus_millis(60_000)).on);
        let range = pihole.answer(
            &Call::get("/api/stats/database/summary").with("sid", sid),
            NOW,
        );
        assert_eq!(range.status, 400);
    }
}
