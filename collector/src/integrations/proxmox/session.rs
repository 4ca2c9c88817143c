//! Who asks: an API token, or a user whose password becomes a ticket that lasts two hours.

use std::time::Duration;

use http_client::Request;
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::Instant;

use super::{Params, wire};
use crate::{
    FailureClass, OpenError, PollError,
    service::{Secret, Service, failed},
};

/// A ticket is good for two hours.
const RENEW_TICKET: Duration = Duration::from_hours(1);
/// Longest ticket; real ones are some hundred bytes.
const MOST_TICKET: usize = 8192;

/// Makes requests with credentials; a handle that is cheap to clone.
#[derive(Clone)]
pub(super) struct Session {
    service: Service,
    header: Option<(&'static str, SecretString)>,
}

impl Session {
    /// Asks for a path below `/api2/json` and returns what stands in `data`.
    pub(super) async fn get(&self, path: &str) -> Result<Value, PollError> {
        let mut request = self.service.get(&format!("/api2/json{path}"));
        if let Some((name, value)) = &self.header {
            request = request.secret_header(name, value);
        }
        self.data(request).await
    }

    async fn data(&self, request: Request) -> Result<Value, PollError> {
        let answer = self.service.send(request).await?;
        let status = answer.status();
        if !status.is_success() {
            let mut error = self.service.refused(answer).await;
            // the node that answers cannot reach the one that was asked for
            if matches!(status.as_u16(), 595 | 596 | 599) {
                error.class = FailureClass::Unreachable;
            }
            return Err(error);
        }
        let mut answer: Value = answer.json().await.map_err(|e| failed(&e))?;
        match answer.get_mut("data") {
            Some(data) => Ok(data.take()),
            None => Err(self.service.bad_answer(
                "its answer has no `data`: set url to the address of its web interface",
            )),
        }
    }

    pub(super) const fn service(&self) -> &Service {
        &self.service
    }
}

enum Login {
    Token { id: String },
    Password { user: String, password: Secret },
}

/// A session and how it is renewed. Only polls renew it, one at a time.
pub(super) struct Access {
    session: Session,
    login: Login,
    ticket_at: Option<Instant>,
}

impl Access {
    pub(super) fn open(params: &Params, service: Service) -> Result<Self, OpenError> {
        let by_token = !params.token_id.is_empty() || !params.token_secret.is_empty();
        let by_password = !params.username.is_empty() || !params.password.is_empty();
        let (login, header) = match (by_token, by_password) {
            (true, true) => {
                return Err(OpenError::at(
                    "username",
                    "choose one: token_id and token_secret, or username and password",
                ));
            }
            (false, false) => {
                return Err(OpenError::at(
                    "token_id",
                    "set token_id and token_secret: make an API token under Datacenter, Permissions, API Tokens",
                ));
            }
            (true, false) => {
                let header = token_header(&params.token_id, &params.token_secret)?;
                let id = params.token_id.clone();
                (Login::Token { id }, Some(("authorization", header)))
            }
            (false, true) => {
                if !params.username.contains('@') {
                    return Err(OpenError::at(
                        "username",
                        "add the realm, as in homelog@pve or root@pam",
                    ));
                }
                if params.password.is_empty() {
                    return Err(OpenError::at("password", "set the password of this user"));
                }
                let login = Login::Password {
                    user: params.username.clone(),
                    password: params.password.clone(),
                };
                (login, None)
            }
        };
        Ok(Self {
            session: Session { service, header },
            login,
            ticket_at: None,
        })
    }

    /// For requests beside the poll.
    pub(super) const fn session(&self) -> &Session {
        &self.session
    }

    /// Whom the service knows us as.
    pub(super) fn who(&self) -> &str {
        match &self.login {
            Login::Token { id } => id,
            Login::Password { user, .. } => user,
        }
    }

    pub(super) const fn is_token(&self) -> bool {
        matches!(self.login, Login::Token { .. })
    }

    /// Asks for a path; a ticket is fetched first if there is none, and once anew if it is refused.
    pub(super) async fn get(&mut self, path: &str) -> Result<Value, PollError> {
        let fresh = self.log_in_if_due().await?;
        match self.session.get(path).await {
            Err(e) if e.class == FailureClass::BadCredentials && !self.is_token() && !fresh => {
                self.ticket_at = None;
                self.log_in_if_due().await?;
                self.session.get(path).await
            }
            other => other,
        }
    }

    /// Returns whether it logged in.
    async fn log_in_if_due(&mut self) -> Result<bool, PollError> {
        let Login::Password { user, password } = &self.login else {
            return Ok(false);
        };
        if self.ticket_at.is_some_and(|at| at.elapsed() < RENEW_TICKET) {
            return Ok(false);
        }
        let service = &self.session.service;
        let form = [("username", user.as_str()), ("password", password.expose())];
        let request = service.post("/api2/json/access/ticket").form(&form);
        let data = self.session.data(request).await?;
        let row = data.as_object();
        let ticket = row
            .and_then(|row| row.get("ticket"))
            .and_then(Value::as_str)
            .filter(|ticket| ticket.len() <= MOST_TICKET);
        let second_factor = row.and_then(|row| wire::flag(row, "NeedTFA")) == Some(true)
            || ticket.is_some_and(|ticket| ticket.starts_with("PVE:!tfa!"));
        if second_factor {
            return Err(PollError::new(
                FailureClass::BadCredentials,
                format!(
                    "Proxmox VE at {} wants a second factor of {user}: use an API token (token_id, token_secret), which needs none",
                    service.base()
                ),
            ));
        }
        let Some(ticket) = ticket else {
            return Err(service.bad_answer("its answer to a login has no ticket"));
        };
        let cookie = http_client::encode(&[("PVEAuthCookie", ticket)]);
        self.session.header = Some(("cookie", SecretString::from(cookie)));
        self.ticket_at = Some(Instant::now());
        Ok(true)
    }
}

fn token_header(id: &str, secret: &Secret) -> Result<SecretString, OpenError> {
    let well_formed = id
        .split_once('!')
        .is_some_and(|(user, name)| user.contains('@') && !name.is_empty());
    if !well_formed || id.contains('=') || id.chars().any(|c| c.is_control() || c == ' ') {
        return Err(OpenError::at(
            "token_id",
            "write the Token ID as Proxmox VE shows it: user@realm!name, as homelog@pve!homelog",
        ));
    }
    if secret.is_empty() {
        return Err(OpenError::at(
            "token_secret",
            "set the secret that was shown when the token was made",
        ));
    }
    if secret.expose().contains(['=', '!']) {
        return Err(OpenError::at(
            "token_secret",
            "write the secret alone, without the Token ID before it",
        ));
    }
    Ok(SecretString::from(format!(
        "PVEAPIToken={id}={}",
        secret.expose()
    )))
}
