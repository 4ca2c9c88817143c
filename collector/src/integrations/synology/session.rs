//! The one session with a DSM: made when it is needed, renewed once when it is over, given back at the end.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use http_client::Request;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use supervision::Supervisor;
use tokio::{runtime::Handle, time::Instant};
use tracing::{debug, warn};

use super::{
    api::{self, Apis, Call},
    proof::{Proof, Second},
    refusal::{self, LOGGED_IN_ELSEWHERE, Meaning, NO_PERMISSION, meaning},
};
use crate::{
    FailureClass, PollError,
    service::{Service, failed},
};

/// Most bytes of an answer; a storage with a hundred disks has less than one MiB.
const MOST_BODY: usize = 4 * 1024 * 1024;
/// Longest session id or token; real ones are below 100 characters.
const LONGEST_SID: usize = 512;
/// What DSM writes where it wants no token.
const NO_TOKEN: &str = "--------";
/// How sessions are listed to the owner of the NAS.
const SESSION: &str = "Homelog";
/// How long the way out may take.
const LOG_OUT: Duration = Duration::from_secs(1);
/// How soon a session that may do nothing is tried again.
const USELESS_RETRY: Duration = Duration::from_mins(15);
/// Two ends of sessions by another login within this are worth a word.
const DUPLICATES: Duration = Duration::from_mins(20);

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// DSM's code.
    Code(i64),
    /// Nothing that DSM said.
    Poll(PollError),
}

impl From<PollError> for Failed {
    fn from(error: PollError) -> Self {
        Self::Poll(error)
    }
}

struct Ticket {
    sid: SecretString,
    token: Option<SecretString>,
}

/// Makes calls within one session; a handle that is cheap to clone.
#[derive(Clone)]
pub(super) struct Caller {
    service: Service,
    apis: Arc<Apis>,
    ticket: Arc<Ticket>,
}

impl Caller {
    /// Whether this DSM offers a call.
    pub(super) fn offers(&self, call: &Call) -> bool {
        self.apis.form(call).is_some()
    }

    /// Makes a call, perhaps with a parameter that is a text, and returns what stands in `data`.
    pub(super) async fn call(
        &self,
        call: &Call,
        text: Option<(&str, &str)>,
    ) -> Result<Value, Failed> {
        let request = self.request(call, text).ok_or(Failed::Code(102))?;
        data(&self.service, request).await
    }

    /// Reads a page that wants the session in its address.
    pub(super) async fn page(&self, path: &str, pair: (&str, &str)) -> Result<Value, Failed> {
        let pairs = [pair, ("_sid", self.ticket.sid.expose_secret())];
        data(&self.service, self.service.query(path, &pairs)).await
    }

    fn request(&self, call: &Call, text: Option<(&str, &str)>) -> Option<Request> {
        let form = self.apis.form(call)?;
        let version = form.version.to_string();
        let quoted = text.map(|(_, value)| {
            if form.json {
                Value::from(value).to_string()
            } else {
                value.to_owned()
            }
        });
        let mut pairs = vec![
            ("api", call.api),
            ("version", &version),
            ("method", call.method),
        ];
        if let (Some((name, _)), Some(value)) = (text, &quoted) {
            pairs.push((name, value));
        }
        pairs.push(("_sid", self.ticket.sid.expose_secret()));
        if let Some(token) = &self.ticket.token {
            pairs.push(("SynoToken", token.expose_secret()));
        }
        Some(self.service.post(&path_of(form.path)).form(&pairs))
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ticket, &other.ticket)
    }
}

fn path_of(path: &str) -> String {
    format!("/webapi/{path}")
}

/// Sends, and takes what DSM's envelope holds, or its code.
async fn data(service: &Service, request: Request) -> Result<Value, Failed> {
    let answer = service.fetch(request).await?;
    let body = answer
        .bytes_up_to(MOST_BODY)
        .await
        .map_err(|e| failed(&e))?;
    let mut body: Value = serde_json::from_slice(&body)
        .map_err(|e| service.bad_answer(format!("the answer is no JSON ({e}): check url")))?;
    match body.get("success") {
        Some(Value::Bool(true)) => Ok(match body.get_mut("data") {
            Some(data) => data.take(),
            // DSM 5 tells its storage without an envelope
            None => body,
        }),
        Some(Value::Bool(false)) => {
            let code = body.pointer("/error/code").and_then(Value::as_i64);
            Err(Failed::Code(code.unwrap_or(100)))
        }
        _ => Err(service
            .bad_answer("the answer is none of DSM's: check url")
            .into()),
    }
}

