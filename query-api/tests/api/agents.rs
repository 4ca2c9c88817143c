use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use event_log::{Claims, DestinationError, ForeignSource};
use reqwest::StatusCode;
use schemas::{
    SourceName,
    api::{AgentSequences, ClaimedSources, EventsAnswer, PushAnswer, Role},
    name::AgentName,
};
use serde_json::{Value, json};

use crate::lab::{Lab, sample};

async fn ask(
    lab: &Lab,
    token: &str,
    method: reqwest::Method,
    path: &str,
    body: Option<Value>,
) -> (StatusCode, Value) {
    let mut request = lab.http.request(method, lab.url(path)).bearer_auth(token);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status();
    (status, answer.json().await.unwrap_or_default())
}

async fn push(lab: &Lab, token: &str, events: Value) -> (StatusCode, Value) {
    ask(
        lab,
        token,
        reqwest::Method::POST,
        "/api/v1/events",
        Some(events),
    )
    .await
}

async fn sequences(lab: &Lab, token: &str) -> AgentSequences {
    let path = "/api/v1/agents/self/sequences";
    let (status, answer) = ask(lab, token, reqwest::Method::GET, path, None).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    serde_json::from_value(answer).unwrap()
}

async fn claim(lab: &Lab, token: &str, sources: &[&str], take_over: bool) -> ClaimedSources {
    let path = "/api/v1/agents/self/sources";
    let body = json!({"sources": sources, "take_over": take_over});
    let (status, answer) = ask(lab, token, reqwest::Method::POST, path, Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    serde_json::from_value(answer).unwrap()
}

fn numbered(source: &str, seq: u64) -> Value {
    let mut event = sample(source, "p", 1.0);
    event["epoch"] = "e1".into();
    event["seq"] = seq.into();
    event
}

#[tokio::test]
async fn an_agent_pushes_its_events_and_reads_back_how_far_they_came() {
    let lab = Lab::start().await;
    let nas = lab.agent("nas").await;
    let events = json!([
        numbered("nas.host", 1),
        numbered("nas.host", 2),
        numbered("nas.host", 5)
    ]);
    let (status, answer) = push(&lab, &nas, events).await;
    assert_eq!((status, &answer["accepted"]), (StatusCode::OK, &json!(3)));
    let found = sequences(&lab, &nas).await;
    assert_eq!(found.agent, "nas");
    let [only] = found.sequences.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((only.source.as_str(), only.last_seq), ("nas.host", 5));
    assert_eq!(only.holes, [(3, 4)]);
    let log: &dyn event_log::EventLog = &*lab.log;
    let start = schemas::Position::start(1);
    let query = event_log::ReadQuery {
        filter: event_log::Filter::default(),
        limit: 10,
    };
    let batch = log.read(&start, &query).await.unwrap();
    let agent = batch.records[0].event().unwrap().agent.clone();
    assert_eq!(agent.unwrap().as_str(), "nas", "the token says whose it is");
    let other = lab.agent("pi").await;
    assert_eq!(sequences(&lab, &other).await.sequences.len(), 0);
}

#[tokio::test]
async fn a_source_of_another_agent_is_refused_with_its_owner() {
    let lab = Lab::start_claiming(&["hub.host"]).await;
    let (nas, pi) = (lab.agent("nas").await, lab.agent("pi").await);
    assert_eq!(
        claim(&lab, &nas, &["nas.host"], false).await.foreign.len(),
        0
    );
    let answer = claim(&lab, &pi, &["nas.host", "pi.host", "hub.host"], false).await;
    let mut foreign: Vec<_> = answer
        .foreign
        .iter()
        .map(|f| (f.source.as_str(), f.owner.as_str(), f.since.is_some()))
        .collect();
    foreign.sort_unstable();
    assert_eq!(
        foreign,
        [("hub.host", "the-hub", false), ("nas.host", "nas", true)]
    );
    // one event of each: its own is taken, the others name who has them
    let events = json!([
        numbered("nas.host", 1),
        numbered("pi.host", 1),
        numbered("hub.host", 1)
    ]);
    let (status, answer) = push(&lab, &pi, events.clone()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let answer: PushAnswer = serde_json::from_value(answer).unwrap();
    assert_eq!(answer.accepted, 1);
    let codes: Vec<_> = answer
        .rejected
        .iter()
        .map(|r| (r.index, r.code.as_str()))
        .collect();
    assert_eq!(codes, [(0, "source_claimed"), (2, "source_claimed")]);
    assert!(answer.rejected[0].message.contains("`nas`"), "{answer:?}");
    // nor may a person's token push under that name
    let (status, answer) = push(&lab, &lab.token, json!([numbered("nas.host", 1)])).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer["rejected"][0]["code"], "source_claimed");
}

#[tokio::test]
async fn only_the_sources_of_a_revoked_agent_are_taken_over() {
    let lab = Lab::start().await;
    let (nas, pi) = (lab.agent("nas").await, lab.agent("pi").await);
    claim(&lab, &nas, &["nas.host"], false).await;
    let path = "/api/v1/agents/self/sources";
    let body = json!({"sources": ["pi.host", "nas.host"], "take_over": true});
    let post = reqwest::Method::POST;
    let (status, answer) = ask(&lab, &pi, post, path, Some(body)).await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    assert_eq!(answer["error"]["code"], "owner_has_token");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("`nas`") && message.contains("revoke"),
        "{message}"
    );
    let (status, _) = push(&lab, &nas, json!([numbered("nas.host", 1)])).await;
    assert_eq!(status, StatusCode::OK, "its owner keeps it");

    // a machine that was replaced
    lab.revoke("nas").await;
    assert_eq!(claim(&lab, &pi, &["nas.host"], true).await.foreign.len(), 0);
    let (status, _) = push(&lab, &pi, json!([numbered("nas.host", 2)])).await;
    assert_eq!(status, StatusCode::OK);
    let again = lab.agent("nas").await;
    let (status, answer) = push(&lab, &again, json!([numbered("nas.host", 3)])).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    let control: &dyn control::ControlStore = &*lab.control;
    let audit = control.audit(20).await.unwrap();
    let taken: Vec<_> = audit
        .iter()
        .filter(|entry| entry.action == "source.take_over")
        .map(|entry| (entry.actor.as_str(), entry.target.as_str()))
        .collect();
    assert_eq!(taken, [("agent pi", "1: nas.host")]);
}

