use std::sync::atomic::{AtomicU64, Ordering};

/// What went through a network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Traffic {
    /// Connections that clients made.
    pub connections: u64,
    /// Connections that were reset on order.
    pub cut: u64,
    /// Connections that ended in the middle of a chunk.
    pub halved: u64,
    /// Chunks that waited for a stall to end.
    pub stalled: u64,
    /// Bytes from clients to the server.
    pub to_server: u64,
    /// Bytes from the server to clients.
    pub to_client: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) connections: AtomicU64,
    pub(super) cut: AtomicU64,
    pub(super) halved: AtomicU64,
    pub(super) stalled: AtomicU64,
    pub(super) to_server: AtomicU64,
    pub(super) to_client: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> Traffic {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Traffic {
            connections: of(&self.connections),
            cut: of(&self.cut),
            halved: of(&self.halved),
            stalled: of(&self.stalled),
            to_server: of(&self.to_server),
            to_client: of(&self.to_client),
        }
    }
}

pub(super) fn count(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}
