//! The suite that every adapter passes: one law per function.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test suite says by panicking which law was broken"
)]

use std::{collections::BTreeMap, sync::Arc};

use schemas::{Timestamp, api::Role};

use crate::{
    AuditEntry, ControlStore, NewApiToken, NewSession, NewTicket, NewUser, PasswordHash, Principal,
    Rotation, RotationRule, SecretHash, Session, SessionId, SetupError, TicketUse, TokenId,
    TokenSecret, UserChange, UserError, Username, limits,
};

/// One test for each law; `$open` is a future of a new, empty store and of what must outlive it.
#[macro_export]
macro_rules! conformance {
    ($open:expr) => {
        $crate::conformance!(@ $open;
            users_are_made_listed_and_changed,
            the_last_admin_stays,
            the_first_user_needs_the_newest_setup_token,
            a_session_rotates_its_refresh_token,
            a_late_reuse_ends_the_session,
            of_two_uses_at_once_one_rotates,
            a_session_ends_by_idleness_and_age,
            a_change_of_the_user_ends_sessions,
            a_login_that_was_overtaken_opens_nothing,
            sessions_are_bounded,
            a_ticket_opens_one_websocket,
            a_ticket_is_for_one_stream,
            tickets_end_with_their_owner,
            tokens_do_at_most_what_their_user_may,
            signing_keys_rotate,
            preferences_are_kept_and_bounded,
            the_audit_trail_is_newest_first_and_bounded,
        );
    };
    (@ $open:expr; $($law:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $law() {
                let (store, kept) = $open.await;
                $crate::conformance::$law(std::sync::Arc::new(store)).await;
                drop(kept);
            }
        )*
    };
}

const NOW: Timestamp = Timestamp::from_millis(1_795_406_700_000);
const MINUTE: i64 = 60_000;
const RULE: RotationRule = RotationRule {
    idle_ms: 60 * MINUTE,
    grace_ms: 20_000,
};

fn name(text: &str) -> Username {
    Username::new(text).expect("a valid name")
}

/// A user to be made.
pub fn new_user(user: &str, role: Role) -> NewUser {
    NewUser {
        name: name(user),
        password: PasswordHash::from_stored(&format!("hash of {user}")),
        role,
    }
}

/// A session to be opened for a user of a store.
pub async fn new_session(
    store: &dyn ControlStore,
    user: &str,
    refresh: &str,
    now: Timestamp,
) -> NewSession {
    let user = store
        .user(&name(user))
        .await
        .expect("a store that answers")
        .expect("a user");
    NewSession {
        id: SessionId::new(&crate::random_id().expect("randomness")),
        user: user.name,
        epoch: user.epoch,
        refresh: SecretHash::of(refresh),
        idle_until: now.plus_millis(RULE.idle_ms),
        expires: now.plus_millis(600 * MINUTE),
    }
}

/// An API token to be made.
pub fn new_token(token: &TokenSecret, user: &str, role: Role) -> NewApiToken {
    NewApiToken {
        id: token.id.clone(),
        hash: token.hash(),
        name: "for tests".to_owned(),
        user: name(user),
        role,
        expires: Some(NOW.plus_millis(10 * MINUTE)),
    }
}

async fn with_user(store: &dyn ControlStore, user: &str, role: Role) {
    store
        .create_user(new_user(user, role), NOW)
        .await
        .expect("a new user");
}

async fn with_session(store: &dyn ControlStore, user: &str, refresh: &str) -> Session {
    let new = new_session(store, user, refresh, NOW).await;
    store.open_session(new, NOW).await.expect("a new session")
}

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

/// Preferences are a user's own and not more than allowed.
pub async fn preferences_are_kept_and_bounded(store: Arc<dyn ControlStore>) {
    with_user(&*store, "root", Role::Admin).await;
    with_user(&*store, "ada", Role::Viewer).await;
    let map = |n: usize, value: &str| -> BTreeMap<String, String> {
        (0..n)
            .map(|i| (format!("key{i}"), value.to_owned()))
            .collect()
    };
    store
        .set_preferences(&name("ada"), map(limits::PREFERENCES, "ü"))
        .await
        .unwrap();
    assert_eq!(store.preferences(&name("ada")).await.unwrap(), map(64, "ü"));
    assert_eq!(
        store.preferences(&name("root")).await.unwrap(),
        BTreeMap::new()
    );
    for bad in [
        map(limits::PREFERENCES + 1, ""),
        map(1, &"x".repeat(limits::PREFERENCE_VALUE + 1)),
        BTreeMap::from([(String::new(), String::new())]),
    ] {
        assert!(store.set_preferences(&name("ada"), bad).await.is_err());
    }
    assert_eq!(
        store.preferences(&name("ada")).await.unwrap().len(),
        64,
        "nothing of it is kept"
    );
    store
        .set_preferences(&name("ada"), map(1, ""))
        .await
        .unwrap();
    assert_eq!(store.preferences(&name("ada")).await.unwrap(), map(1, ""));
    let missing = store.set_preferences(&name("max"), map(1, "")).await;
    assert!(matches!(missing, Err(UserError::Unknown(_))), "{missing:?}");
}

/// Audit entries come newest first and cannot grow without bound.
pub async fn the_audit_trail_is_newest_first_and_bounded(store: Arc<dyn ControlStore>) {
    for n in 0..3_i64 {
        let entry = AuditEntry {
            time: NOW.plus_millis(n),
            actor: "a\u{1b}[2Jb".to_owned(),
            action: "login".to_owned(),
            target: "x".repeat(100_000),
            from: "192.168.1.2".to_owned(),
            done: n == 1,
        };
        store.record(entry).await.unwrap();
    }
    let entries = store.audit(2).await.unwrap();
    let times: Vec<_> = entries.iter().map(|e| e.time).collect();
    assert_eq!(times, [NOW.plus_millis(2), NOW.plus_millis(1)]);
    assert_eq!((entries[0].done, entries[1].done), (false, true));
    assert_eq!(entries[0].actor, "a[2Jb");
    assert_eq!(entries[0].target.len(), limits::AUDIT_TEXT);
}