/// The session of one source. Only polls renew it, one at a time.
pub(super) struct Session {
    service: Service,
    username: String,
    proof: Proof,
    caller: Option<Caller>,
    /// There was a login in this poll; another would not help.
    entered: bool,
    /// The session has got an answer, so that it is good.
    answered: bool,
    /// What was answered before: if it is not allowed any more, the session is over rather than the right.
    allowed: BTreeSet<&'static str>,
    ended_by_others: Option<Instant>,
    supervisor: Supervisor,
    task: String,
}

impl Session {
    pub(super) fn new(
        service: Service,
        username: String,
        proof: Proof,
        supervisor: Supervisor,
        task: String,
    ) -> Self {
        Self {
            service,
            username,
            proof,
            caller: None,
            entered: false,
            answered: false,
            allowed: BTreeSet::new(),
            ended_by_others: None,
            supervisor,
            task,
        }
    }

    /// Takes a one-time code for the next login.
    pub(super) fn take_code(&mut self, code: &str) {
        self.proof.take_code(code);
    }

    /// The token of this device that DSM gave for a code, once.
    pub(super) fn given(&mut self) -> Option<SecretString> {
        self.proof.given()
    }

    /// Begins a poll.
    pub(super) const fn begin(&mut self) {
        self.entered = false;
    }

    /// Whether this poll logged in.
    pub(super) const fn entered(&self) -> bool {
        self.entered
    }

    pub(super) fn base(&self) -> &str {
        self.service.base()
    }

    /// For calls beside the poll.
    pub(super) const fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// The session of a call beside the poll is over.
    pub(super) fn over(&mut self, of: &Caller) {
        if self.caller.as_ref().is_some_and(|caller| caller.is(of)) {
            self.caller = None;
        }
    }

    /// Makes a call, and logs in before if that is needed.
    pub(super) async fn ask(&mut self, call: &Call) -> Result<Value, Failed> {
        loop {
            let caller = match &self.caller {
                Some(caller) => caller.clone(),
                None => self.enter().await?,
            };
            let code = match caller.call(call, None).await {
                Ok(data) => {
                    self.answered = true;
                    self.allowed.insert(call.api);
                    return Ok(data);
                }
                Err(Failed::Code(code)) => code,
                Err(other) => return Err(other),
            };
            let is_over = match meaning(code) {
                Meaning::SessionOver => true,
                Meaning::Forbidden => !self.entered && self.allowed.remove(call.api),
                Meaning::Missing | Meaning::Busy | Meaning::Other => false,
            };
            if !is_over {
                return Err(Failed::Code(code));
            }
            if self.entered && self.answered {
                // it is this call alone
                return Err(Failed::Code(NO_PERMISSION));
            }
            self.caller = None;
            if self.entered {
                self.give_back(&caller);
                let mut error = self.explain(code, call);
                error.retry_after = Some(USELESS_RETRY);
                return Err(Failed::Poll(error));
            }
            self.ended(code);
        }
    }

    /// What a refused call means to a person.
    pub(super) fn explain(&self, code: i64, call: &Call) -> PollError {
        refusal::of_call(code, call.api, &self.username, self.service.base())
    }

    fn ended(&mut self, code: i64) {
        let base = self.service.base();
        debug!(service = %base, code, "the session with {base} is over and is made anew");
        if code == LOGGED_IN_ELSEWHERE
            && self
                .ended_by_others
                .replace(Instant::now())
                .is_some_and(|at| at.elapsed() < DUPLICATES)
        {
            warn!(
                service = %base,
                "another login of the user `{}` ends our session with {base} again and again: use a user of its own",
                self.username
            );
        }
    }

