//! Clients that people use read the mock services as they read the real ones, and what they read is what the services say.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use homelog_tests::{simulator::Simulator, workspace};
use serde_json::Value;

/// The clients, and how many agreements are the least that each of them has to find.
const LEAST: &[(&str, usize, u64)] = &[
    ("py-synologydsm-api", 2, 100),
    ("qnapstats", 1, 100),
    ("proxmoxer", 1, 2000),
    ("hole (v5)", 1, 20),
    ("hole (v6)", 1, 80),
    ("docker", 1, 400),
    ("websockets", 1, 100),
];

/// Every client reads everything that it can, and a table is printed of what agreed and of the fields that no client reads.
#[test]
fn real_clients_read_the_mock_services() -> Result<()> {
    let found = Command::new(workspace().join("scripts/real-clients")).output()?;
    ensure!(
        found.status.success(),
        "the clients are not there: {}",
        String::from_utf8_lossy(&found.stderr)
    );
    let python = String::from_utf8(found.stdout)?;

    let simulator = Simulator::start(&["--seed", "7"])?;
    let mut driver = Command::new(python.trim())
        .arg("-B")
        .arg(workspace().join("tests/fixtures/clients/run.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = driver.stdin.take().context("no stdin")?;
    input.write_all(simulator.told.to_string().as_bytes())?;
    drop(input);
    let output = driver.wait_with_output()?;
    ensure!(output.status.success(), "the clients failed; see above");
    let told: Value = serde_json::from_slice(&output.stdout)?;

    let comparisons = told["comparisons"].as_array().context("no comparisons")?;
    let mut wrong = Vec::new();
    println!("{:20} {:>8}  {}", "client", "agreed", "service");
    for one in comparisons {
        let client = one["client"].as_str().unwrap_or("?");
        println!("{client:20} {:>8}  {}", one["agreed"], one["service"]);
        for difference in one["wrong"].as_array().into_iter().flatten() {
            wrong.push(format!("{client}: {difference}"));
        }
    }
    println!("\nfields that no client reads:");
    for one in comparisons {
        let fields = one["uncovered"].as_array().into_iter().flatten();
        let fields: Vec<_> = fields.filter_map(Value::as_str).collect();
        println!("{} ({}): {}", one["client"], fields.len(), fields.join(" "));
    }
    println!("kinds without a client: {}", told["without_client"]);

    ensure!(wrong.is_empty(), "{wrong:#?}");
    for (client, times, least) in LEAST {
        let mine: Vec<_> = comparisons
            .iter()
            .filter(|c| c["client"] == *client)
            .collect();
        ensure!(
            mine.len() == *times,
            "{client} read {} services",
            mine.len()
        );
        for one in mine {
            let agreed = one["agreed"].as_u64().unwrap_or(0);
            ensure!(agreed >= *least, "{client} compared only {agreed} values");
        }
    }
    ensure!(simulator.stop()?, "the simulator did not stop cleanly");
    Ok(())
}
