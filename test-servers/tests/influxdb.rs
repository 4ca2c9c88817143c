//! What the InfluxDB of the tests acknowledged is there after it was killed.

use std::process::Command;

use anyhow::{Result, ensure};
use test_servers::Influxdb;

fn ask(influxdb: &Influxdb, path: &str, body: &[&str]) -> Result<String> {
    let token = format!("Authorization: Token {}", Influxdb::TOKEN);
    let told = Command::new("curl")
        .args(["-sS", "-f", "-H", &token])
        .args(body)
        .arg(format!("{}{path}", influxdb.url()))
        .output()?;
    ensure!(
        told.status.success(),
        "{path}: {}",
        String::from_utf8_lossy(&told.stderr)
    );
    Ok(String::from_utf8(told.stdout)?)
}

#[test]
fn points_survive_a_kill_and_a_restart() -> Result<()> {
    let mut influxdb = Influxdb::start()?;
    ask(
        &influxdb,
        "/api/v2/write?org=homelab&bucket=unused",
        &["--data-binary", "probe value=42"],
    )?;
    influxdb.kill()?;
    ensure!(ask(&influxdb, "/health", &[]).is_err(), "it still answers");
    influxdb.restart()?;
    let answer = ask(
        &influxdb,
        "/query?db=unused&q=SELECT%20value%20FROM%20probe",
        &[],
    )?;
    ensure!(answer.contains(",42]"), "{answer}");
    Ok(())
}
