//! Bounded connections to an engine.
//!
//! `bollard` speaks the protocol, but reads an answer or a line however long it is. So every byte that is read here is
//! taken from a budget that its user fills up: before each poll, and after each event.

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker as Client, body_full, errors::Error};
use hyper::{
    Request, Response, Uri,
    body::{Body, Bytes, Incoming},
    rt::Executor,
};
use hyper_util::{
    client::legacy::{
        Client as HttpClient,
        connect::{Connected, Connection},
    },
    rt::TokioIo,
};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use supervision::Supervisor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tower::Service;

use super::address::Address;
use crate::{FailureClass, PollError, service};

/// Until an answer begins.
const PATIENCE: Duration = Duration::from_secs(10);
/// Kept between polls, so that a poll of many containers does not connect anew for each.
const IDLE_CONNECTIONS: usize = 8;
/// Longest refusal that is read.
const REFUSAL_BYTES: usize = 16 * 1024;
const TOO_LONG: &str = "the engine sends more than a poll or an event may take";

/// What a stream to an engine can do.
pub(super) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Bytes that may still be read.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget(Arc<AtomicU64>);

impl Budget {
    pub(super) fn fill(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    fn take(&self, bytes: usize) -> io::Result<()> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            })
            .map(drop)
            .map_err(|_| io::Error::new(io::ErrorKind::FileTooLarge, TOO_LONG))
    }
}

/// Sends one request; the type of its body has no name outside of `bollard`.
type Sender = Arc<
    dyn Fn(
            BollardRequest,
        ) -> Pin<Box<dyn Future<Output = Result<Response<Incoming>, Error>> + Send>>
        + Send
        + Sync,
>;

/// A client of one engine, with its budget.
pub(super) struct Engine {
    pub(super) client: Client,
    pub(super) budget: Budget,
    version: Arc<OnceLock<String>>,
    base: String,
    send: Sender,
}

impl Engine {
    /// Does not connect yet.
    pub(super) fn new(
        address: &Address,
        tls: Option<&TlsConnector>,
        supervisor: &Supervisor,
        task: &str,
    ) -> Result<Self, Error> {
        let budget = Budget::default();
        let connector = Connector {
            address: address.clone(),
            tls: tls.cloned(),
            budget: budget.clone(),
        };
        let http = HttpClient::builder(Connections(supervisor.clone(), Arc::from(task)))
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .http1_max_buf_size(64 * 1024)
            .build(connector);
        let version: Arc<OnceLock<String>> = Arc::default();
        let agreed = Arc::clone(&version);
        let send: Sender = Arc::new(move |request: BollardRequest| {
            crate::cost::request();
            let http = http.clone();
            let request = at_version(request, agreed.get());
            Box::pin(async move { Ok(http.request(request?).await?) })
        });
        let base = format!("http://{}", address.authority());
        let transport = {
            let send = Arc::clone(&send);
            move |request: BollardRequest| send(request)
        };
        let client = Client::connect_with_custom_transport(
            transport,
            Some(base.clone()),
            PATIENCE.as_secs(),
            API_DEFAULT_VERSION,
        )?;
        Ok(Self {
            client,
            budget,
            version,
            base,
            send,
        })
    }

