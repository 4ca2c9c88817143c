//! One WebSocket: its subscriptions, each with its own cursor on the log.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use event_log::Filter;
use futures::FutureExt;
use schemas::{
    Position,
    api::{ClientMessage, ServerMessage},
    name::excerpt,
};
use tokio::sync::watch;
use tracing::{debug, warn};

use crate::{
    ApiError, App,
    auth::Caller,
    convert::api_event,
    family::update_name,
    metrics::StreamLabel,
    routes::live::heartbeat,
    selection::filter_of_subscription,
    streams::StreamPlace,
    tail::{Step, Tail},
};

/// Longest name of a subscription, in bytes.
const MAX_ID: usize = 64;
const MAX_SUBSCRIPTIONS: usize = 32;
/// How long a client may take to read one message.
const SEND: Duration = Duration::from_secs(30);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Why a socket ends.
enum End {
    /// The other side went, or takes no more.
    Gone,
    /// We say goodbye with this code and reason.
    Close(u16, &'static str),
}

pub(crate) struct Socket {
    app: App,
    caller: Arc<Caller>,
    subscriptions: BTreeMap<String, Tail>,
    newest: watch::Receiver<Position>,
    changes: watch::Receiver<u64>,
    /// Whether the client was heard since the heartbeat before.
    heard: bool,
    gauge: prometheus_client::metrics::gauge::Gauge,
    _place: StreamPlace,
}

impl Socket {
    pub(crate) fn new(app: App, caller: Arc<Caller>, place: StreamPlace) -> Self {
        let gauge = app.metrics.streams.get_or_create_owned(&StreamLabel {
            transport: "websocket",
        });
        gauge.inc();
        Self {
            newest: app.services.log.newest(),
            changes: app.services.auth.changes(),
            app,
            caller,
            subscriptions: BTreeMap::new(),
            heard: true,
            gauge,
            _place: place,
        }
    }

    /// Serves the client until it goes, may not listen any more, or everything stops.
    pub(crate) async fn run(mut self, mut socket: WebSocket) {
        let end = self.serve(&mut socket).await;
        if let End::Close(code, reason) = end {
            let frame = CloseFrame {
                code,
                reason: reason.into(),
            };
            let goodbye = async {
                if socket.send(Message::Close(Some(frame))).await.is_ok() {
                    // until the other side has said goodbye too
                    while let Some(Ok(_)) = socket.recv().await {}
                }
            };
            if tokio::time::timeout(GOODBYE, goodbye).await.is_err() {
                debug!("a client did not say goodbye in time");
            }
        }
    }

    async fn serve(&mut self, socket: &mut WebSocket) -> End {
        let stop = self.app.supervisor.token();
        let mut heartbeat = heartbeat(self.app.options.heartbeat);
        loop {
            // what the client says goes before what it is sent, so that it can always unsubscribe
            while let Some(message) = socket.recv().now_or_never() {
                if let Err(end) = self.hear(socket, message).await {
                    return end;
                }
            }
            if stop.is_cancelled() {
                return End::Close(close_code::AWAY, "homelog is stopping");
            }
            if heartbeat.tick().now_or_never().is_some()
                && let Err(end) = self.beat(socket).await
            {
                return end;
            }
            self.newest.borrow_and_update();
            match self.deliver(socket).await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(end) => return end,
            }
            tokio::select! {
                () = stop.cancelled() => {}
                message = socket.recv() => {
                    if let Err(end) = self.hear(socket, message).await {
                        return end;
                    }
                }
                // somebody logged out or was changed: perhaps this user
                Ok(()) = self.changes.changed() => {
                    if let Err(end) = self.check().await {
                        return end;
                    }
                }
                changed = self.newest.changed() => {
                    if changed.is_err() {
                        return End::Close(close_code::AWAY, "homelog is stopping");
                    }
                }
                _ = heartbeat.tick() => {
                    if let Err(end) = self.beat(socket).await {
                        return end;
                    }
                }
            }
        }
    }

    /// Sends every subscription a piece of what is there; tells whether there was any.
    async fn deliver(&mut self, socket: &mut WebSocket) -> Result<bool, End> {
        let mut some = false;
        for (id, tail) in &mut self.subscriptions {
            if !tail.is_behind() {
                continue;
            }
            let before = tail.position().clone();
            match tail.try_next().await {
                // nothing of it was asked for, but there may be more behind it
                Ok(None) => some |= *tail.position() != before,
                Ok(Some(Step::Events(events))) => {
                    some = true;
                    for found in events {
                        let data = api_event(&found.event, found.logged, &found.position);
                        let message = ServerMessage {
                            event: update_name(&found.event),
                            id: Some(id.clone()),
                            position: Some(data.position.clone()),
                            data: Some(data),
                            ..nothing()
                        };
                        send(socket, &message).await?;
                    }
                }
                Ok(Some(Step::Gap { oldest, newest })) => {
                    some = true;
                    let message = ServerMessage {
                        event: "gap".to_owned(),
                        id: Some(id.clone()),
                        position: Some(oldest.to_string()),
                        oldest: Some(oldest.to_string()),
                        newest: Some(newest.to_string()),
                        ..nothing()
                    };
                    send(socket, &message).await?;
                }
                Err(event_log::ReadError::Closed) => {
                    return Err(End::Close(close_code::AWAY, "homelog is stopping"));
                }
                Err(e) => {
                    warn!("a WebSocket ends: {e}");
                    return Err(End::Close(
                        close_code::ERROR,
                        "the event log cannot be read",
                    ));
                }
            }
        }
        Ok(some)
    }

    async fn check(&self) -> Result<(), End> {
        if self.app.services.auth.still_valid(&self.caller).await {
            Ok(())
        } else {
            Err(End::Close(close_code::POLICY, "the session has ended"))
        }
    }

