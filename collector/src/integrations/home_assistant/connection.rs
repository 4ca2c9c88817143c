//! The WebSocket of Home Assistant: messages of JSON, each alone or several in an array.

use std::{collections::VecDeque, time::Duration};

use http_client::{Error, Response, Upgrade, WebSocket};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::time::timeout;
use tracing::debug;

use crate::{
    FailureClass, PollError,
    service::{Secret, Service, failed},
};

/// Most bytes of a message: the states of a home of ten thousand entities.
const MOST_MESSAGE: usize = 16 * 1024 * 1024;
/// How long it may take to say who it is, and to let us in.
const GREETING: Duration = Duration::from_secs(4);

/// What came.
#[derive(Debug)]
pub(super) enum Message {
    /// An entity has another state, or none any more.
    Changed {
        id: String,
        state: Option<Box<RawValue>>,
    },
    /// The answer to a question: the result, or what is wrong.
    Answer {
        to: u64,
        result: Result<Box<RawValue>, Refusal>,
    },
}

/// Why a question has no answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refusal {
    code: Value,
    message: Value,
}

/// Why there is no connection.
pub(super) enum NoConnection {
    /// This address has no WebSocket, as behind a proxy that passes none: the rest may answer.
    NoWebSocket(PollError),
    /// The rest would not answer either.
    Failed(PollError),
}

impl From<PollError> for NoConnection {
    fn from(e: PollError) -> Self {
        Self::Failed(e)
    }
}

#[derive(Deserialize)]
struct Written {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    success: Option<bool>,
    #[serde(default)]
    result: Option<Box<RawValue>>,
    #[serde(default)]
    error: Option<Refusal>,
    #[serde(default)]
    event: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Event {
    event_type: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    entity_id: String,
    #[serde(default)]
    new_state: Option<Box<RawValue>>,
}

/// A connection that is let in.
pub(super) struct Connection {
    socket: WebSocket,
    service: Service,
    waiting: VecDeque<Message>,
    last_id: u64,
}

impl Connection {
    /// Connects and shows the token.
    pub(super) async fn open(service: &Service, token: &Secret) -> Result<Self, NoConnection> {
        let wish = service.get("/api/websocket").timeout(GREETING);
        let socket = match wish.upgrade(MOST_MESSAGE).await {
            Ok(Upgrade::Open(socket)) => socket,
            Ok(Upgrade::Refused(answer)) => return Err(no_websocket(service, answer).await),
            // some proxies let such a wish hang, or break it off
            Err(e @ (Error::Timeout { .. } | Error::Broken { .. } | Error::Malformed { .. })) => {
                return Err(NoConnection::NoWebSocket(failed(&e)));
            }
            Err(e) => return Err(NoConnection::Failed(failed(&e))),
        };
        let mut connection = Self {
            socket,
            service: service.clone(),
            waiting: VecDeque::new(),
            last_id: 0,
        };
        match timeout(GREETING, connection.greet(token)).await {
            Ok(greeted) => greeted.map(|()| connection),
            Err(_) => Err(NoConnection::NoWebSocket(PollError::new(
                FailureClass::Timeout,
                format!(
                    "Home Assistant at {} opens its WebSocket and says nothing there: a proxy between may hold it back",
                    service.base()
                ),
            ))),
        }
    }

    async fn greet(&mut self, token: &Secret) -> Result<(), NoConnection> {
        let strange = |service: &Service| {
            NoConnection::NoWebSocket(
                service.bad_answer("its WebSocket does not ask who we are: check url"),
            )
        };
        if self.greeting().await?.as_deref() != Some("auth_required") {
            return Err(strange(&self.service));
        }
        let auth = json!({"type": "auth", "access_token": token.expose()});
        self.write(&auth).await?;
        match self.greeting().await?.as_deref() {
            Some("auth_ok") => {}
            Some("auth_invalid") => {
                return Err(NoConnection::Failed(PollError::new(
                    FailureClass::BadCredentials,
                    format!(
                        "Home Assistant at {} does not accept the token: create a long-lived access token and set it; \
                         the next try is in 15 minutes",
                        self.service.base()
                    ),
                )));
            }
            _ => return Err(strange(&self.service)),
        }
        // older ones do not know it and say so, which nobody waits for
        let features = json!({"type": "supported_features", "features": {"coalesce_messages": 1}});
        self.send(features).await?;
        Ok(())
    }

