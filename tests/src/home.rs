//! A home that outgrew one process: Kafka, InfluxDB and PostgreSQL, and any roles of the real binary.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use tempfile::TempDir;
use test_servers::{Influxdb, Kafka, KafkaOptions, Postgres, free_port, unique};

use crate::{client::Client, lab::PASSWORD, role::Role};

/// The servers that all homes of a test process share.
#[derive(Debug)]
pub struct Servers {
    /// One broker.
    pub kafka: Kafka,
    /// The store.
    pub influxdb: Influxdb,
    /// Users and tokens.
    pub postgres: Postgres,
}

impl Servers {
    /// Those of this process.
    ///
    /// # Errors
    /// One does not start.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<Servers, String>> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::start().map_err(|e| format!("{e:#}")))
            .as_ref()
            .map_err(|e| anyhow!("{e}"))
    }

    fn start() -> Result<Self> {
        std::thread::scope(|scope| {
            let kafka = scope.spawn(|| Kafka::start(&KafkaOptions::default()));
            let influxdb = scope.spawn(Influxdb::start);
            let postgres = Postgres::start()?;
            let gone = |_| anyhow!("the start of a server panicked");
            Ok(Self {
                kafka: kafka.join().map_err(gone)??,
                influxdb: influxdb.join().map_err(gone)??,
                postgres,
            })
        })
    }
}

/// Topics, buckets and a database of its own, and where its processes have their files.
#[derive(Debug)]
pub struct Home {
    servers: &'static Servers,
    name: String,
    partitions: usize,
    directory: TempDir,
}

/// How long a role may take to start on a busy machine.
pub const START: Duration = Duration::from_mins(1);

impl Home {
    /// An empty one.
    ///
    /// # Errors
    /// A server does not start.
    pub fn new(partitions: usize) -> Result<Self> {
        let servers = Servers::shared()?;
        let name = unique("home");
        servers.postgres.create_database(&name)?;
        Ok(Self {
            servers,
            name,
            partitions,
            directory: tempfile::Builder::new().prefix("hl-home-").tempdir()?,
        })
    }

    /// The config of a role: the servers, and what the role needs more.
    pub fn config(&self, more: &str) -> String {
        let Servers {
            kafka,
            influxdb,
            postgres,
        } = self.servers;
        format!(
            "[log]\nkind = \"kafka\"\nbrokers = \"{}\"\ntopics = \"{name}\"\npartitions = {}\n\
             [store]\nkind = \"influxdb\"\nurl = \"{}\"\norg = \"{}\"\nbucket = \"{name}\"\ntoken = \"{}\"\n\
             [control]\nkind = \"postgres\"\nurl = \"{}\"\n{more}",
            kafka.brokers(),
            self.partitions,
            influxdb.url(),
            Influxdb::ORG,
            Influxdb::TOKEN,
            postgres.url(&self.name),
            name = self.name,
        )
    }

    /// A directory for a process.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn place(&self, name: &str) -> Result<PathBuf> {
        let place = self.directory.path().join(name);
        std::fs::create_dir_all(&place)?;
        Ok(place)
    }

    /// Starts an ingest worker.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn ingest(&self, name: &str) -> Result<Role> {
        let mut role = Role::homelog(name, "ingest", &self.config(""), &[], &self.place(name)?)?;
        role.start()?;
        Ok(role)
    }

    /// Starts an agent with these sources.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn collect(&self, name: &str, sources: &str) -> Result<Role> {
        let place = self.place(name)?;
        let data = place.join("data").display().to_string();
        let more = format!("[collect]\nagent = \"{name}\"\n{sources}");
        let mut role = Role::homelog(
            name,
            "collect",
            &self.config(&more),
            &["--data", &data],
            &place,
        )?;
        role.start()?;
        Ok(role)
    }

    /// Starts an API on a port of its own and returns its address.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn api(&self, name: &str) -> Result<(Role, String)> {
        let listen = format!("127.0.0.1:{}", free_port()?);
        let mut role = Role::homelog(
            name,
            "api",
            &self.config(""),
            &["--listen", &listen],
            &self.place(name)?,
        )?
        .with_env("HOMELOG_ADMIN_PASSWORD", PASSWORD);
        role.start()?;
        Ok((role, format!("http://{listen}")))
    }

    /// Waits for an API and logs in there.
    ///
    /// # Errors
    /// It ended, is not ready in time or refuses us.
    pub async fn log_in(&self, role: &mut Role, url: &str) -> Result<Client> {
        let client = Client::log_in(url, START).await;
        role.lives()?;
        client.with_context(|| role.last_words())
    }

    /// Where its processes have their files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Points of an entity type that InfluxDB has, asked without our own store.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn points(&self, entity_type: &str, field: &str) -> Result<u64> {
        let answer: serde_json::Value = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .build()?
            .get(format!("{}/query", self.servers.influxdb.url()))
            .query(&[
                ("db", self.name.as_str()),
                ("q", &format!("SELECT count({field}) FROM {entity_type}")),
            ])
            .header("authorization", format!("Token {}", Influxdb::TOKEN))
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        Ok(answer
            .pointer("/results/0/series/0/values/0/1")
            .and_then(serde_json::Value::as_u64)
            .unwrap_or(0))
    }
}
