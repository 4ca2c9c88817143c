//! Which known services a host has, found out by asking each where it usually listens who it is. Nobody logs in, and only
//! the hosts that are named are asked.

mod answer;
mod services;

use std::time::Duration;

use futures::{StreamExt, stream};
use http_client::{BuildError, Client, Error, Options, Redirects, Response, Tls};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{CertificateShown, service::certificate_of};
use answer::Answer;
use services::{Door, SERVICES, Service};

/// How long one door may take to open and answer.
const PATIENCE: Duration = Duration::from_secs(4);
/// Doors of one host that are tried at a time.
const TOGETHER: usize = 4;
/// What identifies a service stands in the first bytes of its answer.
const ENOUGH: usize = 64 * 1024;

/// A service that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Kind of the integration that watches it.
    pub kind: &'static str,
    /// What a person calls it.
    pub name: &'static str,
    /// What the name of its source may end in.
    pub label: &'static str,
    /// The `url` of its source.
    pub url: String,
    /// Its certificate, where no authority of this system signed it.
    pub certificate: Option<Box<CertificateShown>>,
    /// What is to be known besides.
    pub note: Option<&'static str>,
}

/// Asks one host. Of a service with several doors the first that opens is told. `host` is a name or an address, an IPv6
/// address in brackets.
///
/// # Errors
/// TLS cannot be set up.
pub async fn discover(host: &str) -> Result<Vec<Found>, BuildError> {
    let asking = Asking::new()?;
    let mut found: Vec<Found> = stream::iter(SERVICES.iter().flat_map(|service| {
        let asking = &asking;
        service
            .doors
            .iter()
            .map(move |door| asking.door(host, service, door))
    }))
    .buffered(TOGETHER)
    .filter_map(std::future::ready)
    .collect()
    .await;
    // the order of the table, in which the better door of a service comes first
    found.dedup_by(|later, first| later.name == first.name);
    Ok(found)
}

/// Clients that believe what this system does, and anybody: to whom nothing is said that is secret.
struct Asking {
    strict: Client,
    anybody: Client,
}

impl Asking {
    fn new() -> Result<Self, BuildError> {
        let client = |tls| {
            Client::new(Options {
                tls,
                connect_timeout: PATIENCE / 2,
                read_timeout: PATIENCE,
                timeout: PATIENCE,
                redirects: Redirects::Shown,
                refuse_link_local: true,
                ..Options::default()
            })
        };
        Ok(Self {
            strict: client(Tls::System)?,
            anybody: client(Tls::Insecure)?,
        })
    }

    async fn door(&self, host: &str, service: &'static Service, door: &Door) -> Option<Found> {
        let (url, certificate) = match *door {
            Door::Http {
                scheme,
                port,
                path,
                is_it,
            } => {
                let base = match (scheme, port) {
                    ("http", 80) | ("https", 443) => format!("{scheme}://{host}"),
                    _ => format!("{scheme}://{host}:{port}"),
                };
                let (answer, certificate) = self.get(&format!("{base}{path}")).await?;
                is_it(&answer).then_some((base, certificate))?
            }
            Door::Line { port, says, begins } => {
                let line = line(host, port, says).await?;
                line.starts_with(begins)
                    .then(|| (format!("{host}:{port}"), None))?
            }
        };
        Some(Found {
            kind: service.kind,
            name: service.name,
            label: service.label,
            url: (service.url)(&url),
            certificate,
            note: service.note,
        })
    }

    /// The beginning of an answer, and the certificate if it is not known.
    async fn get(&self, url: &str) -> Option<(Answer, Option<Box<CertificateShown>>)> {
        let (answer, certificate) = match self.strict.get(url).send().await {
            Ok(answer) => (answer, None),
            Err(e @ Error::Certificate { .. }) => {
                let certificate = certificate_of(&e).map(Box::new);
                (self.anybody.get(url).send().await.ok()?, certificate)
            }
            Err(e) => {
                tracing::debug!(url, "nothing known at {url}: {e}");
                return None;
            }
        };
        Some((begin_of(answer).await, certificate))
    }
}

async fn begin_of(mut answer: Response) -> Answer {
    let mut read = Answer {
        status: answer.status().as_u16(),
        server: answer.header("server").unwrap_or_default().to_owned(),
        body: Vec::new(),
    };
    while read.body.len() < ENOUGH
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        let room = ENOUGH - read.body.len();
        read.body.extend(chunk.iter().take(room));
    }
    read
}

/// Says a line and reads one.
async fn line(host: &str, port: u16, says: &str) -> Option<String> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let talk = async {
        let mut stream = TcpStream::connect((host, port)).await.ok()?;
        stream.write_all(says.as_bytes()).await.ok()?;
        let mut line = Vec::new();
        let mut piece = [0; 256];
        while line.len() < 1024 && !line.contains(&b'\n') {
            let read = stream
                .read(&mut piece)
                .await
                .ok()
                .filter(|read| *read > 0)?;
            line.extend(piece.iter().take(read));
        }
        Some(String::from_utf8_lossy(&line).into_owned())
    };
    timeout(PATIENCE, talk).await.ok().flatten()
}

#[cfg(test)]
mod tests;
