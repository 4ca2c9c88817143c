//! Connections that are upgraded, against a real server on the other side.

use std::{net::SocketAddr, time::Duration};

use futures::{SinkExt, StreamExt};
use http_client::{Client, Error, Fingerprint, Options, Tls, Upgrade, WebSocket};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;

use super::servers::shared;

const MOST: usize = 1000;

#[expect(clippy::disallowed_methods, reason = "a server for one test")]
fn start(server: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(server);
}

/// Sends back what it gets, closes after `bye`; `large` and `ping` are answered with that.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    start(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            let answer = match message.to_text().unwrap_or_default() {
                "bye" => return socket.close(None).await.unwrap(),
                "large" => Message::text("x".repeat(MOST + 1)),
                "ping" => Message::Ping("knock".into()),
                text => Message::text(text),
            };
            if socket.send(answer).await.is_err() {
                return;
            }
        }
    });
    address
}

/// Answers one request with these bytes.
async fn once(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    start(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 4096];
        let read = stream.read(&mut head).await.unwrap();
        assert!(read > 0);
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    address
}

async fn upgrade(address: SocketAddr) -> Result<Upgrade, Error> {
    let options = Options {
        timeout: Duration::from_secs(2),
        ..Options::default()
    };
    let client = Client::new(options).unwrap();
    let request = client.get(&format!("http://{address}/live"));
    request.upgrade(MOST).await
}

async fn open() -> WebSocket {
    match upgrade(echo().await).await.unwrap() {
        Upgrade::Open(socket) => socket,
        Upgrade::Refused(answer) => panic!("refused: {answer:?}"),
    }
}

#[tokio::test]
async fn messages_go_both_ways_and_pings_are_answered_until_it_is_closed() {
    let mut socket = open().await;
    for text in ["one", "zwei ü"] {
        socket.send(text.to_owned()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().as_deref(), Some(text));
    }
    socket.send("ping".to_owned()).await.unwrap();
    // what it answers to the ping comes back as text
    assert_eq!(socket.next().await.unwrap().as_deref(), Some("knock"));
    socket.send("bye".to_owned()).await.unwrap();
    assert_eq!(socket.next().await.unwrap(), None);
    assert!(socket.send("more".to_owned()).await.is_err());
}

#[tokio::test]
async fn a_message_over_its_bound_is_refused() {
    let mut socket = open().await;
    socket.send("large".to_owned()).await.unwrap();
    let error = socket.next().await.unwrap_err();
    assert!(
        matches!(error, Error::TooLarge { limit: MOST, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_without_a_websocket_can_be_looked_at() {
    let address = once("HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nnope").await;
    match upgrade(address).await.unwrap() {
        Upgrade::Refused(answer) => {
            assert_eq!(answer.status().as_u16(), 404);
            assert_eq!(answer.excerpt().await, "nope");
        }
        Upgrade::Open(_) => panic!("a page is no WebSocket"),
    }
}

#[tokio::test]
async fn an_agreement_that_does_not_answer_the_question_is_refused() {
    let address = once(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: x\r\n\r\n",
    )
    .await;
    let error = upgrade(address).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_hangs_up_is_told() {
    let error = upgrade(once("").await).await.unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error}");
}

#[tokio::test]
async fn an_address_of_the_link_is_refused() {
    let options = Options {
        refuse_link_local: true,
        ..Options::default()
    };
    let client = Client::new(options).unwrap();
    let error = client
        .get("http://169.254.169.254/live")
        .upgrade(MOST)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::LinkLocal { .. }), "{error}");
}

#[tokio::test]
async fn whom_is_trusted_holds_for_websockets_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    start(async move {
        let acceptor = TlsAcceptor::from(shared().config.clone());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            socket.send(Message::text("hello")).await.unwrap();
        }
    });
    let upgrade = async |tls| {
        let options = Options {
            tls,
            ..Options::default()
        };
        let client = Client::new(options).unwrap();
        let request = client.get(&format!("https://localhost:{port}/live"));
        request.upgrade(MOST).await
    };
    let pinned = Tls::Fingerprint(shared().fingerprint);
    let Ok(Upgrade::Open(mut socket)) = upgrade(pinned).await else {
        panic!("the pinned certificate is believed");
    };
    assert_eq!(socket.next().await.unwrap().as_deref(), Some("hello"));
    for other in [Tls::Fingerprint(Fingerprint::of(b"another")), Tls::System] {
        let error = upgrade(other).await.unwrap_err();
        assert!(matches!(error, Error::Certificate { .. }), "{error}");
    }
}
