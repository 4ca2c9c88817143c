use std::collections::BTreeSet;

use super::*;
use crate::auth::access::{Access, table};

/// Every method and path that the whole API describes.
fn described() -> BTreeSet<(String, String)> {
    let api = serde_json::to_value(crate::openapi()).unwrap();
    let mut routes = BTreeSet::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            if ["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                routes.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    routes
}

#[test]
fn the_table_has_every_route_and_no_other() {
    let listed: BTreeSet<_> = table()
        .map(|(method, path, _)| (method.to_string(), path.to_owned()))
        .collect();
    let described = described();
    assert!(described.len() > 20, "the description itself must be whole");
    assert_eq!(listed, described);
}

#[tokio::test]
async fn every_route_lets_in_whom_the_table_names() {
    let server = Server::start().await;
    for role in [Role::Admin, Role::Operator, Role::Viewer] {
        server.user(role.as_str(), role).await;
    }
    let mut asked = 0;
    // history and streams stand behind the same layer: their own tests use the whole server
    let here = |path: &str| {
        path.starts_with("/auth/") || path == "/api/v1/preferences" || path == "/realtime"
    };
    for (method, template, access) in table().filter(|(_, path, _)| here(path)) {
        let path = template
            .replace("{name}", "nobody")
            .replace("{id}", "nothing");
        for role in [
            None,
            Some(Role::Viewer),
            Some(Role::Operator),
            Some(Role::Admin),
        ] {
            // an empty body goes past no handler, so that nothing changes but by logout
            let mut request = server.request(method.clone(), &path);
            if let Some(role) = role {
                let (_, token) = server.session(role.as_str()).await;
                request = request.bearer_auth(token);
            }
            let status = request.send().await.unwrap().status().as_u16();
            let expected = match (access, role) {
                (Access::Open | Access::Optional, _) => None,
                (_, None) => Some(401),
                (Access::Agent, Some(_)) => Some(403),
                (
                    Access::Role(least)
                    | Access::Push(least)
                    | Access::Lines(least, _)
                    | Access::WebSocket(least)
                    | Access::Stream(least),
                    Some(role),
                ) => (role < least).then_some(403),
            };
            asked += 1;
            match expected {
                Some(expected) => assert_eq!(status, expected, "{method} {path} as {role:?}"),
                None if path == "/auth/refresh" => assert_eq!(status, 401, "needs its cookie"),
                None => assert!(
                    status != 401 && status != 403,
                    "{method} {path} as {role:?}: {status}"
                ),
            }
        }
    }
    assert_eq!(asked, 16 * 4, "routes of this room and roles");
}

#[tokio::test]
async fn a_route_that_nobody_listed_is_refused_also_to_admins() {
    let server = Server::start().await;
    server.user("root", Role::Admin).await;
    let (_, token) = server.session("root").await;
    let answer = server
        .get("/api/v1/forgotten")
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert!(is(&refusal(answer).await, 403, "forbidden"));
    let answer = server.get("/api/v1/forgotten").send().await.unwrap();
    assert!(is(&refusal(answer).await, 403, "forbidden"));
}

#[tokio::test]
async fn paths_without_a_route_are_files_or_secrets() {
    let server = Server::start().await;
    server.user("ann", Role::Viewer).await;
    let (_, token) = server.session("ann").await;
    for (path, stranger) in [
        ("/", 200),
        ("/assets/index.js", 200),
        ("/apis", 200),
        ("/api", 401),
        ("/api/v1/nothing", 401),
        ("/auth/nothing", 401),
        ("/influxdb/query", 401),
    ] {
        assert_eq!(
            server.get(path).send().await.unwrap().status(),
            stranger,
            "{path}"
        );
        let known = server.get(path).bearer_auth(&token).send().await.unwrap();
        assert_eq!(known.status(), 200, "{path} goes on to the fallback");
    }
}

#[tokio::test]
async fn another_method_is_named_with_those_that_there_are() {
    let server = Server::start().await;
    let answer = server
        .request(Method::PUT, "/auth/users")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["allow"], "GET, POST");
    assert!(is(&refusal(answer).await, 405, "method_not_allowed"));
}

#[tokio::test]
async fn an_optional_route_knows_who_asks_but_refuses_nobody() {
    let server = Server::start().await;
    server.user("ann", Role::Viewer).await;
    let (_, token) = server.session("ann").await;
    let ask = async |token: Option<&str>| {
        let mut request = server.get("/health");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap().text().await.unwrap()
    };
    assert_eq!(ask(None).await, "nobody");
    assert_eq!(ask(Some("nonsense")).await, "nobody");
    assert_eq!(ask(Some(&token)).await, "ann");
}
