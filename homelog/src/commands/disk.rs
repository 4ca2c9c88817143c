//! `homelog disk`: how much room the data takes.

use std::path::Path;

use super::user::say;
use crate::{cli::DataArgs, data_dir, env::Env, outcome::Failure};

/// The databases and what is in them.
const FILES: [(&str, &str); 4] = [
    ("log.db", "events"),
    ("series.db", "points"),
    ("control.db", "users, sessions, tokens"),
    ("spool/log.db", "events on their way to Kafka or a hub"),
];

pub(crate) fn run(args: &DataArgs, env: &Env) -> Result<(), Failure> {
    let dir = data_dir::existing(args.data.as_deref(), env)?;
    let mut total = 0;
    for (name, what) in FILES {
        let bytes = size_of_database(&dir.join(name));
        if bytes == 0 {
            continue;
        }
        total += bytes;
        say(&format!("{:>10}  {name:12} {what}", human(bytes)))?;
    }
    say(&format!("{:>10}  in {}", human(total), dir.display()))?;
    let free = rustix::fs::statvfs(&dir)
        .map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize))
        .map_err(|e| anyhow::anyhow!("the free space of {} is not known: {e}", dir.display()))?;
    say(&format!("{:>10}  free there", human(free)))
}

/// With what SQLite keeps beside it.
fn size_of_database(path: &Path) -> u64 {
    ["", "-wal", "-shm"]
        .iter()
        .filter_map(|suffix| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            std::fs::metadata(name).ok()
        })
        .map(|metadata| metadata.len())
        .sum()
}

fn human(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}
