use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    free_port,
    place::{server, servers},
    process::{Process, Program},
};

const HOME: &str = "homeassistant-2024.3.3";
const PATIENCE: Duration = Duration::from_mins(2);
/// What it may take to write down what it knows.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// A Home Assistant with an administrator, a number to set (`input_number.power`) and a sensor that follows it (`sensor.power`).
#[derive(Debug)]
pub struct HomeAssistant {
    // before what it runs from: it goes first
    process: Option<Process>,
    program: Program,
    port: u16,
    token: String,
    _directory: TempDir,
}

impl HomeAssistant {
    /// Whether this machine can have one: it is there, or the Python that it wants is.
    ///
    /// # Errors
    /// It is not known where servers are.
    pub fn is_possible() -> Result<bool> {
        let version = Command::new("python3")
            .args(["-c", "import sys; print(*sys.version_info[:2])"])
            .output();
        let fits = version.is_ok_and(|version| {
            matches!(
                String::from_utf8_lossy(&version.stdout).trim(),
                "3 11" | "3 12"
            )
        });
        Ok(fits || servers()?.join(HOME).exists())
    }

    /// Starts one and sets it up.
    ///
    /// # Errors
    /// It is not there or does not start.
    pub fn start() -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("hl-home-assistant-")
            .tempdir()?;
        let port = free_port()?;
        std::fs::write(
            directory.path().join("configuration.yaml"),
            configuration(port),
        )?;
        let mut home = Self {
            process: None,
            program: program(directory.path())?,
            port,
            token: String::new(),
            _directory: directory,
        };
        home.restart()?;
        home.token = home.set_up()?;
        Ok(home)
    }

    /// Makes the administrator as its first page does.
    fn set_up(&self) -> Result<String> {
        let client_id = format!("{}/", self.url());
        let owner = json!({
            "client_id": client_id, "name": "Owner", "username": "owner", "password": "a long enough pass phrase",
            "language": "en",
        });
        let made = self.post("/api/onboarding/users", &owner)?;
        let code = made
            .get("auth_code")
            .and_then(Value::as_str)
            .context("auth_code")?;
        let answer = curl(&[
            "-d",
            "grant_type=authorization_code",
            "--data-urlencode",
            &format!("code={code}"),
            "--data-urlencode",
            &format!("client_id={client_id}"),
            &format!("{}/auth/token", self.url()),
        ])?;
        let token = answer.get("access_token").and_then(Value::as_str);
        Ok(token.context("access_token")?.to_owned())
    }

    /// Starts it again after it was stopped, on the same data, and waits until it answers.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart(&mut self) -> Result<()> {
        let mut process = self.program.start()?;
        let url = format!("{}/api/onboarding", self.url());
        process.wait_until("it answers", PATIENCE, |_| {
            Command::new("curl")
                .args(["-s", "-f", "-m", "2", "-o", "/dev/null", &url])
                .status()
                .is_ok_and(|status| status.success())
        })?;
        self.process = Some(process);
        Ok(())
    }

    /// Stops it in peace: it writes down what it knows.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(process) => process.stop(LAST_WORDS),
            None => Ok(()),
        }
    }

    /// Sets the state of an entity, which appears where it was not there.
    ///
    /// # Errors
    /// It is refused.
    pub fn set_state(&self, entity: &str, state: &str, attributes: &Value) -> Result<()> {
        let body = json!({"state": state, "attributes": attributes});
        self.post(&format!("/api/states/{entity}"), &body).map(drop)
    }

    /// Sets `input_number.power`, in watts.
    ///
    /// # Errors
    /// It is refused.
    pub fn set_power(&self, watts: f64) -> Result<()> {
        let body = json!({"entity_id": "input_number.power", "value": watts});
        self.post("/api/services/input_number/set_value", &body)
            .map(drop)
    }

    /// All states, as it tells them now.
    ///
    /// # Errors
    /// It does not answer.
    pub fn states(&self) -> Result<Vec<Value>> {
        match curl(&[
            "-H",
            &self.authorization(),
            &format!("{}/api/states", self.url()),
        ])? {
            Value::Array(states) => Ok(states),
            other => anyhow::bail!("no list of states: {other}"),
        }
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        curl(&[
            "-H",
            &self.authorization(),
            "-H",
            "content-type: application/json",
            "-d",
            &body.to_string(),
            &format!("{}{path}", self.url()),
        ])
    }

    fn authorization(&self) -> String {
        format!("authorization: Bearer {}", self.token)
    }

    /// A token of the administrator, good for half an hour.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The end of what it printed.
    pub fn last_words(&self) -> String {
        self.process
            .as_ref()
            .map_or_else(String::new, Process::last_words)
    }
}

fn curl(arguments: &[&str]) -> Result<Value> {
    let done = Command::new("curl")
        .args(["-sS", "--fail-with-body", "-m", "10"])
        .args(arguments)
        .output()
        .context("curl is missing: scripts/install-missing test")?;
    let said = String::from_utf8_lossy(&done.stdout);
    ensure!(
        done.status.success(),
        "Home Assistant refuses: {said} {}",
        String::from_utf8_lossy(&done.stderr)
    );
    serde_json::from_str(&said).with_context(|| format!("no JSON: {said}"))
}

/// Little but what the tests look at, and nothing that asks the network.
fn configuration(port: u16) -> String {
    format!(
        r#"homeassistant:
  name: Homelab
  unit_system: metric
  time_zone: UTC
  latitude: 52.1
  longitude: 4.9
http:
  server_host: 127.0.0.1
  server_port: {port}
frontend:
input_number:
  power:
    name: Power that is set
    min: 0
    max: 100000
    step: 0.5
    unit_of_measurement: kW
input_boolean:
  guests:
    name: Guests
template:
  - sensor:
      - name: Power
        unique_id: power
        unit_of_measurement: kW
        device_class: power
        state_class: measurement
        state: "{{{{ states('input_number.power') }}}}"
        availability: "{{{{ is_number(states('input_number.power')) }}}}"
"#
    )
}

fn program(directory: &Path) -> Result<Program> {
    let command = [
        server(HOME)?.join("bin/python").display().to_string(),
        "-m".to_owned(),
        "homeassistant".to_owned(),
        "--config".to_owned(),
        directory.display().to_string(),
        "--skip-pip".to_owned(),
    ];
    Ok(Program::Native {
        command: command.into(),
        log: directory.join("printed.log"),
    })
}
