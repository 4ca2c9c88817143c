use axum::http::Method;
use schemas::api::Role;

use Access::{Open, Optional, Stream, WebSocket};

/// Who may use a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    /// Everybody; credentials are not looked at.
    Open,
    /// Everybody, but the handler says more to who is known.
    Optional,
    /// Who has at least this role.
    Role(Role),
    /// Who has at least this role, by a ticket too, which is good for one WebSocket.
    WebSocket(Role),
    /// Who has at least this role, by a ticket too, which is good for one event stream and its reconnects.
    Stream(Role),
    /// Who has at least this role, and agents.
    Push(Role),
    /// Agents alone.
    Agent,
    /// Who has at least this role, by an API token where InfluxDB's clients put it: version 1 of its API also takes it as a
    /// password.
    Lines(Role, Version),
}

/// A version of InfluxDB's API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    One,
    Two,
}

const VIEWER: Access = Access::Role(Role::Viewer);
const OPERATOR: Access = Access::Role(Role::Operator);
const ADMIN: Access = Access::Role(Role::Admin);

/// Every route. What is not here is refused.
const TABLE: &[(Method, &str, Access)] = &[
    (Method::GET, "/health", Optional),
    (Method::GET, "/health/live", Open),
    (Method::GET, "/health/ready", Open),
    (Method::GET, "/metrics", Optional),
    (Method::GET, "/openapi.json", VIEWER),
    (Method::GET, "/docs", Open),
    (Method::GET, "/auth/setup", Open),
    (Method::POST, "/auth/setup", Open),
    (Method::POST, "/auth/login", Open),
    (Method::POST, "/auth/refresh", Open),
    (Method::POST, "/auth/logout", VIEWER),
    (Method::POST, "/auth/ticket", VIEWER),
    (Method::GET, "/auth/users", ADMIN),
    (Method::POST, "/auth/users", ADMIN),
    // one's own password; the handler refuses more to who is no admin
    (Method::PATCH, "/auth/users/{name}", VIEWER),
    (Method::DELETE, "/auth/users/{name}", ADMIN),
    // one's own tokens; an admin's view is of all
    (Method::GET, "/auth/tokens", VIEWER),
    (Method::POST, "/auth/tokens", VIEWER),
    (Method::DELETE, "/auth/tokens/{id}", VIEWER),
    (Method::GET, "/api/v1/preferences", VIEWER),
    (Method::PUT, "/api/v1/preferences", VIEWER),
    (Method::GET, "/api/v1/catalog", VIEWER),
    (Method::GET, "/api/v1/sources", VIEWER),
    (Method::PATCH, "/api/v1/sources/{name}", OPERATOR),
    (Method::POST, "/api/v1/sources/{name}/remove", OPERATOR),
    (Method::GET, "/api/v1/sources/{name}/purge", ADMIN),
    (Method::POST, "/api/v1/sources/{name}/purge", ADMIN),
    (Method::GET, "/api/v1/entities", VIEWER),
    (Method::GET, "/api/nas/storage", VIEWER),
    (Method::GET, "/api/docker/containers", VIEWER),
    (Method::GET, "/api/proxmox/nodes", VIEWER),
    (Method::GET, "/api/pihole/summary", VIEWER),
    (Method::GET, "/api/home-assistant/states", VIEWER),
    (Method::GET, "/api/v1/range", VIEWER),
    (Method::GET, "/api/v1/events", VIEWER),
    (Method::POST, "/api/v1/events", Access::Push(Role::Operator)),
    (Method::GET, "/api/v1/agents/self/sequences", Access::Agent),
    (Method::POST, "/api/v1/agents/self/sources", Access::Agent),
    (Method::GET, "/api/v1/live", Stream(Role::Viewer)),
    (Method::GET, "/realtime", WebSocket(Role::Viewer)),
    (Method::GET, "/influxdb/ping", Open),
    (Method::GET, "/influxdb/health", Open),
    (
        Method::POST,
        "/influxdb/write",
        Access::Lines(Role::Operator, Version::One),
    ),
    (
        Method::POST,
        "/influxdb/api/v2/write",
        Access::Lines(Role::Operator, Version::Two),
    ),
];

/// What the table says about a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Listed {
    /// The route is there.
    As(Access),
    /// The path is there with other methods.
    OtherMethods(Vec<Method>),
    /// It is not there.
    Not,
}

/// Looks a route up by its template, such as `/auth/users/{name}`.
pub(crate) fn access_of(method: &Method, template: &str) -> Listed {
    // a HEAD is a GET without the body
    let asked = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    let mut methods = Vec::new();
    for (method, path, access) in TABLE {
        if *path != template {
            continue;
        }
        if method == asked {
            return Listed::As(*access);
        }
        methods.push(method.clone());
    }
    if methods.is_empty() {
        Listed::Not
    } else {
        Listed::OtherMethods(methods)
    }
}

/// Every route of the table.
#[cfg(test)]
pub(crate) fn table() -> impl Iterator<Item = (Method, &'static str, Access)> {
    TABLE.iter().cloned()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_route_stands_there_once() {
        let routes: HashSet<_> = TABLE.iter().map(|(m, p, _)| (m.clone(), *p)).collect();
        assert_eq!(routes.len(), TABLE.len());
    }

    #[test]
    fn what_is_open_is_what_the_contract_opens() {
        let open: Vec<_> = TABLE
            .iter()
            .filter(|(_, _, access)| matches!(access, Open | Optional))
            .map(|(_, path, _)| *path)
            .collect();
        assert_eq!(
            open,
            [
                "/health",
                "/health/live",
                "/health/ready",
                "/metrics",
                "/docs",
                "/auth/setup",
                "/auth/setup",
                "/auth/login",
                "/auth/refresh",
                "/influxdb/ping",
                "/influxdb/health"
            ]
        );
    }

    #[test]
    fn what_is_not_listed_is_not_found() {
        assert_eq!(access_of(&Method::GET, "/api/v1/secret"), Listed::Not);
        assert_eq!(
            access_of(&Method::DELETE, "/auth/tokens"),
            Listed::OtherMethods(vec![Method::GET, Method::POST])
        );
        assert_eq!(access_of(&Method::HEAD, "/health/live"), Listed::As(Open));
    }
}
