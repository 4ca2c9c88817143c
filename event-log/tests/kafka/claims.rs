//! Who owns a source.

use std::slice::from_ref;

use event_log::{EventLog, kafka::ClaimError};
use schemas::{SourceName, name::AgentName};

use super::kit::{brokers, open, options};

#[tokio::test]
async fn a_source_belongs_to_one_agent_until_another_takes_over() {
    let options = options(brokers(), 1);
    let (one, two) = (open(&options).await, open(&options).await);
    let (nas, pi) = (
        SourceName::new("nas1").unwrap(),
        SourceName::new("pi").unwrap(),
    );
    let (first, second) = (
        AgentName::new("first").unwrap(),
        AgentName::new("second").unwrap(),
    );
    one.claim_sources(from_ref(&nas), &first, false)
        .await
        .unwrap();
    one.claim_sources(from_ref(&nas), &first, false)
        .await
        .unwrap();
    let both = [pi.clone(), nas.clone()];
    match two.claim_sources(&both, &second, false).await {
        Err(e @ ClaimError::ClaimedBy { .. }) => {
            let line = e.to_string();
            assert!(
                line.contains("`nas1`") && line.contains("`first`"),
                "{line}"
            );
            assert!(line.contains("--take-over"), "{line}");
        }
        other => panic!("a second claim gave {other:?}"),
    }
    assert_eq!(
        two.source_owners().await.unwrap(),
        [(nas.clone(), first.clone())],
        "all or none"
    );
    two.claim_sources(&both, &second, true).await.unwrap();
    assert_eq!(
        one.source_owners().await.unwrap(),
        [(nas.clone(), second.clone()), (pi, second)]
    );
    assert!(
        one.claim_sources(from_ref(&nas), &first, false)
            .await
            .is_err()
    );
    one.close().await.unwrap();
    two.close().await.unwrap();
}

#[tokio::test]
async fn of_two_that_claim_at_once_one_wins() {
    let options = options(brokers(), 1);
    let (one, two) = (open(&options).await, open(&options).await);
    let source = SourceName::new("nas1").unwrap();
    for round in 0..4 {
        let agents = [format!("a{round}"), format!("b{round}")];
        let agents = agents.map(|name| AgentName::new(name).unwrap());
        let source = SourceName::new(format!("{source}x{round}")).unwrap();
        let (first, second) = tokio::join!(
            one.claim_sources(from_ref(&source), &agents[0], false),
            two.claim_sources(from_ref(&source), &agents[1], false),
        );
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        let owners = one.source_owners().await.unwrap();
        let owner = &owners.iter().find(|(of, _)| *of == source).unwrap().1;
        assert_eq!(*owner, agents[usize::from(second.is_ok())]);
    }
    one.close().await.unwrap();
    two.close().await.unwrap();
}
