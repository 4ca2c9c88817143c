//! Laws about sessions and refresh tokens.

use std::sync::Arc;

use schemas::api::Role;

use super::{MINUTE, NOW, RULE, name, new_session, with_session, with_user};
use crate::{
    ControlStore, PasswordHash, Rotation, SecretHash, Session, UserChange, UserError, limits,
};

async fn rotate(store: &dyn ControlStore, presented: &str, next: &str, after_ms: i64) -> Rotation {
    store
        .rotate_session(
            &SecretHash::of(presented),
            &SecretHash::of(next),
            RULE,
            NOW.plus_millis(after_ms),
        )
        .await
        .expect("a store that answers")
}

async fn lives(store: &dyn ControlStore, session: &Session, after_ms: i64) -> bool {
    store
        .session(&session.id, NOW.plus_millis(after_ms))
        .await
        .expect("a store that answers")
        .is_some()
}

/// A refresh token is exchanged; a repeat just after is taken for a race.
pub async fn a_session_rotates_its_refresh_token(store: Arc<dyn ControlStore>) {
    with_user(&*store, "ada", Role::Admin).await;
    let session = with_session(&*store, "ada", "r1").await;
    assert_eq!(
        store.user(&name("ada")).await.unwrap().unwrap().last_login,
        Some(NOW)
    );
    assert_eq!(
        rotate(&*store, "r1", "r2", MINUTE).await,
        Rotation::Rotated(session.clone())
    );
    let repeated = rotate(&*store, "r1", "r2", MINUTE + 5000).await;
    assert_eq!(
        repeated,
        Rotation::Repeated {
            session: session.clone(),
            next_is_current: true
        }
    );
    assert_eq!(
        rotate(&*store, "r2", "r3", MINUTE + 6000).await,
        Rotation::Rotated(session.clone())
    );
    let behind = rotate(&*store, "r1", "r2", MINUTE + 7000).await;
    assert_eq!(
        behind,
        Rotation::Repeated {
            session: session.clone(),
            next_is_current: false
        }
    );
    assert_eq!(
        rotate(&*store, "nonsense", "r9", MINUTE).await,
        Rotation::Unknown
    );

    assert_eq!(
        store.end_session_of(&SecretHash::of("r1")).await.unwrap(),
        Some(name("ada")),
        "an earlier token of a session ends it too"
    );
    assert!(!lives(&*store, &session, MINUTE).await);
    assert_eq!(rotate(&*store, "r3", "r4", MINUTE).await, Rotation::Unknown);
    assert!(!store.end_session(&session.id).await.unwrap());
}

/// A refresh token that comes again long after it was exchanged was stolen, by either side.
pub async fn a_late_reuse_ends_the_session(store: Arc<dyn ControlStore>) {
    with_user(&*store, "ada", Role::Admin).await;
    let stolen = with_session(&*store, "ada", "r1").await;
    let other = with_session(&*store, "ada", "other").await;
    rotate(&*store, "r1", "r2", 0).await;
    let reused = rotate(&*store, "r1", "thief", 20_001).await;
    assert_eq!(reused, Rotation::Reused(name("ada")));
    assert!(!lives(&*store, &stolen, 20_001).await);
    assert_eq!(rotate(&*store, "r2", "r3", 20_002).await, Rotation::Unknown);
    assert!(
        lives(&*store, &other, 20_002).await,
        "other sessions are not concerned"
    );
}

/// Many uses of one refresh token at the same instant: exactly one rotates it.
pub async fn of_two_uses_at_once_one_rotates(store: Arc<dyn ControlStore>) {
    with_user(&*store, "ada", Role::Admin).await;
    for round in 0..20 {
        let refresh = format!("r{round}");
        with_session(&*store, "ada", &refresh).await;
        let (one, two) = (Arc::clone(&store), Arc::clone(&store));
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        let (first, second) = tokio::join!(
            rotate(&*one, &refresh, &a, 10),
            rotate(&*two, &refresh, &b, 10)
        );
        let rotated = [&first, &second]
            .iter()
            .filter(|r| matches!(r, Rotation::Rotated(_)))
            .count();
        assert_eq!(rotated, 1, "{first:?} {second:?}");
        let current = [
            rotate(&*store, &a, "x", 20).await,
            rotate(&*store, &b, "y", 20).await,
        ];
        let good = current
            .iter()
            .filter(|r| matches!(r, Rotation::Rotated(_)))
            .count();
        assert_eq!(good, 1, "one successor must be good: {current:?}");
        store.end_sessions(&name("ada")).await.unwrap();
    }
}

