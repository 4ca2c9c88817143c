//! Runs `smartctl`, bounded in time and output.

use std::{io, process::Stdio, sync::Arc, time::Duration};

use schemas::name::excerpt;
use serde_json::Value;
use tokio::{io::AsyncReadExt, process::Command};

use super::{
    Said,
    device::Device,
    exit::{Exit, STANDBY},
    report::Report,
};
use crate::{FailureClass, OpenError, PollError};

/// How long it may take. A disk that wakes by itself takes ten seconds, a controller that resets one more.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest output.
const MOST_BYTES: u64 = 4 * 1024 * 1024;
/// Where it is, when the path of a user without rights does not lead there.
const USUAL: [&str; 2] = ["/usr/sbin/smartctl", "/usr/local/sbin/smartctl"];
const FIX_RIGHTS: &str = "reading disks needs root: run Homelog's agent as root on this machine, or set `command` to a script that runs smartctl by `sudo -n`";

/// The program.
#[derive(Clone, Debug)]
pub(super) struct Smartctl {
    command: Arc<str>,
    patience: Duration,
}

impl Smartctl {
    pub(super) fn new(command: &str) -> Result<Self, OpenError> {
        if command.is_empty() || command.contains('\0') || command.contains(char::is_whitespace) {
            return Err(OpenError::at(
                "command",
                "write the name or the path of one program, without options",
            ));
        }
        Ok(Self {
            command: Arc::from(command),
            patience: PATIENCE,
        })
    }

    #[cfg(test)]
    pub(super) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The disks that there are. Opens none of them, as `--scan-open` would.
    pub(super) async fn scan(&self) -> Result<Vec<Device>, PollError> {
        let (_, said) = self.run(&["--scan", "--json=c"]).await?;
        // no key at all where there is no disk
        let rows = said.get("devices").and_then(Value::as_array);
        Ok(rows
            .into_iter()
            .flatten()
            .filter_map(Device::found)
            .collect())
    }

    /// Asks a disk for everything, unless it sleeps.
    pub(super) async fn ask(&self, device: &Device) -> Result<Said, PollError> {
        let standby = format!("standby,{STANDBY}");
        let mut arguments = vec!["-n", &standby, "--json=c", "--all"];
        if let Some(kind) = &device.kind {
            arguments.extend(["-d", kind]);
        }
        arguments.push(&device.name);
        let (exit, said) = self.run(&arguments).await?;
        if exit.is_standby() {
            return Ok(Said::Standby);
        }
        if exit.is_not_understood() || exit.is_not_opened() {
            return Err(refused(device, &said));
        }
        Ok(Said::Report(Box::new(Report::new(exit, said))))
    }

    async fn run(&self, arguments: &[&str]) -> Result<(Exit, Value), PollError> {
        let (code, output) = tokio::time::timeout(self.patience, self.output(arguments))
            .await
            .map_err(|_| {
                PollError::new(
                    FailureClass::Timeout,
                    format!(
                        "{} did not end within {} s ({}): the disk or its controller hangs",
                        self.command,
                        self.patience.as_secs(),
                        arguments.last().unwrap_or(&"")
                    ),
                )
            })?
            .map_err(|e| self.not_run(&e))?;
        let Some(code) = code else {
            return Err(PollError::new(
                FailureClass::Other,
                format!("{} was ended by a signal", self.command),
            ));
        };
        let is_report = |said: &Value| said.get("smartctl").is_some_and(Value::is_object);
        match serde_json::from_slice::<Value>(&output) {
            Ok(said) if is_report(&said) => Ok((Exit(code), said)),
            _ => Err(PollError::new(
                FailureClass::BadAnswer,
                format!(
                    "{} (exit status {code}) does not answer in JSON: smartmontools 7.0 or newer is needed; it says: {}",
                    self.command,
                    excerpt(String::from_utf8_lossy(&output).trim())
                ),
            )),
        }
    }

    async fn output(&self, arguments: &[&str]) -> io::Result<(Option<u8>, Vec<u8>)> {
        let spawn = |program: &str| {
            Command::new(program)
                .args(arguments)
                .env("LC_ALL", "C")
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
        };
        let mut spawned = spawn(&self.command);
        if &*self.command == "smartctl" {
            for place in USUAL {
                if spawned
                    .as_ref()
                    .is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
                {
                    spawned = spawn(place);
                }
            }
        }
        let mut child = spawned?;
        let mut output = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(MOST_BYTES).read_to_end(&mut output).await?;
        }
        // one that wrote more finds nobody who reads, and ends by that
        let status = child.wait().await?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok((code, output))
    }

    fn not_run(&self, error: &io::Error) -> PollError {
        let command = &self.command;
        match error.kind() {
            io::ErrorKind::NotFound => PollError::new(
                FailureClass::Other,
                format!(
                    "there is no program `{command}`: install smartmontools (apt install smartmontools), or set `command` to its path"
                ),
            ),
            io::ErrorKind::PermissionDenied => PollError::new(
                FailureClass::NoPermission,
                format!("`{command}` may not be run: {FIX_RIGHTS}"),
            ),
            _ => PollError::new(FailureClass::Other, format!("`{command}`: {error}")),
        }
    }
}

/// Why a disk was not read, from what `smartctl` says.
fn refused(device: &Device, said: &Value) -> PollError {
    let messages = said
        .pointer("/smartctl/messages")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let text = messages
        .iter()
        .filter(|message| message.get("severity").and_then(Value::as_str) == Some("error"))
        .find_map(|message| message.get("string")?.as_str())
        .unwrap_or("no reason is given");
    let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    if ["Permission denied", "Operation not permitted"]
        .iter()
        .any(|words| text.contains(words))
    {
        return PollError::new(
            FailureClass::NoPermission,
            format!("smartctl may not open {device} ({text}): {FIX_RIGHTS}"),
        );
    }
    let class = if ["No such device", "No such file"]
        .iter()
        .any(|words| text.contains(words))
    {
        FailureClass::Unreachable
    } else {
        FailureClass::BadAnswer
    };
    PollError::new(
        class,
        format!(
            "smartctl cannot read {device}: {text}; if it is no disk with SMART, add it to `exclude`, if it is behind a controller, give its type in `devices`"
        ),
    )
}
