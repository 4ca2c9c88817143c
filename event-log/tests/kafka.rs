//! The log on a real Kafka: the conformance suites, and what only this adapter must do.

// one module, so that lints know all of it as tests
#[cfg(test)]
#[path = "kafka"]
mod suite {
    mod adapters;
    mod claims;
    mod cluster;
    mod kit;
    mod outage;
    mod refused;
    mod trouble;
    mod wire;
}
