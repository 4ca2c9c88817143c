use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use rustix::process::Signal;

use crate::lab::Lab;

/// A request of which the server has not seen the end.
fn unfinished_request(lab: &Lab, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", lab.port)).unwrap();
    write!(
        stream,
        "POST /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n[",
        lab.port
    )
    .unwrap();
    stream
}

#[tokio::test]
async fn it_stops_within_five_seconds_with_live_clients() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut lab = Lab::start().await;
        let token = lab.token();
        let mut live = lab
            .http
            .get(lab.url("/api/v1/live"))
            .bearer_auth(&token)
            .send()
            .await
            .unwrap();
        assert!(live.status().is_success(), "{}", live.status());
        lab.push(&token, 1, schemas::Timestamp::now().as_millis())
            .await;
        let heard = live.chunk().await.unwrap().expect("an event");
        assert!(!heard.is_empty());
        let _slow = unfinished_request(&lab, &token);
        tokio::time::sleep(Duration::from_millis(100)).await;

        lab.signal(signal);
        let (status, took) = lab.ended(Duration::from_secs(20)).await;
        assert!(status.success(), "{status}: {}", lab.stderr());
        assert!(took < Duration::from_secs(5), "it took {took:?}");
        let (code, stdout, stderr) = lab.run(&["verify"], "");
        assert_eq!(code, 0, "{stdout}{stderr}");
    }
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let mut lab = Lab::start().await;
    let token = lab.token();
    let mut slow = unfinished_request(&lab, &token);
    tokio::time::sleep(Duration::from_millis(300)).await;
    lab.signal(Signal::TERM);
    tokio::time::sleep(Duration::from_millis(300)).await;
    lab.signal(Signal::TERM);
    let (status, took) = lab.ended(Duration::from_secs(20)).await;
    assert_eq!(status.code(), Some(1), "{}", lab.stderr());
    assert!(took < Duration::from_millis(1500), "it took {took:?}");
    let mut rest = Vec::new();
    // closed or reset: in any case the end
    drop(slow.read_to_end(&mut rest));
    lab.up(&[]).await;
}
