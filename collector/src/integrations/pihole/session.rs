//! The one session with a Pi-hole v6, which has few seats: a session is kept until it is refused, made anew once, and given
//! back at the end.

use std::time::Duration;

use http_client::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use supervision::Supervisor;
use tokio::runtime::Handle;
use tracing::debug;

use super::{read, reading::shown};
use crate::{
    FailureClass, PollError,
    service::{Secret, Service},
};

/// Where sessions begin and end.
const PATH: &str = "/api/auth";
/// What carries the session: the only way that needs neither a second secret nor the address.
const HEADER: &str = "X-FTL-SID";
/// A seat becomes free when a session ends, which takes 30 minutes.
const SEATS_RETRY: Duration = Duration::from_mins(5);
/// How soon a session that may read nothing is tried again.
const USELESS_RETRY: Duration = Duration::from_mins(15);
/// How long the way out may take.
const LOG_OUT: Duration = Duration::from_secs(1);
/// Longest session id; real ones have 24 characters.
const LONGEST_SID: usize = 256;

/// How the service lets us in.
enum Access {
    /// Not known yet, or not any more.
    Unknown,
    /// It has no password.
    Open,
    /// With this session.
    Sid(SecretString),
}

/// Why a login failed.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    class: FailureClass,
    why: String,
    retry_after: Option<Duration>,
}

/// Asks one service with one session.
pub(super) struct Session {
    service: Service,
    password: Secret,
    access: Access,
    /// There was a login in this poll; another would only take another seat.
    entered: bool,
    supervisor: Supervisor,
    task: String,
}

impl Session {
    pub(super) fn new(
        service: Service,
        password: Secret,
        supervisor: Supervisor,
        task: String,
    ) -> Self {
        Self {
            service,
            password,
            access: Access::Unknown,
            entered: false,
            supervisor,
            task,
        }
    }

    /// Begins a poll.
    pub(super) const fn begin(&mut self) {
        self.entered = false;
    }

    /// The session id, if there is one.
    pub(super) const fn sid(&self) -> Option<&SecretString> {
        match &self.access {
            Access::Sid(sid) => Some(sid),
            Access::Unknown | Access::Open => None,
        }
    }

