use schemas::Timestamp;

/// How shipping goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum State {
    /// It finds out what the destination has.
    Starting,
    /// Events arrive.
    Shipping,
    /// The destination does not take events, since when and why; they wait in the spool.
    Waiting {
        /// Since when.
        since: Timestamp,
        /// Why, and what to do.
        reason: String,
    },
}

/// What is known about shipping at this moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// How it goes.
    pub state: State,
    /// Events that the destination has not acknowledged (an upper bound).
    pub backlog: u64,
    /// When the oldest of them was logged.
    pub oldest: Option<Timestamp>,
}
