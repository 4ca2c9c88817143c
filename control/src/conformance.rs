//! The suite that every adapter passes: one law per function.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test suite says by panicking which law was broken"
)]

mod display_names;
mod owners;
mod sessions;
mod tickets;
mod tokens;
mod upkeep;
mod users;

pub use display_names::a_source_is_shown_by_the_name_it_was_given_last;
pub use owners::a_source_has_one_owner;
pub use sessions::{
    a_change_of_the_user_ends_sessions, a_late_reuse_ends_the_session,
    a_login_that_was_overtaken_opens_nothing, a_session_ends_by_idleness_and_age,
    a_session_rotates_its_refresh_token, of_two_uses_at_once_one_rotates, sessions_are_bounded,
};
pub use tickets::{
    a_ticket_is_for_one_stream, a_ticket_opens_one_websocket, tickets_end_with_their_owner,
};
pub use tokens::{signing_keys_rotate, tokens_do_at_most_what_their_user_may};
pub use upkeep::{preferences_are_kept_and_bounded, the_audit_trail_is_newest_first_and_bounded};
pub use users::{
    the_first_user_needs_the_newest_setup_token, the_last_admin_stays,
    users_are_made_listed_and_changed,
};

use schemas::{Timestamp, api::Role};

use crate::{
    ControlStore, NewApiToken, NewSession, NewUser, PasswordHash, RotationRule, SecretHash,
    Session, SessionId, TokenSecret, Username,
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
            a_source_has_one_owner,
            a_source_is_shown_by_the_name_it_was_given_last,
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
        agent: None,
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
