//! What a process costs, as the kernel tells.

use anyhow::{Context, Result};

/// Processor seconds that a process has used.
///
/// # Errors
/// There is no such process.
#[expect(clippy::cast_precision_loss, reason = "hundredths of seconds")]
pub fn processor(pid: u32) -> Result<f64> {
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
///
/// # Errors
/// There is no such process.
pub fn peak(pid: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("VmHWM")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}
