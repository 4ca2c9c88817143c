//! A Pi-hole, version 5 or 6, whichever answers: how many queries, what is blocked, which upstreams are asked.
//!
//! Only reading requests. Domains and clients are private: they are read only where the configuration asks for them.

mod metrics;
mod number;
mod reading;
mod session;
#[cfg(test)]
pub(super) mod tests;
mod v5;
mod v6;

use std::time::Duration;

use http_client::Response;
use schemas::{
    Entity, Fields, MetricDef,
    name::{EntityId, EntityType},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use tracing::{debug, info};

use crate::{
    Batch, Context, FailureClass, OpenError, PollError,
    integration::{Integration, Typed},
    service::{Secret, Service, TlsParams, failed},
};
use metrics::METRICS;
use reading::{Summary, Tops, shown, tell_tops};
use session::{Session, hide};

pub(super) static INTEGRATION: Typed<Pihole> = Typed::new();

/// Most bytes of an answer.
const MOST_BODY: usize = 1024 * 1024;
/// Most domains or clients that may be asked for.
const MOST_TOP: usize = 100;
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often what moves slowly is read: versions, warnings, and the lists of domains and clients.
const SLOW: Duration = Duration::from_mins(5);

/// Options of a source of kind `pihole`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Where its web interface is.
    url: String,
    /// An app password of v6, or the API token of v5.
    #[serde(default)]
    password: Secret,
    #[serde(default)]
    tls: TlsParams,
    /// How many domains are told; none by default.
    #[serde(default)]
    top_domains: usize,
    /// How many clients are told; none by default.
    #[serde(default)]
    top_clients: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Version {
    V5,
    V6,
}

/// Reads one Pi-hole.
pub(crate) struct Pihole {
    service: Service,
    session: Session,
    password: Secret,
    top_domains: usize,
    top_clients: usize,
    types: Types,
    id: EntityId,
    version: Option<Version>,
    /// Versions of Pi-hole and of its resolver, empty until they are read.
    installed: (String, String),
    blocking: Option<&'static str>,
    slow_at: Option<Instant>,
}

struct Types {
    pihole: EntityType,
    upstream: EntityType,
    domain: EntityType,
    client: EntityType,
}

impl Integration for Pihole {
    const KIND: &'static str = "pihole";
    const HELP: &'static str =
        "A Pi-hole (v5 or v6): queries, what is blocked, upstreams, and whether it blocks";
    const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
    const METRICS: &'static [MetricDef] = METRICS;
    const EXAMPLE: &'static str = r#"# Where its web interface is, without /admin. Version 5 or 6 is found out.
# url = "http://pi.hole"
# Version 6: an app password (Settings, Web interface / API, Expert, Configure app password), which may read and, unless
# webserver.api.app_sudo is set, change no setting. Version 5: its API token (Settings, API, Show API token). A Pi-hole
# without a password needs none.
# password = "…"
# Whom to trust where url is https://: one of ca = "file", fingerprint = "its SHA-256" and insecure = true. The certificate
# that Pi-hole makes for itself is replaced about every 47 days; one of your own, or webserver.tls.validity, avoids that.
# tls = { fingerprint = "12:34:…" }
# How many of the domains that are asked for most, and of those blocked most, are told; at most 100. They are private.
# top_domains = 0
# How many of the clients that ask most, and of those blocked most, are told; at most 100. They are private.
# top_clients = 0
"#;
    const FROM_LABELS: &'static [&'static str] = &["url"];
    type Params = Params;

    fn open(params: Params, context: &Context) -> Result<Self, OpenError> {
        Self::open_within(params, context, TIMEOUT)
    }

    async fn poll(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        self.session.begin();
        let result = self.read(batch).await;
        if let Err(e) = &result
            && e.class == FailureClass::BadAnswer
        {
            // perhaps it is another version since
            self.version = None;
        }
        result.map_err(|e| self.without_secrets(e))
    }
}

impl Pihole {
    fn open_within(
        params: Params,
        context: &Context,
        timeout: Duration,
    ) -> Result<Self, OpenError> {
        for (key, wanted) in [
            ("top_domains", params.top_domains),
            ("top_clients", params.top_clients),
        ] {
            if wanted > MOST_TOP {
                return Err(OpenError::at(
                    key,
                    format!("{wanted} is too many: at most {MOST_TOP}"),
                ));
            }
        }
        // people copy the address that their browser shows
        let url = params.url.trim_end_matches('/');
        let url = url.strip_suffix("/admin").unwrap_or(url);
        let service = Service::open("Pi-hole", url, &params.tls, timeout)?;
        Ok(Self {
            session: Session::new(
                service.clone(),
                params.password.clone(),
                context.supervisor.clone(),
                format!("collect/{}/log out", context.source),
            ),
            service,
            password: params.password,
            top_domains: params.top_domains,
            top_clients: params.top_clients,
            types: Types {
                pihole: EntityType::new("pihole")?,
                upstream: EntityType::new("dns_upstream")?,
                domain: EntityType::new("dns_domain")?,
                client: EntityType::new("dns_client")?,
            },
            id: EntityId::new(context.source.as_str())?,
            version: None,
            installed: (String::new(), String::new()),
            blocking: None,
            slow_at: None,
        })
    }

