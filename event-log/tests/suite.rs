//! The conformance suite on the adapters of this crate, and what only the embedded one must do.

// one module, so that lints know all of it as tests
#[cfg(test)]
mod suite {
    mod adapters;
    mod damage;
    mod full;
    mod kit;
    mod model;
    mod opening;
    mod packing;
    mod purge;
    mod snapshot;
}
