//! The session with the NAS: kept until it ends, made anew once, given back at the end.

use std::time::Duration;

use http_client::Request;
use secrecy::{ExposeSecret, SecretString};
use supervision::Supervisor;
use tokio::runtime::Handle;
use tracing::debug;

use super::{
    login::{self, Entered, Refusal},
    xml::{self, Element},
};
use crate::{
    FailureClass, PollError,
    service::{Secret, Service, failed},
};

const LOGIN: &str = "/cgi-bin/authLogin.cgi";
const LOGOUT: &str = "/cgi-bin/authLogout.cgi";
/// Most bytes of a reply; folders and disks by the hundred fit in.
const MOST_BODY: usize = 2 * 1024 * 1024;
/// How long the way out may take.
const LOG_OUT: Duration = Duration::from_secs(1);
/// How soon a user that may read nothing is tried again.
const USELESS_RETRY: Duration = Duration::from_mins(15);

/// What is asked: a path below `/cgi-bin/` and its query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) path: &'static str,
    pub(super) query: &'static [(&'static str, &'static str)],
}

/// Why there is no reply.
pub(super) enum Failed {
    /// The session ended, or this user may not ask that.
    Session,
    Other(PollError),
}

/// A session that is there; a handle that is cheap to clone.
#[derive(Clone)]
pub(super) struct Entrance {
    service: Service,
    sid: SecretString,
}

impl Entrance {
    /// Asks within this session.
    pub(super) async fn ask(&self, call: Call) -> Result<Element, Failed> {
        let mut query = call.query.to_vec();
        query.push(("sid", self.sid.expose_secret()));
        let request = self
            .service
            .query(&format!("/cgi-bin/{}", call.path), &query);
        let reply = send(&self.service, request).await.map_err(Failed::Other)?;
        // with status 200, as all that it answers
        if reply.text("authPassed") == Some("0") {
            return Err(Failed::Session);
        }
        Ok(reply)
    }
}

/// Asks one NAS with one session.
pub(super) struct Session {
    service: Service,
    user: String,
    password: Secret,
    entered: Option<Entrance>,
    is_admin: bool,
    /// There was a login in this poll; another would not help.
    is_fresh: bool,
    supervisor: Supervisor,
    task: String,
}

impl Session {
    pub(super) fn new(
        service: Service,
        user: String,
        password: Secret,
        supervisor: Supervisor,
        task: String,
    ) -> Self {
        Self {
            service,
            user,
            password,
            entered: None,
            is_admin: true,
            is_fresh: false,
            supervisor,
            task,
        }
    }

    /// Begins a poll.
    pub(super) const fn begin(&mut self) {
        self.is_fresh = false;
    }

    pub(super) const fn service(&self) -> &Service {
        &self.service
    }

    /// For requests beside the poll, if there is a session.
    pub(super) const fn entrance(&self) -> Option<&Entrance> {
        self.entered.as_ref()
    }

    /// Forgets a session that ended; the next poll makes another one.
    pub(super) fn ended(&mut self) {
        self.entered = None;
    }

    /// Asks, and logs in before if that is needed.
    pub(super) async fn ask(&mut self, call: Call) -> Result<Element, PollError> {
        loop {
            let entrance = match &self.entered {
                Some(entrance) => entrance.clone(),
                None => self.enter().await?,
            };
            match entrance.ask(call).await {
                Ok(reply) => return Ok(reply),
                Err(Failed::Other(e)) => return Err(self.without_secrets(e)),
                Err(Failed::Session) if self.is_fresh => {
                    self.give_back();
                    return Err(self.useless(call));
                }
                Err(Failed::Session) => {
                    debug!(service = %self.service.base(), "the session with {} ended and is made anew", self.service.base());
                    self.entered = None;
                }
            }
        }
    }

