use tokio::task::JoinSet;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_instances_that_start_at_once_make_the_tables_once() {
    let database = database();
    let mut openers = JoinSet::new();
    for _ in 0..5 {
        let options = options(server().url(&database));
        openers.spawn(Postgres::open(options));
    }
    for store in openers.join_all().await {
        store.expect("a store").check().await.expect("it answers");
    }
    let versions =
        "SELECT string_agg(version::text, ',' ORDER BY version) FROM homelog.schema_version";
    assert_eq!(sql(server(), &database, versions), "1,2,3");
}

#[tokio::test]
async fn a_store_that_is_opened_again_still_knows_everything() {
    let database = database();
    let now = Timestamp::now();
    let store = instance(&database).await;
    let key = store.signing_keys(now).await.unwrap().remove(0);
    let new = crate::conformance::new_user("ada", schemas::api::Role::Admin);
    store.create_user(new, now).await.unwrap();
    drop(store);
    let again = instance(&database).await;
    let keys = again.signing_keys(now).await.unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!((&keys[0].id, keys[0].secret()), (&key.id, key.secret()));
    assert_eq!(again.users().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let database = database();
    drop(instance(&database).await);
    sql(
        server(),
        &database,
        "INSERT INTO homelog.schema_version VALUES (99, now())",
    );
    let error = refused(options(server().url(&database))).await;
    assert!(
        matches!(error, OpenError::Newer { found: 99, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("use that release"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused() {
    let opened = Postgres::open_from(options(server().url(&database())), 990_000).await;
    let error = opened.expect_err("must be refused");
    assert!(
        error.to_string().contains("is version 1") && error.to_string().contains("use 99 or later"),
        "{error}"
    );
}

#[tokio::test]
async fn a_wrong_place_is_named_with_what_to_do() {
    let port = server().port();
    let error = refused(options(format!(
        "postgres://homelog:hunter2@127.0.0.1:{port}/nowhere"
    )))
    .await;
    assert!(matches!(error, OpenError::NoDatabase { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("CREATE DATABASE nowhere OWNER homelog"),
        "{error}"
    );
    assert!(!error.is_transient());

    let free = test_servers::free_port().unwrap();
    let error = refused(options(format!(
        "postgres://homelog:hunter2@127.0.0.1:{free}/homelog"
    )))
    .await;
    assert!(
        matches!(&error, OpenError::Unreachable { cause, .. } if cause.contains("refused")),
        "{error}"
    );
    assert!(error.is_transient());

    let error = refused(options(
        "postgres://homelog:hunter2@db.invalid/homelog".to_owned(),
    ))
    .await;
    assert!(
        matches!(error, OpenError::Unreachable { .. })
            && error.to_string().contains("db.invalid:5432"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut options = options(format!("postgres://homelog@127.0.0.1:{port}/homelog"));
    options.connect_timeout = Duration::from_millis(100);
    let error = refused(options).await;
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn a_role_without_rights_is_told_which() {
    let database = database();
    let role = unique("guest");
    sql(
        server(),
        "postgres",
        &format!("CREATE ROLE {role} LOGIN PASSWORD 'hunter2'"),
    );
    let url = format!(
        "postgres://{role}:hunter2@127.0.0.1:{}/{database}",
        server().port()
    );
    let error = refused(options(url.clone())).await;
    assert!(matches!(error, OpenError::Rights { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains(&format!("ALTER DATABASE {database} OWNER TO {role}")),
        "{error}"
    );

    drop(instance(&database).await);
    sql(
        server(),
        &database,
        &format!(
            "GRANT USAGE ON SCHEMA homelog TO {role};
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA homelog TO {role};
             REVOKE DELETE ON homelog.ticket FROM {role}"
        ),
    );
    let error = refused(options(url.clone())).await;
    assert!(error.to_string().contains("table ticket"), "{error}");
    sql(
        server(),
        &database,
        &format!("GRANT DELETE ON homelog.ticket TO {role}"),
    );
    let store = Postgres::open(options(url)).await;
    let store = store.expect("tables that somebody else made will do");
    let new = crate::conformance::new_user("ada", schemas::api::Role::Admin);
    store.create_user(new, Timestamp::now()).await.unwrap();
}

#[tokio::test]
async fn a_schema_that_was_made_for_the_role_is_enough() {
    let database = database();
    let role = unique("guest");
    sql(
        server(),
        &database,
        &format!("CREATE ROLE {role} LOGIN; CREATE SCHEMA homelog AUTHORIZATION {role}"),
    );
    let url = format!("postgres://{role}@127.0.0.1:{}/{database}", server().port());
    let store = Postgres::open(options(url)).await.expect("a store");
    store.check().await.unwrap();
}

#[tokio::test]
async fn a_database_that_cannot_be_written_is_refused() {
    let standby = database();
    sql(
        server(),
        "postgres",
        &format!("ALTER DATABASE {standby} SET default_transaction_read_only = on"),
    );
    let error = refused(options(server().url(&standby))).await;
    assert!(matches!(error, OpenError::ReadOnly { .. }), "{error}");

    let latin = unique("latin");
    sql(
        server(),
        "postgres",
        &format!("CREATE DATABASE {latin} ENCODING 'LATIN1' TEMPLATE template0"),
    );
    let error = refused(options(server().url(&latin))).await;
    assert!(matches!(error, OpenError::Encoding { .. }), "{error}");
}

#[tokio::test]
async fn a_socket_in_the_file_system_will_do() {
    let database = database();
    let directory = sql(server(), "postgres", "SHOW unix_socket_directories");
    let url = format!(
        "postgres://homelog@{}:{}/{database}",
        directory.replace('/', "%2F"),
        server().port()
    );
    let store = Postgres::open(options(url)).await.expect("a store");
    store.check().await.unwrap();
    assert!(format!("{store:?}").contains(&directory), "{store:?}");
}

#[tokio::test]
async fn other_programs_in_the_same_database_are_left_alone() {
    let database = database();
    sql(
        server(),
        &database,
        "CREATE TABLE users (name text); INSERT INTO users VALUES ('not ours')",
    );
    let store = instance(&database).await;
    assert_eq!(store.users().await.unwrap(), []);
    assert_eq!(
        sql(server(), &database, "SELECT name FROM public.users"),
        "not ours"
    );
    let error = Postgres::open_from(options(server().url(&database)), 0).await;
    assert!(error.is_ok(), "and it opens again");
    assert!(!format!("{store:?}").contains("homelog@"), "{store:?}");
}
