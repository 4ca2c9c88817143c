//! `homelog discover`.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, TcpListener},
    sync::{Arc, Mutex},
};

use crate::lab::{homelog, run, told};

/// An address of this machine that no other test has.
fn own_address() -> IpAddr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(127, 83, high, low.max(1)))
}

/// Answers what is asked with what `answer` makes of it, and remembers it.
fn serve(port: u16, answer: fn(&str) -> String) -> Arc<Mutex<Vec<String>>> {
    let listener = TcpListener::bind((own_address(), port)).unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let Ok(read) = stream.read(&mut request) else {
                continue;
            };
            let request = String::from_utf8_lossy(request.get(..read).unwrap()).into_owned();
            let answer = answer(&request);
            kept.lock().unwrap().push(request);
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    asked
}

fn http(status: &str, head: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{head}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn what_a_named_host_has_becomes_a_config_without_a_login() {
    let docker = serve(2375, |request| {
        if request.starts_with("GET /version ") {
            http("200 OK", "", r#"{"Version":"27.0","ApiVersion":"1.46"}"#)
        } else {
            http("404 Not Found", "", "{}")
        }
    });
    let exporter = serve(9100, |_| {
        http(
            "200 OK",
            "",
            "<html><head><title>Node Exporter</title></head></html>",
        )
    });
    // somebody else at the port of Home Assistant
    serve(8123, |_| http("200 OK", "", "{\"name\":\"a game\"}"));
    let host = own_address().to_string();
    let (code, stdout, stderr) = told(&homelog().args(["discover", &host]).output().unwrap());
    assert_eq!(code, 0, "{stdout}{stderr}");
    let config: toml::Table = stdout.parse().unwrap_or_else(|e| panic!("{e}: {stdout}"));
    let sources = config["source"].as_array().unwrap();
    let url = |name: &str| {
        sources
            .iter()
            .find(|source| source["name"].as_str() == Some(&format!("{host}.{name}")))
            .map(|source| source["url"].as_str().unwrap().to_owned())
    };
    assert_eq!(url("docker"), Some(format!("tcp://{host}:2375")));
    assert_eq!(
        url("node_exporter"),
        Some(format!("http://{host}:9100/metrics"))
    );
    assert_eq!(url("home_assistant"), None, "{stdout}");
    assert!(
        stdout.contains("# Whoever reaches this port is root"),
        "{stdout}"
    );
    for asked in [docker, exporter] {
        let asked = asked.lock().unwrap();
        assert_eq!(asked.len(), 1, "{asked:?}");
        let request = asked[0].to_ascii_lowercase();
        assert!(
            request.starts_with("get ") && !request.contains("authorization"),
            "{request}"
        );
    }
}

#[test]
fn nobody_is_asked_who_was_not_named() {
    for range in ["192.168.1.0/24", "192.168.1.1-9", "192.168.1.*"] {
        let (code, stdout, stderr) = run(["discover", "127.0.0.1", range]);
        assert_eq!((code, stdout.as_str()), (64, ""), "{stderr}");
        assert!(stderr.contains("ranges are not asked"), "{stderr}");
    }
    let (code, _, _) = run(["discover"]);
    assert_eq!(code, 64);
}
