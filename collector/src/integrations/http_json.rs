//! What any service tells in JSON: a mapping says which values are which fields of which entities.

mod mapping;
mod metrics;
mod pointer;
#[cfg(test)]
mod tests;
mod units;
mod value;

use std::{collections::BTreeMap, time::Duration};

use http_client::Url;
use schemas::{
    Entity, Fields, MetricDef,
    name::{EntityId, EntityType},
};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Batch, Context, FailureClass, OpenError, PollError,
    credentials::Credentials,
    integration::{Integration, Typed},
    service::{Secret, Service, TlsParams, failed},
};
use mapping::{EntityParams, Mapping, Told};
use metrics::METRICS;

pub(super) static INTEGRATION: Typed<HttpJson> = Typed::new();

/// Largest answer, in bytes. How deep it may be is bounded by the reader of JSON: 128 lists and tables in each other.
const LARGEST: usize = 1024 * 1024;
/// Most entities of a mapping.
const MOST_MAPPINGS: usize = 64;
/// Most paths that are asked.
const MOST_PATHS: usize = 16;
/// Most headers of one's own.
const MOST_HEADERS: usize = 16;
/// How long an answer may take at most; the source's own `timeout` is usually shorter.
const LONGEST: Duration = Duration::from_mins(2);
/// Headers that have options of their own, or that belong to the connection.
const TAKEN: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "host",
    "transfer-encoding",
    "upgrade",
];

/// Options of a source of kind `http_json`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Params {
    /// What is asked.
    url: String,
    /// A bearer token.
    token: Secret,
    /// Name for basic authentication.
    username: String,
    /// Its password.
    password: Secret,
    /// More headers.
    headers: BTreeMap<String, Secret>,
    /// Whom an https service must be.
    tls: TlsParams,
    /// What the values are of.
    entity: Vec<EntityParams>,
}

/// Reads a service by a mapping.
pub(crate) struct HttpJson {
    service: Service,
    credentials: Credentials,
    headers: BTreeMap<String, Secret>,
    /// Each path with what is read from its answer.
    asked: Vec<(String, Vec<Mapping>)>,
    entity: Entity,
}

impl HttpJson {
    /// Type of the entity that the service itself is.
    const TYPE: &'static str = "http_json";
}

impl Integration for HttpJson {
    const KIND: &'static str = "http_json";
    const HELP: &'static str = "What any service tells in JSON: a mapping says which values are which fields of which entities";
    const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
    const METRICS: &'static [MetricDef] = METRICS;
    const EXAMPLE: &'static str = r#"# What is asked (GET), and under which the paths of `entity` stand.
# url = "http://printer.home.arpa/api/status"
# A bearer token, where one is wanted: one that may read and nothing else.
# token = "…"
# Or a user, for basic authentication; as little as it may be allowed.
# username = "reader"
# Its password.
# password = "…"
# More headers, as some services want their key.
# headers = { x-api-key = "…" }
# What the values are of, at least one; in a file better as sections [[source.entity]] and [[source.entity.field]]. `type` and
# `id` say what it is and which one; `items` is a list or table, each item of which is one, and then `id` stands in the item,
# or is "@key", the name under which it stands. `path` is asked below url, such as "/disks", where it is not url itself.
# Everything that begins with a slash is a JSON pointer, also in labels = { model = "/model", room = "attic" }. A field has
# a name, a pointer `at`, a `unit` in which the service tells it (°F, kWh, MiB, %, ms …; its name ends in the base unit), a
# `scale` by which it is multiplied before, and a `kind`: gauge, counter (…_total), state (with states = { 2 = "printing" })
# or flag (with is = "UP").
# entity = [{ type = "printer", id = "/serial", field = [{ name = "nozzle_celsius", at = "/temperature/nozzle", unit = "°F" }] }]
# Whom an https service must be: { ca = "file.pem" }, { fingerprint = "sha256:…" } or { insecure = true }; without it one
# that an authority of this system has signed.
# tls = { insecure = false }
"#;
    type Params = Params;

