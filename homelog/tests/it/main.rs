//! The real binary, from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agents;
mod bad_data;
mod checks;
mod connects;
mod dead_letters;
mod discovers;
mod lab;
mod migrates;
mod mistakes;
mod past;
mod process;
mod reloads;
mod replays;
mod roles;
mod servers;
mod setup;
mod sources;
mod starts;
mod stops;
mod users;
