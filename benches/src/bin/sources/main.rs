//! What many sources in one collector cost, and how punctual it is: mock services behind links of 5 to 500 ms, some of them faulty.

mod homelog;
mod link;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Result, anyhow, ensure};
use clap::Parser;
use homelog_tests::simulator::Simulator;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{
    homelog::Homelog,
    link::{Fault, Link},
};

/// Measures many sources in one collector.
#[derive(Parser)]
struct Options {
    /// The binary of Homelog, as released
    #[arg(long)]
    homelog: PathBuf,
    /// Sources that are watched
    #[arg(long, default_value_t = 200)]
    sources: usize,
    /// How often each is polled, in seconds
    #[arg(long, default_value_t = 5)]
    interval: u64,
    /// Out of a hundred sources, how many are faulty
    #[arg(long, default_value_t = 5)]
    faulty: usize,
    /// How long it is measured, in seconds
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// What the delays and faults follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Until every source has been polled and what is built up at the start is there.
const WARM_UP: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    let options = Options::parse();
    let place = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    // two homes: a Pi-hole has 16 seats only
    let homes = [options.seed, options.seed + 1]
        .map(|seed| Simulator::start_of(&options.homelog, &["--seed", &seed.to_string()]));
    let mut services = Vec::new();
    for home in &homes {
        let home = home.as_ref().map_err(|e| anyhow!("{e:#}"))?;
        services.extend(home.mocks()?);
    }
    let mut random = StdRng::seed_from_u64(options.seed);
    let mut links = Vec::new();
    let mut sources = Vec::new();
    let mut next_fault = Fault::ALL.into_iter().cycle();
    for (n, service) in services.iter().cycle().take(options.sources).enumerate() {
        let fault = (n * options.faulty % 100 < options.faulty)
            .then(|| next_fault.next())
            .flatten();
        // as many of 5 to 50 ms as of 50 to 500 ms
        let delay = Duration::from_secs_f64(0.005 * 100_f64.powf(random.random_range(0.0..1.0)));
        let link = runtime.block_on(Link::open(service.address()?, delay, fault))?;
        let url = service
            .url
            .replace(service.address()?, &link.address().to_string());
        sources.push(service.source_with(&BTreeMap::from([
            ("name", format!("s{n}-{}", service.name).into()),
            ("url", url.into()),
            ("interval", format!("{}s", options.interval).into()),
        ])));
        links.push(link);
    }
    let faulty = links.iter().filter(|link| link.is_faulty()).count();
    println!(
        "{} sources of {} kinds every {} s, links of 5 to 500 ms, {faulty} of them faulty",
        sources.len(),
        services
            .iter()
            .map(|service| &service.kind)
            .collect::<BTreeSet<_>>()
            .len(),
        options.interval
    );
    let homelog = Homelog::start(&options.homelog, place.path(), &sources)?;
    std::thread::sleep(WARM_UP);
    let before = runtime.block_on(homelog.reading())?;
    std::thread::sleep(Duration::from_secs(options.seconds));
    let after = runtime.block_on(homelog.reading())?;
    after.since(&before, options.seconds).print();
    ensure!(
        after.up + faulty >= sources.len(),
        "sources are down that are not faulty: {} up, {faulty} faulty\n{}",
        after.up,
        homelog.last_words()
    );
    Ok(())
}
