//! An agent and its hub.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use crate::{
    lab::{Lab, run},
    process::Process,
};

#[tokio::test]
async fn one_line_enrols_an_agent_with_its_hub() {
    let hub = Lab::start().await;
    let url = hub.url("");
    let args = ["token", "create", "--agent", "attic", "--hub", &url];
    let (code, line, stderr) = hub.run(&args, "");
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("agent `attic`"), "{stderr}");
    let words = line.trim().strip_prefix("echo '");
    let enrolment = words
        .and_then(|rest| rest.strip_suffix("' | homelog collect --hub -"))
        .expect("a command");
    let secret = enrolment.split("token=").nth(1).expect("a token");

    let source = "[[source]]\nname = \"attic\"\nkind = \"host\"\ninterval = \"1s\"\n";
    let config = format!("[collect]\nagent = \"attic\"\n{source}");
    let mut agent = Process::start(&config, "collect", &["--data", "DATA", "--hub", enrolment]);
    let token = hub.token();
    let arrived = |hub: &Lab, token: &str| {
        let request = hub
            .http
            .get(hub.url("/api/v1/events?source=attic&limit=1000"));
        let request = request.bearer_auth(token);
        async move {
            let answer: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
            answer["events"].as_array().map_or(0, Vec::len)
        }
    };
    let end = std::time::Instant::now() + Duration::from_secs(30);
    while arrived(&hub, &token).await == 0 {
        assert!(std::time::Instant::now() < end, "{}", agent.stderr());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    agent.stop().await;
    assert!(!agent.stderr().contains(secret), "{}", agent.stderr());
    let mode = std::fs::metadata(agent.path("data/hub"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    // it remembers its hub
    let before = arrived(&hub, &token).await;
    agent.spawn("collect", &["--data", "DATA"]);
    let end = std::time::Instant::now() + Duration::from_secs(30);
    while arrived(&hub, &token).await <= before {
        assert!(std::time::Instant::now() < end, "{}", agent.stderr());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    agent.stop().await;
}

#[tokio::test]
async fn the_certificate_of_the_hub_is_pinned_at_its_own_addresses() {
    let mut hub = Lab::start().await;
    hub.stop().await;
    let made = rcgen::generate_simple_self_signed(vec!["hub.lan".to_owned()]).unwrap();
    std::fs::write(hub.path("hub.crt"), made.cert.pem()).unwrap();
    std::fs::write(hub.path("hub.key"), made.signing_key.serialize_pem()).unwrap();
    let config = hub.path("tls.toml");
    std::fs::write(
        &config,
        "[api]\ncertificate = \"hub.crt\"\nkey = \"hub.key\"\n",
    )
    .unwrap();
    let config = config.display().to_string();
    let create = |more: &[&str]| {
        let mut args = vec!["token", "create", "--agent", "attic", "--config", &config];
        args.extend(more);
        let (code, line, stderr) = hub.run(&args, "");
        assert_eq!(code, 0, "{stderr}");
        (line, stderr)
    };
    let pin = http_client::Fingerprint::of(made.cert.der()).to_string();
    let pin = pin.replace(':', "=");
    assert!(create(&[]).0.contains(&pin));
    let (line, stderr) = create(&["--hub", "https://hub.lan:3001"]);
    assert!(
        line.contains(&format!("https://hub.lan:3001#{pin}&token=")),
        "{line}"
    );
    assert!(stderr.contains("--no-pin"), "{stderr}");
    for proxy in [
        &["https://lab.example", "--no-pin"][..],
        &["http://10.0.0.1:3001"],
    ] {
        let (line, stderr) = create(&[&["--hub"], proxy].concat());
        assert!(!line.contains("sha256="), "{line}");
        assert!(!stderr.contains("--no-pin"), "{stderr}");
    }
}

/// The printed line as a shell runs it.
#[tokio::test]
async fn the_token_is_in_no_list_of_processes() {
    let hub = Lab::start().await;
    let url = hub.url("");
    let (_, line, _) = hub.run(&["token", "create", "--agent", "attic", "--hub", &url], "");
    let secret = line.split(['=', '\'']).nth(2).expect("a token").to_owned();
    let data = hub.path("agent");
    let binary = assert_cmd::cargo::cargo_bin("homelog");
    let line = line
        .trim()
        .replace("homelog", &binary.display().to_string());
    let mut shell = std::process::Command::new("sh")
        .args([
            "-c",
            &format!("read line; eval \"$line --data {}\"", data.display()),
        ])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = shell.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, format!("{line}\n").as_bytes()).unwrap();
    drop(stdin);
    let end = std::time::Instant::now() + Duration::from_secs(30);
    while !data.join("hub").is_file() {
        assert!(std::time::Instant::now() < end, "it is not enrolled");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut agents = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap() {
        let path = entry.unwrap().path();
        let args = std::fs::read(path.join("cmdline")).unwrap_or_default();
        let args = String::from_utf8_lossy(&args).into_owned();
        assert!(!args.contains(&secret), "{args}");
        if args.contains("--hub") && args.contains(&data.display().to_string()) {
            agents.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    assert_eq!(agents.len(), 1, "{agents:?}");
    let stopped = std::process::Command::new("kill").arg(&agents[0]).status();
    assert!(stopped.unwrap().success());
    shell.wait().unwrap();
}

#[test]
fn what_is_no_enrolment_is_told_without_its_token() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().display().to_string();
    for wrong in ["hub", "https://hub", "https://hub#tocken=s3cr3t"] {
        let (code, _, stderr) = run(["collect", "--data", &data, "--hub", wrong]);
        assert_eq!(code, 64, "{stderr}");
        assert!(
            stderr.contains("--hub:") && !stderr.contains("s3cr3t"),
            "{stderr}"
        );
    }
}
