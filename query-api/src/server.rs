//! Accepts connections and serves them, each in a supervised task, until the supervisor says stop.

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{Router, body::Body, extract::ConnectInfo, http::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::metrics::gauge::Gauge;
use supervision::Supervisor;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, info, warn};

use crate::{ApiOptions, App, ServerTls, Services, router, tls::OverTls};

/// How long an answer that is being written may go on after the stop.
const LAST_ANSWERS: Duration = Duration::from_secs(3);
/// How long a peer may leave our bytes unacknowledged.
const PEER_SILENCE: Duration = Duration::from_mins(1);
/// Largest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;

/// Where it is listened; bound already.
#[derive(Debug, Default)]
pub struct Listeners {
    /// For all of the API and the dashboard.
    pub api: Vec<TcpListener>,
    /// For InfluxDB's write API alone, at the root of an address of its own.
    pub influxdb: Vec<TcpListener>,
}

impl From<Vec<TcpListener>> for Listeners {
    fn from(api: Vec<TcpListener>) -> Self {
        Self {
            api,
            influxdb: Vec::new(),
        }
    }
}

/// Serves the API, in tasks of the supervisor named `api/<address>` and `influxdb/<address>`.
///
/// # Errors
/// A listener does not know its address.
pub fn serve(
    listeners: impl Into<Listeners>,
    services: Services,
    options: ApiOptions,
    supervisor: &Supervisor,
) -> anyhow::Result<()> {
    let places = Arc::new(Semaphore::new(options.max_connections));
    let head_timeout = options.head_timeout;
    let tls = options.tls.clone();
    let app = App::new(services, options, supervisor.clone());
    let router = router::router(app.clone());
    let at_root = router::at_root_of_influxdb(router.clone());
    let Listeners { api, influxdb } = listeners.into();
    let api = api
        .into_iter()
        .map(|listener| (listener, &router, "api", "the API"));
    let influxdb = influxdb
        .into_iter()
        .map(|listener| (listener, &at_root, "influxdb", "InfluxDB's write API"));
    for (listener, router, name, what) in api.chain(influxdb) {
        let address = listener.local_addr().context("address of a listener")?;
        info!(listen.address = %address, "{what} listens on {address}");
        let acceptor = Acceptor {
            listener,
            router: router.clone(),
            connections: app.metrics.connections.clone(),
            supervisor: supervisor.clone(),
            tls: tls.clone(),
            places: Arc::clone(&places),
            head_timeout,
        };
        start(acceptor, name)?;
    }
    Ok(())
}

/// Starts to accept connections in a task that is named after what is served and where.
pub(crate) fn start(acceptor: Acceptor, what: &str) -> anyhow::Result<()> {
    let address = acceptor
        .listener
        .local_addr()
        .context("address of a listener")?;
    let supervisor = acceptor.supervisor.clone();
    supervisor.spawn(
        format!("{what}/{address}"),
        acceptor.run(supervisor.token()),
    );
    Ok(())
}

/// What is served on one listener.
pub(crate) struct Acceptor {
    pub(crate) listener: TcpListener,
    pub(crate) router: Router,
    pub(crate) connections: Gauge,
    pub(crate) supervisor: Supervisor,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) head_timeout: Duration,
}

impl Acceptor {
    async fn run(self, token: CancellationToken) -> anyhow::Result<()> {
        loop {
            // a place first: while there is none, further connections wait in the system's queue
            let (place, (stream, peer)) = tokio::select! {
                () = token.cancelled() => return Ok(()),
                next = self.next() => next?,
            };
            if let Err(e) = prepare(&stream) {
                debug!(error = %e, "a connection was gone before it was served");
                continue;
            }
            let tls = self.tls.clone();
            let connection = Connection {
                router: self.router.clone(),
                peer,
                head_timeout: self.head_timeout,
            };
            let gauge = self.connections.clone();
            let token = token.clone();
            self.supervisor
                .spawn_transient("api/connection", async move {
                    gauge.inc();
                    match tls {
                        None => connection.serve(stream, false, token).await,
                        Some(tls) => connection.shake_hands(&tls, stream, token).await,
                    }
                    gauge.dec();
                    drop(place);
                });
        }
    }

    async fn next(
        &self,
    ) -> anyhow::Result<(tokio::sync::OwnedSemaphorePermit, (TcpStream, SocketAddr))> {
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .context("places for connections")?;
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return Ok((place, accepted)),
                Err(e) if is_of_one_connection(&e) => {}
                Err(e) => {
                    // out of file descriptors or memory: what is served may give some back
                    warn!(
                        retry_in_ms = 500,
                        "a connection could not be accepted, will try again: {e}"
                    );
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        }
    }
}

fn is_of_one_connection(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let silence = u32::try_from(PEER_SILENCE.as_millis()).unwrap_or(u32::MAX);
    rustix::net::sockopt::set_tcp_user_timeout(stream, silence)?;
    rustix::net::sockopt::set_socket_keepalive(stream, true)?;
    Ok(())
}

struct Connection {
    router: Router,
    peer: SocketAddr,
    head_timeout: Duration,
}

impl Connection {
    async fn shake_hands(self, tls: &ServerTls, stream: TcpStream, token: CancellationToken) {
        let shaken = tokio::select! {
            shaken = tokio::time::timeout(self.head_timeout, tls.accept(stream)) => shaken,
            () = token.cancelled() => return,
        };
        match shaken {
            Ok(Ok(stream)) => self.serve(stream, true, token).await,
            Ok(Err(e)) => debug!("no TLS with a client: {e}"),
            Err(_) => debug!("a client took too long for TLS"),
        }
    }

    async fn serve(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        over_tls: bool,
        token: CancellationToken,
    ) {
        let (router, peer) = (self.router, self.peer);
        let service = service_fn(move |request: Request<Incoming>| {
            let router = router.clone();
            async move {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(ConnectInfo(peer));
                if over_tls {
                    request.extensions_mut().insert(OverTls);
                }
                let answer: Result<Response, Infallible> = router.oneshot(request).await;
                answer
            }
        });
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.head_timeout)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD);
        let mut served = pin!(
            builder
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
        );
        let ended = tokio::select! {
            ended = served.as_mut() => ended,
            () = token.cancelled() => {
                served.as_mut().graceful_shutdown();
                let Ok(ended) = tokio::time::timeout(LAST_ANSWERS, served).await else {
                    debug!("an answer was cut off since it took too long after the stop");
                    return;
                };
                ended
            }
        };
        if let Err(e) = ended {
            debug!("a connection ended: {e}");
        }
    }
}
