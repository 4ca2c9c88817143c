//! An agent and a hub that is killed with `kill -9` again and again: a batch whose answer was lost is sent again and gives
//! duplicates, and nothing is lost or doubled.

#![expect(
    clippy::indexing_slicing,
    reason = "an index into a JSON value that is not there is null"
)]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use event_log::{Destination, EventLog, Memory, Urgency, http};
use homelog_tests::lab::{Lab, PASSWORD};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use schemas::{
    Draft, Entity, EventType, FieldValue, Fields, SourceName, Timestamp,
    name::{AgentName, EntityId, EntityType, SourceKind},
};
use serde_json::{Value, json};
use shipper::{Metrics, Options, Services, Shipper};
use supervision::Supervisor;

const KILLS: u32 = 15;
const SOURCES: usize = 5;

/// Enrols an agent as an admin does in the dashboard.
async fn enrol(lab: &Lab) -> Result<http::Enrolment> {
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .build()?;
    let login: Value = client
        .post(lab.url("/auth/login"))
        .json(&json!({"username": "admin", "password": PASSWORD}))
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let made: Value = client
        .post(lab.url("/auth/tokens"))
        .bearer_auth(login["access_token"].as_str().context("no access token")?)
        .json(&json!({"name": "agent", "role": "viewer", "agent": "attic"}))
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let line = made["enrol"].as_str().context("no line to enrol with")?;
    let quoted = line.split('\'').nth(1).context("nothing in quotes")?;
    Ok(quoted.parse()?)
}

async fn observe(spool: &dyn EventLog, source: &SourceName, count: i64) -> Result<()> {
    let drafts = (0..count)
        .map(|n| {
            let mut fields = Fields::new();
            fields.set("value", FieldValue::I64(n));
            Ok(Draft {
                source: source.clone(),
                kind: SourceKind::new("test")?,
                agent: None,
                event_type: EventType::Sample,
                time: Timestamp::now(),
                entity: Entity::new(EntityType::new("thing")?, EntityId::new("one")?),
                fields,
                identity: None,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    spool.append(drafts, Urgency::Soon).await?;
    Ok(())
}

/// The seqs of every source at the hub, in the order of its log.
async fn seqs(lab: &Lab) -> Result<BTreeMap<String, Vec<u64>>> {
    let mut seqs: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut after = String::new();
    loop {
        let page = lab
            .json(&format!(
                "/api/v1/events?limit=10000&from=-1d&type=thing{after}"
            ))
            .await?;
        for event in page["events"].as_array().context("no events")? {
            let source = event["source"].as_str().context("no source")?.to_owned();
            let seq = event["seq"].as_u64().context("no seq")?;
            seqs.entry(source).or_default().push(seq);
        }
        if page["more"] != true {
            return Ok(seqs);
        }
        after = format!("&after={}", page["next"].as_str().context("no next")?);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_is_killed_has_every_event_of_its_agent_once() -> Result<()> {
    let seed = rand::random();
    println!("seed {seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let mut lab = Lab::start("").await?;
    let hub = http::Hub::open(http::Options {
        timeout: Duration::from_secs(5),
        ..http::Options::new(enrol(&lab).await?)
    })?;
    let destination: Arc<dyn Destination> = Arc::new(hub);
    let spool: Arc<dyn EventLog> = Arc::new(Memory::new(1));
    let metrics = Metrics::default();
    let supervisor = Supervisor::new();
    let services = Services {
        spool: Arc::clone(&spool),
        destination,
        agent: AgentName::new("attic")?,
        metrics: metrics.clone(),
    };
    let options = Options {
        batch_events: 200,
        first_retry: Duration::from_millis(5),
        slowest_retry: Duration::from_millis(50),
        ..Options::default()
    };
    let shipper = Shipper::start(&supervisor, services, options);
    let sources: Vec<_> = (0..SOURCES)
        .map(|n| SourceName::new(format!("attic.s{n}")))
        .collect::<Result<_, _>>()?;
    let mut kills = 0;
    while kills < KILLS {
        for _ in 0..dice.random_range(1..12) {
            let source = &sources[dice.random_range(0..SOURCES)];
            observe(&*spool, source, dice.random_range(1..120)).await?;
            tokio::time::sleep(Duration::from_millis(dice.random_range(0..8))).await;
        }
        tokio::time::sleep(Duration::from_millis(dice.random_range(0..30))).await;
        lab.kill9().await?;
        kills += 1;
        observe(&*spool, &sources[0], 50).await?;
        lab.spawn()?;
        lab.wait_ready().await?;
    }
    let sent: BTreeMap<String, u64> = spool
        .sequences()
        .await?
        .into_iter()
        .map(|state| (state.source.to_string(), state.last_seq))
        .collect();
    let mut status = shipper.status();
    tokio::time::timeout(Duration::from_mins(1), async {
        while status.borrow_and_update().backlog > 0 {
            status.changed().await?;
        }
        anyhow::Ok(())
    })
    .await
    .context("events still wait after a minute")??;
    let there = seqs(&lab).await?;
    for (source, last) in &sent {
        let all: Vec<u64> = (1..=*last).collect();
        ensure!(
            there.get(source) == Some(&all),
            "seed {seed}: {source}: {last} were sent, {:?} are there",
            there.get(source).map(Vec::len)
        );
    }
    ensure!(
        there.len() == sent.len(),
        "something came that was not sent"
    );
    println!(
        "{} events, {} retries, {} duplicates",
        sent.values().sum::<u64>(),
        metrics.retries.get(),
        metrics.duplicates.get()
    );
    ensure!(metrics.retries.get() >= 5, "the kills must strike");
    supervisor.drain(Duration::from_secs(10)).await;
    lab.stop().await?;
    let verify = lab.run(&["verify"]).await?;
    ensure!(
        verify.status.success(),
        "verify does not agree:\n{}{}",
        String::from_utf8_lossy(&verify.stdout),
        String::from_utf8_lossy(&verify.stderr)
    );
    Ok(())
}
