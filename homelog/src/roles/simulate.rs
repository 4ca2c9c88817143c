//! `homelog simulate`: mock services, and the configuration that reads them.

use std::{io::Write, time::Duration};

use anyhow::Context;
use collector::integrations;
use serde_json::{Value, json};
use simulators::{Described, Options, local_offset_seconds};

use super::run::{self, Grace, Open};
use crate::{cli::SimulateArgs, outcome::Failure};

const GRACE: Grace = Grace {
    tasks: Duration::from_secs(5),
    closing: Duration::from_secs(1),
};

pub(crate) fn run(args: &SimulateArgs) -> Result<(), Failure> {
    let options = Options {
        listen: args.listen,
        base_port: args.base_port,
        seed: args.seed,
        offset_seconds: local_offset_seconds(),
        faults: args.fault.clone(),
    };
    let as_json = args.json;
    run::run(GRACE, |supervisor| async move {
        let services = simulators::start(&options, &supervisor).await?;
        let text = if as_json {
            format!("{}\n", told(&services))
        } else {
            format!("{}\n{}", table(&services), config(&services))
        };
        let mut out = std::io::stdout();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .context("stdout cannot be written to")?;
        Ok(Open::default())
    })
}

fn told(services: &[Described]) -> Value {
    let described: Vec<_> = services.iter().map(Described::to_json).collect();
    json!({"services": described, "config": config(services)})
}

/// A configuration with a source for each service that this Homelog reads.
fn config(services: &[Described]) -> String {
    let sources: Vec<_> = services
        .iter()
        .filter(|service| integrations::find(service.kind).is_some())
        .map(Described::to_toml)
        .collect();
    format!(
        "# The services of `homelog simulate`. Save this as homelog.toml and run: homelog up --config homelog.toml\n\n{}",
        sources.join("\n")
    )
}

fn table(services: &[Described]) -> String {
    let rows: Vec<_> = services
        .iter()
        .map(|service| {
            let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            [
                service.name.clone(),
                service.kind.to_owned(),
                service.url.clone(),
                known(&service.username),
                known(&service.password),
                known(&service.token),
            ]
        })
        .collect();
    let titles = ["NAME", "KIND", "URL", "USER", "PASSWORD", "TOKEN"].map(ToOwned::to_owned);
    let all: Vec<_> = std::iter::once(titles).chain(rows).collect();
    let mut text = String::new();
    for row in &all {
        let cells: Vec<_> = row
            .iter()
            .enumerate()
            .map(|(column, cell)| {
                let widths = all.iter().filter_map(|row| row.get(column));
                let width = widths.map(String::len).max().unwrap_or(0);
                format!("{cell:width$}")
            })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
