//! A node that answers what a test wants, also what no node would, over a real socket.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use supervision::Supervisor;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::testing::web::{self, serve_all};

#[derive(Clone)]
pub(super) enum Answer {
    /// What stands in `data`.
    Data(Value),
    /// Status, words behind it, body.
    Status(u16, String, String),
    /// Bytes as they are, then the connection is closed.
    Raw(&'static [u8]),
    Silence,
}

impl Answer {
    pub(super) fn refusal(status: u16, reason: &str) -> Self {
        Self::Status(status, reason.to_owned(), String::new())
    }
}

#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// `GET /cluster/resources`, without `/api2/json`.
    pub(super) what: String,
    pub(super) authorization: String,
    pub(super) cookie: String,
    pub(super) body: String,
}

#[derive(Default)]
struct State {
    answers: HashMap<String, Answer>,
    asked: Vec<Asked>,
    /// The only ticket that is taken, where there is one.
    ticket: Option<String>,
    in_flight: usize,
    most_in_flight: usize,
}

pub(super) struct Fake {
    port: u16,
    state: Arc<Mutex<State>>,
    supervisor: Supervisor,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.supervisor.stop();
    }
}

impl Fake {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            port: listener.local_addr().unwrap().port(),
            state: Arc::default(),
            supervisor: Supervisor::new(),
        };
        let state = Arc::clone(&fake.state);
        serve_all(&fake.supervisor, listener, move |stream| {
            serve(stream, Arc::clone(&state))
        });
        fake
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What a path answers from now on; the others answer 501.
    pub(super) fn answer(&self, path: &str, answer: Answer) {
        let mut state = self.state.lock().unwrap();
        state.answers.insert(path.to_owned(), answer);
    }

    pub(super) fn data(&self, path: &str, data: Value) {
        self.answer(path, Answer::Data(data));
    }

    /// From now on only a new ticket of this name is taken.
    pub(super) fn expect_ticket(&self, ticket: &str) {
        self.state.lock().unwrap().ticket = Some(ticket.to_owned());
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    pub(super) fn times_asked(&self, what: &str) -> usize {
        self.asked().iter().filter(|a| a.what == what).count()
    }

    pub(super) fn most_in_flight(&self) -> usize {
        self.state.lock().unwrap().most_in_flight
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    loop {
        let head = web::head(&mut stream).await?;
        let header = |name: &str| web::header(&head, name).unwrap_or_default();
        let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
        stream.read_exact(&mut body).await?;
        let line = head.lines().next().unwrap_or_default();
        let (method, target) = line.split_once(' ').unwrap_or_default();
        let target = target.split(' ').next().unwrap_or_default();
        let path = target.trim_start_matches("/api2/json").to_owned();
        let asked = Asked {
            what: format!("{method} {path}"),
            authorization: header("authorization"),
            cookie: header("cookie"),
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        let answer = {
            let mut state = state.lock().unwrap();
            let no_ticket = state
                .ticket
                .as_ref()
                .is_some_and(|ticket| asked.cookie != format!("PVEAuthCookie={ticket}"));
            state.asked.push(asked);
            state.in_flight += 1;
            state.most_in_flight = state.most_in_flight.max(state.in_flight);
            let plain = path.split('?').next().unwrap_or_default();
            if no_ticket && path != "/access/ticket" {
                Answer::refusal(401, "permission denied - invalid PVE ticket")
            } else {
                state.answers.get(plain).cloned().unwrap_or_else(|| {
                    Answer::refusal(501, &format!("Method '{method} {plain}' not implemented"))
                })
            }
        };
        // others may come meanwhile
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
        state.lock().unwrap().in_flight -= 1;
        let (status, reason, body) = match answer {
            Answer::Silence => std::future::pending().await,
            Answer::Raw(bytes) => return stream.write_all(bytes).await,
            Answer::Status(status, reason, body) => (status, reason, body),
            Answer::Data(data) => (200, "OK".to_owned(), json!({ "data": data }).to_string()),
        };
        let answer = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await?;
    }
}