/// A session ends when it is not refreshed, and at its age in any case.
pub async fn a_session_ends_by_idleness_and_age(store: Arc<dyn ControlStore>) {
    with_user(&*store, "ada", Role::Admin).await;
    let idle = with_session(&*store, "ada", "idle").await;
    let busy = with_session(&*store, "ada", "b0").await;
    for n in 1..=10_i64 {
        let (from, to) = (format!("b{}", n - 1), format!("b{n}"));
        let outcome = rotate(&*store, &from, &to, n * 59 * MINUTE).await;
        assert!(matches!(outcome, Rotation::Rotated(_)), "{n}: {outcome:?}");
    }
    assert!(lives(&*store, &idle, 59 * MINUTE).await);
    assert!(!lives(&*store, &idle, 60 * MINUTE).await);
    assert_eq!(
        rotate(&*store, "idle", "x", 61 * MINUTE).await,
        Rotation::Unknown
    );
    assert!(lives(&*store, &busy, 599 * MINUTE).await);
    assert!(!lives(&*store, &busy, 600 * MINUTE).await);
    assert_eq!(
        rotate(&*store, "b10", "x", 601 * MINUTE).await,
        Rotation::Unknown
    );
}

/// Role, password, disabling, removal and logout of all end sessions at once.
pub async fn a_change_of_the_user_ends_sessions(store: Arc<dyn ControlStore>) {
    with_user(&*store, "root", Role::Admin).await;
    with_user(&*store, "ada", Role::Viewer).await;
    let role = UserChange {
        role: Some(Role::Operator),
        ..UserChange::default()
    };
    let password = UserChange {
        password: Some(PasswordHash::from_stored("new")),
        ..UserChange::default()
    };
    let disable = UserChange {
        enabled: Some(false),
        ..UserChange::default()
    };
    let enable = UserChange {
        enabled: Some(true),
        ..UserChange::default()
    };
    for (n, change) in [role, password.clone(), disable].into_iter().enumerate() {
        let session = with_session(&*store, "ada", &format!("r{n}")).await;
        let user = store.change_user(&name("ada"), change).await.unwrap();
        assert!(user.epoch > session.epoch);
        assert!(!lives(&*store, &session, 0).await, "change {n}");
        store
            .change_user(&name("ada"), enable.clone())
            .await
            .unwrap();
    }
    let (kept, other) = (
        with_session(&*store, "ada", "kept").await,
        with_session(&*store, "ada", "other").await,
    );
    let own = UserChange {
        keep: Some(kept.id.clone()),
        ..password
    };
    store.change_user(&name("ada"), own).await.unwrap();
    assert!(!lives(&*store, &other, 0).await);
    let after = store
        .session(&kept.id, NOW)
        .await
        .unwrap()
        .expect("it goes on");
    assert!(
        after.epoch > kept.epoch,
        "its access tokens end all the same"
    );

    store.end_sessions(&name("ada")).await.unwrap();
    assert!(!lives(&*store, &kept, 0).await);
    let last = with_session(&*store, "ada", "last").await;
    store.delete_user(&name("ada")).await.unwrap();
    assert!(!lives(&*store, &last, 0).await);
}

/// Between the check of a password and the opening of the session the user may change.
pub async fn a_login_that_was_overtaken_opens_nothing(store: Arc<dyn ControlStore>) {
    with_user(&*store, "root", Role::Admin).await;
    with_user(&*store, "ada", Role::Viewer).await;
    let new = new_session(&*store, "ada", "r1", NOW).await;
    let change = UserChange {
        password: Some(PasswordHash::from_stored("new")),
        ..UserChange::default()
    };
    store.change_user(&name("ada"), change).await.unwrap();
    let refused = store.open_session(new, NOW).await;
    assert!(matches!(refused, Err(UserError::Changed(_))), "{refused:?}");
    let disable = UserChange {
        enabled: Some(false),
        ..UserChange::default()
    };
    store.change_user(&name("ada"), disable).await.unwrap();
    let new = new_session(&*store, "ada", "r1", NOW).await;
    let refused = store.open_session(new, NOW).await;
    assert!(
        matches!(refused, Err(UserError::Disabled(_))),
        "{refused:?}"
    );
}

/// The longest unused session goes when there are too many.
pub async fn sessions_are_bounded(store: Arc<dyn ControlStore>) {
    with_user(&*store, "ada", Role::Admin).await;
    let first = with_session(&*store, "ada", "first").await;
    let second = with_session(&*store, "ada", "second").await;
    rotate(&*store, "first", "first2", MINUTE).await;
    for n in 0..limits::SESSIONS_PER_USER - 1 {
        let now = NOW.plus_millis(2 * MINUTE);
        let new = new_session(&*store, "ada", &format!("r{n}"), now).await;
        store.open_session(new, now).await.unwrap();
    }
    assert!(
        lives(&*store, &first, 2 * MINUTE).await,
        "it was used later"
    );
    assert!(!lives(&*store, &second, 2 * MINUTE).await);
}
