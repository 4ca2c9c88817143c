//! What is let in at all, before anybody asks who it is: hosts, origins, networks; and what every answer tells browsers.
//!
//! - Only hosts that are known to be ours: a foreign name that was made to point here (DNS rebinding) gets nothing.
//! - Only our own pages change anything or open a WebSocket.
//! - Passwords over plain HTTP only from networks that are not the internet.

mod client;
mod headers;
mod host;
mod origin;
mod page;

pub(crate) use client::{Client, Proxy};

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    extract::{Request, State},
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::warn;

use crate::{
    ApiError, accept,
    auth::{Auth, AuthOptions},
};
use client::Networks;
use host::Hosts;

/// Which hosts, origins and networks are let in.
#[derive(Debug)]
pub(crate) struct Guard {
    hosts: Hosts,
    networks: Networks,
    told_of_proxy: AtomicBool,
}

impl Guard {
    pub(crate) fn new(options: &AuthOptions) -> Self {
        Self {
            hosts: Hosts::new(&options.hosts, options.hostname.as_deref()),
            networks: Networks::new(&options.trusted_proxies, &options.own_addresses),
            told_of_proxy: AtomicBool::new(false),
        }
    }

    fn check(&self, request: &Request) -> Result<Client, ApiError> {
        let authority = host::of(request)?;
        if !self.hosts.allow(authority.name) {
            return Err(self.hosts.refusal(authority.name));
        }
        let client = self.networks.client(request);
        if client.proxy == Proxy::Stranger {
            self.tell_of_proxy(client);
        }
        let is_change = !matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS
        );
        if is_change || request.headers().contains_key(header::UPGRADE) {
            origin::check(request.headers(), &authority)?;
        }
        if !client.is_secure && !client.is_local && request.uri().path().starts_with("/auth/") {
            return Err(insecure(client));
        }
        Ok(client)
    }

    fn tell_of_proxy(&self, client: Client) {
        if !self.told_of_proxy.swap(true, Ordering::Relaxed) {
            warn!(
                proxy.address = %client.address,
                "requests come through a proxy at {}, which is not in [api] trusted_proxies: all its users count as one address",
                client.address
            );
        }
    }
}

fn insecure(client: Client) -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "insecure_transport",
        format!(
            "{} is an address of the internet, and passwords and tokens do not cross that in clear text: put a reverse proxy with TLS in front of Homelog and name it in [api] trusted_proxies, or come through a VPN",
            client.address
        ),
    )
}

/// Stands before everything else.
pub(crate) async fn layer(
    State(auth): State<Arc<Auth>>,
    mut request: Request,
    next: Next,
) -> Response {
    let mut response = match auth.guard().check(&request) {
        Ok(client) => {
            request.extensions_mut().insert(client);
            next.run(request).await
        }
        Err(refused) if accept::accepts(request.headers(), "text/html") => page::of(&refused),
        Err(refused) => refused.into_response(),
    };
    headers::add(response.headers_mut());
    response
}

#[cfg(test)]
mod tests;
