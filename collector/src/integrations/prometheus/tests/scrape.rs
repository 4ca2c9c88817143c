//! Over real connections.

use super::*;
use crate::{
    FailureClass,
    testing::web::{Answer, Web},
};

fn open(options: &str) -> Result<Prometheus, OpenError> {
    let params = toml::from_str(options).unwrap();
    Prometheus::open(params, &testing::context("lab.web"))
}

async fn poll(scraper: &mut Prometheus) -> Result<Vec<Observation>, PollError> {
    let mut batch = testing::batch();
    scraper.poll(&mut batch).await?;
    Ok(checked(batch))
}

const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[tokio::test]
async fn a_target_is_scraped_at_its_address_whatever_that_is() {
    let web = Web::start().await;
    for (address, asked) in [
        ("", "/metrics"),
        ("/", "/metrics"),
        ("/a/metrics", "/a/metrics"),
        ("/a/metrics/", "/a/metrics/"),
        ("/probe?target=x&k=s3cret", "/probe?target=x&k=s3cret"),
        ("?format=prometheus", "/metrics?format=prometheus"),
    ] {
        web.answer(asked, Answer::typed("text/plain; version=0.0.4", "up 1\n"));
        let mut scraper = open(&format!("url = \"{}\"", web.url(address))).unwrap();
        let told = poll(&mut scraper).await.unwrap();
        assert_eq!(values(&told).len(), 1, "{address}");
        let head = web.requests().pop().unwrap();
        assert!(head.starts_with(&format!("GET {asked} HTTP/1.1")), "{head}");
        assert!(
            head.contains("accept: application/openmetrics-text"),
            "{head}"
        );
        assert!(!head.to_lowercase().contains("authorization"), "{head}");
    }
}

#[tokio::test]
async fn a_target_may_want_a_token_or_a_user() {
    let web = Web::start().await;
    web.answer("/metrics", Answer::page(200, "up 1\n"));
    for (options, header) in [
        ("token = \"s3cret\"", "authorization: Bearer s3cret"),
        (
            "username = \"me\"\npassword = \"s3cret\"",
            "authorization: Basic bWU6czNjcmV0",
        ),
        ("password = \"s3cret\"", "authorization: Basic OnMzY3JldA=="),
    ] {
        let options = format!("url = \"{}\"\n{options}", web.url(""));
        poll(&mut open(&options).unwrap()).await.unwrap();
        let head = web.requests().pop().unwrap();
        assert!(head.contains(header), "{head}");
    }
}

#[tokio::test]
async fn each_way_to_fail_has_its_class() {
    let web = Web::start().await;
    let url = web.url("/metrics?key=s3cret");
    let mut scraper = open(&format!("url = \"{url}\"\ntoken = \"s3cret\"")).unwrap();
    let page = |status| Answer::page(status, "s o r r y");
    for (answer, class, words) in [
        (page(401), FailureClass::BadCredentials, "credentials"),
        (page(403), FailureClass::NoPermission, "right to read"),
        (page(404), FailureClass::BadAnswer, "check url"),
        (page(429), FailureClass::RateLimited, "fewer requests"),
        (page(500), FailureClass::BadAnswer, "500: s o r r y"),
        (
            Answer::typed("text/html; charset=utf-8", "<html>up 1</html>"),
            FailureClass::BadAnswer,
            "`text/html; charset=utf-8`",
        ),
        (
            Answer::page(200, "<html>\n<p>log in</p>"),
            FailureClass::BadAnswer,
            "no metrics in it, but 2 other lines",
        ),
        (
            Answer::typed(OPEN, "# TYPE a gauge\na 1\n"),
            FailureClass::BadAnswer,
            "# EOF",
        ),
        (
            Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nup 1\n".to_vec()),
            FailureClass::Unreachable,
            "127.0.0.1",
        ),
        (
            Answer::Page(
                302,
                "location: /login?key=s3cret\r\n".to_owned(),
                Vec::new(),
            ),
            FailureClass::BadAnswer,
            "/login",
        ),
        (
            Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\nup 1\n".to_vec()),
            FailureClass::BadAnswer,
            "larger",
        ),
    ] {
        web.answer("/metrics?key=s3cret", answer.clone());
        let error = poll(&mut scraper).await.unwrap_err();
        assert_eq!(error.class, class, "{answer:?}: {error}");
        assert!(error.message.contains(words), "{error}");
        assert!(!error.message.contains("s3cret"), "{error}");
        assert!(!error.message.contains('\n'), "{error}");
    }
    web.answer(
        "/metrics?key=s3cret",
        Answer::Page(429, "retry-after: 70\r\n".to_owned(), Vec::new()),
    );
    let error = poll(&mut scraper).await.unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_secs(70)));
    web.answer("/metrics?key=s3cret", Answer::typed(OPEN, "up 1\n# EOF"));
    assert_eq!(
        values(&poll(&mut scraper).await.unwrap()).len(),
        1,
        "it is well again"
    );
}

