//! Somebody who asks one Homelog over HTTP.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::lab::PASSWORD;

/// A token and where it is shown.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    /// With a token.
    ///
    /// # Errors
    /// No client can be made on this machine.
    pub fn new(url: &str, token: &str) -> Result<Self> {
        Ok(Self {
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(30))
                .build()?,
            url: url.to_owned(),
            token: token.to_owned(),
        })
    }

    /// As the admin, with an API token made for it; waits until the server is ready.
    ///
    /// # Errors
    /// It is not ready in time, or refuses the login.
    pub async fn log_in(url: &str, patience: Duration) -> Result<Self> {
        let mut client = Self::new(url, "")?;
        client.wait_ready(patience).await?;
        let login: Value = client
            .http
            .post(client.url("/auth/login"))
            .json(&json!({"username": "admin", "password": PASSWORD}))
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        client.token = text(&login, "access_token")?;
        let made: Value = client
            .post("/auth/tokens")
            .json(&json!({"name": "tests", "role": "admin"}))
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        client.token = text(&made, "token")?;
        Ok(client)
    }

    /// The same person at another address.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..self.clone()
        }
    }

    /// Whether the server says that it is ready now.
    pub async fn is_ready(&self) -> bool {
        let answer = self.http.get(self.url("/health/ready")).send().await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
    }

    /// Waits until the server says that it is ready.
    ///
    /// # Errors
    /// Not in time.
    pub async fn wait_ready(&self, patience: Duration) -> Result<()> {
        let end = Instant::now() + patience;
        loop {
            if self.is_ready().await {
                return Ok(());
            }
            ensure!(
                Instant::now() < end,
                "{} is not ready after {patience:?}",
                self.url
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A request with the token.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.url(path)).bearer_auth(&self.token)
    }

    /// A request with the token.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(self.url(path)).bearer_auth(&self.token)
    }

    /// The answer to a GET as JSON.
    ///
    /// # Errors
    /// It is no success, or no JSON.
    pub async fn json(&self, path: &str) -> Result<Value> {
        let answer = self.get(path).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "GET {path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// Absolute address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The token.
    pub fn token(&self) -> &str {
        &self.token
    }
}

fn text(answer: &Value, name: &str) -> Result<String> {
    Ok(answer[name]
        .as_str()
        .with_context(|| format!("no {name}"))?
        .to_owned())
}
