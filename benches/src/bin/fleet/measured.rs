use std::time::Duration;

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
