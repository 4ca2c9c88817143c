use reqwest::StatusCode;
use schemas::api::ErrorAnswer;

use crate::lab::Lab;

#[tokio::test]
async fn a_browser_gets_the_page_of_the_dashboard_or_how_to_build_it() {
    let lab = Lab::start().await;
    for path in ["/", "/entity/server.host", "/login"] {
        let answer = lab
            .http
            .get(lab.url(path))
            .header("accept", "text/html,application/xhtml+xml")
            .send()
            .await
            .unwrap();
        assert!(
            answer.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/html"),
            "{path}"
        );
        assert!(answer.text().await.unwrap().contains("Homelog"), "{path}");
    }
}

#[tokio::test]
async fn long_answers_are_compressed_and_streams_are_not() {
    let lab = Lab::start().await;
    let plain = reqwest::Client::builder().no_gzip().build().unwrap();
    let encoding = async |path: &str| {
        let answer = plain
            .get(lab.url(path))
            .bearer_auth(&lab.token)
            .header("accept-encoding", "gzip")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.headers().get("content-encoding").cloned()
    };
    assert_eq!(encoding("/openapi.json").await.unwrap(), "gzip");
    assert_eq!(encoding("/health").await, None, "a short answer");
    assert_eq!(encoding("/api/v1/live").await, None);
}

#[tokio::test]
async fn paths_that_are_not_there_are_said_in_json() {
    let lab = Lab::start().await;
    for (path, status) in [
        ("/api/v1/nothing", StatusCode::NOT_FOUND),
        ("/health/nothing", StatusCode::NOT_FOUND),
        ("/missing.png", StatusCode::NOT_FOUND),
        ("/api/v1/../../etc/passwd", StatusCode::NOT_FOUND),
    ] {
        let answer = lab.get(path).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert!(answer.headers().contains_key("x-request-id"));
        let id = answer.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let error: ErrorAnswer = answer.json().await.unwrap();
        assert_eq!(error.error.request_id, id);
    }
    let answer = lab
        .http
        .get(lab.url("/api/v1/nothing"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        answer.status(),
        StatusCode::UNAUTHORIZED,
        "strangers learn nothing"
    );
    let answer = lab
        .http
        .delete(lab.url("/api/v1/range"))
        .bearer_auth(&lab.token)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    let error: ErrorAnswer = answer.json().await.unwrap();
    assert_eq!(error.error.code, "method_not_allowed");
}
