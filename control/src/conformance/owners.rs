//! Laws about the sources of agents.

use std::sync::Arc;

use schemas::{SourceName, name::AgentName};

use super::{MINUTE, NOW};
use crate::{ControlStore, SourceOwner};

/// Who claims a source first has it, until somebody takes it over on purpose.
pub async fn a_source_has_one_owner(store: Arc<dyn ControlStore>) {
    let agent = |text: &str| AgentName::new(text).expect("a valid name");
    let source = |text: &str| SourceName::new(text).expect("a valid name");
    let (nas, pi) = (agent("nas"), agent("pi"));
    let both = [source("nas.docker"), source("nas.host")];
    assert_eq!(
        store.claim_sources(&nas, &both, false, NOW).await.unwrap(),
        []
    );
    let later = NOW.plus_millis(MINUTE);
    let refused = store
        .claim_sources(&pi, &[source("nas.host"), source("pi.host")], false, later)
        .await
        .unwrap();
    assert_eq!(
        refused,
        [SourceOwner {
            source: source("nas.host"),
            agent: nas.clone(),
            since: NOW,
        }]
    );
    let owners = store.source_owners().await.unwrap();
    let named: Vec<_> = owners
        .iter()
        .map(|owner| (owner.source.as_str(), owner.agent.as_str()))
        .collect();
    assert_eq!(
        named,
        [
            ("nas.docker", "nas"),
            ("nas.host", "nas"),
            ("pi.host", "pi")
        ],
        "what was free is taken, what was not stays"
    );
    let again = store.claim_sources(&nas, &both, false, later).await;
    assert_eq!(again.unwrap(), [], "its own again");
    let taken = store
        .claim_sources(&pi, &[source("nas.host")], true, later)
        .await;
    assert_eq!(taken.unwrap(), []);
    let owners = store.source_owners().await.unwrap();
    assert_eq!((&owners[1].agent, owners[1].since), (&pi, later));

    // of two that claim at once one has it
    let (one, two) = (Arc::clone(&store), Arc::clone(&store));
    let wanted = [source("router")];
    let (a, b) = tokio::join!(
        one.claim_sources(&nas, &wanted, false, NOW),
        two.claim_sources(&pi, &wanted, false, NOW)
    );
    assert_eq!(a.unwrap().len() + b.unwrap().len(), 1);
}
