//! Real servers for tests: Apache Kafka, InfluxDB, PostgreSQL, Home Assistant, upsd, Prometheus and what it scrapes, a network
//! between them and us that can be broken, and Telegraf, which writes to us.
//!
//! They run natively, from what `scripts/build-servers` and `scripts/install-missing test` bring; with
//! `HOMELOG_SERVERS_FROM=containers` Kafka and InfluxDB run in containers of the Docker Engine that has their images.
//!
//! Each server has a directory of its own that goes with it, listens on 127.0.0.1 only, and ends when the process that
//! started it ends, however that ends.

mod container;
mod fault_proxy;
mod guarded;
mod home_assistant;
mod influxdb;
mod kafka;
mod kafka_program;
mod place;
mod postgres;
mod process;
mod prometheus;
mod scraped;
mod telegraf;
mod upsd;
mod wait;

pub use container::Container;
pub use fault_proxy::{Fault, FaultProxy, Traffic};
pub use guarded::Guarded;
pub use home_assistant::HomeAssistant;
pub use influxdb::Influxdb;
pub use kafka::{Kafka, KafkaOptions};
pub use place::{free_port, own_address, servers};
pub use postgres::Postgres;
pub use process::Process;
pub use prometheus::Prometheus;
pub use scraped::Scraped;
pub use telegraf::Telegraf;
pub use upsd::Upsd;

/// A name for a topic, bucket or database that no other test has.
pub fn unique(prefix: &str) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!(
        "{prefix}{}x{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}
