//! `homelog simulate`: the shape of what it prints, that its configuration is one, and that what shall go wrong does.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use homelog_tests::{
    lab::{Lab, binary},
    simulator::{Simulator, client},
};
use serde_json::Value;

#[test]
fn what_it_prints_is_what_a_config_needs() -> Result<()> {
    let simulator = Simulator::start(&[])?;
    let services = simulator.told["services"].as_array().context("services")?;
    ensure!(services.len() >= 11, "{services:?}");
    for service in services {
        let keys: Vec<_> = service.as_object().context("an object")?.keys().collect();
        ensure!(
            keys == ["kind", "password", "token", "url", "username"],
            "{keys:?}"
        );
    }
    let config = simulator.told["config"].as_str().context("config")?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("homelog.toml");
    std::fs::write(&file, config)?;
    let check = Command::new(binary()?)
        .arg("check")
        .arg("--config")
        .arg(&file)
        .output()?;
    ensure!(
        check.status.success(),
        "{config}\n{}",
        String::from_utf8_lossy(&check.stderr)
    );
    for kind in ["docker", "pihole", "prometheus", "proxmox"] {
        ensure!(config.contains(&format!("kind = \"{kind}\"")), "{config}");
    }
    ensure!(simulator.stop()?, "it did not stop cleanly");
    Ok(())
}

#[test]
fn a_check_of_its_config_shows_what_is_read_beside_the_polls_too() -> Result<()> {
    let simulator = Simulator::start(&[])?;
    let config = simulator.told["config"].as_str().context("config")?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("homelog.toml");
    std::fs::write(&file, config)?;
    let check = Command::new(binary()?)
        .args(["check", "--connect", "--config"])
        .arg(&file)
        .output()?;
    let told = String::from_utf8(check.stdout)?;
    println!("{told}");
    ensure!(
        check.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&check.stderr)
    );
    for (kind, things) in [
        ("synology", &["disk", "volume", "pool"] as &[&str]),
        ("qnap", &["qnap_disk", "qnap_volume"]),
        ("proxmox", &["proxmox_disk"]),
    ] {
        let line = told
            .lines()
            .find(|line| line.contains(&format!("({kind}): ok in ")))
            .with_context(|| format!("no {kind}: {told}"))?;
        for thing in things {
            ensure!(line.contains(&format!(" {thing}")), "no {thing}: {line}");
        }
        ensure!(!line.contains("not all"), "{line}");
    }
    ensure!(simulator.stop()?, "it did not stop cleanly");
    Ok(())
}

