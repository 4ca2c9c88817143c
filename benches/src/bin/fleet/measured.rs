use std::time::Duration;

use anyhow::{Context, Result};

/// What a run cost.
pub(crate) struct Measured {
    pub(crate) events: u64,
    pub(crate) took: Duration,
    /// Processor seconds of the process.
    pub(crate) processor: f64,
    /// The most memory that it had, in bytes.
    pub(crate) memory: u64,
    /// Processor seconds of the server behind it meanwhile.
    pub(crate) server: f64,
}

impl Measured {
    pub(crate) fn heading() {
        println!(
            "{:<24}{:>12}{:>22}{:>12}{:>26}",
            "", "events/s", "CPU s per million", "peak MB", "server CPU s per million"
        );
    }

    #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
    pub(crate) fn print(&self, name: &str) {
        let millions = self.events as f64 / 1e6;
        println!(
            "{name:<24}{:>12.0}{:>22.2}{:>12.0}{:>26.2}",
            self.events as f64 / self.took.as_secs_f64(),
            self.processor / millions,
            self.memory as f64 / 1e6,
            self.server / millions,
        );
    }
}

/// Processor seconds that a process has used.
#[expect(clippy::cast_precision_loss, reason = "hundredths of seconds")]
pub(crate) fn processor(pid: u32) -> Result<f64> {
    /// Of the kernel's interface; the same on every Linux.
    const TICKS_PER_SECOND: f64 = 100.0;
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = text.rsplit(')').next().context("stat")?;
    let ticks: u64 = rest
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|word| word.parse::<u64>().ok())
        .sum();
    Ok(ticks as f64 / TICKS_PER_SECOND)
}

/// The most memory that a process has had, in bytes.
pub(crate) fn peak(pid: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("VmHWM")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}
