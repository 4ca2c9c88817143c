use std::time::{Duration, Instant};

use supervision::Drained;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::lab::{Lab, PATIENCE, options, sample};

#[tokio::test]
async fn a_stop_ends_live_streams_and_idle_connections_at_once() {
    let lab = Lab::start().await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut live = lab.live("").await;
        assert_eq!(live.block().await.unwrap().comment, "live");
        streams.push(live);
    }
    let url = format!("ws://{}/realtime", lab.address);
    let mut request =
        tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(url)
            .unwrap();
    let bearer = format!("Bearer {}", lab.token).parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let mut idle = tokio::net::TcpStream::connect(lab.address).await.unwrap();
    lab.push(&[sample("probe", "x", 1.0)]).await;
    for live in &mut streams {
        live.next().await;
    }
    let reader = async {
        let goodbye = futures::StreamExt::next(&mut socket).await;
        // reading on answers the goodbye
        while let Some(Ok(_)) = futures::StreamExt::next(&mut socket).await {}
        goodbye
    };
    let begun = Instant::now();
    let (drained, goodbye) = tokio::join!(lab.supervisor.drain(Duration::from_secs(5)), reader);
    assert_eq!(drained, Drained::default(), "tasks had to be cut");
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    assert!(goodbye.unwrap().unwrap().is_close());
    for live in &mut streams {
        assert_eq!(live.block().await, None);
    }
    assert_eq!(idle.read(&mut [0; 8]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_client_that_sends_too_slowly_is_cut() {
    let mut hasty = options();
    hasty.head_timeout = Duration::from_millis(300);
    let lab = Lab::start_with(1, &[], true, hasty).await;
    let mut slow = tokio::net::TcpStream::connect(lab.address).await.unwrap();
    slow.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nx-slow: ")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), slow.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "the connection is still open");
}

#[tokio::test]
async fn a_body_that_never_ends_is_answered_in_time() {
    let mut hasty = options();
    // long enough for the log-in, also on a busy machine
    hasty.request_timeout = Duration::from_secs(4);
    let lab = Lab::start_with(1, &[], true, hasty).await;
    let mut slow = tokio::net::TcpStream::connect(lab.address).await.unwrap();
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-length: 100\r\n\r\n[",
        lab.token
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 512];
    let read = tokio::time::timeout(PATIENCE, slow.read(&mut answer))
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(text.starts_with("HTTP/1.1 503"), "{text}");
    assert!(text.contains("timeout"), "{text}");
}
