//! The shipper and a real hub: query-api over an embedded log.

use std::{
    collections::HashSet,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use control::{ControlStore, NewApiToken, NewUser, PasswordHash, TokenSecret, Username};
use event_log::{Destination, EventLog, Memory, http};
use http_client::Tls;
use query_api::{ApiOptions, Auth, AuthOptions, serve};
use schemas::{Catalog, Timestamp, api::Role, name::AgentName};
use shipper::{Metrics, State};
use supervision::Supervisor;
use tokio::{net::TcpListener, sync::watch};

use super::kit::{Running, agent, all, assert_arrived, quick, source, spool, until};

/// A hub on a directory; it can stop and start again on the same address.
struct Hub {
    directory: tempfile::TempDir,
    address: SocketAddr,
    up: Option<(Supervisor, Arc<event_log::Embedded>)>,
}

impl Hub {
    async fn start() -> Self {
        let mut hub = Self {
            directory: tempfile::tempdir().unwrap(),
            address: "127.0.0.1:0".parse().unwrap(),
            up: None,
        };
        hub.up().await;
        hub
    }

    async fn control(path: &Path) -> Arc<dyn ControlStore> {
        Arc::new(
            control::Embedded::open(path.join("control.db"))
                .await
                .unwrap(),
        )
    }

    async fn up(&mut self) {
        let path = self.directory.path();
        let log = event_log::Embedded::open(path, event_log::embedded::Options::default()).unwrap();
        let log = Arc::new(log);
        let control = Self::control(path).await;
        let auth = Auth::open(Arc::clone(&control), AuthOptions::default())
            .await
            .unwrap();
        let supervisor = Supervisor::new();
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let (_, caught_up) = watch::channel(true);
        let services = query_api::Services {
            log: log.clone(),
            store: Arc::new(time_series::Memory::new()),
            control,
            auth,
            catalog: Arc::new(Catalog::new([])),
            registry: Arc::new(Mutex::default()),
            caught_up,
            claimed: watch::channel(HashSet::new()).1,
            claims: None,
        };
        serve(vec![listener], services, ApiOptions::default(), &supervisor).unwrap();
        self.up = Some((supervisor, log));
    }

    /// Cuts every connection and request where it is.
    async fn down(&mut self) {
        if let Some((supervisor, log)) = self.up.take() {
            supervisor.drain(Duration::ZERO).await;
            while supervisor.running() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            log.close().await.unwrap();
        }
    }

    fn log(&self) -> Arc<event_log::Embedded> {
        Arc::clone(&self.up.as_ref().unwrap().1)
    }

    async fn token(&self, agent: &AgentName) -> (TokenSecret, Arc<dyn ControlStore>) {
        let control = Self::control(self.directory.path()).await;
        let admin = Username::new("root").unwrap();
        if control.user(&admin).await.unwrap().is_none() {
            let new = NewUser {
                name: admin.clone(),
                password: PasswordHash::from_stored("none"),
                role: Role::Admin,
            };
            control.create_user(new, Timestamp::now()).await.unwrap();
        }
        let secret = TokenSecret::random().unwrap();
        let new = NewApiToken {
            id: secret.id.clone(),
            hash: secret.hash(),
            name: "agent".to_owned(),
            user: admin,
            role: Role::Viewer,
            agent: Some(agent.clone()),
            expires: None,
        };
        control
            .create_api_token(new, Timestamp::now())
            .await
            .unwrap();
        (secret, control)
    }

    fn destination(&self, token: &TokenSecret) -> Arc<dyn Destination> {
        let hub = http::Hub::open(http::Options {
            url: format!("http://{}", self.address),
            token: token.reveal().into(),
            tls: Tls::System,
            timeout: Duration::from_secs(5),
        });
        Arc::new(hub.unwrap())
    }
}

async fn arrived(spool: &dyn EventLog, hub: &Hub) {
    let log = hub.log();
    until("everything is at the hub", async || {
        spool.bounds().await.unwrap().events == log.bounds().await.unwrap().events
    })
    .await;
    assert_arrived(&all(spool).await, &all(&*log).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_comes_and_goes_has_everything_once_and_in_order() {
    let mut hub = Hub::start().await;
    let (token, _) = hub.token(&agent()).await;
    let log: Arc<dyn EventLog> = Arc::new(Memory::new(1));
    let destination = hub.destination(&token);
    let metrics = Metrics::default();
    let running = Running::start(&log, &destination, &metrics, quick());
    for round in 0..12 {
        for n in 0..4 {
            let from = round * 60;
            spool(&*log, &source(&format!("s{n}")), from..from + 60).await;
        }
        tokio::time::sleep(Duration::from_millis(u64::try_from(round).unwrap() * 3)).await;
        if round % 3 == 2 {
            // in the middle of whatever it does
            hub.down().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            hub.up().await;
        }
    }
    arrived(&*log, &hub).await;
    assert!(
        metrics.retries.get() >= 3,
        "{} retries",
        metrics.retries.get()
    );
    running.stop().await;
    hub.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_token_is_told_and_events_wait() {
    let mut hub = Hub::start().await;
    let (token, control) = hub.token(&agent()).await;
    let log: Arc<dyn EventLog> = Arc::new(Memory::new(1));
    let running = Running::start(&log, &hub.destination(&token), &Metrics::default(), quick());
    spool(&*log, &source("a"), 0..10).await;
    arrived(&*log, &hub).await;
    control.revoke_api_token(&token.id, None).await.unwrap();
    spool(&*log, &source("a"), 10..20).await;
    let mut status = running.shipper.status();
    let told = status
        .wait_for(|status| matches!(&status.state, State::Waiting { reason, .. } if reason.contains("token create --agent")))
        .await
        .unwrap()
        .clone();
    assert!(!format!("{told:?}").contains("hlt_"), "{told:?}");
    assert_eq!(hub.log().bounds().await.unwrap().events, 10);
    running.stop().await;
    // enrolled anew, it goes on where it was
    let (token, _) = hub.token(&agent()).await;
    let running = Running::start(&log, &hub.destination(&token), &Metrics::default(), quick());
    arrived(&*log, &hub).await;
    running.stop().await;
    hub.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_agent_with_a_source_of_the_first_ends_and_names_it() {
    let mut hub = Hub::start().await;
    let (first, control) = hub.token(&agent()).await;
    let attic = AgentName::new("attic").unwrap();
    let (second, _) = hub.token(&attic).await;
    let log: Arc<dyn EventLog> = Arc::new(Memory::new(1));
    spool(&*log, &source("a"), 0..10).await;
    let running = Running::start(&log, &hub.destination(&first), &Metrics::default(), quick());
    arrived(&*log, &hub).await;
    running.stop().await;

    let other: Arc<dyn EventLog> = Arc::new(Memory::new(1));
    spool(&*other, &source("a"), 0..5).await;
    let running = Running::start(
        &other,
        &hub.destination(&second),
        &Metrics::default(),
        quick(),
    );
    let exit = running.supervisor.first_exit().await;
    assert!(
        exit.cause.contains("`a`") && exit.cause.contains("`nas`"),
        "{exit}"
    );
    assert_eq!(hub.log().bounds().await.unwrap().events, 10);
    hub.down().await;
    // who has a source is durable
    hub.up().await;
    let options = shipper::Options {
        take_over: true,
        ..quick()
    };
    let running = Running::start(
        &other,
        &hub.destination(&second),
        &Metrics::default(),
        options,
    );
    // not while that machine may still push; its admin says that it is gone
    let told = running
        .shipper
        .status()
        .wait_for(|status| format!("{status:?}").contains("has a valid token"))
        .await
        .is_ok();
    assert!(told);
    assert_eq!(hub.log().bounds().await.unwrap().events, 10);
    control.revoke_api_token(&first.id, None).await.unwrap();
    until("the replacement's events arrive", async || {
        hub.log().bounds().await.unwrap().events == 15
    })
    .await;
    running.stop().await;
    // now the first is the one that ends
    let (first, _) = hub.token(&agent()).await;
    spool(&*log, &source("a"), 10..11).await;
    let running = Running::start(&log, &hub.destination(&first), &Metrics::default(), quick());
    let exit = running.supervisor.first_exit().await;
    assert!(exit.cause.contains("`attic`"), "{exit}");
    hub.down().await;
}