    /// The kind of a message before we are let in; none of what is no such message.
    async fn greeting(&mut self) -> Result<Option<String>, NoConnection> {
        #[derive(Deserialize)]
        struct Greeting {
            #[serde(rename = "type")]
            kind: String,
        }
        match self.socket.next().await {
            Ok(Some(text)) => Ok(serde_json::from_str(&text).ok().map(|g: Greeting| g.kind)),
            Ok(None) => Err(NoConnection::NoWebSocket(self.closed())),
            Err(e) => Err(NoConnection::NoWebSocket(failed(&e))),
        }
    }

    fn closed(&self) -> PollError {
        PollError::new(
            FailureClass::Unreachable,
            format!(
                "Home Assistant at {} closed the connection: it stops or starts again",
                self.service.base()
            ),
        )
    }

    async fn write(&mut self, message: &Value) -> Result<(), PollError> {
        let sent = self.socket.send(message.to_string()).await;
        sent.map_err(|e| failed(&e))
    }

    /// Sends a question under the next number, which must grow.
    async fn send(&mut self, mut question: Value) -> Result<u64, PollError> {
        self.last_id += 1;
        if let Value::Object(question) = &mut question {
            question.insert("id".to_owned(), self.last_id.into());
        }
        self.write(&question).await?;
        Ok(self.last_id)
    }

    /// Asks and waits for the answer; what changes meanwhile is handed on in its order.
    pub(super) async fn ask(
        &mut self,
        question: Value,
        mut changed: impl FnMut(&str, Option<&RawValue>),
    ) -> Result<Box<RawValue>, PollError> {
        let what = question.get("type").and_then(Value::as_str);
        let what = what.unwrap_or_default().to_owned();
        let id = self.send(question).await?;
        loop {
            match self.next().await? {
                Message::Changed { id, state } => changed(&id, state.as_deref()),
                Message::Answer { to, result } if to == id => {
                    return result.map_err(|refusal| self.refused(&what, &refusal));
                }
                Message::Answer { .. } => {}
            }
        }
    }

    fn refused(&self, what: &str, refusal: &Refusal) -> PollError {
        let code = refusal.code.as_str().unwrap_or_default();
        let said = schemas::name::excerpt(refusal.message.as_str().unwrap_or(code));
        if code == "unauthorized" {
            return PollError::new(
                FailureClass::NoPermission,
                format!(
                    "Home Assistant at {} does not allow {what} to the user of the token ({said}): let that user see all entities",
                    self.service.base()
                ),
            );
        }
        self.service
            .bad_answer(format!("it refuses {what}: {said}"))
    }

    /// The next message that means something. Nothing is lost when this is dropped before it is ready.
    pub(super) async fn next(&mut self) -> Result<Message, PollError> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Ok(message);
            }
            let text = self.socket.next().await.map_err(|e| failed(&e))?;
            let Some(text) = text else {
                return Err(self.closed());
            };
            read(&text, &mut self.waiting);
        }
    }
}

/// Takes apart one message, or an array of them. What is garbled is left out.
fn read(text: &str, messages: &mut VecDeque<Message>) {
    if text.trim_start().starts_with('[') {
        match serde_json::from_str::<Vec<Box<RawValue>>>(text) {
            Ok(several) => messages.extend(several.iter().filter_map(|one| message(one.get()))),
            Err(e) => debug!("a garbled message is passed over: {e}"),
        }
    } else {
        messages.extend(message(text));
    }
}

