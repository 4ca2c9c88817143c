//! Reads one partition of a topic from an offset to where it ends now.

use std::time::{Duration, Instant};

use rdkafka::{
    Message, config::FromClientConfigAndContext, consumer::Consumer, error::KafkaError,
    message::BorrowedMessage,
};

use super::{
    client::{self, Context},
    cluster::{Client, Cluster, places, unsigned},
    error::{read, read_failed},
};
use crate::ReadError;

/// How long nothing may come before the end.
const PATIENCE: Duration = Duration::from_secs(20);

/// Shows every record of a partition from an offset on, until the end or until it is told to stop. Returns the offset after
/// the last. Blocks.
pub(super) fn scan(
    cluster: &Cluster,
    topic: &str,
    partition: usize,
    from: u64,
    mut each: impl FnMut(&BorrowedMessage<'_>) -> bool,
) -> Result<u64, ReadError> {
    let failed = |e: &KafkaError| read(cluster.brokers(), &format!("topic `{topic}`"), e);
    let extent = cluster.extent(topic, partition).map_err(|e| failed(&e))?;
    let from = from.max(extent.low);
    if from >= extent.high {
        return Ok(extent.high);
    }
    let mut config = client::consumer(&cluster.options, 1024);
    config.set("enable.partition.eof", "true");
    let consumer =
        Client::from_config_and_context(&config, Context::default()).map_err(|e| failed(&e))?;
    let list = places(topic, [(partition, from)]).map_err(|e| failed(&e))?;
    consumer.assign(&list).map_err(|e| failed(&e))?;
    let mut next = from;
    let mut heard = Instant::now();
    while next < extent.high {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                heard = Instant::now();
                next = unsigned(message.offset()) + 1;
                if !each(&message) {
                    return Ok(next);
                }
            }
            // the last records may have been compacted away
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(extent.high.max(next)),
            Some(Err(_)) | None if heard.elapsed() < PATIENCE => {}
            Some(Err(e)) => return Err(failed(&e)),
            None => {
                let cause = format!("topic `{topic}` gave nothing for {PATIENCE:?}");
                return Err(read_failed(cluster.brokers(), cause));
            }
        }
    }
    Ok(next)
}
