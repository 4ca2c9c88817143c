//! The topics: made with what they need, and never changed.

use std::sync::Arc;

use rdkafka::{
    admin::{AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication},
    error::KafkaError,
    metadata::Metadata,
    types::RDKafkaErrorCode as Code,
};
use tracing::{info, warn};

use super::{
    DEAD_LETTERS, EVENTS, SEQUENCES, SOURCES,
    cluster::{Cluster, PATIENCE},
    error::OpenError,
    options::Options,
};

/// What a topic is and should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicReport {
    /// Its name.
    pub name: String,
    /// Whether it was made just now.
    pub made: bool,
    /// Whether it is there.
    pub exists: bool,
    /// How many partitions it has.
    pub partitions: usize,
    /// How many copies of each partition there are.
    pub replication: usize,
    /// Where it is not as it should be. Homelog changes nothing of a topic that is there.
    pub differences: Vec<Difference>,
}

/// Where a topic is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Name of the setting, as `kafka-configs` knows it; `partitions` and `replication` too.
    pub setting: String,
    /// What it is.
    pub found: String,
    /// What it should be.
    pub wanted: String,
}

struct Wanted {
    name: String,
    partitions: usize,
    settings: Vec<(&'static str, String)>,
}

const MIB: usize = 1024 * 1024;
const DAY_MS: u128 = 24 * 3600 * 1000;

fn wanted(options: &Options) -> Vec<Wanted> {
    let retention = options.retention.as_millis();
    let text = |value: &str| value.to_owned();
    let mut all = vec![
        Wanted {
            name: options.topic(EVENTS),
            partitions: options.partitions,
            settings: vec![
                ("cleanup.policy", text("delete")),
                ("retention.ms", retention.to_string()),
                ("compression.type", text("zstd")),
                // retention goes by arrival: a late event is not deleted unread
                ("message.timestamp.type", text("LogAppendTime")),
                ("max.message.bytes", MIB.to_string()),
            ],
        },
        Wanted {
            name: options.topic(DEAD_LETTERS),
            partitions: 1,
            settings: vec![
                ("cleanup.policy", text("delete")),
                ("retention.ms", retention.max(30 * DAY_MS).to_string()),
                ("retention.bytes", (1024 * MIB).to_string()),
                ("max.message.bytes", (2 * MIB).to_string()),
            ],
        },
        Wanted {
            name: options.topic(SOURCES),
            partitions: 1,
            settings: vec![("cleanup.policy", text("compact"))],
        },
        Wanted {
            name: options.topic(SEQUENCES),
            partitions: 1,
            settings: vec![
                ("cleanup.policy", text("compact")),
                ("max.message.bytes", (8 * MIB).to_string()),
                // it is read whole at every opening: old snapshots go soon
                ("segment.bytes", (8 * MIB).to_string()),
                ("segment.ms", (DAY_MS / 24).to_string()),
                ("min.cleanable.dirty.ratio", text("0.1")),
            ],
        },
    ];
    if options.replication >= 3 {
        for topic in &mut all {
            topic.settings.push(("min.insync.replicas", text("2")));
        }
    }
    all
}

/// Looks at the topics and makes those that are missing, if asked to.
///
/// # Errors
/// The cluster cannot be reached, or a topic cannot be made.
pub async fn check_topics(options: &Options, create: bool) -> Result<Vec<TopicReport>, OpenError> {
    let options = options.clone();
    let cluster = tokio::task::spawn_blocking(move || Cluster::connect(options))
        .await
        .map_err(|e| OpenError::Options(e.to_string()))??;
    ensure(&Arc::new(cluster), create).await
}

/// See [`check_topics`].
pub(super) async fn ensure(
    cluster: &Arc<Cluster>,
    create: bool,
) -> Result<Vec<TopicReport>, OpenError> {
    let wanted = wanted(&cluster.options);
    let mut reports = look(cluster).await?;
    let missing: Vec<&Wanted> = wanted
        .iter()
        .zip(&reports)
        .filter(|(_, report)| !report.exists)
        .map(|(wanted, _)| wanted)
        .collect();
    if create && !missing.is_empty() {
        let made = make(cluster, &missing).await?;
        // a topic that was just made is not known everywhere at once
        for _ in 0..100 {
            reports = look(cluster).await?;
            if reports.iter().all(|report| report.exists) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        for report in &mut reports {
            report.made = made.contains(&report.name);
            if report.made {
                info!(
                    topic = report.name,
                    partitions = report.partitions,
                    "topic made"
                );
            }
        }
    }
    compare(cluster, &wanted, &mut reports).await;
    Ok(reports)
}

async fn look(cluster: &Arc<Cluster>) -> Result<Vec<TopicReport>, OpenError> {
    let cluster = Arc::clone(cluster);
    tokio::task::spawn_blocking(move || {
        let metadata = cluster.metadata().map_err(|e| cluster.fault(&e))?;
        let wanted = wanted(&cluster.options);
        Ok(wanted
            .iter()
            .map(|wanted| found(&metadata, wanted))
            .collect())
    })
    .await
    .map_err(|e| OpenError::Options(e.to_string()))?
}

fn found(metadata: &Metadata, wanted: &Wanted) -> TopicReport {
    let found = metadata
        .topics()
        .iter()
        .find(|topic| topic.name() == wanted.name && topic.error().is_none());
    let partitions = found.map_or(&[][..], |topic| topic.partitions());
    let led = partitions.iter().all(|p| p.leader() >= 0);
    TopicReport {
        name: wanted.name.clone(),
        made: false,
        exists: !partitions.is_empty() && led,
        partitions: partitions.len(),
        replication: partitions.first().map_or(0, |p| p.replicas().len()),
        differences: Vec::new(),
    }
}

async fn make(cluster: &Cluster, missing: &[&Wanted]) -> Result<Vec<String>, OpenError> {
    let copies = i32::try_from(cluster.options.replication).unwrap_or(1);
    let new: Vec<NewTopic<'_>> = missing
        .iter()
        .map(|wanted| {
            let partitions = i32::try_from(wanted.partitions).unwrap_or(1);
            let topic = NewTopic::new(&wanted.name, partitions, TopicReplication::Fixed(copies));
            wanted
                .settings
                .iter()
                .fold(topic, |topic, (name, value)| topic.set(name, value))
        })
        .collect();
    let admin = cluster.admin().map_err(|e| cluster.fault(&e))?;
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    let results = admin
        .create_topics(&new, &options)
        .await
        .map_err(|e| cluster.fault(&e))?;
    let mut made = Vec::new();
    for result in results {
        match result {
            Ok(name) => made.push(name),
            // another was faster
            Err((_, Code::TopicAlreadyExists)) => {}
            Err((name, code)) => return Err(refused(cluster, name, code)),
        }
    }
    Ok(made)
}

fn refused(cluster: &Cluster, name: String, code: Code) -> OpenError {
    let cause = match code {
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
            return OpenError::NotAllowed {
                what: "make the missing topic",
                name,
                fix: "run `homelog topics` once as a user who may, or give this one CREATE on topics that begin with the prefix",
            };
        }
        Code::InvalidReplicationFactor => format!(
            "{} copies need as many brokers: set `replication` lower or add brokers",
            cluster.options.replication
        ),
        Code::InvalidTopic => "its name is not allowed: set another `prefix`".to_owned(),
        Code::PolicyViolation => "a policy of the cluster forbids it: make it by hand".to_owned(),
        code => return cluster.fault(&KafkaError::AdminOp(code)),
    };
    OpenError::Topic { name, cause }
}

/// Writes down where topics are not as they should be; without the right to look, nothing.
async fn compare(cluster: &Cluster, wanted: &[Wanted], reports: &mut [TopicReport]) {
    let names: Vec<ResourceSpecifier<'_>> = wanted
        .iter()
        .map(|wanted| ResourceSpecifier::Topic(&wanted.name))
        .collect();
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let described = match cluster.admin() {
        Ok(admin) => admin.describe_configs(&names, &options).await,
        Err(e) => Err(e),
    };
    let described = described.unwrap_or_else(|e| {
        warn!(error = %e, "the settings of the topics cannot be looked at");
        Vec::new()
    });
    for (wanted, report) in wanted.iter().zip(reports) {
        if !report.exists {
            continue;
        }
        for (setting, found, wanted) in [
            ("partitions", report.partitions, wanted.partitions),
            (
                "replication",
                report.replication,
                cluster.options.replication,
            ),
        ] {
            if found != wanted {
                report.differences.push(Difference {
                    setting: setting.to_owned(),
                    found: found.to_string(),
                    wanted: wanted.to_string(),
                });
            }
        }
        let of = |resource: &ConfigResource| match &resource.specifier {
            rdkafka::admin::OwnedResourceSpecifier::Topic(name) => *name == wanted.name,
            _ => false,
        };
        let Some(found) = described.iter().flatten().find(|resource| of(resource)) else {
            continue;
        };
        for (setting, wanted) in &wanted.settings {
            let found = found.get(setting).and_then(|entry| entry.value.clone());
            if let Some(found) = found.filter(|found| found != wanted) {
                report.differences.push(Difference {
                    setting: (*setting).to_owned(),
                    found,
                    wanted: wanted.clone(),
                });
            }
        }
    }
}

/// The largest record that the topic of events takes, in bytes.
pub(super) fn largest(reports: &[TopicReport]) -> usize {
    reports
        .first()
        .into_iter()
        .flat_map(|events| &events.differences)
        .find(|difference| difference.setting == "max.message.bytes")
        .and_then(|difference| difference.found.parse().ok())
        .unwrap_or(MIB)
}
