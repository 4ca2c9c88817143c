//! Serves a mock service: bounded, and with what goes wrong on demand.

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    extract::{FromRequestParts, ws::WebSocketUpgrade},
};
use bytes::Bytes;
use futures::StreamExt;
use hyper::{Method, Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use schemas::time::Timestamp;
use serde_json::{Value, json};
use supervision::Supervisor;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::{
    call::Call,
    fault::{FaultKind, Faults},
    reply::{Content, Reply},
    service::Service,
    tls::Tls,
    world::chance,
};

/// Connections of one service at a time.
const CONNECTIONS: usize = 256;
/// How long the head of a request, its body, or a TLS handshake may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a slow answer takes.
const SLOW: Duration = Duration::from_millis(2500);
/// How long no answer comes before the connection is closed.
const SILENCE: Duration = Duration::from_mins(5);
/// Where a mock is told what shall go wrong.
const CONTROL: &str = "/_simulate/fault";

/// A service and what is around it.
pub(crate) struct Hosted {
    pub(crate) name: &'static str,
    pub(crate) service: Arc<dyn Service>,
    pub(crate) faults: Faults,
    pub(crate) tls: Option<Tls>,
    /// Whether it answers without TLS too.
    pub(crate) plain: bool,
    pub(crate) requests: AtomicU64,
    /// Ends the sockets that are open.
    pub(crate) cut: Mutex<CancellationToken>,
}

/// Why a connection ends without an answer.
#[derive(Debug)]
struct HungUp;

impl std::fmt::Display for HungUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the service hung up, as it was told to")
    }
}

impl std::error::Error for HungUp {}

/// Accepts connections until the supervisor stops.
pub(crate) fn serve(supervisor: &Supervisor, listener: TcpListener, hosted: Arc<Hosted>) {
    let connections = supervisor.clone();
    supervisor.spawn(format!("simulate/{}", hosted.name), async move {
        let stop = connections.token();
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => return Ok(()),
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(e) => {
                    debug!("a connection cannot be accepted: {e}");
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            // who finds no room is hung up on, as is everybody while the service is down
            let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
                continue;
            };
            if !hosted.service.listens(Timestamp::now()) {
                continue;
            }
            let (hosted, stop) = (Arc::clone(&hosted), stop.clone());
            let name = format!("simulate/{}/connection", hosted.name);
            connections.spawn_transient(name, async move {
                tokio::select! {
                    () = connection(stream, peer.ip(), hosted, stop.clone()) => {}
                    () = stop.cancelled() => {}
                }
                drop(place);
            });
        }
    });
}

/// Serves one connection, with TLS where the client begins so.
async fn connection(stream: TcpStream, peer: IpAddr, hosted: Arc<Hosted>, stop: CancellationToken) {
    let mut first = [0];
    let Ok(Ok(1)) = timeout(PATIENCE, stream.peek(&mut first)).await else {
        return;
    };
    match (&hosted.tls, first == [0x16]) {
        (Some(tls), true) => {
            let acceptor = if hosted.faults.wrong_certificate() {
                &tls.wrong
            } else {
                &tls.right
            };
            if let Ok(Ok(stream)) = timeout(PATIENCE, acceptor.accept(stream)).await {
                requests(stream, peer, Arc::clone(&hosted), stop, true).await;
            }
        }
        _ => requests(stream, peer, hosted, stop, false).await,
    }
}