    /// Asks for what `bollard` would not read whole if one value in it were new to it.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let body = tokio::time::timeout(PATIENCE, self.fetch(path))
            .await
            .map_err(|_| Error::RequestTimeoutError)??;
        serde_json::from_slice(&body).map_err(|e| not_read(&e))
    }

    /// Asks for a list. Rows that cannot be read are left out, unless that is all of them.
    pub(super) async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Error> {
        let raw: Vec<Box<RawValue>> = self.get(path).await?;
        let mut wrong = None;
        let rows: Vec<_> = raw
            .iter()
            .filter_map(|row| {
                serde_json::from_str(row.get())
                    .map_err(|e| wrong = Some(e))
                    .ok()
            })
            .collect();
        match wrong {
            Some(e) if rows.is_empty() => Err(not_read(&e)),
            _ => Ok(rows),
        }
    }

    async fn fetch(&self, path: &str) -> Result<Vec<u8>, Error> {
        let request = Request::get(format!("{}{path}", self.base)).body(body_full(Bytes::new()))?;
        let answer = (self.send)(request).await?;
        let status = answer.status();
        if status.is_success() {
            return whole(answer.into_body(), usize::MAX).await;
        }
        let body = whole(answer.into_body(), REFUSAL_BYTES).await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        let said = serde_json::from_str::<serde_json::Value>(&text)
            .ok()
            .and_then(|json| Some(json.get("message")?.as_str()?.to_owned()));
        Err(Error::DockerResponseServerError {
            status_code: status.as_u16(),
            message: said.unwrap_or(text),
        })
    }

    /// Asks for this version of the API from now on; only the first call counts.
    pub(super) fn agree_on(&self, version: &str) {
        self.version.get_or_init(|| version.to_owned());
    }
}

/// A body up to a length; beyond it stands nothing that is of interest.
async fn whole(mut body: Incoming, most: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() >= most {
            break;
        }
    }
    Ok(bytes)
}

fn not_read(error: &serde_json::Error) -> Error {
    Error::JsonDataError {
        message: error.to_string(),
        column: error.column(),
    }
}

/// Puts the version that was agreed on before the path.
fn at_version(
    mut request: BollardRequest,
    version: Option<&String>,
) -> Result<BollardRequest, Error> {
    let Some(version) = version else {
        return Ok(request);
    };
    let uri = request.uri();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    if path.starts_with("/v1.") {
        return Ok(request);
    }
    let authority = uri.authority().map_or("docker", |a| a.as_str());
    *request.uri_mut() = Uri::builder()
        .scheme("http")
        .authority(authority)
        .path_and_query(format!("/v{version}{path}"))
        .build()?;
    Ok(request)
}

/// The newest version that both sides speak, from what the engine says of itself.
pub(super) fn agreeable(engine: &str) -> Option<String> {
    let parse = |text: &str| -> Option<(usize, usize)> {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    let theirs = parse(engine)?;
    let ours = (
        API_DEFAULT_VERSION.major_version,
        API_DEFAULT_VERSION.minor_version,
    );
    let (major, minor) = theirs.min(ours);
    (major == 1).then(|| format!("{major}.{minor}"))
}

#[derive(Clone)]
struct Connections(Supervisor, Arc<str>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Connections {
    fn execute(&self, connection: F) {
        self.0.spawn_transient(Arc::clone(&self.1), connection);
    }
}

#[derive(Clone)]
struct Connector {
    address: Address,
    tls: Option<TlsConnector>,
    budget: Budget,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Metered>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            Ok(TokioIo::new(Metered {
                io: connector.address.connect(connector.tls.as_ref()).await?,
                budget: connector.budget,
            }))
        })
    }
}

struct Metered {
    io: Box<dyn Io>,
    budget: Budget,
}

