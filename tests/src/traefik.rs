//! Traefik with the files that this repository ships, on ports of the test's own. No package of Debian brings it: where the
//! environment variable `HOMELOG_TRAEFIK` names one, it is used.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use test_servers::{Guarded, free_port};

use crate::workspace;

/// A load balancer before two APIs.
#[derive(Debug)]
pub struct Traefik {
    _process: Guarded,
    port: u16,
}

const PATIENCE: Duration = Duration::from_secs(20);

impl Traefik {
    /// The program, where there is one.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told by the environment what the machine has"
    )]
    pub fn program() -> Option<PathBuf> {
        std::env::var_os("HOMELOG_TRAEFIK").map(PathBuf::from)
    }

    /// Starts it before two ports; its files are in `place`.
    ///
    /// # Errors
    /// It does not start, or the shipped files are not what is expected here.
    pub fn start(program: &Path, apis: [u16; 2], place: &Path) -> Result<Self> {
        let port = free_port()?;
        let infra = workspace().join("infra/traefik");
        let moving = place.join("dynamic");
        std::fs::create_dir_all(&moving)?;
        let fixed = replaced(
            std::fs::read_to_string(infra.join("traefik.yml"))?,
            &[
                ("\":8080\"", format!("\"127.0.0.1:{}\"", free_port()?)),
                ("\":8443\"", format!("\"127.0.0.1:{port}\"")),
                ("\":3443\"", format!("\"127.0.0.1:{}\"", free_port()?)),
                ("127.0.0.1:8082", format!("127.0.0.1:{}", free_port()?)),
                ("/etc/traefik/dynamic", moving.display().to_string()),
            ],
        )?;
        let shipped = std::fs::read_to_string(infra.join("dynamic/homelog.yml"))?;
        // no TLS: all else stays as it is shipped
        let (plain, _) = shipped
            .split_once("\ntls:\n")
            .context("no section about TLS")?;
        let dynamic = replaced(
            plain.to_owned(),
            &[
                ("      tls: {}\n", String::new()),
                ("api-1:3001", format!("127.0.0.1:{}", apis[0])),
                ("api-2:3001", format!("127.0.0.1:{}", apis[1])),
            ],
        )?;
        std::fs::write(moving.join("homelog.yml"), dynamic)?;
        let config = place.join("traefik.yml");
        std::fs::write(&config, fixed)?;
        let command = [
            program.to_str().context("the program's path")?,
            "--configFile",
            config.to_str().context("the place's path")?,
        ];
        let mut process = Guarded::start(&command, &[], &place.join("output.log"))?;
        process.wait_for_port(port, PATIENCE)?;
        Ok(Self {
            _process: process,
            port,
        })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn replaced(mut text: String, changes: &[(&str, String)]) -> Result<String> {
    for (from, to) in changes {
        ensure!(text.contains(from), "Traefik's files do not say {from}");
        text = text.replace(from, to);
    }
    Ok(text)
}