    fn open(params: Params, context: &Context) -> Result<Self, OpenError> {
        let (base, target) = split(&params.url)?;
        let service = Service::open("the service", &base, &params.tls, LONGEST)?;
        check_headers(&params.headers)?;
        if !(1..=MOST_MAPPINGS).contains(&params.entity.len()) {
            return Err(OpenError::at(
                "entity",
                "between 1 and 64 sections [[source.entity]] are wanted, which say what the values of the answer are",
            ));
        }
        let source = context.source.as_str();
        let mut asked: Vec<(String, Vec<Mapping>)> = Vec::new();
        for (index, entity) in params.entity.into_iter().enumerate() {
            let path = path_of(&entity.path, &target)
                .map_err(|why| OpenError::at(&format!("entity[{index}].path"), why))?;
            let mapping = Mapping::new(entity, index, source)?;
            match asked.iter_mut().find(|(known, _)| *known == path) {
                Some((_, mappings)) => mappings.push(mapping),
                None => asked.push((path, vec![mapping])),
            }
        }
        if asked.len() > MOST_PATHS {
            return Err(OpenError::at(
                "entity",
                format!(
                    "at most {MOST_PATHS} paths of one service are asked: make several sources"
                ),
            ));
        }
        let entity = Entity::new(EntityType::new(Self::TYPE)?, EntityId::new(source)?)
            .with_label("url", service.base());
        Ok(Self {
            service,
            credentials: Credentials::choose(params.token, params.username, params.password)?,
            headers: params.headers,
            asked,
            entity,
        })
    }

    async fn poll(&mut self, batch: &mut Batch) -> Result<(), PollError> {
        let mut told = Told::default();
        let mut failure = None;
        let Self {
            service,
            credentials,
            headers,
            asked,
            entity,
        } = self;
        for (path, mappings) in asked {
            match fetch(service, credentials, headers, path).await {
                Ok(answer) => {
                    for mapping in mappings {
                        told += mapping.tell(&answer, batch);
                    }
                }
                Err(e) => {
                    // what one path does not answer, another may; what is true of the service is true of all
                    let is_of_path = matches!(
                        e.class,
                        FailureClass::BadAnswer | FailureClass::NoPermission
                    );
                    failure.get_or_insert(e);
                    if !is_of_path {
                        break;
                    }
                }
            }
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        if told.found == 0 {
            return Err(service.bad_answer(
                "nothing of the mapping is in the answer: compare `at`, `items` and `path` with what curl shows",
            ));
        }
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let mut fields = Fields::new();
        fields
            .set("entities_count", count(told.entities))
            .set("missing_values_count", count(told.missing))
            .set("left_out_items_count", count(told.left_out));
        batch.sample(entity.clone(), fields);
        Ok(())
    }
}

async fn fetch(
    service: &Service,
    credentials: &Credentials,
    headers: &BTreeMap<String, Secret>,
    path: &str,
) -> Result<Value, PollError> {
    let mut request = service.get(path).header("accept", "application/json");
    for (name, value) in headers {
        request = request.secret_header(name, value.get());
    }
    let answer = service.fetch(credentials.show(request)).await?;
    let body = answer.bytes_up_to(LARGEST).await.map_err(|e| failed(&e))?;
    serde_json::from_slice(&body).map_err(|e| {
        service.bad_answer(format_args!(
            "the answer is no JSON ({e}): check url, perhaps a page of a login came instead"
        ))
    })
}

/// An address as far as it may be told, and what stands behind it: a slash, a query, which may be secret.
fn split(url: &str) -> Result<(String, String), OpenError> {
    let url = url.trim();
    if url.contains('#') {
        return Err(OpenError::at(
            "url",
            "the address has a `#` in it: leave it and what follows out",
        ));
    }
    let (told, query) = match url.split_once('?') {
        Some((told, query)) => (told, format!("?{query}")),
        None => (url, String::new()),
    };
    // what is no address, `Service::open` says
    let ends_in_slash = told
        .parse::<Url>()
        .is_ok_and(|url| url.path().len() > 1 && url.path().ends_with('/'));
    let between = if ends_in_slash { "/" } else { "" };
    Ok((told.to_owned(), format!("{between}{query}")))
}

/// What is asked for an entity: what its own path says, or else the address itself.
fn path_of(path: &str, target: &str) -> Result<String, String> {
    if path.is_empty() {
        return Ok(target.to_owned());
    }
    let fits = path.starts_with('/')
        && !path.contains('#')
        && !path.chars().any(|c| c.is_control() || c == ' ');
    if fits {
        Ok(path.to_owned())
    } else {
        Err(
            "a path begins with a slash and has no blank and no `#`, such as `/disks?all=1`"
                .to_owned(),
        )
    }
}

fn check_headers(headers: &BTreeMap<String, Secret>) -> Result<(), OpenError> {
    if headers.len() > MOST_HEADERS {
        return Err(OpenError::at("headers", "at most 16 headers are sent"));
    }
    for (name, value) in headers {
        let is_name = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !is_name || !value.expose().is_ascii() {
            return Err(OpenError::at(
                "headers",
                "a header has a name of letters, digits and - and a value without umlauts",
            ));
        }
        if TAKEN.iter().any(|taken| name.eq_ignore_ascii_case(taken)) {
            return Err(OpenError::at(
                "headers",
                format!(
                    "`{name}` is sent by itself; credentials belong into token, or username and password"
                ),
            ));
        }
    }
    Ok(())
}