impl Connection for Metered {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.io).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => Poll::Ready(self.budget.take(buf.filled().len() - before)),
            other => other,
        }
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// What a failed call means and what to do about it.
pub(super) fn explain(error: &Error, address: &Address) -> PollError {
    use FailureClass::{BadAnswer, NoPermission, Other, RateLimited, Timeout, Tls, Unreachable};
    if let Some(io) = cause::<io::Error>(error) {
        if let Some(tls) = http_client::Error::in_connection(&address.to_string(), io) {
            return service::failed(&tls);
        }
        return match io.kind() {
            io::ErrorKind::FileTooLarge => PollError::new(
                BadAnswer,
                format!("{TOO_LONG}: is {address} a Docker Engine?"),
            ),
            io::ErrorKind::PermissionDenied => PollError::new(
                NoPermission,
                format!(
                    "may not open {address}: add this user to the group `docker`, or put a read-only socket proxy before it"
                ),
            ),
            io::ErrorKind::NotFound => PollError::new(
                Unreachable,
                format!("there is nothing at {address}: is the Docker Engine running?"),
            ),
            io::ErrorKind::UnexpectedEof => {
                PollError::new(BadAnswer, format!("an answer of {address} broke off"))
            }
            _ => PollError::new(Unreachable, format!("no connection to {address}: {io}")),
        };
    }
    if let Some(http) = cause::<hyper::Error>(error) {
        return if http.is_parse() {
            PollError::new(
                BadAnswer,
                format!("what answers at {address} does not speak HTTP: is it a Docker Engine?"),
            )
        } else {
            PollError::new(
                Unreachable,
                format!("the connection to {address} broke: {http}"),
            )
        };
    }
    match error {
        Error::DockerResponseServerError {
            status_code,
            message,
        } => {
            let said = schemas::name::excerpt(message.trim());
            match status_code {
                // what Go's server says to whoever speaks plainly to it
                400 if !address.is_tls() && message.contains("HTTPS server") => PollError::new(
                    Tls,
                    format!(
                        "{address} speaks TLS: write https:// and set tls = {{ ca = …, cert = …, key = … }}"
                    ),
                ),
                401 | 403 => PollError::new(
                    NoPermission,
                    format!(
                        "{address} refuses this request (HTTP {status_code}: {said}): allow GET of containers, events and info in the socket proxy"
                    ),
                ),
                429 => PollError::new(
                    RateLimited,
                    format!("{address} asks for fewer requests: {said}"),
                ),
                _ => PollError::new(
                    BadAnswer,
                    format!("{address} answers HTTP {status_code}: {said}"),
                ),
            }
        }
        Error::RequestTimeoutError => PollError::new(
            Timeout,
            format!(
                "{address} took the request and did not answer within {}s",
                PATIENCE.as_secs()
            ),
        ),
        Error::JsonDataError { message, .. } => PollError::new(
            BadAnswer,
            format!(
                "an answer of {address} is not what a Docker Engine sends: {}",
                schemas::name::excerpt(message)
            ),
        ),
        Error::JsonSerdeError { .. } | Error::StrParseError { .. } => PollError::new(
            BadAnswer,
            format!("an answer of {address} broke off or is no JSON: is it a Docker Engine?"),
        ),
        other => PollError::new(
            Other,
            format!("{address}: {}", schemas::name::excerpt(&other.to_string())),
        ),
    }
}

/// The first error of a type in the chain of causes.
fn cause<E: std::error::Error + 'static>(error: &Error) -> Option<&E> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        // bollard's own error shows what it holds as itself, not as its cause
        let held = match error.downcast_ref::<Error>() {
            Some(Error::IOError { err }) => Some(err as &(dyn std::error::Error + 'static)),
            Some(Error::HyperResponseError { err }) => Some(err as _),
            Some(Error::HyperLegacyError { err }) => Some(err as _),
            _ => None,
        };
        if let Some(found) = held.unwrap_or(error).downcast_ref::<E>() {
            return Some(found);
        }
        next = held.unwrap_or(error).source();
    }
    None
}

/// Whether a proxy does not let this through, or an engine does not know it.
pub(super) fn is_refusal(error: &Error) -> bool {
    matches!(
        error,
        Error::DockerResponseServerError {
            status_code: 401 | 403 | 404,
            ..
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_of_both_versions_is_agreed_on() {
        assert_eq!(agreeable("1.41").as_deref(), Some("1.41"));
        let ours = format!("1.{}", API_DEFAULT_VERSION.minor_version);
        assert_eq!(agreeable("1.99"), Some(ours));
        for odd in ["", "2", "1.x", "0.9"] {
            assert_eq!(agreeable(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_budget_ends() {
        let budget = Budget::default();
        budget.fill(10);
        budget.take(7).unwrap();
        assert_eq!(
            budget.take(4).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
        budget.fill(4);
        budget.take(4).unwrap();
    }
}
