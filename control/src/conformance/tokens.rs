//! Laws about API tokens and signing keys.

use std::sync::Arc;

use schemas::{api::Role, name::AgentName};

use super::{MINUTE, NOW, name, new_token, with_user};
use crate::{ControlStore, SecretHash, TokenId, TokenSecret, UserChange, UserError};

/// A token is limited by its user, its time, its secret and its owner.
pub async fn tokens_do_at_most_what_their_user_may(store: Arc<dyn ControlStore>) {
    with_user(&*store, "root", Role::Admin).await;
    with_user(&*store, "ada", Role::Operator).await;
    let token = TokenSecret::random().expect("randomness");
    let refused = store
        .create_api_token(new_token(&token, "ada", Role::Admin), NOW)
        .await;
    assert!(
        matches!(refused, Err(UserError::RoleTooHigh { .. })),
        "{refused:?}"
    );
    let made = store
        .create_api_token(new_token(&token, "ada", Role::Operator), NOW)
        .await
        .unwrap();
    assert_eq!((made.role, made.last_used), (Role::Operator, None));

    let agent = AgentName::new("nas").expect("a valid name");
    let secret = TokenSecret::random().expect("randomness");
    let mut new = new_token(&secret, "root", Role::Viewer);
    new.agent = Some(agent.clone());
    let made_for = store.create_api_token(new, NOW).await.unwrap();
    assert_eq!(made_for.agent, Some(agent.clone()));
    let found = store.api_token(&secret.id, None, NOW).await.unwrap();
    assert_eq!(found.and_then(|token| token.agent), Some(agent));
    store.revoke_api_token(&secret.id, None).await.unwrap();

    let good = store
        .api_token(&token.id, Some(&token.hash()), NOW)
        .await
        .unwrap();
    assert_eq!(good, Some(made));
    let wrong = SecretHash::of("wrong");
    assert_eq!(
        store.api_token(&token.id, Some(&wrong), NOW).await.unwrap(),
        None
    );
    let late = NOW.plus_millis(10 * MINUTE);
    assert_eq!(store.api_token(&token.id, None, late).await.unwrap(), None);

    store.touch_api_token(&token.id, NOW).await.unwrap();
    let demote = UserChange {
        role: Some(Role::Viewer),
        ..UserChange::default()
    };
    store.change_user(&name("ada"), demote).await.unwrap();
    let now = store
        .api_token(&token.id, None, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((now.role, now.last_used), (Role::Viewer, Some(NOW)));
    let disable = UserChange {
        enabled: Some(false),
        ..UserChange::default()
    };
    store.change_user(&name("ada"), disable).await.unwrap();
    assert_eq!(store.api_token(&token.id, None, NOW).await.unwrap(), None);

    assert_eq!(store.api_tokens(Some(&name("root"))).await.unwrap(), []);
    assert_eq!(store.api_tokens(None).await.unwrap().len(), 1);
    let foreign = store
        .revoke_api_token(&token.id, Some(&name("root")))
        .await
        .unwrap();
    assert_eq!(foreign, None, "not another user's");
    let revoked = store
        .revoke_api_token(&token.id, Some(&name("ada")))
        .await
        .unwrap();
    assert_eq!(revoked, Some(name("ada")));
    assert_eq!(store.api_tokens(None).await.unwrap(), []);
    let unknown = store
        .api_token(&TokenId::new("unknown"), None, NOW)
        .await
        .unwrap();
    assert_eq!(unknown, None);
}

/// There is one key that signs; an old one verifies for a while.
pub async fn signing_keys_rotate(store: Arc<dyn ControlStore>) {
    let (one, two) = (Arc::clone(&store), Arc::clone(&store));
    let (a, b) = tokio::join!(one.signing_keys(NOW), two.signing_keys(NOW));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!((a.len(), b.len()), (1, 1));
    assert_eq!(a[0].id, b[0].id, "all must sign with the same key");
    assert!(a[0].secret().len() >= 32 && a[0].secret() != [0; 64]);
    let fresh = store
        .rotate_signing_key(NOW, NOW.plus_millis(MINUTE))
        .await
        .unwrap();
    let ids = |keys: Vec<crate::SigningKey>| keys.into_iter().map(|k| k.id).collect::<Vec<_>>();
    assert_eq!(
        ids(store.signing_keys(NOW).await.unwrap()),
        [fresh.id.clone(), a[0].id.clone()]
    );
    let later = NOW.plus_millis(MINUTE);
    assert_eq!(ids(store.signing_keys(later).await.unwrap()), [fresh.id]);
}
