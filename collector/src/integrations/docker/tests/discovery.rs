//! Containers that ask to be watched as services.

use prometheus_client::registry::Registry;
use schemas::{SourceName, name::AgentName};
use supervision::Supervisor;

use super::*;
use crate::{CollectorMetrics, Configured, Environment, SourceConfig, Sources, testing::Faulty};

fn asking(name: &str, labels: &[(&str, &str)]) -> serde_json::Value {
    let id: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let mut made = container(&id, name, "app:1", "exited", 5);
    made["Status"] = json!("Exited (0) 4 seconds ago");
    for (key, value) in labels {
        made["Labels"][format!("homelog.{key}")] = json!(value);
    }
    made
}

const ENABLED: (&str, &str) = ("enable", "true");
const CHECK: (&str, &str) = ("kind", "http_check");
const URL: (&str, &str) = ("url", "http://127.0.0.1:9/");

/// What should run besides the engine.
fn found(docker: &Docker) -> Vec<SourceConfig> {
    let sources = &docker.context.sources;
    let engine = SourceConfig {
        name: docker.context.source.clone(),
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
        integration: Configured::of::<Docker>(Params::default()),
    };
    sources.apply(Supplier::Config, vec![engine]);
    let mut wanted = sources.wanted();
    wanted.remove(&docker.context.source);
    wanted.into_values().collect()
}

fn names(docker: &Docker) -> Vec<String> {
    found(docker).iter().map(|s| s.name.to_string()).collect()
}

fn refusals(told: &[Observation]) -> Vec<(&str, &str)> {
    told.iter()
        .filter(|event| text(event, "action") == "label_refused")
        .map(|event| (event.entity.id.as_str(), text(event, "label_error")))
        .collect()
}

#[tokio::test]
async fn a_container_starts_a_source_and_takes_it_along() {
    let fake = Fake::start();
    fake.set(|state| {
        state.containers = vec![
            asking("web", &[ENABLED, CHECK, URL, ("interval", "30s")]),
            asking("quiet", &[CHECK, URL]),
            asking("named", &[ENABLED, CHECK, URL, ("name", "wiki")]),
        ];
    });
    let mut docker = open(&fake.url());
    assert_eq!(refusals(&poll(&mut docker).await), []);
    let [web, wiki] = &found(&docker)[..] else {
        panic!("{:?}", found(&docker));
    };
    assert_eq!(
        (web.name.as_str(), wiki.name.as_str()),
        ("here.docker.web", "wiki")
    );
    assert_eq!(web.interval, Duration::from_secs(30));
    assert_eq!(web.integration.kind().as_str(), "http_check");

    // the same list is not told again: what runs is not disturbed
    let names_told = docker.context.sources.names();
    poll(&mut docker).await;
    assert!(!names_told.has_changed().unwrap());
    let again = found(&docker);
    assert!(again[0].is_same(web), "it need not start anew");

    fake.set(|state| drop(state.containers.remove(2)));
    poll(&mut docker).await;
    assert_eq!(names(&docker), ["here.docker.web"]);
    let sources = docker.context.sources.clone();
    sources.apply(Supplier::Config, Vec::new());
    assert!(sources.wanted().is_empty(), "they go with their engine");
}

#[tokio::test]
async fn what_a_container_asks_for_runs() {
    let fake = Fake::start();
    fake.set(|state| state.containers = vec![asking("web", &[ENABLED, CHECK, URL])]);
    let (supervisor, sources, log) = (Supervisor::new(), Sources::default(), Faulty::new());
    let engine = SourceConfig {
        name: SourceName::new("here.docker").unwrap(),
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
        integration: Configured::of::<Docker>(Params::at(fake.url())),
    };
    sources.apply(Supplier::Config, vec![engine]);
    let environment = Environment {
        log: log.clone(),
        agent: AgentName::new("agent").unwrap(),
        hostname: "here".into(),
        metrics: CollectorMetrics::register(&mut Registry::default()),
    };
    crate::start(&supervisor, &sources, environment);
    let found = async || {
        let events = log.events().await;
        events.iter().any(|e| {
            e.source.as_str() == "here.docker.web" && e.entity.id.as_str() == "http://127.0.0.1:9/"
        })
    };
    for _ in 0..100 {
        if found().await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(found().await, "its source tells nothing");
    supervisor.stop();
}

#[tokio::test]
async fn what_a_label_asks_wrongly_is_told_once_and_hides_nothing() {
    let fake = Fake::start();
    fake.set(|state| {
        state.containers = vec![
            asking("bad", &[ENABLED, CHECK, URL, ("password", "hunter2")]),
            asking("good", &[ENABLED, CHECK, URL, ("name", "wiki")]),
            asking("late", &[ENABLED, CHECK, URL, ("name", "wiki")]),
            asking("root", &[ENABLED, ("kind", "smart"), ("command", "/tmp/x")]),
            asking("unsure", &[("enable", "perhaps"), CHECK, URL]),
        ];
        state.containers[1]["Created"] = json!(1);
    });
    let mut docker = open(&fake.url());
    let told = poll(&mut docker).await;
    let refused = refusals(&told);
    for (id, words) in [
        ("bad", "secrets do not belong here"),
        ("late", "taken by container `good`"),
        ("root", "needs the configuration"),
        ("unsure", "neither true nor false"),
    ] {
        assert!(
            refused
                .iter()
                .any(|(who, why)| *who == id && why.contains(words)),
            "{id}: {refused:?}"
        );
    }
    assert_eq!(refused.len(), 4);
    assert!(!format!("{told:?}").contains("hunter2"));
    assert_eq!(names(&docker), ["wiki"]);
    assert_eq!(refusals(&poll(&mut docker).await), [], "once is enough");
    // another container goes, its name is free, and nothing is told twice
    fake.set(|state| drop(state.containers.remove(1)));
    let told = poll(&mut docker).await;
    assert_eq!(refusals(&told), []);
    assert_eq!(names(&docker), ["wiki"]);
}

#[tokio::test]
async fn replicas_get_a_source_each() {
    let replica = |number: &str| {
        let mut made = asking(&format!("media-web-{number}"), &[ENABLED, CHECK, URL]);
        made["Labels"]["com.docker.compose.project"] = json!("media");
        made["Labels"]["com.docker.compose.service"] = json!("web");
        made["Labels"]["com.docker.compose.container-number"] = json!(number);
        made
    };
    let fake = Fake::start();
    fake.set(|state| state.containers = vec![replica("1"), replica("2")]);
    let mut docker = open(&fake.url());
    poll(&mut docker).await;
    assert_eq!(
        names(&docker),
        ["here.docker.media-web-1", "here.docker.media-web-2"]
    );
}

#[tokio::test]
async fn discovery_can_be_switched_off() {
    let fake = Fake::start();
    fake.set(|state| state.containers = vec![asking("web", &[ENABLED, CHECK, URL])]);
    let params = serde_json::from_value(json!({"url": fake.url(), "discover": false}));
    let context = testing::context("here.docker");
    let mut docker = Docker::open(params.unwrap(), &context).unwrap();
    poll(&mut docker).await;
    assert!(names(&docker).is_empty());
}
