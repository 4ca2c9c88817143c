//! What `docker-compose.yml` promises: one door, networks without a way out, nothing writable, nothing privileged, exact
//! versions, secrets in files. Each promise is also broken here once, to see that it would be noticed.

#![expect(
    clippy::unwrap_used,
    reason = "what a test reads is there, or the test says where it is not"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
};

use homelog_tests::{workspace, yaml};
use serde_json::{Value, json};

fn compose() -> Value {
    yaml::read(&workspace().join("docker-compose.yml")).unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Services of a profile, by name.
fn services<'c>(compose: &'c Value, profile: &str) -> BTreeMap<&'c str, &'c Value> {
    compose["services"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, service)| texts(&service["profiles"]).contains(&profile))
        .map(|(name, service)| (name.as_str(), service))
        .collect()
}

/// What breaks a promise, as `service: why`.
fn faults(compose: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (name, service) in compose["services"].as_object().unwrap() {
        for why in [
            image(service),
            privileges(name, service),
            mounts(name, service),
            secrets(service),
            care(service),
        ]
        .into_iter()
        .flatten()
        {
            found.push(format!("{name}: {why}"));
        }
    }
    found.extend(networks(compose));
    found
}

fn image(service: &Value) -> Vec<String> {
    let text = service["image"].as_str().unwrap_or_default();
    // ${VARIABLE:-default} is its default
    let text = text
        .rsplit_once(":-")
        .map_or(text, |(_, default)| default.trim_end_matches('}'));
    let exact = text.rsplit_once(':').is_some_and(|(_, tag)| {
        let version = tag.trim_start_matches('v').split('-').next().unwrap_or("");
        // PostgreSQL counts its releases in two numbers
        let wanted = if text.starts_with("postgres:") { 2 } else { 3 };
        let parts: Vec<&str> = version.split('.').collect();
        parts.len() == wanted && parts.iter().all(|part| part.parse::<u32>().is_ok())
    });
    if exact {
        Vec::new()
    } else {
        vec![format!("`{text}` is no exact version")]
    }
}

fn privileges(name: &str, service: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for key in [
        "privileged",
        "cap_add",
        "devices",
        "pid",
        "ipc",
        "userns_mode",
        "network_mode",
    ] {
        if !service[key].is_null() {
            found.push(format!("has `{key}`"));
        }
    }
    if service["read_only"] != true {
        found.push("its root file system is writable".to_owned());
    }
    if service["cap_drop"] != json!(["ALL"]) {
        found.push("keeps capabilities".to_owned());
    }
    if service["security_opt"] != json!(["no-new-privileges:true"]) {
        found.push("may gain privileges".to_owned());
    }
    let user = service["user"].as_str().unwrap_or("0");
    if user.split(':').next() == Some("0") && name != "docker-socket" {
        found.push("runs as root".to_owned());
    }
    found
}

fn mounts(name: &str, service: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for mount in service["volumes"].as_array().into_iter().flatten() {
        let source = match mount.as_str() {
            // NAME:/path is a volume; a host path would begin with a dot or a slash
            Some(short) => short.split(':').next().unwrap_or_default(),
            None if mount["type"] == "tmpfs" => continue,
            None => mount["source"].as_str().unwrap_or_default(),
        };
        let of_host = mount["type"] == "bind" || source.starts_with(['.', '/', '~', '$']);
        if of_host && mount["read_only"] != true {
            found.push(format!("may write to {source} of the host"));
        }
        if source.contains("docker.sock") && name != "docker-socket" {
            found.push("holds the socket of the Docker Engine".to_owned());
        }
    }
    found
}

fn secrets(service: &Value) -> Vec<String> {
    service["environment"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| {
            let secret = ["PASSWORD", "TOKEN", "SECRET", "_KEY", "URL_"]
                .iter()
                .any(|word| name.contains(word));
            secret && !name.ends_with("_FILE")
        })
        .map(|(name, _)| format!("{name} holds a secret, not the path of one"))
        .collect()
}

