use std::{path::Path, process::Command, sync::Arc};

use anyhow::{Context, Result, ensure};

use crate::{
    container::Container,
    place::{from_container, server},
    process::Program,
};

const IMAGE: &str = "apache/kafka:4.1.0";
const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qg";
const HEAP: &str = "-Xmx384m";

/// One broker of a cluster; ports are those of all brokers.
pub(crate) struct Broker<'a> {
    pub(crate) id: usize,
    /// For clients.
    pub(crate) ports: &'a [u16],
    /// For the other brokers, so that a fault between clients and brokers is none between brokers.
    pub(crate) internal: &'a [u16],
    /// What clients are told.
    pub(crate) advertised: &'a [u16],
    pub(crate) controllers: &'a [u16],
    pub(crate) more: &'a [String],
}

impl Broker<'_> {
    fn properties(&self, data: &str) -> Result<Vec<(String, String)>> {
        let port = |of: &[u16]| of.get(self.id).copied().context("no such broker");
        let voters: Vec<String> = self
            .controllers
            .iter()
            .enumerate()
            .map(|(id, port)| format!("{id}@127.0.0.1:{port}"))
            .collect();
        let replicas = self.ports.len().min(3).to_string();
        let both = self.ports.len().min(2).to_string();
        let listeners = format!(
            "CLIENT://127.0.0.1:{},BROKER://127.0.0.1:{},CONTROLLER://127.0.0.1:{}",
            port(self.ports)?,
            port(self.internal)?,
            port(self.controllers)?
        );
        let advertised = format!(
            "CLIENT://127.0.0.1:{},BROKER://127.0.0.1:{}",
            port(self.advertised)?,
            port(self.internal)?
        );
        let mut all: Vec<(String, String)> = [
            ("process.roles", "broker,controller"),
            ("node.id", &self.id.to_string()),
            ("controller.quorum.voters", &voters.join(",")),
            ("listeners", &listeners),
            ("advertised.listeners", &advertised),
            (
                "listener.security.protocol.map",
                "CLIENT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
            ),
            ("controller.listener.names", "CONTROLLER"),
            ("inter.broker.listener.name", "BROKER"),
            ("log.dirs", data),
            ("num.partitions", "1"),
            ("auto.create.topics.enable", "false"),
            ("default.replication.factor", &replicas),
            ("offsets.topic.num.partitions", "4"),
            ("offsets.topic.replication.factor", &replicas),
            ("transaction.state.log.replication.factor", &replicas),
            ("transaction.state.log.min.isr", &both),
            ("group.initial.rebalance.delay.ms", "0"),
            ("group.min.session.timeout.ms", "1000"),
            // one that was killed comes back when it is known to be gone
            ("broker.session.timeout.ms", "4000"),
            ("broker.heartbeat.interval.ms", "500"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        for line in self.more {
            let (key, value) = line
                .split_once('=')
                .with_context(|| format!("`{line}` is not `key=value`"))?;
            all.retain(|(known, _)| known != key);
            all.push((key.to_owned(), value.to_owned()));
        }
        Ok(all)
    }
}

/// Makes a broker with an empty disk.
pub(crate) fn make(broker: &Broker<'_>, directory: &Path) -> Result<Program> {
    if from_container(IMAGE)? {
        return in_container(broker);
    }
    let libs = server("kafka-4.1.0")?.join("libs");
    let classpath = format!("{}/*", libs.display());
    let data = directory.join(format!("data-{}", broker.id));
    let file = directory
        .join(format!("server-{}.properties", broker.id))
        .display()
        .to_string();
    let text: Vec<String> = broker
        .properties(&data.display().to_string())?
        .iter()
        .map(|(key, value)| format!("{key}={value}\n"))
        .collect();
    std::fs::write(&file, text.concat())?;
    let done = Command::new("java")
        .args(["-cp", &classpath, "kafka.tools.StorageTool", "format"])
        .args(["-t", CLUSTER, "-c", &file])
        .output()
        .context("java is missing: scripts/install-missing test")?;
    ensure!(
        done.status.success(),
        "kafka cannot format its storage: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    let command = [
        "java",
        HEAP,
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        &classpath,
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        // tells that it serves
        "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
        "kafka.Kafka",
        &file,
    ]
    .map(str::to_owned);
    Ok(Program::Native {
        command: command.into(),
        log: directory.join(format!("broker-{}.log", broker.id)),
    })
}

/// The official image takes `a.b` from `KAFKA_A_B`.
fn in_container(broker: &Broker<'_>) -> Result<Program> {
    let mut environment: Vec<(String, String)> = broker
        .properties("/tmp/kafka-data")?
        .into_iter()
        .map(|(key, value)| {
            (
                format!("KAFKA_{}", key.to_uppercase().replace('.', "_")),
                value,
            )
        })
        .collect();
    environment.push(("CLUSTER_ID".to_owned(), CLUSTER.to_owned()));
    environment.push(("KAFKA_HEAP_OPTS".to_owned(), HEAP.to_owned()));
    Ok(Program::Container(Arc::new(Container::create(
        IMAGE,
        &environment,
    )?)))
}