    /// Finds out what is offered, and logs in.
    async fn enter(&mut self) -> Result<Caller, Failed> {
        let apis = self.discover().await?;
        let Some(form) = apis.form(&api::LOGIN) else {
            return Err(self
                .service
                .bad_answer("it offers no login (SYNO.API.Auth): check url")
                .into());
        };
        let version = form.version.to_string();
        let (second, shown) = self.proof.second();
        // in the body: an address is written into logs
        let mut pairs = vec![
            ("api", api::LOGIN.api),
            ("version", version.as_str()),
            ("method", api::LOGIN.method),
            ("account", self.username.as_str()),
            ("passwd", self.proof.password()),
            // older ones refuse users without rights to any application else
            ("session", SESSION),
            ("format", "sid"),
            ("enable_syno_token", "yes"),
        ];
        pairs.extend(
            shown
                .iter()
                .map(|(key, value)| (*key, value.expose_secret())),
        );
        let request = self.service.post(&path_of(form.path)).form(&pairs);
        let answer = match data(&self.service, request).await {
            Ok(answer) => answer,
            Err(Failed::Code(code)) => {
                let (user, base) = (&self.username, self.service.base());
                return Err(refusal::of_login(code, second, user, base).into());
            }
            Err(other) => return Err(other),
        };
        let secret = |key: &str| {
            answer
                .get(key)
                .and_then(Value::as_str)
                .filter(|text| (1..=LONGEST_SID).contains(&text.len()))
                .filter(|text| !text.chars().any(char::is_control))
        };
        let Some(sid) = secret("sid") else {
            return Err(self
                .service
                .bad_answer("its answer to a login has no session")
                .into());
        };
        let token = secret("synotoken").filter(|token| *token != NO_TOKEN);
        let caller = Caller {
            service: self.service.clone(),
            apis: Arc::new(apis),
            ticket: Arc::new(Ticket {
                sid: SecretString::from(sid),
                token: token.map(SecretString::from),
            }),
        };
        if second == Second::Code
            && let Some(token) = secret("device_id").or_else(|| secret("did"))
        {
            self.proof.keep(token);
        }
        self.caller = Some(caller.clone());
        self.entered = true;
        self.answered = false;
        Ok(caller)
    }

    async fn discover(&self) -> Result<Apis, Failed> {
        let names = api::names();
        let pairs = [
            ("api", "SYNO.API.Info"),
            ("version", "1"),
            ("method", "query"),
            ("query", names.as_str()),
        ];
        let request = self.service.query(api::INFO_PATH, &pairs);
        match data(&self.service, request).await {
            Ok(list) => Ok(Apis::of(&list)),
            Err(Failed::Code(code)) => Err(self
                .service
                .bad_answer(format!("it does not tell what it offers (code {code})"))
                .into()),
            Err(other) => Err(other),
        }
    }

    /// Ends a session without waiting for it.
    fn give_back(&self, caller: &Caller) {
        if Handle::try_current().is_err() {
            return;
        }
        let Some(request) = caller.request(&api::LOGOUT, Some(("session", SESSION))) else {
            return;
        };
        let request = request.timeout(LOG_OUT);
        self.supervisor
            .spawn_transient(self.task.as_str(), async move {
                if let Err(e) = request.send().await {
                    debug!("a session of a DSM was not given back and ends by itself: {e}");
                }
            });
    }

    /// An error that does not repeat a secret which the service repeated.
    pub(super) fn without_secrets(&self, mut error: PollError) -> PollError {
        let ticket = self.caller.as_ref().map(|caller| &caller.ticket);
        let of_session = [
            ticket.map(|ticket| &ticket.sid),
            ticket.and_then(|ticket| ticket.token.as_ref()),
        ];
        let of_session = of_session.into_iter().flatten();
        for secret in self
            .proof
            .secrets()
            .chain(of_session.map(ExposeSecret::expose_secret))
        {
            if !secret.is_empty() {
                error.message = error.message.replace(secret, "…");
            }
        }
        // the address of a request, cut within the session
        if let Some((before, _)) = error.message.split_once("_sid=") {
            error.message = format!("{before}_sid=…");
        }
        error
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(caller) = self.caller.take() {
            self.give_back(&caller);
        }
    }
}

impl Failed {
    /// Whether it is worth to ask for less instead.
    pub(super) const fn is_refusal(&self) -> bool {
        match self {
            Self::Code(code) => matches!(meaning(*code), Meaning::Forbidden | Meaning::Missing),
            Self::Poll(error) => matches!(error.class, FailureClass::NoPermission),
        }
    }
}
