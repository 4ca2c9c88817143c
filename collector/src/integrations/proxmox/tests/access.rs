//! Tokens, tickets and rights.

use super::*;

fn by_password(url: &str) -> Proxmox {
    let params = json!({"url": url, "username": "homelog@pve", "password": SECRET});
    let params = serde_json::from_value(params).unwrap();
    Proxmox::open(params, &testing::context("pve")).unwrap()
}

const LOGIN: &str = "POST /access/ticket";

#[tokio::test]
async fn a_ticket_is_fetched_once_and_anew_when_it_is_refused() {
    let fake = Fake::start().await;
    ready(&fake);
    fake.data("/access/ticket", json!({"ticket": "PVE:homelog@pve:1"}));
    fake.expect_ticket("PVE%3Ahomelog%40pve%3A1");
    let mut proxmox = by_password(&fake.url());
    poll(&mut proxmox).await;
    poll(&mut proxmox).await;
    assert_eq!(fake.times_asked(LOGIN), 1);
    let login = &fake.asked()[0];
    assert_eq!(
        login.body,
        format!("username=homelog%40pve&password={SECRET}")
    );
    // the node started again and knows the ticket no more
    fake.data("/access/ticket", json!({"ticket": "PVE:2"}));
    fake.expect_ticket("PVE%3A2");
    poll(&mut proxmox).await;
    assert_eq!(fake.times_asked(LOGIN), 2);
    assert!(fake.asked().iter().all(|a| !a.what.contains(SECRET)));
}

#[tokio::test]
async fn a_login_that_helps_nothing_is_not_repeated() {
    let fake = Fake::start().await;
    ready(&fake);
    fake.data("/access/ticket", json!({"ticket": "PVE:1"}));
    fake.expect_ticket("another");
    let mut proxmox = by_password(&fake.url());
    let error = refused(&mut proxmox).await;
    assert_eq!(error.class, FailureClass::BadCredentials);
    assert!(error.message.contains("invalid PVE ticket"), "{error}");
    assert_eq!(fake.times_asked(LOGIN), 1);
    assert_eq!(fake.times_asked("GET /cluster/resources"), 1);
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_a_poll() {
    let fake = Fake::start().await;
    ready(&fake);
    fake.answer(
        "/access/ticket",
        Answer::refusal(401, "authentication failure"),
    );
    let error = refused(&mut by_password(&fake.url())).await;
    assert_eq!(error.class, FailureClass::BadCredentials);
    assert!(error.message.contains("authentication failure"), "{error}");
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test]
async fn a_second_factor_and_a_login_without_a_ticket_are_told_apart() {
    let fake = Fake::start().await;
    for (data, class, words) in [
        (
            json!({"NeedTFA": 1, "ticket": "PVE:!tfa!x"}),
            FailureClass::BadCredentials,
            "API token",
        ),
        (
            json!({"ticket": "PVE:!tfa!x"}),
            FailureClass::BadCredentials,
            "API token",
        ),
        (
            json!({"username": "x"}),
            FailureClass::BadAnswer,
            "no ticket",
        ),
        (
            json!({"ticket": "x".repeat(100_000)}),
            FailureClass::BadAnswer,
            "no ticket",
        ),
        (json!(null), FailureClass::BadAnswer, "no ticket"),
    ] {
        fake.data("/access/ticket", data);
        let error = refused(&mut by_password(&fake.url())).await;
        assert_eq!(error.class, class, "{error}");
        assert!(error.message.contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_token_without_rights_sees_an_empty_list_and_is_told_so() {
    let fake = Fake::start().await;
    fake.data("/access/permissions", json!({}));
    let bare = json!([{"type": "node", "node": "pve1", "status": "online", "id": "node/pve1"}]);
    let mut proxmox = open(&fake);
    for list in [json!([]), bare] {
        fake.data("/cluster/resources", list);
        let error = refused(&mut proxmox).await;
        assert_eq!(error.class, FailureClass::NoPermission);
        for words in [
            "PVEAuditor",
            "homelog@pve!homelog",
            "Sys.Audit",
            "for its user",
        ] {
            assert!(error.message.contains(words), "{words}: {error}");
        }
    }
    // once it has them, it goes on by itself
    ready(&fake);
    assert!(!poll(&mut proxmox).await.is_empty());
    // and when they are taken away nothing is said to have vanished
    fake.data("/cluster/resources", json!([]));
    fake.data("/access/permissions", json!({}));
    assert_eq!(
        refused(&mut proxmox).await.class,
        FailureClass::NoPermission
    );
}

#[tokio::test]
async fn part_of_the_rights_shows_part_of_the_cluster() {
    let fake = Fake::start().await;
    ready(&fake);
    fake.data("/access/permissions", json!({"/vms": {"VM.Audit": 1}}));
    let mut proxmox = open(&fake);
    assert!(!poll(&mut proxmox).await.is_empty());
    // who may not even ask for rights is not stopped by that
    fake.answer("/access/permissions", Answer::refusal(403, "no"));
    assert!(!poll(&mut open(&fake)).await.is_empty());
}

#[test]
fn credentials_that_cannot_work_are_named() {
    let key = |options: Value| {
        let mut all = json!({"url": "https://pve1:8006"});
        all.as_object_mut()
            .unwrap()
            .extend(options.as_object().unwrap().clone());
        let params: Params = serde_json::from_value(all).unwrap();
        match Proxmox::open(params, &testing::context("pve")) {
            Ok(_) => String::new(),
            Err(e) => {
                assert!(!e.message.contains(SECRET), "{e}");
                e.key
            }
        }
    };
    let whole = format!("homelog@pve!homelog={SECRET}");
    for (options, expected) in [
        (
            json!({"token_id": "homelog@pve!homelog", "token_secret": SECRET}),
            "",
        ),
        (json!({"username": "root@pam", "password": SECRET}), ""),
        (json!({}), "token_id"),
        (
            json!({"url": "pve1", "token_id": "a@b!c", "token_secret": SECRET}),
            "url",
        ),
        (
            json!({"token_id": "homelog", "token_secret": SECRET}),
            "token_id",
        ),
        (
            json!({"token_id": "homelog@pve", "token_secret": SECRET}),
            "token_id",
        ),
        (
            json!({"token_id": "a@b!c\r\nx: y", "token_secret": SECRET}),
            "token_id",
        ),
        (json!({"token_id": whole}), "token_id"),
        (json!({"token_id": "a@b!c"}), "token_secret"),
        (
            json!({"token_id": "a@b!c", "token_secret": whole}),
            "token_secret",
        ),
        (json!({"username": "root", "password": SECRET}), "username"),
        (json!({"username": "root@pam"}), "password"),
        (
            json!({"token_id": "a@b!c", "token_secret": SECRET, "username": "root@pam"}),
            "username",
        ),
        (
            json!({"username": "root@pam", "password": SECRET, "tls": {"fingerprint": "12"}}),
            "tls.fingerprint",
        ),
    ] {
        assert_eq!(key(options.clone()), expected, "{options}");
    }
}