    /// Reads a resource, and logs in before if that is needed.
    pub(super) async fn ask(
        &mut self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, PollError> {
        loop {
            if matches!(self.access, Access::Unknown) {
                self.enter().await?;
            }
            let mut request = if query.is_empty() {
                self.service.get(path)
            } else {
                self.service.query(path, query)
            };
            if let Access::Sid(sid) = &self.access {
                request = request.secret_header(HEADER, sid);
            }
            let answer = self.service.send(request).await?;
            if answer.status().is_success() {
                return read(&self.service, answer).await;
            }
            if answer.status().as_u16() != 401 {
                return Err(self.service.refused(answer).await);
            }
            let refused = std::mem::replace(&mut self.access, Access::Unknown);
            if self.entered {
                if let Access::Sid(sid) = refused {
                    self.give_back(&sid);
                }
                let mut error = PollError::new(
                    FailureClass::NoPermission,
                    format!(
                        "Pi-hole at {} lets us in, but then refuses {path} (401): see that nothing between removes the header {HEADER}",
                        self.service.base()
                    ),
                );
                error.retry_after = Some(USELESS_RETRY);
                return Err(error);
            }
            debug!(service = %self.service.base(), "the session with {} ended and is made anew", self.service.base());
        }
    }

    /// Logs in, or finds that nobody has to.
    async fn enter(&mut self) -> Result<(), PollError> {
        let request = if self.password.is_empty() {
            self.service.get(PATH)
        } else {
            let body = json!({ "password": self.password.expose() });
            self.service.post(PATH).json(&body)
        };
        let answer = self.service.send(request).await?;
        let status = answer.status().as_u16();
        let retry_after = answer.retry_after();
        // the status says enough where the body is none of Pi-hole's
        let body = match read(&self.service, answer).await {
            Ok(body) => body,
            Err(e) if e.class == FailureClass::BadAnswer => Value::Null,
            Err(e) => return Err(e),
        };
        match understand(status, &body, !self.password.is_empty()) {
            Ok(access) => {
                self.access = access;
                self.entered = true;
                Ok(())
            }
            Err(refusal) => {
                let mut error = PollError::new(
                    refusal.class,
                    format!("Pi-hole at {} {}", self.service.base(), refusal.why),
                );
                error.retry_after = retry_after.max(refusal.retry_after);
                Err(error)
            }
        }
    }

    /// Ends a session without waiting for it.
    fn give_back(&self, sid: &SecretString) {
        if Handle::try_current().is_err() {
            return;
        }
        let request = self
            .service
            .request(Method::DELETE, PATH)
            .secret_header(HEADER, sid)
            .timeout(LOG_OUT);
        self.supervisor
            .spawn_transient(self.task.as_str(), async move {
                if let Err(e) = request.send().await {
                    debug!("a session of a Pi-hole was not given back and ends by itself: {e}");
                }
            });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Access::Sid(sid) = std::mem::replace(&mut self.access, Access::Unknown) {
            self.give_back(&sid);
        }
    }
}

/// What an answer to a login, or without a password to the question whether one is needed, means.
fn understand(status: u16, body: &Value, with_password: bool) -> Result<Access, Refusal> {
    let text = |pointer: &str| {
        let text = body.pointer(pointer).and_then(Value::as_str);
        shown(text.unwrap_or_default())
    };
    let reason = match text("/session/message") {
        reason if reason.is_empty() => text("/error/message"),
        reason => reason,
    };
    let behind = if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    };
    let refuse = |class, why| Refusal {
        class,
        why,
        retry_after: None,
    };
    // `message` says `password incorrect` also where there is no password: only `valid` counts
    match (status, body.pointer("/session/valid")) {
        (200, Some(Value::Bool(true))) => match body.pointer("/session/sid") {
            None | Some(Value::Null) => Ok(Access::Open),
            Some(Value::String(sid))
                if (1..=LONGEST_SID).contains(&sid.len())
                    && sid.chars().all(|c| c.is_ascii_graphic()) =>
            {
                Ok(Access::Sid(SecretString::from(sid.as_str())))
            }
            Some(_) => Err(refuse(
                FailureClass::BadAnswer,
                "gives a session id that is none".to_owned(),
            )),
        },
        (200 | 401, Some(Value::Bool(false))) | (401, _) if !with_password => Err(refuse(
            FailureClass::BadCredentials,
            format!(
                "wants a password ({status}{behind}): create an app password (Settings, Web interface / API) and set password"
            ),
        )),
        (200 | 401, Some(Value::Bool(false))) | (401, _) => Err(refuse(
            FailureClass::BadCredentials,
            format!(
                "does not accept the password ({status}{behind}): set a new app password; it is tried again in 15 minutes"
            ),
        )),
        (400, _) if reason.contains("2FA") => Err(refuse(
            FailureClass::BadCredentials,
            format!(
                "wants a second factor (400{behind}): set an app password (Settings, Web interface / API), which needs none"
            ),
        )),
        (403, _) => Err(refuse(
            FailureClass::NoPermission,
            format!(
                "does not let this machine in (403{behind}): see webserver.acl in its settings"
            ),
        )),
        (429, _) if text("/error/key") == "api_seats_exceeded" => Err(Refusal {
            class: FailureClass::RateLimited,
            why: format!(
                "has no seat left for a session (429{behind}): end some in Settings, Web interface / API, or raise webserver.api.max_sessions"
            ),
            retry_after: Some(SEATS_RETRY),
        }),
        (429, _) => Err(refuse(
            FailureClass::RateLimited,
            format!("asks for fewer logins (429{behind}): it is left alone for a while"),
        )),
        _ => Err(refuse(
            FailureClass::BadAnswer,
            format!("answers a login with {status}{behind}"),
        )),
    }
}

/// Replaces what must not be shown.
pub(super) fn hide(message: &str, secret: &SecretString) -> String {
    let secret = secret.expose_secret();
    if secret.is_empty() {
        message.to_owned()
    } else {
        message.replace(secret, "…")
    }
}
