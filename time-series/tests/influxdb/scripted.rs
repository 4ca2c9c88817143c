//! A server that answers as a test says, where a real InfluxDB cannot be made to.

use std::{
    io::Read,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use schemas::line_protocol::{Parser, Precision, Value};
use supervision::Supervisor;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) at: Instant,
    pub(crate) path: String,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Whether points are written into the bucket `raw`.
    pub(crate) fn is_write(&self) -> bool {
        self.path.starts_with("/api/v2/write") && self.path.contains("bucket=raw&")
    }

    /// The lines of a compressed body: id and the value of `n`.
    pub(crate) fn lines(&self) -> Vec<(String, i64)> {
        assert!(
            self.head.contains("content-encoding: gzip"),
            "{}",
            self.head
        );
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(self.body.as_slice())
            .read_to_end(&mut text)
            .unwrap();
        Parser::new(&text, Precision::Milliseconds)
            .map(|line| {
                let line = line.unwrap();
                let id = line.tags.iter().find(|(name, _)| name == "id").unwrap();
                let n = line.fields.iter().find(|(name, _)| name == "n").unwrap();
                let Value::Integer(n) = n.1 else {
                    panic!("{n:?}")
                };
                (id.1.clone().into_owned(), n)
            })
            .collect()
    }
}

/// An answer: status, further headers, body, and how long it takes.
pub(crate) struct Answer(
    pub(crate) u16,
    pub(crate) String,
    pub(crate) String,
    pub(crate) Duration,
);

impl Answer {
    pub(crate) fn of(status: u16) -> Self {
        Self(status, String::new(), String::new(), Duration::ZERO)
    }
}

type Script = dyn FnMut(&Request) -> Option<Answer> + Send;

/// A server and what it was asked.
pub(crate) struct Scripted {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Scripted {
    /// Starts one. Where the script has no answer, it answers as an empty InfluxDB with the buckets `raw` and `raw_state`.
    pub(crate) async fn start(
        supervisor: &Supervisor,
        script: impl FnMut(&Request) -> Option<Answer> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, inner) = (Arc::clone(&requests), supervisor.clone());
        let script: Arc<Mutex<Box<Script>>> = Arc::new(Mutex::new(Box::new(script)));
        supervisor.spawn_transient("scripted", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, script) = (Arc::clone(&seen), Arc::clone(&script));
                inner.spawn_transient("scripted/connection", async move {
                    serve(stream, &seen, &script).await;
                });
            }
        });
        Self { url, requests }
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// All writes of points so far.
    pub(crate) fn writes(&self) -> Vec<Request> {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|r| r.is_write()).cloned().collect()
    }
}

async fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Request>>, script: &Mutex<Box<Script>>) {
    let mut buffer = Vec::new();
    while let Some(request) = read(&mut stream, &mut buffer).await {
        let scripted = (script.lock().unwrap())(&request);
        let Answer(status, headers, body, wait) = scripted.unwrap_or_else(|| usual(&request.path));
        seen.lock().unwrap().push(request);
        tokio::time::sleep(wait).await;
        let length = body.len();
        let text =
            format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}");
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let mut part = [0; 8192];
    loop {
        let end = buffer.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if buffer.len() >= end + 4 + length {
                let rest = buffer.split_off(end + 4 + length);
                let body = buffer.split_off(end + 4);
                let path = String::from_utf8_lossy(buffer)
                    .split(' ')
                    .nth(1)
                    .unwrap()
                    .to_owned();
                *buffer = rest;
                return Some(Request {
                    at: Instant::now(),
                    path,
                    head,
                    body,
                });
            }
        }
        match stream.read(&mut part).await {
            Ok(read) if read > 0 => buffer.extend_from_slice(&part[..read]),
            _ => return None,
        }
    }
}

fn usual(path: &str) -> Answer {
    let ok = |body: &str| Answer(200, String::new(), body.to_owned(), Duration::ZERO);
    if path.starts_with("/health") {
        ok(r#"{"name":"influxdb","version":"v2.7.12"}"#)
    } else if path.starts_with("/api/v2/buckets") {
        ok(
            r#"{"buckets":[{"name":"raw","retentionRules":[]},{"name":"raw_state","retentionRules":[]}]}"#,
        )
    } else if path.starts_with("/api/v2/write") {
        Answer::of(204)
    } else {
        ok(r#"{"results":[{"statement_id":0}]}"#)
    }
}
