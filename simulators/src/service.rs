//! What a mock service is.

#![expect(
    clippy::indexing_slicing,
    reason = "an index into a JSON object that is made here makes the key, and one into what was sent is null where nothing is"
)]

pub(crate) mod docker;
pub(crate) mod home_assistant;
pub(crate) mod http_json;
pub(crate) mod pihole_v5;
pub(crate) mod pihole_v6;
pub(crate) mod prometheus;
pub(crate) mod proxmox;
pub(crate) mod qnap;
pub(crate) mod synology;

use std::sync::Arc;

use axum::extract::ws::WebSocket;
use futures::future::BoxFuture;
use schemas::time::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{call::Call, fault::FaultKind, reply::Reply};

/// A service that speaks HTTP. It answers at once and keeps what it must behind locks of its own.
pub(crate) trait Service: Send + Sync + 'static {
    /// Answers a request.
    fn answer(&self, call: &Call, now: Timestamp) -> Reply;

    /// Whether it listens at all.
    fn listens(&self, _now: Timestamp) -> bool {
        true
    }

    /// Whether a request becomes a WebSocket.
    fn talks(&self, _call: &Call) -> bool {
        false
    }

    /// Talks over a WebSocket until told to stop.
    fn talk(
        self: Arc<Self>,
        _socket: WebSocket,
        _stop: CancellationToken,
    ) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Whether a fault means something here.
    fn knows(&self, _fault: FaultKind) -> bool {
        true
    }

    /// Every session ends. Who has none refuses this one call, if there is something in it that can end.
    fn expire(&self, call: &Call) -> Option<Reply>;

    /// How it refuses whoever it has blocked.
    fn blocked(&self, _call: &Call) -> Reply {
        Reply::text(403, "Forbidden")
    }

    /// How it refuses who asks too often; where it has no limit of its own, a proxy before it has.
    fn limited(&self) -> Reply {
        Reply::text(429, "Too Many Requests").header("retry-after", "5")
    }

    /// How it fails.
    fn fails(&self) -> Reply {
        Reply::text(500, "Internal Server Error")
    }
}