    async fn beat(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        self.check().await?;
        if !std::mem::replace(&mut self.heard, false) {
            return Err(End::Gone);
        }
        within(socket.send(Message::Ping(Vec::new().into()))).await
    }

    async fn hear(
        &mut self,
        socket: &mut WebSocket,
        message: Option<Result<Message, axum::Error>>,
    ) -> Result<(), End> {
        self.heard = true;
        match message {
            None | Some(Err(_) | Ok(Message::Close(_))) => Err(End::Gone),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Binary(_))) => Err(End::Close(
                close_code::UNSUPPORTED,
                "messages are texts of JSON",
            )),
            Some(Ok(Message::Text(text))) => {
                let (id, answer) = match serde_json::from_str::<ClientMessage>(&text) {
                    Ok(message) => (message.id.clone(), self.obey(message).await),
                    Err(e) => (
                        None,
                        Err(ApiError::bad_request(
                            "invalid_message",
                            format!("the message is not understood: {e}"),
                        )),
                    ),
                };
                for answer in answer.unwrap_or_else(|e| vec![refusal(id, &e)]) {
                    send(socket, &answer).await?;
                }
                Ok(())
            }
        }
    }

    async fn obey(&mut self, message: ClientMessage) -> Result<Vec<ServerMessage>, ApiError> {
        match message.op.as_str() {
            "ping" => Ok(vec![ServerMessage {
                event: "pong".to_owned(),
                id: message.id.filter(|id| id.len() <= MAX_ID),
                ..nothing()
            }]),
            "subscribe" => {
                let id = id_of(message.id)?;
                if self.subscriptions.len() >= MAX_SUBSCRIPTIONS
                    && !self.subscriptions.contains_key(&id)
                {
                    return Err(ApiError::bad_request(
                        "too_many_subscriptions",
                        format!("a connection may have {MAX_SUBSCRIPTIONS} subscriptions"),
                    ));
                }
                let filter = filter_of_subscription(&message.filter.unwrap_or_default())?;
                self.subscribe(id, message.from.as_deref(), filter).await
            }
            "unsubscribe" => {
                let id = id_of(message.id)?;
                match self.subscriptions.remove(&id) {
                    Some(tail) => Ok(vec![ServerMessage {
                        event: "unsubscribed".to_owned(),
                        id: Some(id),
                        position: Some(tail.position().to_string()),
                        ..nothing()
                    }]),
                    None => Err(ApiError::bad_request(
                        "unknown_subscription",
                        format!("there is no subscription `{}`", excerpt(&id)),
                    )),
                }
            }
            other => Err(ApiError::bad_request(
                "unknown_op",
                format!(
                    "there is no op `{}`, only subscribe, unsubscribe and ping",
                    excerpt(other)
                ),
            )),
        }
    }

    /// Begins a subscription; one of the same name is replaced. Where the log does not have its position any more, it goes
    /// on from now and is told so, since the connection is open and others live on it.
    async fn subscribe(
        &mut self,
        id: String,
        from: Option<&str>,
        filter: Filter,
    ) -> Result<Vec<ServerMessage>, ApiError> {
        let log = || Arc::clone(&self.app.services.log);
        let (tail, gap) = match Tail::open(log(), from, filter.clone()).await {
            Ok(tail) => (tail, None),
            Err(e) => {
                let Some((oldest, newest)) = e.bounds() else {
                    return Err(e);
                };
                let gap = ServerMessage {
                    event: "gap".to_owned(),
                    id: Some(id.clone()),
                    oldest: Some(oldest.to_owned()),
                    newest: Some(newest.to_owned()),
                    ..nothing()
                };
                (Tail::open(log(), None, filter).await?, Some(gap))
            }
        };
        let position = Some(tail.position().to_string());
        self.subscriptions.insert(id.clone(), tail);
        let subscribed = ServerMessage {
            event: "subscribed".to_owned(),
            id: Some(id),
            position: position.clone(),
            ..nothing()
        };
        let gap = gap.map(|gap| ServerMessage { position, ..gap });
        Ok([Some(subscribed), gap].into_iter().flatten().collect())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

fn id_of(id: Option<String>) -> Result<String, ApiError> {
    match id {
        Some(id) if !id.is_empty() && id.len() <= MAX_ID => Ok(id),
        _ => Err(ApiError::bad_request(
            "invalid_id",
            format!("`id` names the subscription: 1 to {MAX_ID} bytes"),
        )),
    }
}

fn refusal(id: Option<String>, e: &ApiError) -> ServerMessage {
    let (oldest, newest) = e.bounds().unzip();
    ServerMessage {
        event: "error".to_owned(),
        id: id.filter(|id| id.len() <= MAX_ID),
        code: Some(e.code().to_owned()),
        message: Some(e.message().to_owned()),
        oldest: oldest.map(ToOwned::to_owned),
        newest: newest.map(ToOwned::to_owned),
        ..nothing()
    }
}

fn nothing() -> ServerMessage {
    ServerMessage {
        event: String::new(),
        id: None,
        data: None,
        position: None,
        code: None,
        message: None,
        oldest: None,
        newest: None,
    }
}

async fn send(socket: &mut WebSocket, message: &ServerMessage) -> Result<(), End> {
    let text = serde_json::to_string(message).map_err(|e| {
        warn!("a message could not be written: {e}");
        End::Close(close_code::ERROR, "a message could not be written")
    })?;
    within(socket.send(Message::Text(text.into()))).await
}

async fn within(sending: impl Future<Output = Result<(), axum::Error>>) -> Result<(), End> {
    match tokio::time::timeout(SEND, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}
