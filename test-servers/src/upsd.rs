use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Result, bail};
use tempfile::TempDir;

use crate::{Guarded, free_port};

const PATIENCE: Duration = Duration::from_secs(20);
/// After how many seconds without a word of its driver upsd calls a UPS stale.
const MAX_AGE: u32 = 3;
/// Seconds between two looks of the driver at its file.
const POLL_INTERVAL: u32 = 1;
/// The one UPS.
const UPS: &str = "ups1";

/// upsd of Network UPS Tools with one UPS, `ups1`, that is a file: its driver is `dummy-ups`.
#[derive(Debug)]
pub struct Upsd {
    // before their directory: they go first
    daemon: Option<Guarded>,
    driver: Option<Guarded>,
    port: u16,
    directory: TempDir,
}

/// Debian has upsd behind a script that asks whether it is wanted on this machine; the driver stands beside it.
fn program(name: &str) -> Result<String> {
    let places = ["/lib/nut", "/usr/lib/nut", "/usr/libexec/nut", "/usr/sbin"];
    for place in places {
        let path = PathBuf::from(place).join(name);
        if path.exists() {
            return Ok(path.display().to_string());
        }
    }
    bail!("{name} of Network UPS Tools is not installed: scripts/install-missing test")
}

impl Upsd {
    /// Starts it with a UPS that has these variables, lines of `name: value`.
    ///
    /// # Errors
    /// It is not installed or does not start.
    pub fn start(variables: &str) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("hl-upsd-").tempdir()?;
        let mut server = Self {
            daemon: None,
            driver: None,
            port: free_port()?,
            directory,
        };
        // read again and again, as its name ends so
        server.write(
            "ups.conf",
            &format!(
                "pollinterval = {POLL_INTERVAL}\n[{UPS}]\n  driver = dummy-ups\n  port = {UPS}.seq\n  desc = \"The \\\"best\\\" one\"\n"
            ),
        )?;
        server.write(
            "upsd.conf",
            &format!("LISTEN 127.0.0.1 {}\nMAXAGE {MAX_AGE}\n", server.port),
        )?;
        server.write("upsd.users", "")?;
        server.set(variables)?;
        server.start_driver()?;
        let mut upsd = server.run("upsd", &[])?;
        upsd.wait_for_port(server.port, PATIENCE)?;
        server.daemon = Some(upsd);
        Ok(server)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        // at once: the driver may be reading
        let (path, new) = (
            self.directory.path().join(name),
            self.directory.path().join(format!("{name}.new")),
        );
        std::fs::write(&new, text)?;
        std::fs::rename(new, path)?;
        Ok(())
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Result<Guarded> {
        let who = Command::new("id").arg("-un").output()?;
        let who = String::from_utf8(who.stdout)?;
        let directory = self.directory.path().display().to_string();
        let program = program(name)?;
        let words = [&[program.as_str(), "-D", "-u", who.trim()], arguments].concat();
        let environment = ["NUT_CONFPATH", "NUT_STATEPATH", "NUT_ALTPIDPATH"]
            .map(|variable| (variable, directory.as_str()));
        let log = self.directory.path().join(format!("{name}.log"));
        Guarded::start(&words, &environment, &log)
    }

    /// Sets the variables of the UPS; its driver sees it within two seconds.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn set(&self, variables: &str) -> Result<()> {
        self.write(&format!("{UPS}.seq"), &format!("{variables}\n"))
    }

    /// Starts the driver, also after it was killed.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_driver(&mut self) -> Result<()> {
        let socket = self.directory.path().join(format!("dummy-ups-{UPS}"));
        drop(std::fs::remove_file(&socket));
        let mut driver = self.run("dummy-ups", &["-a", UPS])?;
        driver.wait_until("the driver has its socket", PATIENCE, |_| socket.exists())?;
        self.driver = Some(driver);
        Ok(())
    }

    /// The driver, to be stopped and continued.
    pub const fn driver(&self) -> Option<&Guarded> {
        self.driver.as_ref()
    }

    /// Kills the driver.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn kill_driver(&mut self) -> Result<()> {
        match self.driver.take() {
            Some(driver) => driver.kill(),
            None => Ok(()),
        }
    }

    /// Kills upsd and starts it again.
    ///
    /// # Errors
    /// It does not come back.
    pub fn restart(&mut self) -> Result<()> {
        if let Some(upsd) = self.daemon.take() {
            upsd.kill()?;
        }
        let mut upsd = self.run("upsd", &[])?;
        upsd.wait_for_port(self.port, PATIENCE)?;
        self.daemon = Some(upsd);
        Ok(())
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("nut://127.0.0.1:{}", self.port)
    }
}
