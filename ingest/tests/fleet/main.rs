//! Workers that share a log, under faults.

#![expect(clippy::unwrap_used, reason = "a test says where it failed")]

mod alone;
mod faulty;
mod lab;
mod laws;
mod letters;
mod oracle;
mod purging;
mod rebuilding;
mod servers;