    fn useless(&self, call: Call) -> PollError {
        let why = if self.is_admin {
            "see Control Panel, Users, which rights it has"
        } else {
            "it is no administrator, and only those may read the system: add it to the group administrators"
        };
        let mut error = PollError::new(
            FailureClass::NoPermission,
            format!(
                "QNAP at {} lets {} in, but then refuses {}: {why}",
                self.service.base(),
                self.user,
                call.path
            ),
        );
        error.retry_after = Some(USELESS_RETRY);
        error
    }

    async fn enter(&mut self) -> Result<Entrance, PollError> {
        let entered = match self.log_in().await {
            Ok(entered) => entered,
            Err(e) => return Err(self.without_secrets(e)),
        };
        let entrance = Entrance {
            service: self.service.clone(),
            sid: entered.sid,
        };
        self.entered = Some(entrance.clone());
        self.is_admin = entered.is_admin;
        self.is_fresh = true;
        Ok(entrance)
    }

    async fn log_in(&self) -> Result<Entered, PollError> {
        let encoded = login::encode(&self.password);
        let form = [
            ("user", self.user.as_str()),
            ("pwd", encoded.expose_secret()),
            ("remme", "0"),
        ];
        let posted = send(&self.service, self.service.post(LOGIN).form(&form)).await?;
        let read = match login::understand(&posted) {
            // some versions let in, but give the session only to whoever asks by GET
            Err(Refusal::NoSession) => {
                let got = send(&self.service, self.service.query(LOGIN, &form)).await?;
                login::understand(&got)
            }
            read => read,
        };
        read.map_err(|refusal| refusal.explain(self.service.base(), &self.user))
    }

    /// Ends the session without waiting for it.
    fn give_back(&mut self) {
        let Some(entrance) = self.entered.take() else {
            return;
        };
        if Handle::try_current().is_err() {
            return;
        }
        let request = self
            .service
            .query(LOGOUT, &[("sid", entrance.sid.expose_secret())])
            .timeout(LOG_OUT);
        self.supervisor
            .spawn_transient(self.task.as_str(), async move {
                if request.send().await.is_err() {
                    debug!("a session with a QNAP NAS was not given back and ends by itself");
                }
            });
    }

    /// An error that does not repeat a secret which the service repeated.
    pub(super) fn without_secrets(&self, mut error: PollError) -> PollError {
        let encoded = login::encode(&self.password);
        let in_address = http_client::encode(&[("pwd", encoded.expose_secret())]);
        let sid = self.entered.as_ref().map(|entrance| &entrance.sid);
        for secret in [
            in_address.as_str(),
            encoded.expose_secret(),
            self.password.expose(),
            sid.map_or("", |sid| sid.expose_secret()),
        ] {
            if !secret.is_empty() {
                error.message = error.message.replace(secret, "…");
            }
        }
        // the address of a request, cut within a secret
        for begin in ["pwd=", "sid="] {
            if let Some((before, _)) = error.message.split_once(begin) {
                error.message = format!("{before}{begin}…");
            }
        }
        error
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.give_back();
    }
}

async fn send(service: &Service, request: Request) -> Result<Element, PollError> {
    let answer = service.send(request).await?;
    let status = answer.status();
    if !status.is_success() {
        let mut error = service.refused(answer).await;
        if status.as_u16() == 403 {
            error.message.push_str(
                "; if this machine was blocked for failed logins: Control Panel, Security, IP Access Protection",
            );
        }
        return Err(error);
    }
    let body = answer
        .bytes_up_to(MOST_BODY)
        .await
        .map_err(|e| failed(&e))?;
    let text = String::from_utf8_lossy(&body);
    match xml::parse(text.trim_start_matches('\u{feff}')) {
        Ok(reply) if reply.name == "QDocRoot" => Ok(reply),
        Ok(_) => Err(service.bad_answer("the answer is none of a QNAP NAS: check url and port")),
        Err(e) => Err(service.bad_answer(format!(
            "the answer cannot be read: {e}: check url and port"
        ))),
    }
}
