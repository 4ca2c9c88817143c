//! The client against real servers.

// one module, so that lints know all of it as tests
#[cfg(test)]
mod suite {
    mod servers;
    mod websockets;
}
