//! What is asked of the cluster itself: how far partitions reach, and when.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::KafkaError,
    metadata::Metadata,
    types::RDKafkaErrorCode as Code,
};
use schemas::{Position, Timestamp};

use super::{
    client::{self, Context},
    error::{self, OpenError, is_final, read, read_failed},
    options::Options,
};
use crate::ReadError;

/// How long one question may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How soon a question is asked again.
const AGAIN: Duration = Duration::from_millis(50);
/// How long opening waits for a broker.
const CONNECT: Duration = Duration::from_secs(10);
/// Most groups that a client is kept for.
const GROUPS: usize = 16;

pub(super) type Client = BaseConsumer<Context>;

/// Where a partition begins and ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Extent {
    pub(super) low: u64,
    pub(super) high: u64,
}

/// A connection to the cluster for questions.
pub(super) struct Cluster {
    pub(super) options: Options,
    context: Context,
    client: Client,
    admin: Mutex<Option<Arc<AdminClient<Context>>>>,
    groups: Mutex<HashMap<String, Arc<Client>>>,
}

/// Whether an answer only says that the cluster is about to know better.
const fn passes(code: Code) -> bool {
    matches!(
        code,
        Code::NotLeaderForPartition
            | Code::LeaderNotAvailable
            | Code::OffsetNotAvailable
            | Code::UnknownLeaderEpoch
            | Code::FencedLeaderEpoch
            | Code::ReplicaNotAvailable
            | Code::NotCoordinator
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::WaitingForCoordinator
            | Code::UnknownPartition
    )
}

/// Asks until the answer is more than that the cluster is about to know better. Blocks.
fn ask<T>(mut question: impl FnMut() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    let end = Instant::now() + PATIENCE;
    loop {
        match question() {
            Err(e) if passes(error::code(&e)) && Instant::now() < end => {
                std::thread::sleep(AGAIN);
            }
            answer => return answer,
        }
    }
}

/// Runs what blocks on a thread for it.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|e| Err(read_failed("kafka", format!("a read ended: {e}"))))
}

/// An offset as Kafka writes it.
pub(super) fn signed(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}

/// A partition's number as Kafka writes it.
pub(super) fn number(partition: usize) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

pub(super) fn index(partition: i32) -> usize {
    usize::try_from(partition).unwrap_or(0)
}

/// Offsets of some partitions of a topic, as Kafka's calls take them.
pub(super) fn places(
    topic: &str,
    offsets: impl IntoIterator<Item = (usize, u64)>,
) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        list.add_partition_offset(topic, number(partition), Offset::Offset(signed(offset)))?;
    }
    Ok(list)
}

impl Cluster {
    /// A connection that was tried. Blocks.
    pub(super) fn connect(options: Options) -> Result<Self, OpenError> {
        if let Some(fault) = options.fault() {
            return Err(OpenError::Options(fault));
        }
        let context = Context::default();
        let mut config = client::config(&options);
        config.set("allow.auto.create.topics", "false");
        let client = Client::from_config_and_context(&config, context.clone())
            .map_err(|e| OpenError::of(&options.brokers, &e, None))?;
        let cluster = Self {
            options,
            context,
            client,
            admin: Mutex::default(),
            groups: Mutex::default(),
        };
        let end = Instant::now() + CONNECT;
        loop {
            let asked = cluster.client.fetch_metadata(None, Duration::from_secs(1));
            let Err(failed) = asked else {
                return Ok(cluster);
            };
            // what the client says of its connections waits to be polled
            for _ in 0..64 {
                drop(cluster.client.poll(Duration::ZERO));
            }
            let seen = cluster.context.seen();
            let in_vain = seen.as_ref().is_some_and(|(code, _)| is_final(*code));
            let error = OpenError::of(&cluster.options.brokers, &failed, seen);
            if in_vain || !error.is_transient() || Instant::now() > end {
                return Err(error);
            }
        }
    }

    pub(super) fn brokers(&self) -> &str {
        &self.options.brokers
    }

    /// What an error that came while opening means.
    pub(super) fn fault(&self, error: &KafkaError) -> OpenError {
        OpenError::of(self.brokers(), error, None)
    }

    pub(super) fn metadata(&self) -> Result<Metadata, KafkaError> {
        self.client.fetch_metadata(None, PATIENCE)
    }

    pub(super) fn admin(&self) -> Result<Arc<AdminClient<Context>>, KafkaError> {
        let mut admin = self.admin.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(admin) = &*admin {
            return Ok(Arc::clone(admin));
        }
        let config = client::config(&self.options);
        let made = AdminClient::from_config_and_context(&config, self.context.clone())?;
        Ok(Arc::clone(admin.insert(Arc::new(made))))
    }

    /// Where one partition begins and ends. Blocks.
    pub(super) fn extent(&self, topic: &str, partition: usize) -> Result<Extent, KafkaError> {
        ask(|| self.watermarks(topic, partition, PATIENCE))
    }

    fn watermarks(
        &self,
        topic: &str,
        partition: usize,
        patience: Duration,
    ) -> Result<Extent, KafkaError> {
        let (low, high) = self
            .client
            .fetch_watermarks(topic, number(partition), patience)?;
        Ok(Extent {
            low: unsigned(low),
            high: unsigned(high),
        })
    }

    /// Where every partition of the events begins and ends. Blocks.
    pub(super) fn extents(&self, partitions: usize) -> Result<Vec<Extent>, ReadError> {
        let topic = self.options.topic(super::EVENTS);
        (0..partitions)
            .map(|partition| self.extent(&topic, partition))
            .collect::<Result<_, _>>()
            .map_err(|e| {
                read(
                    self.brokers(),
                    "the ends of its partitions are not known",
                    &e,
                )
            })
    }

