use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use schemas::{EventType, FieldValue};
use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs};

use super::*;
use crate::{
    batch::Observation,
    testing::{
        self,
        web::{Answer, Web},
    },
};

fn params(options: &str) -> Params {
    toml::from_str(options).unwrap()
}

fn refused(options: &str) -> OpenError {
    match HttpCheck::open(params(options), &testing::context("lab.web")) {
        Ok(_) => panic!("{options} is taken"),
        Err(e) => e,
    }
}

fn open(options: &str) -> HttpCheck {
    HttpCheck::open(params(options), &testing::context("lab.web")).unwrap()
}

/// What one poll tells; every field is one that the catalogue knows, with its type.
async fn poll(checks: &mut HttpCheck) -> Vec<Observation> {
    let mut batch = testing::batch();
    checks.poll(&mut batch).await.unwrap();
    let (events, dropped) = testing::checked(batch, METRICS);
    assert_eq!(dropped, 0);
    events
}

fn text<'a>(event: &'a Observation, field: &str) -> &'a str {
    match event.fields.get(field) {
        Some(FieldValue::Text(text)) => text,
        _ => "",
    }
}

fn up(event: &Observation) -> bool {
    event.fields.get("up") == Some(&FieldValue::Bool(true))
}

#[tokio::test]
async fn a_good_answer_is_up_with_its_status_and_latency() {
    let web = Web::start().await;
    web.answer("/health?token=s3cret", Answer::page(204, ""));
    let url = web.url("/health?token=s3cret#x");
    let mut checks = open(&format!("url = \"{url}\""));
    for _ in 0..2 {
        let told = poll(&mut checks).await;
        assert_eq!(told.len(), 1, "being up is no news: {told:?}");
        let sample = &told[0];
        assert!(up(sample));
        assert_eq!(text(sample, "failure"), "none");
        assert_eq!(sample.entity.id.as_str(), web.url("/health"));
        assert_eq!(
            sample.fields.get("status_code"),
            Some(&FieldValue::I64(204))
        );
        let latency = sample.fields.get("latency_seconds").unwrap();
        assert!((0.0..5.0).contains(&latency.as_f64().unwrap()), "{latency}");
        assert_eq!(sample.fields.get("certificate_expiry_seconds"), None);
        assert!(!format!("{told:?}").contains("s3cret"));
    }
}

#[tokio::test]
async fn going_down_and_up_again_are_changes() {
    let web = Web::start().await;
    web.answer("/", Answer::page(200, ""));
    let mut checks = open(&format!("url = \"{}\"", web.url("/")));
    poll(&mut checks).await;
    web.answer("/", Answer::page(503, "no"));
    let told = poll(&mut checks).await;
    let [sample, change] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(
        (sample.event_type, change.event_type),
        (EventType::Sample, EventType::Change)
    );
    for event in [sample, change] {
        assert!(!up(event));
        assert_eq!(text(event, "failure"), "unexpected_status");
    }
    assert_eq!(
        sample.fields.get("status_code"),
        Some(&FieldValue::I64(503))
    );
    assert!(text(change, "message").contains("503"), "{change:?}");
    assert!(text(change, "message").contains("200-299"), "{change:?}");
    assert_eq!(poll(&mut checks).await.len(), 1, "still down is no change");
    web.answer("/", Answer::page(200, ""));
    let told = poll(&mut checks).await;
    assert!(up(&told[1]) && told[1].event_type == EventType::Change);
    assert_eq!(text(&told[1], "message"), "");
}

#[tokio::test]
async fn what_is_down_is_a_finding_for_as_long_as_it_is() {
    let web = Web::start().await;
    web.answer("/a", Answer::page(200, ""));
    web.answer("/b?key=s3cret", Answer::page(503, ""));
    let urls = [web.url("/a"), web.url("/b?key=s3cret")];
    let mut checks = open(&format!("urls = {urls:?}"));
    for _ in 0..2 {
        let mut batch = testing::batch();
        checks.poll(&mut batch).await.unwrap();
        let found = batch.take_findings();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].class, "unexpected_status");
        let told = found[0].to_string();
        let begin = format!("{}: it answers 503", web.url("/b"));
        assert!(
            told.starts_with(&begin) && !told.contains("s3cret"),
            "{told}"
        );
    }
    web.answer("/b?key=s3cret", Answer::page(200, ""));
    let mut batch = testing::batch();
    checks.poll(&mut batch).await.unwrap();
    assert_eq!(batch.take_findings(), []);
}

