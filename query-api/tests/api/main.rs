//! The API over real sockets, with the log in memory, the store in memory, ingest between them, and real users.

mod events;
mod health;
mod history;
mod joins;
mod lab;
mod live;
mod openapi;
mod push;
mod realtime;
mod static_files;
mod stopping;
