//! Starts each server, tells where it is and how long that took; with `hold` goes on until it is killed.

use std::time::Instant;

use test_servers::{Influxdb, Kafka, KafkaOptions, Postgres};

fn main() -> anyhow::Result<()> {
    let start = Instant::now();
    let influxdb = Influxdb::start()?;
    println!("influxdb {} {:?}", influxdb.url(), start.elapsed());
    let start = Instant::now();
    let postgres = Postgres::start()?;
    postgres.create_database("probe")?;
    println!("postgres {} {:?}", postgres.url("probe"), start.elapsed());
    let start = Instant::now();
    let kafka = Kafka::start(&KafkaOptions {
        brokers: 3,
        ..KafkaOptions::default()
    })?;
    println!("kafka {} {:?}", kafka.brokers(), start.elapsed());
    if std::env::args().any(|word| word == "hold") {
        loop {
            std::thread::park();
        }
    }
    Ok(())
}
