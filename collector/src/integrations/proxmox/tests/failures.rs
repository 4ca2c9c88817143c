//! What can go wrong, and as what it is told.

use super::*;

#[tokio::test]
async fn every_refusal_has_its_class_and_the_service_s_own_words() {
    use FailureClass::{BadAnswer, BadCredentials, NoPermission, RateLimited, Unreachable};
    let fake = Fake::start().await;
    for (status, reason, class) in [
        (
            401,
            "no such token 'homelog' for user 'homelog@pve'",
            BadCredentials,
        ),
        (401, "Authentication failed!", BadCredentials),
        (403, "Permission check failed (/, Sys.Audit)", NoPermission),
        (429, "slower", RateLimited),
        (500, "Configuration file 'x.conf' does not exist", BadAnswer),
        (
            501,
            "Method 'GET /cluster/resources' not implemented",
            BadAnswer,
        ),
        (595, "Errors during connection establishment", Unreachable),
        (596, "ssl3_get_server_certificate failed", Unreachable),
        (599, "Too many redirections", Unreachable),
    ] {
        fake.answer("/cluster/resources", Answer::refusal(status, reason));
        let error = refused(&mut open(&fake)).await;
        assert_eq!(error.class, class, "{error}");
        assert!(error.message.contains(reason), "{error}");
        assert!(error.message.contains("127.0.0.1"), "{error}");
    }
    // a token is not tried twice
    assert_eq!(fake.times_asked("GET /cluster/resources"), 9);
}

#[tokio::test]
async fn answers_that_are_none() {
    use FailureClass::{BadAnswer, Unreachable};
    let fake = Fake::start().await;
    fake.data("/access/permissions", rights());
    let ok = |body: &str| Answer::Status(200, "OK".to_owned(), body.to_owned());
    for (answer, class) in [
        (ok("<html>welcome</html>"), BadAnswer),
        (ok(""), BadAnswer),
        (ok("[]"), BadAnswer),
        (ok("{\"data\":"), BadAnswer),
        (ok("{}"), BadAnswer),
        (ok("{\"data\":null}"), BadAnswer),
        (ok("{\"data\":{\"a\":1}}"), BadAnswer),
        (ok("{\"data\":[1,null,{}]}"), BadAnswer),
        (ok(&"[".repeat(100_000)), BadAnswer),
        (ok(&" ".repeat(9_000_000)), BadAnswer),
        (
            Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"data\":["),
            Unreachable,
        ),
        (Answer::Raw(b"SSH-2.0-OpenSSH\r\n"), Unreachable),
        (Answer::Raw(b""), Unreachable),
        (
            Answer::Raw(
                b"HTTP/1.1 301 Moved\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n",
            ),
            BadAnswer,
        ),
    ] {
        fake.answer("/cluster/resources", answer);
        let error = refused(&mut open(&fake)).await;
        assert_eq!(error.class, class, "{error}");
    }
}

#[tokio::test]
async fn a_node_that_says_nothing_or_is_not_there() {
    let fake = Fake::start().await;
    fake.answer("/cluster/resources", Answer::Silence);
    let mut proxmox =
        Proxmox::with_timeout(&params(&fake.url()), Duration::from_millis(200)).unwrap();
    assert_eq!(refused(&mut proxmox).await.class, FailureClass::Timeout);
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let mut proxmox = Proxmox::open(params(&url), &testing::context("pve")).unwrap();
    assert_eq!(refused(&mut proxmox).await.class, FailureClass::Unreachable);
    // TLS against what speaks none
    let url = fake.url().replace("http:", "https:");
    let mut proxmox = Proxmox::with_timeout(&params(&url), Duration::from_secs(2)).unwrap();
    let class = refused(&mut proxmox).await.class;
    assert!(
        matches!(class, FailureClass::Tls | FailureClass::Timeout),
        "{class:?}"
    );
}

#[tokio::test]
async fn a_failed_poll_stops_the_rest_and_what_was_stopped_is_asked_again() {
    let fake = Fake::start().await;
    ready(&fake);
    slow_answers(&fake);
    fake.answer("/cluster/tasks", Answer::Silence);
    let mut proxmox = open(&fake);
    poll(&mut proxmox).await;
    listen(&mut proxmox).await;
    assert_eq!(fake.times_asked("GET /cluster/tasks"), 1);
    fake.answer("/cluster/resources", Answer::refusal(500, "broken"));
    refused(&mut proxmox).await;
    ready(&fake);
    slow_answers(&fake);
    poll(&mut proxmox).await;
    let told = listen(&mut proxmox).await;
    assert_eq!(fake.times_asked("GET /cluster/tasks"), 2);
    assert_eq!(of(&told, "proxmox_task/100/vzdump").len(), 1);
    assert_eq!(
        fake.times_asked("GET /cluster/status"),
        1,
        "what was answered is not"
    );
}
