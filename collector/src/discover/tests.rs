use std::net::Ipv4Addr;

use super::*;

fn recognised(status: u16, server: &str, body: &str) -> Vec<&'static str> {
    let answer = Answer {
        status,
        server: server.to_owned(),
        body: body.as_bytes().to_vec(),
    };
    let mut names: Vec<_> = SERVICES
        .iter()
        .filter(|service| {
            service.doors.iter().any(|door| match door {
                Door::Http { is_it, .. } => is_it(&answer),
                Door::Line { begins, .. } => body.starts_with(begins),
            })
        })
        .map(|service| service.name)
        .collect();
    names.dedup_by(|later, first| later.starts_with(&**first));
    names
}

#[test]
fn each_service_is_told_by_its_answer_and_taken_for_no_other() {
    for (status, server, body, name) in [
        (
            200,
            "nginx",
            r#"{"data":{"SYNO.API.Auth":{"maxVersion":7,"path":"entry.cgi"}},"success":true}"#,
            "Synology DSM",
        ),
        (
            200,
            "http server 1.0",
            "<?xml version=\"1.0\"?><QDocRoot version=\"1.0\"><authPassed>0</authPassed></QDocRoot>",
            "QNAP QTS",
        ),
        (401, "pve-api-daemon/3.0", "", "Proxmox VE"),
        (
            401,
            "",
            r#"{"session":{"valid":false,"totp":false,"sid":null},"took":0.1}"#,
            "Pi-hole",
        ),
        (200, "lighttpd", r#"{"type":"FTL","version":3}"#, "Pi-hole"),
        (
            200,
            "Python/3.12",
            r#"{"name":"Home Assistant","short_name":"Home Assistant"}"#,
            "Home Assistant",
        ),
        (
            200,
            "Docker/27.0",
            r#"{"Version":"27.0","ApiVersion":"1.46"}"#,
            "Docker Engine",
        ),
        (200, "", "<title>Node Exporter</title>", "node_exporter"),
        (200, "", "Prometheus Server is Healthy.\n", "Prometheus"),
        (
            0,
            "",
            "Network UPS Tools upsd 2.8.0 - x\n",
            "Network UPS Tools",
        ),
        (
            200,
            "",
            r#"{"status":"healthy","services":{"event_log":{"status":"healthy"}}}"#,
            "Homelog",
        ),
    ] {
        assert_eq!(recognised(status, server, body), [name], "{body}");
    }
}

#[test]
fn what_is_known_of_nobody_is_nobody() {
    for (status, body) in [
        (200, ""),
        (404, "<QDocRoot"),
        (200, "{}"),
        (200, "[[[[[[[["),
        (401, r#"{"error":"Unauthorized"}"#),
        (500, r#"{"session":{"valid":false}}"#),
        (302, "Node Exporter"),
        (200, "\u{0}\u{1}"),
    ] {
        assert!(recognised(status, "nginx", body).is_empty(), "{body}");
    }
}

#[tokio::test]
async fn a_door_that_is_closed_or_silent_is_nobody() {
    let asking = Asking::new().unwrap();
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    assert!(asking.get(&format!("http://{address}/")).await.is_none());
    assert_eq!(line("127.0.0.1", address.port(), "VER\n").await, None);
    drop(listener);
    assert!(asking.get(&format!("https://{address}/")).await.is_none());
    assert_eq!(line("127.0.0.1", address.port(), "VER\n").await, None);
}