#[tokio::test]
async fn statuses_are_expected_one_by_one_and_in_ranges() {
    let web = Web::start().await;
    let mut checks = open(&format!(
        "url = \"{}\"\nexpect_status = [401, \"300-399\"]",
        web.url("/")
    ));
    let away = "location: http://elsewhere.test/\r\n".to_owned();
    for (answer, is_up) in [
        (Answer::page(401, ""), true),
        (Answer::Page(302, away, Vec::new()), true),
        (Answer::page(399, ""), true),
        (Answer::page(200, ""), false),
        (Answer::page(403, ""), false),
    ] {
        web.answer("/", answer.clone());
        assert_eq!(up(&poll(&mut checks).await[0]), is_up, "{answer:?}");
    }
}

#[tokio::test]
async fn redirects_are_followed_on_the_same_host_if_that_is_wanted() {
    let web = Web::start().await;
    let to = |to: &str| Answer::Page(302, format!("location: {to}\r\n"), Vec::new());
    web.answer("/", to("/home"));
    web.answer("/home", Answer::page(200, "welcome"));
    let url = web.url("/");
    let mut shown = open(&format!("url = \"{url}\""));
    assert_eq!(
        poll(&mut shown).await[0].fields.get("status_code"),
        Some(&FieldValue::I64(302))
    );
    let mut follows = open(&format!("url = \"{url}\"\nfollow_redirects = true"));
    assert!(up(&poll(&mut follows).await[0]));
    web.answer("/", to("http://elsewhere.test/?token=s3cret"));
    let told = poll(&mut follows).await;
    assert_eq!(text(&told[0], "failure"), "bad_answer");
    assert!(!format!("{told:?}").contains("s3cret"), "{told:?}");
}

#[tokio::test]
async fn a_text_is_found_wherever_it_is_and_missed_where_it_is_not() {
    let web = Web::start().await;
    let mut checks = open(&format!(
        "url = \"{}\"\nexpect_text = \"all is wéll\"",
        web.url("/")
    ));
    let mut far = "x".repeat(SEARCHED_PAGE - 12);
    far.push_str("all is wéll");
    let too_far = format!("xx{far}");
    for (body, failure) in [
        ("all is wéll", "none"),
        ("<p>all is wéll</p>", "none"),
        (far.as_str(), "none"),
        (too_far.as_str(), "text_missing"),
        ("all is wel", "text_missing"),
        ("", "text_missing"),
    ] {
        web.answer("/", Answer::page(200, body));
        let told = poll(&mut checks).await;
        assert_eq!(text(&told[0], "failure"), failure, "{} bytes", body.len());
    }
    // in pieces, the text across two of them
    let pieces = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nx all\r\n9\r\n is wéll\r\n0\r\n\r\n";
    web.answer("/", Answer::Raw(pieces.as_bytes().to_vec()));
    assert!(up(&poll(&mut checks).await[0]));
}

/// As much of a page as is searched.
const SEARCHED_PAGE: usize = 1024 * 1024;

#[tokio::test]
async fn each_way_to_fail_has_its_class_and_leaves_the_source_up() {
    let web = Web::start().await;
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/", unused.local_addr().unwrap());
    drop(unused);
    web.answer("/silent", Answer::Silence);
    web.answer("/garbage", Answer::Raw(b"no http at all\r\n\r\n".to_vec()));
    web.answer(
        "/half",
        Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec()),
    );
    web.answer("/good", Answer::page(200, "here it is"));
    let urls = [
        (nobody, "unreachable", false),
        (web.url("/silent"), "timeout", false),
        (web.url("/garbage"), "unreachable", false),
        (web.url("/half"), "unreachable", true),
        (web.url("/good"), "none", true),
        (web.url("/nothing"), "unexpected_status", true),
        ("http://169.254.169.254/".to_owned(), "other", false),
    ];
    let list: Vec<_> = urls.iter().map(|(url, ..)| format!("{url:?}")).collect();
    let mut checks = open(&format!(
        "urls = [{}]\nexpect_text = \"here it is\"\nresponse_timeout = \"400ms\"",
        list.join(", ")
    ));
    let told = poll(&mut checks).await;
    for (url, failure, answered) in &urls {
        let sample = told
            .iter()
            .find(|event| event.entity.id.as_str() == url && event.event_type == EventType::Sample)
            .unwrap();
        assert_eq!(text(sample, "failure"), *failure, "{url}: {told:?}");
        assert_eq!(up(sample), *failure == "none", "{url}");
        for field in ["status_code", "latency_seconds"] {
            assert_eq!(sample.fields.get(field).is_some(), *answered, "{url}");
        }
    }
}

fn certified(year: i32) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    Arc::new(config)
}

