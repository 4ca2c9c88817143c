//! What is wrong with a server, or with what the configuration says of it, is one clear line with the fix.

use std::time::Duration;

use test_servers::{Influxdb, free_port, unique};

use crate::{
    lab::{run, steady},
    process::Process,
    servers::{Home, PATIENCE, servers},
};

fn steady_ports(text: &str) -> String {
    let servers = servers();
    let mut text = text.replace(&servers.kafka.brokers(), "BROKERS");
    for (port, name) in [
        (servers.influxdb.port(), "INFLUXDB"),
        (servers.postgres.port(), "POSTGRES"),
    ] {
        text = text.replace(&port.to_string(), name);
    }
    text
}

#[tokio::test]
async fn a_mistake_about_a_server_ends_the_start_with_one_line() {
    let home = Home::new(1);
    let good = home.config("");
    let secret = unique("no-such-token");
    let mut told = Vec::new();
    for (what, config) in [
        ("wrong token", good.replace(Influxdb::TOKEN, &secret)),
        (
            "wrong organisation",
            good.replace(
                &format!("org = \"{}\"", Influxdb::ORG),
                "org = \"elsewhere\"",
            ),
        ),
        (
            "wrong database",
            good.replace(
                &servers().postgres.url(&home.name),
                &servers().postgres.url("nowhere"),
            ),
        ),
        (
            "not an InfluxDB",
            good.replace(
                &servers().influxdb.url(),
                &format!("{}/nowhere", servers().influxdb.url()),
            ),
        ),
    ] {
        let listen = format!("127.0.0.1:{}", free_port().unwrap());
        let mut api = Process::start(&config, "api", &["--listen", &listen]);
        let status = api.ended(PATIENCE).await;
        assert_eq!(status.code(), Some(1), "{what}: {}", api.stderr());
        let stderr = api.stderr();
        assert!(!stderr.contains(&secret), "{stderr}");
        let last = stderr.lines().last().unwrap_or_default();
        told.push(format!(
            "{what}\n{}",
            steady_ports(last).replace(&home.name, "NAME")
        ));
    }
    insta::assert_snapshot!(told.join("\n\n"));
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_waited_for() {
    let home = Home::new(1);
    let port = free_port().unwrap();
    let config = home
        .config("")
        .replace(&servers().kafka.brokers(), &format!("127.0.0.1:{port}"));
    let mut ingest = Process::start(&config, "ingest", &[]);
    ingest
        .told("waiting for the event log:", Duration::from_secs(30))
        .await;
    let stderr = ingest.stderr();
    let line = stderr
        .lines()
        .find(|line| line.contains("waiting for"))
        .unwrap_or_default();
    assert!(
        line.contains(&format!("127.0.0.1:{port}")) && line.contains("brokers"),
        "{line}"
    );
    ingest.signal(rustix::process::Signal::TERM);
    let status = ingest.ended(Duration::from_secs(15)).await;
    assert!(status.success(), "{}", ingest.stderr());
    // a command does not wait
    let file = ingest.config();
    let (code, _, stderr) = run(["topics", "--config", &file.display().to_string()]);
    assert_eq!(code, 1);
    let stderr = steady(&stderr, &[(&file, "homelog.toml")]);
    assert!(stderr.contains("no kafka broker answers at"), "{stderr}");
}