fn message(text: &str) -> Option<Message> {
    let written: Written = serde_json::from_str(text).ok()?;
    match written.kind.as_str() {
        "event" => {
            let event: Event = serde_json::from_str(written.event?.get()).ok()?;
            (event.event_type == "state_changed").then_some(Message::Changed {
                id: event.data.entity_id,
                state: event.data.new_state,
            })
        }
        "pong" => Some(Message::Answer {
            to: written.id?,
            result: Ok(RawValue::NULL.to_owned()),
        }),
        "result" => Some(Message::Answer {
            to: written.id?,
            result: if written.success == Some(true) {
                Ok(written.result.unwrap_or_else(|| RawValue::NULL.to_owned()))
            } else {
                Err(written.error.unwrap_or_default())
            },
        }),
        _ => None,
    }
}

/// What an answer without a WebSocket means.
async fn no_websocket(service: &Service, answer: Response) -> NoConnection {
    let status = answer.status().as_u16();
    let error = refused(service, answer).await;
    match status {
        403 | 429 => NoConnection::Failed(error),
        _ => NoConnection::NoWebSocket(error),
    }
}

/// What an answer without success means.
pub(super) async fn refused(service: &Service, answer: Response) -> PollError {
    let at = service.base();
    match answer.status().as_u16() {
        401 => PollError::new(
            FailureClass::BadCredentials,
            format!(
                "Home Assistant at {at} does not accept the token (401): create a long-lived access token and set it; \
                 the next try is in 15 minutes"
            ),
        ),
        403 => PollError::new(
            FailureClass::NoPermission,
            format!(
                "Home Assistant at {at} answers 403: after refused logins it bans an address; remove ours from its \
                 ip_bans.yaml and start it again"
            ),
        ),
        400 => PollError::new(
            FailureClass::BadAnswer,
            format!(
                "Home Assistant at {at} answers 400: it does so to a proxy that it does not know; add the proxy to \
                 trusted_proxies of its http integration, or ask it directly"
            ),
        ),
        _ => service.refused(answer).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<String> {
        let mut messages = VecDeque::new();
        read(text, &mut messages);
        let kinds = messages.iter().map(|message| match message {
            Message::Changed { id, state } => format!("{id} {}", state.is_some()),
            Message::Answer { to, result } => format!("{to} {}", result.is_ok()),
        });
        kinds.collect()
    }

    const CHANGED: &str = r#"{"id":1,"type":"event","event":{"event_type":"state_changed","data":{"entity_id":"sensor.a","old_state":null,"new_state":{"x":1}},"origin":"LOCAL"}}"#;

    #[test]
    fn messages_come_alone_or_together() {
        assert_eq!(kinds(CHANGED), ["sensor.a true"]);
        let together = format!(
            r#"[{CHANGED},{{"id":7,"type":"pong"}},{{"id":8,"type":"result","success":true,"result":[1]}},{{"id":9,"type":"result","success":false,"error":{{"code":"x","message":"y"}}}}]"#
        );
        assert_eq!(
            kinds(&together),
            ["sensor.a true", "7 true", "8 true", "9 false"]
        );
        let gone = CHANGED.replace(r#"{"x":1}"#, "null");
        assert_eq!(kinds(&gone), ["sensor.a false"]);
    }

    #[test]
    fn a_garbled_message_does_not_lose_the_others() {
        let together = format!(
            r#"[7,{{}},{{"type":"event"}},{{"type":"event","event":{{"event_type":"state_changed","data":{{}}}}}},{{"type":"result"}},{{"type":"later"}},{CHANGED}]"#
        );
        assert_eq!(kinds(&together), ["sensor.a true"]);
        for garbled in [
            "",
            "no JSON",
            "[",
            "{",
            "7",
            &"[".repeat(100_000),
            &"{\"type\":".repeat(10_000),
        ] {
            assert!(kinds(garbled).is_empty());
        }
        let other = CHANGED.replace("state_changed", "call_service");
        assert!(kinds(&other).is_empty());
    }
}
