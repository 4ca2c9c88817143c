//! A real Prometheus, a real `node_exporter` and a program with Prometheus' client library behind the real binary. What is told
//! of them is held against what that Prometheus scraped from them, series by series, and over a restart of `node_exporter`.

#![expect(
    clippy::indexing_slicing,
    reason = "an index into a JSON value that is not there is null"
)]

mod instrumented;
mod restart;
mod series;
mod told;

use std::{
    net::Ipv4Addr,
    process::{Command, Output},
};

use anyhow::{Context, Result, ensure};
use homelog_tests::lab::{Lab, binary};
use test_servers::{Prometheus, Scraped, own_address};

use crate::series::{compare, until_scraped};

fn homelog(arguments: &[&str]) -> Result<String> {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(binary()?).args(arguments).output()?;
    let told = String::from_utf8(stdout)?;
    let words = String::from_utf8_lossy(&stderr);
    ensure!(status.success(), "{arguments:?}: {status}\n{told}{words}");
    Ok(told)
}

/// Both are found where they usually listen, and what is printed is a config with which both can be read.
fn found_by_their_ports(address: Ipv4Addr) -> Result<()> {
    let config = homelog(&["discover", &address.to_string()])?;
    for (kind, port) in [
        ("node_exporter", Scraped::NODE_EXPORTER),
        ("Prometheus", Prometheus::PORT),
    ] {
        let at = format!("# {kind} at http://{address}:{port}/metrics\n");
        ensure!(config.contains(&at), "{config}");
    }
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("homelog.toml");
    std::fs::write(&file, &config)?;
    let file = file.to_str().context("a path")?;
    let read = homelog(&["check", "--config", file, "--connect"])?;
    println!("{}", read.trim_end());
    for label in ["node_exporter", "prometheus"] {
        let line = read
            .lines()
            .find(|line| line.contains(&format!("{label} (prometheus): ok in ")));
        let line = line.with_context(|| format!("nothing of {label}: {read}"))?;
        ensure!(line.contains(", 1 prometheus_target"), "{line}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_scraped_is_what_prometheus_scrapes() -> Result<()> {
    let address = own_address();
    let mut node = Scraped::node_exporter(address)?;
    let program = Scraped::instrumented(address)?;
    let jobs = [
        ("node", Scraped::NODE_EXPORTER),
        ("program", Scraped::INSTRUMENTED),
    ];
    let prometheus = Prometheus::start(address, &jobs)?;
    tokio::task::spawn_blocking(move || found_by_their_ports(address)).await??;

    let source = |name: &str, url: &str| {
        format!(
            "[[source]]\nname = \"{name}\"\nkind = \"prometheus\"\nurl = \"{url}\"\ninterval = \"2s\"\n\
             exclude = [\"python_*\"]\nbuckets = true\nmax_series = 10000\n"
        )
    };
    let config = [
        source("node", &node.url()),
        source("program", &program.url()),
        // without a path it is asked for /metrics
        source(Prometheus::ITSELF, &prometheus.url()),
    ];
    let mut lab = Lab::start(&config.concat()).await?;
    until_scraped(&prometheus, config.len()).await?;
    for (job, least) in [("node", 200), (Prometheus::ITSELF, 200)] {
        let compared = compare(&lab, &prometheus, job, least).await;
        compared.with_context(|| prometheus.last_words())?;
    }
    instrumented::is_told_as_it_was_written(&lab, &prometheus).await?;
    restart::is_seen(&lab, &prometheus, &mut node).await?;
    ensure!(lab.stop().await?.success());
    Ok(())
}
