mod faults;
mod moving;
mod opening;
mod races;
mod tls;

use std::{process::Command, sync::OnceLock};

use test_servers::unique;

use super::*;

/// One server for all tests of the process that leave it alone.
fn server() -> &'static test_servers::Postgres {
    static SERVER: OnceLock<test_servers::Postgres> = OnceLock::new();
    SERVER.get_or_init(|| test_servers::Postgres::start().expect("a PostgreSQL server"))
}

/// A new, empty database; its name.
fn database() -> String {
    let name = unique("control");
    server().create_database(&name).expect("a new database");
    name
}

fn options(url: String) -> Options {
    Options::new(url.into())
}

/// A handle, as each instance of the API has one.
async fn instance(database: &str) -> Postgres {
    Postgres::open(options(server().url(database)))
        .await
        .expect("a store")
}

/// Runs SQL as the superuser and gives what it says.
fn sql(server: &test_servers::Postgres, database: &str, text: &str) -> String {
    let done = Command::new("psql")
        .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", text])
        .arg(server.url(database))
        .output()
        .expect("psql starts");
    assert!(
        done.status.success(),
        "{text}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

/// Why it cannot be opened; the error has one line and no password.
async fn refused(options: Options) -> OpenError {
    let error = Postgres::open(options).await.expect_err("must be refused");
    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains("hunter2") && !shown.contains('\n'),
        "{shown}"
    );
    error
}

crate::conformance!(async {
    let database = database();
    (instance(&database).await, database)
});