#[tokio::test]
async fn an_agent_has_a_bounded_number_of_sources() {
    let lab = Lab::start().await;
    let nas = lab.agent("nas").await;
    let names: Vec<String> = (0..1000).map(|n| format!("s{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    claim(&lab, &nas, &names, false).await;
    let (status, answer) = push(&lab, &nas, json!([numbered("one-more", 1)])).await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    assert_eq!(answer["error"]["code"], "too_many");
    let (status, _) = push(&lab, &nas, json!([numbered("s1", 1)])).await;
    assert_eq!(status, StatusCode::OK, "what it has stays its own");
}

/// Who has which source, as a log remembers it.
#[derive(Default)]
struct Topic(Mutex<BTreeMap<SourceName, AgentName>>);

#[async_trait::async_trait]
impl Claims for Topic {
    async fn claim(
        &self,
        agent: &AgentName,
        sources: &[SourceName],
        take_over: bool,
    ) -> Result<Vec<ForeignSource>, DestinationError> {
        let mut owners = self.0.lock().unwrap();
        let foreign: Vec<_> = sources
            .iter()
            .filter_map(|source| Some((source, owners.get(source)?)))
            .filter(|(_, owner)| !take_over && *owner != agent)
            .map(|(source, owner)| ForeignSource {
                source: source.clone(),
                owner: owner.clone(),
            })
            .collect();
        if foreign.is_empty() {
            owners.extend(sources.iter().map(|s| (s.clone(), agent.clone())));
        }
        Ok(foreign)
    }

    async fn owners(&self) -> Result<Vec<ForeignSource>, DestinationError> {
        let owners = self.0.lock().unwrap();
        let pairs = owners.iter().map(|(source, owner)| ForeignSource {
            source: source.clone(),
            owner: owner.clone(),
        });
        Ok(pairs.collect())
    }
}

#[tokio::test]
async fn what_a_log_says_who_has_a_source_holds_for_pushes_too() {
    let topic = Arc::new(Topic::default());
    let source = |name: &str| SourceName::new(name).unwrap();
    let has = |name: &str, agent: &str| {
        let agent = AgentName::new(agent).unwrap();
        topic.0.lock().unwrap().insert(source(name), agent);
    };
    has("attic.host", "attic");
    let lab = Lab::start_over(topic.clone()).await;
    let nas = lab.agent("nas").await;
    let events = json!([numbered("nas.host", 1), numbered("attic.host", 1)]);
    let (status, answer) = push(&lab, &nas, events).await;
    assert_eq!((status, &answer["accepted"]), (StatusCode::OK, &json!(1)));
    assert_eq!(answer["rejected"][0]["code"], "source_claimed", "{answer}");
    let (status, answer) = push(&lab, &lab.token, json!([sample("attic.host", "p", 1.0)])).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    let owner = topic.0.lock().unwrap().get(&source("nas.host")).cloned();
    assert_eq!(owner.unwrap().as_str(), "nas", "claimed there too");
    // whoever has no token here is replaced where it claimed
    let answer = claim(&lab, &nas, &["attic.host", "nas.docker"], true).await;
    let foreign: Vec<_> = answer.foreign.iter().map(|f| f.owner.as_str()).collect();
    assert_eq!(foreign, ["attic"]);

    // but an agent of this hub is, there as here
    lab.revoke("nas").await;
    let pi = lab.agent("pi").await;
    assert_eq!(claim(&lab, &pi, &["nas.host"], true).await.foreign.len(), 0);
    let owner = topic.0.lock().unwrap().get(&source("nas.host")).cloned();
    assert_eq!(owner.unwrap().as_str(), "pi");
}

/// An agent's log took the event already: a conflict of types is for ingest, which keeps the rest of the event.
#[tokio::test]
async fn an_agents_event_is_not_refused_for_the_type_of_a_field() {
    let lab = Lab::start().await;
    lab.push(&[sample("probe", "p", 1.0)]).await;
    let nas = lab.agent("nas").await;
    let mut event = numbered("nas.host", 1);
    event["fields"]["value"] = "a text".into();
    let (status, answer) = push(&lab, &nas, json!([event])).await;
    assert_eq!((status, &answer["accepted"]), (StatusCode::OK, &json!(1)));
}

#[tokio::test]
async fn an_agents_token_does_nothing_else_and_ends_when_it_is_revoked() {
    let lab = Lab::start().await;
    let nas = lab.agent("nas").await;
    for path in [
        "/api/v1/events",
        "/api/v1/sources",
        "/api/v1/live",
        "/auth/tokens",
        "/auth/users",
        "/api/v1/preferences",
        "/openapi.json",
        "/api/v1/unknown",
    ] {
        let (status, answer) = ask(&lab, &nas, reqwest::Method::GET, path, None).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}: {answer}");
        assert!(
            answer["error"]["message"]
                .as_str()
                .unwrap()
                .contains("`nas`"),
            "{answer}"
        );
    }
    // nor do people have the calls of agents, nor operators the right to enrol one
    let path = "/api/v1/agents/self/sequences";
    let (status, _) = ask(&lab, &lab.token, reqwest::Method::GET, path, None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let operator = lab.token_of("olga", Role::Operator).await;
    let body = json!({"name": "x", "role": "viewer", "agent": "nas2"});
    let (status, _) = ask(
        &lab,
        &operator,
        reqwest::Method::POST,
        "/auth/tokens",
        Some(body),
    )
    .await;
    assert_eq!(status, StatusCode::FORBIDDEN);

    let tokens: Value = lab.json("/auth/tokens").await;
    let id = tokens["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .find(|token| token["agent"] == "nas")
        .unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/auth/tokens/{id}");
    let (status, _) = ask(&lab, &lab.token, reqwest::Method::DELETE, &path, None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = push(&lab, &nas, json!([numbered("nas.host", 1)])).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let page: EventsAnswer = lab.json("/api/v1/events").await;
    assert_eq!(page.events.len(), 0);
}

/// The server's own certificate: pinned by whoever talks to it, and named in the line that enrols an agent.
#[tokio::test]
async fn a_hub_with_a_certificate_of_its_own_enrols_agents_with_its_fingerprint() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let tls = query_api::ServerTls::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    assert!(query_api::ServerTls::from_pem(key.as_bytes(), key.as_bytes()).is_err());
    let fingerprint = tls.fingerprint().to_owned();
    let lab = Lab::start_tls(tls).await;
    let client = http_client::Client::new(http_client::Options {
        tls: http_client::Tls::Fingerprint(fingerprint.parse().unwrap()),
        ..http_client::Options::default()
    })
    .unwrap();
    let answer = client
        .post(&format!("https://{}/auth/tokens", lab.address))
        .bearer(&lab.token.clone().into())
        .json(&json!({"name": "an agent", "role": "viewer", "agent": "nas"}))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let made: Value = answer.json().await.unwrap();
    let line = made["enrol"].as_str().unwrap();
    let line = line
        .strip_prefix("echo '")
        .and_then(|line| line.strip_suffix("' | homelog collect --hub -"))
        .unwrap();
    let enrolment: event_log::http::Enrolment = line.parse().unwrap();
    assert_eq!(enrolment.url, format!("https://{}", lab.address));
    assert_eq!(
        enrolment.tls,
        http_client::Tls::Fingerprint(fingerprint.parse().unwrap())
    );
    let hub = event_log::http::Hub::open(event_log::http::Options::new(enrolment)).unwrap();
    let states = event_log::Destination::last_seqs(&hub, &[]).await.unwrap();
    assert!(states.is_empty());
}
