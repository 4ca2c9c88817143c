//! Every route that the API describes, asked by nobody and by each role. The expectation is written down here once more,
//! from the contract and not from the table that the API decides by.

use reqwest::{Method, StatusCode};
use schemas::api::Role;

use crate::lab::Lab;

/// Who may at least use a route; none is everybody.
fn least(method: &str, path: &str) -> Option<Role> {
    match (method, path) {
        (
            "get",
            "/health" | "/health/live" | "/health/ready" | "/metrics" | "/docs" | "/auth/setup"
            | "/influxdb/ping" | "/influxdb/health",
        )
        | ("post", "/auth/setup" | "/auth/login" | "/auth/refresh") => None,
        ("get" | "post", "/auth/users" | "/api/v1/sources/{name}/purge")
        | ("delete", "/auth/users/{name}") => Some(Role::Admin),
        (
            "post",
            "/api/v1/events"
            | "/influxdb/write"
            | "/influxdb/api/v2/write"
            | "/api/v1/sources/{name}/remove",
        )
        | ("patch", "/api/v1/sources/{name}") => Some(Role::Operator),
        _ => Some(Role::Viewer),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_lets_in_exactly_whom_the_contract_names() {
    let lab = Lab::start().await;
    let roles = [Role::Viewer, Role::Operator, Role::Admin];
    let mut askers = vec![(None, String::new(), String::new())];
    for role in roles {
        // a logout ends the session that asks for it
        let leaver = lab
            .token_of(&format!("leaver-{}", role.as_str()), role)
            .await;
        let token = lab.token_of(role.as_str(), role).await;
        askers.push((Some(role), token, leaver));
    }
    let api = serde_json::to_value(query_api::openapi()).unwrap();
    let mut asked = 0;
    for (template, item) in api["paths"].as_object().unwrap() {
        let path = template
            .replace("{name}", "nobody")
            .replace("{id}", "nothing");
        for name in item.as_object().unwrap().keys() {
            let Ok(method) = name.to_uppercase().parse::<Method>() else {
                continue;
            };
            for (role, token, leaver) in &askers {
                let token = if path == "/auth/logout" {
                    leaver
                } else {
                    token
                };
                let mut request = lab.http.request(method.clone(), lab.url(&path));
                if role.is_some() {
                    request = request.bearer_auth(token);
                }
                // without a body, so that nothing is changed; of a stream the head is enough
                let status = request.send().await.unwrap().status();
                let expected = match (least(name, template), role) {
                    (None, _) => None,
                    (Some(_), None) => Some(StatusCode::UNAUTHORIZED),
                    // for agents alone, whatever a person may do
                    (Some(_), Some(_)) if template.starts_with("/api/v1/agents/self/") => {
                        Some(StatusCode::FORBIDDEN)
                    }
                    (Some(least), Some(role)) => (*role < least).then_some(StatusCode::FORBIDDEN),
                };
                asked += 1;
                let is_refused =
                    status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN;
                match expected {
                    Some(expected) => assert_eq!(status, expected, "{name} {path} as {role:?}"),
                    // its own refusal: the cookie is missing
                    None if path == "/auth/refresh" => assert_eq!(status, StatusCode::UNAUTHORIZED),
                    None => assert!(!is_refused, "{name} {path} as {role:?}: {status}"),
                }
            }
        }
    }
    assert!(asked >= 4 * 25, "only {asked} were asked");
}