#[tokio::test]
async fn half_of_an_answer_is_read_where_the_rest_is_garbled() {
    let web = Web::start().await;
    let body = b"up 1\n\xff\xfe\x00 2\nname{label=\"\xff\"} 3\noops\n# TYPE\nlast 4".to_vec();
    web.answer("/metrics", Answer::Page(200, String::new(), body));
    let told = poll(&mut open(&format!("url = \"{}\"", web.url(""))).unwrap())
        .await
        .unwrap();
    assert_eq!(values(&told).len(), 3);
    assert_eq!(count(&told, "garbled_lines_count"), 2);
    web.answer("/metrics", Answer::page(200, ""));
    let told = poll(&mut open(&format!("url = \"{}\"", web.url(""))).unwrap())
        .await
        .unwrap();
    assert_eq!(
        count(&told, "series_count"),
        0,
        "a target may have nothing to tell yet"
    );
}

#[tokio::test]
async fn nobody_there_and_no_answer_are_told_apart() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/", unused.local_addr().unwrap());
    drop(unused);
    let error = poll(&mut open(&format!("url = \"{nobody}\"")).unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.class, FailureClass::Unreachable, "{error}");
    let web = Web::start().await;
    web.answer("/metrics", Answer::Silence);
    let mut silent = open(&format!("url = \"{}\"", web.url(""))).unwrap();
    let mut batch = testing::batch();
    // the scheduler ends it
    let ended = tokio::time::timeout(Duration::from_millis(300), silent.poll(&mut batch)).await;
    assert!(ended.is_err());
    web.answer("/metrics", Answer::page(200, "up 1"));
    poll(&mut silent).await.unwrap();
}

#[test]
fn what_cannot_work_is_refused_with_its_key() {
    let many: Vec<_> = (0..257).map(|n| format!("\"p{n}\"")).collect();
    let excluded = format!("url = \"http://router/\"\nexclude = [{}]", many.join(","));
    for (options, key) in [
        ("", "url"),
        ("url = \"router\"", "url"),
        ("url = \"http://me:s3cret@router/\"", "url"),
        ("url = \"http://router/metrics?a#b\"", "url"),
        (
            "url = \"http://router/\"\ntoken = \"s3cret\"\nusername = \"me\"",
            "token",
        ),
        ("url = \"http://router/\"\nusername = \"a:b\"", "username"),
        ("url = \"http://router/\"\nmax_series = 0", "max_series"),
        ("url = \"http://router/\"\nmax_series = 10001", "max_series"),
        (
            "url = \"http://router/\"\ntls = { ca = \"a\", insecure = true }",
            "tls",
        ),
        (excluded.as_str(), "exclude"),
    ] {
        match open(options) {
            Ok(_) => panic!("{options} is taken"),
            Err(error) => {
                assert_eq!(error.key, key, "{options}: {error}");
                assert!(!error.message.contains("s3cret"), "{error}");
            }
        }
    }
    let params: Params = toml::from_str("token = \"s3cret\"\npassword = \"s3cret\"").unwrap();
    assert!(!format!("{params:?}").contains("s3cret"));
}
