use std::path::Path;

use anyhow::Result;
use homelog_tests::role::Role;
use test_servers::Influxdb;

use crate::lab::{BUCKET, Lab};

/// An ingest worker: `homelog ingest` in a process of its own.
pub(crate) fn worker(lab: &Lab, place: &Path, number: usize) -> Result<Role> {
    let name = format!("worker-{number}");
    let directory = place.join(&name);
    std::fs::create_dir(&directory)?;
    let config = format!(
        "[log]\nkind = \"kafka\"\nbrokers = \"{}\"\npartitions = {}\nreplication = {}\n\
         [store]\nkind = \"influxdb\"\nurl = \"http://127.0.0.1:{}\"\norg = \"{}\"\nbucket = \"{BUCKET}\"\n\
         token = \"{}\"\n",
        lab.kafka.brokers(),
        lab.setting.partitions,
        lab.setting.brokers,
        lab.to_store.port(),
        Influxdb::ORG,
        Influxdb::TOKEN,
    );
    Role::homelog(&name, "ingest", &config, &[], &directory)
}