fn care(service: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for key in [
        "healthcheck",
        "restart",
        "stop_grace_period",
        "mem_limit",
        "pids_limit",
        "logging",
    ] {
        if service[key].is_null() {
            found.push(format!("has no `{key}`"));
        }
    }
    for (needed, how) in service["depends_on"].as_object().into_iter().flatten() {
        if how["condition"] != "service_healthy" {
            found.push(format!("does not wait until {needed} is healthy"));
        }
    }
    found
}

fn networks(compose: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let internal: BTreeSet<&str> = compose["networks"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, network)| network["internal"] == true)
        .map(|(name, _)| name.as_str())
        .collect();
    for (name, service) in services(compose, "full") {
        if name == "proxy" {
            continue;
        }
        if !service["ports"].is_null() {
            found.push(format!("{name}: publishes a port beside the proxy"));
        }
        let of = texts(&service["networks"]);
        if of.is_empty() || of.iter().any(|network| !internal.contains(network)) {
            found.push(format!("{name}: has a way out: {of:?}"));
        }
    }
    // who holds the engine's socket is reached by who reads it, and by nobody else
    for (name, service) in services(compose, "full") {
        let of = texts(&service["networks"]);
        if of.contains(&"engine") && !["collector", "docker-socket"].contains(&name) {
            found.push(format!("{name}: reaches the Docker Engine"));
        }
    }
    found
}

#[test]
fn every_promise_is_kept() {
    assert_eq!(faults(&compose()), Vec::<String>::new());
}

#[test]
fn every_broken_promise_is_noticed() {
    let breaks: &[(&str, Value, &str)] = &[
        ("/services/kafka/ports", json!(["9092:9092"]), "publishes"),
        (
            "/services/influxdb/image",
            json!("influxdb:latest"),
            "exact",
        ),
        ("/services/influxdb/image", json!("influxdb"), "exact"),
        ("/services/postgres/image", json!("postgres:17"), "exact"),
        ("/services/ingest/privileged", json!(true), "privileged"),
        ("/services/ingest/cap_add", json!(["SYS_ADMIN"]), "cap_add"),
        (
            "/services/collector/network_mode",
            json!("host"),
            "network_mode",
        ),
        ("/services/collector/user", json!("0:0"), "root"),
        ("/services/collector/user", Value::Null, "root"),
        ("/services/grafana/read_only", json!(false), "writable"),
        ("/services/proxy/cap_drop", json!([]), "capabilities"),
        ("/services/proxy/security_opt", json!([]), "gain"),
        (
            "/services/collector/volumes",
            json!(["/:/host"]),
            "may write",
        ),
        (
            "/services/collector/volumes",
            json!([{"type": "bind", "source": "/var/run/docker.sock", "target": "/s", "read_only": true}]),
            "socket",
        ),
        (
            "/services/postgres/environment/POSTGRES_PASSWORD",
            json!("x"),
            "secret",
        ),
        ("/services/postgres/healthcheck", Value::Null, "healthcheck"),
        ("/services/api-2/mem_limit", Value::Null, "mem_limit"),
        (
            "/services/ingest/depends_on/kafka",
            json!({"condition": "service_started"}),
            "healthy",
        ),
        (
            "/services/grafana/networks",
            json!(["front", "edge"]),
            "way out",
        ),
        ("/networks/store/internal", json!(false), "way out"),
        (
            "/services/api-1/networks",
            json!(["front", "engine"]),
            "reaches the Docker Engine",
        ),
    ];
    for (at, value, why) in breaks {
        let mut broken = compose();
        let (parent, key) = at.rsplit_once('/').unwrap();
        broken.pointer_mut(parent).unwrap()[key] = value.clone();
        let found = faults(&broken);
        assert!(
            found.iter().any(|fault| fault.contains(why)),
            "{at} = {value} went unnoticed: {found:?}"
        );
    }
}

