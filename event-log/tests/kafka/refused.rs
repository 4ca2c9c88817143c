//! Events that the topic does not take.

use std::fmt::Write as _;

use event_log::{EventLog, Outcome};
use schemas::FieldValue;

use super::kit::{
    admin, append, brokers, draft, make_topic, open, options, read_all, topic, values,
};

fn large(value: i64) -> schemas::Draft {
    let mut large = draft("nas1", value);
    // it does not compress
    let mut state = value.unsigned_abs() + 1;
    for n in 0..4 {
        let mut text = String::new();
        while text.len() < 4000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            write!(text, "{state:x}").unwrap();
        }
        text.truncate(4096);
        let name = schemas::FieldName::new(format!("text{n}")).unwrap();
        large.fields.set(name, FieldValue::text(text).unwrap());
    }
    large
}

fn refusal(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Refused(why) => why,
        other => panic!("it was {other:?}"),
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused_alone_and_uses_no_seq() {
    let options = options(brokers(), 1);
    make_topic(
        &options,
        &[
            ("max.message.bytes", "8000"),
            ("message.timestamp.type", "LogAppendTime"),
        ],
    )
    .await;
    let log = open(&options).await;
    let mut drafts: Vec<_> = (0..200).map(|n| draft("nas1", n)).collect();
    drafts.insert(100, large(-1));
    let outcomes = append(&log, drafts).await;
    for (n, outcome) in outcomes.iter().enumerate() {
        if n == 100 {
            let why = refusal(outcome);
            assert!(
                why.contains("8000") && why.contains("max.message.bytes"),
                "{why}"
            );
        } else {
            assert_eq!(*outcome, Outcome::Appended);
        }
    }
    assert_eq!(values(&read_all(&log).await), (0..200).collect::<Vec<_>>());
    let state = log.sequences().await.unwrap().remove(0);
    assert_eq!((state.last_seq, state.holes), (200, vec![]));
    log.close().await.unwrap();
}

/// The limit was lowered after the log was opened: the brokers refuse a whole batch, and only what is too large itself stays out.
#[tokio::test]
async fn a_limit_that_is_lowered_later_concerns_only_what_is_larger() {
    let options = options(brokers(), 1);
    let log = open(&options).await;
    append(&log, vec![draft("nas1", 0)]).await;
    let name = topic(&options);
    let change = rdkafka::admin::AlterConfig::new(rdkafka::admin::ResourceSpecifier::Topic(&name))
        .set("max.message.bytes", "8000")
        .set("message.timestamp.type", "LogAppendTime");
    let done = admin(&options)
        .alter_configs([&change], &rdkafka::admin::AdminOptions::new())
        .await
        .unwrap();
    done[0].as_ref().unwrap();
    let mut drafts: Vec<_> = (1..100).map(|n| draft("nas1", n)).collect();
    drafts.insert(50, large(-1));
    let outcomes = append(&log, drafts).await;
    assert!(refusal(&outcomes[50]).contains("8000"));
    let taken = outcomes.iter().filter(|o| **o == Outcome::Appended).count();
    assert_eq!(taken, 99);
    assert_eq!(values(&read_all(&log).await), (0..100).collect::<Vec<_>>());
    assert_eq!(
        append(&log, vec![draft("nas1", 100)]).await,
        [Outcome::Appended]
    );
    log.close().await.unwrap();
}
