use reqwest::StatusCode;
use serde_json::json;

use crate::lab::{Lab, PASSWORD};

#[tokio::test]
async fn users_and_tokens_are_made_while_it_runs() {
    let lab = Lab::start().await;
    let login = |name: &'static str, password: &'static str| {
        let request = lab.http.post(lab.url("/auth/login"));
        async move {
            let body = json!({"username": name, "password": password});
            request.json(&body).send().await.unwrap().status()
        }
    };
    let add = ["user", "add", "bob", "--role", "viewer", "--password-stdin"];
    let (code, stdout, stderr) = lab.run(&add, "another long pass phrase\n");
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(stdout, "user `bob` is viewer\n");
    assert_eq!(
        login("bob", "another long pass phrase").await,
        StatusCode::OK
    );

    let (code, _, stderr) = lab.run(&add, "another long pass phrase\n");
    assert_eq!(code, 1);
    assert!(stderr.contains("there is a user `bob` already"), "{stderr}");

    let reset = ["user", "reset-password", "bob", "--password-stdin"];
    let (code, _, stderr) = lab.run(&reset, "short\n");
    assert_eq!(code, 1, "{stderr}");
    let (code, _, stderr) = lab.run(&reset, "yet another pass phrase\n");
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(
        login("bob", "another long pass phrase").await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        login("bob", "yet another pass phrase").await,
        StatusCode::OK
    );

    let (code, stdout, _) = lab.run(&["user", "list"], "");
    assert_eq!(code, 0);
    assert_eq!(stdout.lines().count(), 3, "{stdout}");
    assert!(
        stdout.contains("bob") && stdout.contains("admin"),
        "{stdout}"
    );
    assert!(!stdout.contains(PASSWORD));

    let create = |user: &str, role: &str, expires: &str| {
        let args = [
            "token",
            "create",
            "--user",
            user,
            "--name",
            "t",
            "--role",
            role,
            "--expires",
            expires,
        ];
        lab.run(&args, "")
    };
    let (code, token, stderr) = create("bob", "viewer", "1d");
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(
        token.lines().count(),
        1,
        "the token alone, for scripts: {token}"
    );
    let sources = lab
        .http
        .get(lab.url("/api/v1/sources"))
        .bearer_auth(token.trim())
        .send()
        .await
        .unwrap();
    assert_eq!(sources.status(), StatusCode::OK);
    for (user, role, expires, code) in [
        ("bob", "admin", "1d", 1),
        ("nobody", "viewer", "1d", 1),
        ("bob", "viewer", "soon", 64),
    ] {
        let (found, stdout, stderr) = create(user, role, expires);
        assert_eq!(found, code, "{stderr}");
        assert!(stdout.is_empty());
    }
}

/// An installer makes the admin before the first start: it was told to start Homelog first, which then offered its
/// set-up link to whoever came.
#[tokio::test]
async fn the_first_admin_may_be_made_before_the_first_start() {
    let mut lab = Lab::new();
    let add = ["user", "add", "ada", "--role", "admin", "--password-stdin"];
    let (code, stdout, stderr) = lab.run(&add, &format!("{PASSWORD}\n"));
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.ends_with("user `ada` is admin\n"), "{stdout}");
    lab.up(&[]).await;
    assert!(!lab.stdout().contains("/setup#token="), "{}", lab.stdout());
    let body = json!({"username": "ada", "password": PASSWORD});
    let answer = lab
        .http
        .post(lab.url("/auth/login"))
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    lab.stop().await;
}
