//! The real binary, from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bad_data;
mod checks;
mod lab;
mod past;
mod setup;
mod starts;
mod stops;
mod users;
