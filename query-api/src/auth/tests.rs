//! Identity over real HTTP: a server on a socket, with the guard and the layer before the routes.

mod jwt;
mod roles;
mod sessions;
mod setup;
mod tickets;
mod tokens;
mod users;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{Router, middleware::from_fn_with_state, routing::get};
use control::{
    ControlStore, Embedded, NewSession, NewUser, SecretHash, Session, SessionId, Username,
    random_id,
};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use schemas::{Timestamp, api::Role};
use secrecy::SecretString;
use serde_json::{Value, json};
use supervision::Supervisor;

use super::{Auth, AuthOptions, Caller, layer, routes};
use crate::guard;

const PASSWORD: &str = "seven wild geese";

/// A server with its store, for one test.
struct Server {
    auth: Arc<Auth>,
    control: Arc<dyn ControlStore>,
    address: SocketAddr,
    http: reqwest::Client,
    directory: tempfile::TempDir,
    supervisor: Supervisor,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.supervisor.stop();
    }
}

impl Server {
    async fn start() -> Self {
        Self::with(AuthOptions::default()).await
    }

    async fn with(options: AuthOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let control: Arc<dyn ControlStore> = Arc::new(
            Embedded::open(directory.path().join("control.db"))
                .await
                .unwrap(),
        );
        let auth = Auth::open(Arc::clone(&control), options).await.unwrap();
        // what opens streams, and what somebody forgot to list, stand here for the real ones
        let who = |caller: Option<Caller>| async move {
            caller.map_or_else(|| "nobody".to_owned(), |caller| caller.username)
        };
        let (described, _) = routes::<Arc<Auth>>().split_for_parts();
        let router: Router = described
            .route("/realtime", get(who))
            .route("/api/v1/live", get(who))
            .route("/health", get(who))
            .route("/api/v1/forgotten", get(who))
            .fallback(who)
            .layer(from_fn_with_state(Arc::clone(&auth), layer))
            .layer(from_fn_with_state(Arc::clone(&auth), guard::layer))
            .with_state(Arc::clone(&auth));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let supervisor = Supervisor::new();
        let token = supervisor.token();
        supervisor.spawn("server", async move {
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, service)
                .with_graceful_shutdown(token.cancelled_owned())
                .await?;
            Ok(())
        });
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap();
        Self {
            auth,
            control,
            address,
            http,
            directory,
            supervisor,
        }
    }

    fn database(&self) -> PathBuf {
        self.directory.path().join("control.db")
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("http://{}{path}", self.address))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.request(Method::POST, path).json(body)
    }

    /// A user with the password of all tests.
    async fn user(&self, name: &str, role: Role) {
        let password = SecretString::from(PASSWORD);
        let new = NewUser {
            name: Username::new(name).unwrap(),
            password: self.auth.passwords.hash(password).await.unwrap(),
            role,
        };
        self.control
            .create_user(new, Timestamp::now())
            .await
            .unwrap();
    }

    /// A session without the cost of a login, and its access token.
    async fn session(&self, name: &str) -> (Session, String) {
        let now = Timestamp::now();
        let user = self
            .control
            .user(&Username::new(name).unwrap())
            .await
            .unwrap()
            .unwrap();
        let new = NewSession {
            id: SessionId::new(&random_id().unwrap()),
            user: user.name,
            epoch: user.epoch,
            refresh: SecretHash::of(&random_id().unwrap()),
            idle_until: now.plus_millis(60_000),
            expires: now.plus_millis(60_000),
        };
        let session = self.control.open_session(new, now).await.unwrap();
        let token = self.auth.access_token(&session, now).await.unwrap();
        (session, token)
    }

    async fn login(&self, name: &str, password: &str) -> Response {
        let body = json!({"username": name, "password": password});
        self.post("/auth/login", &body).send().await.unwrap()
    }

    async fn refresh(&self, cookie: &str) -> Response {
        self.request(Method::POST, "/auth/refresh")
            .header("cookie", cookie)
            .send()
            .await
            .unwrap()
    }

    /// Whether an access token or API token is good.
    async fn lets_in(&self, token: &str) -> bool {
        let answer = self
            .get("/api/v1/preferences")
            .bearer_auth(token)
            .send()
            .await
            .unwrap();
        match answer.status() {
            StatusCode::OK => true,
            StatusCode::UNAUTHORIZED => false,
            other => panic!("neither in nor out: {other}"),
        }
    }
}

/// `homelog_refresh=…` as the browser sends it back.
fn cookie(answer: &Response) -> String {
    let set = answer.headers()["set-cookie"].to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

async fn body(answer: Response) -> Value {
    answer.json().await.unwrap()
}

/// Status and code of a refusal.
async fn refusal(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let code = body(answer).await["error"]["code"]
        .as_str()
        .unwrap()
        .to_owned();
    (status, code)
}

fn is(answer: &(u16, String), status: u16, code: &str) -> bool {
    answer.0 == status && answer.1 == code
}
