//! Debian's nginx with the configuration that this repository ships, on ports of the test's own.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use test_servers::{Guarded, free_port};

use crate::workspace;

/// A load balancer before two APIs.
#[derive(Debug)]
pub struct Nginx {
    _process: Guarded,
    port: u16,
}

const PATIENCE: Duration = Duration::from_secs(10);

impl Nginx {
    /// Starts it before two ports; its files are in `place`.
    ///
    /// # Errors
    /// It is not installed, or the shipped configuration is not what is expected here.
    pub fn start(apis: [u16; 2], place: &Path) -> Result<Self> {
        let port = free_port()?;
        let infra = workspace().join("infra/nginx");
        let shipped = std::fs::read_to_string(infra.join("homelog.conf"))?;
        let here = adapt(&shipped, apis, port, &infra.display().to_string())?;
        std::fs::write(place.join("homelog.conf"), here)?;
        let place = place.display();
        let main = format!(
            "daemon off;\nmaster_process off;\npid {place}/nginx.pid;\nerror_log {place}/error.log info;\n\
             events {{ worker_connections 256; }}\n\
             http {{\n  access_log {place}/access.log;\n  client_body_temp_path {place}/body;\n  proxy_temp_path {place}/proxy;\n  \
             fastcgi_temp_path {place}/fastcgi;\n  uwsgi_temp_path {place}/uwsgi;\n  scgi_temp_path {place}/scgi;\n  \
             include {place}/homelog.conf;\n}}\n"
        );
        let file = format!("{place}/nginx.conf");
        std::fs::write(&file, main)?;
        let log = format!("{place}/output.log");
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx"]
            .into_iter()
            .find(|path| Path::new(path).exists())
            .context("nginx is not installed: scripts/install-missing test")?;
        let command = [program, "-p", &place.to_string(), "-c", &file];
        let mut process = Guarded::start(&command, &[], Path::new(&log))?;
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

/// Other ports, no TLS (and so no server that sends everybody there), no IPv6: all else stays as it is shipped.
fn adapt(shipped: &str, apis: [u16; 2], port: u16, infra: &str) -> Result<String> {
    let mut text = shipped.to_owned();
    for (from, to) in [("127.0.0.1:3001", apis[0]), ("127.0.0.1:3011", apis[1])] {
        ensure!(text.contains(from), "homelog.conf does not name {from}");
        text = text.replace(from, &format!("127.0.0.1:{to}"));
    }
    text = text.replace("/etc/nginx/", &format!("{infra}/"));
    let redirect = text
        .find("server {\n    listen 80;")
        .context("no server on port 80")?;
    let behind = text
        .get(redirect..)
        .and_then(|rest| rest.find("\n}\n"))
        .context("no end of the server on port 80")?;
    text.replace_range(redirect..redirect + behind + 3, "");
    let lines: Vec<String> = text
        .lines()
        .filter(|line| {
            let line = line.trim_start();
            !line.starts_with("ssl_")
                && !line.starts_with("listen [::]")
                && !line.starts_with("http2 ")
        })
        .map(|line| {
            if line.trim_start().starts_with("listen 443") {
                format!("    listen 127.0.0.1:{port};")
            } else {
                line.to_owned()
            }
        })
        .collect();
    Ok(lines.join("\n"))
}
