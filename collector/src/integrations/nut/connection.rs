//! One connection to upsd: a question, and a bounded answer.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use super::{address::Address, line::words};
use crate::{FailureClass, PollError};

/// Most bytes of a line; upsd's own bound is 512.
const LONGEST_LINE: usize = 4096;
/// Most lines of a list.
const MOST_LINES: usize = 4096;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// upsd says no, with this word; the connection is still good.
    Refused(String),
    /// The connection broke before anything was answered: an old one may have been closed meanwhile.
    Closed(PollError),
    Other(PollError),
}

pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    address: Address,
    patience: Duration,
}

impl Connection {
    pub(super) async fn open(address: &Address, patience: Duration) -> Result<Self, PollError> {
        let connect = TcpStream::connect((address.host.as_str(), address.port));
        let stream = match timeout(patience, connect).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(e)) => {
                return Err(PollError::new(
                    FailureClass::Unreachable,
                    format!(
                        "upsd at {address} cannot be reached: {e}; upsd listens on other addresses than 127.0.0.1 only where upsd.conf \
                         has a LISTEN line for them"
                    ),
                ));
            }
            Err(_) => return Err(too_slow(address, patience)),
        };
        Ok(Self {
            stream: BufReader::new(stream),
            address: address.clone(),
            patience,
        })
    }

    /// Asks for a list, `LIST …`; the rows come back as words, without `what` before them. A row that cannot be read is left
    /// out.
    pub(super) async fn list(
        &mut self,
        command: &str,
        what: &str,
    ) -> Result<Vec<Vec<String>>, Failed> {
        let patience = self.patience;
        match timeout(patience, self.list_slowly(command, what)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failed::Other(too_slow(&self.address, patience))),
        }
    }

    async fn list_slowly(&mut self, command: &str, what: &str) -> Result<Vec<Vec<String>>, Failed> {
        let question = format!("LIST {command}\n");
        let sent = self.stream.write_all(question.as_bytes()).await;
        sent.map_err(|e| Failed::Closed(self.broken(&e.to_string())))?;
        let first = self.line().await?;
        let Some(first) = first else {
            return Err(Failed::Closed(self.broken("it was closed")));
        };
        match words(&first).unwrap_or_default().as_slice() {
            [err, word, ..] if err == "ERR" => return Err(Failed::Refused(word.clone())),
            [begin, list, ..] if begin == "BEGIN" && list == "LIST" => {}
            _ => {
                return Err(self.not_understood(&format!(
                    "answers with `{}`, which upsd does not",
                    schemas::name::excerpt(&first)
                )));
            }
        }
        let mut rows = Vec::new();
        for _ in 0..MOST_LINES {
            let Some(line) = self.line().await? else {
                return Err(Failed::Other(self.broken("it was closed within a list")));
            };
            let Some(mut row) = words(&line) else {
                continue;
            };
            match row.first().map(String::as_str) {
                Some("END") => return Ok(rows),
                Some("ERR") => {
                    return Err(Failed::Refused(row.get(1).cloned().unwrap_or_default()));
                }
                Some(word) if word == what => {
                    row.remove(0);
                    rows.push(row);
                }
                _ => {}
            }
        }
        Err(self.not_understood(&format!("sends a list of more than {MOST_LINES} lines")))
    }

    /// The next line; nothing where the connection was closed before one began.
    async fn line(&mut self) -> Result<Option<String>, Failed> {
        let mut line = Vec::new();
        let most = u64::try_from(LONGEST_LINE + 1).unwrap_or(u64::MAX);
        let read = (&mut self.stream)
            .take(most)
            .read_until(b'\n', &mut line)
            .await;
        match read {
            Ok(0) => Ok(None),
            Ok(_) if line.ends_with(b"\n") => {
                Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()))
            }
            Ok(_) if line.len() > LONGEST_LINE => {
                Err(self.not_understood(&format!("sends a line of more than {LONGEST_LINE} bytes")))
            }
            Ok(_) => Err(Failed::Other(self.broken("it was closed within a line"))),
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => {
                Err(Failed::Closed(self.broken(&e.to_string())))
            }
            Err(e) => Err(Failed::Other(self.broken(&e.to_string()))),
        }
    }

    fn broken(&self, why: &str) -> PollError {
        PollError::new(
            FailureClass::Unreachable,
            format!("the connection to upsd at {} broke: {why}", self.address),
        )
    }

    fn not_understood(&self, what: &str) -> Failed {
        Failed::Other(PollError::new(
            FailureClass::BadAnswer,
            format!(
                "{} {what}: check url; upsd listens on port 3493",
                self.address
            ),
        ))
    }
}

fn too_slow(address: &Address, patience: Duration) -> PollError {
    PollError::new(
        FailureClass::Timeout,
        format!(
            "upsd at {address} did not answer within {}",
            schemas::time::format_duration(patience)
        ),
    )
}
