//! Opening: topics, and what is wrong with a cluster.

use std::time::{Duration, Instant};

use event_log::{
    EventLog, Kafka, Outcome,
    kafka::{Difference, Mechanism, OpenError, Options, Sasl, Tls, check_topics},
};
use supervision::Supervisor;
use test_servers::{KafkaOptions, free_port};

use super::kit::{append, brokers, draft, make_topic, open, options};

async fn refused(options: Options) -> (OpenError, Duration) {
    let began = Instant::now();
    match Kafka::open(options, &Supervisor::new()).await {
        Ok(_) => panic!("it opened"),
        Err(e) => (e, began.elapsed()),
    }
}

#[tokio::test]
async fn topics_are_made_as_they_should_be() {
    let options = options(brokers(), 2);
    let before = check_topics(&options, false).await.unwrap();
    assert!(before.iter().all(|report| !report.exists && !report.made));
    let log = open(&options).await;
    assert_eq!(log.capabilities().partitions, 2);
    let names: Vec<_> = log.topics().iter().map(|r| r.name.clone()).collect();
    let wanted = ["events", "dead-letters", "sources", "sequences"];
    assert_eq!(
        names,
        wanted.map(|name| format!("{}.{name}", options.prefix))
    );
    log.close().await.unwrap();
    for report in check_topics(&options, true).await.unwrap() {
        assert!(report.exists && !report.made);
        assert_eq!(report.differences, [], "{}", report.name);
    }
}

#[tokio::test]
async fn a_topic_that_is_there_is_reported_and_left_as_it_is() {
    let mut options = options(brokers(), 2);
    make_topic(&options, &[("retention.ms", "1000000")]).await;
    options.partitions = 5;
    let log = open(&options).await;
    assert_eq!(
        log.capabilities().partitions,
        2,
        "it works with what there is"
    );
    let found = &log.topics()[0].differences;
    let difference = |setting: &str, found: &str, wanted: &str| Difference {
        setting: setting.to_owned(),
        found: found.to_owned(),
        wanted: wanted.to_owned(),
    };
    for wanted in [
        difference("partitions", "2", "5"),
        difference("retention.ms", "1000000", "604800000"),
        difference("message.timestamp.type", "CreateTime", "LogAppendTime"),
    ] {
        assert!(found.contains(&wanted), "{wanted:?} is not in {found:?}");
    }
    log.close().await.unwrap();
    let again = check_topics(&options, true).await.unwrap();
    assert_eq!(again[0].differences, log.topics()[0].differences);
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_said_with_where_it_was_looked_for() {
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let (error, after) = refused(options(address.clone(), 1)).await;
    let line = error.to_string();
    assert!(
        line.contains(&address) && line.contains("check that it runs"),
        "{line}"
    );
    assert!(
        error.is_transient() && after < Duration::from_secs(20),
        "{after:?}"
    );
}

#[tokio::test]
async fn another_protocol_is_told_apart_from_no_broker() {
    let mut options = options(brokers(), 1);
    options.security.tls = Some(Tls::default());
    let (error, _) = refused(options).await;
    let line = error.to_string();
    assert!(line.contains("check `tls`"), "{line}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn too_many_copies_are_refused_with_the_fix() {
    let mut options = options(brokers(), 1);
    options.replication = 3;
    let (error, _) = refused(options).await;
    let line = error.to_string();
    assert!(
        line.contains(".events`") && line.contains("`replication` lower"),
        "{line}"
    );
    assert!(!error.is_transient());
}

/// A broker that wants a name and password, and gives rights to one user only.
#[tokio::test]
async fn logins_and_missing_rights_are_said() {
    let jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required \
         username=\"admin\" password=\"secret\" user_admin=\"secret\" user_homelog=\"hunter2\";";
    let properties = [
        "listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms=PLAIN",
        "sasl.mechanism.inter.broker.protocol=PLAIN",
        &format!("listener.name.client.plain.sasl.jaas.config={jaas}"),
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users=User:admin;User:ANONYMOUS",
    ];
    let server = test_servers::Kafka::start(&KafkaOptions {
        properties: properties.map(str::to_owned).to_vec(),
        ..KafkaOptions::default()
    })
    .unwrap();
    let login = |mechanism, username: &str, password: &str| {
        let mut options = options(server.brokers(), 1);
        options.security.sasl = Some(Sasl {
            mechanism,
            username: username.to_owned(),
            password: password.into(),
        });
        options
    };
    let admin = login(Mechanism::Plain, "admin", "secret");
    let log = open(&admin).await;
    assert_eq!(
        append(&log, vec![draft("nas1", 1)]).await,
        [Outcome::Appended]
    );
    log.close().await.unwrap();

    let (error, after) = refused(login(Mechanism::Plain, "homelog", "wrong")).await;
    let line = error.to_string();
    assert!(
        line.contains("refuses the login") && line.contains("password"),
        "{line}"
    );
    assert!(!line.contains("wrong"), "{line}");
    assert!(
        !error.is_transient() && after < Duration::from_secs(8),
        "{after:?}"
    );

    let (error, _) = refused(login(Mechanism::ScramSha512, "admin", "secret")).await;
    let line = error.to_string();
    assert!(
        line.contains("SASL mechanism") && !error.is_transient(),
        "{line}"
    );

    let (error, _) = refused(login(Mechanism::Plain, "homelog", "hunter2")).await;
    let line = error.to_string();
    assert!(
        line.contains(".events`") && line.contains("homelog topics"),
        "{line}"
    );
    assert!(!error.is_transient());
}