    async fn read(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        let version = match self.version {
            Some(version) => version,
            None => self.detect().await?,
        };
        match version {
            Version::V5 => self.read_v5(batch).await,
            Version::V6 => self.read_v6(batch).await,
        }
    }

    /// Finds out which version answers.
    async fn detect(&mut self) -> Result<Version, PollError> {
        let mut found = None;
        let mut why = None;
        for (version, path) in [
            (Version::V6, "/api/auth"),
            (Version::V5, "/admin/api.php?type&version"),
        ] {
            match self.probe(path).await {
                Ok(body) => {
                    let is_it = match version {
                        Version::V5 => v5::is_answer(&body),
                        Version::V6 => v6::is_answer(&body),
                    };
                    if is_it {
                        found = Some(version);
                        break;
                    }
                }
                // a page that stands elsewhere, or is none
                Err(e) if e.class == FailureClass::BadAnswer => {
                    why.get_or_insert(e);
                }
                Err(e) => return Err(e),
            }
        }
        let Some(version) = found else {
            return Err(why.unwrap_or_else(|| {
                self.service.bad_answer(format!(
                    "neither v6 (/api/auth) nor v5 ({}) answers: check url",
                    v5::PATH
                ))
            }));
        };
        info!(service = %self.service.base(), "{} is a Pi-hole {}", self.service.base(), match version {
            Version::V5 => "v5",
            Version::V6 => "v6",
        });
        self.version = Some(version);
        self.slow_at = None;
        Ok(version)
    }

    /// What stands at a path; nothing where it is not of a Pi-hole.
    async fn probe(&self, path: &str) -> Result<Value, PollError> {
        let answer = self.service.send(self.service.get(path)).await?;
        match answer.status().as_u16() {
            200 | 401 => match read(&self.service, answer).await {
                Err(e) if e.class == FailureClass::BadAnswer => Ok(Value::Null),
                read => read,
            },
            429 | 500.. => Err(self.service.refused(answer).await),
            _ => Ok(Value::Null),
        }
    }

    async fn read_v5(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        if !self.password.is_empty() && !v5::is_token(self.password.expose()) {
            return Err(PollError::new(
                FailureClass::BadCredentials,
                format!(
                    "Pi-hole at {} is v5, which takes its API token (64 hexadecimal digits; Settings, API, Show API token) \
                     as password: set that",
                    self.service.base()
                ),
            ));
        }
        let body = self
            .ask_v5(&[("summaryRaw", ""), ("getForwardDestinations", "")])
            .await?;
        let summary = v5::summary(&body)
            .ok_or_else(|| self.service.bad_answer("its summary counts no queries"))?;
        let slow = self.slow_is_due();
        if slow && let Some(body) = self.optional(self.ask_v5(&[("versions", "")]).await)? {
            self.installed = v5::versions(&body);
        }
        self.tell(&summary, batch);
        for upstream in v5::upstreams(&body) {
            upstream.tell(&self.types.upstream, batch);
        }
        if slow && self.top_domains > 0 {
            let most = self.top_domains.to_string();
            let body = self.optional(self.ask_v5(&[("topItems", &most)]).await)?;
            self.tell_domains(
                &v5::top_domains(&body.unwrap_or_default(), self.top_domains),
                batch,
            );
        }
        if slow && self.top_clients > 0 {
            let most = self.top_clients.to_string();
            let what = [("topClients", most.as_str()), ("topClientsBlocked", &most)];
            let body = self.optional(self.ask_v5(&what).await)?;
            self.tell_clients(
                &v5::top_clients(&body.unwrap_or_default(), self.top_clients),
                batch,
            );
        }
        Ok(())
    }

    async fn ask_v5(&self, what: &[(&str, &str)]) -> Result<Value, PollError> {
        v5::ask(&self.service, &self.password, what).await
    }

