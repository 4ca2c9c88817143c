//! Servers that are not what the config says they are: each time a line that names the server and the fix, and a process that
//! waits where waiting may help and ends where only a person can.

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use homelog_tests::{
    home::{Home, Servers},
    role::Role,
};
use serde_json::{Value, json};
use test_servers::{Influxdb, Kafka, KafkaOptions, free_port};

/// How long a busy machine may take until the line is there.
const PATIENCE: Duration = Duration::from_mins(1);
/// For how long one that waits is looked at.
const GOES_ON: Duration = Duration::from_secs(3);

/// What a process does after it has said what is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Then {
    Ends,
    Waits,
}

/// Starts a worker, and sees that it prints one line with all these words, and what it does then.
fn says(config: &str, place: &Path, words: &[&str], then: Then) -> Result<()> {
    let mut role = Role::homelog("worker", "ingest", config, &[], place)?;
    role.start()?;
    let begun = Instant::now();
    let output = place.join("output.log");
    let line = loop {
        let printed = std::fs::read_to_string(&output).unwrap_or_default();
        let found = printed
            .lines()
            .find(|line| words.iter().all(|word| line.contains(word)));
        if let Some(line) = found {
            break line.to_owned();
        }
        if begun.elapsed() > PATIENCE {
            bail!("no line has {words:?}: {printed}");
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    println!(
        "{:?} after {} ms: {line}",
        then,
        begun.elapsed().as_millis()
    );
    std::thread::sleep(GOES_ON);
    let lives = role.lives();
    ensure!(
        lives.is_ok() == (then == Then::Waits),
        "it should be that it {then:?}, but: {lives:?}"
    );
    role.kill()
}

/// A home's config with one thing changed.
fn changed(config: &str, from: &str, to: &str) -> Result<String> {
    ensure!(config.contains(from), "`{from}` is not in {config}");
    Ok(config.replace(from, to))
}

/// A token that may write one bucket, and nothing else.
async fn token_of_one_bucket() -> Result<String> {
    let url = Servers::shared()?.influxdb.url();
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let ask = async |path: &str| -> Result<Value> {
        let answer = client
            .get(format!("{url}{path}"))
            .header("authorization", format!("Token {}", Influxdb::TOKEN));
        Ok(answer.send().await?.error_for_status()?.json().await?)
    };
    let org = ask("/api/v2/orgs").await?;
    let org = org.pointer("/orgs/0/id").context("no organisation")?;
    let bucket = ask("/api/v2/buckets").await?;
    let bucket = bucket.pointer("/buckets/0/id").context("no bucket")?;
    let made: Value = client
        .post(format!("{url}/api/v2/authorizations"))
        .header("authorization", format!("Token {}", Influxdb::TOKEN))
        .json(&json!({
            "orgID": org,
            "permissions": [{"action": "write", "resource": {"type": "buckets", "id": bucket, "orgID": org}}],
        }))
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let token = made.pointer("/token").and_then(Value::as_str);
    Ok(token.context("no token")?.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_missing_is_told_and_a_store_that_is_down_is_waited_for() -> Result<()> {
    let home = Home::new(1)?;
    let config = home.config("");
    let server = Servers::shared()?.influxdb.url();
    let token = format!("token = \"{}\"", Influxdb::TOKEN);

    let narrow = format!("token = \"{}\"", token_of_one_bucket().await?);
    let wrong = changed(&config, &token, &narrow)?;
    let fix = [
        "there is no bucket `home",
        "influx bucket create",
        "`[store] token`",
    ];
    says(&wrong, &home.place("bucket")?, &fix, Then::Ends)?;

    let wrong = changed(
        &config,
        &server,
        &format!("http://127.0.0.1:{}", free_port()?),
    )?;
    says(
        &wrong,
        &home.place("down")?,
        &["http://127.0.0.1:", "`[store] url`"],
        Then::Waits,
    )
}

/// InfluxDB 1.8 answers `/health` in the same form.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_influxdb_that_is_too_old_is_told_with_its_version() -> Result<()> {
    let home = Home::new(1)?;
    let old = TcpListener::bind("127.0.0.1:0")?;
    let address = old.local_addr()?;
    std::thread::spawn(move || {
        for stream in old.incoming() {
            let answer = || -> std::io::Result<()> {
                let mut stream = stream?;
                let _request = stream.read(&mut [0; 4096])?;
                let body = "{\"checks\":[],\"message\":\"ready for queries and writes\",\
                    \"name\":\"influxdb\",\"status\":\"pass\",\"version\":\"1.8.10\"}";
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                )
            };
            drop(answer());
        }
    });
    let server = Servers::shared()?.influxdb.url();
    let wrong = changed(&home.config(""), &server, &format!("http://{address}"))?;
    says(
        &wrong,
        &home.place("old")?,
        &["it is version 1.8.10", "use InfluxDB 2.x"],
        Then::Ends,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_or_rights_that_kafka_refuses_are_told_with_the_fix() -> Result<()> {
    let home = Home::new(1)?;
    let config = home.config("");
    let brokers = Servers::shared()?.kafka.brokers();

    // one who may log in, and may do nothing with our topics
    let jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required \
         username=\"admin\" password=\"secret\" user_admin=\"secret\" user_homelog=\"hunter2\";";
    let strict = Kafka::start(&KafkaOptions {
        properties: [
            "listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "sasl.enabled.mechanisms=PLAIN",
            "sasl.mechanism.inter.broker.protocol=PLAIN",
            &format!("listener.name.client.plain.sasl.jaas.config={jaas}"),
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:admin;User:ANONYMOUS",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..KafkaOptions::default()
    })?;
    let strict = changed(&config, &brokers, &strict.brokers()).map(|config| (strict, config))?;
    let with_login = |password: &str| {
        let login = format!(
            "[log]\nusername = \"homelog\"\npassword = \"{password}\"\nmechanism = \"plain\"\n"
        );
        changed(&strict.1, "[log]\n", &login)
    };
    let wrong = with_login("wrong")?;
    says(
        &wrong,
        &home.place("login")?,
        &["refuses the login", "password"],
        Then::Ends,
    )?;
    let wrong = with_login("hunter2")?;
    says(
        &wrong,
        &home.place("rights")?,
        &[".events`", "homelog topics"],
        Then::Ends,
    )
}
