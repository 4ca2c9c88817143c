//! `homelog check --connect`.

use std::io::{Read, Write};

use crate::{lab::run, process::Process};

fn check(config: &str, more: &[&str]) -> (i32, String, String) {
    let process = Process::new(config);
    let config = process.config().display().to_string();
    let mut args = vec!["check", "--config", &config, "--connect"];
    args.extend(more);
    run(args)
}

/// A service that refuses every password, and how often it was asked.
fn refusing() -> (String, std::sync::mpsc::Receiver<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (asked, count) = std::sync::mpsc::sync_channel(100);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _read = stream.read(&mut request).unwrap();
            asked.send(()).ok();
            let answer = "HTTP/1.1 401 authentication failure\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
            while stream.read(&mut request).is_ok_and(|read| read > 0) {}
        }
    });
    (url, count)
}

#[test]
fn each_source_is_told_in_a_line_and_a_password_is_tried_once() {
    let (url, count) = refusing();
    let config = format!(
        "[[source]]\nname = \"server\"\nkind = \"host\"\n\
         [[source]]\nname = \"pve\"\nkind = \"proxmox\"\nurl = \"{url}\"\nusername = \"a@pve\"\npassword = \"s3cret\"\n\
         [[source]]\nname = \"gone\"\nkind = \"prometheus\"\nurl = \"http://127.0.0.1:1/metrics\"\n"
    );
    let (code, stdout, stderr) = check(&config, &[]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(stdout.contains("server (host): ok in "), "{stdout}");
    assert!(
        stdout.contains("pve (proxmox): bad_credentials after "),
        "{stdout}"
    );
    assert!(
        stdout.contains("gone (prometheus): unreachable after "),
        "{stdout}"
    );
    assert!(
        stdout.contains("\n  check that the service runs, "),
        "what to do: {stdout}"
    );
    assert!(stderr.contains("2 sources of 3 cannot be read"), "{stderr}");
    assert!(!format!("{stdout}{stderr}").contains("s3cret"));
    assert_eq!(count.try_iter().count(), 1, "one attempt of credentials");

    let (code, stdout, stderr) = check(&config, &["--source", "server"]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(!stdout.contains("pve"), "{stdout}");
    let (code, _, stderr) = check(&config, &["--source", "serve"]);
    assert_eq!(code, 64, "{stderr}");
}

#[test]
fn a_one_time_code_is_for_one_source_that_has_a_use_for_it() {
    let config = "[[source]]\nname = \"server\"\nkind = \"host\"\n";
    let (code, stdout, _) = check(config, &["--source", "server", "--code", "123 456"]);
    assert_eq!(code, 1, "{stdout}");
    assert!(
        stdout.contains("`host` has no use for a one-time code"),
        "{stdout}"
    );
    for wrong in [
        &["--code", "123456"] as &[&str],
        &["--source", "server", "--code", "abc"],
    ] {
        let (code, _, stderr) = check(config, wrong);
        assert_eq!(code, 64, "{wrong:?} {stderr}");
    }
}

#[test]
fn a_check_that_works_and_finds_a_site_down_says_both() {
    let (url, _) = refusing();
    let config = format!(
        "[[source]]\nname = \"web\"\nkind = \"http_check\"\nurls = [\"{url}/a\", \"http://127.0.0.1:1/\"]\n\
         [[source]]\nname = \"fine\"\nkind = \"http_check\"\nurl = \"{url}\"\nexpect_status = [401]\n"
    );
    let (code, stdout, stderr) = check(&config, &[]);
    assert_eq!(code, 0, "the sources can be read: {stdout}{stderr}");
    assert!(stdout.contains("fine (http_check): ok in "), "{stdout}");
    let found: Vec<_> = stdout
        .lines()
        .skip_while(|line| !line.starts_with("web (http_check): works ("))
        .take(3)
        .collect();
    assert!(
        found[0].ends_with(" but finds what it watches down:"),
        "{stdout}"
    );
    let mut sites = [found[1], found[2]];
    sites.sort_unstable();
    assert!(sites[0].starts_with("  http://127.0.0.1:1/: "), "{stdout}");
    assert!(
        sites[1].contains("/a: it answers 401") && sites[1].ends_with("expected is 200-299"),
        "{stdout}"
    );
}

#[tokio::test]
async fn a_certificate_at_first_sight_is_shown_and_is_good_once_it_is_written() {
    // Homelog itself is a service with a certificate that no authority signed
    let port = crate::lab::free_port();
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let config = format!(
        "[[source]]\nname = \"server\"\nkind = \"host\"\n[api]\nlisten = \"127.0.0.1:{port}\"\n\
         certificate = \"cert.pem\"\nkey = \"key.pem\"\n"
    );
    let mut homelog = Process::new(&config);
    std::fs::write(homelog.path("cert.pem"), signed.cert.pem()).unwrap();
    std::fs::write(homelog.path("key.pem"), signed.signing_key.serialize_pem()).unwrap();
    homelog.spawn("up", &["--data", "DATA"]);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !homelog.stdout().contains("is running.") {
        assert!(std::time::Instant::now() < end, "{}", homelog.stderr());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let source = |tls: &str| {
        format!(
            "[[source]]\nname = \"own\"\nkind = \"prometheus\"\nurl = \"https://127.0.0.1:{port}/metrics\"\n{tls}\n"
        )
    };
    let (code, stdout, stderr) = check(&source(""), &[]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(stdout.contains("own (prometheus): tls after "), "{stdout}");
    assert!(
        stdout.contains("subject:     CN=rcgen self signed cert"),
        "{stdout}"
    );
    assert!(stdout.contains("valid until: 4096-01-01"), "{stdout}");
    let line = stdout
        .lines()
        .find(|line| line.trim().starts_with("tls = { fingerprint = \"sha256:"))
        .unwrap();
    let (code, stdout, stderr) = check(&source(line), &[]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("own (prometheus): ok in "), "{stdout}");
    let (code, stdout, _) = check(&source("tls = { insecure = true }"), &[]);
    assert_eq!(code, 0, "{stdout}");
    assert!(stdout.contains("WARNING: insecure = true"), "{stdout}");
    homelog.stop().await;
}
