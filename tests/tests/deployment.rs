//! The files of `infra/` are what their readers take: nginx and systemd are asked themselves, and what names something
//! in another file names what is there.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "an index into a JSON value that is not there is null; what a test reads is there, or it says where it is not"
)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use homelog_tests::{lab, workspace, yaml};
use serde_json::{Value, json};

fn infra(path: &str) -> PathBuf {
    workspace().join("infra").join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(infra(path)).unwrap()
}

fn told(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Runs `nginx -t` on files as a person would install them, at another place.
fn nginx_takes(dir: &Path, main: &str) -> Output {
    std::fs::write(dir.join("nginx.conf"), main).unwrap();
    Command::new("nginx")
        .args(["-t", "-p"])
        .arg(dir)
        .arg("-c")
        .arg(dir.join("nginx.conf"))
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin")
        .output()
        .expect("nginx is not installed: scripts/install-missing test")
}

#[test]
fn nginx_takes_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().display().to_string();
    let made = Command::new(infra("docker/make-secrets"))
        .env("SECRETS", dir.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", told(&made));
    let moved = |path: &str| {
        read(path)
            .replace("/etc/nginx", &place)
            .replace("/etc/homelog", &place)
    };
    let subpath = moved("nginx/homelog-subpath.conf");
    let site = moved("nginx/homelog.conf").replacen(
        "    location / {",
        &format!("{subpath}\n    location / {{"),
        1,
    );
    assert!(site.contains("location /homelog/"));
    std::fs::write(dir.path().join("homelog.conf"), site).unwrap();
    std::fs::write(
        dir.path().join("homelog-proxy.conf"),
        moved("nginx/homelog-proxy.conf"),
    )
    .unwrap();
    let main =
        format!("pid {place}/pid;\nevents {{ }}\nhttp {{ include {place}/homelog.conf; }}\n");
    let taken = nginx_takes(dir.path(), &main);
    assert!(taken.status.success(), "{}", told(&taken));
    let broken = nginx_takes(dir.path(), &main.replace("include", "inclde"));
    assert!(!broken.status.success(), "nginx takes anything");
}

#[test]
fn nginx_takes_the_socket_proxy() {
    let dir = tempfile::tempdir().unwrap();
    let moved =
        read("docker/socket-proxy.conf").replace("/tmp/", &format!("{}/", dir.path().display()));
    let taken = nginx_takes(dir.path(), &moved);
    assert!(taken.status.success(), "{}", told(&taken));
}

#[test]
fn systemd_takes_its_units() {
    let dir = tempfile::tempdir().unwrap();
    let mut units = Vec::new();
    for entry in std::fs::read_dir(infra("systemd")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("ExecStart=/usr/local/bin/homelog "), "{name}");
        for line in [
            "DynamicUser=yes",
            "ProtectSystem=strict",
            "NoNewPrivileges=yes",
            "CapabilityBoundingSet=\n",
            "Restart=",
            // a configuration that is wrong is not right by itself
            "RestartPreventExitStatus=64\n",
        ] {
            assert!(text.contains(line), "{name} lacks {line}");
        }
        // systemd looks whether the program is there
        let unit = dir.path().join(&name);
        std::fs::write(&unit, text.replace("/usr/local/bin/homelog", "/bin/true")).unwrap();
        units.push(unit);
    }
    assert_eq!(units.len(), 4);
    let verify = |units: &[PathBuf]| {
        Command::new("systemd-analyze")
            .arg("verify")
            .args(units)
            .output()
            .expect("systemd-analyze is not installed: scripts/install-missing test")
    };
    let taken = verify(&units);
    let name = dir.path().display().to_string();
    // what other units of this machine are blamed for is not ours
    let blamed: Vec<String> = told(&taken)
        .lines()
        .filter(|line| line.contains(&name) || line.contains("homelog"))
        .map(str::to_owned)
        .collect();
    assert!(blamed.is_empty(), "{blamed:?}");
    let broken = dir.path().join("homelog-broken.service");
    std::fs::write(
        &broken,
        "[Service]\nExecStart=/bin/true\nProtectSytem=strict\n",
    )
    .unwrap();
    assert!(
        told(&verify(&[broken])).contains("ProtectSytem"),
        "systemd takes anything"
    );
}

