use std::{sync::Arc, time::Duration};

use schemas::{SourceName, limits};

use crate::{
    Configured, SourceConfig,
    integration::Integration,
    integrations::{Docker, DockerParams, Host, HostParams},
    scheduler::DEFAULT_TIMEOUT,
};

/// Where a Docker Engine is looked for when nothing names one.
const USUAL_SOCKET: &str = "/var/run/docker.sock";
const PATIENCE: Duration = Duration::from_secs(1);

/// The address of a Docker Engine: `unix:///var/run/docker.sock` or `tcp://host:2375`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DockerHost(pub String);

/// A valid name for this machine: what a source or an agent may not be called is replaced.
pub fn name_of_host(hostname: &str) -> Arc<str> {
    let room = limits::SOURCE_NAME - ".docker".len();
    let name: String = hostname
        .trim_end_matches('.')
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '_'
            }
        })
        .skip_while(|c| !c.is_ascii_alphanumeric() && *c != '_')
        .take(room)
        .collect();
    Arc::from(if name.is_empty() {
        "host"
    } else {
        name.as_str()
    })
}

/// What is watched without a configuration: this host, and its Docker Engine if there is one.
pub fn default_sources(hostname: &str, docker: Option<DockerHost>) -> Vec<SourceConfig> {
    let host = name_of_host(hostname);
    let source = |kind: &str, interval, integration| {
        SourceName::new(format!("{host}.{kind}")).map(|name| SourceConfig {
            name,
            interval,
            timeout: DEFAULT_TIMEOUT,
            integration,
        })
    };
    let host_source = source(
        Host::KIND,
        Host::DEFAULT_INTERVAL,
        Configured::of::<Host>(HostParams::default()),
    );
    let docker_source = docker.map(|DockerHost(url)| {
        source(
            Docker::KIND,
            Docker::DEFAULT_INTERVAL,
            Configured::of::<Docker>(DockerParams::at(url)),
        )
    });
    host_source
        .into_iter()
        .chain(docker_source.into_iter().flatten())
        .collect()
}

/// Looks for a Docker Engine that takes connections: at `docker_host` (the value of `DOCKER_HOST`), else at the usual socket.
pub async fn find_docker(docker_host: Option<&str>) -> Option<DockerHost> {
    let url = match docker_host.map(str::trim).filter(|url| !url.is_empty()) {
        Some(url) => url.to_owned(),
        None => format!("unix://{USUAL_SOCKET}"),
    };
    let answers = tokio::time::timeout(PATIENCE, Docker::answers(&url)).await;
    answers.unwrap_or(false).then_some(DockerHost(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_hostname_becomes_a_valid_name() {
        for (hostname, name) in [
            ("server", "server"),
            ("pi.lan.", "pi.lan"),
            ("my box", "my_box"),
            ("-x", "x"),
            ("küche", "k_che"),
            ("", "host"),
            ("...", "host"),
        ] {
            assert_eq!(&*name_of_host(hostname), name);
        }
        let long = "x".repeat(300);
        let sources = default_sources(&long, Some(DockerHost("unix:///x".to_owned())));
        assert_eq!(sources.len(), 2);
    }

    #[test]
    fn the_defaults_are_the_host_and_its_engine() {
        let names = |docker| -> Vec<String> {
            default_sources("nas", docker)
                .iter()
                .map(|s| s.name.to_string())
                .collect()
        };
        assert_eq!(names(None), ["nas.host"]);
        assert_eq!(
            names(Some(DockerHost("unix:///var/run/docker.sock".to_owned()))),
            ["nas.host", "nas.docker"]
        );
    }

    #[tokio::test]
    async fn an_engine_is_found_where_one_listens() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker.sock");
        let url = format!("unix://{}", path.display());
        assert_eq!(find_docker(Some(&url)).await, None);
        let _listener = tokio::net::UnixListener::bind(&path).unwrap();
        assert_eq!(find_docker(Some(&url)).await, Some(DockerHost(url)));
    }
}
