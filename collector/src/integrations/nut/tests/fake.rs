//! An upsd that says what a test wants, also what none would, over a real socket.

use std::{
    collections::BTreeMap,
    fmt::Write,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use supervision::Supervisor;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::testing::web::serve_all;

#[derive(Clone)]
pub(super) enum Answer {
    /// `ERR` and a word.
    Error(&'static str),
    /// Bytes as they are.
    Raw(String),
    /// Bytes as they are, then the connection is closed.
    Cut(String),
    Silence,
}

#[derive(Default)]
pub(super) struct State {
    /// Name to variables, lines of `name "value"`.
    pub(super) ups: BTreeMap<&'static str, String>,
    pub(super) instead: BTreeMap<&'static str, Answer>,
    pub(super) questions: Vec<String>,
    pub(super) connections: usize,
    /// Connections older than this many are closed when they ask.
    pub(super) closed_up_to: usize,
}

pub(super) struct Fake {
    address: SocketAddr,
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
            address: listener.local_addr().unwrap(),
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
        format!("nut://{}", self.address)
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    pub(super) fn get<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.lock().unwrap())
    }

    /// A UPS and its variables, lines of `name: value`.
    pub(super) fn ups(&self, name: &'static str, variables: &str) {
        let mut lines = String::new();
        for (variable, value) in variables.lines().filter_map(|line| line.split_once(": ")) {
            let value = value.trim().replace('\\', "\\\\").replace('"', "\\\"");
            writeln!(lines, "VAR {name} {variable} \"{value}\"").unwrap();
        }
        self.set(|state| drop(state.ups.insert(name, lines)));
    }

    pub(super) fn instead(&self, question: &'static str, answer: Answer) {
        self.set(|state| drop(state.instead.insert(question, answer)));
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    let mine = {
        let mut state = state.lock().unwrap();
        state.connections += 1;
        state.connections
    };
    let mut stream = BufReader::new(stream);
    loop {
        let mut question = String::new();
        if stream.read_line(&mut question).await? == 0 {
            return Ok(());
        }
        let question = question.trim_end();
        let answer = {
            let mut state = state.lock().unwrap();
            if mine <= state.closed_up_to {
                return Ok(());
            }
            state.questions.push(question.to_owned());
            let instead = state.instead.get(question).cloned();
            instead.unwrap_or_else(|| answer(question, &state))
        };
        match answer {
            Answer::Silence => std::future::pending().await,
            Answer::Error(word) => stream.write_all(format!("ERR {word}\n").as_bytes()).await?,
            Answer::Raw(text) => stream.write_all(text.as_bytes()).await?,
            Answer::Cut(text) => return stream.write_all(text.as_bytes()).await,
        }
    }
}

fn answer(question: &str, state: &State) -> Answer {
    let (list, rows) = match question.split(' ').collect::<Vec<_>>().as_slice() {
        ["LIST", "UPS"] => {
            let row = |name| format!("UPS {name} \"Description unavailable\"\n");
            ("UPS".to_owned(), state.ups.keys().map(row).collect())
        }
        ["LIST", "VAR", name] => match state.ups.get(name) {
            Some(rows) => (format!("VAR {name}"), rows.clone()),
            None => return Answer::Error("UNKNOWN-UPS"),
        },
        _ => return Answer::Error("UNKNOWN-COMMAND"),
    };
    Answer::Raw(format!("BEGIN LIST {list}\n{rows}END LIST {list}\n"))
}
