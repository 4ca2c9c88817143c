//! Two APIs behind nginx or Traefik: a live client whose API is killed goes on at the other one, without gap and without double.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use futures::{SinkExt, StreamExt};
use homelog_tests::{
    client::Client,
    home::{Home, START},
    load::Load,
    nginx::Nginx,
    sse::Stream,
    traefik::Traefik,
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinSet, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest},
};

const KILLS: usize = 6;
const SOURCE: &str = "load-0";
/// How long a client waits for a message, and for one that takes it on.
const PATIENCE: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(50);
/// More events than may be under way to a client when its API is killed.
const GOING_ON: u64 = 300;
/// Between kills: clients have settled at the API that is left.
const SETTLE: Duration = Duration::from_secs(2);

/// How far a client is, and where it goes on.
#[derive(Default)]
struct Progress {
    /// The seq that came last.
    seq: AtomicU64,
    /// How often it had to connect again.
    moves: AtomicU64,
}

impl Progress {
    /// Takes an event that came: each has to follow the one before.
    fn take(&self, event: &Value) -> Result<()> {
        let seq = event
            .pointer("/seq")
            .and_then(Value::as_u64)
            .context("seq")?;
        let last = self.seq.swap(seq, Ordering::Relaxed);
        ensure!(seq == last + 1, "seq {seq} came after {last}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_client_goes_on_at_the_other_api_without_gap_or_double() -> Result<()> {
    behind(|apis, place| {
        let nginx = Nginx::start(apis, place)?;
        Ok((nginx.url(), Box::new(nginx)))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_does_behind_traefik() -> Result<()> {
    let Some(program) = Traefik::program() else {
        println!("SKIPPED: HOMELOG_TRAEFIK names no Traefik");
        return Ok(());
    };
    behind(|apis, place| {
        let traefik = Traefik::start(&program, apis, place)?;
        Ok((traefik.url(), Box::new(traefik)))
    })
    .await
}

/// Kills the APIs behind a balancer in turn, under load. `start` puts it before two ports, with its files in a directory.
async fn behind(
    start: impl FnOnce([u16; 2], &Path) -> Result<(String, Box<dyn Send>)>,
) -> Result<()> {
    let home = Home::new(3)?;
    let mut worker = home.ingest("worker")?;
    let mut apis = [home.api("api-1")?, home.api("api-2")?];
    let port = |url: &str| -> Result<u16> { Ok(url.rsplit(':').next().context("port")?.parse()?) };
    let (balancer, _runs) = start(
        [port(&apis[0].1)?, port(&apis[1].1)?],
        &home.place("balancer")?,
    )?;
    let first = {
        let (role, url) = &mut apis[0];
        home.log_in(role, url).await?
    };
    first
        .at(&apis[1].1)
        .wait_ready(START)
        .await
        .with_context(|| apis[1].0.last_words())?;
    let client = first.at(&balancer);
    let begin = client.json("/api/v1/events?limit=1").await?;
    let begin = begin
        .pointer("/next")
        .and_then(Value::as_str)
        .context("next")?
        .to_owned();

    let load = Load::start(&balancer, client.token(), 2, 9)?;
    let (by_stream, by_socket) = (Arc::<Progress>::default(), Arc::<Progress>::default());
    let mut readers = JoinSet::new();
    readers.spawn(stream(
        client.clone(),
        begin.clone(),
        Arc::clone(&by_stream),
    ));
    readers.spawn(socket(client.clone(), begin, Arc::clone(&by_socket)));
    for kill in 0..KILLS {
        tokio::time::sleep(SETTLE).await;
        let (role, url) = apis.get_mut(kill % 2).context("an API")?;
        role.kill()?;
        // before it is back both clients are at the other one, so that each later kill hits both
        for progress in [&by_stream, &by_socket] {
            let at_kill = progress.seq.load(Ordering::Relaxed);
            let moved = async {
                while progress.seq.load(Ordering::Relaxed) < at_kill + GOING_ON {
                    tokio::time::sleep(AGAIN).await;
                }
            };
            timeout(PATIENCE, moved)
                .await
                .context("a reader does not go on at the other API")?;
        }
        role.start()?;
        client
            .at(url)
            .wait_ready(START)
            .await
            .with_context(|| role.last_words())?;
        if let Some(ended) = readers.try_join_next() {
            bail!("a reader ended: {:?}", ended?);
        }
    }
    let acknowledged = load.finish().await?;
    let last = *acknowledged
        .get(SOURCE)
        .and_then(|sent| sent.keys().last())
        .context("no event")?;
    let all = async {
        while by_stream.seq.load(Ordering::Relaxed) < last
            || by_socket.seq.load(Ordering::Relaxed) < last
        {
            if let Some(ended) = readers.try_join_next() {
                bail!("a reader ended: {:?}", ended?);
            }
            tokio::time::sleep(AGAIN).await;
        }
        Ok(())
    };
    timeout(PATIENCE, all)
        .await
        .context("the readers do not reach the end")??;
    for (name, progress) in [("event stream", &by_stream), ("WebSocket", &by_socket)] {
        let (seq, moves) = (
            progress.seq.load(Ordering::Relaxed),
            progress.moves.load(Ordering::Relaxed),
        );
        println!("{name}: {seq} events over {moves} moves");
        ensure!(seq == last, "{name}: event {seq} came, {last} was the last");
        // each kill but perhaps the first hits the API that has the client
        ensure!(
            moves >= KILLS as u64 - 1,
            "{name} was moved only {moves} times"
        );
    }
    ensure!(last > 1_000, "only {last} events");
    worker.lives()
}

/// Reads the event stream as a browser does: after an end it comes back with the id of what came last.
async fn stream(client: Client, begin: String, progress: Arc<Progress>) -> Result<()> {
    let mut last_id = String::new();
    loop {
        let mut request = client
            .get(&format!("/api/v1/live?source={SOURCE}&from={begin}"))
            .timeout(Duration::from_mins(10));
        if !last_id.is_empty() {
            request = request.header("last-event-id", &last_id);
        }
        let Ok(answer) = request.send().await else {
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        if answer.status().is_server_error() {
            tokio::time::sleep(AGAIN).await;
            continue;
        }
        let mut open = Stream::new(answer)?;
        while let Ok(message) = open.next(PATIENCE).await {
            ensure!(message.event == "sample", "{message:?}");
            progress.take(&serde_json::from_str(&message.data)?)?;
            last_id = message.id;
        }
        progress.moves.fetch_add(1, Ordering::Relaxed);
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Reads the WebSocket: after an end it subscribes again from the position of what came last.
async fn socket(client: Client, begin: String, progress: Arc<Progress>) -> Result<()> {
    let mut position = begin;
    loop {
        let Ok(mut open) = subscribe(&client, &position).await else {
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        while let Ok(Some(Ok(message))) = timeout(PATIENCE, open.next()).await {
            let Message::Text(text) = message else {
                continue;
            };
            let message: Value = serde_json::from_str(&text)?;
            let event = message
                .pointer("/event")
                .and_then(Value::as_str)
                .context("event")?;
            match event {
                "subscribed" => {}
                "probe-update" => {
                    progress.take(message.pointer("/data").context("data")?)?;
                    message
                        .pointer("/position")
                        .and_then(Value::as_str)
                        .context("position")?
                        .clone_into(&mut position);
                }
                _ => bail!("{message}"),
            }
        }
        progress.moves.fetch_add(1, Ordering::Relaxed);
    }
}

async fn subscribe(client: &Client, position: &str) -> Result<Socket> {
    let url = client.url("/realtime").replacen("http://", "ws://", 1);
    let mut request = url.into_client_request()?;
    request.headers_mut().insert(
        "authorization",
        format!("Bearer {}", client.token()).parse()?,
    );
    let (mut open, _) = tokio_tungstenite::connect_async(request).await?;
    let subscribe =
        json!({"op": "subscribe", "id": "a", "filter": {"source": SOURCE}, "from": position});
    open.send(Message::text(subscribe.to_string())).await?;
    Ok(open)
}
