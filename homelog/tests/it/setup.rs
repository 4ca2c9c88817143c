use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::lab::{Lab, PASSWORD, homelog, told};

fn token_of(stdout: &str) -> Option<String> {
    let (_, rest) = stdout.split_once("/setup#token=")?;
    Some(rest.lines().next()?.trim().to_owned())
}

async fn set_up(lab: &Lab, token: &str) -> StatusCode {
    lab.http
        .post(lab.url("/auth/setup"))
        .json(&json!({"token": token, "username": "anna", "password": PASSWORD}))
        .send()
        .await
        .unwrap()
        .status()
}

#[tokio::test]
async fn the_link_makes_the_first_admin_once() {
    let mut lab = Lab::new();
    lab.up(&[]).await;
    let stdout = lab.stdout();
    let first = token_of(&stdout).expect("a link");
    assert!(stdout.contains(&lab.url("/setup#token=")), "{stdout}");
    lab.stop().await;

    lab.up(&[]).await;
    let second = token_of(&lab.stdout()).expect("the link is printed until it was used");
    assert_ne!(first, second);
    assert!(
        !set_up(&lab, &first).await.is_success(),
        "a newer one was printed"
    );
    assert!(!set_up(&lab, "guess").await.is_success());
    assert!(set_up(&lab, &second).await.is_success());
    assert!(!set_up(&lab, &second).await.is_success(), "it is good once");

    let login = |password: &'static str| {
        let request = lab.http.post(lab.url("/auth/login"));
        async move {
            request
                .json(&json!({"username": "anna", "password": password}))
                .send()
                .await
                .unwrap()
        }
    };
    assert_eq!(
        login("something else").await.status(),
        StatusCode::UNAUTHORIZED
    );
    let answer: Value = login(PASSWORD).await.json().await.unwrap();
    assert_eq!(answer["role"], "admin");
    lab.stop().await;

    lab.up(&[]).await;
    assert_eq!(token_of(&lab.stdout()), None);
    assert!(lab.stdout().contains("Dashboard"), "{}", lab.stdout());
}

#[tokio::test]
async fn a_password_of_the_environment_makes_admin() {
    let mut lab = Lab::new();
    let file = lab.path("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    lab.up(&[("HOMELOG_ADMIN_PASSWORD_FILE", file.to_str().unwrap())])
        .await;
    assert_eq!(token_of(&lab.stdout()), None);
    let answer = lab
        .http
        .post(lab.url("/auth/login"))
        .json(&json!({"username": "admin", "password": PASSWORD}))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(!lab.stderr().contains(PASSWORD) && !lab.stdout().contains(PASSWORD));
}

#[test]
fn a_weak_or_doubtful_password_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let up = |env: &[(&str, &str)]| {
        let mut command = homelog();
        command
            .args(["up", "--listen", "127.0.0.1:0", "--data"])
            .arg(dir.path().join("data"))
            .envs(env.iter().copied());
        told(&command.output().unwrap())
    };
    let (code, _, stderr) = up(&[("HOMELOG_ADMIN_PASSWORD", "short")]);
    assert_eq!(code, 64, "{stderr}");
    assert!(stderr.contains("HOMELOG_ADMIN_PASSWORD:"), "{stderr}");
    let (code, _, stderr) = up(&[
        ("HOMELOG_ADMIN_PASSWORD", PASSWORD),
        ("HOMELOG_ADMIN_PASSWORD_FILE", "/x"),
    ]);
    assert_eq!(code, 64);
    assert!(stderr.contains("both set"), "{stderr}");
    let (code, _, stderr) = up(&[("HOMELOG_ADMIN_PASSWORD_FILE", "/nonexistent/x")]);
    assert_eq!(code, 64);
    assert!(stderr.contains("/nonexistent/x cannot be read"), "{stderr}");
}