#[test]
fn a_nas_that_wants_a_second_factor_is_told_a_code_once() -> Result<()> {
    let simulator = Simulator::start(&[])?;
    let nas = simulator.services("synology");
    let nas = nas.first().context("no synology")?;
    let text = |key: &str| nas[key].as_str().unwrap_or_default();
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("homelog.toml");
    let check = |more: &str, args: &[&str]| -> Result<(bool, String)> {
        let config = format!(
            "[[source]]\nname = \"nas\"\nkind = \"synology\"\nurl = \"{}\"\nusername = \"otp\"\npassword = \"{}\"\n{more}\n",
            text("url"),
            text("password")
        );
        std::fs::write(&file, config)?;
        let output = Command::new(binary()?)
            .args(["check", "--connect", "--source", "nas"])
            .args(args)
            .arg("--config")
            .arg(&file)
            .output()?;
        let told = String::from_utf8(output.stdout)?;
        Ok((output.status.success(), told))
    };
    let (is_read, told) = check("", &[])?;
    ensure!(!is_read && told.contains("second factor"), "{told}");
    let (is_read, told) = check("", &["--code", "000000"])?;
    ensure!(
        !is_read && told.contains("does not accept this code"),
        "{told}"
    );
    let (is_read, told) = check("", &["--code", "123456"])?;
    ensure!(is_read, "{told}");
    let line = told
        .lines()
        .find(|line| line.trim().starts_with("device_token = "))
        .with_context(|| format!("no token: {told}"))?;
    let (is_read, told) = check(line, &[])?;
    ensure!(is_read && !told.contains("device_token"), "{told}");
    ensure!(simulator.stop()?, "it did not stop cleanly");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_source_of_its_config_is_up() -> Result<()> {
    let simulator = Simulator::start(&[])?;
    let config = simulator.told["config"].as_str().context("config")?;
    let sources = config.matches("[[source]]").count();
    let mut lab = Lab::start(config).await?;
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        let told = lab.json("/api/v1/entities?type=source").await?;
        let entities = told["entities"].as_array().context("entities")?;
        let up = |entity: &&Value| entity["fields"]["up"]["value"] == true;
        if entities.iter().filter(up).count() >= sources {
            break;
        }
        ensure!(
            Instant::now() < end,
            "of {sources} sources these were told: {told:#}"
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    ensure!(lab.stop().await?.success());
    Ok(())
}

#[test]
fn the_same_seed_is_the_same_home() -> Result<()> {
    let secrets = |seed| -> Result<Vec<String>> {
        let simulator = Simulator::start(&["--seed", seed])?;
        let services = simulator.told["services"].as_array().context("services")?;
        Ok(services
            .iter()
            .map(|service| {
                format!(
                    "{}{}{}",
                    service["kind"], service["password"], service["token"]
                )
            })
            .collect())
    };
    let first = secrets("3")?;
    ensure!(first == secrets("3")? && first != secrets("4")?);
    Ok(())
}

#[test]
fn a_fault_that_is_none_is_refused() -> Result<()> {
    for bad in ["fast=1", "slow=2", "slow"] {
        let output = Command::new(binary()?)
            .args(["simulate", "--fault", bad])
            .output()?;
        ensure!(output.status.code() == Some(64), "{bad}: {output:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_shall_go_wrong_does_and_then_all_is_well() -> Result<()> {
    let simulator = Simulator::start(&[])?;
    let url = simulator.url("docker")?.replace("tcp://", "http://");
    let ask = async || {
        client()?
            .get(format!("{url}/info"))
            .send()
            .await
            .map_err(anyhow::Error::from)
    };

    simulator.fault(&url, "server_error", 1).await?;
    ensure!(ask().await?.status() == 500);
    simulator.fault(&url, "rate_limit", 1).await?;
    let limited = ask().await?;
    ensure!(limited.status() == 429 && limited.headers().contains_key("retry-after"));
    simulator.fault(&url, "blocked_account", 1).await?;
    ensure!(ask().await?.status() == 403);
    simulator.fault(&url, "garbage", 1).await?;
    let garbage = ask().await?.bytes().await?;
    ensure!(serde_json::from_slice::<Value>(&garbage).is_err());
    simulator.fault(&url, "half_answer", 1).await?;
    ensure!(
        ask().await?.bytes().await.is_err(),
        "half an answer passed for a whole one"
    );
    simulator.fault(&url, "slow", 1).await?;
    let started = Instant::now();
    ensure!(ask().await?.status() == 200 && started.elapsed().as_millis() >= 2000);
    simulator.fault(&url, "timeout", 1).await?;
    ensure!(
        ask()
            .await
            .is_err_and(|e| format!("{e:#}").contains("error sending request"))
    );

    let answer = ask().await?;
    ensure!(answer.status() == 200 && answer.headers()["api-version"] == "1.47");
    Ok(())
}

#[tokio::test]
async fn a_session_ends_and_a_certificate_is_somebody_elses() -> Result<()> {
    let simulator = Simulator::start(&[])?;
    let pihole = simulator.services("pihole");
    let (url, password) = pihole
        .iter()
        .find(|service| service["token"].is_null())
        .and_then(|service| Some((service["url"].as_str()?, service["password"].as_str()?)))
        .context("no Pi-hole 6")?;
    let login = client()?
        .post(format!("{url}/api/auth"))
        .json(&serde_json::json!({"password": password}))
        .send()
        .await?;
    let login: Value = login.json().await?;
    let sid = login["session"]["sid"].as_str().context("no session")?;
    let summary = async || {
        let request = client()?
            .get(format!("{url}/api/stats/summary"))
            .header("x-ftl-sid", sid);
        Ok::<_, anyhow::Error>(request.send().await?.status())
    };
    ensure!(summary().await? == 200);
    simulator.fault(url, "expired_session", 1).await?;
    ensure!(summary().await? == 401);

    let proxmox = simulator.url("proxmox")?;
    let fingerprint = async || {
        let script = format!(
            "openssl s_client -connect {} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256",
            proxmox.replace("https://", "")
        );
        let output = tokio::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .await?;
        Ok::<_, anyhow::Error>(String::from_utf8(output.stdout)?)
    };
    let right = fingerprint().await?;
    let config = simulator.told["config"].as_str().context("config")?;
    let shown = right.trim().rsplit('=').next().context("a fingerprint")?;
    let shown = shown.replace(':', "").to_lowercase();
    ensure!(
        shown.len() == 64 && config.contains(&format!("sha256:{shown}")),
        "{right} is not in {config}"
    );
    simulator.fault(&proxmox, "wrong_certificate", 1).await?;
    ensure!(fingerprint().await? != right);
    ensure!(fingerprint().await? == right);
    Ok(())
}