    async fn read_v6(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        let body = self.session.ask("/api/stats/summary", &[]).await?;
        let mut summary = v6::summary(&body)
            .ok_or_else(|| self.service.bad_answer("its summary counts no queries"))?;
        if let Some(body) = self.try_v6("/api/dns/blocking", &[]).await? {
            summary.blocking = v6::blocking(&body);
        }
        let slow = self.slow_is_due();
        if slow {
            if let Some(body) = self.try_v6("/api/info/version", &[]).await? {
                self.installed = v6::versions(&body);
            }
            if let Some(body) = self.try_v6("/api/info/messages/count", &[]).await? {
                summary.messages = v6::messages(&body);
            }
        }
        self.tell(&summary, batch);
        if let Some(body) = self.try_v6("/api/stats/upstreams", &[]).await? {
            for upstream in v6::upstreams(&body) {
                upstream.tell(&self.types.upstream, batch);
            }
        }
        if slow && self.top_domains > 0 {
            let mut tops = Tops::new();
            for blocked in [false, true] {
                let query = top_query(self.top_domains, blocked);
                if let Some(body) = self
                    .try_v6("/api/stats/top_domains", &pairs(&query))
                    .await?
                {
                    v6::take_domains(&mut tops, &body, blocked, self.top_domains);
                }
            }
            self.tell_domains(&tops, batch);
        }
        if slow && self.top_clients > 0 {
            let mut tops = Tops::new();
            for blocked in [false, true] {
                let query = top_query(self.top_clients, blocked);
                if let Some(body) = self
                    .try_v6("/api/stats/top_clients", &pairs(&query))
                    .await?
                {
                    v6::take_clients(&mut tops, &body, blocked, self.top_clients);
                }
            }
            self.tell_clients(&tops, batch);
        }
        Ok(())
    }

    /// Asks for what may be missing.
    async fn try_v6(
        &mut self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Option<Value>, PollError> {
        let asked = self.session.ask(path, query).await;
        self.optional(asked)
    }

    /// An answer that cannot be used does not lose the others.
    fn optional(&self, asked: Result<Value, PollError>) -> Result<Option<Value>, PollError> {
        match asked {
            Ok(body) => Ok(Some(body)),
            Err(e) if e.class == FailureClass::BadAnswer => {
                let e = self.without_secrets(e);
                debug!(service = %self.service.base(), "a part is left out: {e}");
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    fn slow_is_due(&mut self) -> bool {
        let due = self.slow_at.is_none_or(|at| at.elapsed() >= SLOW);
        if due {
            self.slow_at = Some(Instant::now());
        }
        due
    }

    fn tell(&mut self, summary: &Summary, batch: &mut Batch) {
        let (core, ftl) = &self.installed;
        let entity = Entity::new(self.types.pihole.clone(), self.id.clone())
            .with_label("version", &shown(core))
            .with_label("ftl_version", &shown(ftl));
        if let Some(state) = summary.blocking.state {
            let before = self.blocking.replace(state);
            if before.is_some_and(|before| before != state) {
                let mut fields = Fields::new();
                summary.blocking.tell(&mut fields);
                batch.change(batch.time(), entity.clone(), fields);
            }
        }
        batch.sample(entity, summary.fields(batch.time()));
    }

    fn tell_domains(&self, tops: &Tops, batch: &mut Batch) {
        tell_tops(tops, &self.types.domain, "permitted_count", batch);
    }

    fn tell_clients(&self, tops: &Tops, batch: &mut Batch) {
        tell_tops(tops, &self.types.client, "queries_count", batch);
    }

    /// An error that does not repeat a secret which the service repeated.
    fn without_secrets(&self, mut error: PollError) -> PollError {
        for secret in [Some(self.password.get()), self.session.sid()]
            .into_iter()
            .flatten()
        {
            error.message = hide(&error.message, secret);
        }
        // the address of a request, cut within the token
        if let Some((before, _)) = error.message.split_once("auth=") {
            error.message = format!("{before}auth=…");
        }
        error
    }
}

/// Reads an answer as JSON, whatever its status.
async fn read(service: &Service, answer: Response) -> Result<Value, PollError> {
    let body = answer
        .bytes_up_to(MOST_BODY)
        .await
        .map_err(|e| failed(&e))?;
    serde_json::from_slice(&body)
        .map_err(|e| service.bad_answer(format!("the answer is no JSON ({e}): check url")))
}

fn top_query(most: usize, blocked: bool) -> [(&'static str, String); 2] {
    [
        ("count", most.to_string()),
        ("blocked", blocked.to_string()),
    ]
}

fn pairs<'a>(query: &'a [(&'static str, String); 2]) -> [(&'a str, &'a str); 2] {
    query
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()))
}
