use futures::{SinkExt, StreamExt};
use reqwest::StatusCode;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message,
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig},
    },
};

use crate::{Error, Request, Response};

/// Bytes that are read at a time; kept as long as the connection lives.
const BUFFER: usize = 16 * 1024;

/// What became of the wish to speak WebSocket.
#[derive(Debug)]
pub enum Upgrade {
    /// It is open.
    Open(WebSocket),
    /// The server, or a proxy before it, answered as to any other request.
    Refused(Response),
}

/// A connection over which both sides send messages of text. Compression is not agreed on.
#[derive(Debug)]
pub struct WebSocket {
    inner: WebSocketStream<reqwest::Upgraded>,
    host: String,
    most: usize,
}

impl Request {
    /// Sends a GET as the wish to speak WebSocket. Messages that come may have up to `most` bytes.
    ///
    /// # Errors
    /// There is no answer, one that points elsewhere, or one that agrees without having understood.
    pub async fn upgrade(self, most: usize) -> Result<Upgrade, Error> {
        let key = generate_key();
        let answer = self
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", &key)
            .send()
            .await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Upgrade::Refused(answer));
        }
        let understood = answer
            .header("sec-websocket-accept")
            .is_some_and(|accepted| accepted == derive_accept_key(key.as_bytes()));
        let (connection, host) = answer.into_connection().await?;
        if !understood {
            return Err(Error::Malformed {
                host,
                cause: "it agrees to a WebSocket that was not asked for".to_owned(),
            });
        }
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(most))
            .max_frame_size(Some(most));
        let inner = WebSocketStream::from_raw_socket(connection, Role::Client, Some(config)).await;
        Ok(Upgrade::Open(WebSocket { inner, host, most }))
    }
}

impl WebSocket {
    /// Sends a message. It may wait for a server that does not read.
    ///
    /// # Errors
    /// The connection is closed or broke.
    pub async fn send(&mut self, text: String) -> Result<(), Error> {
        let sent = self.inner.send(Message::text(text)).await;
        sent.map_err(|e| self.explain(&e))
    }

    /// The next message of text, none after the server closed the connection. It may wait for ever: whoever needs to know
    /// whether the server lives asks it. Nothing is lost when this is dropped before it is ready.
    ///
    /// # Errors
    /// The connection broke, or what comes is too large or no WebSocket.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        loop {
            return match self.inner.next().await {
                Some(Ok(Message::Text(text))) => Ok(Some(text.as_str().to_owned())),
                // pings are answered underneath
                Some(Ok(
                    Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
                )) => continue,
                Some(Ok(Message::Close(_))) | None => Ok(None),
                Some(Err(e)) => Err(self.explain(&e)),
            };
        }
    }

    fn explain(&self, error: &tungstenite::Error) -> Error {
        let host = self.host.clone();
        match error {
            tungstenite::Error::Capacity(_) => Error::TooLarge {
                host,
                limit: self.most,
            },
            tungstenite::Error::Io(e) => Error::Broken {
                host,
                cause: e.to_string(),
            },
            // a message that could not be written is in some of these errors, and with it perhaps a secret
            tungstenite::Error::Protocol(e) => Error::Broken {
                host,
                cause: e.to_string(),
            },
            tungstenite::Error::Utf8(_) => Error::Malformed {
                host,
                cause: "a message is not UTF-8".to_owned(),
            },
            _ => Error::Broken {
                host,
                cause: "the WebSocket is closed".to_owned(),
            },
        }
    }
}