#[test]
fn the_profiles_are_what_the_guide_says() {
    let compose = compose();
    let names = |profile: &str| -> Vec<&str> { services(&compose, profile).into_keys().collect() };
    assert_eq!(names("embedded"), ["homelog"]);
    assert_eq!(names("engine"), ["docker-socket"]);
    assert_eq!(
        names("full"),
        [
            "api-1",
            "api-2",
            "collector",
            "docker-socket",
            "grafana",
            "influxdb",
            "ingest",
            "kafka",
            "postgres",
            "proxy"
        ]
    );
    assert_eq!(
        names("dev"),
        ["dev-api", "dev-dashboard", "dev-services", "postgres"]
    );
    for (name, service) in services(&compose, "dev") {
        for port in texts(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name} publishes {port}");
        }
    }
    let service = |name: &str| &compose["services"][name];
    assert_eq!(service("ingest")["deploy"]["replicas"], 2);
    assert!(!service("proxy")["ports"].as_array().unwrap().is_empty());
    let version = format!("homelog:{}}}", env!("CARGO_PKG_VERSION"));
    for name in [
        "homelog",
        "collector",
        "ingest",
        "api-1",
        "api-2",
        "dev-api",
        "dev-services",
    ] {
        let image = service(name)["image"].as_str().unwrap();
        assert!(image.ends_with(&version), "{name} is {image}");
    }
}

#[test]
fn files_that_are_mounted_are_there() {
    let compose = compose();
    for (name, service) in compose["services"].as_object().unwrap() {
        for mount in service["volumes"].as_array().into_iter().flatten() {
            let source = mount["source"].as_str().unwrap_or_default();
            let source = source
                .rsplit_once(":-")
                .map_or(source, |(_, default)| default.trim_end_matches('}'));
            if source.starts_with("./") {
                assert!(workspace().join(source).exists(), "{name} mounts {source}");
            }
        }
        for secret in texts(&service["secrets"]) {
            assert!(
                !compose["secrets"][secret]["file"].is_null(),
                "{name} wants the secret {secret}, which has no file"
            );
        }
    }
}

fn make_secrets(into: &Path, names: &[&str]) -> String {
    let done = Command::new(workspace().join("infra/docker/make-secrets"))
        .args(names)
        .env("SECRETS", into)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn secrets_are_made_once_and_only_their_directory_is_closed() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("secrets");
    make_secrets(&dir, &["lab.home.arpa", "192.168.1.2", "fd00::2"]);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let compose = compose();
    let mut before = BTreeMap::new();
    for (name, secret) in compose["secrets"].as_object().unwrap() {
        let file = secret["file"].as_str().unwrap();
        let file = file
            .strip_prefix("./secrets/")
            .unwrap_or_else(|| panic!("{name} is not below ./secrets: {file}"));
        assert_eq!(mode(&dir.join(file)), 0o444, "{file}");
        assert!(read(file).len() >= 32, "{file} is short");
        before.insert(file.to_owned(), read(file));
    }
    let password = before.get("postgres_password").unwrap();
    assert!(before.get("postgres_url").unwrap().contains(password));
    let distinct: BTreeSet<&String> = before.values().collect();
    assert_eq!(
        distinct.len(),
        before.len() - 1,
        "only Grafana's token is that of another"
    );
    let shown = Command::new("openssl")
        .args(["x509", "-noout", "-ext", "subjectAltName", "-in"])
        .arg(dir.join("tls.crt"))
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout);
    for name in [
        "DNS:lab.home.arpa",
        "IP Address:192.168.1.2",
        "IP Address:FD00",
    ] {
        assert!(shown.contains(name), "{name} is not in {shown}");
    }
    assert_eq!(make_secrets(&dir, &["other"]), "", "nothing is made again");
    for (file, content) in &before {
        assert_eq!(&read(file), content, "{file} changed");
    }
    let ignored = std::fs::read_to_string(workspace().join(".gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "/secrets/"));
}
