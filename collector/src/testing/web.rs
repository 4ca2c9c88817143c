//! A web server that answers as a test wants, also as no server would.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use supervision::Supervisor;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

/// Serves every connection in a task of its own, until the supervisor stops.
pub(crate) fn serve_all<S>(
    supervisor: &Supervisor,
    listener: TcpListener,
    serve: impl Fn(TcpStream) -> S + Send + 'static,
) where
    S: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let connections = supervisor.clone();
    supervisor.spawn_transient("fake server", async move {
        let stopped = connections.token();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stopped.cancelled() => return,
            };
            let (stream, _) = accepted.unwrap();
            let (served, stop) = (serve(stream), stopped.clone());
            connections.spawn_transient("fake connection", async move {
                tokio::select! {
                    served = served => drop(served),
                    () = stop.cancelled() => {}
                }
            });
        }
    });
}

/// The head of the next request.
pub(crate) async fn head(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head).unwrap())
}

/// The first header of a name, in a head.
pub(crate) fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then(|| value.to_owned())
    })
}

#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Status, more header lines, body.
    Page(u16, String, Vec<u8>),
    /// Bytes as they are, then the connection is closed.
    Raw(Vec<u8>),
    /// Nothing, and the connection stays open.
    Silence,
}

impl Answer {
    pub(crate) fn page(status: u16, body: &str) -> Self {
        Self::Page(status, String::new(), body.as_bytes().to_vec())
    }

    pub(crate) fn typed(content_type: &str, body: &str) -> Self {
        Self::Page(
            200,
            format!("content-type: {content_type}\r\n"),
            body.as_bytes().to_vec(),
        )
    }
}

#[derive(Default)]
struct State {
    answers: HashMap<String, Answer>,
    requests: Vec<String>,
}

pub(crate) struct Web {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    supervisor: Supervisor,
}

impl Drop for Web {
    fn drop(&mut self) {
        self.supervisor.stop();
    }
}

impl Web {
    pub(crate) async fn start() -> Self {
        Self::start_with(None).await
    }

    pub(crate) async fn start_with(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let web = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
            supervisor: Supervisor::new(),
        };
        let state = Arc::clone(&web.state);
        serve_all(&web.supervisor, listener, move |stream| {
            let (state, tls) = (Arc::clone(&state), tls.clone());
            async move {
                match tls {
                    None => serve(stream, state).await,
                    Some(tls) => serve(TlsAcceptor::from(tls).accept(stream).await?, state).await,
                }
            }
        });
        web
    }

    pub(crate) const fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What a path with its query answers from now on; others answer 404.
    pub(crate) fn answer(&self, target: &str, answer: Answer) {
        let mut state = self.state.lock().unwrap();
        state.answers.insert(target.to_owned(), answer);
    }

    /// The heads of all requests.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    state: Arc<Mutex<State>>,
) -> std::io::Result<()> {
    loop {
        let head = head(&mut stream).await?;
        let target = head.split(' ').nth(1).unwrap().to_owned();
        let answer = {
            let mut state = state.lock().unwrap();
            state.requests.push(head);
            state.answers.get(&target).cloned()
        };
        match answer.unwrap_or_else(|| Answer::page(404, "nothing is here")) {
            Answer::Silence => std::future::pending().await,
            Answer::Raw(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Answer::Page(status, headers, body) => {
                let head = format!(
                    "HTTP/1.1 {status} \r\ncontent-length: {}\r\n{headers}\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&body).await?;
            }
        }
    }
}
