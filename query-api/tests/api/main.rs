//! The API over real sockets, with the log in memory, the store in memory, ingest between them, and real users.

#[cfg(test)]
mod access;
#[cfg(test)]
mod agents;
#[cfg(test)]
mod events;
#[cfg(test)]
mod health;
#[cfg(test)]
mod history;
#[cfg(test)]
mod influxdb;
#[cfg(test)]
mod joins;
#[cfg(test)]
mod lab;
#[cfg(test)]
mod live;
#[cfg(test)]
mod monitor;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod push;
#[cfg(test)]
mod realtime;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod static_files;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod views;
