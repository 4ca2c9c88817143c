//! Laws about tickets.

use std::sync::Arc;

use schemas::api::Role;

use super::{MINUTE, NOW, new_token, with_session, with_user};
use crate::{ControlStore, NewTicket, Principal, SecretHash, TicketUse, TokenSecret, limits};

async fn issue(store: &dyn ControlStore, ticket: &str, owner: Principal) {
    let new = NewTicket {
        hash: SecretHash::of(ticket),
        owner,
        expires: NOW.plus_millis(MINUTE),
    };
    store.issue_ticket(new, NOW).await.expect("a new ticket");
}

async fn redeem(
    store: &dyn ControlStore,
    ticket: &str,
    usage: TicketUse,
    after_ms: i64,
) -> Option<Principal> {
    store
        .redeem_ticket(&SecretHash::of(ticket), usage, NOW.plus_millis(after_ms))
        .await
        .expect("a store that answers")
}

/// A ticket is used up by the first WebSocket, also of two at the same instant.
pub async fn a_ticket_opens_one_websocket(store: Arc<dyn ControlStore>) {
    with_user(&*store, "ada", Role::Admin).await;
    let session = with_session(&*store, "ada", "r1").await;
    let owner = Principal::Session(session.id.clone());
    for round in 0..20 {
        let ticket = format!("t{round}");
        issue(&*store, &ticket, owner.clone()).await;
        let (one, two) = (Arc::clone(&store), Arc::clone(&store));
        let (a, b) = tokio::join!(
            redeem(&*one, &ticket, TicketUse::Once, 1),
            redeem(&*two, &ticket, TicketUse::Once, 1)
        );
        let opened: Vec<_> = [a, b].into_iter().flatten().collect();
        assert_eq!(opened, std::slice::from_ref(&owner));
    }
    issue(&*store, "late", owner.clone()).await;
    assert_eq!(redeem(&*store, "late", TicketUse::Once, MINUTE).await, None);
    assert_eq!(redeem(&*store, "unknown", TicketUse::Once, 0).await, None);
}

/// A stream's ticket is good again for that stream only, also after its time.
pub async fn a_ticket_is_for_one_stream(store: Arc<dyn ControlStore>) {
    with_user(&*store, "ada", Role::Admin).await;
    let session = with_session(&*store, "ada", "r1").await;
    let owner = Principal::Session(session.id.clone());
    let stream = |name| TicketUse::Stream(SecretHash::of(name));
    issue(&*store, "t", owner.clone()).await;
    assert_eq!(
        redeem(&*store, "t", stream("a"), 1).await,
        Some(owner.clone())
    );
    assert_eq!(redeem(&*store, "t", stream("b"), 2).await, None);
    assert_eq!(redeem(&*store, "t", TicketUse::Once, 3).await, None);
    issue(&*store, "other", owner.clone()).await;
    assert_eq!(
        redeem(&*store, "t", stream("a"), 50 * MINUTE).await,
        Some(owner)
    );
    assert_eq!(redeem(&*store, "other", stream("a"), MINUTE).await, None);
}

/// No ticket outlives its session or token, and there are not too many.
pub async fn tickets_end_with_their_owner(store: Arc<dyn ControlStore>) {
    with_user(&*store, "ada", Role::Admin).await;
    let session = with_session(&*store, "ada", "r1").await;
    let owner = Principal::Session(session.id.clone());
    let stream = TicketUse::Stream(SecretHash::of("a"));
    issue(&*store, "bound", owner.clone()).await;
    issue(&*store, "free", owner.clone()).await;
    assert!(redeem(&*store, "bound", stream, 1).await.is_some());
    store.end_session(&session.id).await.unwrap();
    assert_eq!(redeem(&*store, "bound", stream, 2).await, None);
    assert_eq!(redeem(&*store, "free", TicketUse::Once, 2).await, None);

    let token = TokenSecret::random().expect("randomness");
    store
        .create_api_token(new_token(&token, "ada", Role::Viewer), NOW)
        .await
        .unwrap();
    let owner = Principal::Token(token.id.clone());
    for n in 0..=limits::TICKETS_PER_OWNER {
        issue(&*store, &format!("t{n}"), owner.clone()).await;
    }
    assert_eq!(
        redeem(&*store, "t0", TicketUse::Once, 1).await,
        None,
        "the oldest goes"
    );
    assert_eq!(redeem(&*store, "t1", TicketUse::Once, 1).await, Some(owner));
    store.revoke_api_token(&token.id, None).await.unwrap();
    assert_eq!(redeem(&*store, "t2", TicketUse::Once, 1).await, None);
}
