//! What can go wrong, and as what it is told.

use super::*;

#[tokio::test]
async fn a_refused_login_is_told_with_its_reason_and_not_repeated() {
    use FailureClass::{BadCredentials, NoPermission, RateLimited};
    for (code, class, fix) in [
        (400, BadCredentials, "password"),
        (401, BadCredentials, "disabled"),
        (402, NoPermission, "application DSM"),
        (403, BadCredentials, "second factor"),
        (404, BadCredentials, "does not accept this code"),
        (406, BadCredentials, "second factor"),
        (407, RateLimited, "address of this machine"),
        (409, BadCredentials, "expired"),
        (411, RateLimited, "locked the user"),
    ] {
        let fake = Fake::start(7).await;
        fake.instead("SYNO.API.Auth.login", Answer::Code(code));
        let e = failure(&mut open(&fake)).await;
        assert_eq!(e.class, class, "{e}");
        assert!(e.message.contains(fix), "{e}");
        assert!(e.retry_after >= Some(Duration::from_mins(15)), "{e}");
        assert_eq!(fake.times("SYNO.API.Auth.login"), 1);
    }
    let fake = Fake::start(7).await;
    let e = failure(&mut open_with(&fake.url(), "another")).await;
    assert_eq!(e.class, BadCredentials, "{e}");
    assert!(!e.message.contains("another"), "{e}");
}

#[tokio::test]
async fn what_goes_wrong_has_its_class() {
    use FailureClass::{BadAnswer, NoPermission, RateLimited, Timeout, Unreachable};
    let text = |text: &str| Answer::Text(200, text.to_owned());
    let discovery = "SYNO.API.Info.query";
    let login = "SYNO.API.Auth.login";
    for (what, answer, class) in [
        (discovery, Answer::Silence, Timeout),
        (discovery, text("<html>"), BadAnswer),
        (discovery, text("{}"), BadAnswer),
        (discovery, text("{\"success\":1}"), BadAnswer),
        (discovery, Answer::Code(101), BadAnswer),
        (discovery, Answer::Data(json!({})), BadAnswer),
        (discovery, Answer::Data(json!([1])), BadAnswer),
        (discovery, text(&"[".repeat(9999)), BadAnswer),
        (discovery, Answer::Text(404, String::new()), BadAnswer),
        (discovery, Answer::Text(429, String::new()), RateLimited),
        (discovery, Answer::Text(403, String::new()), NoPermission),
        (
            discovery,
            Answer::Elsewhere("https://other.example/"),
            BadAnswer,
        ),
        (discovery, Answer::Raw(b"SSH-2.0-x\r\n"), Unreachable),
        (
            discovery,
            Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{\"data\":"),
            Unreachable,
        ),
        (login, Answer::Silence, Timeout),
        (login, Answer::Data(json!({"sid": 7})), BadAnswer),
        (login, Answer::Data(json!({"sid": ""})), BadAnswer),
        (
            login,
            Answer::Data(json!({"sid": "x".repeat(9999)})),
            BadAnswer,
        ),
        (login, text(&" ".repeat(5 * 1024 * 1024)), BadAnswer),
        (LOAD_CALL, Answer::Silence, Timeout),
        (LOAD_CALL, Answer::Raw(b""), Unreachable),
    ] {
        let fake = Fake::start(7).await;
        fake.instead(what, answer);
        let mut nas = open(&fake);
        let e = failure(&mut nas).await;
        assert_eq!(e.class, class, "{what}: {e}");
        // it recovers by itself
        fake.set(|state| state.instead.clear());
        assert_eq!(poll(&mut nas).await.len(), 2, "{what}");
    }
}

#[tokio::test]
async fn nobody_is_told_from_somebody() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let e = failure(&mut open_with(&url, PASSWORD)).await;
    assert_eq!(e.class, FailureClass::Unreachable, "{e}");
    let fake = Fake::start(7).await;
    let url = fake.url().replace("http:", "https:");
    let e = failure(&mut open_with(&url, PASSWORD)).await;
    assert!(
        matches!(e.class, FailureClass::Tls | FailureClass::Timeout),
        "{e}"
    );
}

#[tokio::test]
async fn a_part_that_is_missing_or_garbled_does_not_lose_the_others() {
    let fake = Fake::start(7).await;
    let mut nas = open(&fake);
    poll(&mut nas).await;
    for answer in [
        // while its service starts
        Answer::Code(1055),
        Answer::Code(117),
        Answer::Data(json!([])),
        Answer::Text(200, "{\"data\":".to_owned()),
        Answer::Text(502, String::new()),
    ] {
        fake.instead(LOAD_CALL, answer);
        let told = poll(&mut nas).await;
        let itself = sample(&told, "nas/nas1");
        assert_eq!(itself.fields.get("cpu_ratio"), None);
        assert!(itself.fields.get("uptime_seconds").is_some());
    }
    fake.set(|state| state.instead.clear());
    fake.instead("SYNO.Core.System.info", Answer::Code(103));
    gentle::later(Duration::from_mins(1)).await;
    let told = poll(&mut nas).await;
    let itself = sample(&told, "nas/nas1");
    assert_eq!(label(itself, "model"), "DS920+", "the other call tells it");
    assert_eq!(
        itself.fields.get("uptime_seconds"),
        Some(&FieldValue::I64(270_729))
    );
    assert_eq!(fake.logins(), 1);
}

#[tokio::test]
async fn a_storage_that_is_not_told_does_not_make_the_nas_down() {
    let fake = Fake::start(7).await;
    let mut nas = open(&fake);
    for answer in [
        Answer::Silence,
        Answer::Code(100),
        Answer::Data(json!({"disks": 7})),
        Answer::Text(200, "x".to_owned()),
    ] {
        fake.instead(STORAGE_CALL, answer);
        let told = poll(&mut nas).await;
        sample(&told, "nas/nas1");
        assert!(listen(&mut nas).await.is_empty());
        gentle::later(Duration::from_mins(5)).await;
    }
    assert_eq!(fake.storage_calls(), 4);
    fake.set(|state| state.instead.clear());
    poll(&mut nas).await;
    sample(&heard(&mut nas).await, "disk/WD-1");
}

#[tokio::test]
async fn a_secret_that_is_repeated_is_not_shown() {
    let fake = Fake::start(7).await;
    let mut nas = open(&fake);
    poll(&mut nas).await;
    let page = format!("no /x?_sid={SID}1&SynoToken={TOKEN}&passwd={PASSWORD} here");
    for what in [LOAD_CALL, "SYNO.Core.System.info", "SYNO.DSM.Info.getinfo"] {
        fake.instead(what, Answer::Text(500, page.clone()));
    }
    let e = failure(&mut nas).await;
    assert_eq!(e.class, FailureClass::BadAnswer, "{e}");
}