#[test]
fn kafka_takes_its_properties() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data").display().to_string();
    let libs = test_servers::servers().unwrap().join("kafka-4.1.0/libs");
    let format = |text: &str| {
        let file = dir.path().join("server.properties");
        std::fs::write(&file, text).unwrap();
        Command::new("java")
            .arg("-cp")
            .arg(format!("{}/*", libs.display()))
            .args(["kafka.tools.StorageTool", "format"])
            .args(["-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c"])
            .arg(&file)
            .output()
            .expect("java is not installed: scripts/install-missing test")
    };
    let text = read("kafka/server.properties").replace("/var/lib/kafka/data", &data);
    let taken = format(&text);
    assert!(taken.status.success(), "{}", told(&taken));
    let broken = format(&text.replace("min.insync.replicas=2", "min.insync.replicas=two"));
    assert!(!broken.status.success(), "Kafka takes anything");
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Whether two services of the compose file share a network.
fn meet(compose: &Value, one: &str, other: &str) -> bool {
    let of = |name: &str| texts(&compose["services"][name]["networks"]);
    of(one).iter().any(|network| of(other).contains(network))
}

#[test]
fn traefik_passes_on_to_what_is_there() {
    let fixed = yaml::read(&infra("traefik/traefik.yml")).unwrap();
    let moving = yaml::read(&infra("traefik/dynamic/homelog.yml")).unwrap();
    let compose = yaml::read(&workspace().join("docker-compose.yml")).unwrap();
    let doors = fixed["entryPoints"].as_object().unwrap();
    assert!(doors.contains_key(fixed["ping"]["entryPoint"].as_str().unwrap()));
    let services = moving["http"]["services"].as_object().unwrap();
    for (name, router) in moving["http"]["routers"].as_object().unwrap() {
        for door in texts(&router["entryPoints"]) {
            assert!(doors.contains_key(door), "{name}: {door}");
        }
        assert!(services.contains_key(router["service"].as_str().unwrap()));
        assert_eq!(router["tls"], json!({}), "{name} is without TLS");
    }
    let mut servers = Vec::new();
    for service in services.values() {
        for server in service["loadBalancer"]["servers"].as_array().unwrap() {
            let url = server["url"].as_str().unwrap();
            let (host, _) = url.trim_start_matches("http://").split_once(':').unwrap();
            assert!(
                meet(&compose, "proxy", host),
                "the proxy does not reach {host}"
            );
            servers.push(host);
        }
    }
    assert_eq!(servers, ["grafana", "api-1", "api-2"]);
    // a name that every query API knows as its own: the name of its container is answered with 421
    let check = &services["homelog"]["loadBalancer"]["healthCheck"];
    assert_eq!(check["hostname"], "localhost");
    assert_eq!(check["path"], "/health/live");
    // what is published leads to a door, and every door but the health check's is published
    let published: Vec<String> = texts(&compose["services"]["proxy"]["ports"])
        .iter()
        .map(|port| format!(":{}", port.rsplit_once(':').unwrap().1))
        .collect();
    for (name, door) in doors {
        let address = door["address"].as_str().unwrap().to_owned();
        assert_eq!(published.contains(&address), name != "ping", "{name}");
    }
    let certificate = &moving["tls"]["stores"]["default"]["defaultCertificate"];
    for part in ["certFile", "keyFile"] {
        let file = certificate[part].as_str().unwrap();
        let secret = file.strip_prefix("/run/secrets/").unwrap();
        assert!(texts(&compose["services"]["proxy"]["secrets"]).contains(&secret));
    }
}

#[test]
fn grafana_reads_the_influxdb_that_is_there() {
    let compose = yaml::read(&workspace().join("docker-compose.yml")).unwrap();
    let sources = yaml::read(&infra("grafana/provisioning/datasources/homelog.yml")).unwrap();
    let source = &sources["datasources"][0];
    assert_eq!(source["url"], "http://influxdb:8086");
    assert!(meet(&compose, "grafana", "influxdb"));
    let environment = &compose["services"]["influxdb"]["environment"];
    assert_eq!(
        source["jsonData"]["dbName"],
        environment["DOCKER_INFLUXDB_INIT_BUCKET"]
    );
    let dashboards = yaml::read(&infra("grafana/provisioning/dashboards/homelog.yml")).unwrap();
    let folder = &dashboards["providers"][0]["options"]["path"];
    let mounted = compose["services"]["grafana"]["volumes"]
        .as_array()
        .unwrap()
        .iter()
        .any(|mount| mount["target"] == *folder && mount["source"] == "./infra/grafana/dashboards");
    assert!(mounted, "{folder} is not mounted");
}

#[test]
fn the_configurations_of_the_embedded_profile_are_sound() {
    for name in ["embedded.toml", "embedded-engine.toml"] {
        let checked = Command::new(lab::binary().unwrap())
            .args(["check", "--config"])
            .arg(infra("docker").join(name))
            .env_clear()
            .output()
            .unwrap();
        assert!(checked.status.success(), "{name}: {}", told(&checked));
    }
}