#[tokio::test]
async fn the_end_of_a_certificate_is_told_whether_it_is_believed_or_not() {
    // 2000-01-01 and 2100-01-01
    for (year, end) in [(2000, 946_684_800), (2100, 4_102_444_800_i64)] {
        let web = Web::start_with(Some(certified(year))).await;
        web.answer("/", Answer::page(200, ""));
        let url = format!("https://localhost:{}/", web.port());
        for (tls, failure) in [("{ insecure = true }", "none"), ("{}", "tls")] {
            let mut checks = open(&format!("url = \"{url}\"\ntls = {tls}"));
            let told = poll(&mut checks).await;
            assert_eq!(text(&told[0], "failure"), failure, "{told:?}");
            let left = told[0].fields.get("certificate_expiry_seconds").unwrap();
            let now = told[0].time.as_millis() / 1000;
            assert_eq!(left, &FieldValue::I64(end - now), "{year} {tls}");
        }
    }
}

#[test]
fn what_cannot_work_is_refused_with_its_key() {
    let many: Vec<_> = (0..17).map(|n| format!("\"http://h{n}\"")).collect();
    let many_urls = format!("urls = [{}]", many.join(","));
    let long_text = format!("url = \"http://a\"\nexpect_text = \"{}\"", "x".repeat(1025));
    let long_url = format!("url = \"http://{}/\"", "a".repeat(250));
    for (options, key) in [
        ("", "url"),
        ("url = \"wiki\"", "url"),
        ("url = \"ftp://wiki/\"", "url"),
        ("url = \"http://me:s3cret@wiki/\"", "url"),
        ("urls = [\"http://a/?x=1\", \"http://a/?x=2\"]", "urls"),
        ("url = \"http://a\"\nurls = [\"http://a/\"]", "urls"),
        (many_urls.as_str(), "urls"),
        (
            "url = \"http://a\"\nresponse_timeout = \"0s\"",
            "response_timeout",
        ),
        (
            "url = \"http://a\"\nresponse_timeout = \"2h\"",
            "response_timeout",
        ),
        (
            "url = \"http://a\"\ntls = { fingerprint = \"x\" }",
            "tls.fingerprint",
        ),
        (long_text.as_str(), "expect_text"),
        (long_url.as_str(), "url"),
    ] {
        let error = refused(options);
        assert_eq!(error.key, key, "{options}: {error}");
        assert!(!error.message.contains("s3cret"), "{error}");
    }
}

#[test]
fn statuses_that_are_none_are_refused() {
    for bad in [
        "[]",
        "[99]",
        "[600]",
        "[\"2xx\"]",
        "[\"300-200\"]",
        "[\"-\"]",
        "[true]",
        "[-1]",
        "200",
    ] {
        let read = toml::from_str::<Params>(&format!("expect_status = {bad}"));
        assert!(read.is_err(), "{bad}");
    }
    let read = params("expect_status = [200, \"301 - 308\", \"404\"]").expect_status;
    assert_eq!(read.to_string(), "200, 301-308, 404");
}

#[tokio::test]
async fn credentials_are_shown_and_not_again_soon_after_they_were_refused() {
    let web = Web::start().await;
    web.answer("/", Answer::page(200, ""));
    for (options, header) in [
        ("token = \"s3cret\"", "Bearer s3cret"),
        (
            "username = \"ann\"\npassword = \"s3cret\"",
            "Basic YW5uOnMzY3JldA==",
        ),
    ] {
        let options = format!("url = \"{}\"\n{options}", web.url("/"));
        let mut checks = open(&options);
        assert!(up(&poll(&mut checks).await[0]));
        let request = web.requests().pop().unwrap();
        assert_eq!(
            testing::web::header(&request, "authorization").as_deref(),
            Some(header)
        );
        assert!(!format!("{:?}", params(&options)).contains("s3cret"));

        web.answer("/", Answer::page(401, ""));
        let mut batch = testing::batch();
        let refused = checks.poll(&mut batch).await.unwrap_err();
        assert_eq!(refused.class, FailureClass::BadCredentials);
        let (told, _) = testing::checked(batch, METRICS);
        assert_eq!(text(&told[0], "failure"), "bad_credentials");

        let mut expecting = open(&format!("{options}\nexpect_status = [401]"));
        assert!(
            up(&poll(&mut expecting).await[0]),
            "what is expected is no refusal"
        );
        web.answer("/", Answer::page(200, ""));
    }
    let both = format!(
        "url = \"{}\"\ntoken = \"a\"\nusername = \"b\"",
        web.url("/")
    );
    assert_eq!(refused(&both).key, "token");
}