async fn requests<S>(
    stream: S,
    peer: IpAddr,
    hosted: Arc<Hosted>,
    stop: CancellationToken,
    secure: bool,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(move |request: Request<Incoming>| {
        respond(request, peer, Arc::clone(&hosted), stop.clone(), secure)
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_headers(64)
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades()
        .await;
    if let Err(e) = served {
        debug!("a connection ended: {e}");
    }
}

async fn respond(
    request: Request<Incoming>,
    peer: IpAddr,
    hosted: Arc<Hosted>,
    stop: CancellationToken,
    secure: bool,
) -> Result<Response<Body>, HungUp> {
    hosted.requests.fetch_add(1, Ordering::Relaxed);
    let (mut parts, body) = request.into_parts();
    let read = timeout(PATIENCE, Call::read(&parts, Body::new(body), peer));
    let Ok(Some(call)) = read.await else {
        return Reply::text(413, "the request is too long or too slow")
            .into_response()
            .map_err(|_| HungUp);
    };
    let now = Timestamp::now();
    if call.path == CONTROL {
        return control(&hosted, &call).into_response().map_err(|_| HungUp);
    }
    if !hosted.service.listens(now) {
        return Err(HungUp);
    }
    if !hosted.plain && !secure {
        let host = call.header("host").unwrap_or("localhost");
        return Reply::text(301, "")
            .header("location", format!("https://{host}{}", parts.uri))
            .into_response()
            .map_err(|_| HungUp);
    }
    let fault = hosted
        .faults
        .next()
        .filter(|fault| hosted.service.knows(*fault));
    if let Some(fault) = fault {
        debug!(service = hosted.name, %fault, "a fault hits a request to {}", hosted.name);
    }
    let refused = match fault {
        Some(FaultKind::Slow) => {
            sleep(SLOW).await;
            None
        }
        Some(FaultKind::Timeout) => {
            sleep(SILENCE).await;
            return Err(HungUp);
        }
        Some(FaultKind::ExpiredSession) => hosted.service.expire(&call),
        Some(FaultKind::RateLimit) => Some(hosted.service.limited()),
        Some(FaultKind::BlockedAccount) => Some(hosted.service.blocked(&call)),
        Some(FaultKind::ServerError) => Some(hosted.service.fails()),
        _ => None,
    };
    if refused.is_none() && fault.is_none() && hosted.service.talks(&call) {
        return talk(&mut parts, &hosted, stop).await;
    }
    let reply = refused.unwrap_or_else(|| hosted.service.answer(&call, now));
    sleep(reply.delay).await;
    let reply = match fault {
        Some(FaultKind::Garbage) => garbage(reply, &hosted),
        Some(FaultKind::HalfAnswer) => half(reply),
        // a connection stays with the certificate that it began with
        None if hosted.faults.is_on(FaultKind::WrongCertificate) => {
            reply.header("connection", "close")
        }
        _ => reply,
    };
    reply.into_response().map_err(|_| HungUp)
}

/// Makes a WebSocket of a request.
async fn talk(
    parts: &mut hyper::http::request::Parts,
    hosted: &Arc<Hosted>,
    stop: CancellationToken,
) -> Result<Response<Body>, HungUp> {
    match WebSocketUpgrade::from_request_parts(parts, &()).await {
        Ok(upgrade) => {
            let service = Arc::clone(&hosted.service);
            let cut = hosted.cut.lock().unwrap_or_else(PoisonError::into_inner);
            let cut = cut.clone();
            Ok(upgrade
                .max_message_size(64 * 1024)
                .on_upgrade(move |socket| async move {
                    tokio::select! {
                        () = service.talk(socket, stop) => {}
                        () = cut.cancelled() => {}
                    }
                }))
        }
        Err(refused) => Ok(axum::response::IntoResponse::into_response(refused)),
    }
}

/// The same answer, with bytes that mean nothing.
fn garbage(mut reply: Reply, hosted: &Hosted) -> Reply {
    let length = match &reply.content {
        Content::Whole(bytes) => bytes.len().clamp(16, 4096),
        Content::Stream(_) => 64,
    };
    let asked = i64::try_from(hosted.requests.load(Ordering::Relaxed)).unwrap_or(0);
    let bytes: Vec<u8> = (0..length)
        .map(|n| {
            let n = i64::try_from(n).unwrap_or(0);
            chance::hash(7, hosted.name, asked * 4096 + n).to_le_bytes()[0]
        })
        .collect();
    reply.status = 200;
    reply.reason = None;
    reply.content = Content::Whole(bytes.into());
    reply
}

/// The same answer, which breaks off in its middle.
fn half(mut reply: Reply) -> Reply {
    // what came before has to be on its way
    let broken = || {
        futures::stream::once(async {
            sleep(Duration::from_millis(20)).await;
            Err(io::Error::other(HungUp))
        })
    };
    let stream = match std::mem::replace(&mut reply.content, Content::Whole(Bytes::new())) {
        Content::Whole(bytes) => {
            reply = reply.header("content-length", bytes.len().to_string());
            let first = bytes.slice(..bytes.len() / 2);
            futures::stream::iter([Ok(first)]).chain(broken()).boxed()
        }
        Content::Stream(stream) => stream.take(1).chain(broken()).boxed(),
    };
    reply.content = Content::Stream(stream);
    reply
}

/// Shows and sets what goes wrong: `POST {"kind":"slow","rate":1,"count":3}`, `DELETE` for all is well.
fn control(hosted: &Hosted, call: &Call) -> Reply {
    if call.method == Method::DELETE {
        hosted.faults.clear();
    } else if call.method == Method::POST
        && let Err(why) = set(hosted, call.json().as_ref())
    {
        return Reply::json(400, &json!({ "error": why }));
    }
    let requests = hosted.requests.load(Ordering::Relaxed);
    Reply::json(
        200,
        &json!({"service": hosted.name, "requests": requests, "faults": hosted.faults.told()}),
    )
}

fn set(hosted: &Hosted, wanted: Option<&Value>) -> Result<(), String> {
    let field = |name: &str| wanted.and_then(|wanted| wanted.get(name));
    let kind: FaultKind = field("kind")
        .and_then(Value::as_str)
        .ok_or("write {\"kind\":\"slow\",\"rate\":1.0}, and \"count\" for how many times")?
        .parse()?;
    let rate = field("rate")
        .map_or(Some(1.0), Value::as_f64)
        .filter(|rate| (0.0..=1.0).contains(rate))
        .ok_or("the rate is a number from 0 to 1")?;
    let count = match field("count") {
        None | Some(Value::Null) => None,
        Some(count) => Some(
            count
                .as_u64()
                .filter(|count| *count > 0)
                .ok_or("the count is a whole number above 0")?,
        ),
    };
    if !hosted.service.knows(kind) || (kind == FaultKind::WrongCertificate && hosted.tls.is_none())
    {
        return Err(format!("this service has no {kind}"));
    }
    hosted.faults.set(kind, rate, count);
    // what goes wrong is met by whoever connects
    let mut cut = hosted.cut.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *cut).cancel();
    Ok(())
}
