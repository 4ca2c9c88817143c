//! Laws about users.

use std::sync::Arc;

use schemas::api::Role;

use super::{NOW, name, new_user, with_user};
use crate::{ControlStore, PasswordHash, SecretHash, SetupError, UserChange, UserError};

/// Users are found as they were made, once per name, and change.
pub async fn users_are_made_listed_and_changed(store: Arc<dyn ControlStore>) {
    store.check().await.expect("a store that answers");
    with_user(&*store, "zoe", Role::Admin).await;
    with_user(&*store, "ada", Role::Viewer).await;
    let names: Vec<_> = store
        .users()
        .await
        .unwrap()
        .into_iter()
        .map(|u| u.name)
        .collect();
    assert_eq!(names, [name("ada"), name("zoe")]);
    let taken = store.create_user(new_user("ADA", Role::Admin), NOW).await;
    assert!(matches!(taken, Err(UserError::Exists(_))), "{taken:?}");

    let (ada, hash) = store.credentials(&name("ada")).await.unwrap().unwrap();
    assert_eq!(
        (ada.role, ada.enabled, ada.last_login),
        (Role::Viewer, true, None)
    );
    assert_eq!(hash.as_str(), "hash of ada");
    let change = UserChange {
        password: Some(PasswordHash::from_stored("new")),
        role: Some(Role::Operator),
        ..UserChange::default()
    };
    let changed = store.change_user(&name("ada"), change).await.unwrap();
    assert_eq!(changed.role, Role::Operator);
    assert!(changed.epoch > ada.epoch, "a change must begin a new epoch");
    let (_, hash) = store.credentials(&name("ada")).await.unwrap().unwrap();
    assert_eq!(hash.as_str(), "new");

    store.delete_user(&name("ada")).await.unwrap();
    assert_eq!(store.user(&name("ada")).await.unwrap(), None);
    for missing in [
        store.delete_user(&name("ada")).await,
        store.end_sessions(&name("ada")).await,
    ] {
        assert!(matches!(missing, Err(UserError::Unknown(_))), "{missing:?}");
    }
}

/// Nothing takes the last enabled admin away.
pub async fn the_last_admin_stays(store: Arc<dyn ControlStore>) {
    with_user(&*store, "ada", Role::Admin).await;
    let demote = UserChange {
        role: Some(Role::Operator),
        ..UserChange::default()
    };
    let disable = UserChange {
        enabled: Some(false),
        ..UserChange::default()
    };
    for change in [demote.clone(), disable.clone()] {
        let refused = store.change_user(&name("ada"), change).await;
        assert!(
            matches!(refused, Err(UserError::LastAdmin(_))),
            "{refused:?}"
        );
    }
    let refused = store.delete_user(&name("ada")).await;
    assert!(
        matches!(refused, Err(UserError::LastAdmin(_))),
        "{refused:?}"
    );

    with_user(&*store, "bob", Role::Admin).await;
    store.change_user(&name("bob"), disable).await.unwrap();
    let refused = store.change_user(&name("ada"), demote.clone()).await;
    assert!(
        matches!(refused, Err(UserError::LastAdmin(_))),
        "a disabled admin is none"
    );

    with_user(&*store, "eve", Role::Admin).await;
    let (one, two) = (Arc::clone(&store), Arc::clone(&store));
    let (ada, eve) = (name("ada"), name("eve"));
    let again = demote.clone();
    let (a, b) = tokio::join!(one.change_user(&ada, demote), two.change_user(&eve, again));
    assert_eq!(
        u8::from(a.is_ok()) + u8::from(b.is_ok()),
        1,
        "one of two must stay"
    );
}

/// A set-up token replaces the earlier one and is good once.
pub async fn the_first_user_needs_the_newest_setup_token(store: Arc<dyn ControlStore>) {
    assert!(store.setup_needed().await.unwrap());
    let (first, second) = (SecretHash::of("first"), SecretHash::of("second"));
    let early = store
        .complete_setup(&first, new_user("ada", Role::Admin), NOW)
        .await;
    assert!(matches!(early, Err(SetupError::WrongToken)), "{early:?}");
    assert!(store.offer_setup(&first).await.unwrap());
    assert!(store.offer_setup(&second).await.unwrap());
    let stale = store
        .complete_setup(&first, new_user("ada", Role::Admin), NOW)
        .await;
    assert!(matches!(stale, Err(SetupError::WrongToken)), "{stale:?}");

    let (one, two) = (Arc::clone(&store), Arc::clone(&store));
    let (a, b) = tokio::join!(
        one.complete_setup(&second, new_user("ada", Role::Admin), NOW),
        two.complete_setup(&second, new_user("eve", Role::Admin), NOW),
    );
    assert_eq!(
        u8::from(a.is_ok()) + u8::from(b.is_ok()),
        1,
        "one becomes admin"
    );
    assert_eq!(store.users().await.unwrap().len(), 1);
    assert!(!store.setup_needed().await.unwrap());
    assert!(!store.offer_setup(&first).await.unwrap());
    let done = store
        .complete_setup(&second, new_user("max", Role::Admin), NOW)
        .await;
    assert!(matches!(done, Err(SetupError::Done)), "{done:?}");
}
