use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use schemas::{Timestamp, api::RangeAnswer};

use crate::lab::{Lab, options, sample};

/// A hundred times, at random moments of a running load, history is read and the tail opened at its position: together
/// they hold every value once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_joins_the_tail_without_gap_or_double() {
    for partitions in [1, 3] {
        let lab = Lab::start_with(partitions, &[], true, options()).await;
        let start = Timestamp::now().as_millis() - 3_600_000;
        let done = AtomicBool::new(false);
        let load = async {
            let mut next = 0_i64;
            while !done.load(Ordering::Relaxed) {
                let events: Vec<_> = (next..next + 7)
                    .map(|i| {
                        let mut event = sample("probe", "x", 0.0);
                        event["time"] = (start + i).into();
                        event
                    })
                    .collect();
                next += 7;
                lab.push(&events).await;
                tokio::time::sleep(Duration::from_millis(next.cast_unsigned() % 5)).await;
            }
        };
        let joins = async {
            let mut random = StdRng::seed_from_u64(11);
            for join in 0..50 {
                tokio::time::sleep(Duration::from_millis(random.random_range(0..30))).await;
                let history: RangeAnswer = lab
                    .json(&format!(
                        "/api/v1/range?entity=probe/thing/x&field=value&step=raw&from={start}&to={}",
                        start + 3_000_000
                    ))
                    .await;
                let mut times = history
                    .series
                    .first()
                    .map(|s| s.times.clone())
                    .unwrap_or_default();
                let mut live = lab
                    .live(&format!("?entity=probe/thing/x&from={}", history.position))
                    .await;
                for _ in 0..10 {
                    let event = live.next().await;
                    let time = event.data["time"].as_str().unwrap();
                    times.push(
                        Timestamp::parse(time, Timestamp::now())
                            .unwrap()
                            .as_millis(),
                    );
                }
                let expected: Vec<_> = (start..).take(times.len()).collect();
                assert_eq!(times, expected, "join {join} with {partitions} partitions");
            }
            done.store(true, Ordering::Relaxed);
        };
        tokio::join!(load, joins);
    }
}
