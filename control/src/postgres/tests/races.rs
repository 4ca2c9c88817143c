//! Several instances on one database, at the same instant.

use schemas::api::Role;
use tokio::task::JoinSet;

use super::*;
use crate::conformance::{new_session, new_user};

const RULE: RotationRule = RotationRule {
    idle_ms: 3_600_000,
    grace_ms: 20_000,
};

fn ada() -> Username {
    Username::new("ada").unwrap()
}

/// Two instances, and the admin `ada`.
async fn two_with_ada() -> ([Postgres; 2], Timestamp) {
    let database = database();
    let stores = [instance(&database).await, instance(&database).await];
    let now = Timestamp::now();
    stores[0]
        .create_user(new_user("ada", Role::Admin), now)
        .await
        .unwrap();
    (stores, now)
}

async fn with_session(store: &Postgres, refresh: &str, now: Timestamp) -> Session {
    let new = new_session(store, "ada", refresh, now).await;
    store.open_session(new, now).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_uses_of_a_refresh_token_one_rotates() {
    let (stores, now) = two_with_ada().await;
    for round in 0..10 {
        let refresh = format!("r{round}");
        let session = with_session(&stores[0], &refresh, now).await;
        let presented = SecretHash::of(&refresh);
        let mut uses = JoinSet::new();
        for n in 0..10 {
            let store = stores[n % 2].clone();
            let next = SecretHash::of(&format!("{refresh}-{n}"));
            uses.spawn(async move {
                let outcome = store.rotate_session(&presented, &next, RULE, now).await;
                (next, outcome.expect("a store that answers"))
            });
        }
        let mut winners = Vec::new();
        for (next, outcome) in uses.join_all().await {
            match outcome {
                Rotation::Rotated(_) => winners.push(next),
                Rotation::Repeated {
                    session: same,
                    next_is_current,
                } => {
                    assert_eq!(same, session);
                    assert!(!next_is_current, "its successor is not the one");
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        let late = now.plus_millis(RULE.grace_ms + 1);
        let next = SecretHash::of("after");
        let reused = stores[1]
            .rotate_session(&presented, &next, RULE, late)
            .await;
        assert_eq!(reused.unwrap(), Rotation::Reused(ada()));
        let gone = stores[0]
            .rotate_session(&winners[0], &next, RULE, late)
            .await;
        assert_eq!(gone.unwrap(), Rotation::Unknown, "the family is revoked");
        assert_eq!(stores[0].session(&session.id, now).await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_opens_one_of_fifty_websockets_and_one_stream() {
    let (stores, now) = two_with_ada().await;
    let session = with_session(&stores[0], "r", now).await;
    let owner = Principal::Session(session.id.clone());
    for round in 0..6 {
        let hash = SecretHash::of(&format!("t{round}"));
        let ticket = NewTicket {
            hash,
            owner: owner.clone(),
            expires: now.plus_millis(1000),
        };
        stores[0].issue_ticket(ticket, now).await.unwrap();
        let mut tries = JoinSet::new();
        for n in 0..50 {
            let store = stores[n % 2].clone();
            let usage = if round % 2 == 0 {
                TicketUse::Once
            } else {
                TicketUse::Stream(SecretHash::of(&format!("stream {n}")))
            };
            tries.spawn(async move { store.redeem_ticket(&hash, usage, now).await.unwrap() });
        }
        let opened: Vec<_> = tries.join_all().await.into_iter().flatten().collect();
        assert_eq!(opened, std::slice::from_ref(&owner), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_admin_is_made_once() {
    for _ in 0..5 {
        let database = database();
        let stores = [instance(&database).await, instance(&database).await];
        let now = Timestamp::now();
        let token = SecretHash::of("set-up");
        assert!(stores[0].offer_setup(&token).await.unwrap());
        let mut tries = JoinSet::new();
        for n in 0..12 {
            let store = stores[n % 2].clone();
            tries.spawn(async move {
                let new = new_user(&format!("admin{n}"), Role::Admin);
                store.complete_setup(&token, new, now).await
            });
        }
        let mut made = 0;
        for outcome in tries.join_all().await {
            match outcome {
                Ok(_) => made += 1,
                Err(SetupError::Done) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(made, 1);
        assert_eq!(stores[1].users().await.unwrap().len(), 1);
        assert!(!stores[1].setup_needed().await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_start_at_once_sign_with_one_key() {
    for _ in 0..5 {
        let database = database();
        let now = Timestamp::now();
        let mut starts = JoinSet::new();
        for _ in 0..5 {
            let options = options(server().url(&database));
            starts.spawn(async move {
                let store = Postgres::open(options).await.unwrap();
                store.signing_keys(now).await.unwrap()
            });
        }
        let keys = starts.join_all().await;
        for key in &keys {
            assert_eq!(key.len(), 1);
            assert_eq!(
                (&key[0].id, key[0].secret()),
                (&keys[0][0].id, keys[0][0].secret())
            );
        }
        let stores = [instance(&database).await, instance(&database).await];
        let retire = now.plus_millis(60_000);
        let (a, b) = tokio::join!(
            stores[0].rotate_signing_key(now, retire),
            stores[1].rotate_signing_key(now, retire)
        );
        let made = [a.unwrap().id, b.unwrap().id];
        let keys = stores[0].signing_keys(now).await.unwrap();
        let signing: Vec<_> = keys.iter().filter(|key| key.retires.is_none()).collect();
        assert_eq!((keys.len(), signing.len()), (3, 1));
        assert!(made.contains(&signing[0].id) && signing[0].id == keys[0].id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_admins_who_remove_each_other_leave_one() {
    let (stores, now) = two_with_ada().await;
    for round in 0..10 {
        let name = format!("eve{round}");
        let eve = Username::new(&name).unwrap();
        stores[0]
            .create_user(new_user(&name, Role::Admin), now)
            .await
            .unwrap();
        let demote = UserChange {
            role: Some(Role::Viewer),
            ..UserChange::default()
        };
        let ada = ada();
        let (a, b) = tokio::join!(
            stores[0].change_user(&ada, demote),
            stores[1].delete_user(&eve)
        );
        assert_eq!(u8::from(a.is_ok()) + u8::from(b.is_ok()), 1, "{a:?} {b:?}");
        let restore = UserChange {
            role: Some(Role::Admin),
            ..UserChange::default()
        };
        stores[0].change_user(&ada, restore).await.unwrap();
        if b.is_err() {
            stores[0].delete_user(&eve).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_also_when_all_come_at_once() {
    let (stores, now) = two_with_ada().await;
    let session = with_session(&stores[0], "r", now).await;
    let mut all = JoinSet::new();
    for n in 0..120_usize {
        let store = stores[n % 2].clone();
        let owner = Principal::Session(session.id.clone());
        all.spawn(async move {
            let ticket = NewTicket {
                hash: SecretHash::of(&format!("t{n}")),
                owner,
                expires: now.plus_millis(1000),
            };
            store.issue_ticket(ticket, now).await.unwrap();
            let token = crate::TokenSecret::random().unwrap();
            let new = crate::conformance::new_token(&token, "ada", Role::Viewer);
            let new = NewApiToken {
                expires: None,
                ..new
            };
            store.create_api_token(new, now).await.is_ok()
        });
    }
    let made = all
        .join_all()
        .await
        .into_iter()
        .filter(|made| *made)
        .count();
    assert_eq!(made, 100);
    assert_eq!(stores[0].api_tokens(None).await.unwrap().len(), 100);
    let mut good = 0;
    for n in 0..120 {
        let hash = SecretHash::of(&format!("t{n}"));
        let redeemed = stores[1].redeem_ticket(&hash, TicketUse::Once, now).await;
        good += i64::from(redeemed.unwrap().is_some());
    }
    assert_eq!(good, crate::limits::TICKETS_PER_OWNER);
}

/// Everything that locks rows runs against everything else: nobody is ever left with an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_are_never_in_each_others_way_for_good() {
    let (stores, now) = two_with_ada().await;
    let mut all = JoinSet::new();
    for n in 0..8_usize {
        let store = stores[n % 2].clone();
        all.spawn(async move {
            for round in 0..25_usize {
                let refresh = format!("r{n}-{round}");
                let new = new_session(&store, "ada", &refresh, now).await;
                let id = new.id.clone();
                match store.open_session(new, now).await {
                    Ok(_) | Err(UserError::Changed(_)) => {}
                    Err(other) => panic!("{other}"),
                }
                let (presented, next) = (
                    SecretHash::of(&refresh),
                    SecretHash::of(&format!("{refresh}+")),
                );
                store
                    .rotate_session(&presented, &next, RULE, now)
                    .await
                    .unwrap();
                let ticket = NewTicket {
                    hash: SecretHash::of(&format!("t{n}-{round}")),
                    owner: Principal::Session(id.clone()),
                    expires: now,
                };
                // the session may be over, then there is nobody to own it
                drop(store.issue_ticket(ticket, now).await);
                match round % 5 {
                    0 => store.end_sessions(&ada()).await.unwrap(),
                    1 => drop(store.end_session(&id).await.unwrap()),
                    2 => drop(store.end_session_of(&next).await.unwrap()),
                    3 => {
                        let change = UserChange {
                            password: Some(PasswordHash::from_stored("other")),
                            keep: Some(id),
                            ..UserChange::default()
                        };
                        store.change_user(&ada(), change).await.unwrap();
                    }
                    _ => {
                        let given = BTreeMap::from([("key".to_owned(), refresh)]);
                        store.set_preferences(&ada(), given).await.unwrap();
                    }
                }
            }
        });
    }
    all.join_all().await;
}