    /// Where some partitions of the events begin and end, each for itself; a partition without a leader has no answer. Asks
    /// each once. Blocks.
    pub(super) fn extents_of(
        &self,
        partitions: &[usize],
        patience: Duration,
    ) -> Vec<Result<Extent, ReadError>> {
        let topic = self.options.topic(super::EVENTS);
        let one = |partition: &usize| {
            self.watermarks(&topic, *partition, patience).map_err(|e| {
                let what = format!("the ends of partition {partition} are not known");
                read(self.brokers(), &what, &e)
            })
        };
        partitions.iter().map(one).collect()
    }

    /// The first offset of one partition that was logged at or after an instant, if there is one. Blocks.
    pub(super) fn since_in(
        &self,
        partition: usize,
        logged: Timestamp,
    ) -> Result<Option<u64>, ReadError> {
        let topic = self.options.topic(super::EVENTS);
        ask(|| self.look_up(&topic, logged, partition..partition + 1))
            .map(|found| found.first().copied().flatten())
            .map_err(|e| read(self.brokers(), "a time cannot be looked up", &e))
    }

    /// Where in each partition begins what was logged at or after an instant, within where it begins and ends. Blocks.
    pub(super) fn since(
        &self,
        logged: Timestamp,
        extents: &[Extent],
    ) -> Result<Vec<u64>, ReadError> {
        let topic = self.options.topic(super::EVENTS);
        let found = ask(|| self.look_up(&topic, logged, 0..extents.len()))
            .map_err(|e| read(self.brokers(), "a time cannot be looked up", &e))?;
        let found = found.into_iter().zip(extents);
        Ok(found
            .map(|(offset, extent)| offset.unwrap_or(extent.high).clamp(extent.low, extent.high))
            .collect())
    }

    fn look_up(
        &self,
        topic: &str,
        logged: Timestamp,
        partitions: std::ops::Range<usize>,
    ) -> Result<Vec<Option<u64>>, KafkaError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions.clone() {
            let time = Offset::Offset(logged.as_millis().max(0));
            list.add_partition_offset(topic, number(partition), time)?;
        }
        let found = self.client.offsets_for_times(list, PATIENCE)?;
        let mut offsets = vec![None; partitions.len()];
        for element in found.elements() {
            element.error()?;
            let place = index(element.partition()).checked_sub(partitions.start);
            if let (Offset::Offset(offset), Some(place)) = (
                element.offset(),
                place.and_then(|place| offsets.get_mut(place)),
            ) {
                *place = Some(unsigned(offset));
            }
        }
        Ok(offsets)
    }

    fn client_of(&self, group: &str) -> Result<Arc<Client>, KafkaError> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = groups.get(group) {
            return Ok(Arc::clone(client));
        }
        let mut config = client::consumer(&self.options, 64);
        config.set("group.id", group);
        let client = Client::from_config_and_context(&config, self.context.clone())?;
        if groups.len() >= GROUPS {
            groups.clear();
        }
        let client = Arc::new(client);
        groups.insert(group.to_owned(), Arc::clone(&client));
        Ok(client)
    }

    /// Up to where a group has committed, by partition. Blocks.
    pub(super) fn committed(
        &self,
        group: &str,
        partitions: usize,
    ) -> Result<Vec<Option<u64>>, KafkaError> {
        let topic = self.options.topic(super::EVENTS);
        let client = self.client_of(group)?;
        ask(|| Self::look_committed(&client, &topic, partitions))
    }

    fn look_committed(
        client: &Client,
        topic: &str,
        partitions: usize,
    ) -> Result<Vec<Option<u64>>, KafkaError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, number(partitions) - 1);
        let found = client.committed_offsets(list, PATIENCE)?;
        let mut offsets = vec![None; partitions];
        for element in found.elements() {
            element.error()?;
            if let (Offset::Offset(offset), Some(place)) = (
                element.offset(),
                offsets.get_mut(index(element.partition())),
            ) {
                *place = Some(unsigned(offset));
            }
        }
        Ok(offsets)
    }

    /// Says up to where a group without members has gone. Blocks.
    pub(super) fn commit(&self, group: &str, position: &Position) -> Result<(), KafkaError> {
        let topic = self.options.topic(super::EVENTS);
        let list = places(&topic, (0..).zip(position.offsets().iter().copied()))?;
        let client = self.client_of(group)?;
        ask(|| client.commit(&list, CommitMode::Sync))
    }

    /// The groups whose names begin as ours do. Blocks.
    pub(super) fn groups(&self) -> Result<Vec<String>, KafkaError> {
        let begin = self.options.group("");
        let list = ask(|| self.client.fetch_group_list(None, PATIENCE))?;
        let names = list.groups().iter().map(|group| group.name().to_owned());
        Ok(names.filter(|name| name.starts_with(&begin)).collect())
    }

    /// Deletes what stands before a position. Returns where each partition begins then.
    pub(super) async fn delete_before(&self, position: &[u64]) -> Result<Vec<u64>, KafkaError> {
        let topic = self.options.topic(super::EVENTS);
        let list = places(&topic, (0..).zip(position.iter().copied()))?;
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let done = self.admin()?.delete_records(&list, &options).await?;
        let mut lows = position.to_vec();
        for element in done.elements() {
            element.error()?;
            if let (Offset::Offset(offset), Some(low)) =
                (element.offset(), lows.get_mut(index(element.partition())))
            {
                *low = unsigned(offset);
            }
        }
        Ok(lows)
    }

    /// Whether an error says that the group is not known, so that nothing was ever committed.
    pub(super) fn is_unknown_group(error: &KafkaError) -> bool {
        error::code(error) == Code::GroupIdNotFound
    }
}
