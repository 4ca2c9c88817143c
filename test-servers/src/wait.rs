use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

/// How often is looked.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until something is so of a server that runs.
///
/// # Errors
/// The server ended, or it is not so in time; with what the server said last.
pub(crate) fn wait_until<S>(
    what: &str,
    patience: Duration,
    server: &mut S,
    mut is_so: impl FnMut(&S) -> bool,
    ended: impl Fn(&mut S) -> Result<Option<String>>,
    last_words: impl Fn(&S) -> String,
) -> Result<()> {
    let end = Instant::now() + patience;
    while !is_so(server) {
        if let Some(status) = ended(server)? {
            bail!("it ended with {status}:\n{}", last_words(server));
        }
        ensure!(
            Instant::now() < end,
            "not after {patience:?}: {what}\n{}",
            last_words(server)
        );
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// The last lines of a text.
pub(crate) fn last_lines(text: &str) -> String {
    const LINES: usize = 30;
    let skip = text.lines().count().saturating_sub(LINES);
    text.lines().skip(skip).collect::<Vec<_>>().join("\n")
}
