//! What the driver of a test and an agent of its own tell each other, by files: either of them may be killed at any time.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// What an agent is started with, as JSON.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Orders {
    /// Its name.
    pub name: String,
    /// Its spool and the files below.
    pub directory: PathBuf,
    /// Its sources.
    pub sources: Vec<String>,
    /// Time before the first event, in Unix milliseconds.
    pub base: i64,
    /// Events of all its sources in a second.
    pub rate: u64,
    /// Where it ships to.
    pub brokers: String,
    /// What the names of topics begin with.
    pub topics: String,
    /// Partitions of the topic of events.
    pub partitions: usize,
    /// Copies of each.
    pub replication: usize,
}

/// What an agent has counted in one of its lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Events that the destination took and did not have.
    pub shipped: u64,
    /// Events that the destination had already.
    pub duplicates: u64,
    /// Events that the destination refused for good.
    pub refused: u64,
    /// Events that the spool dropped.
    pub dropped: u64,
    /// Appends that failed and were repeated.
    pub retries: u64,
    /// Requests that the client sent to a broker again.
    pub resent: u64,
    /// Times that the destination had lost events.
    pub rewinds: u64,
}

/// The highest seq of each source that the spool has acknowledged.
#[derive(Debug)]
pub struct Acknowledged {
    file: File,
    sources: usize,
}

const WORD: u64 = 8;

impl Acknowledged {
    /// Opens the file of an agent, or begins one.
    ///
    /// # Errors
    /// The directory is not there.
    pub fn open(orders: &Orders) -> Result<Self> {
        let file = File::options()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(orders.directory.join("acknowledged"))?;
        let sources = orders.sources.len();
        if file.metadata()?.len() < WORD * sources as u64 {
            file.write_all_at(&vec![0; 8 * sources], 0)?;
        }
        Ok(Self { file, sources })
    }

    /// Remembers one; a word is written whole or not at all, whenever the writer is killed.
    ///
    /// # Errors
    /// The disk is full.
    pub fn put(&self, source: usize, seq: u64) -> Result<()> {
        Ok(self
            .file
            .write_all_at(&seq.to_le_bytes(), WORD * source as u64)?)
    }

    /// All of them, in the order of the sources.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn all(&self) -> Result<Vec<u64>> {
        (0..self.sources)
            .map(|source| {
                let mut word = [0; 8];
                self.file.read_exact_at(&mut word, WORD * source as u64)?;
                Ok(u64::from_le_bytes(word))
            })
            .collect()
    }
}

/// Up to which seq an agent may make events of each source.
///
/// # Errors
/// The driver has not said it.
pub fn target(directory: &Path) -> Result<u64> {
    let text = std::fs::read_to_string(directory.join("target")).context("no target")?;
    Ok(text.trim().parse()?)
}

/// Sets it.
///
/// # Errors
/// The directory is not there.
pub fn set_target(directory: &Path, seq: u64) -> Result<()> {
    replace(&directory.join("target"), &seq.to_string())
}

/// Writes what one life has counted so far.
///
/// # Errors
/// The directory is not there.
pub fn put_counts(directory: &Path, counts: Counts) -> Result<()> {
    let name = format!("counts-{}.json", std::process::id());
    replace(&directory.join(name), &serde_json::to_string(&counts)?)
}

/// The sum over all lives of an agent.
///
/// # Errors
/// The directory is not there, or a file of it is damaged.
pub fn counts(directory: &Path) -> Result<Counts> {
    let mut sum = Counts::default();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with("counts-") || !name.ends_with(".json") {
            continue;
        }
        let one: Counts = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
        sum.shipped += one.shipped;
        sum.duplicates += one.duplicates;
        sum.refused += one.refused;
        sum.dropped += one.dropped;
        sum.retries += one.retries;
        sum.resent += one.resent;
        sum.rewinds += one.rewinds;
    }
    Ok(sum)
}

fn replace(path: &Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, path)?;
    Ok(())
}
